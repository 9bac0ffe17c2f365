/**
 * What of an old body a new one can keep: chunks and holes as they were, up to where it was cut off or zeroed, and zeros behind it. `rewrite.ts` asks
 * where cutting must begin again for a change, and where it may end.
 *
 * INVARIANT: where cutting begins and ends, a chunk of the old body begins or ends, or there is a hole; so that what lies between needs no look.
 */
import type { ChunkingParameters } from '../chunker.ts'
import type { ManifestRoot, Run } from '../format/entry.ts'
import { type PlacedRun, resolveRuns } from '../format/manifest-page.ts'
import { type ByteRange, searchRanges } from '../range.ts'
import { readPages } from './page-loop.ts'
import type { PageStore } from './page-store.ts'

/** So much of a manifest is resolved at a time. */
const windowBytes = 64 * 1024 * 1024

export interface Extent extends ByteRange {
  /** `rest`: what is left of a chunk whose other bytes do not count any more; it has to become a chunk of its own. */
  readonly kind: 'chunk' | 'hole' | 'rest'
}

export interface BodyLayoutParts {
  readonly chunking: ChunkingParameters
  readonly pages: PageStore
  /** The old body; its first `keptBytes` count. Bytes behind these are zeros. */
  readonly old: { readonly root: ManifestRoot; readonly length: number; readonly keptBytes: number } | undefined
  /** Bytes of the new body. */
  readonly size: number
  /** Ranges that are zeros now, ascending and apart. */
  readonly zeros: readonly ByteRange[]
  readonly signal?: AbortSignal | undefined
}

export class BodyLayout {
  readonly #parts: BodyLayoutParts
  readonly #keptBytes: number
  readonly #minBytes: number
  readonly #maxBytes: number
  /** Where chunks begin in a volume whose chunks have one length. */
  readonly #gridBytes: number
  #window: readonly PlacedRun[] = []

  constructor(parts: BodyLayoutParts) {
    const { chunking, old, size } = parts
    this.#parts = parts
    this.#keptBytes = old === undefined ? 0 : Math.min(old.keptBytes, old.length, size)
    this.#gridBytes = chunking.kind === 'fixed' ? chunking.bytes : 1
    this.#minBytes = chunking.kind === 'fixed' ? chunking.bytes : chunking.minBytes
    this.#maxBytes = chunking.kind === 'fixed' ? chunking.bytes : chunking.maxBytes
  }

  /** Bytes of the old body that count at most. */
  get keptBytes(): number {
    return this.#keptBytes
  }

  /** Where cutting begins for a change at `offset`: with the chunk that it is in; with the one before when that is too short, or ended with the body. */
  async startFor(offset: number): Promise<number> {
    const extent = await this.#extentAt(offset)
    if (extent.kind === 'hole' && offset > extent.start) return Math.max(extent.start, this.#gridFloor(offset))
    const { start } = extent
    if (start === 0) return start
    const before = await this.#extentAt(start - 1)
    const isShort = before.end - before.start < this.#minBytes || before.end === this.#parts.old?.length
    return before.kind !== 'hole' && isShort ? before.start : start
  }

  /** Where cutting may end behind a change that ends at `offset`, ascending: at the last of these it must. At most one longest chunk away. */
  async endsFor(offset: number): Promise<number[]> {
    const { size } = this.#parts
    if (offset >= size) return [size]
    let extent = await this.#extentAt(offset)
    const ends: number[] = offset === extent.start && extent.kind !== 'hole' ? [offset] : []
    while (extent.kind !== 'hole' && (ends.length === 0 || extent.end <= offset + this.#maxBytes)) {
      ends.push(extent.end)
      if (extent.end >= size) return ends
      extent = await this.#extentAt(extent.end)
    }
    const end = ends.at(-1) ?? offset
    const gridEnd = Math.min(this.#gridCeil(end), size)
    // Behind a hole's first byte any place will do, but where chunks have their places.
    if (extent.kind === 'hole' && gridEnd > end) ends.push(Math.min(gridEnd, extent.end))
    return ends.length === 0 ? [end] : ends
  }

  /** What has to be cut again because a chunk lost bytes. */
  async rests(): Promise<Extent[]> {
    const edges = new Set([this.#keptBytes, ...this.#parts.zeros.flatMap(({ start, end }) => [start, end])])
    const rests = new Map<number, Extent>()
    for (const edge of edges) {
      for (const offset of [edge - 1, edge]) {
        if (offset < 0 || offset >= this.#parts.size) continue
        const extent = await this.#extentAt(offset)
        // A chunk that ended with the body gets its full length now that something follows it.
        const isCutOff = extent.kind === 'chunk' && extent.end === this.#keptBytes && extent.end < this.#parts.size && extent.end > this.#gridFloor(extent.end)
        if (extent.kind === 'rest' || isCutOff) rests.set(extent.start, extent)
      }
    }
    return [...rests.values()]
  }

  /** The old runs that share bytes with a range, part after part. */
  async *runsIn(range: ByteRange): AsyncGenerator<Run> {
    const end = Math.min(range.end, this.#parts.old?.length ?? 0)
    for (let start = range.start; start < end; start += windowBytes) {
      for (const { run } of await this.#resolve({ start, end: Math.min(start + windowBytes, end) })) yield run
    }
  }

  async #extentAt(offset: number): Promise<Extent> {
    const { size, zeros } = this.#parts
    const next = searchRanges(zeros, offset)
    const zero = zeros[next]
    if (zero !== undefined && zero.start <= offset) return { kind: 'hole', start: zero.start, end: Math.min(zero.end, size) }
    const low = zeros[next - 1]?.end ?? 0
    const high = Math.min(zero?.start ?? size, size)
    if (offset >= this.#keptBytes) return { kind: 'hole', start: Math.max(low, this.#keptBytes), end: high }
    const { start: runStart, run } = await this.#runAt(offset)
    const start = Math.max(runStart, low)
    const end = Math.min(runStart + run.length, high, this.#keptBytes)
    return { kind: run.kind === 'hole' ? 'hole' : end - start < run.length ? 'rest' : 'chunk', start, end }
  }

  async #runAt(offset: number): Promise<PlacedRun> {
    const covers = (placed: PlacedRun): boolean => placed.start <= offset && offset < placed.start + placed.run.length
    const known = this.#window.find(covers)
    if (known !== undefined) return known
    // Those who ask go on to its neighbours.
    this.#window = await this.#resolve({ start: Math.max(0, offset - this.#maxBytes), end: offset + 2 * this.#maxBytes })
    return this.#window.find(covers)!
  }

  async #resolve(range: ByteRange): Promise<readonly PlacedRun[]> {
    const { old, pages, signal } = this.#parts
    return (await readPages(pages, (source) => resolveRuns(old!.root, range, source), signal)).runs
  }

  #gridFloor(offset: number): number {
    return offset - (offset % this.#gridBytes)
  }

  #gridCeil(offset: number): number {
    return this.#gridFloor(offset + this.#gridBytes - 1)
  }
}
