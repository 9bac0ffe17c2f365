/**
 * What was changed here and is not published yet, as the tree of the volume asks for it. `LocalChanges` has it.
 */
import type { Entry, FileId } from '../../shared/format/entry.ts'
import type { Place } from '../../shared/volume/change-set.ts'
import { entryOfBody } from '../changes/body-times.ts'
import type { NameTarget } from '../changes/edit.ts'
import type { FileStat } from '../sys/sys.ts'

export interface ChangedTree {
  node(id: FileId): ChangedNode | undefined
  /** Null: removed here; undefined: as in the snapshot. */
  target(directoryId: FileId, name: string): NameTarget | null | undefined
  hasNames(directoryId: FileId): boolean
  /** What the changed names of a directory add to the snapshot's counts. */
  counts(directoryId: FileId): { readonly entries: number; readonly directories: number }
  /** Where a directory of the snapshot lies in it, of those that have changes. */
  place(id: FileId): Place | undefined
}

export interface ChangedNode {
  readonly entry: Entry
  readonly base: Entry | undefined
  readonly body: { fstat(): FileStat | number } | undefined
}

/** Size and times are the body's. A disk that does not tell leaves them as they were told last. */
export function presentEntry({ entry, body }: ChangedNode): Entry {
  const stat = body?.fstat()
  return stat === undefined || typeof stat === 'number' ? entry : entryOfBody(entry, stat.size, { seconds: stat.mtimeSeconds, nanoseconds: stat.mtimeNanoseconds })
}
