/**
 * A Parquet file as its schema and a table of rows, read over the engine's verified ranges by `parquet/`. Loaded by `previews/parquet.ts`, apart from the rest of the
 * console.
 */
import { EdgemountError, codeOf } from '../../shared/error.ts'
import { dataTable } from './data-table.ts'
import { button, element } from './element.ts'
import { formatBytes, formatCount, shownName } from './format.ts'
import { columnsMax, type ParquetColumn, whyNotShown } from './parquet/columns.ts'
import type { ParquetFacts } from './parquet/file.ts'
import { ParquetReading } from './parquet/reading.ts'
import { sentenceOf } from './notices.ts'
import type { Context } from './panel.ts'

const rowsEach = 100
/** What is read of rows without asking: with a usual footer it stays below two megabytes. */
const unaskedBytesMax = 1024 * 1024
/** What is read of a footer without asking: thousands of columns, or of row groups. */
const unaskedFooterBytesMax = 8 * 1024 * 1024
/** What a browser can hold at once, with what becomes of it. */
const footerBytesMax = 64 * 1024 * 1024
const rowBytesMax = 512 * 1024 * 1024
/** Errors that another try would have again. */
const ofTheFile = new Set(['invalid', 'exhausted', 'unsupported', 'internal'])

export async function showParquet(host: HTMLElement, context: Context): Promise<void> {
  const { volume, info } = context.place
  const file = await volume.asyncBuffer(info.path, { signal: context.signal })
  const reading = new ParquetReading(file, context.signal)
  const facts = await reading.open(unaskedFooterBytesMax)
  if (typeof facts !== 'number') return await showFacts(host, context, reading, facts)
  const long = `Its footer, which says what is in the file, is ${formatBytes(facts)} long`
  if (facts > footerBytesMax) {
    host.append(element('p', { class: 'quiet' }, `${long}: more than this page reads. Download the file, or read it with a program that can.`))
    return
  }
  const anyway = async (): Promise<void> => {
    more.disabled = true
    try {
      const longFacts = await reading.open(footerBytesMax)
      asked.remove()
      if (typeof longFacts !== 'number') await showFacts(host, context, reading, longFacts)
    } catch (error) {
      more.disabled = false
      context.notices.fail(error)
    }
  }
  const more = button({ label: `Read ${formatBytes(facts)}`, icon: 'down', onClick: () => void anyway() })
  const asked = element('div', { class: 'more' }, element('p', { class: 'quiet', role: 'status' }, `${long}, and is read whole.`), more)
  host.append(asked)
}

async function showFacts(host: HTMLElement, context: Context, reading: ParquetReading, facts: ParquetFacts): Promise<void> {
  const { rowCount, columnCount, groupCount, columns } = facts
  host.append(
    element('p', { class: 'facts' }, `${formatCount(rowCount, 'row', 'rows')}, ${formatCount(columnCount, 'column', 'columns')}, ${formatCount(groupCount, 'row group', 'row groups')}`),
    schemaElement(columns, columnCount),
  )
  const why = whyNotShown(columns, shownName)
  const isSome = columns.some((column) => column.why === undefined)
  if (why !== '') host.append(element('p', { class: 'quiet left-out' }, `${why}, which this page cannot read${isSome ? ': rows are shown without' : ''}. Download the file, or read it with a program that can.`))
  if (rowCount > 0 && isSome) await new Rows(host, context, reading, facts).begin()
}

function schemaElement(columns: readonly ParquetColumn[], columnCount: number): HTMLElement {
  const table = dataTable('Columns', [{ name: 'Column' }, { name: 'Type' }, { name: 'Values' }])
  table.add(columns.map(({ name, type, values }) => [shownName(name), type, values]))
  const rest = columnCount > columns.length && element('p', { class: 'quiet' }, `The first ${columnsMax} columns, here and of each row.`)
  return element('details', { class: 'schema', open: columns.length <= 12 }, element('summary', {}, 'Columns'), table.element, rest)
}

class Rows {
  readonly #host: HTMLElement
  readonly #context: Context
  readonly #reading: ParquetReading
  readonly #rowCount: number
  #at = 0
  #bytes = 0
  readonly #said = element('p', { class: 'quiet', role: 'status' })
  readonly #more = button({ label: `Next ${rowsEach} rows`, icon: 'down', onClick: () => void this.#next() })
  readonly #table

  constructor(host: HTMLElement, context: Context, reading: ParquetReading, { rowCount, columns }: ParquetFacts) {
    this.#host = host
    this.#context = context
    this.#reading = reading
    this.#rowCount = rowCount
    const shown = columns.filter(({ why }) => why === undefined).map(({ name, isNumber }) => ({ name: shownName(name), isNumber }))
    this.#table = dataTable(`Rows of ${shownName(context.place.info.name)}`, shown)
  }

  /** Reads the first rows, unless that is much: then somebody has to want it. */
  async begin(): Promise<void> {
    this.#host.append(this.#table.element, element('div', { class: 'more' }, this.#said, this.#more))
    this.#table.element.hidden = true
    try {
      await this.#offer()
      if (this.#bytes <= unaskedBytesMax) await this.#read()
    } catch (error) {
      // The columns are there: what is wrong with the rows stands below them.
      if (!ofTheFile.has(codeOf(error))) throw error
      this.#said.textContent = sentenceOf(error)
      this.#more.remove()
    }
  }

  get #range(): { readonly rowStart: number; readonly rowEnd: number } {
    return { rowStart: this.#at, rowEnd: Math.min(this.#rowCount, this.#at + rowsEach) }
  }

  /** Says what the next rows cost. */
  async #offer(): Promise<void> {
    this.#bytes = await this.#reading.cost(this.#range)
    const isMuch = this.#bytes > unaskedBytesMax
    this.#more.querySelector('span')?.replaceChildren(isMuch ? `Read ${formatBytes(this.#bytes)}` : `Next ${rowsEach} rows`)
    const which = this.#at === 0 ? 'The first rows' : `The first ${formatCount(this.#at, 'row', 'rows')} of ${this.#rowCount.toLocaleString('en')} are shown. The next ones`
    if (this.#bytes > rowBytesMax) {
      this.#said.textContent = `${which} are in row groups of ${formatBytes(this.#bytes)}, which are read whole: more than this page reads.`
      this.#more.remove()
    } else if (isMuch) this.#said.textContent = `${which} are in a row group of ${formatBytes(this.#bytes)}, which is read whole.`
  }

  async #next(): Promise<void> {
    this.#more.disabled = true
    try {
      await this.#read()
    } catch (error) {
      this.#context.notices.fail(error)
    }
    this.#more.disabled = false
  }

  async #read(): Promise<void> {
    const { rowEnd } = this.#range
    const rows = await this.#reading.rows(this.#range, this.#bytes)
    if (rows.length === 0) throw new EdgemountError('invalid', 'Cannot read the rows: there are fewer than the footer says; download the file to look closer')
    this.#table.element.hidden = false
    this.#table.add(rows)
    this.#at = rowEnd
    const isAll = rowEnd === this.#rowCount
    this.#said.textContent = isAll ? 'All rows are shown.' : `The first ${formatCount(rowEnd, 'row', 'rows')} of ${this.#rowCount.toLocaleString('en')} are shown.`
    if (isAll) this.#more.remove()
    else await this.#offer()
  }
}
