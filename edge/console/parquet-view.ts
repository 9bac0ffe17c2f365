/**
 * A Parquet file as its schema and a table of rows, by hyparquet over the engine's verified ranges. Loaded by `previews/parquet.ts`, apart from the rest of the console.
 */
import { type FileMetaData, type SchemaTree, parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet'
import type { AsyncBuffer } from '../browser/lazy-file.ts'
import { EdgemountError, codeOf, messageOf } from '../../shared/error.ts'
import { type DataColumn, dataTable } from './data-table.ts'
import { button, element } from './element.ts'
import { formatBytes, formatCount, shownName } from './format.ts'
import type { Context } from './panel.ts'

const rowsEach = 100
/** What is read without asking: with the footer it stays below two megabytes. */
const unaskedBytesMax = 1024 * 1024
/** The footer of a file is usually shorter; a longer one takes a second request. */
const footerBytes = 128 * 1024
/** Compressions that the reader has. */
const codecs = new Set(['UNCOMPRESSED', 'SNAPPY'])

export async function showParquet(host: HTMLElement, context: Context): Promise<void> {
  const { volume, info } = context.place
  const file = await volume.asyncBuffer(info.path, { signal: context.signal })
  const metadata = await readMetadata(file)
  const columns = parquetSchema(metadata).children
  const rowCount = Number(metadata.num_rows)
  const groups = metadata.row_groups.length
  host.append(
    element('p', { class: 'facts' }, `${formatCount(rowCount, 'row', 'rows')}, ${formatCount(columns.length, 'column', 'columns')}, ${formatCount(groups, 'row group', 'row groups')}`),
    schemaElement(columns),
  )
  if (rowCount === 0) return
  const unknown = [...new Set(metadata.row_groups.flatMap(({ columns: chunks }) => chunks.map(({ meta_data }) => meta_data?.codec ?? 'UNCOMPRESSED')))].filter((codec) => !codecs.has(codec))
  if (unknown.length > 0) {
    host.append(element('p', { class: 'quiet' }, `Its rows are compressed with ${unknown.join(' and ')}, which this page cannot undo. Download the file, or read it with a program that can.`))
    return
  }
  const rows = new Rows(host, context, { file, metadata, columns })
  await rows.begin()
}

async function readMetadata(file: AsyncBuffer): Promise<FileMetaData> {
  try {
    return await parquetMetadataAsync(file, { initialFetchSize: Math.min(footerBytes, file.byteLength) })
  } catch (error) {
    if (error instanceof EdgemountError || codeOf(error) === 'aborted') throw error
    throw new EdgemountError('invalid', `Cannot show the file as Parquet: ${messageOf(error)}; download it to look closer`, { cause: error })
  }
}

function schemaElement(columns: readonly SchemaTree[]): HTMLElement {
  const table = dataTable('Columns', [{ name: 'Column' }, { name: 'Type' }, { name: 'Values' }])
  table.add(columns.map(({ element: { name, type, logical_type, converted_type, repetition_type } }) => [name, [logical_type?.type ?? converted_type, type].filter((each) => each !== undefined).join(' · ') || 'group', (repetition_type ?? 'REQUIRED').toLowerCase()]))
  return element('details', { class: 'schema', open: columns.length <= 12 }, element('summary', {}, 'Columns'), table.element)
}

interface ParquetFile {
  readonly file: AsyncBuffer
  readonly metadata: FileMetaData
  readonly columns: readonly SchemaTree[]
}

class Rows {
  readonly #host: HTMLElement
  readonly #context: Context
  readonly #parquet: ParquetFile
  #at = 0
  readonly #said = element('p', { class: 'quiet', role: 'status' })
  readonly #more = button({ label: `Next ${rowsEach} rows`, icon: 'down', onClick: () => void this.#next() })
  readonly #table

  constructor(host: HTMLElement, context: Context, parquet: ParquetFile) {
    this.#host = host
    this.#context = context
    this.#parquet = parquet
    const columns: DataColumn[] = parquet.columns.map((column) => ({ name: column.element.name, isNumber: isNumber(column) }))
    this.#table = dataTable(`Rows of ${shownName(context.place.info.name)}`, columns)
  }

  /** Reads the first rows, unless that is much: then somebody has to want it. */
  async begin(): Promise<void> {
    const bytes = bytesOfRows(this.#parquet.metadata)
    this.#host.append(this.#table.element, element('div', { class: 'more' }, this.#said, this.#more))
    if (bytes <= unaskedBytesMax) return await this.#read()
    this.#table.element.hidden = true
    this.#said.textContent = `The first rows are in a row group of ${formatBytes(bytes)}, which is read whole.`
    this.#more.querySelector('span')?.replaceChildren(`Read ${formatBytes(bytes)}`)
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
    const { file, metadata, columns } = this.#parquet
    const rowCount = Number(metadata.num_rows)
    const rowEnd = Math.min(rowCount, this.#at + rowsEach)
    let rows: readonly Record<string, unknown>[]
    try {
      rows = await parquetReadObjects({ file, metadata, rowStart: this.#at, rowEnd, useOffsetIndex: true })
    } catch (error) {
      if (error instanceof EdgemountError || this.#context.signal.aborted) throw error
      throw new EdgemountError('invalid', `Cannot read the rows: ${messageOf(error)}; download the file to look closer`, { cause: error })
    }
    this.#table.element.hidden = false
    this.#table.add(rows.map((row) => columns.map(({ element: { name } }) => shownValue(row[name]))))
    this.#at = rowEnd
    this.#said.textContent = rowEnd === rowCount ? 'All rows are shown.' : `The first ${formatCount(rowEnd, 'row', 'rows')} of ${rowCount.toLocaleString('en')} are shown.`
    this.#more.querySelector('span')?.replaceChildren(`Next ${rowsEach} rows`)
    if (rowEnd === rowCount) this.#more.remove()
  }
}

function isNumber({ element: { type, converted_type, logical_type } }: SchemaTree): boolean {
  const meaning = logical_type?.type ?? converted_type ?? ''
  return type !== undefined && /^(INT32|INT64|FLOAT|DOUBLE)$/.test(type) && !/TIME|DATE/.test(meaning)
}

/** A page in an offset index: three numbers and their tags, as Thrift's compact protocol writes them. More than it has, so that pages are thought larger than they are. */
const pageLocationBytes = 20

/** What the first rows cost, about: of a column with an index its dictionary and a page, else all of it in the first row group. */
export function bytesOfRows({ row_groups: [group] }: Pick<FileMetaData, 'row_groups'>): number {
  let bytes = 0
  for (const { meta_data, offset_index_length } of group?.columns ?? []) {
    const whole = Number(meta_data?.total_compressed_size ?? 0)
    const dictionary = meta_data?.dictionary_page_offset === undefined ? 0 : Number(meta_data.data_page_offset - meta_data.dictionary_page_offset)
    const pageCount = Math.max(1, Math.floor((offset_index_length ?? 0) / pageLocationBytes))
    bytes += Math.min(whole, dictionary + Math.ceil((whole - dictionary) / pageCount))
  }
  return bytes
}

function shownValue(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'string') return value
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '' : value.toISOString()
  if (value instanceof Uint8Array) return Array.from(value.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('') + (value.length > 16 ? '…' : '')
  if (typeof value === 'object') return JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? inner.toString() : inner instanceof Uint8Array ? shownValue(inner) : inner))
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean' ? String(value) : ''
}
