/**
 * Reads the cache index at start: the newest snapshot, then every log from its generation on, believing only what is proven.
 *
 * What this boot of the machine wrote is in the kernel's hands at least and is believed. Of what an earlier boot wrote only the bytes that a
 * `durable` record or column names survived for sure; the rest is dropped. The first damaged record ends its log, a damaged block loses its rows:
 * less is cached then, never something wrong, because a backing file's serial is never used twice.
 */
import type { Logger } from '../../shared/log.ts'
import { openFlag } from '../sys/constants.ts'
import type { Sys } from '../sys/sys.ts'
import { FileTable } from './file-table.ts'
import { decodeHeader, decodeRecord, headerBytes, type IndexFileKind, type IndexRecord } from './index-record.ts'
import { blockHeadBytes, decodeBlockHead, loadBlock } from './index-snapshot.ts'

export interface LoadedIndex {
  readonly table: FileTable
  /** Above every generation that is there. */
  readonly nextGeneration: number
  /** Above every serial that is known. */
  readonly nextSerial: number
  /** Bytes of the logs that were replayed. */
  readonly replayedBytes: number
  readonly logCount: number
}

interface Source {
  readonly sys: Sys
  readonly directory: string
  readonly bootId: string
  readonly log: Logger
}

export function indexPath(directory: string, generation: number, kind: IndexFileKind): string {
  return `${directory}/index-${generation}.${kind}`
}

/** The index files of a directory. */
export function indexFilesIn(names: readonly string[]): { generation: number; kind: string; name: string }[] {
  return names.flatMap((name) => {
    const match = /^index-(\d{1,15})\.(log|snapshot|snapshot\.new)$/.exec(name)
    return match === null ? [] : [{ generation: Number(match[1]), kind: match[2]!, name }]
  })
}

export function loadIndex(source: Source, names: readonly string[]): LoadedIndex {
  const files = indexFilesIn(names)
  const table = new FileTable()
  const snapshots = files.filter((file) => file.kind === 'snapshot').toSorted((a, b) => b.generation - a.generation)
  const base = snapshots.find((file) => loadSnapshot(source, table, file.generation))?.generation ?? 0
  const logs = files.filter((file) => file.kind === 'log' && file.generation >= base).toSorted((a, b) => a.generation - b.generation)
  const serials = { last: 0 }
  let replayedBytes = 0
  for (const file of logs) replayedBytes += replayLog(source, table, file.generation, serials)
  for (let row = 0; row < table.rowLimit; row += 1) {
    if (!table.isUsed(row)) continue
    serials.last = Math.max(serials.last, table.serials[row]!)
    if (!table.isComplete(row) && table.presence(row).isEmpty) table.remove(row)
  }
  table.finishLoading()
  const nextGeneration = files.reduce((last, file) => Math.max(last, file.generation), 0) + 1
  return { table, nextGeneration, nextSerial: serials.last + 1, replayedBytes, logCount: logs.length }
}

/** False when there is no snapshot of that generation to speak of; the table is then unchanged. */
function loadSnapshot(source: Source, table: FileTable, generation: number): boolean {
  const path = indexPath(source.directory, generation, 'snapshot')
  const fd = source.sys.open(path, openFlag.O_RDONLY, 0)
  if (fd < 0) return false
  try {
    const first = new Uint8Array(headerBytes)
    source.sys.pread(fd, first, 0)
    const header = decodeHeader('snapshot', first)
    if (header?.generation !== generation) {
      source.log.warn(`Cannot use the cache index "${path}": it is damaged or of another version`)
      return false
    }
    const lostCount = loadBlocks(source.sys, fd, table, header.bootId === source.bootId)
    if (lostCount > 0) source.log.warn(`Cannot use all of the cache index "${path}": ${lostCount} blocks are damaged`)
    return true
  } finally {
    source.sys.close(fd)
  }
}

/** Gives how many blocks are damaged; a snapshot ends with a block of no rows. */
function loadBlocks(sys: Sys, fd: number, table: FileTable, isSameBoot: boolean): number {
  const headBytes = new Uint8Array(blockHeadBytes)
  let buffer = new Uint8Array(0)
  let lostCount = 0
  for (let offset = headerBytes; ; ) {
    const head = sys.pread(fd, headBytes, offset) === blockHeadBytes ? decodeBlockHead(headBytes) : undefined
    if (head === undefined) return lostCount + 1
    if (head.count === 0) return lostCount
    const length = blockHeadBytes + head.length
    if (buffer.length < length) buffer = new Uint8Array(length)
    const block = buffer.subarray(0, length)
    if (sys.pread(fd, block, offset) !== length || !loadBlock(table, head, block, isSameBoot)) lostCount += 1
    offset += length
  }
}

/** Gives how many bytes were good. */
function replayLog(source: Source, table: FileTable, generation: number, serials: { last: number }): number {
  const path = indexPath(source.directory, generation, 'log')
  const bytes = readWhole(source.sys, path)
  const header = decodeHeader('log', bytes)
  if (header === undefined) {
    source.log.warn(`Cannot use the cache log "${path}": it is damaged or of another version`)
    return 0
  }
  const isSameBoot = header.bootId === source.bootId
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let offset = headerBytes
  for (let next = decodeRecord(bytes, view, offset); next !== undefined; next = decodeRecord(bytes, view, offset)) {
    apply(table, next.record, isSameBoot)
    serials.last = Math.max(serials.last, next.record.serial)
    offset += next.length
  }
  if (offset < bytes.length) {
    source.log.warn(`Cannot read the cache log "${path}" to its end: ${bytes.length - offset} bytes after byte ${offset} are torn or damaged, and dropped`)
  }
  return offset
}

function apply(table: FileTable, record: IndexRecord, isSameBoot: boolean): void {
  const { row, serial } = record
  if (record.kind === 'add') {
    if (table.isUsed(row)) table.remove(row)
    table.reserve(row + 1)
    table.fill(row, record.fileId, record.version, record.size, serial)
    return
  }
  if (!table.isUsed(row) || table.serials[row] !== serial) return
  if (record.kind === 'drop') {
    table.remove(row)
    return
  }
  if (!isSameBoot && record.kind !== 'durable') return
  const added = table.markPresent(row, record.start, Math.min(record.end, table.sizes[row]!))
  if (record.kind !== 'hole') table.setBytes(row, table.bytes[row]! + added)
  if (record.kind === 'durable') table.markDurable(row, record.start, Math.min(record.end, table.sizes[row]!))
}

function readWhole(sys: Sys, path: string): Uint8Array {
  const fd = sys.open(path, openFlag.O_RDONLY, 0)
  if (fd < 0) return new Uint8Array(0)
  const stat = sys.fstat(fd)
  const bytes = new Uint8Array(typeof stat === 'number' ? 0 : stat.size)
  let length = 0
  while (length < bytes.length) {
    const count = sys.pread(fd, bytes.subarray(length), length)
    if (count <= 0) break
    length += count
  }
  sys.close(fd)
  return bytes.subarray(0, length)
}
