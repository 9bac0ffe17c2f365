/**
 * Learns that small chunks of a pack are asked for one after the other (files read in the order in which they were imported), and reads
 * on in the pack before it is asked: then a tree of small files costs a request per megabyte or so, not one per file. Pure.
 *
 * A pack that proved itself makes the next one believed from its first small file on. What is read ahead and not used makes it read less.
 */
import type { PackId } from '../../shared/format/entry.ts'
import type { ByteRange } from '../../shared/range.ts'
import { KiB, MiB } from '../../shared/fetch/window.ts'

/** A larger want is part of a large file, for which its own governor cares. */
const smallBytesMax = 256 * KiB
/** Imports run some files at a time, so that order is rough; but what is further away is not next. */
const nearBytes = MiB
const nearCountMin = 2
/** So many wants elsewhere in the pack, without one near the trail between them, are the trail's new place. Equal files lie far off, once. */
const strayCountMax = 3
const aheadBytesMin = 256 * KiB
const firstAheadBytes = MiB
const aheadBytesMax = 8 * MiB
/** Parts of what was passed that must have been wanted to read more ahead, and not to read less. */
const growPart = 3 / 4
const shrinkPart = 1 / 4
const packCountMax = 64
/** Near wants, less strays, over all packs: from here on a pack is believed at once. */
const trustMin = 8
const trustMax = 64

interface Trail {
  end: number
  nearCount: number
  strayCount: number
  /** Up to where it was read ahead. */
  frontier: number
  aheadBytes: number
  plannedBytes: number
  /** Since the last plan: bytes that were wanted, and where the trail was then. */
  usedBytes: number
  plannedEnd: number
}

export class PackAhead {
  /** In the order of their last use. */
  readonly #trails = new Map<PackId, Trail>()
  #trust = 0

  /** Shows the first chunk of a small file that is wanted; gives the range to read ahead now. */
  observe(pack: PackId, range: ByteRange): ByteRange | undefined {
    const length = range.end - range.start
    if (length > smallBytesMax) return undefined
    const known = this.#trails.get(pack)
    const trail = known ?? this.#begin(range)
    this.#trails.delete(pack)
    this.#trails.set(pack, trail)
    const isNear = range.start >= trail.end - nearBytes && range.start <= Math.max(trail.end, trail.frontier) + nearBytes
    if (!isNear) {
      this.#stray(trail, range)
      return undefined
    }
    if (known !== undefined) {
      trail.nearCount += 1
      this.#trust = Math.min(trustMax, this.#trust + 1)
    }
    trail.strayCount = 0
    trail.usedBytes += length
    trail.end = Math.max(trail.end, range.end)
    const isProven = trail.nearCount > nearCountMin || this.#trust >= trustMin
    return isProven ? this.#extend(trail) : undefined
  }

  #begin(range: ByteRange): Trail {
    if (this.#trails.size >= packCountMax) {
      const [oldest] = this.#trails.keys()
      if (oldest !== undefined) this.#trails.delete(oldest)
    }
    return freshTrail(range)
  }

  #stray(trail: Trail, range: ByteRange): void {
    trail.strayCount += 1
    this.#trust = Math.max(0, this.#trust - 1)
    if (trail.strayCount >= strayCountMax) Object.assign(trail, freshTrail(range), { aheadBytes: trail.aheadBytes })
  }

  /** When less than half of the last reach is left, the next is read: longer when the last was used, shorter when not. */
  #extend(trail: Trail): ByteRange | undefined {
    trail.frontier = Math.max(trail.frontier, trail.end)
    if (trail.frontier - trail.end > trail.plannedBytes / 2) return undefined
    const passedBytes = trail.end - trail.plannedEnd
    if (trail.plannedBytes > 0 && passedBytes > 0) {
      const used = trail.usedBytes / passedBytes
      if (used >= growPart) trail.aheadBytes = Math.min(aheadBytesMax, trail.aheadBytes * 2)
      else if (used < shrinkPart) trail.aheadBytes = Math.max(aheadBytesMin, trail.aheadBytes / 2)
    }
    const range = { start: trail.frontier, end: trail.frontier + trail.aheadBytes }
    trail.frontier = range.end
    trail.usedBytes = 0
    trail.plannedBytes = trail.aheadBytes
    trail.plannedEnd = trail.end
    return range
  }
}

function freshTrail(range: ByteRange): Trail {
  const { end } = range
  return { end, nearCount: 0, strayCount: 0, frontier: end, aheadBytes: firstAheadBytes, plannedBytes: 0, usedBytes: 0, plannedEnd: end }
}
