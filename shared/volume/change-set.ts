/**
 * What a mount did to a volume, net: which names lead elsewhere and which files are different, by file ids, compared with one snapshot. It says
 * nothing of the order in which that came about. `ContentWriter.commitChanges` makes a commit of it; after others have committed meanwhile it is
 * merged by the rules of `change-plan.ts`.
 */
import type { CommitRecord } from '../format/commit.ts'
import type { Entry, FileId } from '../format/entry.ts'
import type { Snapshot } from './snapshot.ts'

/** A name in a directory (old or new), before and after; both undefined is nothing to do. */
export interface NameChange {
  readonly directoryId: FileId
  readonly name: string
  /** What the base snapshot has there. */
  readonly before: FileId | undefined
  /**
   * Equal to `before` for a name that leads where it led: it says where a changed inode that is no directory stands. Every one of the base in `nodes` is
   * `before` of one name, of all names whose file moves to the inode tree because it gets more of them.
   */
  readonly after: FileId | undefined
}

/** One file, directory or other inode, whole, before and after. */
export interface NodeChange {
  readonly id: FileId
  /** As in the base snapshot; undefined for what is new. */
  readonly before: Entry | undefined
  /**
   * Undefined when its last name is gone. The content of a directory is not looked at (names make it), nor its counts. `linkCount` counts names.
   */
  readonly after: Entry | undefined
}

/** Where a directory lies in the base snapshot. */
export interface Place {
  readonly id: FileId
  readonly parentId: FileId
  readonly name: string
}

export interface ChangeSet {
  readonly names: readonly NameChange[]
  readonly nodes: readonly NodeChange[]
  /** Every directory of the base that `names` or `nodes` speak of, and all above it but the root. */
  readonly places: readonly Place[]
}

/** Something of ours that lost to another commit's, and where which version is now. */
export interface ChangeConflict {
  /** Where ours was to be. */
  readonly path: string
  /**
   * Where ours is: `name.conflict-<author>-<seq>`. Where theirs has moved it, when both moved it. The same as `path` when we removed what they changed:
   * it stays.
   */
  readonly keptAs: string
  /** The directory of `keptAs`. */
  readonly keptIn: FileId
  readonly id: FileId
  /** The id of ours now; another than `id` when theirs keeps the id. */
  readonly keptId: FileId
}

export interface CommitChangesOptions {
  /** The OLDEST snapshot that one of the changes was made from: what others moved since is looked for from there. */
  readonly base: Snapshot
  /** The newest one, in which `places` are true. `base` unless given. */
  readonly shown?: Snapshot | undefined
  /** Instead of the engine's. */
  readonly author?: string | undefined
  readonly message?: string | undefined
  /** 1 to 128 characters that nobody else has ever given: by it the record is found again when the answer was lost. Drawn unless given. */
  readonly nonce?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** What became of a change set. */
export interface CommittedChanges {
  /** The commit that has all of it. */
  readonly seq: number
  readonly record: CommitRecord
  readonly snapshot: Snapshot
  /** False when the newest commit had all of it already, as when a change set comes twice: nothing was committed. */
  readonly isNew: boolean
  readonly conflicts: readonly ChangeConflict[]
  /** Every node of the set that is there now, as the commit has it, by the id that it has there. */
  readonly nodes: readonly { readonly id: FileId; readonly entry: Entry }[]
  /** Made on both sides, and alike: new files of ours with the same content, and new directories, are theirs now. */
  readonly merged: readonly { readonly id: FileId; readonly into: FileId }[]
}
