/**
 * The outside of a page, common to trees and manifests: header, offset table, items. A page is used as the bytes it is:
 * looking something up is a binary search through the offset table, and nothing is decoded but the items it meets.
 *
 * Readers of paged things are synchronous and pure over a `PageSource`: they answer, or say which page they lack, and the
 * caller loads that page and asks again. So the same code runs where nothing may wait (the mount's thread) and where all may.
 */
import { EdgemountError } from '../error.ts'
import type { Pointer } from './entry.ts'

/** The verified bytes of a page if they are at hand. Must keep giving what it gave until the reader's caller is done. */
export type PageSource = (pointer: Pointer) => Uint8Array | undefined

/** What a reader gives when it lacks a page. */
export interface Missing {
  readonly missing: Pointer
}

export function isMissing(value: unknown): value is Missing {
  return typeof value === 'object' && value !== null && 'missing' in value
}

/** Where pages come from and go to, for those who change trees and manifests. */
export interface PageIo {
  /** The page's bytes, verified. */
  load(pointer: Pointer): Promise<Uint8Array>
  /** Keeps a page and says where. Called for a child before its parent. */
  store(page: Uint8Array): Promise<Pointer>
}

export type PageKind = 'tree' | 'manifest'

/** First bytes of pages: `T`, `M`. */
const kindBytes: Readonly<Record<PageKind, number>> = { tree: 0x54, manifest: 0x4d }
const pageVersion = 1

/** No page is longer; both split rules end a page earlier. */
export const pageBytesMax = 128 * 1024
/** Levels above the leaves. Real trees have two or three; the limit bounds what hostile pages can make a reader do. */
export const pageLevelMax = 15

const headerBytes = 5
const offsetBytes = 3

/** Bytes that an item costs in a page besides its own. */
export const itemOverheadBytes = offsetBytes

/** A page's bytes, with its outside checked. Items are checked when they are touched. */
export class Page {
  readonly bytes: Uint8Array
  /** 0 for leaves. */
  readonly level: number
  readonly count: number
  readonly #kind: PageKind
  readonly #pointer: Pointer | undefined

  /** `pointer` names the page in errors; undefined for a page that is inline in an entry. */
  constructor(bytes: Uint8Array, kind: PageKind, pointer: Pointer | undefined) {
    this.bytes = bytes
    this.#kind = kind
    this.#pointer = pointer
    if (bytes.length < headerBytes) this.fail(`its ${bytes.length} bytes are less than a header`)
    if (bytes.length > pageBytesMax) this.fail(`its ${bytes.length} bytes are more than ${pageBytesMax}`)
    if (bytes[0] !== kindBytes[kind]) this.fail(`it begins with byte ${bytes[0]}, not ${kindBytes[kind]}`)
    if (bytes[1] !== pageVersion) {
      throw new EdgemountError(
        'unsupported',
        `Cannot read ${this.name}: it has format ${bytes[1]} and this edgemount reads ${pageVersion}; update edgemount`,
      )
    }
    this.level = bytes[2]!
    this.count = bytes[3]! + bytes[4]! * 256
    if (this.level > pageLevelMax) this.fail(`its level is ${this.level}, above ${pageLevelMax}`)
    if (headerBytes + this.count * offsetBytes > bytes.length) this.fail(`${bytes.length} bytes cannot hold ${this.count} items`)
    if (this.count > 0 && this.start(0) !== headerBytes + this.count * offsetBytes) {
      this.fail('its first item does not follow the offset table')
    }
  }

  get name(): string {
    return this.#pointer === undefined ? `an inline ${this.#kind} page` : `${this.#kind} page ${describePointer(this.#pointer)}`
  }

  fail(why: string): never {
    throw new EdgemountError('corrupt', `Cannot read ${this.name}: ${why}`)
  }

  /** First byte of an item. `index` is below `count`. */
  start(index: number): number {
    const at = headerBytes + index * offsetBytes
    return this.bytes[at]! + this.bytes[at + 1]! * 256 + this.bytes[at + 2]! * 65_536
  }

  /** The byte after an item. INVARIANT: start(index) < end(index) <= bytes.length, or the page is corrupt. */
  end(index: number): number {
    const end = index + 1 < this.count ? this.start(index + 1) : this.bytes.length
    if (end > this.bytes.length || this.start(index) >= end) this.fail(`item ${index} has no bytes in it`)
    return end
  }

  /** A view of one item. */
  item(index: number): Uint8Array {
    return this.bytes.subarray(this.start(index), this.end(index))
  }
}

/** A page of encoded items. The caller's split rule keeps it below `pageBytesMax`. */
export function encodePage(kind: PageKind, level: number, items: readonly Uint8Array[]): Uint8Array {
  let length = headerBytes + items.length * offsetBytes
  for (const item of items) length += item.length
  if (length > pageBytesMax || items.length > 0xffff || level > pageLevelMax) {
    throw new EdgemountError(
      'internal',
      `Cannot write a ${kind} page of ${items.length} items: ${length} bytes at level ${level} are too many`,
    )
  }
  const bytes = new Uint8Array(length)
  bytes[0] = kindBytes[kind]
  bytes[1] = pageVersion
  bytes[2] = level
  bytes[3] = items.length % 256
  bytes[4] = items.length >>> 8
  let at = headerBytes + items.length * offsetBytes
  for (let index = 0; index < items.length; index += 1) {
    const slot = headerBytes + index * offsetBytes
    bytes[slot] = at % 256
    bytes[slot + 1] = (at >>> 8) % 256
    bytes[slot + 2] = at >>> 16
    bytes.set(items[index]!, at)
    at += items[index]!.length
  }
  return bytes
}

/** A pointer in an error message: where it lies and how its hash begins. */
export function describePointer(pointer: Pointer): string {
  return `${pointer.pack}@${pointer.offset}+${pointer.length} (${pointer.hash.slice(0, 12)})`
}
