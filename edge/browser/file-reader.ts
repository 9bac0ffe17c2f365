/**
 * Reads one version of one file: finds its chunks, has them brought, and lets the governor fetch ahead. Called by `volume.ts`, one for each file that was read lately.
 */
import { throwIfAborted } from '../../shared/abort.ts'
import type { Clock } from '../../shared/clock.ts'
import { EdgemountError } from '../../shared/error.ts'
import { Governor, type Plan } from '../../shared/fetch/governor.ts'
import type { NetworkEstimate } from '../../shared/fetch/network-estimate.ts'
import type { SpeculationBudget } from '../../shared/fetch/speculation-budget.ts'
import type { PlacedRun } from '../../shared/format/manifest-page.ts'
import { SingleFlight } from '../../shared/lifetime.ts'
import { type ByteRange, intersectRanges } from '../../shared/range.ts'
import type { Cache } from './cache.ts'
import { type ChunkOwner, type ChunkPlace, type Chunks, keyOfChunk } from './chunks.ts'
import type { FoundEntry, Tree } from './tree.ts'

export interface FileReaderParts {
  readonly tree: Tree
  readonly chunks: Chunks
  readonly clock: Clock
  readonly network: NetworkEstimate
  readonly budget: SpeculationBudget
  /** Where the edge has a run's chunk. */
  readonly placeOf: (path: string, placed: PlacedRun & { readonly run: { readonly kind: 'chunk' } }) => ChunkPlace
}

/** So much of a manifest is looked up at a time: a page or two. */
const windowBytes = 64 * 1024 * 1024
const windowsMax = 16
/** So much is asked for at once. */
const partBytes = 32 * 1024 * 1024
/** So much of a file is held while it is pinned: of four at once less than what may wait for the cache. */
const keptPartBytes = 4 * 1024 * 1024
/** Beyond this a whole array is a bad idea. */
const readBytesMax = 1024 * 1024 * 1024

interface Ahead {
  readonly range: ByteRange
  readonly controller: AbortController
}

export class FileReader {
  readonly found: FoundEntry
  readonly owner: ChunkOwner
  readonly #parts: FileReaderParts
  readonly #governor: Governor
  /** By their index, in order of last use. */
  readonly #windows = new Map<number, readonly PlacedRun[]>()
  readonly #flights = new SingleFlight<number, readonly PlacedRun[]>()
  readonly #ahead = new Set<Ahead>()
  readonly #closing = new AbortController()

  constructor(parts: FileReaderParts, found: FoundEntry, owner: ChunkOwner) {
    this.#parts = parts
    this.found = found
    this.owner = owner
    this.#governor = new Governor(found.entry.size, parts.budget)
  }

  get size(): number {
    return this.found.entry.size
  }

  /** The bytes of a range within the file; they are the caller's. */
  async read(range: ByteRange, signal: AbortSignal | undefined): Promise<Uint8Array<ArrayBuffer>> {
    throwIfAborted(signal)
    const length = range.end - range.start
    const { content } = this.found.entry
    if (content.kind === 'inline') return new Uint8Array(content.bytes.slice(range.start, range.end))
    if (length > readBytesMax) throw new EdgemountError('exhausted', `Cannot read ${length} bytes of "${this.found.path}" at once: stream them, or read parts`)
    const bytes = new Uint8Array(length)
    if (length === 0) return bytes
    const ending = signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal])
    // A part at a time, so that beside the array itself not all of its chunks are held.
    for (let at = range.start; at < range.end; at += partBytes) await this.#readPart({ start: at, end: Math.min(range.end, at + partBytes) }, bytes.subarray(at - range.start), ending)
    return bytes
  }

  /** All runs of the file. */
  async runs(range: ByteRange, signal: AbortSignal | undefined): Promise<readonly PlacedRun[]> {
    const runs: PlacedRun[] = []
    for (let index = Math.floor(range.start / windowBytes); index * windowBytes < range.end; index += 1) {
      for (const placed of await this.#window(index, signal)) {
        // A run across the border of two windows is in both.
        if (placed.start !== runs.at(-1)?.start) runs.push(placed)
      }
    }
    return runs.filter(({ start, run }) => intersectRanges({ start, end: start + run.length }, range) !== undefined)
  }

  /** Has all chunks kept and held by a pin: a part at a time, each told. Throws `exhausted` when the browser does not keep them. */
  async keep(cache: Cache, pin: string, signal: AbortSignal, onPart: (bytes: number) => void): Promise<void> {
    for (let start = 0; start < this.size; start += keptPartBytes) {
      const range = { start, end: Math.min(this.size, start + keptPartBytes) }
      if (this.found.entry.content.kind !== 'inline') await this.#keepPart(cache, pin, range, signal)
      onPart(range.end - range.start)
    }
  }

  /** Gives up what is fetched ahead; reads under way end with `closed`. */
  close(): void {
    this.#governor.close()
    for (const { controller } of this.#ahead) controller.abort()
    this.#closing.abort(new EdgemountError('closed', `Cannot read "${this.found.path}": the volume is closed`))
  }

  /** Gives up what is fetched ahead; reads under way go on. */
  retire(): void {
    this.#governor.close()
    for (const { controller } of this.#ahead) controller.abort()
  }

  async #readPart(range: ByteRange, into: Uint8Array, signal: AbortSignal): Promise<void> {
    const chunks = await this.#chunksOf(range, signal)
    const work = this.#parts.chunks.read(chunks.map(({ place }) => place), { owner: this.owner, isDemand: true, signal })
    const isHit = await isSettled(work)
    this.#obey(this.#governor.observe({ offset: range.start, length: range.end - range.start, isHit, nowMs: this.#parts.clock.now(), rttMs: this.#parts.network.rttMs }))
    const found = await work
    for (const [index, { start }] of chunks.entries()) {
      const chunk = found[index]!
      const from = Math.max(0, range.start - start)
      into.set(chunk.subarray(from, Math.min(chunk.length, range.end - start)), start + from - range.start)
    }
  }

  /** What is kept already is not read: whoever reads it will verify it. */
  async #keepPart(cache: Cache, pin: string, range: ByteRange, signal: AbortSignal): Promise<void> {
    const places = (await this.#chunksOf(range, signal)).map(({ place }) => place)
    const absent = new Set(await cache.hold(places.map(({ hash }) => keyOfChunk(hash)), pin))
    if (absent.size === 0) return
    const wanted = places.filter(({ hash }) => absent.has(keyOfChunk(hash)))
    const owner = { ...this.owner, pins: [pin] }
    const chunks = await this.#parts.chunks.read(wanted, { owner, isDemand: false, signal })
    const keys = wanted.map(({ hash }) => keyOfChunk(hash))
    // What came from memory is not in the cache.
    for (const key of await cache.hold(keys, pin)) cache.keep(key, chunks[keys.indexOf(key)]!, owner)
    if ((await cache.hold(keys, pin)).length === 0) return
    throw new EdgemountError('exhausted', `Cannot keep "${this.found.path}" offline: the browser has no room for it; free some on this machine, or pin less`)
  }

  async #chunksOf(range: ByteRange, signal: AbortSignal): Promise<{ readonly start: number; readonly place: ChunkPlace }[]> {
    const chunks: { readonly start: number; readonly place: ChunkPlace }[] = []
    let end = range.start
    for (const { start, run } of await this.runs(range, signal)) {
      if (start > end) break
      end = start + run.length
      if (run.kind === 'chunk') chunks.push({ start, place: this.#parts.placeOf(this.found.path, { start, run }) })
    }
    if (end < range.end) throw new EdgemountError('corrupt', `Cannot read "${this.found.path}": its manifest has nothing for byte ${end}`)
    return chunks
  }

  async #window(index: number, signal: AbortSignal | undefined): Promise<readonly PlacedRun[]> {
    const held = this.#windows.get(index)
    this.#windows.delete(index)
    const range = { start: index * windowBytes, end: Math.min((index + 1) * windowBytes, this.size) }
    const runs = held ?? (await this.#flights.run(index, (flightSignal) => this.#parts.tree.runs(this.found, range, flightSignal), signal))
    this.#windows.set(index, runs)
    const oldest = this.#windows.keys().next().value
    if (this.#windows.size > windowsMax && oldest !== undefined) this.#windows.delete(oldest)
    return runs
  }

  #obey(plan: Plan): void {
    for (const range of plan.cancel) {
      for (const ahead of this.#ahead) if (ahead.range.start >= range.start && ahead.range.end <= range.end) ahead.controller.abort()
    }
    for (const range of plan.speculate) void this.#fetchAhead({ range, controller: new AbortController() })
  }

  /** Never rejects: whoever needs the bytes will ask for them and hear why not. */
  async #fetchAhead(ahead: Ahead): Promise<void> {
    const { signal } = ahead.controller
    this.#ahead.add(ahead)
    try {
      const chunks = await this.#chunksOf(ahead.range, signal)
      await this.#parts.chunks.read(chunks.map(({ place }) => place), { owner: this.owner, isDemand: false, signal })
    } catch {
      // See above.
    } finally {
      this.#ahead.delete(ahead)
    }
  }
}

/** Whether it is done within a few turns of this thread, which is what memory takes. */
async function isSettled(work: Promise<unknown>): Promise<boolean> {
  const state = { isDone: false }
  const settle = (): void => void (state.isDone = true)
  work.then(settle, settle)
  for (let turn = 0; turn < 8 && !state.isDone; turn += 1) await Promise.resolve()
  return state.isDone
}
