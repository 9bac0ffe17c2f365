/**
 * Pages of trees: names (or inode numbers) in byte order, and the entries or child pages they stand for. Looking up and
 * listing, without decoding what is passed over. Directories and the inode tree are both such trees.
 *
 * A leaf item is the key's length in one byte, the key, and the value to the item's end. An inner item has as key the first
 * key of its child page, and as value the pointer to it.
 */
import { EdgemountError } from '../error.ts'
import type { Pointer } from './entry.ts'
import { isMissing, type Missing, Page, type PageSource } from './page.ts'
import { decodePointer } from './pointer-codec.ts'

/** Keys are names (NAME_MAX) or 8-byte inode numbers; their length is one byte. */
export const treeKeyBytesMax = 255

/** The longest value. With the longest key and a page's soft limit of 96 KiB this keeps any page within `pageBytesMax`. */
export const treeValueBytesMax = 31 * 1024

export interface TreeItem {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

/** A tree's page, viewed. Everything it gives is a view of its bytes. */
export class TreePage extends Page {
  constructor(bytes: Uint8Array, pointer: Pointer, level?: number) {
    super(bytes, 'tree', pointer)
    if (this.count === 0) this.fail('it is empty')
    if (level !== undefined && level !== this.level) this.fail(`its level is ${this.level}, the page above says ${level}`)
  }

  key(index: number): Uint8Array {
    const start = this.start(index) + 1
    return this.bytes.subarray(start, start + this.#keyLength(index))
  }

  value(index: number): Uint8Array {
    return this.bytes.subarray(this.start(index) + 1 + this.#keyLength(index), this.end(index))
  }

  /** The pointer of an inner item. */
  child(index: number): Pointer {
    return decodePointer(this.value(index))
  }

  /** The index of the last item whose key is not after `key`, or -1. */
  search(key: Uint8Array): number {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#compare(middle, key) <= 0) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  /** Item `index` has this key. */
  has(index: number, key: Uint8Array): boolean {
    return index >= 0 && this.#compare(index, key) === 0
  }

  /** Checks what lookups trust: the order of keys. For those who read all items anyway. */
  checkOrder(): void {
    for (let index = 1; index < this.count; index += 1) {
      if (this.#compare(index - 1, this.key(index)) >= 0) this.fail(`keys ${index - 1} and ${index} are not in order`)
    }
  }

  #compare(index: number, key: Uint8Array): number {
    const { bytes } = this
    const start = this.start(index) + 1
    const length = bytes[start - 1] ?? 0
    // Enough for a comparison; `#keyLength` checks the item when it is taken.
    if (start + length > bytes.length) this.fail(`the key of item ${index} lies past its end`)
    const shorter = length < key.length ? length : key.length
    for (let at = 0; at < shorter; at += 1) {
      const difference = bytes[start + at]! - key[at]!
      if (difference !== 0) return difference
    }
    return length - key.length
  }

  #keyLength(index: number): number {
    const start = this.start(index)
    const end = this.end(index)
    const length = this.bytes[start]!
    if (length === 0 || start + 1 + length >= end) this.fail(`the key of item ${index} has ${length} bytes, its item ${end - start}`)
    return length
  }
}

/** The value of a key; undefined when the tree has none. One page read a level. */
export function findInTree(root: Pointer | undefined, key: Uint8Array, pages: PageSource): Uint8Array | undefined | Missing {
  let pointer = root
  let level: number | undefined
  while (pointer !== undefined) {
    const bytes = pages(pointer)
    if (bytes === undefined) return { missing: pointer }
    const page: TreePage = new TreePage(bytes, pointer, level)
    const index = page.search(key)
    if (index < 0) return undefined
    if (page.level === 0) return page.has(index, key) ? page.value(index) : undefined
    level = page.level - 1
    pointer = page.child(index)
  }
  return undefined
}

export interface TreeListing {
  readonly items: readonly TreeItem[]
  /** True when nothing comes after the last item. */
  readonly done: boolean
}

/** Up to `limit` items with keys after `after` (from the first when undefined), in order. Fewer than `limit` only at the end. */
export function listTree(
  root: Pointer | undefined,
  after: Uint8Array | undefined,
  limit: number,
  pages: PageSource,
): TreeListing | Missing {
  if (!(limit >= 1)) throw new EdgemountError('invalid', `Cannot list ${limit} items of a tree: at least one`)
  const items: TreeItem[] = []
  if (root === undefined) return { items, done: true }
  const outcome = collect({ items, limit, after, pages }, root, undefined)
  return isMissing(outcome) ? outcome : { items, done: outcome }
}

interface Collection {
  readonly items: TreeItem[]
  readonly limit: number
  readonly after: Uint8Array | undefined
  readonly pages: PageSource
}

/** Takes the items of a subtree; true when it took all of them. */
function collect(to: Collection, pointer: Pointer, level: number | undefined): boolean | Missing {
  const bytes = to.pages(pointer)
  if (bytes === undefined) return { missing: pointer }
  const page = new TreePage(bytes, pointer, level)
  const found = to.after === undefined ? -1 : page.search(to.after)
  if (page.level === 0) {
    for (let index = found + 1; index < page.count; index += 1) {
      if (to.items.length >= to.limit) return false
      to.items.push({ key: page.key(index), value: page.value(index) })
    }
    return true
  }
  for (let index = Math.max(found, 0); index < page.count; index += 1) {
    // A page holds at least one item, so a page left over means items left over, but for the one that holds `after` itself.
    if (to.items.length >= to.limit) return false
    const outcome = collect(to, page.child(index), page.level - 1)
    if (outcome !== true) return outcome
  }
  return true
}
