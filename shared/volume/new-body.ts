/**
 * The bytes of a new version of a body, from where they are: written ones from the caller, the others from the old version as far as that goes, zeros
 * where there is nothing.
 */
import { type ByteRange, intersectRanges, searchRanges } from '../range.ts'
import { zeroPieces } from './zeros.ts'

/** Gives exactly the bytes of a range, in pieces that may be reused once the next is asked for. */
export type ReadRange = (range: ByteRange) => AsyncIterable<Uint8Array>

export interface NewBodyParts {
  readonly size: number
  /** Ascending and apart, none empty. */
  readonly written: readonly ByteRange[]
  /** As `written`; none of them shares bytes with those. */
  readonly zeros: readonly ByteRange[]
  /** Bytes of the old version that count. */
  readonly keptBytes: number
  readonly readWritten: ReadRange
  readonly readOld: ReadRange
}

interface Source extends ByteRange {
  readonly from: 'written' | 'zeros'
}

export class NewBody {
  readonly #parts: NewBodyParts
  readonly #sources: readonly Source[]

  constructor(parts: NewBodyParts) {
    this.#parts = parts
    const written = parts.written.map((range): Source => ({ ...range, from: 'written' }))
    const zeros = parts.zeros.map((range): Source => ({ ...range, from: 'zeros' }))
    this.#sources = [...written, ...zeros].toSorted((a, b) => a.start - b.start)
  }

  get size(): number {
    return this.#parts.size
  }

  async *read(range: ByteRange): AsyncGenerator<Uint8Array> {
    let at = range.start
    for (let index = searchRanges(this.#sources, at); index < this.#sources.length && at < range.end; index += 1) {
      const source = this.#sources[index]!
      const part = intersectRanges(source, { start: at, end: range.end })
      if (part === undefined) break
      yield* this.#readBetween({ start: at, end: part.start })
      yield* source.from === 'written' ? this.#parts.readWritten(part) : zeroPieces(part.end - part.start)
      at = part.end
    }
    yield* this.#readBetween({ start: at, end: range.end })
  }

  /** What is neither written nor zeroed. */
  async *#readBetween({ start, end }: ByteRange): AsyncGenerator<Uint8Array> {
    const oldEnd = Math.min(end, this.#parts.keptBytes)
    if (start < oldEnd) yield* this.#parts.readOld({ start, end: oldEnd })
    if (Math.max(start, oldEnd) < end) yield* zeroPieces(end - Math.max(start, oldEnd))
  }
}
