/**
 * One version of one file in the cache, while somebody uses it: a pin against eviction, and its backing file's descriptor.
 *
 * `Cache.acquire` gives the same object to everybody who asks for the same version; each of them calls `release` once. The descriptor is opened
 * when first asked for and may be closed and opened again between two uses, so nobody keeps its number without `hold`.
 */
import { errno } from '../../shared/error.ts'
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

export class CachedFile {
  readonly row: number
  readonly #owner: CachedFileOwner
  #fd = closed
  #pinCount = 1
  #holdCount = 0
  /** True once there is a backing file. */
  #isCreated: boolean
  /** Bytes that were freed while writers were under way: what they say is present there is not. */
  #freedUnderWriters: IntervalSet | undefined
  #writerCount = 0
  /** Used since the descriptor was last considered for closing. */
  isHot = true

  constructor(owner: CachedFileOwner, row: number, isCreated: boolean) {
    this.#owner = owner
    this.row = row
    this.#isCreated = isCreated
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

  /** A writer begins: a `hold` that also knows that `markPresent` will follow. Gives the descriptor or a negative errno. */
  beginWrite(): number {
    const fd = this.hold()
    if (fd >= 0) this.#writerCount += 1
    return fd
  }

  endWrite(): void {
    this.letGo()
    this.#writerCount -= 1
    if (this.#writerCount === 0) this.#freedUnderWriters = undefined
  }

  /** These bytes are verified and in the backing file (or zeros, in a hole). */
  markPresent(range: ByteRange, isHole = false): void {
    const parts = this.#freedUnderWriters?.missing(range.start, range.end) ?? [range]
    let added = 0
    for (const part of parts) added += this.#owner.files.markPresent(this.row, part.start, part.end, isHole)
    if (added > 0) this.#owner.grew()
  }

  /** The disk is full. */
  noteDiskFull(): void {
    this.#owner.noteDiskFull()
  }

  /** Called when bytes were taken away from the backing file while it is in use. */
  noteFreed(range: ByteRange): void {
    if (this.#writerCount === 0) return
    this.#freedUnderWriters ??= new IntervalSet()
    this.#freedUnderWriters.add(range.start, range.end)
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

  #open(): number {
    const { files } = this.#owner
    if (this.#isCreated) {
      const fd = files.open(this.row)
      if (fd !== -errno.ENOENT) return fd
      files.restart(this.row)
      this.#isCreated = false
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
