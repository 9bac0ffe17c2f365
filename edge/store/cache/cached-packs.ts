/**
 * A volume's store with its packs behind a cache of blocks. Everything else passes through: packs alone never change, and what is not there may come.
 *
 * INVARIANT: only whole blocks of objects that were found are kept; nothing of a failed, short or absent answer is. No two volumes share a block, also of one name
 * in two stores, or of one that was made again: the key holds the store, the name and the volume's id.
 */
import { concatBytes } from '../../../shared/bytes.ts'
import { EdgemountError } from '../../../shared/error.ts'
import { PassingStore } from '../../../shared/passing-store.ts'
import { type ByteRange, clampRange, rangeLength } from '../../../shared/range.ts'
import type { GetOptions, ObjectStore, StoredObject } from '../../../shared/store.ts'
import type { ReadBudget } from '../../../shared/volume/read-budget.ts'
import { streamOf, streamOfPieces } from '../stream.ts'
import { type BlockCache, type BlockPart, blockBytes } from './block-cache.ts'
import { BlockFlights } from './block-flights.ts'
import type { CacheCounts } from './cache-counts.ts'

/** What mounts and the engine ask for. */
const wholeBytesDefault = 8 * blockBytes
/** Of longer ranges nothing is kept: they are read once, and would push everything else out. */
const keptBytesMax = 8 * blockBytes
/** What a stream from block to block holds, where little may be held. */
const pieceBytes = 256 * 1024

export interface CachedPacksParts {
  readonly blocks: BlockCache
  /** What all that is being fetched may hold, in all volumes and requests; who gets no room fetches what was asked for, and keeps nothing. */
  readonly fills: ReadBudget
  /** Whose cache it is, where edges of several stores have one in common. */
  readonly owner?: string | undefined
  /** The longest range that is put together in memory; 8 MiB unless given. */
  readonly wholeBytesMax?: number | undefined
  readonly counts: CacheCounts
  /** Told of work that nobody waits for. */
  readonly background: (work: Promise<unknown>) => void
}

export class CachedPacks extends PassingStore {
  readonly #parts: CachedPacksParts
  readonly #flights = new BlockFlights<Fetched | undefined>()
  #owner: string | undefined

  constructor(store: ObjectStore, parts: CachedPacksParts) {
    super(store)
    this.#parts = parts
  }

  /** Whose packs they are; until that is known nothing is kept. */
  belongTo(volumeId: string): void {
    this.#owner = [this.#parts.owner ?? '', volumeId, this.label].join('/')
  }

  override async get(key: string, options: GetOptions = {}): Promise<StoredObject | undefined> {
    if (this.#owner === undefined || !isPack(key)) return await this.store.get(key, options)
    const range = options.range ?? (await this.#wholeRange(key, options))
    if (range === undefined) return await this.store.get(key, options)
    if (range.start >= range.end) return await this.#sizeOnly(key, options)
    if (rangeLength(range) > (this.#parts.wholeBytesMax ?? wholeBytesDefault)) return await this.#long(key, range, options)
    return await this.#short(key, range, options)
  }

  /** Undefined while the size is not known here. */
  async #wholeRange(key: string, { isFresh = false }: GetOptions): Promise<ByteRange | undefined> {
    const first = isFresh ? undefined : await this.#held(key, 0, { start: 0, end: 0 })
    return first === undefined ? undefined : { start: 0, end: first.objectBytes }
  }

  async #sizeOnly(key: string, options: GetOptions): Promise<StoredObject | undefined> {
    const whole = await this.#wholeRange(key, options)
    return whole === undefined ? await this.store.get(key, options) : foundObject(key, whole.end, new Uint8Array())
  }

  async #short(key: string, range: ByteRange, options: GetOptions): Promise<StoredObject | undefined> {
    const { counts, fills } = this.#parts
    const indices = indicesOf(range)
    const parts = options.isFresh === true ? [] : await Promise.all(indices.map((index) => this.#held(key, index, range)))
    const hits = parts.filter((part) => part !== undefined)
    counts.hit(hits)
    const end = Math.min(range.end, hits[0]?.objectBytes ?? range.end)
    const missing = indices.filter((index, at) => parts[at] === undefined && index * blockBytes < end)
    if (missing.length === 0) return foundObject(key, hits[0]!.objectBytes, joined(hits))
    counts.misses.add(missing.length)
    const bytes = missing.length * blockBytes
    if (!fills.tryTake(bytes)) {
      counts.bypasses.add()
      return await this.store.get(key, options)
    }
    try {
      const fetched = await this.#fetchMissing(key, missing, options)
      if (fetched === undefined) return undefined
      const found = indices.flatMap((index, at) => parts[at] ?? cut(fetched.blocks.get(index), partOf(range, index)) ?? [])
      return foundObject(key, fetched.objectBytes, joined(found))
    } finally {
      fills.release(bytes)
    }
  }

  /** Undefined when there is no such object. Neighbours that nobody fetches yet become one request. */
  async #fetchMissing(key: string, missing: readonly number[], options: GetOptions): Promise<Fetched | undefined> {
    const { signal, isFresh = false } = options
    const answers: Promise<Fetched | undefined>[] = []
    const isUnderWay = (index: number): boolean => !isFresh && this.#flights.has(this.#blockKey(key, index))
    for (let at = 0; at < missing.length; ) {
      const first = missing[at]!
      let count = 1
      if (isUnderWay(first)) answers.push(this.#flights.join(this.#blockKey(key, first), signal))
      else {
        while (missing[at + count] === first + count && !isUnderWay(first + count)) count += 1
        const keys = Array.from({ length: count }, (_, index) => this.#blockKey(key, first + index))
        const range = { start: first * blockBytes, end: (first + count) * blockBytes }
        const fetchRun = (flightSignal?: AbortSignal): Promise<Fetched | undefined> => this.#fetch(key, { ...options, range, signal: flightSignal })
        answers.push(isFresh ? fetchRun(signal) : this.#flights.start(keys, fetchRun, signal))
      }
      at += count
    }
    const found = await Promise.all(answers)
    if (found.includes(undefined)) return undefined
    const blocks = new Map(found.flatMap((each) => [...(each?.blocks ?? [])]))
    return { objectBytes: found[0]!.objectBytes, blocks }
  }

  /** A range that begins with a block and ends with one, or with the object. */
  async #fetch(key: string, options: GetOptions & { readonly range: ByteRange }): Promise<Fetched | undefined> {
    const { blocks, counts, fills, background } = this.#parts
    const found = await this.store.get(key, options)
    if (found === undefined) return undefined
    const bytes = await found.bytes()
    const range = clampRange(options.range, found.size)
    if (bytes.length !== rangeLength(range)) {
      throw new EdgemountError('unavailable', `Cannot read "${key}" from ${this.label}: ${bytes.length} of ${rangeLength(range)} bytes came; try again`)
    }
    counts.filledBytes.add(bytes.length)
    const fetched = new Map<number, BlockPart>()
    for (let start = range.start; start < range.end; start += blockBytes) {
      const block = { objectBytes: found.size, bytes: bytes.subarray(start - range.start, start - range.start + blockBytes) }
      fetched.set(start / blockBytes, block)
    }
    fills.take(bytes.length)
    const kept = Promise.all(Array.from(fetched, ([index, block]) => blocks.put(this.#blockKey(key, index), block)))
    background(kept.finally(() => fills.release(bytes.length)))
    return { objectBytes: found.size, blocks: fetched }
  }

  async #long(key: string, range: ByteRange, options: GetOptions): Promise<StoredObject | undefined> {
    const { start } = range
    const isKept = rangeLength(range) <= keptBytesMax
    // The first block tells the size; what is longer than will be kept is asked for whole unless that is here.
    const first = isKept ? await this.#short(key, { start, end: start + 1 }, options) : await this.#first(key, start, options)
    if (first === undefined) return isKept ? undefined : await this.store.get(key, options)
    const wanted = clampRange(range, first.size)
    const pieces = (): AsyncGenerator<Uint8Array> => this.#pieces(key, wanted, isKept, options)
    return {
      size: first.size,
      etag: key,
      bytes: async () => await new Response(streamOfPieces(pieces())).bytes(),
      stream: () => streamOfPieces(pieces()),
    }
  }

  async #first(key: string, start: number, { isFresh = false }: GetOptions): Promise<{ readonly size: number } | undefined> {
    const held = isFresh ? undefined : await this.#held(key, Math.floor(start / blockBytes), { start, end: start })
    return held === undefined ? undefined : { size: held.objectBytes }
  }

  /** From block to block while they are here, or may be kept; then the rest from the store. */
  async *#pieces(key: string, wanted: ByteRange, isKept: boolean, options: GetOptions): AsyncGenerator<Uint8Array> {
    for (let at = wanted.start; at < wanted.end; ) {
      const index = Math.floor(at / blockBytes)
      const part = { start: at, end: Math.min(wanted.end, (index + 1) * blockBytes, isKept ? at + pieceBytes : Infinity) }
      let held = options.isFresh === true ? undefined : await this.#held(key, index, part)
      if (held !== undefined) this.#parts.counts.hit([held])
      else if (isKept && this.#hasRoom()) {
        const found = await this.#short(key, part, options)
        held = found && { objectBytes: found.size, bytes: await found.bytes() }
      }
      if (held === undefined) {
        const rest = await this.store.get(key, { ...options, range: { start: at, end: wanted.end } })
        if (rest === undefined) throw new EdgemountError('not-found', `Cannot read "${key}" from ${this.label}: it was deleted while it was read`)
        yield* rest.stream()
        return
      }
      if (held.bytes.length === 0) throw new EdgemountError('unavailable', `Cannot read "${key}" from ${this.label}: it ends at ${at}`)
      yield held.bytes
      at += held.bytes.length
    }
  }

  #hasRoom(): boolean {
    const { fills } = this.#parts
    return fills.heldBytes + blockBytes <= fills.heldBytesMax
  }

  /** What is here of a range in one block. A block that is not as long as it must be is none. */
  async #held(key: string, index: number, range: ByteRange): Promise<BlockPart | undefined> {
    const part = partOf(range, index)
    const held = await this.#parts.blocks.get(this.#blockKey(key, index), part)
    if (held === undefined) return undefined
    const length = rangeLength(clampRange(part, Math.max(0, held.objectBytes - index * blockBytes)))
    return held.bytes.length === length ? held : undefined
  }

  #blockKey(key: string, index: number): string {
    return `${this.#owner}/${key}/${index}`
  }
}

interface Fetched {
  readonly objectBytes: number
  /** By index; none beyond the object's end. */
  readonly blocks: ReadonlyMap<number, BlockPart>
}

function isPack(key: string): boolean {
  return key.startsWith('data/') || key.startsWith('meta/')
}

/** The range is not empty. */
function indicesOf({ start, end }: ByteRange): number[] {
  const first = Math.floor(start / blockBytes)
  return Array.from({ length: Math.ceil(end / blockBytes) - first }, (_, index) => first + index)
}

/** What a range wants of a block, within the block. */
function partOf({ start, end }: ByteRange, index: number): ByteRange {
  const from = index * blockBytes
  return { start: Math.max(0, start - from), end: Math.min(blockBytes, end - from) }
}

/** Less than half of a block is copied: as long as it is held, it would hold all of it. */
function cut(block: BlockPart | undefined, part: ByteRange): BlockPart | undefined {
  if (block === undefined) return undefined
  const { start, end } = clampRange(part, block.bytes.length)
  const isSmall = (end - start) * 2 < block.bytes.length
  return { objectBytes: block.objectBytes, bytes: isSmall ? block.bytes.slice(start, end) : block.bytes.subarray(start, end) }
}

function joined(parts: readonly BlockPart[]): Uint8Array {
  return parts.length === 1 ? parts[0]!.bytes : concatBytes(parts.map(({ bytes }) => bytes))
}

/** The tag is the key: no other bytes are ever there. */
function foundObject(key: string, size: number, bytes: Uint8Array): StoredObject {
  return { size, etag: key, bytes: async () => bytes, stream: () => streamOf(bytes) }
}
