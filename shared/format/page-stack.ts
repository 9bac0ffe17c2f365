/**
 * Cuts a sequence of items into pages, and the pages' own items into pages above, up to one root: the writing half of
 * trees and manifests. One open page a level is all it holds, so a sequence of any length streams through.
 *
 * INVARIANT: where a page ends depends only on the items in it. So equal sequences have equal pages whatever edits made
 * them, and an untouched page can be passed on by its pointer whenever all levels up to its own stand between two pages.
 */
import { equalBytes } from '../bytes.ts'
import { EdgemountError } from '../error.ts'
import type { Pointer } from './entry.ts'
import { type PageIo, pageLevelMax } from './page.ts'

/**
 * When a page ends: after an item with which its weight reaches `max`; or with which it has at least `min` and the item's
 * lot (32 bits, uniform by content) is below weight / span of 2^32. `span` is long up to `target` and short after it, which
 * gathers sizes around the target and makes forced ends, after which a change moves the next page too, rare.
 */
export interface SplitRule {
  readonly min: number
  readonly target: number
  readonly max: number
  readonly spanBelow: number
  readonly spanAbove: number
}

export function endsPage(rule: SplitRule, weightWithItem: number, itemWeight: number, lot: number): boolean {
  if (weightWithItem >= rule.max) return true
  if (weightWithItem < rule.min) return false
  const span = weightWithItem < rule.target ? rule.spanBelow : rule.spanAbove
  return lot * span < itemWeight * 2 ** 32
}

/** What differs between trees and manifests. */
export interface PageShape<Item> {
  rule(level: number): SplitRule
  weight(level: number, item: Item): number
  lot(level: number, item: Item): number
  encode(level: number, items: readonly Item[]): Uint8Array
  /** The item that stands for a page in the page above. */
  parent(level: number, items: readonly Item[], pointer: Pointer): Item | Promise<Item>
}

interface Level<Item> {
  items: Item[]
  weight: number
  /** Pages, or pointers to pages, that this level has passed up. */
  passedCount: number
  /** True when the last of these was an existing page that was passed on unopened. */
  isLastPassed: boolean
  /** The last page of the old tree that was opened at this level: a page that comes out the same is not stored again. */
  old: { readonly pointer: Pointer; readonly bytes: Uint8Array } | undefined
}

export interface StackRoot<Item> {
  /** Level of the root page. */
  readonly level: number
  /** The item that stands for the root page. */
  readonly item: Item
  /** True when the root page was passed on unopened, so that its item count is unknown. */
  readonly isPassed: boolean
}

export class PageStack<Item> {
  readonly #shape: PageShape<Item>
  readonly #io: Pick<PageIo, 'store'>
  readonly #levels: Level<Item>[] = []

  constructor(shape: PageShape<Item>, io: Pick<PageIo, 'store'>) {
    this.#shape = shape
    this.#io = io
  }

  /** Appends an item at a level; true when that filled its page, which `settle` must then end. Split so that most items cost no promise. */
  add(level: number, item: Item): boolean {
    const open = this.#level(level)
    const weight = this.#shape.weight(level, item)
    open.items.push(item)
    open.weight += weight
    return endsPage(this.#shape.rule(level), open.weight, weight, this.#shape.lot(level, item))
  }

  /** Ends the open page of a level, and of the levels above that this fills. */
  async settle(level: number): Promise<void> {
    let filled = level
    for (;;) {
      const parent = await this.#close(filled)
      if (!this.add(filled + 1, parent)) return
      filled += 1
    }
  }

  /** True when a page of this level can be passed on whole. */
  isAligned(level: number): boolean {
    for (let index = 0; index <= level && index < this.#levels.length; index += 1) {
      if (this.#levels[index]!.items.length > 0) return false
    }
    return true
  }

  /** Passes on an existing page of `level` by the item that stands for it. Only when `isAligned(level)`. */
  async pass(level: number, parent: Item): Promise<void> {
    const open = this.#level(level)
    open.passedCount += 1
    open.isLastPassed = true
    if (this.add(level + 1, parent)) await this.settle(level + 1)
  }

  /** Tells that a page of the old tree was opened. */
  opened(level: number, pointer: Pointer, bytes: Uint8Array): void {
    this.#level(level).old = { pointer, bytes }
  }

  /** The leaf items when nothing but one unfinished leaf page exists; undefined otherwise. */
  onlyLeafItems(): readonly Item[] | undefined {
    const isSmall = this.#levels.slice(1).every((level) => level.items.length === 0) && (this.#levels[0]?.passedCount ?? 0) === 0
    return isSmall ? (this.#levels[0]?.items ?? []) : undefined
  }

  /** Ends all pages and gives the root; undefined when no item ever came. */
  async finish(): Promise<StackRoot<Item> | undefined> {
    for (let level = 0; level < this.#levels.length; level += 1) {
      const open = this.#levels[level]!
      const below = this.#levels[level - 1]
      if (below !== undefined && open.items.length === 1 && this.#isTop(level)) {
        return { level: level - 1, item: open.items[0]!, isPassed: below.isLastPassed }
      }
      if (open.items.length > 0) this.add(level + 1, await this.#close(level))
    }
    return undefined
  }

  /** True when no page of this level or above exists yet. */
  #isTop(level: number): boolean {
    return this.#levels[level]!.passedCount === 0 &&
      this.#levels.slice(level + 1).every((above) => above.items.length + above.passedCount === 0)
  }

  async #close(level: number): Promise<Item> {
    const open = this.#level(level)
    const items = open.items
    open.items = []
    open.weight = 0
    open.passedCount += 1
    open.isLastPassed = false
    const bytes = this.#shape.encode(level, items)
    const isSame = open.old !== undefined && equalBytes(open.old.bytes, bytes)
    const pointer = isSame ? open.old!.pointer : await this.#io.store(bytes)
    return await this.#shape.parent(level, items, pointer)
  }

  #level(level: number): Level<Item> {
    if (level > pageLevelMax + 1) throw new EdgemountError('internal', `Cannot write a page at level ${level}: ${pageLevelMax} is the last`)
    while (this.#levels.length <= level) this.#levels.push({ items: [], weight: 0, passedCount: 0, isLastPassed: false, old: undefined })
    return this.#levels[level]!
  }
}
