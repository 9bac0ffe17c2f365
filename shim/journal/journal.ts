/**
 * The journal: an append-only log of opaque records, from which everything acknowledged and not yet published is built again. Its one owner is `LocalChanges`.
 *
 * A record is with the kernel when `append` returns: it survives the end of the process. `sync` makes it survive the end of the machine, off this thread,
 * for all who wait at once. A checkpoint begins a new segment (`<serial>.log`) with the state as it is, and the segment before it goes away
 * once the new one is durable, so that at every moment one whole segment is on disk.
 *
 * INVARIANT: after an fdatasync that failed the kernel may have dropped what was written and say nothing of it again, so nothing is ever synced or
 * appended after one.
 */
import { errno } from '../../shared/errno.ts'
import { EdgemountError } from '../../shared/error.ts'
import type { Logger } from '../../shared/log.ts'
import type { Random } from '../../shared/random.ts'
import type { Sys } from '../sys/sys.ts'
import { fill, type LiveSegment, openSegment, writeSegment } from './live-segment.ts'
import { encodeRecord, encodeSequence, payloadBytesMax, recordBytes, type RecordKind, recordKind } from './record.ts'
import { type Cut, findSegment, type FoundSegment, syncDirectory } from './recovery.ts'
import { replaySegment, type Segment, segmentPath, serialsIn, type VisitRecord } from './segment.ts'

/** fdatasync off this thread; the descriptor stays open until `done`, which comes on this thread. */
export type SyncFile = (fd: number, done: (result: number) => void) => void

export interface JournalOptions {
  readonly sys: Sys
  /** Exists, or its parent does. Nobody else uses it: its owner holds the lock of the directory above. */
  readonly directory: string
  readonly volumeId: string
  /** Names this boot of the machine: what another boot wrote may have lost power. */
  readonly bootId: string
  readonly random: Random
  readonly log: Logger
  readonly sync: SyncFile
  /**
   * Makes the files durable that dependent records speak of, of those appended before this call, and calls `done` with 0; or with a negative errno: then the
   * journal is not synced now, and those who wait are told so.
   */
  readonly beforeSync?: ((done: (result: number) => void) => void) | undefined
  /** The journal cannot be believed any more: from now on everything fails with -EIO. Called once. */
  readonly onFailure?: ((message: string) => void) | undefined
  /** A checkpoint is due when so much was appended, and more than twice what the state took. */
  readonly checkpointBytesMin?: number | undefined
}

export interface JournalStatus {
  /** Of the segment that is appended to. */
  readonly byteCount: number
  readonly recordCount: number
  /** Records that a power failure would take. */
  readonly unsyncedCount: number
  readonly syncCount: number
  readonly hasFailed: boolean
}

/** Like the commit interval of ext4: what nobody asked to sync is lost for no longer than this on a power failure. */
const backgroundSyncMs = 5000
const checkpointBytesMinDefault = 8 * 1024 * 1024
const bufferBytesMin = 64 * 1024
const bufferBytesKept = 1024 * 1024
/** Who syncs so often in one segment gets room written ahead: see `fill`. */
const syncsBeforeFilling = 4
const losingErrors: ReadonlySet<number> = new Set([errno.EIO, errno.ENOSPC, errno.EDQUOT])

interface Waiter {
  /** The records before this one are to be durable. */
  readonly sequence: number
  readonly done: (result: number) => void
}

export class Journal {
  readonly #options: JournalOptions
  /** What could not be read at the start, and where it is kept. */
  readonly cuts: readonly Cut[]
  #live: LiveSegment
  /** Segments that the live one takes the place of, until it is durable. */
  #older: LiveSegment[] = []
  #bytes = new Uint8Array(bufferBytesMin)
  #view = new DataView(this.#bytes.buffer)
  #waiting: Waiter[] = []
  #isSyncing = false
  #dirtySinceMs: number | undefined
  #hasFailed = false
  #isClosed = false
  #recordCount: number
  #syncCount = 0
  /** Numbers of the dependent records that nothing confirms yet, in order. */
  #dependents: number[] = []
  readonly #found: Segment | undefined

  private constructor(options: JournalOptions, live: LiveSegment, found: FoundSegment | undefined, cuts: readonly Cut[]) {
    this.#options = options
    this.#live = live
    this.#found = found?.segment
    this.#recordCount = found?.segment.end.recordCount ?? 0
    this.#dependents = found?.segment.unconfirmed.map(({ sequence }) => sequence) ?? []
    this.#older = found?.older.map((serial) => ({ ...live, serial, path: segmentPath(options.directory, serial), fd: -1 })) ?? []
    this.cuts = cuts
  }

  /** Finds the journal of a directory, or makes it. Throws an `EdgemountError` when it cannot be read, or is another volume's. */
  static open(options: JournalOptions): Journal {
    const { sys, directory, log } = options
    const made = sys.mkdir(directory, 0o700)
    if (made < 0 && made !== -errno.EEXIST) throw new EdgemountError('unavailable', `Cannot make the journal "${directory}": error ${-made}`)
    if (made === 0) syncDirectory(sys, directory.slice(0, directory.lastIndexOf('/')))
    const { live: found, cuts } = findSegment(options)
    for (const cut of cuts) log.warn(sentenceOf(cut))
    if (found !== undefined) return new Journal(options, openSegment(found), found, cuts)
    const live = writeSegment(options, { serial: 1, previous: 0, sequence: 1, isDependent: false }, [])
    if (typeof live === 'number') throw new EdgemountError('unavailable', `Cannot write the journal "${directory}": error ${-live}`)
    return new Journal(options, live, undefined, cuts)
  }

  /** Gives every record that was there at the start in order, the state of the last checkpoint first. */
  replay(visit: VisitRecord): void {
    if (this.#found !== undefined) replaySegment(this.#options.sys, this.#live.fd, this.#found, visit)
  }

  /**
   * 0: the record is with the kernel. A negative errno (-ENOSPC, -EIO …): nothing was appended. `isDependent`: it speaks of files that `beforeSync` makes
   * durable; should power be lost before that, it does not count, nor does what comes after it, whatever of the journal is on disk.
   */
  append(payload: Uint8Array, isDependent = false): number {
    if (this.#hasFailed || this.#isClosed) return -errno.EIO
    if (payload.length > payloadBytesMax) return -errno.EFBIG
    const result = this.#write(isDependent ? recordKind.dependentEdit : recordKind.edit, payload)
    if (result < 0) return result
    if (isDependent) this.#dependents.push(this.#live.sequence - 1)
    this.#recordCount += 1
    return 0
  }

  /** `done(0)`: everything appended before this call survives a power failure. */
  sync(done: (result: number) => void): void {
    const live = this.#live
    if (this.#hasFailed || this.#isClosed) done(-errno.EIO)
    else if (live.syncedSequence === live.sequence) done(0)
    else {
      this.#waiting.push({ sequence: live.sequence, done })
      live.waitedCount += 1
      if (!this.#isSyncing) this.#beginSync()
    }
  }

  /** To be called at least every second or so. */
  tick(nowMs: number): void {
    const live = this.#live
    if (this.#isSyncing || this.#hasFailed || this.#isClosed) return
    if (live.syncedSequence === live.sequence) this.#dirtySinceMs = undefined
    else this.#dirtySinceMs ??= nowMs
    const isOld = this.#dirtySinceMs !== undefined && Math.abs(nowMs - this.#dirtySinceMs) >= backgroundSyncMs
    if (isOld || this.#waiting.length > 0) this.#beginSync()
  }

  /** Whether it is time for a checkpoint. */
  get isLong(): boolean {
    const { end, dumpBytes } = this.#live
    return end - dumpBytes > Math.max(this.#options.checkpointBytesMin ?? checkpointBytesMinDefault, 2 * dumpBytes)
  }

  /** Bytes appended since the last checkpoint. */
  get appendedBytes(): number {
    return this.#live.end - this.#live.dumpBytes
  }

  /**
   * Goes on with `dump` in place of everything appended so far; it has to give the same state. 0, or a negative errno: then everything is as it was. -EAGAIN: not
   * before what is there is durable, for while the dump does not count that has to. INVARIANT: nothing older is removed before the new segment counts.
   */
  checkpoint(dump: Iterable<Uint8Array>): number {
    if (this.#hasFailed || this.#isClosed) return -errno.EIO
    const { serial, sequence, syncedSequence, dumpEndSequence } = this.#live
    const isDependent = this.#dependents.length > 0
    if (isDependent && syncedSequence <= dumpEndSequence) return -errno.EAGAIN
    const next = writeSegment(this.#options, { serial: serial + 1, previous: serial, sequence, isDependent }, dump)
    if (typeof next === 'number') return next
    this.#older.push(this.#live)
    this.#recordCount = next.dumpEndSequence - sequence
    if (isDependent) this.#dependents = [next.dumpEndSequence]
    this.#live = next
    this.#waiting = this.#waiting.map(({ done }) => ({ sequence: next.sequence, done }))
    if (!this.#isSyncing) this.#beginSync()
    return 0
  }

  get status(): JournalStatus {
    const { end, sequence, syncedSequence } = this.#live
    const unsyncedCount = sequence - Math.max(syncedSequence, sequence - this.#recordCount)
    return { byteCount: end, recordCount: this.#recordCount, unsyncedCount, syncCount: this.#syncCount, hasFailed: this.#hasFailed }
  }

  /** Syncs what is not durable yet, on this thread, as far as `beforeSync` does its part before it returns: the last that is done before the process ends. */
  close(): void {
    if (this.#isClosed) return
    const live = this.#live
    if (!this.#hasFailed && live.syncedSequence !== live.sequence) {
      this.#confirmNow()
      const sequence = this.#dependents[0] ?? live.sequence
      const code = this.#noteSynced(live, sequence, this.#options.sys.fdatasync(live.fd))
      this.#answer(sequence, code)
    }
    this.#isClosed = true
    this.#answer(Infinity, -errno.EIO)
    if (!this.#isSyncing) this.#closeFiles()
  }

  /**
   * Closes it and leaves nothing of it: what it held is published, or given up. INVARIANT: the oldest segment goes first, for one that outlived a newer one would
   * be taken for what is still to be published. What was damaged and kept stays.
   */
  remove(): void {
    this.close()
    const { sys, directory } = this.#options
    const names = sys.list(directory)
    if (typeof names === 'number') return
    for (const serial of serialsIn(names).toReversed()) if (sys.unlink(segmentPath(directory, serial)) < 0) return
    syncDirectory(sys, directory)
  }

  #confirmNow(): void {
    const { sequence } = this.#live
    let isNow = true
    this.#options.beforeSync?.((result) => {
      if (isNow && result === 0) this.#confirm(sequence)
    })
    isNow = false
  }

  #write(kind: RecordKind, payload: Uint8Array): number {
    const live = this.#live
    const length = recordBytes(payload.length)
    if (length > this.#bytes.length) this.#resize(length)
    encodeRecord(this.#bytes, this.#view, 0, live.salt, kind, live.sequence, payload)
    const { sys } = this.#options
    const written = sys.pwrite(live.fd, this.#bytes.subarray(0, length), live.end)
    if (length > bufferBytesKept) this.#resize(bufferBytesMin)
    if (written !== length) {
      // Part of a record would be taken for damage; if this fails too, the next record is written over it.
      if (sys.ftruncate(live.fd, live.end) === 0) live.filledEnd = live.end
      return written < 0 ? written : -errno.ENOSPC
    }
    live.end += length
    live.sequence += 1
    return 0
  }

  #beginSync(): void {
    this.#isSyncing = true
    this.#dirtySinceMs = undefined
    const { beforeSync } = this.#options
    const { sequence } = this.#live
    const goOn = (result: number): void => {
      const code = result === 0 && !this.#isClosed ? this.#confirm(sequence) : result
      if (code === 0 && !this.#isClosed) this.#syncSegment()
      else this.#endSync(0, code)
    }
    if (beforeSync === undefined) goOn(0)
    else beforeSync(goOn)
  }

  /** What the dependent records before `sequence` speak of is durable. */
  #confirm(sequence: number): number {
    if (this.#dependents[0] === undefined || this.#dependents[0] >= sequence) return 0
    const result = this.#write(recordKind.confirm, encodeSequence(sequence))
    if (result === 0) this.#dependents = this.#dependents.filter((dependent) => dependent >= sequence)
    return result
  }

  #syncSegment(): void {
    const live = this.#live
    // Until it is confirmed a dependent record may not count in the end, nor may what comes after it.
    const sequence = this.#dependents[0] ?? live.sequence
    const { sys, sync } = this.#options
    if (live.waitedCount >= syncsBeforeFilling) fill(sys, live)
    sync(live.fd, (result) => this.#endSync(sequence, this.#isClosed ? result : this.#noteSynced(live, sequence, result)))
  }

  /** With 0 the records before `sequence` are durable. */
  #endSync(sequence: number, code: number): void {
    this.#isSyncing = false
    if (this.#isClosed) {
      this.#closeFiles()
      return
    }
    // No thread was free: what waits, waits for the next tick.
    if (code === -errno.EAGAIN) return
    this.#answer(code === 0 ? sequence : Infinity, this.#hasFailed ? -errno.EIO : code)
    if (this.#waiting.length > 0 && !this.#isSyncing) this.#beginSync()
  }

  /** Answers those who wait for records before `sequence`. They may come again at once. */
  #answer(sequence: number, code: number): void {
    const answered = this.#waiting.filter((waiter) => waiter.sequence <= sequence)
    this.#waiting = this.#waiting.filter((waiter) => waiter.sequence > sequence)
    for (const { done } of answered) done(code)
  }

  /** An fdatasync of a segment has ended. Its name has to be durable too; the file system has written it with the file, so this is no long wait. */
  #noteSynced(segment: LiveSegment, sequence: number, result: number): number {
    const { sys, directory } = this.#options
    let code = result
    if (code === 0 && !segment.isNameDurable) code = syncDirectory(sys, directory)
    if (code < 0) {
      if (losingErrors.has(-code)) this.#fail(segment, code)
      return code
    }
    segment.isNameDurable = true
    segment.syncedSequence = sequence
    this.#syncCount += 1
    if (sequence <= segment.dumpEndSequence) return 0
    const replaced = this.#older.filter(({ serial }) => serial < segment.serial)
    this.#older = this.#older.filter(({ serial }) => serial >= segment.serial)
    for (const { fd, path } of replaced) {
      if (fd >= 0) sys.close(fd)
      sys.unlink(path)
    }
    return 0
  }

  #fail(segment: LiveSegment, code: number): void {
    if (this.#hasFailed) return
    this.#hasFailed = true
    const message = `Cannot make changes durable: error ${-code} from syncing "${segment.path}"; nothing more can be written until the volume is mounted again`
    this.#options.log.error(message)
    this.#options.onFailure?.(message)
  }

  #closeFiles(): void {
    const { sys } = this.#options
    for (const { fd } of [...this.#older.splice(0), this.#live]) if (fd >= 0) sys.close(fd)
  }

  #resize(length: number): void {
    this.#bytes = new Uint8Array(Math.max(bufferBytesMin, length))
    this.#view = new DataView(this.#bytes.buffer)
  }
}

function sentenceOf({ reason, path, offset, byteCount, recordCount, keptAs }: Cut): string {
  if (reason === 'unsynced') {
    return `The machine lost power before the last ${recordCount} records of the journal "${path}" were synced: they are left out`
  }
  const cut = `The journal "${path}" is damaged at byte ${offset}: ${byteCount} bytes after it are cut off`
  if (reason === 'torn') return `${cut}, an end that was not written to its end`
  return `${cut} and kept as "${keptAs}", with ${recordCount} records that cannot be used`
}
