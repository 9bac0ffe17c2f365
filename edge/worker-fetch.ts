/**
 * What Workers have in common, whatever their store is: one request from the app to its end, over the cache of the data center. Called by `worker.ts` and
 * `worker-s3.ts`.
 *
 * workerd forbids one request to wait for another's I/O: each gets an app of its own, and with it its own page cache and its own follower. What requests share is plain:
 * counters, what all of them together may hold, and what an isolate remembers of its volumes.
 */
import { systemClock } from '../shared/clock.ts'
import { messageOf } from '../shared/error.ts'
import { lineLogger } from '../shared/log.ts'
import { Metrics } from '../shared/metrics.ts'
import { systemRandom } from '../shared/random.ts'
import type { ObjectStore } from '../shared/store.ts'
import { ReadBudget } from '../shared/volume/read-budget.ts'
import { KeyRing } from '../shared/wire/key-ring.ts'
import { withoutTokens } from '../shared/wire/token.ts'
import { accessOfEnvironment, type AccessTexts } from './access/environment.ts'
import type { AccessSettings } from './access/guard.ts'
import { RateLimiter } from './access/rate-limit.ts'
import { AccessMemory } from './access/volume-access.ts'
import { type App, createApp } from './app.ts'
import { builtConsole } from './console-files.ts'
import type { DigestName, StartDigest } from './http/digest.ts'
import { authorityOf, refuseForeignAddress } from './http/host.ts'
import { CacheCounts } from './store/cache/cache-counts.ts'
import { MemoryBlocks } from './store/cache/memory-blocks.ts'
import { RecentVolumes } from './store/cache/recent-volumes.ts'
import { metadataFirst } from './store/cache/tiered-blocks.ts'
import { WebBlocks, type WebCache } from './store/cache/web-blocks.ts'
import { observeStore } from './store/observe.ts'

/** What every Worker may be told, whatever its store is. */
export interface WorkerSettings extends AccessTexts {
  /** `1`: without a secret everybody may everything. Unless it is, a Worker without a secret answers nobody. */
  readonly EDGEMOUNT_OPEN?: string | undefined
}

/** The part of Cloudflare's `ExecutionContext` that is used here. */
export interface ExecutionContext {
  waitUntil(promise: Promise<unknown>): void
}

/** A stream of workerd's own: it errors when fewer or more bytes come. */
declare const FixedLengthStream: new (length: number) => TransformStream<Uint8Array, Uint8Array>

interface HashingStream extends WritableStream<Uint8Array> {
  readonly digest: Promise<ArrayBuffer>
}

/** With workerd's own stream that hashes what is written to it. */
declare const crypto: { readonly DigestStream: new (algorithm: string) => HashingStream }

const workerNames: Readonly<Record<DigestName, string>> = { md5: 'MD5', 'sha-1': 'SHA-1', 'sha-256': 'SHA-256', 'sha-512': 'SHA-512' }

const workerDigest: StartDigest = (name) => {
  const stream = new crypto.DigestStream(workerNames[name])
  const writer = stream.getWriter()
  return {
    update: (bytes) => writer.write(bytes),
    finish: async () => {
      await writer.close()
      return new Uint8Array(await stream.digest)
    },
  }
}

declare global {
  interface CacheStorage {
    /** Cloudflare's, of the data center that the Worker runs in. Does nothing below workers.dev. */
    readonly default: WebCache
  }
}

/** An isolate has 128 MiB for all its requests: a range of 1 MiB with the chunks at its ends is one request, what is longer is streamed. */
const readBytesMax = 2 * 1024 * 1024
const readBudget = new ReadBudget(16 * 1024 * 1024)
/** An upload holds three of its packs at most, and uploads at once know nothing of each other. */
const uploadPackBytesMax = 8 * 1024 * 1024
const fills = new ReadBudget(16 * 1024 * 1024)
const metrics = new Metrics()
/** Pages that many requests walk over at the same time, once for all of them. */
const metadata = new MemoryBlocks({ bytesMax: 16 * 1024 * 1024 })
const recent = new RecentVolumes(systemClock)

/** Plain values, no I/O: what may be kept between requests. Each isolate counts by itself. */
const memory = new AccessMemory()
const limiter = new RateLimiter()
let known: { readonly texts: string; readonly access: AccessSettings | undefined } | undefined

/** Text, which all requests share. */
const pages = await builtConsole()

const log = lineLogger({ write: (line) => console.log(withoutTokens(line)), clock: systemClock, level: 'warn', format: 'json' })

/** The answer, and everything that goes on after it. */
export async function answer(plain: ObjectStore, request: Request, environment: WorkerSettings, context: ExecutionContext): Promise<Response> {
  // Cloudflare routes by the name, so every name will do.
  const refusal = refuseForeignAddress(request, '0.0.0.0')
  if (refusal !== undefined) return refusal
  const store = observeStore(plain, { metrics, clock: systemClock })
  const { failures } = new CacheCounts(metrics)
  const blocks = metadataFirst(metadata, new WebBlocks(async () => caches.default, () => failures.add()))
  // All Workers of a zone have one cache: those of other addresses may have other buckets.
  const owner = authorityOf(request.url)?.toLowerCase() ?? ''
  const cache = { blocks, fills, owner, wholeBytesMax: readBytesMax, recent, background: (work: Promise<unknown>): void => context.waitUntil(work) }
  const settings = { store, clock: systemClock, random: systemRandom, startDigest: workerDigest, log, metrics, readBytesMax, readBudget, uploadPackBytesMax, isStreaming: true, cache }
  const app = createApp({ ...settings, access: accessOf(environment), console: pages })
  const answering = app.fetch(request, { address: request.headers.get('cf-connecting-ip') ?? undefined })
  // A Worker ends with its client, unless somebody waits: what an upload has sent until then is kept.
  if (request.method !== 'GET') context.waitUntil(answering)
  const response = await answering
  if (response.body === null) {
    context.waitUntil(app.dispose())
    return response
  }
  // The app lives until its body is through: an event stream polls the store for as long as somebody listens.
  const { readable, writable } = pipeFor(response)
  const body: ReadableStream<Uint8Array> = response.body
  context.waitUntil(pipeThenDispose(body, writable, app))
  return new Response(readable, response)
}

/** Secrets that cannot be read are as none: closed, and the log says why. */
function accessOf(environment: WorkerSettings): AccessSettings | undefined {
  const { EDGEMOUNT_SECRETS, EDGEMOUNT_SECRET, EDGEMOUNT_TOKEN_RATE, EDGEMOUNT_ANONYMOUS_RATE, EDGEMOUNT_OPEN } = environment
  const texts = { EDGEMOUNT_SECRETS, EDGEMOUNT_SECRET, EDGEMOUNT_TOKEN_RATE, EDGEMOUNT_ANONYMOUS_RATE }
  const spelling = JSON.stringify(texts)
  if (known?.texts !== spelling) known = { texts: spelling, access: readAccess(texts) }
  if (known.access === undefined && EDGEMOUNT_OPEN === '1') return undefined
  return { keys: new KeyRing(), ...known.access, memory, limiter }
}

function readAccess(texts: AccessTexts): AccessSettings | undefined {
  try {
    return accessOfEnvironment(texts)
  } catch (error) {
    log.error(messageOf(error))
    return { keys: new KeyRing() }
  }
}

/** workerd sends a Content-Length only for streams that know their length. */
function pipeFor(response: Response): TransformStream<Uint8Array, Uint8Array> {
  const length = response.headers.get('content-length')
  return length === null ? new TransformStream() : new FixedLengthStream(Number(length))
}

async function pipeThenDispose(body: ReadableStream<Uint8Array>, writable: WritableStream<Uint8Array>, app: App): Promise<void> {
  try {
    await body.pipeTo(writable)
  } catch {
    // The client is gone or the store broke off; the pipe has told the other side.
  } finally {
    await app.dispose()
  }
}
