/**
 * Verified chunks in memory, by hash: so that the next small range, of the same request or another, does not fetch and hash the whole chunk again.
 * Only chunks of which a part was wanted come here; what was wanted whole is rarely wanted again soon, and would only push the others out.
 *
 * INVARIANT: whoever keeps a chunk has verified it, and nobody writes into it.
 */
import type { Hash } from '../format/entry.ts'

/** Half of what pages get: 128 chunks of the usual 256 KiB, so the columns that a few dozen readers are at. */
const bytesMaxDefault = 32 * 1024 * 1024

export class ChunkCache {
  readonly #bytesMax: number
  /** In order of last use, oldest first. */
  readonly #chunks = new Map<Hash, Uint8Array>()
  #heldBytes = 0

  constructor(bytesMax: number = bytesMaxDefault) {
    this.#bytesMax = bytesMax
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  get(hash: Hash): Uint8Array | undefined {
    const chunk = this.#chunks.get(hash)
    if (chunk === undefined) return undefined
    this.#chunks.delete(hash)
    this.#chunks.set(hash, chunk)
    return chunk
  }

  /** Copies the chunk: it is a view of a much longer answer. */
  keep(hash: Hash, chunk: Uint8Array): void {
    if (chunk.length > this.#bytesMax || this.get(hash) !== undefined) return
    this.#chunks.set(hash, chunk.slice())
    this.#heldBytes += chunk.length
    for (const [oldest, { length }] of this.#chunks) {
      if (this.#heldBytes <= this.#bytesMax) return
      this.#chunks.delete(oldest)
      this.#heldBytes -= length
    }
  }
}
