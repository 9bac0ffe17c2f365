/**
 * Blocks in caches that never let anything go, as Deno's: it has no eviction, and a body that was deleted stays on its disk until its whole cache is deleted. So there
 * are two caches, each with half of the bytes. When the newer one is full the older one is deleted whole; what is read from the older one moves to the newer.
 */
import type { ByteRange } from '../../../shared/range.ts'
import { type BlockCache, type BlockPart, wholeBlock } from './block-cache.ts'
import { WebBlocks, type WebCache } from './web-blocks.ts'

/** The part of `CacheStorage` that is used here. */
export interface WebCaches {
  open(name: string): Promise<WebCache>
  delete(name: string): Promise<boolean>
}

export interface RotatedBlocksSettings {
  readonly caches: WebCaches
  /** The names of the two are this and a number. */
  readonly name: string
  /** INVARIANT: what was put into both is never more. */
  readonly bytesMax: number
  readonly onEvict?: (() => void) | undefined
  readonly onFailure?: ((error: unknown) => void) | undefined
}

/** Headers, and a row of a table. */
const overheadBytes = 4096

interface Generation {
  readonly blocks: WebBlocks
  readonly name: string
  putBytes: number
  blockCount: number
}

export class RotatedBlocks implements BlockCache {
  readonly #settings: RotatedBlocksSettings
  #newer: Generation
  #older: Generation
  #rotation: Promise<void> = Promise.resolve()

  private constructor(settings: RotatedBlocksSettings) {
    this.#settings = settings
    this.#newer = this.#generation(`${settings.name}-0`)
    this.#older = this.#generation(`${settings.name}-1`)
  }

  /** What an earlier process left is deleted: nobody knows how much it is. */
  static async open(settings: RotatedBlocksSettings): Promise<RotatedBlocks> {
    const blocks = new RotatedBlocks(settings)
    await blocks.clear()
    return blocks
  }

  async get(key: string, part: ByteRange): Promise<BlockPart | undefined> {
    const held = await this.#newer.blocks.get(key, part)
    if (held !== undefined || this.#older.putBytes === 0) return held
    const old = await this.#older.blocks.get(key, wholeBlock)
    if (old === undefined) return undefined
    await this.put(key, old)
    const { start, end } = part
    return { objectBytes: old.objectBytes, bytes: old.bytes.subarray(start, end) }
  }

  async put(key: string, block: BlockPart): Promise<void> {
    const cost = block.bytes.length + overheadBytes
    const bytesMax = this.#settings.bytesMax / 2
    if (cost > bytesMax) return
    if (this.#newer.putBytes + cost > bytesMax) this.#rotate()
    const generation = this.#newer
    generation.putBytes += cost
    generation.blockCount += 1
    await this.#rotation
    // While it waited both may have gone, and another has the name.
    if (generation === this.#newer || generation === this.#older) await generation.blocks.put(key, block)
  }

  async clear(): Promise<void> {
    for (const generation of [this.#newer, this.#older]) {
      await this.#empty(generation.name)
      generation.putBytes = 0
      generation.blockCount = 0
    }
  }

  /** The newer one has room from here on, for what waits for `#rotation`. */
  #rotate(): void {
    const full = this.#newer
    const old = this.#older
    for (let index = 0; index < old.blockCount; index += 1) this.#settings.onEvict?.()
    this.#newer = this.#generation(old.name)
    this.#older = full
    this.#rotation = this.#rotation.then(() => this.#empty(old.name))
  }

  #generation(name: string): Generation {
    const { caches, onFailure } = this.#settings
    return { name, blocks: new WebBlocks(() => caches.open(name), onFailure), putBytes: 0, blockCount: 0 }
  }

  async #empty(name: string): Promise<void> {
    try {
      await this.#settings.caches.delete(name)
    } catch (error) {
      this.#settings.onFailure?.(error)
    }
  }
}
