/**
 * Responses: the headers that every answer carries, JSON, and errors. Routes build their answers here, so that none forgets CORS or `no-store`.
 */
import type { ErrorCode } from '../../shared/error.ts'
import { codeOf, httpStatusOfCode, isFull, messageOf } from '../../shared/error.ts'
import { isLate } from '../../shared/lifetime.ts'
import { withoutTokens } from '../../shared/wire/token.ts'
import { Refusal } from './refusal.ts'

export type HeaderMap = Record<string, string>

/** What lets a page of any origin read every answer, ranges included (fetch.spec.whatwg.org, "CORS protocol"). */
export const exposedHeaders =
  'Content-Range, Accept-Ranges, Content-Length, Content-Disposition, ETag, Last-Modified, Location, Retry-After, Edgemount-Seq, Edgemount-Size, ' +
  'Tus-Resumable, Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm, Upload-Offset, Upload-Length, Upload-Metadata, Upload-Expires'

const everywhere: HeaderMap = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': exposedHeaders,
  'cross-origin-resource-policy': 'cross-origin',
  // An address may hold a token.
  'referrer-policy': 'no-referrer',
  'timing-allow-origin': '*',
  'x-content-type-options': 'nosniff',
}

/** A year, the longest that RFC 9111 takes seriously. `no-transform`: a proxy that compresses breaks ranges. */
export const immutableCache = 'public, max-age=31536000, immutable, no-transform'
export const jsonType = 'application/json; charset=utf-8'

/** Stored, but asked about each time. */
export const revalidateCache = 'no-cache, no-transform'

const encoder = new TextEncoder()

export type Body = Uint8Array | ReadableStream<Uint8Array> | string | null

/** The one place that makes a `Response`. */
export function respond(status: number, headers: HeaderMap, body: Body = null): Response {
  const bytes = typeof body === 'string' ? encoder.encode(body) : body
  const length = bytes instanceof Uint8Array ? bytes.length : bytes === null && !isBodyless(status) ? 0 : undefined
  const more: HeaderMap = length === undefined ? everywhere : { ...everywhere, 'content-length': String(length) }
  return new Response(bytes instanceof Uint8Array ? ownBytes(bytes) : bytes, { status, headers: { ...more, ...headers } })
}

/** The platforms refuse views of shared memory; a mount's cache may hand out such. */
function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, length } = bytes
  return buffer instanceof ArrayBuffer ? new Uint8Array(buffer, byteOffset, length) : new Uint8Array(bytes)
}

/** Statuses that have no body and therefore no length (RFC 9110 section 8.6); a 200 without one is the answer to HEAD. */
function isBodyless(status: number): boolean {
  return status === 204 || status === 304 || status === 200
}

/** JSON; lone surrogates in names are escaped by `JSON.stringify`, so the text is always valid UTF-8. */
export function respondJson(status: number, value: unknown, headers: HeaderMap = {}): Response {
  const body = `${JSON.stringify(value)}\n`
  return respond(status, { 'cache-control': 'no-cache, no-transform', ...headers, 'content-type': jsonType }, body)
}

/** How an error looks: the body's `code` says more than the status does. `details` stand beside code and message. */
export function respondError(status: number, code: ErrorCode, message: string, headers: HeaderMap = {}, details: object = {}): Response {
  return respondJson(status, { error: { code, message: withoutTokens(message), ...details } }, { ...headers, 'cache-control': 'no-store' })
}

/**
 * What may be told of any thrown value. What is not ours stays inside: its sentence may name anything. Strangers, who have shown no token where one is needed, do not
 * hear where the store is and what lies in it.
 */
export function shownMessage(error: unknown, isStranger = false): string {
  const code = codeOf(error)
  if (code === 'internal') return 'Cannot answer this request: the edge failed, its log says why'
  if (isStranger && (code === 'unavailable' || code === 'corrupt')) return 'Cannot answer this request: the store behind this edge does not give what it must; the log of the edge says more'
  return withoutTokens(messageOf(error))
}

/** Any thrown value; 504 where the store did not answer in time, 507 where it has no room (RFC 4918 section 11.5). */
export function respondThrown(error: unknown, isStranger = false): Response {
  if (error instanceof Refusal) return respondError(error.status, error.code, error.message, { ...error.headers })
  const code = codeOf(error)
  const status = code === 'unavailable' && isLate(error) ? 504 : code === 'exhausted' && isFull(error) ? 507 : httpStatusOfCode[code]
  return respondError(status, code, shownMessage(error, isStranger), status === 429 || status === 503 || status === 504 ? { 'retry-after': '1' } : {})
}

/** The answer to a preflight. The requested headers are given back, since `*` would not cover `Authorization`. */
export function respondPreflight(methods: readonly string[], request: Request, more: HeaderMap = {}): Response {
  const requested = request.headers.get('access-control-request-headers') ?? ''
  return respond(204, {
    'access-control-allow-methods': methods.join(', '),
    ...(requested === '' ? {} : { 'access-control-allow-headers': requested }),
    'access-control-max-age': '86400',
    allow: methods.join(', '),
    vary: 'Access-Control-Request-Headers',
    ...more,
  })
}
