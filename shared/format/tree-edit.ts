/**
 * Changing and building trees. One pass over sorted edits and the old tree's pages that they touch; all other pages are
 * passed on by pointer, unread. Where pages begin and end is a function of the tree's items alone: any order of edits that
 * leads to the same items leads to the same leaf pages, and to inner pages that differ at most in where their children lie.
 * Memory is one open page a level, so a million items stream through.
 */
import { concatBytes, equalBytes } from '../bytes.ts'
import { EdgemountError } from '../error.ts'
import { compareBytes } from '../name.ts'
import type { Pointer } from './entry.ts'
import { encodePage, itemOverheadBytes, type PageIo } from './page.ts'
import { type PageShape, PageStack, type SplitRule } from './page-stack.ts'
import { decodePointer, encodePointer, pointerBytesMax } from './pointer-codec.ts'
import { treeKeyBytesMax, TreePage, treeValueBytesMax } from './tree-page.ts'

/** Sets a key to a value, or removes it (undefined; nothing happens when it is not there). */
export interface TreeEdit {
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
}

/** Weights are bytes: pages of 16 to 96 KiB (and one item), gathered around 64 KiB: a GET of that costs what a smaller one does. */
const treeRule: SplitRule = { min: 16 * 1024, target: 64 * 1024, max: 96 * 1024, spanBelow: 128 * 1024, spanAbove: 8 * 1024 }

interface Item {
  readonly key: Uint8Array
  /** The whole item as it stands in its page. */
  readonly bytes: Uint8Array
}

function makeTreeShape(rule: SplitRule): PageShape<Item> {
  return {
    rule: () => rule,
    // A pointer counts as the longest one: where inner pages end must not depend on where their children lie.
    weight: (level, item) => (level === 0 ? item.bytes.length : 1 + item.key.length + pointerBytesMax) + itemOverheadBytes,
    lot: (level, item) => lotOfKey(item.key, level),
    encode: (level, items) => encodePage('tree', level, items.map((item) => item.bytes)),
    parent: (_, items, pointer) => makeItem(items[0]!.key, encodePointer(pointer)),
  }
}

/**
 * Applies edits (strictly ascending by key bytes, else `invalid`) and gives the new root; undefined for an empty tree. Any rule but the
 * volume format's is for tests, which grow trees of many levels from few items with it.
 */
export async function editTree(
  root: Pointer | undefined,
  edits: Iterable<TreeEdit> | AsyncIterable<TreeEdit>,
  io: PageIo,
  rule: SplitRule = treeRule,
): Promise<Pointer | undefined> {
  const source = new EditSource(edits)
  try {
    await source.advance()
    if (source.next === undefined) return root
    return await new TreeEditor(source, io, rule).run(root)
  } finally {
    await source.close()
  }
}

class TreeEditor {
  readonly #edits: EditSource
  readonly #io: PageIo
  readonly #stack: PageStack<Item>
  /** The last key that was appended. */
  #last: Uint8Array | undefined

  constructor(edits: EditSource, io: PageIo, rule: SplitRule) {
    this.#edits = edits
    this.#io = io
    this.#stack = new PageStack(makeTreeShape(rule), io)
  }

  async run(root: Pointer | undefined): Promise<Pointer | undefined> {
    if (root !== undefined) await this.#open(root, undefined, undefined)
    await this.#appendEdits(undefined)
    const made = await this.#stack.finish()
    if (made === undefined) return undefined
    const pointer = decodePointer(made.item.bytes.subarray(1 + made.item.key.length))
    return made.isPassed ? await this.#descend(pointer) : pointer
  }

  /** Rebuilds the items of a page whose keys are before `upper` (undefined: no bound). */
  async #open(pointer: Pointer, level: number | undefined, upper: Uint8Array | undefined): Promise<void> {
    const bytes = await this.#io.load(pointer)
    const page = new TreePage(bytes, pointer, level)
    page.checkOrder()
    this.#stack.opened(page.level, pointer, bytes)
    if (page.level === 0) {
      await this.#mergeLeaf(page, upper)
      return
    }
    for (let index = 0; index < page.count; index += 1) {
      const childUpper = index + 1 < page.count ? page.key(index + 1) : upper
      const isUntouched = !this.#edits.hasBefore(childUpper)
      if (isUntouched && this.#stack.isAligned(page.level - 1)) {
        await this.#stack.pass(page.level - 1, { key: page.key(index), bytes: page.item(index) })
      } else {
        await this.#open(page.child(index), page.level - 1, childUpper)
      }
    }
  }

  async #mergeLeaf(page: TreePage, upper: Uint8Array | undefined): Promise<void> {
    for (let index = 0; index < page.count; index += 1) {
      const key = page.key(index)
      await this.#appendEdits(key)
      const edit = this.#edits.next
      if (edit !== undefined && equalBytes(edit.key, key)) await this.#appendEdit(edit)
      else await this.#append({ key, bytes: page.item(index) })
    }
    await this.#appendEdits(upper)
  }

  /** Appends the edits before `upper`. */
  async #appendEdits(upper: Uint8Array | undefined): Promise<void> {
    while (this.#edits.hasBefore(upper)) await this.#appendEdit(this.#edits.next!)
  }

  async #appendEdit(edit: TreeEdit): Promise<void> {
    if (edit.value !== undefined) await this.#append(makeItem(edit.key, edit.value))
    await this.#edits.advance()
  }

  async #append(item: Item): Promise<void> {
    if (this.#last !== undefined && compareBytes(this.#last, item.key) >= 0) {
      throw new EdgemountError('corrupt', 'Cannot edit a tree: the keys of its pages are not in order')
    }
    this.#last = item.key
    if (this.#stack.add(0, item)) await this.#stack.settle(0)
  }

  /** A root that was passed on may have one child only, now that it is the root: then the child is. */
  async #descend(root: Pointer): Promise<Pointer> {
    let pointer = root
    for (;;) {
      const page = new TreePage(await this.#io.load(pointer), pointer)
      if (page.level === 0 || page.count > 1) return pointer
      pointer = page.child(0)
    }
  }
}

/** The edits, one ahead, checked. */
class EditSource {
  readonly #iterator: Iterator<TreeEdit> | AsyncIterator<TreeEdit>
  /** The edit that comes next; undefined at the end. */
  next: TreeEdit | undefined

  constructor(edits: Iterable<TreeEdit> | AsyncIterable<TreeEdit>) {
    this.#iterator = Symbol.asyncIterator in edits ? edits[Symbol.asyncIterator]() : edits[Symbol.iterator]()
  }

  async advance(): Promise<void> {
    const step = await this.#iterator.next()
    const edit = step.done === true ? undefined : step.value
    if (edit !== undefined && this.next !== undefined && compareBytes(this.next.key, edit.key) >= 0) {
      throw new EdgemountError('invalid', 'Cannot edit a tree: the edits are not in ascending order of their keys')
    }
    this.next = edit
  }

  /** True when an edit is left whose key is before `upper` (undefined: any). */
  hasBefore(upper: Uint8Array | undefined): boolean {
    return this.next !== undefined && (upper === undefined || compareBytes(this.next.key, upper) < 0)
  }

  async close(): Promise<void> {
    if (this.next !== undefined) await this.#iterator.return?.()
  }
}

function makeItem(key: Uint8Array, value: Uint8Array): Item {
  if (key.length === 0 || key.length > treeKeyBytesMax) {
    throw new EdgemountError('invalid', `Cannot store a key of ${key.length} bytes in a tree: 1 to ${treeKeyBytesMax}`)
  }
  if (value.length === 0 || value.length > treeValueBytesMax) {
    throw new EdgemountError('exhausted', `Cannot store a value of ${value.length} bytes in a tree: 1 to ${treeValueBytesMax}`)
  }
  const bytes = concatBytes([Uint8Array.of(key.length), key, value])
  return { key: bytes.subarray(1, 1 + key.length), bytes }
}

/** FNV-1a over the level and the key, finished as in MurmurHash3 so that every bit is uniform. FORMAT.md specifies it. */
export function lotOfKey(key: Uint8Array, level: number): number {
  let hash = Math.imul(0x811c9dc5 ^ level, 0x01000193)
  for (let index = 0; index < key.length; index += 1) hash = Math.imul(hash ^ key[index]!, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
