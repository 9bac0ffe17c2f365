/**
 * A batch goes out of the state, and comes back unpublished.
 *
 * INVARIANT: a batch has everything that differs, so that what is published is a state that a program could have seen.
 */
import type { FileId } from '../../shared/format/entry.ts'
import { type ChangeState, isNothing } from './change-state.ts'

/** Notes of everything what the batch says of it. What turned out to be no change is dropped first. */
export function markTaken<Body>(state: ChangeState<Body>, nonce: string): void {
  dropNothings(state)
  state.taken = { nonce, counter: state.counter, baseSeq: state.oldestSeq, shownSeq: state.seq }
  for (const node of state.nodes.values()) {
    // What is gone and was never published is nobody's business.
    if (node.entry.linkCount > 0 || node.base !== undefined) node.taken = node.entry
  }
  for (const names of state.directories.values()) {
    for (const changed of names.all()) changed.taken = changed.to ?? null
  }
}

/** Nothing of the batch went out. */
export function unmarkTaken<Body>(state: ChangeState<Body>): void {
  state.taken = undefined
  state.noteShownPlaces()
  for (const node of state.nodes.values()) node.taken = undefined
  for (const names of state.directories.values()) {
    for (const changed of names.all()) changed.taken = undefined
  }
  dropNothings(state)
}

export function dropNothings<Body>(state: ChangeState<Body>): void {
  const moved = movedIds(state)
  for (const node of state.nodes.values()) {
    const { id } = node.entry
    if (isNothing(node) && !moved.has(id) && !hasMovedNames(state, id)) state.dropNode(node)
  }
  for (const [directoryId, names] of state.directories) {
    for (const changed of names.all()) state.dropNameIfNothing(directoryId, names, changed)
  }
}

/** What a name leads to that did not. */
export function movedIds<Body>(state: ChangeState<Body>): Set<FileId> {
  const moved = new Set<FileId>()
  for (const names of state.directories.values()) {
    for (const { to, base } of names.all()) if (to !== undefined && to.id !== base?.id) moved.add(to.id)
  }
  return moved
}

/** The tree of such a directory becomes another one with its names, even if its own entry is as it was: all of it in one tick of the clock. */
export function hasMovedNames<Body>(state: ChangeState<Body>, id: FileId): boolean {
  for (const { to, base } of state.directories.get(id)?.all() ?? []) if (to?.id !== base?.id) return true
  return false
}
