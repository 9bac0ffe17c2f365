/**
 * What the pages of a Parquet file say of themselves, before the reader believes it: a page of a few bytes can claim to hold two thousand million values, for which the
 * reader would take the memory. Every read goes through here; used by `reader.ts`.
 */
import type { FileMetaData } from 'hyparquet'
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

/** The file with every page looked at. `rowEnd`: a column without lists is read no further. */
export function checkedPages(file: AsyncBuffer, groups: Groups, rowEnd: number): AsyncBuffer {
  const chunks: (Span & { readonly isFlat: boolean })[] = []
  const indexes = new Set<string>()
  for (const { meta_data, offset_index_offset: indexStart = 0n, offset_index_length: indexBytes = 0 } of groups.flatMap(({ columns }) => columns)) {
    if (meta_data === undefined) continue
    const start = Number(meta_data.dictionary_page_offset || meta_data.data_page_offset)
    chunks.push({ start, end: start + Number(meta_data.total_compressed_size), isFlat: meta_data.path_in_schema.length === 1 })
    indexes.add(`${indexStart} ${Number(indexStart) + indexBytes}`)
  }
  const budget = new Budget()
  return {
    byteLength: file.byteLength,
    slice: async (start, end = file.byteLength) => {
      if (!(start >= 0 && start <= end && end <= file.byteLength)) throw damaged('they refer to places outside of the file')
      const bytes = await file.slice(start, end)
      if (indexes.has(`${start} ${end}`)) return bytes
      const view = new DataView(bytes)
      const within = chunks.filter((chunk) => chunk.start >= start && chunk.end <= end)
      for (const { start: from, end: to, isFlat } of within) budget.spend(view, { start: from - start, end: to - start }, isFlat ? rowEnd : Infinity)
      // Pages that an index led to: the reader begins where the slice begins.
      if (!within.some((chunk) => chunk.start === start)) budget.spend(view, { start: 0, end: bytes.byteLength }, Infinity)
      return bytes
    },
  }
}

class Budget {
  #values = valuesMax
  #bytes = bytesMax

  /** Walks from page to page as the reader will. */
  spend(view: DataView, { start, end }: Span, valueEnd: number): void {
    let at = start
    let seen = 0
    while (at < end - 1 && seen < valueEnd) {
      const header = this.#header(view, at, end)
      const bytes = header['3'] ?? -1
      const valueCount = header['5.1'] ?? header['7.1'] ?? header['8.1'] ?? 0
      if (bytes < 0 || valueCount < 0 || (header['2'] ?? -1) < 0) throw damaged('they say that they have less than nothing')
      at = header.end + bytes
      if (at > end) throw damaged('they are longer than their column')
      if (header['7.1'] === undefined) seen += valueCount
      this.#values -= valueCount
      this.#bytes -= header['2'] ?? 0
      if (this.#values < 0 || this.#bytes < 0) throw new EdgemountError('exhausted', 'Cannot show the rows: they come in pages of more values than a browser should hold; read the file with a program that can')
    }
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
