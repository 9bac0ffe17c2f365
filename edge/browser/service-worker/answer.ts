/**
 * Answers of a service worker, as the edge itself would give them (RFC 9110, by the same plan): files with ranges and conditions, directories as JSON, failures with
 * their sentence. A body is read as fast as the page takes it, and no faster. Called by `served-volume.ts`.
 */
import { toHex } from '../../../shared/bytes.ts'
import type { Clock } from '../../../shared/clock.ts'
import { contentDisposition, contentTypeOf, isScriptable } from '../../../shared/content-type.ts'
import { type ErrorCode, codeOf, httpStatusOfCode, messageOf } from '../../../shared/error.ts'
import { type FilePlan, planFile } from '../../../shared/http/file-plan.ts'
import { writeMultipart } from '../../../shared/http/multipart.ts'
import { baseName } from '../../../shared/path.ts'
import type { Random } from '../../../shared/random.ts'
import { type ByteRange, rangeLength } from '../../../shared/range.ts'
import type { AnsweredFile } from '../respond.ts'
import type { BrowserVolume } from '../volume.ts'

export interface AnswerWorld {
  readonly clock: Clock
  readonly random: Random
}

/** Up to this a body is read at once; of a longer one the first part, so that a failure is a status and no broken body. */
const wholeBytesMax = 1024 * 1024

export async function answerFile(volume: BrowserVolume, path: string, request: Request, { clock, random }: AnswerWorld): Promise<Response> {
  const isHead = request.method === 'HEAD'
  try {
    const file = await volume.openFile(path, { signal: request.signal })
    const nowSeconds = Math.floor(clock.now() / 1000)
    const contentType = contentTypeOf(baseName(path))
    const plan = planFile(
      { method: isHead ? 'HEAD' : 'GET', headers: request.headers, nowSeconds, boundary: () => toHex(random.bytes(16)) },
      { etag: `"${file.version}"`, lastModified: Math.min(Math.floor(file.mtime.getTime() / 1000), nowSeconds), size: file.size, contentType, cacheControl: 'no-cache' },
    )
    if (plan.kind === 'error') return respondFailure(plan.status, plan.status === 412 ? 'stale' : 'invalid', `Cannot send "${path}": ${plan.message}`, isHead, plan.headers)
    const isDownload = new URL(request.url).searchParams.has('download')
    const more = {
      'x-content-type-options': 'nosniff',
      ...(isDownload ? { 'content-disposition': contentDisposition('attachment', baseName(path)) } : {}),
      // In a tab or a frame its scripts would run as the app's own.
      ...(isScriptable(contentType) ? { 'content-security-policy': 'sandbox' } : {}),
    }
    return new Response(await bodyOf(plan, file), { status: plan.status, headers: { ...plan.headers, ...more } })
  } catch (error) {
    if (codeOf(error) === 'invalid') return await answerDirectory(volume, path, request)
    return answerThrown(error, request)
  }
}

/** A page of names, as the edge's JSON. */
export async function answerDirectory(volume: BrowserVolume, path: string, request: Request): Promise<Response> {
  try {
    const { searchParams } = new URL(request.url)
    const limit = Number(searchParams.get('limit') ?? 'none')
    const options = { after: searchParams.get('after') ?? undefined, limit: Number.isSafeInteger(limit) && limit > 0 ? limit : undefined, signal: request.signal }
    const listing = await volume.list(path, options)
    const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-cache', 'x-content-type-options': 'nosniff' }
    return new Response(request.method === 'HEAD' ? null : `${JSON.stringify(listing)}\n`, { headers })
  } catch (error) {
    // As the edge has it: a file has no address with a slash.
    if (codeOf(error) === 'invalid') return respondFailure(404, 'not-found', messageOf(error), request.method === 'HEAD')
    return answerThrown(error, request)
  }
}

/** Rejects when the page went away: nobody reads the answer. */
export function answerThrown(error: unknown, { signal, method }: Request): Response {
  if (signal.aborted) throw error
  const code = codeOf(error)
  return respondFailure(httpStatusOfCode[code], code, messageOf(error), method === 'HEAD')
}

/** Why, and what helps, of an answer that could not be given because the edge is away. */
export async function unsentWithoutEdge(path: string, response: Response, { method }: Request): Promise<Response> {
  const body: unknown = await response.json().catch(() => undefined)
  const error: unknown = typeof body === 'object' && body !== null && 'error' in body ? body.error : undefined
  const why = typeof error === 'object' && error !== null && 'message' in error ? `: ${String(error.message)}` : ''
  const message = `Cannot send "${path}" without the edge: not all of it is kept on this device; connect, or pin it while the edge is there${why}`
  return respondFailure(503, 'unavailable', message, method === 'HEAD', { 'retry-after': '5' })
}

export function respondFailure(status: number, code: ErrorCode, message: string, isHead: boolean, headers: Readonly<Record<string, string>> = {}): Response {
  const body = isHead ? null : `${JSON.stringify({ error: { code, message } })}\n`
  return new Response(body, { status, headers: { ...headers, 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' } })
}

async function bodyOf(plan: Exclude<FilePlan, { readonly kind: 'error' }>, file: AnsweredFile): Promise<Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null> {
  if (plan.kind === 'none') return null
  if (plan.kind === 'range' && rangeLength(plan.range) <= wholeBytesMax) return await file.read(plan.range)
  const read = (range: ByteRange): AsyncGenerator<Uint8Array> => piecesOf(file.stream(range))
  return await streamOf(plan.kind === 'range' ? read(plan.range) : writeMultipart(plan.plan, read))
}

/** What a `for await` over a stream does, which not all browsers have. */
async function* piecesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader()
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

/** Begins at once, and goes on as it is read. */
async function streamOf(pieces: AsyncGenerator<Uint8Array>): Promise<ReadableStream<Uint8Array>> {
  let first: IteratorResult<Uint8Array> | undefined = await pieces.next()
  return new ReadableStream(
    {
      pull: async (controller) => {
        const { done, value } = first ?? (await pieces.next())
        first = undefined
        if (done === true) controller.close()
        else controller.enqueue(value)
      },
      cancel: async () => void (await pieces.return(undefined)),
    },
    { highWaterMark: 0 },
  )
}
