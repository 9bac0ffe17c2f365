/**
 * The edge on Cloudflare Workers: the R2 bucket that `wrangler.toml` binds is the store.
 *
 * workerd forbids one request to wait for another's I/O, so nothing is kept between requests: each gets an app of its own, and with it
 * its own page cache and its own follower.
 */
import { systemClock } from '../shared/clock.ts'
import { lineLogger } from '../shared/log.ts'
import { systemRandom } from '../shared/random.ts'
import { messageOf } from '../shared/error.ts'
import { KeyRing } from '../shared/wire/key-ring.ts'
import { accessOfEnvironment, type AccessTexts } from './access/environment.ts'
import type { AccessSettings } from './access/guard.ts'
import { RateLimiter } from './access/rate-limit.ts'
import { AccessMemory } from './access/volume-access.ts'
import { type App, createApp } from './app.ts'
import type { DigestName, StartDigest } from './digest.ts'
import { type R2Bucket, R2Store } from './store/r2.ts'

/** What `wrangler.toml` binds. */
export interface Environment extends AccessTexts {
  readonly VOLUMES: R2Bucket
  /** `1`: without a secret everybody may everything. Unless it is, a Worker without a secret answers nobody. */
  readonly EDGEMOUNT_OPEN?: string | undefined
}

/** The part of Cloudflare's `ExecutionContext` that is used here. */
interface ExecutionContext {
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

/** An isolate has 128 MiB for all its requests, which know nothing of each other. */
const readBytesMax = 1024 * 1024

/** Plain values, no I/O: what may be kept between requests. Each isolate counts by itself. */
const memory = new AccessMemory()
const limiter = new RateLimiter()
let known: { readonly texts: string; readonly access: AccessSettings | undefined } | undefined

const log = lineLogger({ write: (line) => console.log(line), clock: systemClock, level: 'warn', format: 'json' })

export default {
  async fetch(request: Request, environment: Environment, context: ExecutionContext): Promise<Response> {
    const store = new R2Store(environment.VOLUMES, 'VOLUMES')
    const app = createApp({ store, clock: systemClock, random: systemRandom, startDigest: workerDigest, log, readBytesMax, access: accessOf(environment) })
    const response = await app.fetch(request, { address: request.headers.get('cf-connecting-ip') ?? undefined })
    if (response.body === null) {
      context.waitUntil(app.dispose())
      return response
    }
    // The app lives until its body is through: an event stream polls the store for as long as somebody listens.
    const { readable, writable } = pipeFor(response)
    const body: ReadableStream<Uint8Array> = response.body
    context.waitUntil(pipeThenDispose(body, writable, app))
    return new Response(readable, response)
  },
}

/** Secrets that cannot be read are as none: closed, and the log says why. */
function accessOf(environment: Environment): AccessSettings | undefined {
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
