/**
 * The last verified bytes that could not be cached on disk, so that reads go on when the disk is full, and one fetched chunk answers more than
 * one read. A bounded amount for all readers together; the oldest bytes leave first.
 */
import { type ByteRange, intersectRanges } from '../../shared/range.ts'

interface Kept {
  readonly owner: object
  readonly range: ByteRange
  /** Undefined in a hole. */
  readonly bytes: Uint8Array | undefined
}

export class UncachedMemory {
  readonly limitBytes: number
  readonly #kept = new Set<Kept>()
  readonly #ofOwner = new Map<object, Set<Kept>>()
  #bytes = 0

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The array is kept as it is. `owner` is whose file it is a part of. */
  add(owner: object, range: ByteRange, bytes: Uint8Array | undefined): void {
    const kept = { owner, range, bytes }
    this.#kept.add(kept)
    let ofOwner = this.#ofOwner.get(owner)
    if (ofOwner === undefined) this.#ofOwner.set(owner, (ofOwner = new Set()))
    ofOwner.add(kept)
    this.#bytes += costOf(kept)
    for (const oldest of this.#kept) {
      if (this.#bytes <= this.limitBytes || oldest === kept) break
      this.#drop(oldest)
    }
  }

  /** Copies what is kept of the range to its place in `into` (whose first byte is that of the range); true when that is all of it. */
  read(owner: object, range: ByteRange, into: Uint8Array): boolean {
    let at = range.start
    const kepts = [...(this.#ofOwner.get(owner) ?? [])].toSorted((a, b) => a.range.start - b.range.start)
    for (const kept of kepts) {
      const part = intersectRanges(kept.range, { start: at, end: range.end })
      if (part === undefined) continue
      if (part.start > at) return false
      const target = into.subarray(part.start - range.start, part.end - range.start)
      if (kept.bytes === undefined) target.fill(0)
      else target.set(kept.bytes.subarray(part.start - kept.range.start, part.end - kept.range.start))
      at = part.end
    }
    return at >= range.end
  }

  forget(owner: object): void {
    for (const kept of this.#ofOwner.get(owner) ?? []) this.#drop(kept)
  }

  #drop(kept: Kept): void {
    this.#kept.delete(kept)
    this.#bytes -= costOf(kept)
    const ofOwner = this.#ofOwner.get(kept.owner)
    ofOwner?.delete(kept)
    if (ofOwner?.size === 0) this.#ofOwner.delete(kept.owner)
  }
}

/** A hole costs its record only. */
function costOf(kept: Kept): number {
  return (kept.bytes?.length ?? 0) + 256
}
