/**
 * The edge on Cloudflare Workers: the R2 bucket that `wrangler.toml` binds is the store.
 *
 * workerd forbids one request to wait for another's I/O, so nothing is kept between requests: each gets an app of its own, and with it
 * its own page cache and its own follower.
 */
import { systemClock } from '../shared/clock.ts'
import { lineLogger } from '../shared/log.ts'
import { systemRandom } from '../shared/random.ts'
import { type App, createApp } from './app.ts'
import type { DigestName, StartDigest } from './digest.ts'
import { type R2Bucket, R2Store } from './store/r2.ts'

/** What `wrangler.toml` binds. */
export interface Environment {
  readonly VOLUMES: R2Bucket
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

const log = lineLogger({ write: (line) => console.log(line), clock: systemClock, level: 'warn', format: 'json' })

export default {
  async fetch(request: Request, environment: Environment, context: ExecutionContext): Promise<Response> {
    const store = new R2Store(environment.VOLUMES, 'VOLUMES')
    const app = createApp({ store, clock: systemClock, random: systemRandom, startDigest: workerDigest, log, readBytesMax })
    const response = await app.fetch(request)
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
