/**
 * Keeps the cache index on disk: appends records to a log, and now and then writes a snapshot and begins a new log.
 *
 * Appending gathers records in memory; `flush` writes them. A snapshot is written step by step from `step`, made durable off this
 * thread, renamed into place, and only then are older logs removed. Nothing here is needed for correctness: a record that is lost makes less
 * cached. A log that cannot be written (disk full) is given up until the next snapshot succeeds.
 */
import { errno } from '../../shared/errno.ts'
import type { Logger } from '../../shared/log.ts'
import { openFlag } from '../sys/constants.ts'
import type { Sys } from '../sys/sys.ts'
import type { FileTable } from './file-table.ts'
import { indexFilesIn, indexPath, type LoadedIndex } from './index-load.ts'
import { encodeHeader, encodeRecord, headerBytes, type IndexRecord, recordBytesMax } from './index-record.ts'
import { blockRows, encodeBlock } from './index-snapshot.ts'

/** fdatasync off this thread; `done` comes on this thread. */
export type SyncFile = (fd: number, done: (result: number) => void) => void

const bufferBytes = 64 * 1024
const snapshotBytesMinDefault = 4 * 1024 * 1024
const snapshotBytesPerRow = 69
const logCountMax = 8
/** After a failure (most likely a full disk) nothing is tried for so long. */
const retryMs = 30_000

interface Writing {
  readonly fd: number
  readonly generation: number
  nextRow: number
  offset: number
  state: 'rows' | 'syncing' | 'synced' | 'failed'
}

export interface IndexLogOptions {
  readonly sys: Sys
  readonly directory: string
  readonly bootId: string
  readonly log: Logger
  readonly sync: SyncFile
  /** A log is folded into a snapshot when it is longer than this, and than half of what the snapshot would take. */
  readonly snapshotBytesMin?: number
}

export class IndexLog {
  readonly #options: IndexLogOptions
  readonly #table: FileTable
  readonly #buffer = new Uint8Array(bufferBytes)
  readonly #view = new DataView(this.#buffer.buffer)
  #length = 0
  #fd = -1
  #generation: number
  #offset = 0
  /** Bytes in all logs since the last snapshot, and how many logs. */
  #logBytes: number
  #logCount: number
  /** Nothing can be appended until a new log is begun. */
  #isBroken = false
  /** Records were lost, or too many are there: a snapshot is due. */
  #isSnapshotDue = false
  #retryAtMs = 0
  #writing: Writing | undefined

  constructor(options: IndexLogOptions, loaded: LoadedIndex) {
    this.#options = options
    this.#table = loaded.table
    this.#generation = loaded.nextGeneration
    this.#logBytes = loaded.replayedBytes
    this.#logCount = loaded.logCount
    this.#begin()
  }

  append(record: IndexRecord): void {
    if (this.#isBroken) return
    if (this.#length + recordBytesMax > bufferBytes) this.flush()
    this.#length += encodeRecord(record, this.#buffer, this.#view, this.#length)
  }

  /** Hands what was appended to the kernel: from here on it survives this process, though not this boot. */
  flush(): void {
    if (this.#length === 0) return
    const bytes = this.#buffer.subarray(0, this.#length)
    this.#length = 0
    if (this.#isBroken) return
    const written = this.#options.sys.pwrite(this.#fd, bytes, this.#offset)
    if (written !== bytes.length) {
      this.#break(written)
      return
    }
    this.#offset += written
    this.#logBytes += written
  }

  /** Writes what was appended and makes it durable at once, on this thread. A negative errno when what was appended may be lost. */
  syncNow(): number {
    this.flush()
    if (this.#isBroken) return -errno.EIO
    return this.#options.sys.fdatasync(this.#fd)
  }

  /** Does a little of the snapshot that is under way, or begins one when it is time; true when there is more to do now. */
  step(nowMs: number): boolean {
    const writing = this.#writing
    if (writing === undefined) {
      const bytesMin = this.#options.snapshotBytesMin ?? snapshotBytesMinDefault
      const isLong = this.#logBytes > Math.max(bytesMin, (this.#table.rowLimit * snapshotBytesPerRow) / 2)
      if (!isLong && this.#logCount <= logCountMax && !this.#isBroken && !this.#isSnapshotDue) return false
      if (nowMs < this.#retryAtMs) return false
      if (!this.#beginSnapshot()) this.#retryAtMs = nowMs + retryMs
      return this.#writing !== undefined
    }
    if (writing.state === 'rows') this.#writeBlock(writing)
    else if (writing.state !== 'syncing' && !this.#endSnapshot(writing)) this.#retryAtMs = nowMs + retryMs
    return writing.state === 'rows'
  }

  close(): void {
    this.flush()
    if (this.#writing !== undefined && this.#writing.state !== 'syncing') this.#options.sys.close(this.#writing.fd)
    if (this.#fd >= 0) this.#options.sys.close(this.#fd)
    this.#fd = -1
    this.#isBroken = true
  }

  /** Opens the log of `#generation`. */
  #begin(): void {
    const { sys, directory, bootId } = this.#options
    const path = indexPath(directory, this.#generation, 'log')
    const fd = sys.open(path, openFlag.O_WRONLY | openFlag.O_CREAT | openFlag.O_TRUNC, 0o600)
    const header = encodeHeader({ kind: 'log', generation: this.#generation, bootId })
    const written = fd < 0 ? fd : sys.pwrite(fd, header, 0)
    if (this.#fd >= 0) sys.close(this.#fd)
    this.#fd = fd
    this.#offset = headerBytes
    this.#logCount += 1
    this.#isBroken = false
    if (written !== header.length) this.#break(written)
  }

  #break(result: number): void {
    if (!this.#isBroken) this.#options.log.warn(`Cannot write the cache log in "${this.#options.directory}": error ${-result}; less is cached after a restart`)
    this.#isBroken = true
    this.#isSnapshotDue = true
  }

  /** INVARIANT: the new log is begun before the first block, so that whatever a block misses is in a log that is replayed over it. */
  #beginSnapshot(): boolean {
    this.flush()
    this.#generation += 1
    this.#isSnapshotDue = true
    this.#begin()
    if (this.#isBroken) return false
    const { sys, directory, bootId } = this.#options
    const path = `${indexPath(directory, this.#generation, 'snapshot')}.new`
    const fd = sys.open(path, openFlag.O_WRONLY | openFlag.O_CREAT | openFlag.O_TRUNC, 0o600)
    if (fd < 0) return false
    const header = encodeHeader({ kind: 'snapshot', generation: this.#generation, bootId })
    const state = sys.pwrite(fd, header, 0) === header.length ? 'rows' : 'failed'
    this.#writing = { fd, generation: this.#generation, nextRow: 0, offset: headerBytes, state }
    return true
  }

  /** The last block has no rows and says that the snapshot is whole. */
  #writeBlock(writing: Writing): void {
    const block = encodeBlock(this.#table, Math.min(writing.nextRow, this.#table.rowLimit))
    const isLast = writing.nextRow >= this.#table.rowLimit
    writing.nextRow += blockRows
    if (this.#options.sys.pwrite(writing.fd, block, writing.offset) !== block.length) {
      writing.state = 'failed'
      return
    }
    writing.offset += block.length
    if (!isLast) return
    writing.state = 'syncing'
    this.#options.sync(writing.fd, (result) => {
      if (this.#fd < 0) this.#options.sys.close(writing.fd)
      else writing.state = result === 0 ? 'synced' : 'failed'
    })
  }

  #endSnapshot(writing: Writing): boolean {
    const { sys, directory, log } = this.#options
    this.#writing = undefined
    sys.close(writing.fd)
    const path = indexPath(directory, writing.generation, 'snapshot')
    if (writing.state === 'failed' || sys.rename(`${path}.new`, path) < 0) {
      sys.unlink(`${path}.new`)
      log.warn(`Cannot write the cache index "${path}"; the log before it is kept`)
      return false
    }
    this.#isSnapshotDue = false
    this.#logBytes = this.#offset
    this.#logCount = 1
    const names = sys.list(directory)
    if (typeof names === 'number') return true
    for (const file of indexFilesIn(names)) if (file.generation < writing.generation) sys.unlink(`${directory}/${file.name}`)
    return true
  }
}
