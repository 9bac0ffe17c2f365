/**
 * `edgemount/service-worker`: has a volume served below a path of the page's own origin, by a service worker, verified and also offline. This file is what pages
 * import; the worker's script is `edgemount/service-worker.js`, which the app hosts.
 *
 *     const photos = await registerVolume({ prefix: '/photos/', url: 'https://files.example/v1/photos', token })
 *     await photos.pin('/2026', { onProgress: ({ bytes, totalBytes }) => … })
 */
import { abortError, throwIfAborted } from '../../../shared/abort.ts'
import { systemClock } from '../../../shared/clock.ts'
import { EdgemountError, messageOf } from '../../../shared/error.ts'
import type { PinProgress } from '../pin.ts'
import { readVolumeAddress } from '../address.ts'
import { askToPersist } from '../persist.ts'
import { type AskValues, type ServedStats, errorOf, isAnswer, isTokenQuestion, sealed } from './messages.ts'
import type { ServedSettings } from './worker-book.ts'

export interface RegisterOptions {
  /** Where the volume's files are to be, for example `/photos/`: a path of this origin. */
  readonly prefix: string
  /** The volume's address at an edge, for example `https://files.example/v1/photos`; a token or a commit in it counts unless others are given. */
  readonly url: string | URL
  readonly token?: string | undefined
  /** `false`: the token stays out of IndexedDB. After each start the worker asks an open page for it, and what comes before one has told it waits. */
  readonly keepToken?: boolean | undefined
  /** The commit to stay at; the newest unless given. */
  readonly seq?: number | undefined
  /** Where the app hosts the worker; `/edgemount-service-worker.js` unless given. */
  readonly script?: string | undefined
  /** Pages below it have the prefix; the script's folder unless given. */
  readonly scope?: string | undefined
  /** What is kept of what was read, by all volumes of the origin; 512 MiB unless given. */
  readonly cacheBytes?: number | undefined
  /** What may be pinned of this volume; 2 GiB unless given. */
  readonly pinBytes?: number | undefined
}

export interface PinOptions {
  readonly onProgress?: ((progress: PinProgress) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Pinned {
  readonly path: string
  /** The commit that can be read offline; undefined while the first is being fetched. */
  readonly seq: number | undefined
  readonly isComplete: boolean
  readonly files: number
  readonly bytes: number
  readonly totalFiles: number
  readonly totalBytes: number
}

const MiB = 1024 * 1024
const cacheBytesDefault = 512 * MiB
const pinBytesDefault = 2048 * MiB
/** A worker that says nothing for so long is not there; it beats every two seconds. */
const silenceMs = 6000
const silentMax = 3
/** What a new worker may take to control this page. */
const controlMs = 20_000
/** What a script may take to be loaded and to take over from an older one, which first ends what it is at. */
const activeMs = 60_000

/** Resolves when this page's requests below the prefix are answered by the worker. Called again, for example with another token, it replaces what was said. */
export async function registerVolume(options: RegisterOptions): Promise<RegisteredVolume> {
  const { token, keepToken = true, seq, script = '/edgemount-service-worker.js', cacheBytes = cacheBytesDefault, pinBytes = pinBytesDefault } = options
  const workers: ServiceWorkerContainer | undefined = globalThis.navigator?.serviceWorker
  if (workers === undefined) throw new EdgemountError('unsupported', 'Cannot register a service worker: browsers allow it to https and localhost alone; open this page over https')
  const prefix = prefixOf(options.prefix)
  // A token in the address is one, too: it is kept, or not, where tokens are.
  const address = readVolumeAddress(String(options.url), location.href)
  const url = `${address.edge}/v1/${address.volume}`
  const settings = { prefix, url, seq: seq ?? address.seq, cacheBytes, pinBytes, keepsToken: keepToken }
  const registration = await alone(() => register(workers, { script, scope: options.scope, prefix }))
  const volume = new RegisteredVolume(workers, registration, settings, token ?? address.token)
  await volume.start()
  void askToPersist()
  return volume
}

export class RegisteredVolume {
  readonly #workers: ServiceWorkerContainer
  readonly #registration: ServiceWorkerRegistration
  readonly #settings: ServedSettings
  readonly #token: string | undefined
  readonly #closing = new AbortController()

  constructor(workers: ServiceWorkerContainer, registration: ServiceWorkerRegistration, settings: ServedSettings, token: string | undefined) {
    this.#workers = workers
    this.#registration = registration
    this.#settings = settings
    this.#token = token
  }

  get prefix(): string {
    return this.#settings.prefix
  }

  /** Tells the worker what it serves, and goes on with what is not pinned yet. `registerVolume` has called it. */
  async start(): Promise<void> {
    const { prefix } = this.#settings
    const { signal } = this.#closing
    replaceStarted(prefix, this.#closing)
    this.#workers.addEventListener('message', ({ data }) => void (isTokenQuestion(data, prefix) && this.#serve().catch(() => undefined)), { signal })
    this.#workers.startMessages()
    await this.#serve()
    await untilControlled(this.#workers)
    for (const { path, isComplete } of await this.pins()) if (!isComplete) this.pin(path).catch(() => undefined)
  }

  /** The address of a file below the prefix. */
  address(path: string): string {
    const names = path.split('/').filter((name) => name !== '')
    return this.#settings.prefix + names.map(encodeURIComponent).join('/')
  }

  /**
   * Has a file, or a folder with everything in it, kept on this device, whole and as one commit has it, until it is unpinned; it follows the newest commit by itself.
   * Asked again it goes on where it stopped; a page that is closed leaves it to the next one, and the signal gives it up. Throws `exhausted` without room.
   */
  async pin(path: string, { onProgress, signal }: PinOptions = {}): Promise<PinProgress> {
    throwIfAborted(signal)
    return await this.#ask('pin', { path: cleanPath(path) }, { signal, onProgress })
  }

  async unpin(path: string): Promise<void> {
    await this.#ask('unpin', { path: cleanPath(path) })
  }

  async pins(): Promise<readonly Pinned[]> {
    return (await this.#ask('pins')).map(({ path, seq, nextSeq, files, bytes, totalFiles, totalBytes }) => ({ path, seq, isComplete: nextSeq === undefined, files, bytes, totalFiles, totalBytes }))
  }

  /** As the worker counts since it was started: the browser starts it anew now and then. */
  async stats(): Promise<ServedStats> {
    return await this.#ask('stats')
  }

  /** Forgets what is kept of all volumes of the origin; what is pinned is fetched anew. */
  async clear(): Promise<void> {
    await this.#ask('clear')
  }

  /** The prefix is served no longer, in no tab; address, token and pins are forgotten. The worker goes with its last prefix. */
  async unregister(): Promise<void> {
    await this.#ask('forget')
    this.#closing.abort()
    await alone(async () => {
      const { active, scope } = this.#registration
      const left = prefixesOf(active).filter((prefix) => prefix !== this.prefix)
      if (active === null || left.length === 0) await this.#registration.unregister()
      else await untilActive(await this.#workers.register(withPrefixes(new URL(active.scriptURL), left), { scope }))
    })
  }

  async #serve(): Promise<void> {
    await this.#ask('serve', { settings: this.#settings, token: this.#token })
  }

  /** Asks again when the worker was ended meanwhile: the browser starts it for the new message. */
  async #ask<K extends keyof AskValues>(kind: K, more: object = {}, { signal, onProgress }: PinOptions = {}): Promise<AskValues[K]> {
    const ask = { kind, prefix: this.prefix, ...more }
    let silentCount = 0
    for (;;) {
      const outcome = await askOnce(await this.#worker(), ask, {
        signal,
        onProgress: (progress) => {
          silentCount = 0
          onProgress?.(progress)
        },
      })
      if (outcome.kind === 'done') return outcome.value
      if (outcome.kind === 'silent') silentCount += 1
      if (silentCount === silentMax) throw new EdgemountError('unavailable', 'Cannot reach the service worker: it does not answer; reload the page')
    }
  }

  async #worker(): Promise<ServiceWorker> {
    // One that is about to take over goes on with what the older one is at, which it waits for.
    if (newestOf(this.#registration) !== null) await untilActive(this.#registration).catch((error: unknown) => this.#registration.active === null && Promise.reject(error))
    if (this.#registration.active !== null) return this.#registration.active
    throw new EdgemountError('closed', `Cannot use "${this.prefix}": its service worker was unregistered; register the volume again`)
  }
}

/** One page-side registration of a prefix at a time answers for its token. */
const started = new Map<string, AbortController>()

function replaceStarted(prefix: string, closing: AbortController): void {
  started.get(prefix)?.abort()
  started.set(prefix, closing)
}

type Outcome<V> = { readonly kind: 'done'; readonly value: V } | { readonly kind: 'again' | 'silent' }

interface Waiting {
  readonly signal: AbortSignal | undefined
  readonly onProgress: (progress: PinProgress) => void
}

function askOnce<K extends keyof AskValues>(worker: ServiceWorker, ask: { readonly kind: K }, { signal, onProgress }: Waiting): Promise<Outcome<AskValues[K]>> {
  return new Promise((resolve, reject) => {
    const { port1, port2 } = new MessageChannel()
    let silence = new AbortController()
    const end = (settle: () => void): void => {
      silence.abort()
      signal?.removeEventListener('abort', onAbort)
      settle()
      port1.close()
    }
    const onAbort = (): void => {
      port1.postMessage('aborted')
      end(() => reject(abortError(signal!)))
    }
    const waitOn = (): void => {
      silence.abort()
      silence = new AbortController()
      systemClock.sleep(silenceMs, silence.signal).then(() => end(() => resolve({ kind: 'silent' })), () => undefined)
    }
    waitOn()
    port1.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
      waitOn()
      if (!isAnswer(data, ask.kind)) return
      if (data.kind === 'progress') onProgress(data.progress)
      if (data.kind === 'done' || data.kind === 'again') end(() => resolve(data))
      if (data.kind === 'failed') end(() => reject(errorOf(data)))
    })
    port1.start()
    signal?.addEventListener('abort', onAbort, { once: true })
    worker.postMessage(sealed(ask), [port2])
  })
}

async function register(workers: ServiceWorkerContainer, { script, scope, prefix }: { readonly script: string; readonly scope: string | undefined; readonly prefix: string }): Promise<ServiceWorkerRegistration> {
  const url = new URL(script, location.href)
  const wantedScope = new URL(scope ?? './', scope === undefined ? url : location.href).href
  const before = (await workers.getRegistrations()).find((registration) => registration.scope === wantedScope)
  const known = [before?.installing, before?.waiting, before?.active].flatMap(prefixesOf)
  const registration = await workers.register(withPrefixes(url, [...known, prefix]), { scope: wantedScope }).catch((error: unknown) => {
    throw new EdgemountError('unavailable', `Cannot register the service worker "${script}": ${messageOf(error)}; host edgemount's dist/service-worker.js there`, { cause: error })
  })
  await untilActive(registration)
  return registration
}

/** One tab after the other: each adds its prefix to those that there are. */
async function alone<T>(work: () => Promise<T>): Promise<T> {
  return await navigator.locks.request('edgemount-service-worker', work)
}

function prefixesOf(worker: ServiceWorker | null | undefined): string[] {
  return worker ? new URL(worker.scriptURL).searchParams.getAll('prefix') : []
}

/** The prefixes stand in the worker's address, so that it knows them before it has read anything. */
function withPrefixes(script: URL, prefixes: readonly string[]): string {
  const url = new URL(script)
  url.searchParams.delete('prefix')
  for (const prefix of [...new Set(prefixes)].toSorted()) url.searchParams.append('prefix', prefix)
  return url.href
}

/** Until the newest worker of the registration is the one that works. */
async function untilActive(registration: ServiceWorkerRegistration): Promise<void> {
  const done = new AbortController()
  const late = systemClock.sleep(activeMs, done.signal).then(() => {
    const isBusy = registration.waiting !== null
    const why = isBusy ? 'an older one is still at work, for example for a pin; wait until that is done, or close the other tabs, and' : 'its script does not finish to install; look there for what it waits for, and'
    throw new EdgemountError('unavailable', `Cannot start the service worker: ${why} register the volume again`)
  })
  late.catch(() => undefined)
  try {
    for (let worker = newestOf(registration); worker !== null; worker = newestOf(registration)) await Promise.race([untilSettled(worker, done.signal), late])
  } finally {
    done.abort()
  }
  if (registration.active === null) throw new EdgemountError('unavailable', "Cannot start the service worker: its script failed; look into the browser's console, and host edgemount's dist/service-worker.js there")
}

function newestOf({ installing, waiting }: ServiceWorkerRegistration): ServiceWorker | null {
  return installing ?? waiting
}

/** Until it works, or never will. */
async function untilSettled(worker: ServiceWorker, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const look = (): void => void ((worker.state === 'activated' || worker.state === 'redundant') && resolve())
    worker.addEventListener('statechange', look, { signal })
    look()
  })
}

async function untilControlled(workers: ServiceWorkerContainer): Promise<void> {
  if (workers.controller !== null) return
  const done = new AbortController()
  const controlled = new Promise<void>((resolve) => workers.addEventListener('controllerchange', () => resolve(), { once: true, signal: done.signal }))
  const late = systemClock.sleep(controlMs, done.signal).then(() => {
    throw new EdgemountError('unavailable', 'Cannot have this page served by the worker: it is outside of its scope; host the script in a folder above the page, or send Service-Worker-Allowed with it')
  })
  late.catch(() => undefined)
  try {
    await Promise.race([controlled, late])
  } finally {
    done.abort()
  }
}

function prefixOf(prefix: string): string {
  const { pathname, origin } = new URL(prefix, location.origin)
  if (origin !== location.origin || !prefix.startsWith('/') || pathname === '/' || !pathname.endsWith('/')) {
    throw new EdgemountError('invalid', `Cannot serve a volume at "${prefix}": give a path of this origin that begins and ends with a slash, for example /photos/`)
  }
  return pathname
}

function cleanPath(path: string): string {
  return `/${path.split('/').filter((name) => name !== '').join('/')}`
}
