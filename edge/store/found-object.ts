/**
 * The answer to a GET of a store over HTTP, checked against what was asked: a server or a proxy that ignores a range, or gives another one, must not pass. Called by
 * the stores of clouds.
 */
import { throwIfAborted, untilAborted } from '../../shared/abort.ts'
import { EdgemountError, messageOf } from '../../shared/error.ts'
import { type ByteRange, clampRange, rangeLength } from '../../shared/range.ts'
import type { StoredObject } from '../../shared/store.ts'

export interface Asked {
  /** Completes "Cannot …". */
  readonly doing: string
  readonly range: ByteRange | undefined
  readonly signal: AbortSignal | undefined
}

/** What an answer says of itself. */
export interface AnswerHeaders {
  /** `Content-Length`. */
  readonly length: number | undefined
  /** `Content-Range`; undefined for the whole object. */
  readonly contentRange: string | undefined
  readonly etag: string | undefined
}

export interface GetAnswer extends AnswerHeaders {
  /** The runtime's own stream; called once at most. */
  stream(): ReadableStream<Uint8Array>
}

/** No object is longer than 5 TiB, and servers read what stands there as they please when it is much more. */
const offsetMax = 2 ** 44

/** HTTP's inclusive form. The range is not empty. */
export function rangeHeader({ start, end }: ByteRange): string {
  return `bytes=${Math.min(start, offsetMax)}-${Math.min(end, offsetMax + 1) - 1}`
}

/** Size of the whole object, and which part of it the body is. */
export function sizeAndPart(doing: string, { length, contentRange, etag }: AnswerHeaders): { size: number; etag: string; part: ByteRange } {
  if (etag === undefined) throw new EdgemountError('unsupported', `Cannot ${doing}: the server gives no ETag`)
  if (length === undefined) throw new EdgemountError('unsupported', `Cannot ${doing}: the server does not say how long it is`)
  if (contentRange === undefined) return { size: length, etag, part: { start: 0, end: length } }
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(contentRange)
  if (match === null) throw new EdgemountError('unsupported', `Cannot ${doing}: the server calls its part "${contentRange}"`)
  const start = Number(match[1])
  return { size: Number(match[3]), etag, part: { start, end: Math.min(Number(match[2]) + 1, start + length) } }
}

export function foundObject({ doing, range, signal }: Asked, answer: GetAnswer): StoredObject {
  const { size, etag, part } = sizeAndPart(doing, answer)
  const expected = range === undefined ? { start: 0, end: size } : clampRange(range, size)
  const length = rangeLength(expected)
  if (part.start !== expected.start || part.end !== expected.end) {
    void answer.stream().cancel().catch(() => undefined)
    throw new EdgemountError('unsupported', `Cannot ${doing}: for bytes ${expected.start} to ${expected.end} the server gave ${part.start} to ${part.end}; it, or a proxy before it, does not do ranges`)
  }
  return {
    size,
    etag,
    bytes: async () => {
      throwIfAborted(signal)
      try {
        const bytes = new Uint8Array(await untilAborted(new Response(answer.stream()).arrayBuffer(), signal))
        if (bytes.length === length) return bytes
        throw new EdgemountError('unavailable', `Cannot ${doing}: ${bytes.length} of ${length} bytes came; try again`)
      } catch (error) {
        if (error instanceof EdgemountError) throw error
        throwIfAborted(signal)
        throw new EdgemountError('unavailable', `Cannot ${doing}: the connection broke off (${messageOf(error)}); try again`, { cause: error })
      }
    },
    // Passed through: it errors when the server breaks off.
    stream: () => answer.stream(),
  }
}

/** For a range that holds nothing: what the object is, without a body. */
export function emptyObject(doing: string, range: ByteRange, { size, etag }: { readonly size: number; readonly etag: string }): StoredObject {
  const clamped = clampRange(range, size)
  if (clamped.start < clamped.end) throw new EdgemountError('unavailable', `Cannot ${doing}: it changed while it was read; try again`)
  return { size, etag, bytes: async () => new Uint8Array(), stream: emptyStream }
}

export function emptyStream(): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.close() })
}
