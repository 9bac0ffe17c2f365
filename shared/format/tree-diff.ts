/**
 * What differs between two trees, in key order. Pages that both share are skipped unread, so the cost is what changed.
 */
import { equalBytes } from '../bytes.ts'
import { compareBytes } from '../name.ts'
import type { Pointer } from './entry.ts'
import { TreePage } from './tree-page.ts'

/** `before` and `after` are the values; a missing side means that this tree does not have the key. Never equal. */
export interface TreeDifference {
  readonly key: Uint8Array
  readonly before?: Uint8Array
  readonly after?: Uint8Array
}

/** Differences from tree `a` to tree `b`, in ascending key order. `load` gives verified pages. */
export async function* diffTrees(
  a: Pointer | undefined,
  b: Pointer | undefined,
  load: (pointer: Pointer) => Promise<Uint8Array>,
): AsyncGenerator<TreeDifference> {
  if (a?.hash === b?.hash) return
  const before = new TreeCursor(load)
  const after = new TreeCursor(load)
  if (a !== undefined) await before.open(a, undefined)
  if (b !== undefined) await after.open(b, undefined)
  for (;;) {
    const x = before.current
    const y = after.current
    if (x === undefined && y === undefined) return
    const order = x === undefined ? 1 : y === undefined ? -1 : compareBytes(x.key, y.key)
    if (order < 0) {
      // An inner item before the other side's key: something in its page may be the other side's page or key.
      if (x!.level > 0) await before.descend()
      else {
        yield { key: x!.key, before: x!.value }
        before.skip()
      }
    } else if (order > 0) {
      if (y!.level > 0) await after.descend()
      else {
        yield { key: y!.key, after: y!.value }
        after.skip()
      }
    } else if (x!.level !== y!.level) {
      await (x!.level > y!.level ? before : after).descend()
    } else if (x!.level > 0 && !x!.isSamePage(y!)) {
      await before.descend()
      await after.descend()
    } else {
      if (x!.level === 0 && !equalBytes(x!.value, y!.value)) yield { key: x!.key, before: x!.value, after: y!.value }
      before.skip()
      after.skip()
    }
  }
}

/** An item somewhere in a tree: level 0 for the tree's own items. */
class Position {
  readonly page: TreePage
  readonly index: number
  readonly key: Uint8Array

  constructor(page: TreePage, index: number) {
    this.page = page
    this.index = index
    this.key = page.key(index)
  }

  get level(): number {
    return this.page.level
  }

  get value(): Uint8Array {
    return this.page.value(this.index)
  }

  isSamePage(other: Position): boolean {
    return this.page.child(this.index).hash === other.page.child(other.index).hash
  }
}

class TreeCursor {
  readonly #load: (pointer: Pointer) => Promise<Uint8Array>
  /** From the root to the current item. */
  readonly #path: Position[] = []

  constructor(load: (pointer: Pointer) => Promise<Uint8Array>) {
    this.#load = load
  }

  get current(): Position | undefined {
    return this.#path.at(-1)
  }

  async open(pointer: Pointer, level: number | undefined): Promise<void> {
    const page = new TreePage(await this.#load(pointer), pointer, level)
    page.checkOrder()
    this.#path.push(new Position(page, 0))
  }

  /** To the first item of the page that the current item stands for. */
  async descend(): Promise<void> {
    const { page, index, key } = this.current!
    await this.open(page.child(index), page.level - 1)
    // Without this a hostile tree could lead backwards.
    if (compareBytes(this.current!.key, key) !== 0) this.current!.page.fail('it does not begin with the key that the page above says')
  }

  /** Past the current item and all below it. */
  skip(): void {
    for (;;) {
      const last = this.#path.pop()
      if (last === undefined) return
      if (last.index + 1 < last.page.count) {
        this.#path.push(new Position(last.page, last.index + 1))
        return
      }
    }
  }
}
