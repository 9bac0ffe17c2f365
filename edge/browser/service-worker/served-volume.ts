/**
 * A volume below a path prefix of a page's own origin: what its service worker answers there. Called by `worker.ts`.
 *
 * It answers from the newest commit, looked for once a second while somebody asks; from what is kept when the edge is away, and then, below what is pinned, from the
 * pinned commit, which is whole. No answer mixes two commits.
 */
import type { Clock } from '../../../shared/clock.ts'
import { EdgemountError, codeOf } from '../../../shared/error.ts'
import { readVolumeAddress } from '../address.ts'
import type { CacheTable } from '../cache-table.ts'
import type { World } from '../engine.ts'
import { type BrowserVolume, openVolume } from '../volume.ts'
import { type AnswerWorld, answerDirectory, answerFile, answerThrown, unsentWithoutEdge } from './answer.ts'
import type { ServedStats } from './messages.ts'
import { type PinAsk, Pins } from './pins.ts'
import type { KeptPin, PinBook, ServedSettings } from './worker-book.ts'
import type { PinProgress } from '../pin.ts'

export interface ServedParts extends AnswerWorld {
  /** Rejects with `denied` when there must be one and nobody has it. */
  readonly token: () => Promise<string | undefined>
  readonly book: PinBook
  readonly table: CacheTable
  readonly clock: Clock
  /** For tests. */
  readonly world?: Partial<World>
}

/** What is shown is at most so old while the edge answers. */
const freshMs = 1000
/** A slow edge is not waited for longer, when there is something to show. */
const patienceMs = 3000
/** An edge that is away is asked again after so long. */
const awayMs = 5000
/** Pins follow the newest commit after so long. */
const updateMs = 15_000
const memoryBytes = 32 * 1024 * 1024
const viewMemoryBytes = 16 * 1024 * 1024

export class ServedVolume {
  readonly #parts: ServedParts
  readonly #pins: Pins
  #settings: ServedSettings
  #token: string | undefined
  #opened: Promise<BrowserVolume> | undefined
  #checking: Promise<void> | undefined
  #checkedMs = -Infinity
  #updating: Promise<void> | undefined
  #updatedMs = -Infinity
  readonly #closing = new AbortController()
  #updates = new AbortController()

  constructor(settings: ServedSettings, parts: ServedParts) {
    this.#settings = settings
    this.#parts = parts
    const { book, table, clock } = parts
    const open = (seq: number, own: CacheTable, signal: AbortSignal | undefined): Promise<BrowserVolume> => this.#openVolume(own, { seq, signal, memoryBytes: viewMemoryBytes })
    this.#pins = new Pins({ prefix: settings.prefix, book, table, clock, open, bytesMax: () => this.settings.pinBytes })
  }

  get settings(): ServedSettings {
    return this.#settings
  }

  /** `path` is the volume's; with a slash at its end only a directory will do. Rejects when the page goes away, and never otherwise. */
  async answer(path: string, isSlashed: boolean, request: Request): Promise<Response> {
    try {
      const volume = await this.#current().catch((error: unknown) => this.#withoutEdge(path, error))
      const pinned = volume.isOffline ? await this.#pins.view(path, volume.generation) : undefined
      const response = await this.#answerFrom(pinned ?? volume, path, isSlashed, request)
      if (response.status !== 503) return response
      const kept = pinned ?? (await this.#pins.view(path, volume.generation))
      const second = kept === undefined || kept === pinned ? response : await this.#answerFrom(kept, path, isSlashed, request)
      return second.status === 503 ? await unsentWithoutEdge(path, second, request) : second
    } catch (error) {
      return answerThrown(error, request)
    }
  }

  /** What goes on beside answers: pins that follow the newest commit. */
  async settle(): Promise<void> {
    await this.#opened?.then((volume) => volume.flush()).catch(() => undefined)
    if (this.#parts.clock.now() - this.#updatedMs < updateMs) return await this.#updating
    this.#updatedMs = this.#parts.clock.now()
    await (this.#updating ??= this.#update().finally(() => (this.#updating = undefined)))
  }

  /** Pins that follow the newest commit are gone on with the next time. */
  giveWay(): void {
    this.#updates.abort()
    this.#updates = new AbortController()
  }

  async pin(path: string, ask: PinAsk): Promise<PinProgress> {
    return await this.#pins.keep(path, await this.#current(), ask)
  }

  /** After a `pin` that was ended by who asked for it. */
  async giveUpPin(path: string): Promise<void> {
    await this.#pins.giveUp(path, this.#address)
  }

  async unpin(path: string): Promise<void> {
    await this.#pins.remove(path, this.#address)
    this.#updatedMs = -Infinity
  }

  async pins(): Promise<readonly KeptPin[]> {
    return await this.#pins.all()
  }

  async stats(): Promise<ServedStats> {
    const volume = await this.#current()
    return { ...(await volume.stats()), seq: volume.seq, isOffline: volume.isOffline }
  }

  /** Forgets all that is kept of all volumes of the origin; what is pinned is fetched anew. */
  async clear(): Promise<void> {
    await this.#pins.forget(this.#address)
    await this.#parts.table.clear()
    // What was begun meanwhile is not whole either.
    await this.#pins.forget(this.#address)
    this.#close()
  }

  /** Answers under way go on; the next one opens the volume as it is said here. `tell` has the token counted, in the same moment: it is for this edge. */
  async change(settings: ServedSettings, token: string | undefined, tell: () => void): Promise<void> {
    const isSame = JSON.stringify(settings) === JSON.stringify(this.#settings) && token === this.#token
    if (isSame) return tell()
    await this.leave(settings.url)
    this.#settings = settings
    tell()
    this.#close()
  }

  /** Lets go of what is pinned of this volume when another is to be served: before anybody writes down which, so that no pin is taken for one of that. */
  async leave(url: string): Promise<void> {
    if (url !== this.#settings.url) for (const { path } of await this.pins()) await this.unpin(path)
  }

  /** The end: nothing stays pinned. */
  async forget(): Promise<void> {
    this.#closing.abort()
    for (const { path } of await this.pins()) await this.unpin(path)
    this.#close()
  }

  #close(): void {
    this.#opened = undefined
    this.#checkedMs = -Infinity
    this.#updatedMs = -Infinity
  }

  /** As the cache names the volume. */
  get #address(): { readonly edge: string; readonly name: string } {
    const { edge, volume } = readVolumeAddress(this.#settings.url, undefined)
    return { edge, name: volume }
  }

  async #answerFrom(volume: BrowserVolume, path: string, isSlashed: boolean, request: Request): Promise<Response> {
    if (isSlashed) return await answerDirectory(volume, path, request)
    return await answerFile(volume, path, request, this.#parts)
  }

  /** Where the edge cannot be asked and nothing says which commit was the newest, a pinned one is. */
  async #withoutEdge(path: string, error: unknown): Promise<BrowserVolume> {
    const view = codeOf(error) === 'unavailable' ? await this.#pins.view(path, undefined) : undefined
    if (view === undefined) throw error
    return view
  }

  async #current(): Promise<BrowserVolume> {
    const volume = await this.#open()
    const { clock } = this.#parts
    const isDue = clock.now() - this.#checkedMs >= (volume.isOffline ? awayMs : freshMs)
    if (isDue && this.#checking === undefined) {
      const checking = this.#check(volume).finally(() => (this.#checking = undefined))
      checking.catch(() => undefined)
      this.#checking = checking
    }
    if (this.#checking === undefined || volume.isOffline) return volume
    const waiting = new AbortController()
    await Promise.race([this.#checking, clock.sleep(patienceMs, waiting.signal).catch(() => undefined)])
    waiting.abort()
    return await this.#open()
  }

  /** Rejects for who may not read any more: until he may, every answer is that. */
  async #check(volume: BrowserVolume): Promise<void> {
    if (await volume.refresh()) this.#updatedMs = -Infinity
    this.#checkedMs = this.#parts.clock.now()
  }

  #open(): Promise<BrowserVolume> {
    if (this.#opened !== undefined) return this.#opened
    const opened = this.#openVolume(this.#parts.table, { seq: this.settings.seq, signal: undefined, memoryBytes })
    this.#opened = opened
    opened.then(
      ({ isOffline }) => (this.#checkedMs = isOffline ? this.#checkedMs : this.#parts.clock.now()),
      () => this.#opened === opened && (this.#opened = undefined),
    )
    return opened
  }

  async #openVolume(table: CacheTable, { seq, signal, memoryBytes }: { readonly seq: number | undefined; readonly signal: AbortSignal | undefined; readonly memoryBytes: number }): Promise<BrowserVolume> {
    let settings: ServedSettings
    let token: string | undefined
    do {
      settings = this.#settings
      token = await this.#parts.token()
      // Told for another edge meanwhile?
    } while (settings !== this.#settings)
    const { url, cacheBytes } = settings
    this.#token = token
    return await openVolume(url, { token, seq, signal, memoryBytes, cache: { bytes: cacheBytes, persist: false }, world: { ...this.#parts.world, table } })
  }

  async #update(): Promise<void> {
    try {
      await this.#pins.sweep(this.#address)
      if ((await this.#pins.all()).length === 0) return
      const volume = await this.#current()
      if (volume.isOffline) return
      await this.#pins.update(volume, AbortSignal.any([this.#closing.signal, this.#updates.signal]))
    } catch (error) {
      // Whoever asks for a file hears why not.
      if (!(error instanceof EdgemountError)) throw error
    }
  }
}
