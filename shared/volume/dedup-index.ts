/**
 * Which chunks are known, by hash: a bounded table in typed arrays, about 60 bytes a chunk, for the content writer.
 *
 * Two generations: when the young one is full it becomes the old one, and what only the old one knew is forgotten with it unless it was
 * asked for meanwhile. Forgetting costs space in the store, never correctness. Whole hashes are kept, so a hit is a hit.
 */
import { fromHex } from '../bytes.ts'
import type { Hash, PackId, Pointer } from '../format/entry.ts'

/** A million chunks of 256 KiB are 256 GiB of content in about 60 MiB of memory. */
export const rememberedChunksMax = 1_000_000

const firstCapacity = 1024
/** Words of one slot: the hash (8), the pack's number + 1 (0 is an empty slot), offset, length. */
const slotWords = 11

class Generation {
  readonly #countMax: number
  #capacity = firstCapacity
  #slots = new Uint32Array(firstCapacity * slotWords)
  count = 0

  constructor(countMax: number) {
    this.#countMax = countMax
  }

  get isFull(): boolean {
    return this.count >= this.#countMax
  }

  /** The slot's first word, or -1. */
  find(key: Uint32Array): number {
    const at = this.#locate(this.#slots, this.#capacity, key)
    return this.#slots[at + 8] === 0 ? -1 : at
  }

  word(at: number, index: number): number {
    return this.#slots[at + index]!
  }

  put(key: Uint32Array, packNumber: number, offset: number, length: number): void {
    if (this.count * 4 >= this.#capacity * 3) this.#grow()
    const at = this.#locate(this.#slots, this.#capacity, key)
    if (this.#slots[at + 8] === 0) this.count += 1
    this.#slots.set(key, at)
    this.#slots[at + 8] = packNumber + 1
    this.#slots[at + 9] = offset
    this.#slots[at + 10] = length
  }

  /** Hashes are uniform already: their first word chooses the slot, the next free one follows. */
  #locate(slots: Uint32Array, capacity: number, key: Uint32Array): number {
    for (let slot = key[0]! & (capacity - 1); ; slot = (slot + 1) & (capacity - 1)) {
      const at = slot * slotWords
      if (slots[at + 8] === 0) return at
      let word = 0
      while (word < 8 && slots[at + word] === key[word]) word += 1
      if (word === 8) return at
    }
  }

  #grow(): void {
    const capacity = this.#capacity * 2
    const slots = new Uint32Array(capacity * slotWords)
    for (let at = 0; at < this.#slots.length; at += slotWords) {
      if (this.#slots[at + 8] === 0) continue
      slots.set(this.#slots.subarray(at, at + slotWords), this.#locate(slots, capacity, this.#slots.subarray(at, at + 8)))
    }
    this.#capacity = capacity
    this.#slots = slots
  }
}

export class DedupIndex {
  readonly #countMax: number
  #young: Generation
  #old: Generation | undefined
  /** Packs are few: they stand once, chunks name them by number. */
  readonly #packs: PackId[] = []
  readonly #packNumbers = new Map<PackId, number>()

  constructor(chunksMax: number = rememberedChunksMax) {
    this.#countMax = Math.max(1, Math.floor(chunksMax / 2))
    this.#young = new Generation(this.#countMax)
  }

  get count(): number {
    return this.#young.count + (this.#old?.count ?? 0)
  }

  find(hash: Hash): Pointer | undefined {
    const key = keyOf(hash)
    const at = this.#young.find(key)
    if (at >= 0) return this.#pointer(hash, this.#young, at)
    const oldAt = this.#old?.find(key) ?? -1
    if (this.#old === undefined || oldAt < 0) return undefined
    const pointer = this.#pointer(hash, this.#old, oldAt)
    this.add(pointer)
    return pointer
  }

  add(pointer: Pointer): void {
    if (this.#young.isFull) {
      this.#old = this.#young
      this.#young = new Generation(this.#countMax)
    }
    this.#young.put(keyOf(pointer.hash), this.#packNumber(pointer.pack), pointer.offset, pointer.length)
  }

  #pointer(hash: Hash, generation: Generation, at: number): Pointer {
    return { hash, pack: this.#packs[generation.word(at, 8) - 1]!, offset: generation.word(at, 9), length: generation.word(at, 10) }
  }

  #packNumber(pack: PackId): number {
    const known = this.#packNumbers.get(pack)
    if (known !== undefined) return known
    this.#packs.push(pack)
    this.#packNumbers.set(pack, this.#packs.length - 1)
    return this.#packs.length - 1
  }
}

function keyOf(hash: Hash): Uint32Array {
  return new Uint32Array(fromHex(hash).slice().buffer)
}
