/**
 * The snapshot under the changes becomes a newer one.
 *
 * What a change was made from stays what it was: only so can the merge see what others have done to the same thing. `seq` follows the snapshot, because a
 * restart has to show again what programs saw; `oldestSeq` does not, because the merge looks from there for what others moved. Places follow as far as the
 * change is listed: the handler looks up by them what lies below changed directories. To the merge they are only where it looks first. A directory that
 * was made here is empty below its changes until it is settled, whatever the snapshot has.
 */
import { decodeEntry } from '../../shared/format/entry-codec.ts'
import type { Place } from '../../shared/volume/change-set.ts'
import { toFileId } from '../../shared/volume/file-id.ts'
import type { Change } from '../fs/backend.ts'
import type { ChangeState } from './change-state.ts'
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

/**
 * Also notes what the snapshot has now where names are changed here: counts are deltas to it. `hasBatch`: it is known already that the snapshot has the batch
 * that is out; else that is seen by its names.
 */
export function planMove<Body>(state: ChangeState<Body>, { seq, names = [] }: NewerSnapshot, hasBatch: boolean): BaseMove {
  const places: Place[] = []
  if (state.isEmpty) return { seq, places, hasBatch: false }
  let putCount = 0
  let otherCount = 0
  for (const { directoryId, name, entry } of names) {
    const parentId = toFileId(directoryId)
    const target = entry === undefined ? undefined : targetOf(entry)
    const changed = state.name(parentId, name)
    if (changed !== undefined) {
      if (!state.isNew(parentId)) state.namesOf(parentId).setShown(changed, target)
      const { taken, base } = changed
      if (taken !== undefined && taken?.id === target?.id) putCount += 1
      else if (taken !== undefined && taken?.id !== base?.id) otherCount += 1
    }
    if (target?.kind === 'directory' && state.places.has(target.id)) places.push({ id: target.id, parentId, name })
  }
  // Not all of its names are listed: a change says nothing of what is in directories that came, went or moved.
  return { seq, places, hasBatch: hasBatch || (putCount > 0 && otherCount === 0) }
}

function targetOf(bytes: Uint8Array): NameTarget {
  const { id, kind } = decodeEntry(bytes)
  return { id, kind }
}

export function moveBase<Body>(state: ChangeState<Body>, { seq, places, hasBatch }: BaseMove): void {
  for (const place of places) state.places.set(place.id, place)
  if (hasBatch) {
    for (const [directoryId, names] of state.directories) {
      if (state.isNew(directoryId)) continue
      for (const changed of names.all()) if (changed.taken !== undefined) names.setShown(changed, changed.taken ?? undefined)
    }
  }
  state.seq = seq
  if (!state.isEmpty) return
  state.oldestSeq = seq
  state.places.clear()
}
