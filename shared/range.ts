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

/** The first of ascending ranges that ends behind an offset; their number when none does. */
export function searchRanges(ranges: readonly ByteRange[], offset: number): number {
  let low = 0
  let high = ranges.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ranges[middle]!.end <= offset) low = middle + 1
    else high = middle
  }
  return low
}

/** The same bytes as ascending ranges that are apart from each other. */
export function unionRanges(ranges: readonly ByteRange[]): ByteRange[] {
  const union: { start: number; end: number }[] = []
  for (const { start, end } of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = union.at(-1)
    if (last === undefined || start > last.end) union.push({ start, end })
    else last.end = Math.max(last.end, end)
  }
  return union
}

/** What a `Range` header asks of a representation. */
export type RangePlan =
  | { readonly kind: 'whole' } // no header, or one that RFC 9110 lets a server ignore: answer 200
  | { readonly kind: 'unsatisfiable' } // answer 416 with `bytes */size`
  | { readonly kind: 'ranges'; readonly ranges: readonly ByteRange[] } // at least one, none empty, none overlapping

/** A header with more ranges is ignored, as RFC 9110 section 14.2 allows against abuse; Apache's default is 200. */
export const rangeCountMax = 200

/** Ranges with a gap below this are sent as one: a part of multipart/byteranges costs about as many bytes of headers. */
const coalesceGapBytes = 128

/**
 * Reads a `Range` header (RFC 9110 section 14.1.1 and 14.2) for a representation of `size` bytes. Ranges that overlap or nearly touch are
 * coalesced, each at the place of its first member, so that the sum never exceeds `size`.
 */
export function planRanges(header: string | null | undefined, size: number): RangePlan {
  if (header === null || header === undefined) return { kind: 'whole' }
  const specs = rangeSpecs(header)
  if (specs === undefined) return { kind: 'whole' }
  const found: ByteRange[] = []
  for (const spec of specs) {
    const range = resolveSpec(spec, size)
    if (range === 'invalid') return { kind: 'whole' }
    if (range !== undefined) found.push(range)
  }
  if (found.length === 0) return { kind: 'unsatisfiable' }
  // A suffix of an empty representation is satisfiable, but no Content-Range can say which bytes it has.
  if (size === 0) return { kind: 'whole' }
  return { kind: 'ranges', ranges: coalesceRanges(found, coalesceGapBytes) }
}

/** The value of `Content-Range`: RFC 9110 section 14.4, inclusive. */
export function contentRange(range: ByteRange, size: number): string {
  return `bytes ${range.start}-${range.end - 1}/${size}`
}

/** The value of `Content-Range` in a 416. */
export function unsatisfiedRange(size: number): string {
  return `bytes */${size}`
}

/** The value of `Range` for one half-open range. */
export function rangeHeader(range: ByteRange): string {
  return `bytes=${range.start}-${range.end - 1}`
}

/** Joins ranges that overlap or whose gap is below `gapBytes`; the order is that of the first member of each. */
export function coalesceRanges(ranges: readonly ByteRange[], gapBytes: number): ByteRange[] {
  const order = ranges.map((range, index) => ({ range, index })).toSorted((a, b) => a.range.start - b.range.start)
  const joined: { start: number; end: number; index: number }[] = []
  for (const { range, index } of order) {
    const last = joined.at(-1)
    if (last !== undefined && range.start - last.end < gapBytes) {
      last.end = Math.max(last.end, range.end)
      last.index = Math.min(last.index, index)
    } else {
      joined.push({ start: range.start, end: range.end, index })
    }
  }
  return joined.toSorted((a, b) => a.index - b.index).map(({ start, end }) => ({ start, end }))
}

/** The range specs of a header in bytes, or undefined when it is malformed, in another unit, or too long a list. */
function rangeSpecs(header: string): readonly string[] | undefined {
  const match = /^[ \t]*bytes=(.*)$/i.exec(header)
  if (match === null) return undefined
  // Section 5.6.1.2 has a recipient skip a reasonable number of empty members; with more the list is as good as too long, and none of it is dropped unseen.
  const members = match[1]!.split(',', rangeCountMax * 2 + 1)
  if (members.length > rangeCountMax * 2) return undefined
  const specs: string[] = []
  for (const part of members) {
    const spec = part.replace(/^[ \t]+|[ \t]+$/g, '')
    if (spec !== '') specs.push(spec)
  }
  return specs.length === 0 || specs.length > rangeCountMax ? undefined : specs
}

/** A satisfiable range, undefined when it is none of `size` bytes, or `invalid`. */
function resolveSpec(spec: string, size: number): ByteRange | 'invalid' | undefined {
  const match = /^(\d*)-(\d*)$/.exec(spec)
  if (match === null) return 'invalid'
  const [, first = '', last = ''] = match
  if (first === '') {
    if (last === '') return 'invalid'
    const length = Number(last)
    return length === 0 ? undefined : { start: Math.max(0, size - length), end: size }
  }
  const start = Number(first)
  const end = last === '' ? size : Math.min(size, Number(last) + 1)
  if (last !== '' && compareDigits(last, first) < 0) return 'invalid'
  return start < size ? { start, end } : undefined
}

/** Compares decimals of any length: positions beyond 2^53 are valid, and must not be rounded into an inverted range. */
function compareDigits(a: string, b: string): number {
  const x = a.replace(/^0+/, '')
  const y = b.replace(/^0+/, '')
  if (x.length !== y.length) return x.length - y.length
  return x < y ? -1 : Number(x > y)
}
