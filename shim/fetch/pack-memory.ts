/**
 * Parts of packs that were read ahead, in memory, until they are asked for: unverified, so that what is taken out is verified then. Bounded;
 * the oldest part leaves first.
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
  #parts: Part[] = []
  #bytes = 0

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  add(pack: PackId, start: number, bytes: Uint8Array): void {
    if (bytes.length === 0 || bytes.length > this.#limitBytes) return
    this.#parts.push({ pack, range: { start, end: start + bytes.length }, bytes })
    this.#bytes += bytes.length
    while (this.#bytes > this.#limitBytes) this.#bytes -= this.#parts.shift()!.bytes.length
  }

  /** The bytes that a pointer means, as they came. */
  find(pointer: Pointer): Uint8Array | undefined {
    const { offset, length } = pointer
    const part = this.#parts.find(({ pack, range }) => pack === pointer.pack && range.start <= offset && range.end >= offset + length)
    return part?.bytes.subarray(offset - part.range.start, offset - part.range.start + length)
  }

  /** They were wrong: what lies around is not to be trusted either. */
  forget(pointer: Pointer): void {
    this.#parts = this.#parts.filter(({ pack, range }) => pack !== pointer.pack || range.end <= pointer.offset || range.start > pointer.offset)
    this.#bytes = this.#parts.reduce((sum, part) => sum + part.bytes.length, 0)
  }
}
