/**
 * The answer to a GET of S3, checked against what was asked: a server or a proxy that ignores a range, or gives another one, must not pass. Called by the S3 store.
 */
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3'
import { throwIfAborted, untilAborted } from '../../../shared/abort.ts'
import { EdgemountError, messageOf } from '../../../shared/error.ts'
import { type ByteRange, clampRange, rangeLength } from '../../../shared/range.ts'
import type { StoredObject } from '../../../shared/store.ts'

export interface Asked {
  /** Completes "Cannot …". */
  readonly doing: string
  readonly range: ByteRange | undefined
  readonly signal: AbortSignal | undefined
}

/** No object is longer than 5 TiB, and servers read what stands there as they please when it is much more. */
const offsetMax = 2 ** 44

/** HTTP's inclusive form. The range is not empty. */
export function rangeHeader({ start, end }: ByteRange): string {
  return `bytes=${Math.min(start, offsetMax)}-${Math.min(end, offsetMax + 1) - 1}`
}

/** Size of the whole object, and which part of it the body is. */
export function sizeAndRange(doing: string, output: Pick<GetObjectCommandOutput, 'ContentLength' | 'ContentRange' | 'ETag'>): { size: number; etag: string; part: ByteRange } {
  const { ContentLength, ContentRange, ETag } = output
  if (ETag === undefined) throw new EdgemountError('unsupported', `Cannot ${doing}: the server gives no ETag`)
  if (ContentLength === undefined) throw new EdgemountError('unsupported', `Cannot ${doing}: the server does not say how long it is`)
  if (ContentRange === undefined) return { size: ContentLength, etag: ETag, part: { start: 0, end: ContentLength } }
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(ContentRange)
  if (match === null) throw new EdgemountError('unsupported', `Cannot ${doing}: the server calls its part "${ContentRange}"`)
  const part = { start: Number(match[1]), end: Number(match[2]) + 1 }
  return { size: Number(match[3]), etag: ETag, part: { start: part.start, end: Math.min(part.end, part.start + ContentLength) } }
}

export function foundObject({ doing, range, signal }: Asked, output: GetObjectCommandOutput): StoredObject {
  const { size, etag, part } = sizeAndRange(doing, output)
  const body = output.Body
  const expected = range === undefined ? { start: 0, end: size } : clampRange(range, size)
  const length = rangeLength(expected)
  if (part.start !== expected.start || part.end !== expected.end) {
    void body?.transformToWebStream().cancel().catch(() => undefined)
    throw new EdgemountError('unsupported', `Cannot ${doing}: for bytes ${expected.start} to ${expected.end} the server gave ${part.start} to ${part.end}; it, or a proxy before it, does not do ranges`)
  }
  const stream = (): ReadableStream<Uint8Array> => (body === undefined ? new ReadableStream({ start: (controller) => controller.close() }) : body.transformToWebStream())
  return {
    size,
    etag,
    bytes: async () => {
      throwIfAborted(signal)
      try {
        const bytes = new Uint8Array(await untilAborted(new Response(stream()).arrayBuffer(), signal))
        if (bytes.length === length) return bytes
        throw new EdgemountError('unavailable', `Cannot ${doing}: ${bytes.length} of ${length} bytes came; try again`)
      } catch (error) {
        if (error instanceof EdgemountError) throw error
        throwIfAborted(signal)
        throw new EdgemountError('unavailable', `Cannot ${doing}: the connection broke off (${messageOf(error)}); try again`, { cause: error })
      }
    },
    // The runtime's own stream, passed through: it errors when the server breaks off.
    stream,
  }
}
