/**
 * The end of a Parquet file, which says what is in it. It is somebody else's: nothing that it says is believed before it was compared with the file. Used by `reader.ts`.
 */
import { type FileMetaData, parquetMetadata } from 'hyparquet'
import type { AsyncBuffer } from '../../browser/lazy-file.ts'
import { EdgemountError, codeOf, messageOf } from '../../../shared/error.ts'

/** Read at once: the footer of a file is usually shorter, and a longer one takes a second request. */
const firstBytes = 128 * 1024
/** The length of the footer, and what a Parquet file ends with. */
const tailBytes = 8
/** Deeper than anything that people make, and far from where the recursion of the reader would end. */
const depthMax = 100

export type Footer = { readonly metadata: FileMetaData } | { readonly tooLongBytes: number }

/** Reads the footer unless it is longer than `bytesMax`. */
export async function readFooter(file: AsyncBuffer, bytesMax: number): Promise<Footer> {
  if (file.byteLength < tailBytes + 4) throw notParquet(`it has ${file.byteLength} bytes, which is less than the shortest one`)
  const firstStart = Math.max(0, file.byteLength - firstBytes)
  const first = new Uint8Array(await file.slice(firstStart, file.byteLength))
  const magic = new TextDecoder('latin1').decode(first.subarray(-4))
  if (magic === 'PARE') throw notParquet('its footer is encrypted')
  if (magic !== 'PAR1') throw notParquet('it does not end as one')
  const footerBytes = new DataView(first.buffer).getUint32(first.length - tailBytes, true)
  if (footerBytes === 0) throw notParquet('its footer is empty')
  if (footerBytes > file.byteLength - tailBytes - 4) throw notParquet('its footer is said to be longer than the file')
  if (footerBytes > bytesMax) return { tooLongBytes: footerBytes }
  const start = file.byteLength - tailBytes - footerBytes
  const whole = start >= firstStart ? first.subarray(start - firstStart) : join(await file.slice(start, firstStart), first)
  return { metadata: checkedMetadata(parse(whole), file.byteLength) }
}

function join(before: ArrayBuffer, after: Uint8Array): Uint8Array {
  const whole = new Uint8Array(before.byteLength + after.length)
  whole.set(new Uint8Array(before))
  whole.set(after, before.byteLength)
  return whole
}

function parse(bytes: Uint8Array): FileMetaData {
  try {
    return parquetMetadata(bytes)
  } catch (error) {
    if (error instanceof EdgemountError || codeOf(error) === 'aborted') throw error
    throw notParquet(`its footer is damaged (${messageOf(error)})`)
  }
}

/** Counts are counts, trees are trees, and what is referred to lies within the file. */
export function checkedMetadata(metadata: FileMetaData, fileBytes: number): FileMetaData {
  const { schema, row_groups: groups, num_rows: rowCount } = metadata
  checkTree(schema)
  let rowSum = 0
  for (const { num_rows: groupRows, columns } of groups) {
    rowSum += count(groupRows, 'rows of a group')
    for (const { meta_data, offset_index_offset: indexStart = 0n, offset_index_length: indexBytes = 0 } of columns) {
      if (count(indexStart, 'the place of an index') + count(indexBytes, 'the length of an index') > fileBytes) throw notParquet('its footer speaks of an index beyond the end of the file')
      if (meta_data === undefined) continue
      const start = count(meta_data.dictionary_page_offset || meta_data.data_page_offset, 'the place of a column')
      count(meta_data.data_page_offset, 'the place of a column')
      if (start + count(meta_data.total_compressed_size, 'the length of a column') > fileBytes) throw notParquet('its footer speaks of a column beyond the end of the file')
    }
  }
  if (count(rowCount, 'rows') !== rowSum) throw notParquet('its row groups do not have the rows that the footer speaks of')
  return metadata
}

/** Without recursion, which a file could make too deep. */
function checkTree(schema: FileMetaData['schema']): void {
  /** How many children are still to come, from the root down. */
  const open: number[] = []
  for (const [index, { name, num_children: childCount = 0 }] of schema.entries()) {
    if (index > 0 && open.length === 0) throw notParquet('its schema has columns outside of its root')
    if (typeof name !== 'string' || !Number.isInteger(childCount) || childCount < 0) throw notParquet('its schema is damaged')
    if (index > 0) open[open.length - 1]! -= 1
    open.push(childCount)
    while (open.at(-1) === 0) open.pop()
    if (open.length > depthMax) throw notParquet(`its columns are nested deeper than ${depthMax} levels`)
  }
  if (schema.length === 0 || open.length > 0) throw notParquet('its schema ends too early')
}

function count(value: unknown, what: string): number {
  const number = typeof value === 'bigint' || typeof value === 'number' ? Number(value) : Number.NaN
  if (Number.isSafeInteger(number) && number >= 0) return number
  throw notParquet(`its footer says that ${what} is ${typeof value === 'bigint' || typeof value === 'number' ? value : 'nothing'}`)
}

function notParquet(why: string): EdgemountError {
  return new EdgemountError('invalid', `Cannot show the file as Parquet: ${why}; download it to look closer`)
}
