/**
 * Requests to one edge, for `edge-store.ts` and `client.ts`: addresses, deadlines, and what answers mean as errors. Nothing is tried twice here;
 * retry is a decorator of the store, and reconnecting is the event stream's business.
 */
import { abortError } from '../abort.ts'
import { concatBytes } from '../bytes.ts'
import type { Clock } from '../clock.ts'
import { type ErrorCode, EdgemountError, FullError, codeOfProxyStatus, errorCodes, messageOf } from '../error.ts'
import { withDeadline } from '../lifetime.ts'
import { fieldOf } from './messages.ts'
import { freshHeader } from './routes.ts'

/** The part of `fetch` that is needed; injected, so that tests count and break it. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export interface ConnectionSettings {
  /** The edge's address, for example `http://127.0.0.1:8787`; a path before `/v1` is kept. */
  readonly url: string
  readonly fetch: Fetch
  readonly clock: Clock
  /** The longest a request may take, besides the time its body needs at the slowest rate; 30 s unless given. */
  readonly callMs?: number | undefined
  /** Sent with every request, for example an `authorization`. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

export interface EdgeRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'
  /** From `routes.ts`. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: Uint8Array | undefined
  readonly signal?: AbortSignal | undefined
  /** What came last time was wrong: caches on the way are to be passed by. */
  readonly isFresh?: boolean | undefined
}

/** How long a body must be, or at most may be: an edge that is none must not fill the memory. */
export type BodyLength = { readonly bytes: number; readonly bytesMax?: number } | { readonly bytes?: number | undefined; readonly bytesMax: number }

const callMsDefault = 30_000
/** Half a megabit a second; a link that is slower than this is down. */
const bytesPerMsMin = 64
const errorBytesMax = 64 * 1024
/** A listing of a thousand entries whose extended attributes are as long as they may be. */
const answerBytesMax = 64 * 1024 * 1024

export class EdgeConnection {
  readonly label: string
  readonly clock: Clock
  readonly callMs: number
  readonly #base: string
  readonly #fetch: Fetch
  readonly #headers: Readonly<Record<string, string>>

  constructor({ url, fetch, clock, callMs = callMsDefault, headers = {} }: ConnectionSettings) {
    if (!/^https?:\/\/[^/?#]+/.test(url)) throw new EdgemountError('invalid', `Cannot use the edge "${url}": its address begins with http:// or https://`)
    this.#base = url.replace(/\/+$/, '')
    // Neither a password nor a token stands in a message.
    this.label = this.#base.replace(/\/\/[^/@]*@/, '//').replace(/\/t\/[^/]+$/, '')
    this.#fetch = fetch
    this.clock = clock
    this.callMs = callMs
    this.#headers = headers
  }

  /** The answer as soon as its headers are here, whatever its status. Throws `unavailable` when the edge cannot be reached in time. */
  async send(request: EdgeRequest): Promise<Response> {
    const { method, path, headers = {}, body, signal, isFresh = false } = request
    const what = `${method} ${this.label}${path}`
    const ms = this.callMs + (body?.length ?? 0) / bytesPerMsMin
    return await withDeadline(this.clock, ms, what, signal, async (limit) => {
      const own = body === undefined ? {} : { body: ownBytes(body) }
      try {
        // A fresh init: the signal of the deadline must not cut a body that is read later.
        const call = new AbortController()
        const onLimit = (): void => call.abort(limit.reason)
        limit.addEventListener('abort', onLimit, { once: true })
        const init = { method, headers: { ...this.#headers, ...headers, ...(isFresh ? { [freshHeader]: '1' } : {}) }, redirect: 'error', cache: isFresh ? 'reload' : 'no-store', signal: call.signal, ...own } as const
        const response = await this.#fetch(`${this.#base}${path}`, init)
        limit.removeEventListener('abort', onLimit)
        return response
      } catch (error) {
        if (limit.aborted) throw abortError(limit)
        throw new EdgemountError('unavailable', `Cannot reach the edge ${this.label}: ${reasonOf(error)}`, { cause: error })
      }
    })
  }

  /** A body, whole. Throws `unavailable` when it is cut, too short, too long or too slow. */
  async readAll(response: Response, what: string, length: BodyLength, signal?: AbortSignal): Promise<Uint8Array> {
    const { bytes: expectedBytes, bytesMax = expectedBytes } = length
    const reader = response.body?.getReader()
    const ms = this.callMs + (expectedBytes ?? 0) / bytesPerMsMin
    try {
      if (expectedBytes !== undefined && !(expectedBytes <= bytesMax!)) throw this.#tooLong(what, bytesMax!)
      const parts = await withDeadline(this.clock, ms, `read ${what} from ${this.label}`, signal, () => this.#collect(reader, what, expectedBytes ?? bytesMax!))
      const bytes = join(parts)
      if (expectedBytes === undefined || bytes.length === expectedBytes) return bytes
      throw new EdgemountError('unavailable', `Cannot read ${what} from ${this.label}: got ${bytes.length} of ${expectedBytes} bytes`)
    } catch (error) {
      reader?.cancel().catch(() => undefined)
      throw error
    }
  }

  /** JSON of a 200, at most `bytesMax` long. */
  async readJson(request: EdgeRequest, bytesMax: number = answerBytesMax): Promise<unknown> {
    const response = await this.send(request)
    if (!response.ok) throw await this.errorOf(response, request)
    const bytes = await this.readAll(response, request.path, { bytesMax }, request.signal)
    return parseJson(bytes, () => `Cannot read ${request.path} from ${this.label}: the answer is no JSON`)
  }

  /** The error that an answer stands for: the edge's own code and sentence, or what its status says when something before the edge answered. */
  async errorOf(response: Response, { method, path, signal }: EdgeRequest): Promise<RemoteError> {
    const what = `Cannot ${method} ${path} at ${this.label}`
    const status = response.status
    if (response.headers.get('content-type')?.startsWith('application/json') !== true || Number(response.headers.get('content-length') ?? '0') > errorBytesMax) {
      await response.body?.cancel().catch(() => undefined)
      return new RemoteError(codeOfProxyStatus(status), `${what}: it answered ${status} and is perhaps no edge`, { status })
    }
    const value = parseJson(await this.readAll(response, path, { bytesMax: errorBytesMax }, signal), () => `${what}: it answered ${status} with broken JSON`)
    const error = fieldOf(value, 'error')
    const code = codeNamed(fieldOf(error, 'code')) ?? codeOfProxyStatus(status)
    const message = fieldOf(error, 'message')
    const reason = fieldOf(error, 'reason')
    return new RemoteError(code, typeof message === 'string' ? message : `${what}: it answered ${status}`, {
      status,
      isFromEdge: error !== undefined,
      reason: typeof reason === 'string' ? reason : undefined,
    })
  }

  async #collect(reader: ReadableStreamDefaultReader<Uint8Array> | undefined, what: string, bytesMax: number): Promise<Uint8Array[]> {
    const parts: Uint8Array[] = []
    if (reader === undefined) return parts
    for (let left = bytesMax; ; ) {
      const next = await readPart(reader, what, this.label)
      if (next === undefined) return parts
      left -= next.length
      if (left < 0) throw this.#tooLong(what, bytesMax)
      parts.push(next)
    }
  }

  #tooLong(what: string, bytesMax: number): EdgemountError {
    return new EdgemountError('unavailable', `Cannot read ${what} from ${this.label}: it is longer than ${bytesMax} bytes`)
  }
}

/** An error that an edge, or something before it, has answered with. */
export class RemoteError extends EdgemountError {
  readonly status: number
  /** False when the answer did not look like an edge's. */
  readonly isFromEdge: boolean
  readonly reason: string | undefined

  constructor(code: ErrorCode, message: string, facts: { status: number; isFromEdge?: boolean; reason?: string | undefined }) {
    super(code, message, facts.status === 507 && facts.isFromEdge === true ? { cause: new FullError(message) } : undefined)
    this.status = facts.status
    this.isFromEdge = facts.isFromEdge ?? false
    this.reason = facts.reason
  }
}

/** The next part of a body, or undefined at its end; what broke it is `unavailable`. */
export async function readPart(reader: ReadableStreamDefaultReader<Uint8Array>, what: string, label: string): Promise<Uint8Array | undefined> {
  try {
    return (await reader.read()).value
  } catch (error) {
    if (error instanceof EdgemountError) throw error
    throw new EdgemountError('unavailable', `Cannot read ${what} from ${label}: ${reasonOf(error)}`, { cause: error })
  }
}

function parseJson(bytes: Uint8Array, message: () => string): unknown {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    return value
  } catch (cause) {
    throw new EdgemountError('unavailable', message(), { cause })
  }
}

function codeNamed(name: unknown): ErrorCode | undefined {
  return errorCodes.find((code) => code === name)
}

/** `fetch` hides why behind "fetch failed". */
function reasonOf(error: unknown): string {
  const cause: unknown = error instanceof Error ? error.cause : undefined
  const why = cause instanceof Error && cause.message !== '' ? cause.message : messageOf(error)
  return why === '' ? 'the connection failed' : why
}

/** One part as it is where there is only one. */
function join(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 ? parts[0]! : concatBytes(parts)
}

function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, length } = bytes
  return buffer instanceof ArrayBuffer ? new Uint8Array(buffer, byteOffset, length) : new Uint8Array(bytes)
}
