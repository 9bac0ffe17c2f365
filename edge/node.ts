/**
 * The edge on Node: a server over `@hono/node-server`, with its limits, and bodies written straight to the socket. Called by the command that serves, by mounts
 * that start their own edge, and by tests.
 */
import { createHash } from 'node:crypto'
import { IncomingMessage, type Server, ServerResponse, createServer } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { EdgemountError, messageOf } from '../shared/error.ts'
import { type HashFunction, hashFromBytes } from '../shared/hash.ts'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { App } from './app.ts'
import type { BytesBody } from './http/body.ts'
import { refuseForeignAddress } from './http/host.ts'
import { addressOf } from './http/query.ts'
import { respondError } from './http/respond.ts'

/** No byte either way for so long: the client is gone. Above the events' heartbeat, the longest poll, and a commit to a slow store. */
const idleMs = 300_000
/** An upload takes as long as it takes, as long as it comes (`body.ts`); a path of 4096 bytes (PATH_MAX) is 12 KiB when all of it is percent-encoded. */
const serverLimits = { requestTimeout: 0, headersTimeout: 30_000, keepAliveTimeout: 75_000, maxHeaderSize: 32 * 1024 }
/** What requests under way may take when the server closes. */
const closeMsDefault = 5000
const sweepMs = 20

export interface NodeServerSettings {
  readonly app: Pick<App, 'fetch' | 'dispose'>
  /** 127.0.0.1 unless given. */
  readonly host?: string | undefined
  /** What it answers to besides localhost when it listens on a loopback address, for example as a proxy on this machine calls it. */
  readonly hostNames?: readonly string[] | undefined
  /** 0 takes any free port. */
  readonly port: number
  /** Closes the server. */
  readonly signal?: AbortSignal | undefined
  readonly closeMs?: number | undefined
}

export interface NodeServer {
  readonly host: string
  /** The real one. */
  readonly port: number
  readonly url: string
  /** Takes no more connections, ends event streams, waits for requests under way, and after `closeMs` ends those too. */
  close(): Promise<void>
}

/** SHA-256 by node:crypto: for pages and small bodies several times faster than WebCrypto. */
export const nodeHash: HashFunction = (bytes) => Promise.resolve(hashFromBytes(createHash('sha256').update(bytes).digest()))

/** Node's `Response` copies bytes twice; a stream's pieces go to the socket as they are. */
export const nodeBytesBody: BytesBody = (bytes) =>
  new ReadableStream(
    {
      pull: (controller) => {
        controller.enqueue(bytes)
        controller.close()
      },
    },
    { highWaterMark: 0 },
  )

/** Listens when it resolves. Throws `unavailable` when the port is taken, `denied` when it may not be used. */
export async function serveNode(settings: NodeServerSettings): Promise<NodeServer> {
  const { app, host = '127.0.0.1', hostNames, port, signal, closeMs = closeMsDefault } = settings
  // Globals stay as they are: the edge may run inside a mount's process, whose `fetch` answers must be `Response`s.
  const listener = getRequestListener(
    async (request, { incoming, outgoing }) => {
      Object.defineProperty(request, 'url', { value: addresses.get(incoming) })
      if (expecting.has(incoming) && incoming instanceof IncomingMessage && outgoing instanceof ServerResponse) awaitBody(request, incoming, outgoing)
      const response = refuseForeignAddress(request, host, hostNames) ?? (await app.fetch(request, { address: incoming.socket.remoteAddress }))
      if (outgoing instanceof ServerResponse) await send(response, outgoing)
      return RESPONSE_ALREADY_SENT
    },
    // HTTP/1.0 has no Host.
    { overrideGlobalObjects: false, hostname: 'localhost' },
  )
  // The listener makes a `URL` of the target, which takes dot segments away and refuses what is no URI; it gets `/`, and the app what was sent.
  const addresses = new WeakMap<object, string>()
  const expecting = new WeakSet<object>()
  const answer = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const address = addressOf(incoming.url ?? '', incoming.method ?? '', incoming.headers.host ?? 'localhost')
    const refusal = refuseVersion(incoming)
    if (address === undefined || refusal !== undefined) {
      outgoing.shouldKeepAlive = false
      void send(refusal ?? noAddress(incoming), outgoing)
      return
    }
    addresses.set(incoming, address)
    incoming.url = '/'
    void listener(incoming, outgoing)
  }
  const server = createServer({ ...serverLimits, noDelay: true }, answer)
  server.on('checkContinue', (incoming, outgoing) => {
    expecting.add(incoming)
    answer(incoming, outgoing)
  })
  server.setTimeout(idleMs)
  await listen(server, host, port)
  const address = server.address()
  const real = typeof address === 'object' && address !== null ? address.port : port
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => (closing ??= closeServer(server, app, closeMs))
  const onAbort = (): void => void close()
  if (signal?.aborted) onAbort()
  else signal?.addEventListener('abort', onAbort, { once: true })
  return { host, port: real, url: `http://${host.includes(':') ? `[${host}]` : host}:${real}`, close }
}

/**
 * Gives a request whose client waits for a 100 a body that sends it when somebody reads: a refusal comes at once, and the body never (RFC 9110 section
 * 10.1.1). The listener's own would be read, and so asked for, as soon as anybody looks at its signal; so that is given, too.
 */
function awaitBody(request: Request, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const gone = new AbortController()
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) gone.abort()
  })
  let pieces: AsyncIterator<Uint8Array> | undefined
  const body = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        if (pieces === undefined) {
          outgoing.writeContinue()
          pieces = incoming.iterator({ destroyOnReturn: false })
        }
        const { done, value } = await pieces.next()
        if (done === true) controller.close()
        else controller.enqueue(value)
      },
      cancel: async () => {
        await pieces?.return?.()
      },
    },
    { highWaterMark: 0 },
  )
  Object.defineProperties(request, { body: { value: body }, signal: { value: gone.signal } })
}

function noAddress({ url = '' }: IncomingMessage): Response {
  return respondError(400, 'invalid', `Cannot read the address "${url}": it must begin with / (RFC 9112 section 3.2)`)
}

/** Node's parser takes a version that is written as HTTP/1 is, and is none of it (RFC 9110 section 15.6.6). */
function refuseVersion({ httpVersionMajor, httpVersion }: IncomingMessage): Response | undefined {
  if (httpVersionMajor === 1) return undefined
  return respondError(505, 'unsupported', `Cannot speak HTTP/${httpVersion} here: use HTTP/1.1`)
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)))
    server.listen(port, host, () => resolve())
  })
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): EdgemountError {
  const what = `Cannot listen on "${host}:${port}"`
  if (error.code === 'EADDRINUSE') {
    return new EdgemountError('unavailable', `${what}: another program has the port; stop it, or choose another with --port (0 takes any free one)`, { cause: error })
  }
  if (error.code === 'EACCES') return new EdgemountError('denied', `${what}: ports below 1024 need rights that this user does not have`, { cause: error })
  if (error.code === 'EADDRNOTAVAIL') return new EdgemountError('invalid', `${what}: this machine does not have that address`, { cause: error })
  return new EdgemountError('unavailable', `${what}: ${messageOf(error)}`, { cause: error })
}

async function closeServer(server: Server, app: Pick<App, 'dispose'>, closeMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  const limit = setTimeout(() => server.closeAllConnections(), closeMs)
  // A connection that was busy when the server closed is kept alive after its answer, unless somebody looks again.
  const sweep = setInterval(() => server.closeIdleConnections(), sweepMs)
  try {
    await app.dispose()
    server.closeIdleConnections()
    await closed
  } finally {
    clearTimeout(limit)
    clearInterval(sweep)
  }
}

/**
 * Sends the body piece by piece as the socket takes it. A failure, before or in the middle, destroys the socket: whoever receives sees a broken connection
 * and never a short body.
 */
async function send(response: Response, outgoing: ServerResponse): Promise<void> {
  const headers: [string, string][] = [...response.headers]
  if (outgoing.destroyed) {
    await response.body?.cancel().catch(() => undefined)
    return
  }
  outgoing.writeHead(response.status, headers.flat())
  if (response.body === null) {
    outgoing.end()
    return
  }
  const reader = response.body.getReader()
  const onClose = (): void => void reader.cancel().catch(() => undefined)
  outgoing.once('close', onClose)
  // Headers go with the first piece, in one write; alone when there is none yet, as in an event stream.
  const early = setImmediate(() => outgoing.flushHeaders())
  try {
    for (;;) {
      const { done, value } = await reader.read()
      clearImmediate(early)
      if (done) break
      if (!outgoing.write(value)) await drained(outgoing)
    }
    outgoing.off('close', onClose)
    if (!outgoing.destroyed) outgoing.end()
  } catch (error) {
    clearImmediate(early)
    outgoing.destroy(error instanceof Error ? error : new Error(messageOf(error)))
  }
}

/** Resolves when more can be written, or nobody is there to read it. */
function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off('drain', done)
      outgoing.off('close', done)
      resolve()
    }
    outgoing.once('drain', done)
    outgoing.once('close', done)
    if (outgoing.destroyed) done()
  })
}
