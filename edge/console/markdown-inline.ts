/**
 * The inside of Markdown's paragraphs: emphasis, code, links, pictures. Pure, in one pass from left to right; called by `markdown.ts`.
 */

export type Inline =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'code'; readonly text: string }
  | { readonly kind: 'strong' | 'emphasis' | 'strike'; readonly content: readonly Inline[] }
  | { readonly kind: 'link'; readonly target: string; readonly content: readonly Inline[] }
  | { readonly kind: 'image'; readonly source: string; readonly text: string }
  | { readonly kind: 'break' }

/** Emphasis within emphasis: deeper than this it is text. */
const depthMax = 8
/** A closing mark is looked for so far: what is quadratic in the source stays small. */
const reachMax = 2000
/** Who writes code that has backticks begins it with one more of them. */
const ticksMax = 64
/** Marks that could close and do not. */
const triesMax = 32

const marks = [
  ['**', 'strong'],
  ['__', 'strong'],
  ['~~', 'strike'],
  ['*', 'emphasis'],
  ['_', 'emphasis'],
] as const

export function parseInline(text: string, depth = 0): readonly Inline[] {
  const found: Inline[] = []
  let plain = ''
  let index = 0
  const add = (inline: Inline, length: number): void => {
    if (plain !== '') found.push({ kind: 'text', text: plain })
    plain = ''
    found.push(inline)
    index += length
  }
  while (index < text.length) {
    const parsed = depth < depthMax ? parseAt(text, index, depth) : undefined
    if (parsed !== undefined) {
      add(parsed.inline, parsed.length)
      continue
    }
    const isEscape = text[index] === '\\' && /[!-/:-@[-`{-~]/.test(text[index + 1] ?? '')
    if (isEscape) index += 1
    plain += text[index]!
    index += 1
  }
  if (plain !== '') found.push({ kind: 'text', text: plain })
  return found
}

interface ParsedInline {
  readonly inline: Inline
  readonly length: number
}

function parseAt(text: string, index: number, depth: number): ParsedInline | undefined {
  switch (text[index]) {
    case '`':
      return code(text, index)
    case '!':
      return text[index + 1] === '[' ? link(text, index + 1, depth, true) : undefined
    case '[':
      return link(text, index, depth, false)
    case '<':
      return autolink(text, index)
    case 'h':
      return bareLink(text, index)
    case '\n':
      return /(?: {2}|\\)$/.test(text.slice(Math.max(0, index - 2), index)) ? { inline: { kind: 'break' }, length: 1 } : undefined
    case '*':
    case '_':
    case '~':
      return emphasis(text, index, depth)
    default:
      return undefined
  }
}

function code(text: string, index: number): ParsedInline | undefined {
  let ticks = 1
  while (ticks <= ticksMax && text[index + ticks] === '`') ticks += 1
  if (ticks > ticksMax) return undefined
  const end = indexOf(text, '`'.repeat(ticks), index + ticks)
  if (end < 0) return undefined
  const inner = text.slice(index + ticks, end).replaceAll('\n', ' ')
  const trimmed = /^ .*[^ ].* $/.test(inner) ? inner.slice(1, -1) : inner
  return { inline: { kind: 'code', text: trimmed }, length: end + ticks - index }
}

function link(text: string, index: number, depth: number, isImage: boolean): ParsedInline | undefined {
  const close = closing(text, index, '[', ']')
  if (close < 0 || text[close + 1] !== '(') return undefined
  const end = closing(text, close + 1, '(', ')')
  if (end < 0) return undefined
  const [, angled, plain] = /^\s*(?:<([^<>\n]*)>|(\S*))(?:\s+(?:"[^"]*"|'[^']*'))?\s*$/.exec(text.slice(close + 2, end)) ?? []
  const target = angled ?? plain
  if (target === undefined) return undefined
  const label = text.slice(index + 1, close)
  const inline: Inline = isImage ? { kind: 'image', source: target, text: label } : { kind: 'link', target, content: parseInline(label, depth + 1) }
  return { inline, length: end + 1 - index + (isImage ? 1 : 0) }
}

/** Where the bracket that is opened at `index` closes; -1 when it does not. */
function closing(text: string, index: number, open: string, close: string): number {
  let level = 0
  const stop = Math.min(text.length, index + reachMax)
  if (!text.slice(index, stop).includes(close)) return -1
  for (let at = index; at < stop; at += 1) {
    if (text[at] === '\\') at += 1
    else if (text[at] === open) level += 1
    else if (text[at] === close) {
      level -= 1
      if (level === 0) return at
    }
  }
  return -1
}

function autolink(text: string, index: number): ParsedInline | undefined {
  const [whole, target] = /^<((?:https?:\/\/|mailto:)[^\s<>]{1,2000})>/.exec(text.slice(index, index + 2010)) ?? []
  return target === undefined ? undefined : { inline: { kind: 'link', target, content: [{ kind: 'text', text: target }] }, length: whole!.length }
}

function bareLink(text: string, index: number): ParsedInline | undefined {
  if (index > 0 && !/[\s([{"'*_~]/.test(text[index - 1]!)) return undefined
  if (!text.startsWith('http://', index) && !text.startsWith('https://', index)) return undefined
  const reached = /^https?:\/\/[^\s<>"'`]{1,2000}/.exec(text.slice(index, index + 2010))?.[0] ?? ''
  let end = reached.length
  while (end > 0 && '.,:;!?)*_~]'.includes(reached[end - 1]!)) end -= 1
  const found = reached.slice(0, end)
  if (!/^https?:\/\/./.test(found)) return undefined
  return { inline: { kind: 'link', target: found, content: [{ kind: 'text', text: found }] }, length: found.length }
}

function emphasis(text: string, index: number, depth: number): ParsedInline | undefined {
  for (const [mark, kind] of marks) {
    if (!text.startsWith(mark, index) || /^\s?$/.test(text[index + mark.length] ?? '')) continue
    // Within a word an underscore is a letter.
    if (mark[0] === '_' && /\w/.test(text[index - 1] ?? '')) continue
    const end = closingMark(text, index + mark.length, mark)
    if (end < 0) continue
    const content = parseInline(text.slice(index + mark.length, end), depth + 1)
    return { inline: { kind, content }, length: end + mark.length - index }
  }
  return undefined
}

function closingMark(text: string, start: number, mark: string): number {
  const seen = text.slice(start, start + reachMax)
  for (let found = seen.indexOf(mark), tries = 0; found >= 0 && tries < triesMax; found = seen.indexOf(mark, found + 1), tries += 1) {
    const at = start + found
    const isAfterSpace = at === start || /\s/.test(text[at - 1]!) || text[at - 1] === '\\'
    // A single mark beside its like is half of a double one.
    const isHalf = mark.length === 1 && (text[at + 1] === mark || text[at - 1] === mark)
    const isInWord = mark[0] === '_' && /\w/.test(text[at + mark.length] ?? '')
    if (!isAfterSpace && !isHalf && !isInWord) return at
  }
  return -1
}

function indexOf(text: string, what: string, start: number): number {
  const at = text.slice(start, start + reachMax + what.length).indexOf(what)
  return at < 0 ? -1 : start + at
}
