/**
 * Comma-separated values (RFC 4180) and their kin, of which the beginning is at hand. Pure; `previews/csv.ts` shows the rows.
 */

/** Wider than any window; what is beyond is not shown. */
export const columnsMax = 200
/** A cell with more is no number that anybody reads. */
const numberTextMax = 64

/** Whether a cell can stand with numbers, which are ranged right; an empty one can. */
export function isNumberText(text: string): boolean {
  return text.length <= numberTextMax && /^-?[\d.,]*(?:e[+-]?\d+)?$/i.test(text.trim())
}

export interface CsvTable {
  readonly delimiter: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
  /** The text ended within a row, which is left out. */
  readonly isCut: boolean
  /** Some row has more cells than are given. */
  readonly isNarrowed: boolean
}

const delimiters = [',', ';', '\t', '|'] as const

/** `isWhole`: the text is all there is; else its last row may go on, and is not shown. */
export function parseCsv(text: string, { isWhole, rowsMax }: { readonly isWhole: boolean; readonly rowsMax: number }): CsvTable {
  const plain = text.startsWith('\ufeff') ? text.slice(1) : text
  const delimiter = guessDelimiter(plain)
  const rows: string[][] = []
  let row: string[] = []
  let index = 0
  let isCut = false
  let isNarrowed = false
  while (index < plain.length && rows.length <= rowsMax) {
    const cell = readCell(plain, index, delimiter)
    if (row.length < columnsMax) row.push(cell.text)
    else isNarrowed = true
    index = cell.next
    const end = plain[index]
    if (end === delimiter) {
      index += 1
      // A delimiter at the very end has an empty cell after it.
      if (index < plain.length) continue
      if (row.length < columnsMax) row.push('')
    } else if (end !== undefined) index += plain.startsWith('\r\n', index) ? 2 : 1
    isCut = !isWhole && index === plain.length && end !== '\n'
    if (!isCut) rows.push(row)
    row = []
  }
  const [head = [], ...rest] = rows
  return { delimiter, head, rows: rest, isCut: isCut || index < plain.length, isNarrowed }
}

function readCell(text: string, start: number, delimiter: string): { readonly text: string; readonly next: number } {
  if (text[start] !== '"') {
    let next = start
    while (next < text.length && text[next] !== delimiter && text[next] !== '\n' && text[next] !== '\r') next += 1
    return { text: text.slice(start, next), next }
  }
  let cell = ''
  let next = start + 1
  while (next < text.length) {
    const quote = text.indexOf('"', next)
    if (quote < 0) return { text: cell + text.slice(next), next: text.length }
    cell += text.slice(next, quote)
    next = quote + 1
    if (text[next] !== '"') break
    cell += '"'
    next += 1
  }
  // What stands between a quote and the next delimiter is part of the cell, as programs that wrote it meant.
  const rest = readPlain(text, next, delimiter)
  return { text: cell + text.slice(next, rest), next: rest }
}

function readPlain(text: string, start: number, delimiter: string): number {
  let next = start
  while (next < text.length && text[next] !== delimiter && text[next] !== '\n' && text[next] !== '\r') next += 1
  return next
}

/** The one that the first line has most often, outside of quotes. */
function guessDelimiter(text: string): string {
  const line = /^(?:"(?:[^"]|"")*"|[^"\r\n])*/.exec(text.slice(0, 10_000))?.[0].replaceAll(/"(?:[^"]|"")*"/g, '') ?? ''
  const counts = delimiters.map((delimiter) => line.split(delimiter).length)
  const best = Math.max(...counts)
  return best > 1 ? delimiters[counts.indexOf(best)]! : ','
}
