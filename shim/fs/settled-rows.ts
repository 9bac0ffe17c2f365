/**
 * Brings rows back to the snapshot when what was changed here has become part of it. The kernel believes what it was told as long as the volume has it just
 * so: no name, attribute or page of our own files is taken back; where others' commits made it different, it is told.
 *
 * Called by the handler when a batch is settled (its commit is published and shown) and when bodies are given back. INVARIANT: `LocalChanges` has dropped
 * the inodes by then, or has newer ones for them.
 */
import { equalBytes } from '../../shared/bytes.ts'
import { decodeEntry } from '../../shared/format/entry-codec.ts'
import { encodeName } from '../../shared/name.ts'
import { toFileId } from '../../shared/volume/file-id.ts'
import type { LocalBody } from '../bodies/local-body.ts'
import type { LocalChanges } from '../changes/local-changes.ts'
import type { Settled, SettledNode } from '../changes/outbox.ts'
import type { HiddenChanges, HiddenNode } from './hidden-changes.ts'
import type { Row, Shown } from './inode-table.ts'
import { type VolumeTree, isRegular } from './volume-tree.ts'

export interface SettledParts {
  readonly tree: VolumeTree
  readonly changes: LocalChanges
  readonly hidden: HiddenChanges
  /** The snapshot has commits that are newer than the settled one. */
  readonly isBeyond: boolean
  readonly nameChanged: (parent: Row, name: string) => void
  /** Attributes, not data. */
  readonly nodeChanged: (row: Row) => void
}

/** False when rows below directories that were made here may be old: a commit that has both ours and others' is not listed below those. */
export function showSettled(parts: SettledParts, { nodes, lost, directories }: Settled<LocalBody>): boolean {
  const { tree, changes, hidden, isBeyond } = parts
  for (const node of nodes) {
    const row = tree.table.find(node.id)
    if (row === 0) hidden.takeNode(node.keptId)
    else showNode(parts, row, node, lost)
  }
  for (const id of directories) {
    const row = tree.table.find(id)
    if (tree.recount(row)) parts.nodeChanged(row)
  }
  for (const name of lost) tellName(parts, name)
  const isOurs = (directoryId: number, name: string): boolean => changes.target(toFileId(directoryId), name) !== undefined
  for (const name of hidden.takeNames(isOurs)) tellName(parts, name)
  return !(isBeyond && hidden.hasNewDirectory)
}

function showNode(parts: SettledParts, known: Row, node: SettledNode<LocalBody>, lost: readonly LostName[]): void {
  const { tree, changes, hidden } = parts
  const { id, keptId, keptAt, bytes, body, isBodyOld } = node
  const before = tree.table.shownOf(known)
  // Ours goes on under another id, for whoever has it open, too.
  const hasLostName = isLost(tree, known, lost)
  const row = keptId === id ? known : tree.renumber(known, keptId)
  if (changes.node(keptId) === undefined) {
    const newer = hidden.takeNode(keptId)
    if (bytes !== undefined) tree.settle(row, bytes, { isOurs: body !== undefined && isBodyOld !== true, isOld: hidden.isUnlisted })
    if (newer !== undefined) showNewer(tree, row, bytes, newer)
    else if (bytes === undefined) tree.markGone(row)
  } else tree.goOn(row, bytes)
  if (keptAt !== undefined && hasLostName) tree.moveTo(row, keptAt.directoryId, keptAt.name, bytes)
  if (!isShown(tree, row, before)) parts.nodeChanged(row)
}

/** Another commit had its say about the same inode. */
function showNewer(tree: VolumeTree, row: Row, settled: Uint8Array | undefined, { bytes, isLinked, place }: HiddenNode): void {
  const { table } = tree
  if (bytes === undefined) tree.markGone(row)
  else if (settled === undefined || !equalBytes(bytes, settled)) {
    const parent = place === undefined ? table.parentOf(row) : table.find(place.directoryId)
    const name = place === undefined ? table.name(row).slice() : encodeName(place.name)
    if (settled === undefined) tree.settle(row, bytes, { isOurs: false, isOld: false })
    tree.update(row, parent, name, { entry: decodeEntry(bytes), bytes, isLinked })
  }
}

/** Whether the kernel was told what the row says now. Size and times of a body that is settled are those that it had: else it would not be settled. */
function isShown({ table }: VolumeTree, row: Row, before: Shown): boolean {
  const now = table.shownOf(row)
  if (before.owner !== now.owner) return false
  return before.times === now.times || (isRegular(table.modes[row]!) && (before.ctime === now.ctime || now.ctime === now.mtime))
}

type LostName = Settled<LocalBody>['lost'][number]

/** Whether the name under which the row was found leads to another's file now. */
function isLost({ table }: VolumeTree, row: Row, lost: readonly LostName[]): boolean {
  const directoryId = table.ids[table.parentOf(row)]
  return lost.some((name) => name.directoryId === directoryId && equalBytes(encodeName(name.name), table.name(row)))
}

function tellName({ tree, nameChanged }: SettledParts, { directoryId, name }: { readonly directoryId: number; readonly name: string }): void {
  const row = tree.table.find(directoryId)
  if (row !== 0) nameChanged(row, name)
}
