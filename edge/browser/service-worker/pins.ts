/**
 * Folders of one volume that are kept for reading offline, each whole and as one commit left it. Called by `served-volume.ts`.
 *
 * INVARIANT: an older commit of a pin is let go only when all of the newer one is kept: listings, manifests and chunks.
 */
import type { Clock } from '../../../shared/clock.ts'
import { EdgemountError, codeOf } from '../../../shared/error.ts'
import { SingleFlight } from '../../../shared/lifetime.ts'
import type { CacheTable } from '../cache-table.ts'
import type { PinProgress } from '../pin.ts'
import type { BrowserVolume } from '../volume.ts'
import { PinTable, type PinnedCommit, ownerAt, ownerWithin } from './pin-table.ts'
import type { KeptPin, PinBook } from './worker-book.ts'

export interface PinsParts {
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

const nothing: PinProgress = { files: 0, bytes: 0, totalFiles: 0, totalBytes: 0 }

export class Pins {
  readonly #parts: PinsParts
  /** By path; read from the book once. */
  #known: Promise<Map<string, KeptPin>> | undefined
  readonly #flights = new SingleFlight<string, PinProgress>()
  readonly #listeners = new Map<string, Set<(progress: PinProgress) => void>>()
  /** By seq. */
  readonly #views = new Map<number, Promise<BrowserVolume>>()

  constructor(parts: PinsParts) {
    this.#parts = parts
  }

  async all(): Promise<readonly KeptPin[]> {
    return [...(await this.#pins()).values()]
  }

  /** Where a path is kept whole: at the newest such commit. */
  async view(path: string): Promise<BrowserVolume | undefined> {
    const seqs = (await this.all()).flatMap((pin) => (pin.seq !== undefined && isWithin(path, pin.path) ? [pin.seq] : []))
    if (seqs.length === 0) return undefined
    const seq = Math.max(...seqs)
    let view = this.#views.get(seq)
    if (view === undefined) {
      view = this.#parts.open(seq, this.#parts.table, undefined)
      this.#views.set(seq, view)
      view.catch(() => this.#views.delete(seq))
    }
    return await view
  }

  /** Has it kept as the newest commit has it, from where an earlier call stopped. Who asks for the same at once shares the work. */
  async keep(path: string, newest: BrowserVolume, { signal, onProgress }: PinAsk): Promise<PinProgress> {
    const listeners = this.#listeners.get(path) ?? new Set()
    this.#listeners.set(path, listeners)
    listeners.add(onProgress)
    try {
      return await this.#flights.run(path, (ending) => this.#keep(path, newest, ending), signal)
    } finally {
      listeners.delete(onProgress)
    }
  }

  async remove(path: string, address: VolumeName): Promise<void> {
    const pins = await this.#pins()
    pins.delete(path)
    await this.#parts.book.remove(path)
    await this.#release(ownerOf(address, path), undefined)
    // Chunks that it had in common with another are the other's again.
    for (const pin of pins.values()) await this.#write({ ...pin, nextSeq: pin.seq ?? pin.nextSeq })
  }

  /** Whoever asked for it wants it no longer: what was never whole is no pin, unless somebody else still waits for it. */
  async giveUp(path: string, address: VolumeName): Promise<void> {
    const pin = (await this.#pins()).get(path)
    if (pin !== undefined && pin.seq === undefined && !this.#flights.has(path)) await this.remove(path, address)
  }

  /** Goes on with what is unfinished, and follows the newest commit. What fails now is tried the next time; what is gone there is no longer pinned. */
  async update(newest: BrowserVolume, { signal, isDoubtful }: { readonly signal: AbortSignal; readonly isDoubtful: boolean }): Promise<void> {
    // Without its mark it was cleared away, by a page or a person.
    const marks = new Set(await this.#parts.table.pins())
    for (const pin of await this.all()) {
      if (signal.aborted) return
      try {
        const { version } = await newest.stat(pin.path, { signal })
        const { seq, generation = '' } = pin
        const isKept = seq !== undefined && pin.nextSeq === undefined && marks.has(ownerAt({ seq, generation }, ownerOf(newest, pin.path)))
        const isSame = version === pin.version && newest.generation === generation
        if (isDoubtful || !isKept || !isSame) await this.keep(pin.path, newest, { signal, onProgress: () => undefined })
      } catch (error) {
        if (codeOf(error) === 'not-found' && !newest.isOffline) await this.remove(pin.path, newest)
      }
    }
  }

  /** Nothing is kept any more: what is pinned must be fetched anew. */
  async forget(address: VolumeName): Promise<void> {
    this.#views.clear()
    for (const pin of await this.all()) {
      await this.#release(ownerOf(address, pin.path), undefined)
      await this.#write({ ...pin, ...nothing, seq: undefined, version: undefined, nextSeq: pin.seq ?? pin.nextSeq ?? 0 })
    }
  }

  async #keep(path: string, newest: BrowserVolume, signal: AbortSignal): Promise<PinProgress> {
    const pins = await this.#pins()
    const { seq, generation } = newest
    const owner = ownerOf(newest, path)
    const before = pins.get(path) ?? { ...nothing, path, seq: undefined, version: undefined, generation: undefined, nextSeq: undefined }
    const table = new PinTable(this.#parts.table, { seq, generation }, owner)
    const view = await this.#parts.open(seq, table, signal)
    try {
      const { version, path: reached } = await view.stat(path, { signal })
      if (reached !== path) throw new EdgemountError('invalid', `Cannot pin "${path}": it leads to "${reached}"; pin that`)
      await this.#write({ ...before, nextSeq: seq })
      const done = await view.pin(path, { signal, onProgress: (progress) => this.#tell(pins, path, progress) })
      const goneCount = await table.keepPages(this.#parts.clock.now())
      if (goneCount > 0) throw new EdgemountError('exhausted', `Cannot keep the listings of "${path}" offline: the browser has no room for them; free some on this machine, or pin less`)
      await this.#write({ ...done, path, seq, version, generation, nextSeq: undefined })
      await this.#release(owner, { seq, generation })
      return done
    } catch (error) {
      const code = codeOf(error)
      // What cannot be done at all is no pin that waits to be finished.
      if (before.seq === undefined && ['exhausted', 'not-found', 'invalid', 'closed'].includes(code)) await this.remove(path, newest)
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
  async #release(owner: string, commit: PinnedCommit | undefined): Promise<void> {
    const { table } = this.#parts
    const current = commit === undefined ? undefined : ownerAt(commit, owner)
    for (const mark of await table.pins()) if (ownerWithin(mark) === owner && mark !== current) await table.pin(mark, false)
    const seqs = new Set((await this.all()).map((pin) => pin.seq))
    // Requests that read there go on.
    for (const known of this.#views.keys()) if (!seqs.has(known)) this.#views.delete(known)
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

/** As the cache names it. */
function ownerOf({ edge, name }: VolumeName, path: string): string {
  return `${edge}/${name}${path === '/' ? '' : path}`
}

function isWithin(path: string, folder: string): boolean {
  return folder === '/' || path === folder || path.startsWith(`${folder}/`)
}
