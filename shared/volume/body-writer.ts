/**
 * One body on its way into packs: collected in a staging buffer, cut into chunks in place, hashed, compared with what is known, and laid into the open
 * pack in batches, so that the chunks of a body lie side by side. While one buffer is being hashed the next one fills.
 */
import type { Chunker } from '../chunker.ts'
import type { Hash, Pointer, Run } from '../format/entry.ts'
import type { HashFunction } from '../hash.ts'
import type { DedupIndex } from './dedup-index.ts'
import type { PackWriter, Part } from './pack-writer.ts'
import { isAllZeros } from './zeros.ts'

/** WebCrypto is twice as fast with several digests under way; eight are enough (measured on Node and Deno). */
const hashesAtOnce = 8

/** Takes runs, in order. */
export interface RunSink {
  add(run: Run): Promise<void>
}

/** A body on its way, and how to give back what it holds. Close it in any case. */
export interface OpenBody {
  readonly writer: BodyWriter
  readonly close: () => Promise<void>
}

export interface BodyWriterParts {
  readonly chunker: Chunker
  readonly hash: HashFunction
  readonly known: DedupIndex
  readonly data: PackWriter
  readonly manifest: RunSink
  readonly staging: StagingPool
}

/** Staging buffers of one session, used again: a body of 10 KB should not pay for a fresh 4 MiB. */
export class StagingPool {
  readonly #bytes: number
  readonly #free: Uint8Array[] = []

  constructor(bytes: number) {
    this.#bytes = bytes
  }

  take(): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(this.#bytes)
  }

  /** All are kept: there are never more than two for each body written at once, and a fresh one costs a thousand page faults. */
  give(buffer: Uint8Array): void {
    this.#free.push(buffer)
  }
}

export class BodyWriter {
  readonly #parts: BodyWriterParts
  #staging: Uint8Array
  #filled = 0
  #spare: Uint8Array | undefined
  /** The batch under way. Its chunks are views of the spare buffer. */
  #settling: Promise<void> = Promise.resolve()
  size = 0
  /** Bytes that are in chunks by now. */
  cutBytes = 0
  newBytes = 0

  constructor(parts: BodyWriterParts) {
    this.#parts = parts
    this.#staging = parts.staging.take()
  }

  /** The bytes are copied. */
  async push(bytes: Uint8Array): Promise<void> {
    let taken = 0
    while (taken < bytes.length) {
      const part = bytes.subarray(taken, taken + this.#staging.length - this.#filled)
      this.#staging.set(part, this.#filled)
      this.#filled += part.length
      taken += part.length
      if (this.#filled === this.#staging.length) await this.#cut(false)
    }
    this.size += bytes.length
  }

  /** Makes chunks of what was pushed as far as their ends can be told, so that `cutBytes` is up to date. */
  async cut(): Promise<void> {
    await this.#cut(false)
  }

  /** The rest becomes the last chunk, and all runs are laid down. */
  async finish(): Promise<void> {
    await this.#cut(true)
    await this.#settling
  }

  /** Gives the buffers back. Call it in any case, once nothing else is running. */
  async dispose(): Promise<void> {
    await this.#settling.catch(() => undefined)
    this.#parts.staging.give(this.#staging)
    if (this.#spare !== undefined) this.#parts.staging.give(this.#spare)
  }

  async #cut(isLast: boolean): Promise<void> {
    const chunks: Uint8Array[] = []
    let start = 0
    while (start < this.#filled) {
      const length = this.#parts.chunker.next(this.#staging, start, this.#filled, isLast)
      if (length === 0) break
      chunks.push(this.#staging.subarray(start, start + length))
      start += length
    }
    this.cutBytes += start
    if (start === 0 && !isLast) return
    await this.#settling
    const rest = this.#staging.subarray(start, this.#filled)
    this.#filled = rest.length
    if (!isLast) {
      const next = this.#spare ?? this.#parts.staging.take()
      next.set(rest)
      this.#spare = this.#staging
      this.#staging = next
    }
    this.#settling = this.#settle(chunks)
    // Awaited at the next batch; until then a rejection has nobody to hear it.
    this.#settling.catch(() => undefined)
  }

  /** Hashes, lays down what is new, and adds the runs in order. */
  async #settle(chunks: readonly Uint8Array[]): Promise<void> {
    const { known, data } = this.#parts
    const hashes = await this.#hashAll(chunks)
    const places = new Map<Hash, Pointer>()
    const fresh = new Map<Hash, Part>()
    chunks.forEach((bytes, index) => {
      const hash = hashes[index]
      if (hash === undefined) return
      const pointer = known.find(hash)
      if (pointer === undefined) fresh.set(hash, { bytes, hash })
      else places.set(hash, pointer)
    })
    for (const pointer of await data.append([...fresh.values()])) {
      places.set(pointer.hash, pointer)
      known.add(pointer)
      this.newBytes += pointer.length
    }
    for (const [index, bytes] of chunks.entries()) {
      const hash = hashes[index]
      const { length } = bytes
      await this.#parts.manifest.add(hash === undefined ? { kind: 'hole', length } : { kind: 'chunk', length, pointer: places.get(hash)! })
    }
  }

  async #hashAll(chunks: readonly Uint8Array[]): Promise<(Hash | undefined)[]> {
    const hashes: (Hash | undefined)[] = []
    for (let start = 0; start < chunks.length; start += hashesAtOnce) {
      const batch = chunks.slice(start, start + hashesAtOnce)
      hashes.push(...(await Promise.all(batch.map((chunk) => this.#hash(chunk)))))
    }
    return hashes
  }

  /** Undefined for a chunk of zeros, which becomes a hole. */
  async #hash(chunk: Uint8Array): Promise<Hash | undefined> {
    return isAllZeros(chunk) ? undefined : this.#parts.hash(chunk)
  }
}
