/**
 * One version of one file in the cache, while somebody uses it: a pin against eviction, and its backing file's descriptor.
 *
 * `Cache.acquire` gives the same object to everybody who asks for the same version; each of them calls `release` once. The descriptor is opened
 * when first asked for and may be closed and opened again between two uses, so nobody keeps its number without `hold`.
 */
import { errno } from '../../shared/errno.ts'
import type { ByteRange } from '../../shared/range.ts'
import type { BackingFiles } from './backing-files.ts'
import { IntervalSet } from './interval-set.ts'

/** What a cached file needs of its cache. */
export interface CachedFileOwner {
  readonly files: BackingFiles
  /** False while the disk is full and nothing more can be evicted: fetch without a backing file then. */
  readonly canStore: boolean
  /** A descriptor was opened; another may have to be closed. */
  opened(file: CachedFile): void
  closed(file: CachedFile): void
  /** Bytes were added. */
  grew(): void
  /** The disk said that it is full; room was made if possible. */
  noteDiskFull(): void
  released(file: CachedFile): void
}

const closed = -1
const arrivalsMax = 200_000
/** Punches that are remembered for writers under way: two minutes of punching as fast as it is done, longer than any fetch may take. */
const freedMax = 100_000

export class CachedFile {
  readonly row: number
  readonly #owner: CachedFileOwner
  #fd = closed
  #pinCount = 1
  #holdCount = 0
  /** True once there is a backing file. */
  #isCreated: boolean
  /** What was punched out while writers were under way, and how often there had been punching before. */
  #freed: { readonly at: number; readonly range: ByteRange }[] = []
  #freedCount = 0
  #writerCount = 0
  /** Bytes in the order in which they came: start, end, start, end …; those before `#oldest` are gone. */
  #arrivals: number[]
  #oldest = 0
  /** Used since the descriptor was last considered for closing. */
  isHot = true

  constructor(owner: CachedFileOwner, row: number, isCreated: boolean) {
    this.#owner = owner
    this.row = row
    this.#isCreated = isCreated
    this.#arrivals = this.isComplete ? [] : [...owner.files.table.presence(row).edges]
  }

  get size(): number {
    return this.#owner.files.table.sizes[this.row]!
  }

  get isCreated(): boolean {
    return this.#isCreated
  }

  /** Every byte is present, as far as the index knows; see `completeFd`. */
  get isComplete(): boolean {
    return this.#owner.files.table.isComplete(this.row)
  }

  get canStore(): boolean {
    return this.#owner.canStore
  }

  get isHeld(): boolean {
    return this.#holdCount > 0
  }

  get writerCount(): number {
    return this.#writerCount
  }

  has(range: ByteRange): boolean {
    return this.#owner.files.table.has(this.row, range.start, range.end)
  }

  missing(range: ByteRange): ByteRange[] {
    if (this.has(range)) return []
    return this.#owner.files.table.presence(this.row).missing(range.start, range.end)
  }

  get presentBytes(): number {
    return this.#owner.files.table.presence(this.row).byteCount
  }

  /**
   * The backing file's descriptor, open for reading and writing, or a negative errno. Valid until control returns to the FS thread's
   * loop; whoever needs it longer calls `hold`. When the file turns out to be gone it begins anew, with nothing present.
   */
  get fd(): number {
    this.isHot = true
    if (this.#fd >= 0) return this.#fd
    const fd = this.#open()
    if (fd < 0) return fd
    this.#fd = fd
    this.#owner.opened(this)
    return fd
  }

  /** The descriptor when the range is present, or -1. In this order, since opening may find that the file is gone. */
  fdOf(range: ByteRange): number {
    const { fd } = this
    return fd >= 0 && this.has(range) ? fd : -1
  }

  /** Copies the parts of the range that are present to their places in `into`, whose first byte is that of the range; false when it cannot. */
  readPresent(range: ByteRange, into: Uint8Array): boolean {
    const { files } = this.#owner
    for (const part of files.table.presence(this.row).within(range.start, range.end)) {
      const target = into.subarray(part.start - range.start, part.end - range.start)
      if (files.sys.pread(this.fd, target, part.start) !== target.length) return false
    }
    return true
  }

  /** The descriptor when every byte is present, or -1: only then may the file be given to the kernel. */
  completeFd(): number {
    const { fd } = this
    return fd >= 0 && this.isComplete ? fd : -1
  }

  /** Keeps the descriptor open until `letGo`, and gives it, or a negative errno (then nothing is held). */
  hold(): number {
    const { fd } = this
    if (fd >= 0) this.#holdCount += 1
    return fd
  }

  letGo(): void {
    this.#holdCount -= 1
  }

  /** A writer begins: a `hold`, after which `markPresent` will come. Gives the descriptor or a negative errno. */
  beginWrite(): number {
    const fd = this.hold()
    if (fd >= 0) this.#writerCount += 1
    return fd
  }

  /** To be remembered when a write begins, and given to its `markPresent`. */
  get freedCount(): number {
    return this.#freedCount
  }

  endWrite(): void {
    this.letGo()
    this.#writerCount -= 1
    if (this.#writerCount === 0) this.#freed = []
  }

  /**
   * These bytes are verified and in the backing file (or zeros, in a hole). `since` is the `freedCount` from when the write began: what was
   * punched out after that may have been punched out after it was written.
   */
  markPresent(range: ByteRange, isHole = false, since = this.#freedCount): void {
    const lost = new IntervalSet()
    if (since < this.#freedCount) for (const freed of this.#freed) if (freed.at >= since) lost.add(freed.range.start, freed.range.end)
    let added = 0
    for (const part of lost.missing(range.start, range.end)) {
      added += this.#owner.files.markPresent(this.row, part.start, part.end, isHole)
      if (!isHole) this.#arrive(part)
    }
    if (this.isComplete) this.#arrivals = []
    if (added > 0) this.#owner.grew()
  }

  /** Takes the bytes that came first out of the order of arrival: at least `bytes` of them, as far as there are so many. */
  takeOldest(bytes: number): ByteRange[] {
    const taken: ByteRange[] = []
    const presence = this.#owner.files.table.presence(this.row)
    for (let left = bytes; left > 0 && this.#oldest < this.#arrivals.length; this.#oldest += 2) {
      const start = this.#arrivals[this.#oldest]!
      const end = this.#arrivals[this.#oldest + 1]!
      const cut = Math.min(end, start + left)
      for (const part of presence.within(start, cut)) {
        taken.push(part)
        left -= part.end - part.start
      }
      if (cut === end) continue
      this.#arrivals[this.#oldest] = cut
      break
    }
    return taken
  }

  /** Undoes `takeOldest`. */
  putBackOldest(ranges: readonly ByteRange[]): void {
    this.#arrivals = [...ranges.flatMap(({ start, end }) => [start, end]), ...this.#arrivals.slice(this.#oldest)]
    this.#oldest = 0
  }

  /** The disk is full. */
  noteDiskFull(): void {
    this.#owner.noteDiskFull()
  }

  /** Bytes were punched out of the backing file. */
  noteFreed(range: ByteRange): void {
    this.#freed.push({ at: this.#freedCount, range })
    this.#freedCount += 1
    if (this.#writerCount === 0) this.#freed = []
    else if (this.#freed.length > freedMax) this.#freed.splice(0, freedMax / 2)
  }

  /** Moves the backing file to `path` for its new owner; the cache has nothing of this version then. -EBUSY when it is not whole, or being written to. */
  giveAway(path: string): number {
    if (!this.isComplete || !this.#isCreated || this.isHeld) return -errno.EBUSY
    this.closeDescriptor()
    const result = this.#owner.files.giveAway(this.row, path)
    this.#isCreated = this.isComplete
    return result
  }

  pin(): void {
    this.#pinCount += 1
  }

  /** Gives up one `acquire`. */
  release(): void {
    this.#pinCount -= 1
    if (this.#pinCount > 0) return
    this.closeDescriptor()
    this.#owner.released(this)
  }

  /** Closes the descriptor unless it is held. */
  closeDescriptor(): void {
    if (this.#fd < 0 || this.#holdCount > 0) return
    this.#owner.files.sys.close(this.#fd)
    this.#fd = closed
    this.#owner.closed(this)
  }

  #arrive(range: ByteRange): void {
    const arrivals = this.#arrivals
    if (arrivals.at(-1) === range.start && arrivals.length > this.#oldest) arrivals[arrivals.length - 1] = range.end
    else arrivals.push(range.start, range.end)
    if (arrivals.length <= arrivalsMax) return
    // Too many to remember one by one: those that are there count as having come in the file's order.
    this.#arrivals = [...this.#owner.files.table.presence(this.row).edges]
    this.#oldest = 0
  }

  #open(): number {
    const { files } = this.#owner
    if (this.#isCreated) {
      const fd = files.open(this.row)
      if (fd !== -errno.ENOENT) return fd
      files.restart(this.row)
      this.#isCreated = false
      this.#arrivals = []
      this.#oldest = 0
    }
    let fd = files.create(this.row)
    if (fd === -errno.ENOSPC) {
      this.#owner.noteDiskFull()
      fd = files.create(this.row)
    }
    if (fd >= 0) this.#isCreated = true
    return fd
  }
}
