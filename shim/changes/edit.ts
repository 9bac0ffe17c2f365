/**
 * What one operation of a program changes, as state: "this name leads there now", "this inode is this entry now". Types alone.
 *
 * The handler makes an `Edit` of each operation and gives it to `LocalChanges.apply`, which journals it as one record (whole or not at all after a
 * crash) and then shows it. Nothing here says how a state came about: writing the same edit twice gives the same state.
 */
import type { Entry, FileId, FileKind, ManifestRoot } from '../../shared/format/entry.ts'
import type { Place } from '../../shared/volume/change-set.ts'
import type { SyncFile } from '../bodies/body-file.ts'
import type { BodyStamp, LocalBody } from '../bodies/local-body.ts'

/** What a name leads to. */
export interface NameTarget {
  readonly id: FileId
  readonly kind: FileKind
}

/**
 * A name and where it leads. With `to` equal to `base` it changes nothing by itself but says where its inode stands: the first change of an inode
 * of the snapshot that is no directory comes with one of its names so (a batch must find the inode), and LINK comes with the first name, whose
 * directory entry becomes a link into the inode tree.
 */
export interface NamePut {
  readonly directoryId: FileId
  readonly name: string
  /** Undefined: the name is gone. */
  readonly to: NameTarget | undefined
  /** What the snapshot has there. Ignored when the name is changed here already. */
  readonly base: NameTarget | undefined
}

export interface NodePut<Body = LocalBody> {
  /** Whole. `content` of a file with a local body is what was published last; `size` and times of such a file are the body's when it is asked for. */
  readonly entry: Entry
  /** As in the snapshot; undefined: it is new. Ignored when the inode is changed here already. */
  readonly base: Entry | undefined
  /** Undefined: as it was. Null: it has none any more, `entry.content` says what the file holds. */
  readonly body?: Body | null | undefined
  /**
   * `body` holds just what `entry.content` says: a cached file that is opened for writing. It is not published as long as its size and modification
   * time stay, and no `noteWritten` comes.
   */
  readonly isClean?: boolean | undefined
}

export interface Edit<Body = LocalBody> {
  readonly names?: readonly NamePut[] | undefined
  readonly nodes?: readonly NodePut<Body>[] | undefined
  /**
   * Where directories of the snapshot lie in it: of each that `names` or `nodes` speak of for the first time, with all above it but the root.
   * Those that are known already may come again.
   */
  readonly places?: readonly Place[] | undefined
  /** Inodes made here that are gone for good, with nobody having them open: nothing is left of them. One of the snapshot stays until its removal is published. */
  readonly forgets?: readonly FileId[] | undefined
}

/** An inode that differs from the snapshot, or may. */
export interface LocalNode<Body = LocalBody> {
  readonly entry: Entry
  /** As in the snapshot that our change was made from; undefined: it is new. */
  readonly base: Entry | undefined
  /** Where its bytes are, when they are on this machine. */
  readonly body: Body | undefined
  /** The body as it was when it held what `entry.content` says; undefined: that cannot be told. */
  readonly published: BodyStamp | undefined
  /** The counter of the edit that changed it last. */
  readonly changedAt: number
}


/** What changes need of a local body; `shim/bodies/` has it. */
export interface ChangedBody {
  /** Names the backing file for as long as it lives. */
  readonly serial: number
  readonly path: string
  /** Counts the changes that came through this process. */
  readonly generation: number
  /** What shows where nothing local was written; undefined: all of it is local. */
  readonly base: { readonly root: ManifestRoot; readonly length: number } | undefined
  /** Of a body with a base: start, end, start, end … */
  readonly writtenEdges: readonly number[]
  /** After a restart: the disk has less of it than the journal says, so `state` is to be journaled anew. */
  readonly isLess?: boolean
  /** Nobody else has the backing file open or mapped, now. */
  readonly isAlone: boolean
  /** Size and modification time now, whoever wrote; a negative errno. */
  fstat(): { readonly size: number; readonly mtimeSeconds: number; readonly mtimeNanoseconds: number } | number
  /** Undefined while it was changed so lately that the next change might leave the same stamp. */
  stamp(): BodyStamp | undefined
  /** It has not changed since it had that stamp. */
  isAt(stamp: BodyStamp): boolean
  /** For the journal: what a restart makes the body of again. Small: it is written with the edit that gives the body. */
  state(): Uint8Array
  /** Makes its bytes durable. `done` gets 0 or a negative errno, once. */
  sync(sync: SyncFile, done: (result: number) => void): void
  /** Until `unpin` the backing file is not used for anything else. */
  pin(): void
  unpin(): void
}
