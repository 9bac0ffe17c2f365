/**
 * The snapshot of the cache index: the table's columns in blocks of rows, so that a million rows load by copying arrays, and so that one can be
 * written a block at a time while the cache goes on changing.
 *
 * It is therefore not of one moment. The log that was begun before the first block is replayed over it, and is written so that this is right
 * (see `index-record.ts`). A block is `crc u32 · bytes u32 · first row u32 · rows u32`, the columns widest first (so that they are
 * aligned), and the intervals of its rows that are not whole, as float64: row, present edges, durable edges, their counts before them.
 */
import { crc32 } from 'node:zlib'
import { type FileTable, rowFlag } from './file-table.ts'
import { IntervalSet } from './interval-set.ts'

export const blockRows = 4096
export const blockHeadBytes = 16
const rowBytes = 8 * 4 + 8 * 4 + 4 + 1
/** Nobody writes a larger one; a longer length in a head is damage. */
export const blockBytesMax = 2 ** 30

/** One block, from `firstRow` on; it holds the rows below the table's `rowLimit`, used or not. */
export function encodeBlock(table: FileTable, firstRow: number): Uint8Array<ArrayBuffer> {
  const end = Math.min(table.rowLimit, firstRow + blockRows)
  const count = end - firstRow
  const intervals = Float64Array.from(intervalsOf(table, firstRow, end))
  const columnBytes = alignedTo8(count * rowBytes)
  const bytes = new Uint8Array(blockHeadBytes + columnBytes + intervals.byteLength)
  let offset = blockHeadBytes
  const put = (column: Float64Array | Uint32Array | Uint8Array, width: number): void => {
    const part = column.subarray(firstRow * width, end * width)
    bytes.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), offset)
    offset += part.byteLength
  }
  put(table.fileIds, 1)
  put(table.sizes, 1)
  put(table.serials, 1)
  put(table.bytes, 1)
  put(table.versions, 8)
  put(table.stamps, 1)
  put(table.flags, 1)
  bytes.set(new Uint8Array(intervals.buffer), blockHeadBytes + columnBytes)
  const head = new DataView(bytes.buffer)
  head.setUint32(4, bytes.length - blockHeadBytes, true)
  head.setUint32(8, firstRow, true)
  head.setUint32(12, count, true)
  head.setUint32(0, crc32(bytes.subarray(4)), true)
  return bytes
}

export interface BlockHead {
  readonly crc: number
  readonly length: number
  readonly firstRow: number
  readonly count: number
}

/** What the head claims, or undefined when no block can have it. */
export function decodeBlockHead(bytes: Uint8Array): BlockHead | undefined {
  if (bytes.length < blockHeadBytes) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const head = {
    crc: view.getUint32(0, true),
    length: view.getUint32(4, true),
    firstRow: view.getUint32(8, true),
    count: view.getUint32(12, true),
  }
  if (head.count > blockRows || head.length > blockBytesMax || head.length < alignedTo8(head.count * rowBytes)) return undefined
  return head
}

/** Fills the table from a whole block (its head included, 8-byte aligned); false when the block is damaged. */
export function loadBlock(table: FileTable, head: BlockHead, bytes: Uint8Array<ArrayBuffer>, isSameBoot: boolean): boolean {
  if (crc32(bytes.subarray(4)) !== head.crc) return false
  const { firstRow, count } = head
  const columns = bytes.byteOffset + blockHeadBytes
  const doublesAt = (index: number): Float64Array => new Float64Array(bytes.buffer, columns + count * 8 * index, count)
  const flags = new Uint8Array(bytes.buffer, columns + count * 68, count).slice()
  const intervalBytes = head.length - alignedTo8(count * rowBytes)
  const intervals = new Float64Array(bytes.buffer, columns + alignedTo8(count * rowBytes), intervalBytes / 8)
  if (!isSameBoot) distrust(flags, firstRow, intervals)
  table.load(firstRow, {
    fileIds: doublesAt(0),
    sizes: doublesAt(1),
    serials: doublesAt(2),
    bytes: doublesAt(3),
    versions: new Uint32Array(bytes.buffer, columns + count * 32, count * 8),
    stamps: new Uint32Array(bytes.buffer, columns + count * 64, count),
    flags,
  })
  return loadIntervals(table, intervals, isSameBoot)
}

/** After another boot: rows of which nothing is durable are none, and those that are durable in part are not whole. */
function distrust(flags: Uint8Array, firstRow: number, intervals: Float64Array): void {
  const hasDurable = new Set<number>()
  for (let index = 0; index + 3 <= intervals.length; index += 3 + intervals[index + 1]! + intervals[index + 2]!) {
    if (intervals[index + 2]! > 0) hasDurable.add(intervals[index]! - firstRow)
  }
  for (let index = 0; index < flags.length; index += 1) {
    if ((flags[index]! & rowFlag.durable) === 0) flags[index] = hasDurable.has(index) ? rowFlag.used : 0
  }
}

function* intervalsOf(table: FileTable, firstRow: number, end: number): Generator<number> {
  for (let row = firstRow; row < end; row += 1) {
    if (!table.isUsed(row) || table.isDurable(row)) continue
    const present = table.isComplete(row) ? [] : table.presence(row).edges
    const durable = table.durable(row).edges
    if (present.length + durable.length === 0) continue
    yield row
    yield present.length
    yield durable.length
    yield* present
    yield* durable
  }
}

function loadIntervals(table: FileTable, values: Float64Array, isSameBoot: boolean): boolean {
  for (let index = 0; index + 3 <= values.length; ) {
    const [row, presentCount, durableCount] = [values[index]!, values[index + 1]!, values[index + 2]!]
    index += 3
    const present = IntervalSet.ofEdges([...values.subarray(index, index + presentCount)])
    const durable = IntervalSet.ofEdges([...values.subarray(index + presentCount, index + presentCount + durableCount)])
    index += presentCount + durableCount
    if (present === undefined || durable === undefined) return false
    if (!table.isUsed(row)) continue
    if (!isSameBoot) table.setPresence(row, durable.clone(), durable)
    else if (table.isComplete(row)) for (const part of durable.within(0, table.sizes[row]!)) table.markDurable(row, part.start, part.end)
    else table.setPresence(row, present, durable)
  }
  return true
}

function alignedTo8(length: number): number {
  return (length + 7) & ~7
}
