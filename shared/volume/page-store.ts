/**
 * Pages of trees and manifests, by pointer. Metadata packs are fetched in aligned segments, because pages that are neighbours in a pack are
 * neighbours in the tree, and kept in one byte-bounded cache. A page is verified when it is first used and handed out as the same bytes from then on.
 *
 * INVARIANT: `source` gives verified bytes only; a failure, or bytes that are wrong, are never kept.
 */
import { EdgemountError } from '../error.ts'
import type { Hash, PackId, Pointer } from '../format/entry.ts'
import type { PageSource } from '../format/page.ts'
import type { HashFunction } from '../hash.ts'
import { SingleFlight } from '../lifetime.ts'
import type { ObjectStore } from '../store.ts'
import { packKey } from './keys.ts'

/** Four pages of the target size: `find` over a tree in depth-first order pays one request for several directories. */
export const segmentBytes = 256 * 1024

const cacheBytesDefault = 64 * 1024 * 1024

interface VerifiedPage {
  readonly hash: Hash
  readonly bytes: Uint8Array
}

interface Segment {
  readonly bytes: Uint8Array
  /** Verified pages that begin in this segment, by their offset in the pack. */
  readonly pages: Map<number, VerifiedPage>
  /** Memory held: the segment, and pages that reach beyond it and were therefore copied. */
  heldBytes: number
}

/** All that pages need of a store. */
export type PackSource = Pick<ObjectStore, 'get' | 'label'>

export interface PageStoreParts {
  readonly store: PackSource
  readonly hash: HashFunction
  readonly cacheBytesMax?: number | undefined
}

export class PageStore {
  readonly #store: PackSource
  readonly #hash: HashFunction
  readonly #cacheBytesMax: number
  /** In order of last use, oldest first. */
  readonly #segments = new Map<string, Segment>()
  #heldBytes = 0
  readonly #pageFlights = new SingleFlight<string, Uint8Array>()
  readonly #segmentFlights = new SingleFlight<string, Segment>()

  constructor(parts: PageStoreParts) {
    this.#store = parts.store
    this.#hash = parts.hash
    this.#cacheBytesMax = parts.cacheBytesMax ?? cacheBytesDefault
  }

  /** What is in memory and verified, at once; for the synchronous readers of trees and manifests. */
  readonly source: PageSource = (pointer) => {
    const key = segmentKey(pointer.pack, Math.floor(pointer.offset / segmentBytes))
    const segment = this.#segments.get(key)
    const page = segment?.pages.get(pointer.offset)
    if (segment === undefined || page === undefined || page.hash !== pointer.hash) return undefined
    this.#segments.delete(key)
    this.#segments.set(key, segment)
    return page.bytes
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  /** The verified page. Throws `corrupt` when the store has other bytes, or none. */
  load(pointer: Pointer, signal?: AbortSignal): Promise<Uint8Array> {
    const held = this.source(pointer)
    if (held !== undefined) return Promise.resolve(held)
    const key = `${pointer.pack}/${pointer.offset}/${pointer.hash}`
    return this.#pageFlights.run(key, (flightSignal) => this.#loadVerified(pointer, flightSignal), signal)
  }

  /** Takes the bytes of a pack that was just written, as far as they fit into a quarter of the cache. The bytes are copied. */
  seed(pack: PackId, bytes: Uint8Array): void {
    const limit = Math.min(bytes.length, this.#cacheBytesMax / 4)
    for (let start = 0; start < limit; start += segmentBytes) {
      this.#keep(segmentKey(pack, start / segmentBytes), newSegment(bytes.slice(start, start + segmentBytes)))
    }
  }

  async #loadVerified(pointer: Pointer, signal: AbortSignal): Promise<Uint8Array> {
    const first = Math.floor(pointer.offset / segmentBytes)
    const last = Math.floor((pointer.offset + pointer.length - 1) / segmentBytes)
    // Twice: bytes that were damaged on the way are right the second time, bytes damaged at rest are not.
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const loads: Promise<Segment>[] = []
      for (let index = first; index <= last; index += 1) loads.push(this.#segment(pointer.pack, index, { signal, isFresh: attempt > 0 }))
      const segments = await Promise.all(loads)
      const bytes = cutPage(pointer, first, segments)
      if (bytes.length === pointer.length && (await this.#hash(bytes)) === pointer.hash) {
        this.#keepPage(pointer, segments[0]!, bytes, last > first)
        return bytes
      }
      for (let index = first; index <= last; index += 1) this.#drop(segmentKey(pointer.pack, index))
    }
    const where = `bytes ${pointer.offset} to ${pointer.offset + pointer.length} of "${packKey(pointer.pack)}"`
    throw new EdgemountError('corrupt', `Cannot read the page at ${where}: they do not match the hash ${pointer.hash}`)
  }

  #segment(pack: PackId, index: number, options: { readonly signal: AbortSignal; readonly isFresh: boolean }): Promise<Segment> {
    const key = segmentKey(pack, index)
    const held = this.#segments.get(key)
    if (held !== undefined) return Promise.resolve(held)
    return this.#segmentFlights.run(key, (signal) => this.#fetch(pack, index, { ...options, signal }), options.signal)
  }

  async #fetch(pack: PackId, index: number, options: { readonly signal: AbortSignal; readonly isFresh: boolean }): Promise<Segment> {
    const start = index * segmentBytes
    const found = await this.#store.get(packKey(pack), { ...options, range: { start, end: start + segmentBytes } })
    if (found === undefined) {
      throw new EdgemountError('corrupt', `Cannot read "${packKey(pack)}": the metadata pack is missing in ${this.#store.label}`)
    }
    const bytes = await found.bytes()
    const expected = Math.max(0, Math.min(segmentBytes, found.size - start))
    if (bytes.length !== expected) {
      throw new EdgemountError('unavailable', `Cannot read "${packKey(pack)}": got ${bytes.length} of ${expected} bytes at ${start}`)
    }
    const segment = newSegment(bytes)
    this.#keep(segmentKey(pack, index), segment)
    return segment
  }

  #keep(key: string, segment: Segment): void {
    this.#drop(key)
    this.#segments.set(key, segment)
    this.#heldBytes += segment.heldBytes
    this.#evict()
  }

  #keepPage(pointer: Pointer, segment: Segment, bytes: Uint8Array, isCopied: boolean): void {
    segment.pages.set(pointer.offset, { hash: pointer.hash, bytes })
    const key = segmentKey(pointer.pack, Math.floor(pointer.offset / segmentBytes))
    if (!isCopied || this.#segments.get(key) !== segment) return
    segment.heldBytes += bytes.length
    this.#heldBytes += bytes.length
    this.#evict()
  }

  #drop(key: string): void {
    const segment = this.#segments.get(key)
    if (segment === undefined) return
    this.#segments.delete(key)
    this.#heldBytes -= segment.heldBytes
  }

  /** The newest segment stays even when it alone exceeds the limit: the reader that asked for it is about to use it. */
  #evict(): void {
    for (const key of this.#segments.keys()) {
      if (this.#heldBytes <= this.#cacheBytesMax || this.#segments.size <= 2) return
      this.#drop(key)
    }
  }
}

function segmentKey(pack: PackId, index: number): string {
  return `${pack}/${index}`
}

function newSegment(bytes: Uint8Array): Segment {
  return { bytes, pages: new Map(), heldBytes: bytes.length }
}

/** The page's bytes: a view where it lies in one segment, else a copy. Shorter than the pointer says when the pack is. */
function cutPage(pointer: Pointer, firstIndex: number, segments: readonly Segment[]): Uint8Array {
  const start = pointer.offset - firstIndex * segmentBytes
  if (segments.length === 1) return segments[0]!.bytes.subarray(start, start + pointer.length)
  const page = new Uint8Array(pointer.length)
  let length = 0
  segments.forEach(({ bytes }, index) => {
    const part = bytes.subarray(index === 0 ? start : 0, (index === 0 ? start : 0) + pointer.length - length)
    page.set(part, length)
    length += part.length
  })
  return page.subarray(0, length)
}
