/**
 * The bytes of one file that were written on this machine and may not be published yet, in a backing file whose apparent size and modification
 * time are the file's own.
 *
 * A whole body has every byte in its backing file, so the kernel may read and write that by itself. A partial one lies over a published version: what
 * was written here is in the backing file, the rest is read through `BaseReader`, and writing fetches nothing. Lives on the file-system thread;
 * results are counts or negative errnos. Who changes a partial body by anything but `write` journals its `state` afterwards; `write` is told in ranges.
 */
import { errno } from '../../shared/errno.ts'
import type { Time } from '../../shared/format/entry.ts'
import type { ByteRange } from '../../shared/range.ts'
import { IntervalSet } from '../cache/interval-set.ts'
import type { FileSlice, Waiter } from '../fetch/waiter.ts'
import { allocateMode } from '../sys/constants.ts'
import type { FileStat, Sys } from '../sys/sys.ts'
import { BodyFile, type FileOwner, type SyncFile } from './body-file.ts'
import { type BodyBase, type BodyState, encodeBodyState } from './body-state.ts'
import { type BaseReader, readMixed } from './mixed-read.ts'
import { Overlay } from './overlay.ts'

/** What a body needs of its owner. */
export interface BodyOwner extends FileOwner {
  openBase(base: BodyBase, label: string): BaseReader
  /** Makes room on a disk that is full; false when there is none to make. */
  makeRoom(): boolean
  /** Milliseconds since the epoch. */
  readonly nowMs: number
  /** Counts up from 1 for all bodies together. */
  nextGeneration(): number
  /** Nobody pins it any more. */
  unpinned(body: LocalBody): void
}

/** How the file stood at a moment: equal later, nobody has written. */
export interface BodyStamp {
  readonly generation: number
  readonly size: number
  readonly mtime: Time
}

/** Kernels before 6.13 give times of a tick, up to 10 ms long: who writes twice within one leaves one time. */
const tickMs = 20

const noBytes: FileSlice = { kind: 'bytes', bytes: new Uint8Array(0) }

export class LocalBody {
  readonly #takenMs: number
  readonly #owner: BodyOwner
  readonly #file: BodyFile
  /** Undefined: the body is whole. */
  #overlay: Overlay | undefined
  #reader: BaseReader | undefined
  #pinCount = 0
  /**
   * Moves with the changes that come through this process; what the kernel writes shows in the backing file's mtime. Each is a number that no body of this
   * mount has had before, so that stamps of two bodies of one file never agree. 0: as the journal gave it, which keeps stamps without this.
   */
  generation: number
  /** Path or name of the file, for messages. */
  label = ''
  /** After a restart: the disk has less of it than the journal says. */
  isLess = false
  /** Its file was replaced or removed while somebody read it: it goes when it is unpinned. */
  isDiscarded = false

  /** `origin`: the file of a body that is made, or the journal's word. */
  constructor(owner: BodyOwner, state: BodyState, origin: BodyFile | 'journal') {
    this.#owner = owner
    this.#file = origin === 'journal' ? new BodyFile(owner, state.serial) : origin
    this.#takenMs = state.takenMs
    this.generation = origin === 'journal' ? 0 : owner.nextGeneration()
    if (state.base !== undefined) this.#overlay = new Overlay(state.base, state.written, state.punched)
    this.#endOverlay()
  }

  /** Names the backing file for as long as the body lives. */
  get serial(): number {
    return this.#file.serial
  }

  /** Every byte is in the backing file. */
  get isWhole(): boolean {
    return this.#overlay === undefined
  }

  get base(): BodyBase | undefined {
    return this.#overlay?.base
  }

  /** Of a partial body, which bytes are local: start, end, start, end …; not to be changed. */
  get writtenEdges(): readonly number[] {
    return this.#overlay?.written ?? []
  }

  get path(): string {
    return this.#file.path
  }

  get isPinned(): boolean {
    return this.#pinCount > 0
  }

  get isHeld(): boolean {
    return this.#file.isHeld
  }

  /** The backing file's descriptor, or a negative errno. Valid until control returns to the thread's loop; whoever needs it longer calls `hold`. */
  get fd(): number {
    return this.#file.fd
  }

  /** Makes its bytes durable. `sync`: `Backend.sync`. `done` gets 0 or a negative errno, once. */
  sync(sync: SyncFile, done: (result: number) => void): void {
    this.#file.sync(sync, done)
  }

  /** Somebody reads the backing file by its path: it is not used for anything else until `unpin`. */
  pin(): void {
    this.#pinCount += 1
  }

  unpin(): void {
    this.#pinCount -= 1
    if (this.#pinCount === 0) this.#owner.unpinned(this)
  }

  /** Size, modification time and blocks as they are now, whoever wrote. */
  fstat(): FileStat | number {
    return this.#file.fstat()
  }

  /** What `fstat` gave last: for who knows that it was asked since control came to the thread. */
  get lastStat(): FileStat | undefined {
    return this.#file.lastStat
  }

  /** Undefined while it was changed so lately that the next change might leave the same time; or the disk fails. */
  stamp(): BodyStamp | undefined {
    const stat = this.fstat()
    if (typeof stat === 'number') return undefined
    const mtime = { seconds: stat.mtimeSeconds, nanoseconds: stat.mtimeNanoseconds }
    const ageMs = this.#owner.nowMs - (mtime.seconds * 1000 + mtime.nanoseconds / 1e6)
    return ageMs >= 0 && ageMs < tickMs ? undefined : { generation: this.generation, size: stat.size, mtime }
  }

  /** It has not changed since it had that stamp. */
  isAt(stamp: BodyStamp): boolean {
    if (stamp.generation !== this.generation) return false
    const stat = this.fstat()
    if (typeof stat === 'number') return false
    return stat.size === stamp.size && stat.mtimeSeconds === stamp.mtime.seconds && stat.mtimeNanoseconds === stamp.mtime.nanoseconds
  }

  /** The kernel gets the backing file: from now on programs may have it open and mapped. */
  share(): void {
    this.#file.share()
  }

  /** The last handle on the file is closed. */
  endSharing(): void {
    this.closeBase()
    this.#file.endSharing()
  }

  /** Nobody but this process can have the backing file open or mapped. A file system without leases cannot say: then the answer is no, once it was shared. */
  get isAlone(): boolean {
    return this.#file.isAlone
  }

  state(): Uint8Array {
    return encodeBodyState({ serial: this.serial, takenMs: this.#takenMs, base: this.base, written: this.writtenEdges, punched: this.#overlay?.punched ?? [] })
  }

  /** Takes in what the journal says was written after its last `state`. */
  addWritten(start: number, end: number): void {
    this.#overlay?.note(start, end, false)
    this.#endOverlay()
  }

  /** After a restart, of a file that another body had before: the disk has not heard of the change of hands, so what it holds is that body's. */
  get isStale(): boolean {
    const stat = this.fstat()
    // As fine as the state tells it.
    return typeof stat === 'number' || Math.floor(stat.ctimeMs * 1000) < Math.floor(this.#takenMs * 1000)
  }

  /**
   * After a restart: the file's size is the truth, and of what was written and never synced a power failure may have left nothing, which shows as a hole
   * that nobody punched. There the base counts again: an overwriting that was not synced has not happened.
   */
  believeDisk(): void {
    const stat = this.fstat()
    const overlay = this.#overlay
    if (typeof stat === 'number' || overlay === undefined) return
    this.isLess = stat.size < overlay.base.length
    overlay.cut(stat.size)
    const lost = [...overlay.data()].flatMap((part) => holesWithin(this.#owner.sys, this.fd, part))
    for (const hole of lost) overlay.forget(hole)
    if (lost.length > 0) this.isLess = true
    this.#endOverlay()
  }

  /** Clamped to the file's end. */
  read(offset: number, length: number): FileSlice | number | Waiter {
    const stat = this.fstat()
    if (typeof stat === 'number') return stat
    const range = { start: offset, end: Math.min(offset + length, stat.size) }
    if (range.start >= range.end) return noBytes
    const lacks = this.lacks(range)
    if (lacks.length === 0) return { kind: 'file', fd: this.fd, offset, length: range.end - range.start }
    this.#reader ??= this.#owner.openBase(this.base!, this.label)
    if (lacks.length === 1 && lacks[0]!.start === range.start && lacks[0]!.end === range.end) return this.#reader.read(offset, range.end - range.start)
    return readMixed({ range, lacks, base: this.#reader, sys: this.#owner.sys, fillLocal: (into) => this.#fillLocal(range, into) })
  }

  /** The parts of the range that only the base has. */
  lacks(range: ByteRange): ByteRange[] {
    return this.#overlay?.lacks(range) ?? []
  }

  /** Bytes written: all, unless the disk is full or fails. */
  write(offset: number, bytes: Uint8Array): number {
    const { fd } = this
    if (fd < 0) return fd
    let done = 0
    while (done < bytes.length) {
      const part = done === 0 ? bytes : bytes.subarray(done)
      const count = this.#withRoom(() => this.#owner.sys.pwrite(fd, part, offset + done))
      if (count === -errno.EINTR) continue
      if (count <= 0) {
        if (done === 0) return count === 0 ? -errno.EIO : count
        break
      }
      done += count
    }
    this.noteLocal(offset, offset + done, false)
    return done
  }

  /** Copies from another backing file within the kernel: bytes copied, or a negative errno. Where the disk shares what it copies, a hole stays one. */
  copyFrom(fromFd: number, fromOffset: number, offset: number, length: number): number {
    const { fd } = this
    if (fd < 0) return fd
    const { sys } = this.#owner
    const copied = this.#withRoom(() => sys.copyRange(fromFd, fromOffset, fd, offset, length))
    if (copied <= 0) return copied
    this.noteLocal(offset, offset + copied, false)
    if (!this.isWhole) for (const { start, end } of holesWithin(sys, fd, { start: offset, end: offset + copied })) this.noteLocal(start, end, true)
    return copied
  }

  /**
   * Appends bytes of a published version that stand at the same offset there, up to `length`, by reference. -EOPNOTSUPP unless the body is empty, or a copy
   * of just that version up to its own size. The kernel must not have the backing file.
   */
  appendBase(version: Omit<BodyBase, 'length'>, length: number): number {
    const stat = this.fstat()
    if (typeof stat === 'number') return stat
    const { base } = this
    const isCopy = base === undefined ? stat.size === 0 : base.root.contentId === version.root.contentId && base.length === stat.size
    if (!isCopy || length > version.size) return -errno.EOPNOTSUPP
    const result = this.truncate(length)
    if (result < 0) return result
    if (this.#overlay === undefined) this.#overlay = new Overlay({ ...version, length })
    else this.#overlay.extend(length)
    return 0
  }

  truncate(size: number): number {
    const { fd } = this
    if (fd < 0) return fd
    const result = this.#withRoom(() => this.#owner.sys.ftruncate(fd, size))
    if (result < 0) return result
    this.generation = this.#owner.nextGeneration()
    this.#overlay?.cut(size)
    this.#endOverlay()
    return 0
  }

  /** fallocate(2) with the modes that files of ours know: none, keep-size, punch-hole with keep-size, zero-range. Any other is EOPNOTSUPP. */
  fallocate(mode: number, offset: number, length: number): number {
    const { FALLOC_FL_KEEP_SIZE: keepSize, FALLOC_FL_PUNCH_HOLE: punch, FALLOC_FL_ZERO_RANGE: zero } = allocateMode
    const kind = mode & ~keepSize
    if ((kind !== 0 && kind !== punch && kind !== zero) || mode === punch) return -errno.EOPNOTSUPP
    const { fd } = this
    if (fd < 0) return fd
    const { sys } = this.#owner
    let result = this.#withRoom(() => sys.fallocate(fd, mode, offset, length))
    if (result === -errno.EOPNOTSUPP && kind === zero) result = this.#zeroByPunching(offset, length, (mode & keepSize) !== 0)
    if (result < 0) return result
    if (kind === 0) this.generation = this.#owner.nextGeneration()
    else this.noteLocal(offset, offset + length, true)
    return 0
  }

  /** The backing file's bytes count here from now on. */
  noteLocal(start: number, end: number, isHole: boolean): void {
    this.generation = this.#owner.nextGeneration()
    this.#overlay?.note(start, end, isHole)
    this.#endOverlay()
  }

  /** Where in a range that is local the backing file first has data, or a hole; undefined: nowhere. */
  seek(start: number, end: number, isForData: boolean): number | undefined {
    if (start >= end) return undefined
    const { fd } = this
    if (fd < 0) return fd
    const found = isForData ? this.#owner.sys.seekData(fd, start) : this.#owner.sys.seekHole(fd, start)
    if (found === -errno.ENXIO) return undefined
    return found < end ? found : undefined
  }

  /** Undefined: now, by the disk's own clock. */
  setMtime(mtime: Time | undefined): number {
    this.generation = this.#owner.nextGeneration()
    return this.#file.setMtime(mtime)
  }

  /** It is gone: closes what it has open, and counts for nothing. */
  end(): void {
    this.closeBase()
    this.#file.closeDescriptor()
    this.#file.forgetDiskBytes()
  }

  /** Closes what it has open, unless it is held. */
  close(): void {
    this.closeBase()
    this.#file.closeDescriptor()
  }

  /** Nobody reads it for the time being. */
  closeBase(): void {
    this.#reader?.close()
    this.#reader = undefined
  }

  /** After the base was read: local bytes over it, and zeros where it does not count any more. False when the disk fails. */
  #fillLocal(range: ByteRange, into: Uint8Array): boolean {
    const { fd } = this
    if (fd < 0) return false
    const lacks = new IntervalSet()
    for (const lack of this.lacks(range)) lacks.add(lack.start, lack.end)
    for (const part of lacks.missing(range.start, range.end)) {
      const target = into.subarray(part.start - range.start, part.end - range.start)
      const count = this.#owner.sys.pread(fd, target, part.start)
      if (count < 0) return false
      target.fill(0, count)
    }
    return true
  }

  /** A base of which no byte counts is none. */
  #endOverlay(): void {
    if (this.#overlay?.isOver !== true) return
    this.#overlay = undefined
    this.closeBase()
  }

  /** On file systems without zero-range: tmpfs, for one. */
  #zeroByPunching(offset: number, length: number, keepsSize: boolean): number {
    const { fd } = this
    const { sys } = this.#owner
    const stat = sys.fstat(fd)
    if (typeof stat === 'number') return stat
    const result = sys.punch(fd, offset, length)
    return result < 0 || keepsSize || stat.size >= offset + length ? result : sys.ftruncate(fd, offset + length)
  }

  /** Tries again once when the disk was full and room could be made. */
  #withRoom(step: () => number): number {
    const result = step()
    return result === -errno.ENOSPC && this.#owner.makeRoom() ? step() : result
  }
}

function holesWithin(sys: Sys, fd: number, range: ByteRange): ByteRange[] {
  const holes: ByteRange[] = []
  for (let at = range.start; at < range.end; ) {
    const start = sys.seekHole(fd, at)
    if (start < 0 || start >= range.end) break
    const next = sys.seekData(fd, start)
    const end = next < 0 ? range.end : Math.min(next, range.end)
    holes.push({ start, end })
    at = end
  }
  return holes
}
