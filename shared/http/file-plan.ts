/**
 * What to answer to a request for a file: a pure function over its headers and the file's attributes. The edge obeys it, and so do service workers.
 */
import type { ByteRange } from '../range.ts'
import { contentRange, planRanges, rangeLength, unsatisfiedRange } from '../range.ts'
import { evaluatePreconditions, isRangeCurrent, type Validators } from './conditional.ts'
import { formatHttpDate } from './http-date.ts'
import { type MultipartPlan, planMultipart } from './multipart.ts'

export interface FileFacts extends Validators {
  readonly size: number
  readonly contentType: string
  readonly cacheControl: string
}

type HeaderMap = Record<string, string>

export type FilePlan =
  | { readonly kind: 'none'; readonly status: 200 | 206 | 304; readonly headers: HeaderMap } // HEAD, 304: no body is read
  | { readonly kind: 'error'; readonly status: 412 | 416; readonly headers: HeaderMap; readonly message: string }
  | { readonly kind: 'range'; readonly status: 200 | 206; readonly headers: HeaderMap; readonly range: ByteRange }
  | { readonly kind: 'multipart'; readonly status: 206; readonly headers: HeaderMap; readonly plan: MultipartPlan }

export interface FileRequest {
  readonly method: 'GET' | 'HEAD'
  readonly headers: Headers
  readonly nowSeconds: number
  /** Fresh random letters and digits. */
  readonly boundary: () => string
}

export function planFile(request: FileRequest, file: FileFacts): FilePlan {
  const common: HeaderMap = { etag: file.etag, 'cache-control': file.cacheControl }
  const modified = file.lastModified === undefined ? undefined : formatHttpDate(file.lastModified)
  if (modified !== undefined) common['last-modified'] = modified
  const verdict = evaluatePreconditions(request.method, request.headers, file, request.nowSeconds)
  if (verdict === 'failed') return { kind: 'error', status: 412, headers: { etag: file.etag }, message: 'the file is not the version that was asked for' }
  if (verdict === 'not-modified') return { kind: 'none', status: 304, headers: common }
  const headers: HeaderMap = { ...common, 'content-type': file.contentType, 'accept-ranges': 'bytes' }
  return planBody(request, file, headers)
}

function planBody(request: FileRequest, file: FileFacts, headers: HeaderMap): FilePlan {
  const { size } = file
  const whole: ByteRange = { start: 0, end: size }
  const isCurrent = isRangeCurrent(request.headers.get('if-range'), file)
  const asked = isCurrent ? planRanges(request.headers.get('range'), size) : ({ kind: 'whole' } as const)
  const wholeHeaders = { ...headers, 'content-length': String(size) }
  if (request.method === 'HEAD') {
    // RFC 9110 defines Range for GET alone; duckdb-wasm downloads whole files unless HEAD answers 206, so one satisfiable range does.
    const only = asked.kind === 'ranges' && asked.ranges.length === 1 ? asked.ranges[0] : undefined
    if (only === undefined) return { kind: 'none', status: 200, headers: wholeHeaders }
    return { kind: 'none', status: 206, headers: rangeHeaders(headers, only, size) }
  }
  if (asked.kind === 'whole') return { kind: 'range', status: 200, headers: wholeHeaders, range: whole }
  if (asked.kind === 'unsatisfiable') {
    const message = `the file has ${size} bytes, and no range that was asked for begins within them`
    return { kind: 'error', status: 416, headers: { 'content-range': unsatisfiedRange(size), 'accept-ranges': 'bytes', etag: file.etag }, message }
  }
  const [first] = asked.ranges
  if (asked.ranges.length === 1) return { kind: 'range', status: 206, headers: rangeHeaders(headers, first!, size), range: first! }
  const plan = planMultipart(asked.ranges, size, file.contentType, request.boundary())
  return { kind: 'multipart', status: 206, headers: { ...headers, 'content-type': plan.contentType, 'content-length': String(plan.length) }, plan }
}

function rangeHeaders(headers: HeaderMap, range: ByteRange, size: number): HeaderMap {
  return { ...headers, 'content-range': contentRange(range, size), 'content-length': String(rangeLength(range)) }
}
