/**
 * The snapshot under the changes becomes a newer one.
 *
 * What a change was made from stays what it was: only so can the merge see what others have done to the same thing. `seq` follows the snapshot, because a
 * restart has to show again what programs saw; `oldestSeq` does not, because the merge looks from there for what others moved. Places follow as far as the
 * change is listed: the handler looks up by them what lies below changed directories. To the merge they are only where it looks first. A directory that
 * was made here is empty below its changes until it is settled, whatever the snapshot has.
 */
import { decodeEntry } from '../../shared/format/entry-codec.ts'
import type { FileId } from '../../shared/format/entry.ts'
import type { Place } from '../../shared/volume/change-set.ts'
import { toFileId } from '../../shared/volume/file-id.ts'
import type { Change } from '../fs/backend.ts'
import type { ChangeState } from './change-state.ts'
import type { NameTarget } from './edit.ts'

/** A `Change` is one. */
export interface NewerSnapshot {
  readonly seq: number
  readonly nonce?: Change['nonce']
  readonly names?: Change['names']
}

export interface BaseMove {
  readonly seq: number
  /** Of directories with changes that others moved. */
  readonly places: readonly Place[]
  /** The snapshot has the batch that is out. */
  readonly hasBatch: boolean
  /** What it has under names that are changed here, but for what the batch has put there. */
  readonly shown: readonly ShownName[]
}

export interface ShownName {
  readonly directoryId: FileId
  readonly name: string
  readonly target: NameTarget | undefined
}

/** `hasBatch`: it is known already that the snapshot has the batch that is out; else that is seen by the nonce of its commit, or by its names. */
export function planMove<Body>(state: ChangeState<Body>, { seq, nonce, names = [] }: NewerSnapshot, hasBatch: boolean): BaseMove {
  const places: Place[] = []
  if (state.isEmpty) return { seq, places, hasBatch: false, shown: [] }
  const ours: ShownName[] = []
  const others: ShownName[] = []
  let isOther = false
  for (const { directoryId, name, entry } of names) {
    const parentId = toFileId(directoryId)
    const target = entry === undefined ? undefined : targetOf(entry)
    const changed = state.name(parentId, name)
    if (changed !== undefined) {
      const { taken, base } = changed
      const isOurs = taken !== undefined && taken?.id === target?.id
      if (!isOurs && taken !== undefined && taken?.id !== base?.id) isOther = true
      const list = isOurs ? ours : others
      list.push({ directoryId: parentId, name, target })
    }
    if (target?.kind === 'directory' && state.places.has(target.id)) places.push({ id: target.id, parentId, name })
  }
  // Not all of its names are listed: a change says nothing of what is in directories that came, went or moved.
  const isIn = hasBatch || (nonce !== undefined && nonce === state.taken?.nonce) || (ours.length > 0 && !isOther)
  return { seq, places, hasBatch: isIn, shown: isIn ? others : [...ours, ...others] }
}

function targetOf(bytes: Uint8Array): NameTarget {
  const { id, kind } = decodeEntry(bytes)
  return { id, kind }
}

export function moveBase<Body>(state: ChangeState<Body>, { seq, places, hasBatch, shown }: BaseMove): void {
  if (hasBatch) showBatch(state)
  for (const place of places) {
    state.places.set(place.id, place)
    state.shownPlaces.delete(place.id)
  }
  for (const { directoryId, name, target } of shown) {
    const changed = state.name(directoryId, name)
    if (changed !== undefined && !state.isNew(directoryId)) state.namesOf(directoryId).setShown(changed, target)
  }
  state.seq = seq
  if (!state.isEmpty) return
  state.oldestSeq = seq
  state.places.clear()
}

function showBatch<Body>(state: ChangeState<Body>): void {
  for (const [directoryId, names] of state.directories) {
    if (state.isNew(directoryId)) continue
    for (const changed of names.all()) if (changed.taken !== undefined) names.setShown(changed, changed.taken ?? undefined)
  }
  state.noteShownPlaces()
}
