/**
 * Brings the rows that the kernel knows to a newer commit, and tells the kernel what it may no longer believe.
 *
 * Called by the handler when the network thread pushes a `Change`. Only rows in the table are touched: what the kernel does not know costs
 * nothing. Rows are written first and notifications queued after, so that a lookup that comes in between is answered from the new tree.
 * Names and inodes that were changed here stay as they are: they are shown until they are merged, or they are what this very commit has from here.
 */
import { decodeEntry, decodeEntryHead, decodeRoot, encodeEntry } from '../../shared/format/entry-codec.ts'
import { compareBytes, decodeName, encodeName } from '../../shared/name.ts'
import type { Change, ChangedName } from './backend.ts'
import type { HiddenChanges } from './hidden-changes.ts'
import { type Row, rootRow, rowFlag } from './inode-table.ts'
import { type VolumeTree, isDirectory } from './volume-tree.ts'

export interface Kernel {
  nameChanged(parent: Row, name: string): void
  /** The kernel may not have taken in yet what it was told of this row. */
  isRecent(row: Row): boolean
  /** The kernel's listing of a directory is old. */
  listingChanged(row: Row): void
  /** Too much changed to say what. */
  everythingChanged(): void
}

/** What was changed here, and what it hides. */
export interface Ours {
  /** Nothing is changed here. */
  readonly isEmpty: boolean
  /** Where a changed name leads; null: it is removed; undefined: it is not changed. */
  target(directoryId: number, name: string): number | null | undefined
  hasNode(id: number): boolean
  readonly hidden: HiddenChanges
}

export function applyChange(tree: VolumeTree, change: Change, ours: Ours, kernel: Kernel): void {
  const root = decodeRoot(change.root)
  tree.setRoot(root, encodeEntry(root.directory))
  if (change.names === undefined) {
    ours.hidden.noteUnlisted()
    tree.startEpoch()
    kernel.everythingChanged()
    return
  }
  const theirs = change.names.filter((changed) => !isHidden(changed, ours))
  // What is in a directory that left its place is not listed: it may have been moved, or what was in it, to somewhere else that is not listed, and have ours in it.
  const isUnlisted = !ours.isEmpty && change.names.some(isDirectoryGone)
  if (isUnlisted) ours.hidden.noteUnlisted()
  if (markGone(tree, theirs, ours) || isUnlisted) tree.startEpoch()
  for (const changed of change.names) {
    if (changed.entry !== undefined) applyEntry(tree, changed, changed.entry, ours)
  }
  for (const { id, entry } of change.inodes) applyInode(tree, id, entry, ours)
  tellNames(tree, theirs, kernel)
  for (const { id } of change.inodes) if (!ours.hasNode(id)) tellRecent(tree, tree.table.find(id), kernel)
}

/** A name that is shown as it was changed here. What the kernel will have to be told when it is not ours any more is noted. */
function isHidden(changed: ChangedName, ours: Ours): boolean {
  const { directoryId, name, entry } = changed
  const target = ours.target(directoryId, name)
  if (target === undefined) return false
  if ((entry === undefined ? null : decodeEntryHead(entry).id) !== target) ours.hidden.noteName(changed)
  return true
}

/**
 * First what is gone, then what is there: a rename is both, in any order. True when a known directory left its place: the list says nothing of
 * what is below it, so every row is to be looked up again when it is next used.
 */
function markGone(tree: VolumeTree, names: readonly ChangedName[], ours: Ours): boolean {
  const { table } = tree
  let isKnownGone = false
  for (const { directoryId, name, entry, beforeId } of names) {
    const row = beforeId === undefined ? 0 : table.find(beforeId)
    if (row === 0 || (entry !== undefined && decodeEntryHead(entry).id === beforeId)) continue
    if ((table.flags[row]! & rowFlag.isLinked) !== 0 || !standsAt(tree, row, directoryId, name)) continue
    const id = table.ids[row]!
    isKnownGone ||= isDirectory(table.modes[row]!)
    // What was changed here outlives its removal elsewhere.
    if (!ours.hasNode(id)) tree.markGone(row)
    else if (!isDirectory(table.modes[row]!)) ours.hidden.noteNode(id, { bytes: undefined, isLinked: false, place: undefined })
  }
  return isKnownGone
}

function isDirectoryGone({ entry, beforeId, wasDirectory }: ChangedName): boolean {
  return wasDirectory === true && (entry === undefined || decodeEntryHead(entry).id !== beforeId)
}

/** Writes the new entry of a row that is known by its file id. */
function applyEntry(tree: VolumeTree, { directoryId, name, beforeId }: ChangedName, bytes: Uint8Array, ours: Ours): void {
  const { table } = tree
  const { id, kind, isLink } = decodeEntryHead(bytes)
  const row = table.find(id)
  // Links get their attributes from the inode tree.
  if (row === 0 || row === rootRow || isLink) return
  if (kind !== 'directory' && ours.hasNode(id)) {
    ours.hidden.noteNode(id, { bytes, isLinked: false, place: { directoryId, name } })
    return
  }
  if (kind === 'directory' && beforeId !== id && ours.hasNode(id)) ours.hidden.noteNewDirectory()
  const parent = table.find(directoryId)
  const hasOtherPlace = table.parentOf(row) !== parent || compareBytes(table.name(row), encodeName(name)) !== 0
  const wasTheirs = ours.target(table.ids[table.parentOf(row)] ?? 0, decodeName(table.name(row))) === undefined
  if (hasOtherPlace && wasTheirs && ours.hasNode(id)) table.place(row, parent, encodeName(name), table.entry(row).slice())
  // Parent 0: moved to where the kernel has not been; it will be found there under its old row. Where it was is no place to look for it any more.
  tree.update(row, parent, encodeName(name), { entry: decodeEntry(bytes), bytes, isLinked: false })
}

function applyInode(tree: VolumeTree, id: number, bytes: Uint8Array | undefined, ours: Ours): void {
  const { table } = tree
  const row = table.find(id)
  if (row === 0) return
  if (ours.hasNode(id)) {
    ours.hidden.noteNode(id, { bytes, isLinked: true, place: undefined })
    return
  }
  if (bytes !== undefined) {
    tree.update(row, table.parentOf(row), table.name(row).slice(), { entry: decodeEntry(bytes), bytes, isLinked: true })
  } else if ((table.flags[row]! & rowFlag.isLinked) !== 0) {
    tree.markGone(row)
  }
}

function standsAt(tree: VolumeTree, row: Row, directoryId: number, name: string): boolean {
  const { table } = tree
  return table.ids[table.parentOf(row)] === directoryId && compareBytes(table.name(row), encodeName(name)) === 0
}

function tellNames(tree: VolumeTree, names: readonly ChangedName[], kernel: Kernel): void {
  const directories = new Set<Row>()
  for (const { directoryId, name, entry, beforeId } of names) {
    const row = tree.table.find(directoryId)
    if (row === 0) continue
    const isSameInode = entry !== undefined && beforeId !== undefined && decodeEntryHead(entry).id === beforeId
    if (isSameInode) {
      tellRecent(tree, tree.table.find(beforeId), kernel)
      continue
    }
    kernel.nameChanged(row, name)
    directories.add(row)
  }
  for (const row of directories) kernel.listingChanged(row)
}

/** Not for directories: one whose name was invalidated has no path for those who work in it. Their first answer is short-lived instead. */
function tellRecent({ table }: VolumeTree, row: Row, kernel: Kernel): void {
  if (row === 0 || isDirectory(table.modes[row]!) || !kernel.isRecent(row)) return
  const parent = table.parentOf(row)
  if (parent !== 0) kernel.nameChanged(parent, decodeName(table.name(row)))
}
