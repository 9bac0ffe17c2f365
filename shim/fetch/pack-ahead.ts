/**
 * Learns that small chunks of a pack are asked for one after the other (files read in the order in which they were imported), and reads
 * on in the pack before it is asked: then a tree of small files costs a request per megabyte, not one per file. Pure.
 */
import type { PackId } from '../../shared/format/entry.ts'
import type { ByteRange } from '../../shared/range.ts'
import { KiB, MiB } from './window.ts'

/** A larger want is part of a large file, for which its own governor cares. */
const smallBytesMax = 256 * KiB
/** Imports run some files at a time, so that order is rough; but what is further away is not next. */
const nearBytes = MiB
const nearCountMin = 2
const firstAheadBytes = MiB
const aheadBytesMax = 8 * MiB
const packCountMax = 64

interface Trail {
  end: number
  nearCount: number
  /** Up to where it was read ahead. */
  frontier: number
  aheadBytes: number
}

export class PackAhead {
  /** In the order of their last use. */
  readonly #trails = new Map<PackId, Trail>()

  /** Shows a want of a demand; gives the range to read ahead now. */
  observe(pack: PackId, range: ByteRange): ByteRange | undefined {
    if (range.end - range.start > smallBytesMax) return undefined
    const trail = this.#trails.get(pack) ?? this.#begin(range)
    this.#trails.delete(pack)
    this.#trails.set(pack, trail)
    const isNear = range.start >= trail.end - nearBytes && range.start <= Math.max(trail.end, trail.frontier) + nearBytes
    trail.nearCount = isNear ? trail.nearCount + 1 : 0
    if (!isNear) {
      trail.frontier = range.end
      trail.aheadBytes = firstAheadBytes
    }
    trail.end = isNear ? Math.max(trail.end, range.end) : range.end
    if (trail.nearCount <= nearCountMin) {
      trail.frontier = Math.max(trail.frontier, trail.end)
      return undefined
    }
    return this.#extend(trail)
  }

  #begin(range: ByteRange): Trail {
    if (this.#trails.size >= packCountMax) {
      const [oldest] = this.#trails.keys()
      if (oldest !== undefined) this.#trails.delete(oldest)
    }
    return { end: range.end, nearCount: 0, frontier: range.end, aheadBytes: firstAheadBytes }
  }

  /** When less than half of the last reach is left, the next is read, twice as long. */
  #extend(trail: Trail): ByteRange | undefined {
    trail.frontier = Math.max(trail.frontier, trail.end)
    if (trail.frontier - trail.end > trail.aheadBytes / 2) return undefined
    const range = { start: trail.frontier, end: trail.frontier + trail.aheadBytes }
    trail.frontier = range.end
    trail.aheadBytes = Math.min(aheadBytesMax, trail.aheadBytes * 2)
    return range
  }
}
