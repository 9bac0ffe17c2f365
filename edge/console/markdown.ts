/**
 * Markdown to plain values: the blocks of CommonMark that people write, and GitHub's tables, task lists and strike-through. Pure; `markdown-view.ts` makes elements of them.
 *
 * INVARIANT: nothing of the source becomes markup. HTML in it is text, and every value here is one of the few kinds below.
 */
import { type Inline, parseInline } from './markdown-inline.ts'

export type Block =
  | { readonly kind: 'heading'; readonly level: number; readonly content: readonly Inline[] }
  | { readonly kind: 'paragraph'; readonly content: readonly Inline[] }
  | { readonly kind: 'code'; readonly language: string; readonly text: string }
  | { readonly kind: 'quote'; readonly blocks: readonly Block[] }
  | { readonly kind: 'list'; readonly isOrdered: boolean; readonly start: number; readonly items: readonly ListItem[] }
  | { readonly kind: 'table'; readonly head: readonly (readonly Inline[])[]; readonly rows: readonly (readonly (readonly Inline[])[])[]; readonly aligns: readonly Align[] }
  | { readonly kind: 'rule' }

export interface ListItem {
  /** Undefined where it is no task. */
  readonly isDone: boolean | undefined
  readonly blocks: readonly Block[]
}

export type Align = 'left' | 'right' | 'center' | undefined

/** Deeper than anybody quotes; below it everything is a paragraph. */
const depthMax = 12

const fence = /^ {0,3}(`{3,}|~{3,})\s*([^`\s]*)/
const rule = /^ {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$/
const bullet = /^( {0,3})([-*+]|\d{1,9}[.)])(?: (.*)|$)/
const quote = /^ {0,3}> ?/
/** Nobody reads more of them side by side. */
const columnsMax = 200

export function parseMarkdown(text: string): readonly Block[] {
  return parseBlocks(text.replaceAll('\t', '    ').split(/\r\n?|\n/), 0)
}

function parseBlocks(lines: readonly string[], depth: number): Block[] {
  const blocks: Block[] = []
  let index = 0
  while (index < lines.length) {
    const line = lines[index]!
    if (line.trim() === '') {
      index += 1
      continue
    }
    const found = depth < depthMax ? parseOne(lines, index, depth) : paragraph(lines, index)
    blocks.push(found.block)
    index = found.next
  }
  return blocks
}

interface Parsed {
  readonly block: Block
  readonly next: number
}

function parseOne(lines: readonly string[], index: number, depth: number): Parsed {
  const line = lines[index]!
  const title = headingOf(line)
  if (title !== undefined) return { block: { kind: 'heading', level: title.level, content: parseInline(title.text) }, next: index + 1 }
  if (rule.test(line)) return { block: { kind: 'rule' }, next: index + 1 }
  if (fence.test(line)) return fenced(lines, index)
  if (/^ {4}/.test(line)) return indented(lines, index)
  if (quote.test(line)) return quoted(lines, index, depth)
  if (bullet.test(line)) return list(lines, index, depth)
  if (line.includes('|') && isTableLine(lines[index + 1] ?? '')) return table(lines, index)
  return paragraph(lines, index)
}

/** Marks before and, as many write them, after the text; each line is looked at once, however it is filled up. */
function headingOf(line: string): { readonly level: number; readonly text: string } | undefined {
  const level = /^ {0,3}(#{1,6})(?= |$)/.exec(line)?.[1]?.length
  if (level === undefined) return undefined
  const text = line.trim().slice(level).trim()
  let end = text.length
  while (text[end - 1] === '#') end -= 1
  return { level, text: end === 0 || text[end - 1] === ' ' ? text.slice(0, end).trim() : text }
}

function isTableLine(line: string): boolean {
  const found = line.includes('-') ? cells(line) : []
  return found.length > 0 && found.length <= columnsMax && found.every((cell) => /^:?-+:?$/.test(cell))
}

function fenced(lines: readonly string[], index: number): Parsed {
  const [, mark = '```', language = ''] = fence.exec(lines[index]!) ?? []
  const text: string[] = []
  let next = index + 1
  for (; next < lines.length; next += 1) {
    const line = lines[next]!
    if (line.trim().startsWith(mark) && line.trim().replaceAll(mark[0]!, '') === '') break
    text.push(line)
  }
  return { block: { kind: 'code', language, text: text.join('\n') }, next: next + 1 }
}

function indented(lines: readonly string[], index: number): Parsed {
  const text: string[] = []
  let next = index
  for (; next < lines.length && (/^ {4}/.test(lines[next]!) || lines[next]!.trim() === ''); next += 1) text.push(lines[next]!.slice(4))
  return { block: { kind: 'code', language: '', text: text.join('\n').trimEnd() }, next }
}

function quoted(lines: readonly string[], index: number, depth: number): Parsed {
  const inner: string[] = []
  let next = index
  for (; next < lines.length && quote.test(lines[next]!); next += 1) inner.push(lines[next]!.replace(quote, ''))
  return { block: { kind: 'quote', blocks: parseBlocks(inner, depth + 1) }, next }
}

function list(lines: readonly string[], index: number, depth: number): Parsed {
  const [, , first = '-'] = bullet.exec(lines[index]!) ?? []
  const isOrdered = /\d/.test(first)
  const items: ListItem[] = []
  let next = index
  while (next < lines.length) {
    const match = bullet.exec(lines[next]!)
    if (match === null || /\d/.test(match[2]!) !== isOrdered || rule.test(lines[next]!)) break
    const indent = match[1]!.length + match[2]!.length + 1
    const body = [match[3] ?? '']
    next += 1
    for (; next < lines.length; next += 1) {
      const line = lines[next]!
      const isBlank = line.trim() === ''
      const isInside = line.startsWith(' '.repeat(Math.min(indent, 2)))
      if (isBlank && !(lines[next + 1] ?? '').startsWith(' '.repeat(2))) break
      if (!isBlank && !isInside && (bullet.test(line) || startsBlock(line))) break
      body.push(isInside ? line.replace(new RegExp(`^ {0,${indent}}`), '') : line)
    }
    while (next < lines.length && lines[next]!.trim() === '' && bullet.test(lines[next + 1] ?? '')) next += 1
    const task = /^\[([ xX])\] /.exec(body[0]!)
    if (task !== null) body[0] = body[0]!.slice(4)
    items.push({ isDone: task === null ? undefined : task[1] !== ' ', blocks: parseBlocks(body, depth + 1) })
  }
  return { block: { kind: 'list', isOrdered, start: isOrdered ? Number.parseInt(first, 10) : 1, items }, next }
}

function startsBlock(line: string): boolean {
  return headingOf(line) !== undefined || fence.test(line) || quote.test(line) || rule.test(line)
}

function table(lines: readonly string[], index: number): Parsed {
  const aligns = cells(lines[index + 1]!).map((cell): Align => {
    const isRight = cell.endsWith(':')
    return cell.startsWith(':') ? (isRight ? 'center' : 'left') : isRight ? 'right' : undefined
  })
  const rows: Inline[][][] = []
  let next = index + 2
  for (; next < lines.length && lines[next]!.includes('|') && lines[next]!.trim() !== ''; next += 1) {
    const found = cells(lines[next]!)
    rows.push(aligns.map((_, column) => [...parseInline(found[column] ?? '')]))
  }
  const head = cells(lines[index]!)
  return { block: { kind: 'table', head: aligns.map((_, column) => parseInline(head[column] ?? '')), rows, aligns }, next }
}

/** A pipe after a backslash is one of the text. */
function cells(line: string): string[] {
  const inner = line.trim().replace(/^\|/, '').replace(/(?<!\\)\|$/, '')
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'))
}

function paragraph(lines: readonly string[], index: number): Parsed {
  const text: string[] = [lines[index]!]
  let next = index + 1
  for (; next < lines.length; next += 1) {
    const line = lines[next]!
    const underline = /^ {0,3}(=+|-+)\s*$/.exec(line)
    if (underline !== null) {
      const content = parseInline(text.join('\n').trim())
      return { block: { kind: 'heading', level: underline[1]!.startsWith('=') ? 1 : 2, content }, next: next + 1 }
    }
    if (line.trim() === '' || startsBlock(line) || bullet.test(line)) break
    text.push(line)
  }
  return { block: { kind: 'paragraph', content: parseInline(text.map((line) => line.trimStart()).join('\n').trim()) }, next }
}
