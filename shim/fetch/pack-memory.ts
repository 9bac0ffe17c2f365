/**
 * Parts of packs in memory: what was read ahead until it is asked for, and small chunks that equal files may ask for again. Unverified, so
 * that what is taken out is verified then. Bounded; the oldest part leaves first.
 */
import type { PackId, Pointer } from '../../shared/format/entry.ts'
import type { ByteRange } from '../../shared/range.ts'

interface Part {
  readonly pack: PackId
  readonly range: ByteRange
  readonly bytes: Uint8Array
}

export class PackMemory {
  readonly #limitBytes: number
  /** In the order in which they came. */
  readonly #parts = new Set<Part>()
  readonly #ofPack = new Map<PackId, Set<Part>>()
  #bytes = 0

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The array is kept as it is: with it, all of its buffer. */
  add(pack: PackId, start: number, bytes: Uint8Array): void {
    if (bytes.length === 0 || bytes.length > this.#limitBytes) return
    const part = { pack, range: { start, end: start + bytes.length }, bytes }
    let ofPack = this.#ofPack.get(pack)
    if (ofPack === undefined) this.#ofPack.set(pack, (ofPack = new Set()))
    this.#parts.add(part)
    ofPack.add(part)
    this.#bytes += bytes.length
    for (const oldest of this.#parts) {
      if (this.#bytes <= this.#limitBytes) return
      this.#drop(oldest)
    }
  }

  /** The bytes that a pointer means, as they came. */
  find(pointer: Pointer): Uint8Array | undefined {
    const { offset, length } = pointer
    for (const { range, bytes } of this.#ofPack.get(pointer.pack) ?? []) {
      if (range.start <= offset && range.end >= offset + length) return bytes.subarray(offset - range.start, offset - range.start + length)
    }
    return undefined
  }

  /** They were wrong: what came with them is not to be trusted either. */
  forget(pointer: Pointer): void {
    for (const part of this.#ofPack.get(pointer.pack) ?? []) {
      if (part.range.end > pointer.offset && part.range.start < pointer.offset + pointer.length) this.#drop(part)
    }
  }

  #drop(part: Part): void {
    this.#parts.delete(part)
    this.#bytes -= part.bytes.length
    const ofPack = this.#ofPack.get(part.pack)
    ofPack?.delete(part)
    if (ofPack?.size === 0) this.#ofPack.delete(part.pack)
  }
}
