/**
 * Frees parts of files that are in use, when a file is larger than the budget and nothing else is left to evict: what came first goes first.
 *
 * A part is forgotten at once and punched out later, a little in each step. Before that the backing file gets a new serial: an index that
 * missed this names a file that is gone, never one that has holes where it says bytes are. Only files that are not whole are touched, since the
 * kernel may be reading whole ones by itself.
 */
import type { BackingFiles } from './backing-files.ts'
import type { CachedFile } from './cached-file.ts'

/** A punch takes some 0.4 ms a MiB on ext4. */
const bytesPerStep = 32 * 1024 * 1024
const bytesPerPunch = 4 * 1024 * 1024
/** What came last is spared: somebody is about to read it. */
const sparedBytesMax = 16 * 1024 * 1024

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

  constructor(files: BackingFiles, active: ReadonlyMap<number, CachedFile>, bytesMax: number) {
    this.#files = files
    this.#active = active
    this.#bytesMax = bytesMax
  }

  /** Room is being made. */
  get isUnderWay(): boolean {
    return this.#parts.length > 0
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
    if (ranges.length === 0 || !this.#files.forget(largest.row, ranges)) return false
    for (const { start, end } of ranges) this.#parts.push({ file: largest, start, end })
    return true
  }

  /** Punches some of what was forgotten. */
  step(): void {
    for (let done = 0; done < bytesPerStep; done += bytesPerPunch) {
      const [part] = this.#parts
      if (part === undefined) return
      const end = Math.min(part.end, part.start + bytesPerPunch)
      if (!this.#punch(part, end)) return
      part.start = end
      if (part.start >= part.end) this.#parts.shift()
    }
  }

  /** Leaves out what was fetched again meanwhile. False when it has to be tried again: somebody else has the file open. */
  #punch(part: Part, end: number): boolean {
    const { file } = part
    const { sys, table } = this.#files
    if (this.#active.get(file.row) !== file || file.isComplete) {
      part.start = part.end
      return true
    }
    const { fd } = file
    if (fd < 0 || sys.takeLease(fd) < 0) return false
    for (const gap of table.presence(file.row).missing(part.start, end)) {
      if (sys.punch(fd, gap.start, gap.end - gap.start) < 0) continue
      file.noteFreed(gap)
      table.setBytes(file.row, Math.max(0, table.bytes[file.row]! - (gap.end - gap.start)))
    }
    sys.dropLease(fd)
    return true
  }
}
