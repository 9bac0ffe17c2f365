/**
 * Frees parts of files that are in use, when a file is larger than the budget and nothing else is left to evict: what came first goes first.
 *
 * A part is forgotten at once and punched out later, a little in each step. Before that the backing file gets a new serial: an index that
 * missed this names a file that is gone, never one that has holes where it says bytes are. That order holds for whole blocks alone: the zeros of a
 * part of a block are data, which a file system may write before it commits the new name. So of a block that is also of something else nothing is
 * punched. Only files that are not whole are touched, since the kernel may be reading whole ones by itself.
 */
import { errno } from '../../shared/errno.ts'
import type { BackingFiles } from './backing-files.ts'
import type { CachedFile } from './cached-file.ts'

/** A punch takes some 0.4 ms a MiB on ext4. */
const bytesPerStep = 32 * 1024 * 1024
const bytesPerPunch = 4 * 1024 * 1024
/** What came last is spared: somebody is about to read it. */
const sparedBytesMax = 16 * 1024 * 1024

/** What file systems give out, or a multiple of it. */
const blockBytes = 4096

interface Part {
  readonly file: CachedFile
  start: number
  readonly end: number
}

export class Shrinker {
  readonly #files: BackingFiles
  readonly #active: ReadonlyMap<number, CachedFile>
  readonly #bytesMax: number
  #parts: Part[] = []
  /** In the last step nothing could be punched. */
  #isBlocked = false

  constructor(files: BackingFiles, active: ReadonlyMap<number, CachedFile>, bytesMax: number) {
    this.#files = files
    this.#active = active
    this.#bytesMax = bytesMax
  }

  /** Something that was forgotten is still on disk. */
  get isUnderWay(): boolean {
    return this.#parts.length > 0
  }

  /** Room comes in a moment: there is something to punch, and it can be. */
  get isMakingRoom(): boolean {
    return this.isUnderWay && !this.#isBlocked
  }

  /** Forgets about `bytes` of the file that has most; false when there is none to take from. */
  begin(bytes: number): boolean {
    const { table } = this.#files
    let largest: CachedFile | undefined
    for (const file of this.#active.values()) {
      const isFit = file.isCreated && !file.isComplete && table.bytes[file.row]! > 0
      if (isFit && (largest === undefined || table.bytes[file.row]! > table.bytes[largest.row]!)) largest = file
    }
    if (largest === undefined) return false
    const spared = Math.min(sparedBytesMax, this.#bytesMax / 2)
    const ranges = largest.takeOldest(Math.min(bytes, table.bytes[largest.row]! - spared))
    if (ranges.length === 0) return false
    if (!this.#files.forget(largest.row, ranges)) {
      largest.putBackOldest(ranges)
      return false
    }
    this.#isBlocked = false
    for (const { start, end } of ranges) this.#parts.push({ file: largest, start, end })
    return true
  }

  /** Punches some of what was forgotten. */
  step(): void {
    let blockedCount = 0
    for (let done = 0; done < bytesPerStep && blockedCount < this.#parts.length; done += bytesPerPunch) {
      const part = this.#parts[0]!
      const end = Math.min(part.end, part.start + bytesPerPunch)
      const isPunched = this.#punch(part, end)
      if (isPunched) part.start = end
      if (isPunched && part.start < part.end) continue
      this.#parts.shift()
      if (isPunched) continue
      // The others do not wait for this one.
      this.#parts.push(part)
      blockedCount += 1
    }
    this.#isBlocked = blockedCount > 0 && blockedCount >= this.#parts.length
  }

  /** Leaves out what was fetched again meanwhile. False when it has to be tried again: somebody else has the file open, or the disk fails. */
  #punch(part: Part, end: number): boolean {
    const { file } = part
    const { sys, table } = this.#files
    if (this.#active.get(file.row) !== file || file.isComplete) {
      part.start = part.end
      return true
    }
    const { fd } = file
    if (fd < 0) return false
    const lease = sys.takeLease(fd)
    // That alone says that somebody holds it; a file system without leases says something else.
    if (lease === -errno.EAGAIN) return false
    let isPunched = true
    for (const gap of table.presence(file.row).missing(blockFloor(part.start), Math.min(file.size, blockCeil(end)))) {
      const hole = { start: blockCeil(gap.start), end: gap.end === file.size ? blockCeil(gap.end) : blockFloor(gap.end) }
      isPunched = hole.start >= hole.end || sys.punch(fd, hole.start, hole.end - hole.start) >= 0
      if (!isPunched) {
        part.start = Math.max(part.start, gap.start)
        break
      }
      if (hole.start < hole.end) file.noteFreed(hole)
      const freedBytes = Math.max(0, Math.min(gap.end, end) - Math.max(gap.start, part.start))
      table.setBytes(file.row, Math.max(0, table.bytes[file.row]! - freedBytes))
    }
    if (lease >= 0) sys.dropLease(fd)
    return isPunched
  }
}

function blockFloor(offset: number): number {
  return Math.floor(offset / blockBytes) * blockBytes
}

function blockCeil(offset: number): number {
  return Math.ceil(offset / blockBytes) * blockBytes
}
