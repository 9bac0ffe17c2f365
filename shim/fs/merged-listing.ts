/**
 * The names of a directory: the snapshot's tree with the changed names over it, in byte order. Called by listings and by what needs an empty directory.
 */
import type { FileId, FileKind, TreeRoot } from '../../shared/format/entry.ts'
import { decodeEntryHead } from '../../shared/format/entry-codec.ts'
import { type Missing, type PageSource, isMissing } from '../../shared/format/page.ts'
import { listTree } from '../../shared/format/tree-page.ts'
import { compareBytes } from '../../shared/name.ts'
import type { ListedName, LocalChanges } from '../changes/local-changes.ts'
import type { Row } from './inode-table.ts'
import { type Found, type VolumeTree, idOf } from './volume-tree.ts'

export interface ListedEntry {
  readonly key: Uint8Array
  readonly found: Found
}

export interface MergedListing {
  readonly items: readonly ListedEntry[]
  /** The name to go on after: the last item's, or of what was passed over behind it. */
  readonly after: Uint8Array | undefined
  /** True when nothing comes after the last item. */
  readonly done: boolean
}

/** A directory as it is at one moment: its tree, and the changed names in byte order. */
export interface DirectoryState {
  readonly root: TreeRoot
  readonly names: readonly ListedName[]
}

/** Entries taken from the tree at a time. */
const batchCount = 256

const noNames: readonly ListedName[] = []
const noTree: TreeRoot = { pointer: undefined, entryCount: 0, directoryCount: 0 }

/** Taken at once, because `LocalChanges` goes on changing. A name whose inode is no change any more is as in the tree. */
export function stateOf(tree: VolumeTree, changes: LocalChanges | undefined, row: Row): DirectoryState | number | Missing {
  const root = tree.directoryRoot(row)
  if (typeof root === 'number' || isMissing(root)) return root
  // A directory that was removed here is empty, whatever the snapshot still has in it.
  if (tree.table.linkCountOf(row) === 0) return { root: noTree, names: noNames }
  const id = idOf(tree.table, row)
  if (changes === undefined || !changes.hasNames(id)) return { root, names: noNames }
  return { root, names: [...changes.namesAfter(id, undefined)].filter(({ to }) => to === null || changes.node(to.id) !== undefined) }
}

/** Up to `limit` entries with names after `after` (from the first when undefined), in order. Fewer, even none, may come before the end. */
export function listMerged({ root, names }: DirectoryState, after: Uint8Array | undefined, limit: number, pages: PageSource): MergedListing | Missing {
  const listing = listTree(root.pointer, after, limit, pages)
  if (isMissing(listing)) return listing
  const items: ListedEntry[] = []
  let at = after === undefined ? 0 : firstAfter(names, after)
  const isFull = (): boolean => items.length >= limit
  /** Takes changed names up to a name of the tree; true when that one is changed, too. */
  const takeUpTo = (key: Uint8Array | undefined): boolean => {
    for (; at < names.length && !isFull(); at += 1) {
      const { bytes, to } = names[at]!
      const order = key === undefined ? -1 : compareBytes(bytes, key)
      if (order > 0) return false
      if (to !== null) items.push({ key: bytes, found: to })
      if (order < 0) continue
      at += 1
      return true
    }
    return false
  }
  let passed = after
  for (const { key, value } of listing.items) {
    if (!takeUpTo(key) && !isFull()) items.push({ key, found: value })
    if (isFull()) return { items, after: items.at(-1)!.key, done: false }
    passed = key
  }
  if (!listing.done) return { items, after: passed, done: false }
  takeUpTo(undefined)
  return { items, after: items.at(-1)?.key ?? passed, done: at === names.length }
}

/** Whether no name of a directory leads anywhere. */
export function isEmptyDirectory(tree: VolumeTree, changes: LocalChanges, row: Row): boolean | number | Missing {
  const state = stateOf(tree, changes, row)
  if (typeof state === 'number' || isMissing(state)) return state
  for (let after: Uint8Array | undefined; ; ) {
    const listing = listMerged(state, after, batchCount, tree.pages.find)
    if (isMissing(listing)) return listing
    if (listing.items.length > 0) return false
    if (listing.done) return true
    after = listing.after
  }
}

/** What a listed entry is, for READDIR. */
export function kindOf(found: Found): { readonly id: FileId; readonly kind: FileKind } {
  return found instanceof Uint8Array ? decodeEntryHead(found) : found
}

/** Index of the first name behind `key`. */
function firstAfter(names: readonly ListedName[], key: Uint8Array): number {
  let low = 0
  let high = names.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareBytes(names[middle]!.bytes, key) <= 0) low = middle + 1
    else high = middle
  }
  return low
}
