/**
 * Rows of data as a table that scrolls by itself: for CSV and Parquet.
 */
import { element } from './element.ts'

export interface DataTable {
  readonly element: HTMLElement
  add(rows: readonly (readonly string[])[]): void
}

export interface DataColumn {
  readonly name: string
  readonly isNumber?: boolean
}

/** A cell with more is a document, and has its own programs. */
const cellTextMax = 400

/** `caption` is for who listens. */
export function dataTable(caption: string, columns: readonly DataColumn[]): DataTable {
  const heads = columns.map(({ name, isNumber = false }) => element('th', { scope: 'col', class: isNumber ? 'number' : undefined }, name))
  const body = element('tbody')
  let count = 0
  const first = element('th', { scope: 'col', class: 'index' }, element('span', { class: 'hidden' }, 'Row'))
  const table = element('table', { class: 'data' }, element('caption', { class: 'hidden' }, caption), element('thead', {}, element('tr', {}, first, ...heads)), body)
  return {
    element: element('div', { class: 'data-scroll', tabindex: 0, role: 'region', 'aria-label': caption }, table),
    add: (rows) => {
      for (const row of rows) {
        count += 1
        const cells = columns.map(({ isNumber = false }, index) => element('td', { class: isNumber ? 'number' : undefined }, clip(row[index] ?? '')))
        body.append(element('tr', {}, element('th', { scope: 'row', class: 'index' }, String(count)), ...cells))
      }
    },
  }
}

function clip(text: string): string {
  return text.length > cellTextMax ? `${text.slice(0, cellTextMax)}…` : text
}
