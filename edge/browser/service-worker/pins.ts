/**
 * Folders of one volume that are kept for reading offline, each whole and as one commit left it. Called by `served-volume.ts`.
 *
 * INVARIANT: an older commit of a pin is let go only when all of the newer one is kept: listings, manifests and chunks. What the book calls whole is held from before it
 * says so until after it says so no longer: whoever is ended in between leaves too much held, which `sweep` lets go.
 */
import type { Clock } from '../../../shared/clock.ts'
import { EdgemountError, codeOf } from '../../../shared/error.ts'
import { SingleFlight } from '../../../shared/lifetime.ts'
import type { CacheTable } from '../cache-table.ts'
import type { PinProgress } from '../pin.ts'
import type { BrowserVolume } from '../volume.ts'
import { PinTable, markOf, ownerWithin } from './pin-table.ts'
import type { KeptPin, PinBook } from './worker-book.ts'

export interface PinsParts {
  /** Other prefixes may have pinned the same. */
  readonly prefix: string
  readonly book: PinBook
  readonly table: CacheTable
  readonly clock: Clock
  /** The volume at a commit, over this table. */
  readonly open: (seq: number, table: CacheTable, signal: AbortSignal | undefined) => Promise<BrowserVolume>
  readonly bytesMax: () => number
}

export interface PinAsk {
  readonly signal: AbortSignal
  readonly onProgress: (progress: PinProgress) => void
}

type VolumeName = Pick<BrowserVolume, 'edge' | 'name'>

/** Work on one path, of which there is one at a time. */
interface Turn {
  readonly stop: AbortController
  readonly end: Promise<void>
}

/** Each holds some megabytes of what was read. */
const viewsMax = 4
const nothing: PinProgress = { files: 0, bytes: 0, totalFiles: 0, totalBytes: 0 }

export class Pins {
  readonly #parts: PinsParts
  /** By path; read from the book once. */
  #known: Promise<Map<string, KeptPin>> | undefined
  readonly #flights = new SingleFlight<string, PinProgress>()
  readonly #listeners = new Map<string, Set<(progress: PinProgress) => void>>()
  readonly #turns = new Map<string, Turn>()
  /** By seq and generation, in order of last use. */
  readonly #views = new Map<string, Promise<BrowserVolume>>()
  #swept: Promise<void> | undefined

  constructor(parts: PinsParts) {
    this.#parts = parts
  }

  async all(): Promise<readonly KeptPin[]> {
    return [...(await this.#pins()).values()]
  }

  /** Where a path is kept whole: at the newest such commit, of the volume that was seen last under its name and not of an earlier one. */
  async view(path: string, generation: string | undefined): Promise<BrowserVolume | undefined> {
    const holding = (await this.all()).filter((pin) => pin.seq !== undefined && isWithin(path, pin.path) && pin.generation === (generation ?? pin.generation))
    const [newest] = holding.toSorted((a, b) => b.seq! - a.seq!)
    if (newest?.seq === undefined) return undefined
    const key = viewKey(newest)
    const known = this.#views.get(key)
    const view = known ?? this.#parts.open(newest.seq, this.#parts.table, undefined)
    this.#views.delete(key)
    this.#views.set(key, view)
    if (known === undefined) view.catch(() => this.#views.get(key) === view && this.#views.delete(key))
    const [oldest] = this.#views.keys()
    // Requests that read there go on.
    if (oldest !== undefined && this.#views.size > viewsMax) this.#views.delete(oldest)
    const opened = await view
    if (opened.generation === newest.generation) return opened
    this.#views.delete(key)
    return undefined
  }

  /** Has it kept as the newest commit has it, from where an earlier call stopped. Who asks for the same at once shares the work. */
  async keep(path: string, newest: BrowserVolume, { signal, onProgress }: PinAsk): Promise<PinProgress> {
    const listeners = this.#listeners.get(path) ?? new Set()
    this.#listeners.set(path, listeners)
    listeners.add(onProgress)
    try {
      await this.sweep(newest)
      return await this.#flights.run(path, (ending) => this.#alone(path, (stop) => this.#keep(path, newest, AbortSignal.any([ending, stop]))), signal)
    } finally {
      listeners.delete(onProgress)
      if (listeners.size === 0 && this.#listeners.get(path) === listeners) this.#listeners.delete(path)
    }
  }

  async remove(path: string, address: VolumeName): Promise<void> {
    this.#stop(path, new EdgemountError('closed', `Cannot go on pinning "${path}": it was unpinned`))
    await this.#alone(path, () => this.#remove(path, address))
  }

  /** Whoever asked for it wants it no longer: what was never whole is no pin, unless somebody else still waits for it. */
  async giveUp(path: string, address: VolumeName): Promise<void> {
    const pin = (await this.#pins()).get(path)
    if (pin !== undefined && pin.seq === undefined && !this.#flights.has(path)) await this.remove(path, address)
  }

  /** Goes on with what is unfinished, and follows the newest commit. What fails now is tried the next time; what is gone there is no longer pinned. */
  async update(newest: BrowserVolume, signal: AbortSignal): Promise<void> {
    // Without its mark it was cleared away, by a page or a person; and what was damaged must be fetched again.
    const { lossy } = await this.#parts.table.size()
    const whole = new Set((await this.#parts.table.pins()).filter((mark) => !lossy.includes(mark)))
    for (const pin of await this.all()) {
      if (signal.aborted) return
      try {
        const { version } = await newest.stat(pin.path, { signal })
        const isKept = pin.seq !== undefined && pin.nextSeq === undefined && whole.has(this.#markOf(pin, newest))
        const isSame = version === pin.version && newest.generation === pin.generation
        if (!isKept || !isSame) await this.keep(pin.path, newest, { signal, onProgress: () => undefined })
      } catch (error) {
        if (codeOf(error) === 'not-found' && !newest.isOffline) await this.remove(pin.path, newest)
      }
    }
  }

  /** Lets go what a worker that was ended held for nobody: once, and before anything is pinned. */
  async sweep(address: VolumeName): Promise<void> {
    const swept = (this.#swept ??= this.#sweep(address))
    swept.catch(() => (this.#swept = undefined))
    await swept
  }

  async #sweep(address: VolumeName): Promise<void> {
    const { prefix, table } = this.#parts
    const pins = await this.all()
    for (const mark of await table.pins()) {
      const owner = ownerWithin(mark, prefix)
      // One that is not finished needs both commits.
      const isNeeded = pins.some((pin) => ownerOf(address, pin.path) === owner && (pin.nextSeq !== undefined || mark === this.#markOf(pin, address)))
      if (owner !== undefined && !isNeeded) await table.pin(mark, false)
    }
  }

  /** Nothing is kept any more: what is pinned must be fetched anew. */
  async forget(address: VolumeName): Promise<void> {
    this.#views.clear()
    for (const { path } of await this.all()) {
      this.#stop(path, new EdgemountError('aborted', `Cannot go on pinning "${path}" now: what is kept was cleared; it begins again by itself`))
      await this.#alone(path, async () => {
        const pin = (await this.#pins()).get(path)
        if (pin === undefined) return
        await this.#write({ ...pin, ...nothing, seq: undefined, version: undefined, nextSeq: pin.seq ?? pin.nextSeq ?? 0 })
        await this.#release(ownerOf(address, path), undefined)
      })
    }
  }

  /** After whatever else is under way for the path; all of it ends before the next begins. */
  async #alone<T>(path: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    for (let before = this.#turns.get(path); before !== undefined; before = this.#turns.get(path)) await before.end
    const stop = new AbortController()
    const { promise: end, resolve } = Promise.withResolvers<void>()
    this.#turns.set(path, { stop, end })
    try {
      return await work(stop.signal)
    } finally {
      this.#turns.delete(path)
      resolve()
    }
  }

  #stop(path: string, why: EdgemountError): void {
    this.#turns.get(path)?.stop.abort(why)
  }

  async #remove(path: string, address: VolumeName): Promise<void> {
    const pins = await this.#pins()
    pins.delete(path)
    await this.#parts.book.remove(path)
    await this.#release(ownerOf(address, path), undefined)
  }

  async #keep(path: string, newest: BrowserVolume, signal: AbortSignal): Promise<PinProgress> {
    const pins = await this.#pins()
    const { seq, generation } = newest
    const owner = ownerOf(newest, path)
    const before = pins.get(path) ?? { ...nothing, path, seq: undefined, version: undefined, generation: undefined, nextSeq: undefined }
    const mark = this.#markOf({ path, seq, generation }, newest)
    const table = new PinTable(this.#parts.table, mark)
    const view = await this.#parts.open(seq, table, signal)
    try {
      if (view.generation !== generation) throw new EdgemountError('unavailable', `Cannot pin "${path}" now: the volume was made anew meanwhile; try again`)
      const { version, path: reached } = await view.stat(path, { signal })
      if (reached !== path) throw new EdgemountError('invalid', `Cannot pin "${path}": it leads to "${reached}"; pin that`)
      await this.#write({ ...before, nextSeq: seq })
      const done = await view.pin(path, { signal, onProgress: (progress) => this.#tell(pins, path, progress) })
      const goneCount = await table.keepPages(this.#parts.clock.now())
      if (goneCount > 0) throw new EdgemountError('exhausted', `Cannot keep the listings of "${path}" offline: the browser has no room for them; free some on this machine, or pin less`)
      await this.#write({ ...done, path, seq, version, generation, nextSeq: undefined })
      await this.#release(owner, mark)
      return done
    } catch (error) {
      const code = codeOf(error)
      // What cannot be done at all is no pin that waits to be finished.
      if (before.seq === undefined && ['exhausted', 'not-found', 'invalid', 'closed'].includes(code)) await this.#remove(path, newest)
      throw error
    } finally {
      await view.close()
    }
  }

  #tell(pins: Map<string, KeptPin>, path: string, progress: PinProgress): void {
    const pin = pins.get(path)
    if (pin === undefined) throw new EdgemountError('closed', `Cannot go on pinning "${path}": it was unpinned`)
    const others = [...pins.values()].reduce((sum, other) => sum + (other.path === path ? 0 : other.totalBytes), 0)
    const bytesMax = this.#parts.bytesMax()
    if (others + progress.totalBytes > bytesMax) {
      const room = others === 0 ? '' : `, and ${others} are pinned already`
      throw new EdgemountError('exhausted', `Cannot pin "${path}": it has ${progress.totalBytes} bytes${room}; ${bytesMax} may be: unpin something, or register the volume with more pinBytes`)
    }
    if (pin.seq === undefined) pins.set(path, { ...pin, ...progress })
    for (const listener of this.#listeners.get(path) ?? []) listener(progress)
  }

  /** What is kept for other commits may be evicted. */
  async #release(owner: string, current: string | undefined): Promise<void> {
    const { prefix, table } = this.#parts
    for (const mark of await table.pins()) if (ownerWithin(mark, prefix) === owner && mark !== current) await table.pin(mark, false)
    const keys = new Set((await this.all()).map(viewKey))
    // Requests that read there go on.
    for (const known of this.#views.keys()) if (!keys.has(known)) this.#views.delete(known)
  }

  /** What holds a commit that is pinned. */
  #markOf({ path, seq = 0, generation = '' }: Pick<KeptPin, 'path' | 'seq' | 'generation'>, address: VolumeName): string {
    return markOf({ prefix: this.#parts.prefix, seq, generation, owner: ownerOf(address, path) })
  }

  async #write(pin: KeptPin): Promise<void> {
    const pins = await this.#pins()
    pins.set(pin.path, pin)
    await this.#parts.book.write(pin)
  }

  #pins(): Promise<Map<string, KeptPin>> {
    if (this.#known !== undefined) return this.#known
    const known = this.#parts.book.read().then((pins) => new Map(pins.map((pin) => [pin.path, pin])))
    known.catch(() => (this.#known = undefined))
    return (this.#known = known)
  }
}

function viewKey({ seq = 0, generation = '' }: Pick<KeptPin, 'seq' | 'generation'>): string {
  return `${seq}.${generation}`
}

/** As the cache names it. */
function ownerOf({ edge, name }: VolumeName, path: string): string {
  return `${edge}/${name}${path === '/' ? '' : path}`
}

function isWithin(path: string, folder: string): boolean {
  return folder === '/' || path === folder || path.startsWith(`${folder}/`)
}
