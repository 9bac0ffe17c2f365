/**
 * The edge on Deno: `deno run -A edge/deno.ts dir:./data --port 8787`.
 */
import { systemClock } from '../shared/clock.ts'
import { EdgemountError, messageOf } from '../shared/error.ts'
import { lineLogger } from '../shared/log.ts'
import { Metrics } from '../shared/metrics.ts'
import { systemRandom } from '../shared/random.ts'
import { withoutTokens } from '../shared/wire/token.ts'
import { accessOfEnvironment } from './access/environment.ts'
import { refuseOpenListening } from './access/listening.ts'
import { ReadBudget } from '../shared/volume/read-budget.ts'
import { createApp } from './app.ts'
import { builtConsole } from './console-files.ts'
import { refuseForeignAddress } from './http/host.ts'
import { nodeDigest } from './http/node-digest.ts'
import { CacheCounts } from './store/cache/cache-counts.ts'
import { fillBytesDefault } from './store/cache/edge-cache.ts'
import { MemoryBlocks } from './store/cache/memory-blocks.ts'
import { RotatedBlocks } from './store/cache/rotated-blocks.ts'
import { tieredBlocks } from './store/cache/tiered-blocks.ts'
import { openStore } from './store/open.ts'

interface DenoServer {
  readonly finished: Promise<void>
  /** Takes no more connections and waits for what is under way. */
  shutdown(): Promise<void>
}

/** What requests under way may take when the process is asked to end. */
const closeMs = 5000

/** The part of Deno's API that is used here. */
declare const Deno: {
  readonly args: readonly string[]
  readonly env: { get(name: string): string | undefined; toObject(): Readonly<Record<string, string>> }
  exit(code: number): never
  addSignalListener(signal: 'SIGINT' | 'SIGTERM', handler: () => void): void
  serve(
    options: { hostname: string; port: number; signal: AbortSignal; onListen(address: { hostname: string; port: number }): void },
    handler: (request: Request, info: { readonly remoteAddr: { readonly hostname?: string } }) => Promise<Response>,
  ): DenoServer
}

/** What was read lately, in memory; the cache on disk is `--cache-bytes`. */
const memoryBytesMax = 128 * 1024 * 1024
const cacheBytesDefault = 1024 * 1024 * 1024

const usage = 'deno run -A edge/deno.ts <store> [--port 8787] [--host 127.0.0.1] [--host-name <name>]... [--open] [--cache-bytes 1073741824], where <store> is for example dir:./data'

interface DenoArguments {
  readonly store: string
  readonly port: number
  readonly host: string
  /** What it answers to besides localhost, for a proxy on this machine. */
  readonly hostNames: readonly string[]
  /** Others may reach it though it has no secret. */
  readonly isOpen: boolean
  /** In the cache that Deno keeps on disk. */
  readonly cacheBytes: number
}

function readArguments(args: readonly string[]): DenoArguments {
  let store: string | undefined
  let port = 8787
  let host = '127.0.0.1'
  let cacheBytes = cacheBytesDefault
  const hostNames: string[] = []
  let isOpen = Deno.env.get('EDGEMOUNT_OPEN') === '1'
  for (let index = 0; index < args.length; index += 1) {
    const word = args[index]!
    const [name, inline] = word.startsWith('--') ? word.split('=', 2) : [undefined]
    const value = (): string => inline ?? args[(index += 1)] ?? ''
    if (name === '--port') port = Number(value())
    else if (name === '--cache-bytes') cacheBytes = Number(value())
    else if (name === '--host') host = value()
    else if (name === '--open') isOpen = true
    else if (name === '--host-name') hostNames.push(value())
    else if (name === undefined && store === undefined) store = word
    else throw new EdgemountError('invalid', `Cannot read the argument "${word}": ${usage}`)
  }
  if (store === undefined) throw new EdgemountError('invalid', `Cannot serve nothing: ${usage}`)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new EdgemountError('invalid', `Cannot use that port: ${usage}`)
  if (!Number.isSafeInteger(cacheBytes) || cacheBytes < 0) throw new EdgemountError('invalid', `Cannot keep so many bytes in the cache: ${usage}`)
  return { store, port, host, hostNames, isOpen, cacheBytes }
}

async function main(): Promise<void> {
  const { store: url, port, host, hostNames, isOpen, cacheBytes } = readArguments(Deno.args)
  const access = accessOfEnvironment(Deno.env.toObject())
  refuseOpenListening(host, access?.keys, isOpen)
  const log = lineLogger({ write: (line) => console.error(withoutTokens(line)), clock: systemClock, level: 'info', format: 'text' })
  const metrics = new Metrics()
  const opened = await openStore(url, { clock: systemClock, random: systemRandom, metrics })
  const { evictions, failures } = new CacheCounts(metrics)
  const counts = { onEvict: (): void => evictions.add(), onFailure: (): void => failures.add() }
  const kept = await RotatedBlocks.open({ caches, name: 'edgemount', bytesMax: cacheBytes, ...counts })
  const cache = { blocks: tieredBlocks(new MemoryBlocks({ bytesMax: memoryBytesMax, ...counts }), kept), fills: new ReadBudget(fillBytesDefault) }
  const app = createApp({ cache, store: opened.store, clock: systemClock, random: systemRandom, startDigest: nodeDigest, log, metrics, access, console: await builtConsole() })
  const stop = new AbortController()
  const server = listening(host, port, () =>
    Deno.serve(
      { hostname: host, port, signal: stop.signal, onListen: (address) => console.log(`serving ${url} at http://${address.hostname}:${address.port}${access === undefined ? '' : ', for who has a token'}`) },
      async (request, { remoteAddr }) =>
        withoutLength(request, refuseForeignAddress(request, host, hostNames) ?? (await app.fetch(request, { address: remoteAddr.hostname }))),
    ),
  )
  const close = async (): Promise<void> => {
    const limit = setTimeout(() => stop.abort(), closeMs)
    await Promise.all([app.dispose(), server.shutdown()])
    clearTimeout(limit)
  }
  Deno.addSignalListener('SIGINT', () => void close())
  Deno.addSignalListener('SIGTERM', () => void close())
  await server.finished
  await Promise.all([opened.dispose(), kept.clear()])
}

/** Deno says what went wrong, and neither where nor what to do. */
function listening(host: string, port: number, serve: () => DenoServer): DenoServer {
  try {
    return serve()
  } catch (error) {
    const isTaken = error instanceof Error && error.name === 'AddrInUse'
    const why = isTaken ? 'another program has the port; stop it, or choose another with --port (0 takes any free one)' : messageOf(error)
    throw new EdgemountError('unavailable', `Cannot listen on "${host}:${port}": ${why}`, { cause: error })
  }
}

/** Deno says that an answer to HEAD has no content, which is not what GET would say (RFC 9110 section 8.6), unless it is told a length or has a stream. */
function withoutLength(request: Request, response: Response): Response {
  if (request.method !== 'HEAD' || response.status !== 200 || response.headers.has('content-length')) return response
  return new Response(new ReadableStream({ start: (controller) => controller.close() }), response)
}

try {
  await main()
} catch (error) {
  console.error(messageOf(error))
  Deno.exit(1)
}
