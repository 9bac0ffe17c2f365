/**
 * A batch has become a commit that the handler shows: what it said is no change any more, and what changed since then was made from it.
 *
 * A `Settlement` is a record of the journal: all that is needed and not in the state. INVARIANT: it is made after the commit's log record exists, and
 * nothing of a batch leaves the state, and so the journal, but by it.
 */
import type { Entry, FileId } from '../../shared/format/entry.ts'
import type { ChangedName, ChangedNames } from './changed-names.ts'
import type { ChangeState, NodeState } from './change-state.ts'
import type { BodyStamp } from '../bodies/local-body.ts'
import type { NameTarget } from './edit.ts'
import { rebased } from './entry-merge.ts'
import { dropNothings } from './taking.ts'

export interface Settlement {
  /** The snapshot that the handler shows, which has the commit. */
  readonly seq: number
  readonly committedSeq: number
  /** Inodes as they were committed, by the id they have there; those that stay in the state suffice. */
  readonly entries: ReadonlyMap<FileId, Entry>
  readonly conflicts: readonly LostName[]
  /** What was made on both sides, and alike: the id of ours, the id of both now. */
  readonly merged: ReadonlyMap<FileId, FileId>
  /** Of the batch's inodes, those whose body stays; all others have none any more, unless they changed since. */
  readonly bodies: ReadonlyMap<FileId, StayingBody>
}

/** A name that leads to another's file now; ours is beside it. */
export interface LostName {
  readonly id: FileId
  readonly name: string
  readonly keptIn: FileId
  readonly keptName: string
  readonly keptId: FileId
}

export interface StayingBody {
  /** Its content went with the batch. */
  readonly isPublished: boolean
  /** As it was published, now or before. */
  readonly stamp: BodyStamp | undefined
}

export function settleState<Body>(state: ChangeState<Body>, settlement: Settlement): void {
  const { counter, shownSeq } = state.taken ?? { counter: 0, shownSeq: state.seq }
  state.taken = undefined
  state.noteShownPlaces()
  const gained = namesGained(state, settlement)
  const settling: Settling = { ...settlement, counter, ids: newIds(settlement), gained, nameless: namelessCopies(state, settlement, gained) }
  // A node that gets another id comes again at the end; it is not taken then.
  for (const node of state.nodes.values()) {
    if (node.taken !== undefined) settleNode(state, node, node.taken, settling)
  }
  settleNames(state, settling)
  for (const [id, into] of settlement.merged) state.renameDirectory(id, into)
  dropNothings(state)
  state.seq = settlement.seq
  // What is left was made since the batch was taken. With no commit of others in between, that is as if it had been made from ours.
  const { committedSeq } = settlement
  state.oldestSeq = state.isEmpty ? settlement.seq : committedSeq === shownSeq + 1 ? committedSeq : shownSeq
  state.dropUnusedPlaces()
}

interface Settling extends Settlement {
  /** Of the batch. */
  readonly counter: number
  /** Of what has another id now. */
  readonly ids: ReadonlyMap<FileId, FileId>
  /** How many names more than the commit has lead to an inode. */
  readonly gained: ReadonlyMap<FileId, number>
  /** See `namelessCopies`; by our ids. */
  readonly nameless: ReadonlySet<FileId>
}

function newIds({ merged, conflicts }: Settlement): Map<FileId, FileId> {
  const ids = new Map(merged)
  for (const { id, keptId } of conflicts) ids.set(id, keptId)
  return ids
}

function namesGained<Body>(state: ChangeState<Body>, { conflicts, merged }: Settlement): Map<FileId, number> {
  const gained = new Map<FileId, number>()
  const count = (target: NameTarget | null | undefined, by: number): void => {
    if (target !== null && target !== undefined) gained.set(target.id, (gained.get(target.id) ?? 0) + by)
  }
  const lost = new Map(conflicts.map(({ id, name }) => [id, name]))
  for (const names of state.directories.values()) {
    for (const { name, to, taken, base, shown } of names.all()) {
      // Of a lost name the commit has the one that ours has instead.
      const isLost = taken !== undefined && taken !== null && lost.get(taken.id) === name
      const there = isLost || shown === undefined ? (taken === undefined ? base : taken) : shown
      if (renamed(to, merged)?.id === renamed(there ?? undefined, merged)?.id) continue
      count(to, 1)
      count(there, -1)
    }
  }
  return gained
}

/**
 * A copy has one name of ours, whatever others there were: those lead to theirs now. Where that one was removed since, and another was not, the copy stays
 * all the same: what is in it is what programs saw by the other.
 */
function namelessCopies<Body>(state: ChangeState<Body>, { conflicts, entries }: Settlement, gained: ReadonlyMap<FileId, number>): Set<FileId> {
  const nameless = new Set<FileId>()
  for (const { id, keptId } of conflicts) {
    const node = state.nodes.get(id)
    if (node?.taken === undefined || node.entry.kind === 'directory' || node.entry.linkCount === 0) continue
    const { linkCount } = entries.get(keptId) ?? node.taken
    if (linkCount + (gained.get(id) ?? 0) <= 0) nameless.add(id)
  }
  return nameless
}

function settleNode<Body>(state: ChangeState<Body>, node: NodeState<Body>, taken: Entry, settling: Settling): void {
  const { entries, bodies, counter, ids, gained, nameless } = settling
  const id = ids.get(taken.id) ?? taken.id
  node.taken = undefined
  const staying = bodies.get(taken.id)
  if (node.changedAt <= counter && staying === undefined && (taken.linkCount > 0 || node.isForgotten)) {
    state.dropNode(node)
    return
  }
  if (taken.linkCount === 0) {
    // The volume has it no more. Whoever has it open goes on with it.
    node.base = undefined
    state.dropIfNothing(node)
    return
  }
  const committed = entries.get(id) ?? { ...taken, size: node.contentSize }
  const isContentCommitted = node.body === undefined || staying?.isPublished === true
  // Of a body that did not go along, the content is still what it was made from: should others have written another, that must be seen.
  const content = isContentCommitted ? committed : (node.base ?? { content: taken.content, size: node.contentSize })
  const base = { ...committed, id, content: content.content, size: content.size }
  const linkCount = nameless.has(taken.id) ? 1 : Math.max(0, base.linkCount + (gained.get(taken.id) ?? 0))
  const entry = { ...rebased(node.entry, taken, base), linkCount }
  const contentSize = entry.content === base.content ? base.size : node.contentSize
  state.dropNode(node)
  node.base = base
  node.contentSize = contentSize
  node.isForgotten &&= linkCount === 0
  node.entry = node.body === undefined ? entry : { ...entry, size: node.entry.size }
  if (staying?.isPublished === true || staying?.stamp !== undefined) node.published = staying.stamp
  state.setNode(node)
}

function settleNames<Body>(state: ChangeState<Body>, { conflicts, merged, ids, nameless }: Settling): void {
  const lost = new Map(conflicts.map((conflict) => [conflict.id, conflict]))
  const losses: Loss[] = []
  for (const [directoryId, names] of state.directories) {
    for (const changed of names.all()) {
      const { taken } = changed
      const conflict = taken === undefined || taken === null ? undefined : lost.get(taken.id)
      if (taken === undefined || taken === null || conflict?.name !== changed.name) settleName(state, directoryId, names, changed, ids, merged)
      else losses.push({ directoryId, changed, taken, conflict })
    }
  }
  // All of them leave before one is put: ours may be kept where another of ours was to be.
  for (const { directoryId, changed } of losses) state.dropName(directoryId, state.namesOf(directoryId), changed)
  for (const loss of losses) putKept(state, loss, ids, nameless.has(loss.taken.id))
  for (const { keptId, keptIn, keptName } of conflicts) markKept(state, keptId, keptIn, keptName)
}

/** A name that leads to another's file now. */
interface Loss {
  readonly directoryId: FileId
  readonly changed: ChangedName
  readonly taken: NameTarget
  readonly conflict: LostName
}

/** `ids`: of all that has another id now; `merged`: of what has it wherever a name leads to it. */
function settleName<Body>(
  state: ChangeState<Body>,
  directoryId: FileId,
  names: ChangedNames,
  changed: ChangedName,
  ids: ReadonlyMap<FileId, FileId>,
  merged: ReadonlyMap<FileId, FileId>,
): void {
  const { taken, to } = changed
  changed.taken = undefined
  const isAsBefore = to?.id === (taken === undefined ? changed.base?.id : taken?.id)
  names.setTo(changed, renamed(to, isAsBefore ? merged : ids))
  if (taken !== undefined) names.setBase(changed, renamed(taken ?? undefined, merged))
  const { shown } = changed
  if (shown !== undefined && shown !== null) names.setShown(changed, renamed(shown, merged))
  if (taken !== undefined && changed.base !== undefined) state.notePlace(directoryId, changed.name, changed.base)
  state.dropNameIfNothing(directoryId, names, changed)
}

/** What was done since the batch to a name that was lost was done to the one that ours has instead. */
function putKept<Body>(state: ChangeState<Body>, loss: Loss, ids: ReadonlyMap<FileId, FileId>, stays: boolean): void {
  const { directoryId, changed, taken, conflict } = loss
  const { keptIn, keptName, keptId } = conflict
  const { to, name } = changed
  const kept = { id: keptId, kind: taken.kind }
  const isSame = to?.id === taken.id
  if (state.name(keptIn, keptName) === undefined) state.putName({ directoryId: keptIn, name: keptName, to: isSame || stays ? kept : undefined, base: kept })
  // What was put in its place since does not know of theirs either.
  if (to !== undefined && !isSame && state.name(directoryId, name) === undefined) state.putName({ directoryId, name, to: renamed(to, ids), base: undefined })
  state.notePlace(keptIn, keptName, kept)
}

/** An inode that is still ours has a name that says where it stands; one that had none of ours has what the merge gave it. */
function markKept<Body>(state: ChangeState<Body>, keptId: FileId, keptIn: FileId, keptName: string): void {
  const node = state.nodes.get(keptId)
  if (node === undefined || node.entry.kind === 'directory' || node.entry.linkCount === 0 || state.name(keptIn, keptName) !== undefined) return
  const kept = { id: keptId, kind: node.entry.kind }
  state.putName({ directoryId: keptIn, name: keptName, to: kept, base: kept })
}

function renamed(target: NameTarget | undefined, ids: ReadonlyMap<FileId, FileId>): NameTarget | undefined {
  const id = target === undefined ? undefined : ids.get(target.id)
  return target === undefined || id === undefined ? target : { id, kind: target.kind }
}
