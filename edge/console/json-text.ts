/**
 * JSON as people read it: indented, and otherwise as its source has it. Numbers keep their digits, of which a number of JavaScript has 15 alone, strings their escapes, names their order
 * and what stands twice stands twice. Pure.
 */

const space = /\s/
const end = /[\s{}[\],:"]/

/** Undefined for what is no JSON, and for what is longer than `lengthMax` once it is indented, as deep nesting is. */
export function indentJson(text: string, lengthMax: number): string | undefined {
  if (!isJson(text)) return undefined
  const parts: string[] = []
  let length = 0
  let depth = 0
  const add = (part: string): void => {
    parts.push(part)
    length += part.length
  }
  const line = (): void => add(`\n${'  '.repeat(depth)}`)
  for (let at = 0; at < text.length; at += 1) {
    if (length > lengthMax) return undefined
    const sign = text[at]!
    if (space.test(sign)) continue
    if (sign === '{' || sign === '[') {
      const next = after(text, at + 1)
      if (text[next] === '}' || text[next] === ']') {
        add(`${sign}${text[next]}`)
        at = next
        continue
      }
      add(sign)
      depth += 1
      line()
    } else if (sign === '}' || sign === ']') {
      depth -= 1
      line()
      add(sign)
    } else if (sign === ',') {
      add(sign)
      line()
    } else if (sign === ':') {
      add(': ')
    } else {
      const last = sign === '"' ? endOfString(text, at) : endOfWord(text, at)
      add(text.slice(at, last))
      at = last - 1
    }
  }
  return length > lengthMax ? undefined : parts.join('')
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** The place of the next sign that is no space. */
function after(text: string, start: number): number {
  let at = start
  while (at < text.length && space.test(text[at]!)) at += 1
  return at
}

/** After the quote that ends it. */
function endOfString(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

function endOfWord(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && !end.test(text[at]!)) at += 1
  return at
}
