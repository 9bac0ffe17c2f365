/**
 * Blocks in memory, the least recently used leave first. For the servers of Node and Deno.
 */
import { clampRange, type ByteRange } from '../../../shared/range.ts'
import type { BlockCache, BlockPart } from './block-cache.ts'

/** A key, and its places in the map. */
const overheadBytes = 512

export interface MemoryBlocksSettings {
  /** INVARIANT: never more is held. */
  readonly bytesMax: number
  readonly onEvict?: (() => void) | undefined
}

export class MemoryBlocks implements BlockCache {
  readonly #settings: MemoryBlocksSettings
  /** In order of last use, oldest first. */
  readonly #blocks = new Map<string, BlockPart>()
  #heldBytes = 0

  constructor(settings: MemoryBlocksSettings) {
    this.#settings = settings
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  async get(key: string, part: ByteRange): Promise<BlockPart | undefined> {
    const block = this.#blocks.get(key)
    if (block === undefined) return undefined
    this.#blocks.delete(key)
    this.#blocks.set(key, block)
    const { start, end } = clampRange(part, block.bytes.length)
    return { objectBytes: block.objectBytes, bytes: block.bytes.subarray(start, end) }
  }

  async put(key: string, { objectBytes, bytes }: BlockPart): Promise<void> {
    this.#drop(key)
    if (costOf(bytes) > this.#settings.bytesMax) return
    // A part of a longer answer would hold all of it.
    const own = bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice()
    this.#heldBytes += costOf(own)
    for (const oldest of this.#blocks.keys()) {
      if (this.#heldBytes <= this.#settings.bytesMax) break
      this.#drop(oldest)
      this.#settings.onEvict?.()
    }
    this.#blocks.set(key, { objectBytes, bytes: own })
  }

  #drop(key: string): void {
    const block = this.#blocks.get(key)
    if (block === undefined) return
    this.#blocks.delete(key)
    this.#heldBytes -= costOf(block.bytes)
  }
}

function costOf({ length }: Uint8Array): number {
  return length + overheadBytes
}
