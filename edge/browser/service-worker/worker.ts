/**
 * The service worker's script: an app hosts it at its own origin as it is, or loads it into a worker of its own with `importScripts`. Pages tell it what to serve
 * with `registerVolume` (`registration.ts`); the prefixes stand in its address, so that it knows at once which requests are its own.
 *
 * The browser ends and starts it as it likes: everything that it must know is in IndexedDB, but for tokens that may not be kept: those it asks pages for.
 */
import { systemClock } from '../../../shared/clock.ts'
import { EdgemountError } from '../../../shared/error.ts'
import { percentDecodePath } from '../../../shared/path.ts'
import { systemRandom } from '../../../shared/random.ts'
import { IdbTable } from '../idb-table.ts'
import { answerThrown } from './answer.ts'
import { type Answer, type Ask, failed, isAsk, tokenQuestion } from './messages.ts'
import { ServedVolume } from './served-volume.ts'
import { WorkerBook } from './worker-book.ts'
import type { FetchEvent, MessageFromPage, WorkerScope } from './worker-scope.ts'

/** A page that was just loaded needs so long to tell its token. */
const tokenMs = 10_000
/** A long ask is cut here, and the page asks again: browsers end what lasts five minutes. */
const askMs = 120_000
const heartbeatMs = 2000
/** A page may hear that this worker gives way before it hears of the newer one, and ask this one again: for so long it is told to, at such a pace. */
const giveWayMs = 2000
const giveWayPauseMs = 100

class Worker {
  readonly #scope: WorkerScope
  readonly #prefixes: readonly string[]
  readonly #book = new WorkerBook('edgemount-service-worker')
  readonly #served = new Map<string, Promise<ServedVolume>>()
  /** By prefix: told by pages, and kept no longer than this worker lives. */
  readonly #tokens = new Map<string, PromiseWithResolvers<string | undefined>>()
  #newer = new AbortController()
  #newerMs = -Infinity

  constructor(scope: WorkerScope) {
    this.#scope = scope
    this.#prefixes = new URL(scope.location.href).searchParams.getAll('prefix').toSorted((a, b) => b.length - a.length)
  }

  start(): void {
    const scope = this.#scope
    // What is kept has one form for all versions, so a new one takes over at once.
    scope.addEventListener('install', (event) => event.waitUntil(scope.skipWaiting()))
    scope.addEventListener('activate', (event) => event.waitUntil(scope.clients.claim()))
    scope.registration.addEventListener('updatefound', () => this.#giveWay())
    scope.addEventListener('fetch', (event) => this.#onFetch(event))
    scope.addEventListener('message', (event) => this.#onMessage(event))
  }

  /** The browser lets a newer worker in when this one has nothing to do: what is long is gone on with there, or here if it fails. */
  #giveWay(): void {
    this.#newerMs = systemClock.now()
    this.#newer.abort()
    this.#newer = new AbortController()
    for (const served of this.#served.values()) served.then((volume) => volume.giveWay()).catch(() => undefined)
  }

  #onFetch(event: FetchEvent): void {
    const { request } = event
    const { origin, pathname } = new URL(request.url)
    if (origin !== this.#scope.location.origin || (request.method !== 'GET' && request.method !== 'HEAD')) return
    const prefix = this.#prefixes.find((each) => pathname.startsWith(each))
    if (prefix !== undefined) event.respondWith(this.#answer(event, prefix, pathname.slice(prefix.length)))
  }

  async #answer(event: FetchEvent, prefix: string, rest: string): Promise<Response> {
    const { request } = event
    try {
      const served = await this.#servedAt(prefix)
      const response = await served.answer(percentDecodePath(rest), rest === '' || rest.endsWith('/'), request)
      event.waitUntil(served.settle())
      return response
    } catch (error) {
      return answerThrown(error, request)
    }
  }

  #onMessage(event: MessageFromPage): void {
    const { data, ports } = event
    const [port] = ports
    if (!isAsk(data) || port === undefined) return
    const controller = new AbortController()
    // The one thing that a page says on the port is that it gives up.
    port.addEventListener('message', () => controller.abort())
    port.start()
    event.waitUntil(this.#obey(data, port, controller.signal))
  }

  /** Never rejects. */
  async #obey(ask: Ask, port: MessagePort, page: AbortSignal): Promise<void> {
    const say = (answer: Answer): void => port.postMessage(answer)
    const done = new AbortController()
    const time = new AbortController()
    systemClock.sleep(askMs, done.signal).then(() => time.abort(), () => undefined)
    this.#newer.signal.addEventListener('abort', () => time.abort(), { signal: done.signal })
    void beat(say, done.signal)
    if (ask.kind === 'pin' && systemClock.now() - this.#newerMs < giveWayMs) {
      await systemClock.sleep(giveWayPauseMs, page).catch(() => undefined)
      time.abort()
    }
    try {
      say({ kind: 'done', value: await this.#do(ask, AbortSignal.any([page, time.signal]), say) })
    } catch (error) {
      if (page.aborted && ask.kind === 'pin') await this.#servedAt(ask.prefix).then((served) => served.giveUpPin(ask.path)).catch(() => undefined)
      say(time.signal.aborted ? { kind: 'again' } : failed(error))
    }
    done.abort()
    port.close()
  }

  async #do(ask: Ask, signal: AbortSignal, say: (answer: Answer) => void): Promise<unknown> {
    if (ask.kind === 'serve') {
      await this.#serve(ask)
      return undefined
    }
    const served = await this.#servedAt(ask.prefix)
    switch (ask.kind) {
      case 'pin':
        return await served.pin(ask.path, { signal, onProgress: (progress) => say({ kind: 'progress', progress }) })
      case 'unpin':
        await served.unpin(ask.path)
        await served.settle()
        return undefined
      case 'pins':
        return await served.pins()
      case 'stats':
        return await served.stats()
      case 'clear':
        await served.clear()
        return undefined
      case 'forget':
        await this.#forget(served)
        return undefined
      default:
        // Of a page of a later version.
        throw new EdgemountError('unsupported', 'Cannot do what was asked: this service worker does not know it; reload the page, and host the worker of the same version')
    }
  }

  async #serve({ settings, token }: Extract<Ask, { kind: 'serve' }>): Promise<void> {
    const { prefix, keepsToken } = settings
    const before = await this.#book.volume(prefix)
    const served = before === undefined ? undefined : await this.#servedAt(prefix)
    await served?.leave(settings.url)
    await this.#book.writeVolume({ settings, token: keepsToken ? token : undefined })
    const tell = (): void => this.#tell(prefix, token)
    await (served === undefined ? tell() : served.change(settings, token, tell))
    // A page that was loaded past the worker is its own from now on.
    await this.#scope.clients.claim()
  }

  async #forget(served: ServedVolume): Promise<void> {
    const { prefix } = served.settings
    await served.forget()
    this.#served.delete(prefix)
    this.#tokens.delete(prefix)
    await this.#book.removeVolume(prefix)
  }

  #servedAt(prefix: string): Promise<ServedVolume> {
    const known = this.#served.get(prefix)
    if (known !== undefined) return known
    const served = this.#begin(prefix)
    this.#served.set(prefix, served)
    served.catch(() => this.#served.get(prefix) === served && this.#served.delete(prefix))
    return served
  }

  async #begin(prefix: string): Promise<ServedVolume> {
    const kept = await this.#book.volume(prefix)
    if (kept === undefined) {
      throw new EdgemountError('unavailable', `Cannot serve "${prefix}": no volume is registered there in this browser; open the page that registers it`)
    }
    const { settings, token } = kept
    if (settings.keepsToken) this.#tell(prefix, token)
    return new ServedVolume(settings, {
      token: () => this.#token(prefix),
      book: this.#book.pins(prefix),
      table: new IdbTable('edgemount'),
      clock: systemClock,
      random: systemRandom,
    })
  }

  #tell(prefix: string, token: string | undefined): void {
    this.#tokens.get(prefix)?.resolve(token)
    const told = Promise.withResolvers<string | undefined>()
    told.resolve(token)
    this.#tokens.set(prefix, told)
  }

  /** Asks the pages when none has told it yet. */
  async #token(prefix: string): Promise<string | undefined> {
    let told = this.#tokens.get(prefix)
    if (told === undefined) {
      told = Promise.withResolvers()
      this.#tokens.set(prefix, told)
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is a window's
      for (const client of await this.#scope.clients.matchAll({ includeUncontrolled: true })) client.postMessage(tokenQuestion(prefix))
    }
    const late = systemClock.sleep(tokenMs).then(() => {
      throw new EdgemountError('denied', `Cannot serve "${prefix}": its token is not kept, and no page has told it; open the page that registers it`)
    })
    try {
      return await Promise.race([told.promise, late])
    } catch (error) {
      if (this.#tokens.get(prefix) === told) this.#tokens.delete(prefix)
      throw error
    }
  }
}

/** A page that hears nothing takes the worker for dead. */
async function beat(say: (answer: Answer) => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await systemClock.sleep(heartbeatMs, signal).catch(() => undefined)
    if (!signal.aborted) say({ kind: 'alive' })
  }
}

declare const self: WorkerScope

new Worker(self).start()
