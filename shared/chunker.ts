/**
 * Cutting bytes into chunks. Content-defined: a gear hash over the last 32 bytes chooses the cuts, so that an insertion moves
 * only the cuts around it, with FastCDC's normalisation (USENIX ATC '16): cuts are rare before a middle point and frequent
 * after it, which gathers lengths around the average. Or fixed: every so many bytes.
 */
import { EdgemountError } from './error.ts'

export type ChunkingParameters =
  | {
    readonly kind: 'content'
    /** No chunk but a body's last is shorter; at least the 32 bytes that a cut depends on. */
    readonly minBytes: number
    /** The length that chunks have on average, within a few percent on random bytes; a power of two; best four times the minimum. */
    readonly averageBytes: number
    readonly maxBytes: number
  }
  | { readonly kind: 'fixed'; readonly bytes: number }

/** 256 KiB: a run of 8 is a 2 MiB GET, a 1 TiB volume has 4 million of them, and one changed byte costs one of them. */
export const defaultChunking: ChunkingParameters = { kind: 'content', minBytes: 64 * 1024, averageBytes: 256 * 1024, maxBytes: 1024 * 1024 }

/** A chunk is verified whole in memory, several at a time, also in an isolate of 128 MB. */
export const chunkBytesMax = 16 * 2 ** 20

/** Bytes a cut depends on: the hash shifts left by one a byte and has 32 bits. */
const windowBytes = 32

/** 32 bits for each byte value. FORMAT.md specifies them; any change cuts all content anew. */
export const gear: Int32Array = Int32Array.from({ length: 256 }, (_, byte) => finalMix(Math.imul(byte + 1, 0x9e3779b9)))

/** Throws `invalid` unless chunks can be cut by these parameters. */
export function checkChunking(parameters: ChunkingParameters): void {
  const why = whyInvalid(parameters)
  if (why !== undefined) throw new EdgemountError('invalid', `Cannot cut chunks by ${JSON.stringify(parameters)}: ${why}`)
}

/** Finds the cuts of one body after another. The cuts depend on the bytes alone, not on the buffers they come in. */
export class Chunker {
  /** The longest chunk: with so many bytes in the buffer `next` always finds a cut. */
  readonly maxBytes: number
  readonly #minBytes: number
  readonly #middleBytes: number
  readonly #maskBefore: number
  readonly #maskAfter: number
  /** How far the open chunk was searched, and the hash there. */
  #searched = 0
  #hash = 0

  constructor(parameters: ChunkingParameters) {
    checkChunking(parameters)
    const isFixed = parameters.kind === 'fixed'
    this.maxBytes = isFixed ? parameters.bytes : parameters.maxBytes
    this.#minBytes = isFixed ? parameters.bytes : parameters.minBytes
    const averageBytes = isFixed ? parameters.bytes : parameters.averageBytes
    // 13/16 of the average: what is cut before, and the wait of a quarter average after it, then add up to the average (see the test).
    this.#middleBytes = Math.floor((averageBytes * 13) / 16)
    const bits = Math.round(Math.log2(averageBytes))
    this.#maskBefore = topBits(bits + 2)
    this.#maskAfter = topBits(bits - 2)
  }

  /**
   * The length of the chunk that begins at `start`, or 0 when more bytes are needed to tell; then call again with the same bytes and more
   * behind them, at any place. `isLast`: the body ends at `end`, so that what is left is a chunk; 0 then means that nothing is left.
   */
  next(buffer: Uint8Array, start: number, end: number, isLast: boolean): number {
    const length = this.#search(buffer, start, Math.min(end - start, this.maxBytes))
    const cut = length > 0 ? length : isLast ? end - start : 0
    if (cut > 0 || isLast) {
      this.#searched = 0
      this.#hash = 0
    }
    return cut
  }

  /** The length up to the first cut within `available` bytes, or 0. */
  #search(buffer: Uint8Array, start: number, available: number): number {
    if (this.#minBytes < this.maxBytes) {
      // The hash has forgotten everything older than its window, so what comes before needs no look.
      const warm = Math.max(this.#searched, this.#minBytes - windowBytes)
      if (available > warm) {
        let hash = this.#hash
        let at = start + warm
        const minEnd = start + Math.min(available, this.#minBytes - 1)
        const middleEnd = start + Math.min(available, this.#middleBytes)
        const end = start + available
        while (at < minEnd) hash = ((hash << 1) + gear[buffer[at++]!]!) | 0
        const maskBefore = this.#maskBefore
        while (at < middleEnd) {
          hash = ((hash << 1) + gear[buffer[at++]!]!) | 0
          if ((hash & maskBefore) === 0) return at - start
        }
        const maskAfter = this.#maskAfter
        while (at < end) {
          hash = ((hash << 1) + gear[buffer[at++]!]!) | 0
          if ((hash & maskAfter) === 0) return at - start
        }
        this.#searched = available
        this.#hash = hash
      }
    }
    return available >= this.maxBytes ? this.maxBytes : 0
  }
}

export function whyInvalid(parameters: ChunkingParameters): string | undefined {
  if (parameters.kind === 'fixed') {
    const { bytes } = parameters
    return Number.isSafeInteger(bytes) && bytes >= windowBytes && bytes <= chunkBytesMax
      ? undefined
      : `a chunk has ${windowBytes} to ${chunkBytesMax} bytes`
  }
  const { minBytes, averageBytes, maxBytes } = parameters
  if (![minBytes, averageBytes, maxBytes].every((bytes) => Number.isSafeInteger(bytes))) return 'lengths are whole numbers of bytes'
  if (minBytes < windowBytes || maxBytes > chunkBytesMax) return `a chunk has ${windowBytes} to ${chunkBytesMax} bytes`
  if (minBytes * 2 > averageBytes || averageBytes >= maxBytes) return 'twice the minimum is at most the average, which is below the maximum'
  if ((averageBytes & (averageBytes - 1)) !== 0) return 'the average is a power of two'
  return undefined
}

/** The highest bits of the hash are the ones that depend on the whole window. */
function topBits(count: number): number {
  return count <= 0 ? 0 : (-1 << (32 - count)) | 0
}

/** MurmurHash3's finaliser. */
function finalMix(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}
