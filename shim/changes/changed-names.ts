/**
 * The names of one directory that are changed here: where each leads, what that does to the directory's counts, and their order.
 *
 * Called by `ChangeState` alone, which decides what is kept. The order is made when a listing first asks for it and kept up from then on: a directory
 * that nobody lists pays nothing, and one that is listed while 100,000 names change pays a binary search for each.
 */
import type { FileId } from '../../shared/format/entry.ts'
import { compareNames } from '../../shared/name.ts'
import type { NameTarget } from './edit.ts'

export interface ChangedName {
  readonly name: string
  /** Undefined: removed here. */
  to: NameTarget | undefined
  base: NameTarget | undefined
  /** What the snapshot that is shown has there, when that is not `base`; null: nothing. */
  shown: NameTarget | null | undefined
  changedAt: number
  /** What the batch that is out says; null: that it is gone; undefined: it is in no batch. */
  taken: NameTarget | null | undefined
}

/** Names wait here, in order, to be merged into the long list: an insertion into it moves half of it. */
const recentCountMax = 2048

/** How many names here lead to an inode, directories left out. */
export class NameCounts {
  readonly #counts = new Map<FileId, number>()

  of(id: FileId): number {
    return this.#counts.get(id) ?? 0
  }

  add(id: FileId, by: number): void {
    const count = this.of(id) + by
    if (count === 0) this.#counts.delete(id)
    else this.#counts.set(id, count)
  }
}

export class ChangedNames {
  readonly #counts: NameCounts
  readonly #names = new Map<string, ChangedName>()
  /** Both sorted, disjoint, once a listing has asked. A name in them that `#names` lacks was dropped. */
  #sorted: string[] | undefined
  #recent: string[] = []
  #droppedCount = 0
  #entries = 0
  #directories = 0
  #movedCount = 0

  constructor(counts: NameCounts) {
    this.#counts = counts
  }

  /** Names that lead elsewhere than in the snapshot. */
  get movedCount(): number {
    return this.#movedCount
  }

  get size(): number {
    return this.#names.size
  }

  /** Entries more than the snapshot has in the directory; negative: fewer. */
  get entries(): number {
    return this.#entries
  }

  get directories(): number {
    return this.#directories
  }

  get(name: string): ChangedName | undefined {
    return this.#names.get(name)
  }

  all(): Iterable<ChangedName> {
    return this.#names.values()
  }

  add(changed: ChangedName): void {
    this.#names.set(changed.name, changed)
    this.#count(changed, 1)
    if (this.#sorted !== undefined) this.#insert(changed.name)
  }

  setTo(changed: ChangedName, to: NameTarget | undefined): void {
    this.#count(changed, -1)
    changed.to = to
    this.#count(changed, 1)
  }

  setBase(changed: ChangedName, base: NameTarget | undefined): void {
    this.#count(changed, -1)
    changed.base = base
    if ((changed.shown ?? undefined)?.id === base?.id) changed.shown = undefined
    this.#count(changed, 1)
  }

  setShown(changed: ChangedName, shown: NameTarget | undefined): void {
    this.#count(changed, -1)
    changed.shown = shown?.id === changed.base?.id ? undefined : (shown ?? null)
    this.#count(changed, 1)
  }

  drop(changed: ChangedName): void {
    this.#names.delete(changed.name)
    this.#count(changed, -1)
    this.#droppedCount += 1
  }

  /** In the order of their bytes, from the first that comes after `after`. Valid until the next change. */
  *from(after: string | undefined): Generator<ChangedName> {
    const sorted = this.#order()
    const recent = this.#recent
    let left = after === undefined ? 0 : firstAfter(sorted, after)
    let right = after === undefined ? 0 : firstAfter(recent, after)
    while (left < sorted.length || right < recent.length) {
      const a = sorted[left]
      const b = recent[right]
      const isLeft = b === undefined || (a !== undefined && compareNames(a, b) < 0)
      if (isLeft) left += 1
      else right += 1
      const changed = this.#names.get(isLeft ? a! : b)
      if (changed !== undefined) yield changed
    }
  }

  #order(): string[] {
    const sorted = this.#sorted
    if (sorted === undefined || this.#droppedCount > sorted.length / 2 + recentCountMax) {
      this.#recent = []
      this.#droppedCount = 0
      this.#sorted = [...this.#names.keys()].toSorted(compareNames)
      return this.#sorted
    }
    return sorted
  }

  #insert(name: string): void {
    const at = firstAfter(this.#recent, name)
    const isKnown = this.#recent[at - 1] === name || this.#sorted![firstAfter(this.#sorted!, name) - 1] === name
    if (isKnown) return
    this.#recent.splice(at, 0, name)
    if (this.#recent.length <= recentCountMax) return
    this.#sorted = merge(this.#sorted!, this.#recent)
    this.#recent = []
  }

  #count({ to, base, shown = base ?? null }: ChangedName, by: number): void {
    if (to !== undefined) this.#entries += by
    if (to !== undefined && to.kind !== 'directory') this.#counts.add(to.id, by)
    if (shown !== null) this.#entries -= by
    if (to?.kind === 'directory') this.#directories += by
    if (shown?.kind === 'directory') this.#directories -= by
    if (to?.id !== base?.id) this.#movedCount += by
  }
}

/** Index of the first name behind `name` in a sorted list. */
function firstAfter(sorted: readonly string[], name: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareNames(sorted[middle]!, name) <= 0) low = middle + 1
    else high = middle
  }
  return low
}

function merge(a: readonly string[], b: readonly string[]): string[] {
  const merged: string[] = []
  let left = 0
  for (const name of b) {
    while (left < a.length && compareNames(a[left]!, name) < 0) merged.push(a[left++]!)
    merged.push(name)
  }
  while (left < a.length) merged.push(a[left++]!)
  return merged
}
