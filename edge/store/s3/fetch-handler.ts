/**
 * How the S3 client sends its requests: by the runtime's own `fetch`, so that a body is the runtime's own stream on Node, Deno and in a Worker, its signal ends the
 * body too, and tests count and break requests where every other client here has them counted.
 *
 * The client's handler for Node takes no web streams, and a body that nobody reads keeps its socket for ever; `fetch` gives it back.
 */
import type { S3ClientConfig } from '@aws-sdk/client-s3'

/** The part of the client's request that is used here. */
interface HandledRequest {
  readonly method: string
  readonly protocol: string
  readonly hostname: string
  readonly port?: number | undefined
  readonly path: string
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
}

type Handler = NonNullable<S3ClientConfig['requestHandler']>

/** What `fetch` sets itself, and some runtimes refuse. */
const ownHeaders = new Set(['host', 'content-length', 'expect', 'connection'])

export function fetchHandler(send: typeof fetch): Handler {
  const handler = {
    handle: async (request: HandledRequest, options: { abortSignal?: unknown } = {}) => {
      const headers = Object.entries(request.headers).filter(([name]) => !ownHeaders.has(name.toLowerCase()))
      const body: unknown = request.body
      const answer = await send(urlOf(request), {
        method: request.method,
        // A compressed body would have another length and other ranges than the object.
        headers: [...headers, ['accept-encoding', 'identity']],
        body: typeof body === 'string' || isOwnBytes(body) ? body : null,
        // A redirect is to another region, and what is signed holds for one host.
        redirect: 'manual',
        signal: options.abortSignal instanceof AbortSignal ? options.abortSignal : null,
      })
      return { response: { statusCode: answer.status, reason: answer.statusText, headers: Object.fromEntries(answer.headers), body: answer.body ?? undefined } }
    },
    updateHttpClientConfig: () => undefined,
    httpHandlerConfigs: () => ({}),
  }
  return handler as Handler
}

/** The types of `fetch` know no bytes over shared memory; what runs takes them all. */
function isOwnBytes(body: unknown): body is Uint8Array<ArrayBuffer> {
  return body instanceof Uint8Array
}

function urlOf({ protocol, hostname, port, path, query }: HandledRequest): string {
  const pairs = Object.entries(query ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const search = pairs.flatMap(([name, value]) => {
    if (value === null) return [encode(name)]
    return (typeof value === 'string' ? [value] : value).map((each) => `${encode(name)}=${encode(each)}`)
  })
  return `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}${search.length === 0 ? '' : `?${search.join('&')}`}`
}

/** RFC 3986, as it was signed. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}
