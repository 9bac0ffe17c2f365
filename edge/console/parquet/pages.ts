/**
 * What the pages of a Parquet file say of themselves, before the reader believes it: a page of a few bytes can claim to hold two thousand million values, for which the
 * reader would take the memory. Every read goes through here; used by `file.ts`.
 */
import { type FileMetaData, readOffsetIndex } from 'hyparquet'
import type { AsyncBuffer } from '../../browser/lazy-file.ts'
import { EdgemountError } from '../../../shared/error.ts'
import { type HeaderNumbers, readHeader } from './thrift.ts'

/** What one reading may take, of all its columns together: some hundred megabytes of memory. */
const valuesMax = 16 * 1024 * 1024
const bytesMax = 256 * 1024 * 1024

type Groups = FileMetaData['row_groups']

interface Span {
  readonly start: number
  readonly end: number
}

interface Chunk extends Span {
  readonly isFlat: boolean
}

export interface ReadRows {
  readonly rowEnd: number
  /** Columns without lists: of those the reader stops at `rowEnd`, of others it reads all pages. */
  readonly flatNames: ReadonlySet<string>
}

/** The file with every page looked at. */
export function checkedPages(file: AsyncBuffer, groups: Groups, { rowEnd, flatNames }: ReadRows): AsyncBuffer {
  const chunks: Chunk[] = []
  /** By the place of an index, the columns that it is of. */
  const indexed = new Map<string, Chunk[]>()
  for (const { meta_data, offset_index_offset: indexStart = 0n, offset_index_length: indexBytes = 0 } of groups.flatMap(({ columns }) => columns)) {
    if (meta_data === undefined) continue
    const start = Number(meta_data.dictionary_page_offset || meta_data.data_page_offset)
    const [name = '', ...below] = meta_data.path_in_schema
    const chunk = { start, end: start + Number(meta_data.total_compressed_size), isFlat: below.length === 0 && flatNames.has(name) }
    chunks.push(chunk)
    const place = `${indexStart} ${Number(indexStart) + indexBytes}`
    indexed.set(place, [...(indexed.get(place) ?? []), chunk])
  }
  const inOrder = chunks.toSorted((a, b) => a.start - b.start)
  const areApart = inOrder.every(({ end }, index) => end <= (inOrder[index + 1]?.start ?? Infinity))
  const budget = new Budget()
  return {
    byteLength: file.byteLength,
    slice: async (start, end = file.byteLength) => {
      if (!(start >= 0 && start <= end && end <= file.byteLength)) throw damaged('they refer to places outside of the file')
      // Else the pages of one could be taken for those of the other.
      if (!areApart) throw damaged('columns lie in each other')
      const bytes = await file.slice(start, end)
      const view = new DataView(bytes)
      const ofIndex = indexed.get(`${start} ${end}`)
      if (ofIndex !== undefined) {
        if (chunks.some((chunk) => chunk.start < end && start < chunk.end)) throw damaged('an index lies within a column')
        checkIndex(view, ofIndex)
        return bytes
      }
      const within = chunks.filter((chunk) => chunk.start >= start && chunk.end <= end)
      for (const { start: from, end: to, isFlat } of within) budget.spend(view, { start: from - start, end: to - start }, isFlat ? rowEnd : Infinity)
      // Pages that an index led to: the reader begins where the slice begins.
      const isColumns = within.some((chunk) => chunk.start === start)
      // The reader would go on with what is left in what it reads next.
      if (!isColumns && budget.spend(view, { start: 0, end: bytes.byteLength }, Infinity) !== bytes.byteLength) throw damaged('one has no end')
      return bytes
    },
  }
}

/** What it leads to lies in its columns: the reader takes it for pages of theirs, wherever it is. */
function checkIndex(view: DataView, chunks: readonly Chunk[]): void {
  try {
    // No list in it is longer than its bytes, for which the reader would take the memory.
    readHeader(view, 0, view.byteLength)
  } catch (error) {
    throw damaged('an index is broken', error)
  }
  for (const { offset, compressed_page_size: bytes } of readOffsetIndex({ view, offset: 0 }).page_locations) {
    const end = Number(offset) + bytes
    if (!(bytes >= 0 && chunks.every((chunk) => Number(offset) >= chunk.start && end <= chunk.end))) throw damaged('an index leads elsewhere than to its column')
  }
}

class Budget {
  #values = valuesMax
  #bytes = bytesMax

  /** Walks from page to page as the reader will, and gives where it came to. */
  spend(view: DataView, { start, end }: Span, valueEnd: number): number {
    let at = start
    let seen = 0
    while (at < end - 1 && seen < valueEnd) {
      const header = this.#header(view, at, end)
      const bytes = header['3'] ?? -1
      const valueCount = header['5.1'] ?? header['7.1'] ?? header['8.1'] ?? 0
      if (bytes < 0 || valueCount < 0 || (header['2'] ?? -1) < 0) throw damaged('they say that they have less than nothing')
      at = header.end + bytes
      if (at > end) throw damaged('they are longer than their column')
      // The reader counts rows, of which a page of the second version tells the number by itself.
      if (header['7.1'] === undefined) seen += Math.min(valueCount, header['8.3'] ?? valueCount)
      this.#values -= valueCount
      this.#bytes -= header['2'] ?? 0
      if (this.#values < 0 || this.#bytes < 0) throw new EdgemountError('exhausted', 'Cannot show the rows: they come in pages of more values than a browser should hold; read the file with a program that can')
    }
    return at
  }

  #header(view: DataView, at: number, end: number): HeaderNumbers {
    try {
      return readHeader(view, at, end)
    } catch (error) {
      throw damaged('one has no beginning', error)
    }
  }
}

function damaged(why: string, cause?: unknown): EdgemountError {
  return new EdgemountError('invalid', `Cannot read the rows: the pages of the file are damaged, ${why}; download the file to look closer`, { cause })
}
