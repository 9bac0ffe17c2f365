/**
 * The snapshot under the changes becomes a newer one.
 *
 * What a change was made from stays what it was: only so can the merge see what others have done to the same thing. `seq` follows the snapshot, because a
 * restart has to show again what programs saw; `oldestSeq` does not, because the merge looks from there for what others moved. Places follow as far as the
 * change is listed: the handler looks up by them what lies below changed directories. To the merge they are only where it looks first.
 */
import { decodeEntry } from '../../shared/format/entry-codec.ts'
import type { Place } from '../../shared/volume/change-set.ts'
import { toFileId } from '../../shared/volume/file-id.ts'
import type { Change } from '../fs/backend.ts'
import type { ChangeState } from './change-state.ts'
import type { ChangedName } from './changed-names.ts'
import type { NameTarget } from './edit.ts'

/** A `Change` is one. */
export interface NewerSnapshot {
  readonly seq: number
  readonly names?: Change['names']
}

export interface BaseMove {
  readonly seq: number
  /** Of directories with changes that others moved. */
  readonly places: readonly Place[]
  /** The snapshot has the batch that is out: every name leads where the batch has put it. */
  readonly hasBatch: boolean
}

/** Also notes what the snapshot has now where names are changed here: counts are deltas to it. */
export function planMove<Body>(state: ChangeState<Body>, { seq, names = [] }: NewerSnapshot): BaseMove {
  const places: Place[] = []
  if (state.isEmpty) return { seq, places, hasBatch: false }
  let published = 0
  for (const { directoryId, name, entry } of names) {
    const parentId = toFileId(directoryId)
    const target = entry === undefined ? undefined : targetOf(entry)
    const changed = state.name(parentId, name)
    if (changed !== undefined) {
      state.namesOf(parentId).setShown(changed, target)
      if (isPutByBatch(changed) && changed.taken?.id === target?.id) published += 1
    }
    if (target?.kind === 'directory' && state.places.has(target.id)) places.push({ id: target.id, parentId, name })
  }
  return { seq, places, hasBatch: published > 0 && published === namesPutByBatch(state) }
}

function isPutByBatch({ taken, base }: ChangedName): boolean {
  return taken !== undefined && taken?.id !== base?.id
}

function namesPutByBatch<Body>(state: ChangeState<Body>): number {
  let count = 0
  for (const names of state.directories.values()) for (const changed of names.all()) if (isPutByBatch(changed)) count += 1
  return count
}

function targetOf(bytes: Uint8Array): NameTarget {
  const { id, kind } = decodeEntry(bytes)
  return { id, kind }
}

export function moveBase<Body>(state: ChangeState<Body>, { seq, places, hasBatch }: BaseMove): void {
  for (const place of places) state.places.set(place.id, place)
  if (hasBatch) {
    for (const names of state.directories.values()) {
      for (const changed of names.all()) if (changed.taken !== undefined) names.setShown(changed, changed.taken ?? undefined)
    }
  }
  state.seq = seq
  if (!state.isEmpty) return
  state.oldestSeq = seq
  state.places.clear()
}
