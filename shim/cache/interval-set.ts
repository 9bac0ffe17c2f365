/**
 * Which bytes of a file are here: a set of disjoint half-open intervals, sorted and merged, kept as one flat list of edges.
 *
 * Every edge at an even index starts an interval and the next one ends it, so the list strictly rises. Touching intervals are one.
 */
import type { ByteRange } from '../../shared/range.ts'

export class IntervalSet {
  #edges: number[]

  /** `edges` is taken as it is: start, end, start, end …, strictly rising. */
  constructor(edges: number[] = []) {
    this.#edges = edges
  }

  /** A set of the edges, or undefined when they do not strictly rise from 0 on (a damaged record). */
  static ofEdges(edges: readonly number[]): IntervalSet | undefined {
    if (edges.length % 2 !== 0) return undefined
    for (let index = 0; index < edges.length; index += 1) {
      if (!Number.isSafeInteger(edges[index]) || edges[index]! <= (index === 0 ? -1 : edges[index - 1]!)) return undefined
    }
    return new IntervalSet([...edges])
  }

  get isEmpty(): boolean {
    return this.#edges.length === 0
  }

  get intervalCount(): number {
    return this.#edges.length / 2
  }

  /** Start, end, start, end …; not to be changed. */
  get edges(): readonly number[] {
    return this.#edges
  }

  /** How many bytes are in the set. */
  get byteCount(): number {
    let bytes = 0
    for (let index = 0; index < this.#edges.length; index += 2) bytes += this.#edges[index + 1]! - this.#edges[index]!
    return bytes
  }

  /** True when every byte of the range is in the set; an empty range always is. */
  has(start: number, end: number): boolean {
    if (start >= end) return true
    const after = this.#countUpTo(start)
    return after % 2 === 1 && this.#edges[after]! >= end
  }

  /** Adds the range; gives how many bytes of it are new. */
  add(start: number, end: number): number {
    if (start >= end) return 0
    const edges = this.#edges
    const last = edges.length - 1
    if (last < 0 || start > edges[last]!) {
      edges.push(start, end)
      return end - start
    }
    if (start === edges[last]) {
      edges[last] = end
      return end - start
    }
    const added = end - start - this.overlap(start, end)
    if (added === 0) return 0
    // From the first edge >= start up to the last edge <= end: intervals that touch the range melt into it.
    const first = this.#countBelow(start)
    const beyond = this.#countUpTo(end)
    const replacement: number[] = []
    if (first % 2 === 0) replacement.push(start)
    if (beyond % 2 === 0) replacement.push(end)
    edges.splice(first, beyond - first, ...replacement)
    return added
  }

  /** Removes the range; gives how many bytes of it were there. */
  remove(start: number, end: number): number {
    if (start >= end) return 0
    const removed = this.overlap(start, end)
    if (removed === 0) return 0
    const first = this.#countBelow(start)
    const beyond = this.#countUpTo(end)
    const replacement: number[] = []
    if (first % 2 === 1) replacement.push(start)
    if (beyond % 2 === 1) replacement.push(end)
    this.#edges.splice(first, beyond - first, ...replacement)
    return removed
  }

  /** How many bytes of the range are in the set. */
  overlap(start: number, end: number): number {
    let bytes = 0
    for (const range of this.within(start, end)) bytes += range.end - range.start
    return bytes
  }

  /** The parts of the range that are in the set, in order. */
  within(start: number, end: number): ByteRange[] {
    const found: ByteRange[] = []
    if (start >= end) return found
    for (let index = this.#countUpTo(start) & ~1; index < this.#edges.length; index += 2) {
      const from = Math.max(start, this.#edges[index]!)
      if (from >= end) break
      const to = Math.min(end, this.#edges[index + 1]!)
      if (from < to) found.push({ start: from, end: to })
    }
    return found
  }

  /** The parts of the range that are not in the set, in order. */
  missing(start: number, end: number): ByteRange[] {
    const gaps: ByteRange[] = []
    let from = start
    for (const range of this.within(start, end)) {
      if (from < range.start) gaps.push({ start: from, end: range.start })
      from = range.end
    }
    if (from < end) gaps.push({ start: from, end })
    return gaps
  }

  clone(): IntervalSet {
    return new IntervalSet([...this.#edges])
  }

  /** How many edges are <= position: odd when the position lies inside an interval. */
  #countUpTo(position: number): number {
    let low = 0
    let high = this.#edges.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#edges[middle]! <= position) low = middle + 1
      else high = middle
    }
    return low
  }

  /** How many edges are < position. */
  #countBelow(position: number): number {
    let low = 0
    let high = this.#edges.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#edges[middle]! < position) low = middle + 1
      else high = middle
    }
    return low
  }
}
