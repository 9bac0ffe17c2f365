/**
 * Verified chunks: from memory, from the cache, or from the edge by ranged GETs that each bring several. Called by `file-reader.ts`.
 *
 * One piece of work for a chunk, however many want it; it ends with the last of them. Demand goes before speculation, which may take only some of the places.
 * INVARIANT: nothing is given out, kept or counted as a hit that was not hashed by us.
 */
import { abortError, throwIfAborted, untilAborted } from '../../shared/abort.ts'
import { EdgemountError } from '../../shared/error.ts'
import { getBytesMax, gather } from '../../shared/fetch/gather.ts'
import type { Hash } from '../../shared/format/entry.ts'
import type { HashFunction } from '../../shared/hash.ts'
import type { ByteRange } from '../../shared/range.ts'
import type { ChunkCache } from '../../shared/volume/chunk-cache.ts'
import type { Cache } from './cache.ts'
import type { CacheOwner } from './cache-table.ts'

/** A chunk, and where the edge has it: in a pack, or in a file for who may not read packs. */
export interface ChunkPlace {
  readonly hash: Hash
  readonly source: string
  readonly offset: number
  readonly length: number
}

/** For whom chunks are read: what is kept of other versions of it can go when it has moved on. */
export interface ChunkOwner extends CacheOwner {
  readonly path: string
}

export interface ChunkOptions {
  readonly owner: ChunkOwner
  readonly isDemand: boolean
  readonly signal: AbortSignal
}

export interface ChunkParts {
  readonly memory: ChunkCache
  readonly cache: Cache | undefined
  readonly hash: HashFunction
  /** Bytes of a source, all of the range. Tries again by itself. */
  readonly readSlice: (source: string, range: ByteRange, signal: AbortSignal) => Promise<Uint8Array>
}

export interface ChunkCounts {
  memoryHits: number
  cacheHits: number
  fetched: number
  bytesFromMemory: number
  bytesFromCache: number
  /** Bytes on the network that did not match their hash. */
  corruptFetches: number
}

interface Job {
  readonly place: ChunkPlace
  readonly owner: ChunkOwner
  readonly result: PromiseWithResolvers<Uint8Array>
  isDemand: boolean
  waiterCount: number
  get: Get | undefined
}

interface Get {
  readonly jobs: ReadonlySet<Job>
  readonly isDemand: boolean
  readonly controller: AbortController
}

/** As many connections as browsers open to one host over HTTP/1.1. */
const getsMax = 6
const speculativeGetsMax = 4
/** Below this a request costs more than its bytes. */
const getBytesMin = 1024 * 1024

/** What a chunk is kept under. */
export function keyOfChunk(hash: Hash): string {
  return `c/${hash}`
}

export class Chunks {
  readonly counts: ChunkCounts = { memoryHits: 0, cacheHits: 0, fetched: 0, bytesFromMemory: 0, bytesFromCache: 0, corruptFetches: 0 }
  readonly #parts: ChunkParts
  /** By hash. */
  readonly #jobs = new Map<Hash, Job>()
  /** Those that wait for a place, in the order they came. */
  readonly #queue = new Set<Job>()
  readonly #gets = new Set<Get>()
  readonly #beginning: Job[] = []

  constructor(parts: ChunkParts) {
    this.#parts = parts
  }

  /** All of these, verified, in their order. They are shared: nobody writes into them. */
  async read(places: readonly ChunkPlace[], options: ChunkOptions): Promise<readonly Uint8Array[]> {
    throwIfAborted(options.signal)
    const begun: Job[] = []
    const reads = places.map((place) => this.#readOne(place, options, begun))
    if (begun.length > 0) this.#beginSoon(begun)
    // What was only fetched ahead may be wanted now.
    if (options.isDemand && begun.length < places.length) this.#pump()
    return await Promise.all(reads)
  }

  async #readOne(place: ChunkPlace, { owner, isDemand, signal }: ChunkOptions, begun: Job[]): Promise<Uint8Array> {
    const held = this.#parts.memory.get(place.hash)
    if (held?.length === place.length) {
      this.counts.memoryHits += 1
      this.counts.bytesFromMemory += held.length
      return held
    }
    let job = this.#jobs.get(place.hash)
    if (job === undefined || job.place.length !== place.length) {
      job = { place, owner, result: Promise.withResolvers(), isDemand, waiterCount: 0, get: undefined }
      // Whoever waits hears of it; a speculation that failed is nobody's.
      job.result.promise.catch(() => undefined)
      this.#jobs.set(place.hash, job)
      begun.push(job)
    }
    job.isDemand ||= isDemand
    job.waiterCount += 1
    try {
      return await untilAborted(job.result.promise, signal)
    } finally {
      job.waiterCount -= 1
      if (job.waiterCount === 0) this.#leave(job)
    }
  }

  /** Nobody waits for it any more. */
  #leave(job: Job): void {
    this.#forget(job)
    if (job.get !== undefined && [...job.get.jobs].every(({ waiterCount }) => waiterCount === 0)) job.get.controller.abort()
  }

  #forget(job: Job): void {
    this.#queue.delete(job)
    if (this.#jobs.get(job.place.hash) === job) this.#jobs.delete(job.place.hash)
  }

  /** All that is asked for in one turn is looked for at once, and fetched together. */
  #beginSoon(jobs: readonly Job[]): void {
    this.#beginning.push(...jobs)
    if (this.#beginning.length > jobs.length) return
    queueMicrotask(() => void this.#begin(this.#beginning.splice(0)))
  }

  /** Looks into the cache first; never rejects. */
  async #begin(jobs: readonly Job[]): Promise<void> {
    const { cache, hash } = this.#parts
    const found = (await cache?.get(jobs.map(({ place }) => keyOfChunk(place.hash)))) ?? []
    await Promise.all(
      jobs.map(async (job, index) => {
        const bytes = found[index]
        if (bytes === undefined) return this.#enqueue(job)
        if (bytes.length === job.place.length && (await hash(bytes)) === job.place.hash) {
          this.counts.cacheHits += 1
          this.counts.bytesFromCache += bytes.length
          return this.#deliver(job, bytes)
        }
        await cache?.dropCorrupt(keyOfChunk(job.place.hash))
        this.#enqueue(job)
      }),
    )
    this.#pump()
  }

  #enqueue(job: Job): void {
    if (job.waiterCount > 0) this.#queue.add(job)
  }

  /** Starts requests while there are places. */
  #pump(): void {
    while (this.#gets.size < getsMax) {
      const next = this.#nextGet()
      if (next === undefined) return
      void this.#run(next)
    }
  }

  #nextGet(): { readonly source: string; readonly range: ByteRange; readonly get: Get } | undefined {
    const waiting = [...this.#queue]
    const first = waiting.find((job) => job.isDemand) ?? waiting[0]
    if (first === undefined) return undefined
    if (!first.isDemand && [...this.#gets].filter((get) => !get.isDemand).length >= speculativeGetsMax) return undefined
    const { source } = first.place
    const wants = waiting.filter((job) => job.place.source === source).map((job) => ({ pointer: job.place, isDemand: job.isDemand, job }))
    // What is wanted now is spread over the places that are free.
    const demandBytes = waiting.reduce((sum, job) => sum + (job.isDemand ? job.place.length : 0), 0)
    const share = Math.ceil(demandBytes / (getsMax - this.#gets.size))
    const bytesMax = first.isDemand ? Math.min(getBytesMax, Math.max(getBytesMin, share)) : getBytesMax
    const chosen = gather(wants, bytesMax).find((gathering) => gathering.wants.some(({ job }) => job === first))!
    const get: Get = { jobs: new Set(chosen.wants.map(({ job }) => job)), isDemand: chosen.isDemand, controller: new AbortController() }
    for (const job of get.jobs) {
      this.#queue.delete(job)
      job.get = get
    }
    this.#gets.add(get)
    return { source, range: chosen.range, get }
  }

  /** Never rejects. Twice: bytes that were damaged on the way are right the second time, bytes damaged at rest are not. */
  async #run({ source, range, get }: { readonly source: string; readonly range: ByteRange; readonly get: Get }): Promise<void> {
    try {
      for (let tryCount = 1; ; tryCount += 1) {
        const bytes = await this.#parts.readSlice(source, range, get.controller.signal)
        const wrong = await this.#take(get, range, bytes)
        if (wrong.length === 0) break
        this.counts.corruptFetches += wrong.length
        if (tryCount === 1) continue
        for (const { result, owner } of wrong) {
          const where = `bytes ${range.start} to ${range.end} of "${source}"`
          result.reject(new EdgemountError('corrupt', `Cannot read "${owner.path}": ${where} do not match their hashes; repair the volume, or read an older commit`))
        }
        break
      }
    } catch (error) {
      const why = get.controller.signal.aborted ? abortError(get.controller.signal) : error
      for (const { result } of get.jobs) result.reject(why)
    }
    this.#gets.delete(get)
    for (const job of get.jobs) this.#forget(job)
    this.#pump()
  }

  /** Delivers what is right; gives what is not. */
  async #take(get: Get, range: ByteRange, bytes: Uint8Array): Promise<Job[]> {
    const wrong = await Promise.all(
      [...get.jobs].map(async (job) => {
        const { hash, offset, length } = job.place
        const cut = bytes.subarray(offset - range.start, offset - range.start + length)
        if ((await this.#parts.hash(cut)) !== hash) return job
        // Copied: it is a view of a much longer answer, which would live as long as it.
        const own = cut.slice()
        if (this.#jobs.get(hash) === job) this.#parts.cache?.keep(keyOfChunk(hash), own, job.owner)
        this.counts.fetched += 1
        this.#deliver(job, own)
        return undefined
      }),
    )
    return wrong.filter((job) => job !== undefined)
  }

  #deliver(job: Job, bytes: Uint8Array): void {
    this.#parts.memory.keep(job.place.hash, bytes)
    job.result.resolve(bytes)
    this.#forget(job)
  }
}
