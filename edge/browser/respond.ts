/**
 * A file as the answer to a request, as the edge itself would answer (RFC 9110): for `createFetch`. Several ranges at once are answered with the whole file, which
 * the RFC allows (section 14.2) and which is small; `service-worker/answer.ts` answers them in parts. Failures are answers too, with the sentence as JSON.
 */
import { contentTypeOf } from '../../shared/content-type.ts'
import { codeOf, httpStatusOfCode, messageOf } from '../../shared/error.ts'
import { baseName } from '../../shared/path.ts'
import { type ByteRange, contentRange, planRanges, rangeLength, unsatisfiedRange } from '../../shared/range.ts'

/** One version of a file: what is read of it belongs to the ETag that is sent with it. */
export interface AnsweredFile {
  readonly path: string
  readonly size: number
  readonly version: string
  readonly mtime: Date
  read(range: ByteRange): Promise<Uint8Array<ArrayBuffer>>
  stream(range: ByteRange): ReadableStream<Uint8Array<ArrayBuffer>>
}

/** Up to this an answer is read before it is begun, so that a failure is a status and no broken body. */
const wholeBytesMax = 1024 * 1024

/** `open` finds the file, symlinks followed. */
export async function respondFile(path: string, request: Request, open: () => Promise<AnsweredFile>): Promise<Response> {
  const isHead = request.method === 'HEAD'
  try {
    const file = await open()
    const etag = `"${file.version}"`
    const headers: Record<string, string> = {
      etag,
      'accept-ranges': 'bytes',
      'last-modified': file.mtime.toUTCString(),
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
    }
    const asked = (name: string): string | undefined => request.headers.get(name) ?? undefined
    if (asked('if-match') !== undefined && !names(asked('if-match')!, etag)) return failure(412, 'stale', `Cannot send "${path}": it is not the version that was asked for`, isHead)
    if (asked('if-none-match') !== undefined && names(asked('if-none-match')!, etag)) return new Response(null, { status: 304, headers })
    headers['content-type'] = contentTypeOf(baseName(path))
    const isCurrent = asked('if-range') === undefined || asked('if-range') === etag
    const plan = planRanges(isCurrent ? asked('range') : undefined, file.size)
    if (plan.kind === 'unsatisfiable' && !isHead) {
      const message = `Cannot send "${path}": the file has ${file.size} bytes, and no range that was asked for begins within them`
      return failure(416, 'invalid', message, false, { 'content-range': unsatisfiedRange(file.size) })
    }
    const only = plan.kind === 'ranges' && plan.ranges.length === 1 ? plan.ranges[0] : undefined
    const range = only ?? { start: 0, end: file.size }
    headers['content-length'] = String(rangeLength(range))
    if (only !== undefined) headers['content-range'] = contentRange(only, file.size)
    const body = isHead ? null : rangeLength(range) <= wholeBytesMax ? await file.read(range) : file.stream(range)
    return new Response(body, { status: only === undefined ? 200 : 206, headers })
  } catch (error) {
    const code = codeOf(error)
    // As `fetch` does: with what the caller gave as the reason.
    if (request.signal.aborted) throw request.signal.reason
    return failure(httpStatusOfCode[code], code, messageOf(error), isHead)
  }
}

function failure(status: number, code: string, message: string, isHead: boolean, headers: Readonly<Record<string, string>> = {}): Response {
  const body = isHead ? null : JSON.stringify({ error: { code, message } })
  return new Response(body, { status, headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', ...headers } })
}

/** Whether a list of entity tags has this one; our tags have no commas. */
function names(list: string, etag: string): boolean {
  return list.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag)
}
