/**
 * Half-open byte ranges. Every range in edgemount is `[start, end)`; HTTP's inclusive form exists only in this file.
 */

/** Bytes `start` (included) to `end` (excluded). Both are safe integers, `0 <= start <= end`. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

export function rangeLength(range: ByteRange): number {
  return range.end - range.start
}

/** The part of `range` below `size`; empty (at `size`) when the range lies past the end. */
export function clampRange(range: ByteRange, size: number): ByteRange {
  return { start: Math.min(range.start, size), end: Math.min(range.end, size) }
}

/** What both ranges share, or undefined when that is nothing. */
export function intersectRanges(a: ByteRange, b: ByteRange): ByteRange | undefined {
  const start = Math.max(a.start, b.start)
  const end = Math.min(a.end, b.end)
  return start < end ? { start, end } : undefined
}
