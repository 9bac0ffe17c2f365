/**
 * The body of a 206 with several ranges: multipart/byteranges (RFC 9110 section 14.6), planned first so that its length is known before a byte is read.
 */
import type { ByteRange } from '../range.ts'
import { contentRange, rangeLength } from '../range.ts'

export interface MultipartPlan {
  readonly contentType: string
  /** The whole body's length in bytes. */
  readonly length: number
  readonly parts: readonly MultipartPart[]
  /** What follows the last part. */
  readonly end: Uint8Array
}

export interface MultipartPart {
  /** Boundary and headers, up to the part's body. */
  readonly head: Uint8Array
  readonly range: ByteRange
}

const encoder = new TextEncoder()

/** `boundary` is made of letters and digits and must be random: the parts are not searched for it. */
export function planMultipart(ranges: readonly ByteRange[], size: number, contentType: string, boundary: string): MultipartPlan {
  const parts = ranges.map((range, index): MultipartPart => {
    const lead = index === 0 ? '' : '\r\n'
    const head = `${lead}--${boundary}\r\ncontent-type: ${contentType}\r\ncontent-range: ${contentRange(range, size)}\r\n\r\n`
    return { head: encoder.encode(head), range }
  })
  const end = encoder.encode(`\r\n--${boundary}--\r\n`)
  const length = parts.reduce((sum, { head, range }) => sum + head.length + rangeLength(range), end.length)
  return { contentType: `multipart/byteranges; boundary=${boundary}`, length, parts, end }
}

/** The body, each range read when its turn comes. */
export async function* writeMultipart(plan: MultipartPlan, read: (range: ByteRange) => AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (const { head, range } of plan.parts) {
    yield head
    yield* read(range)
  }
  yield plan.end
}
