/**
 * What a commit may do to a volume, as plain values. Callers make them, `transaction.ts` applies them, and after a lost race they are applied
 * again to the newer root, so an operation never holds anything that depends on the root it was made for.
 */
import type { Content, FileId, Hash, Time } from '../format/entry.ts'

/**
 * What the caller believes stands at the operation's path. Unless given it is what was there when the commit first looked. `any`: whatever
 * is there is to be overwritten or removed; the last one wins. A version is what `contentVersionOf` gives.
 */
export type Expectation = 'any' | 'absent' | { readonly id?: FileId | undefined; readonly version?: Hash | undefined }

/** Attributes that a caller chooses; what is left out gets the default of the operation. */
export interface ChosenAttributes {
  /** Permission bits. */
  readonly mode?: number | undefined
  readonly uid?: number | undefined
  readonly gid?: number | undefined
  readonly mtime?: Time | undefined
  readonly ctime?: Time | undefined
  /** Equals mtime unless given. */
  readonly atime?: Time | undefined
  readonly xattrs?: ReadonlyMap<string, Uint8Array> | undefined
}

interface Aimed {
  /** Canonical volume path; the entry that is made or changed. */
  readonly path: string
  readonly expected?: Expectation | undefined
}

interface Making extends Aimed, ChosenAttributes {
  /** The new entry's id; drawn from the writer unless given. */
  readonly id?: FileId | undefined
  /** Makes missing directories on the way. */
  readonly parents?: boolean | undefined
  /** An entry that is no directory may be there and is replaced. A replaced file keeps its id. */
  readonly replace?: boolean | undefined
}

/** A regular file; empty unless `content` and `size` (as `ContentWriter.write` gives them) say otherwise. */
export interface Create extends Making {
  readonly op: 'create'
  readonly content?: Content | undefined
  readonly size?: number | undefined
}

/** New content for a file that is there; it keeps its id and attributes, its mtime becomes now unless given. */
export interface Write extends Aimed {
  readonly op: 'write'
  readonly content: Content
  readonly size: number
  readonly mtime?: Time | undefined
}

/** With `parents`, a directory that is there already is fine and keeps its attributes. */
export interface MakeDirectory extends Making {
  readonly op: 'mkdir'
}

export interface MakeSymlink extends Making {
  readonly op: 'symlink'
  readonly target: string
}

export interface MakeNode extends Making {
  readonly op: 'mknod'
  readonly kind: 'fifo' | 'socket' | 'character-device' | 'block-device'
  readonly major?: number | undefined
  readonly minor?: number | undefined
}

/** rename(2): what stands at `to` is replaced (a directory only when it is empty) unless `replace` is false. */
export interface Rename extends Aimed {
  readonly op: 'rename'
  readonly to: string
  readonly replace?: boolean | undefined
  readonly parents?: boolean | undefined
}

/** One more name, `to`, for the file at `path`. */
export interface Link extends Aimed {
  readonly op: 'link'
  readonly to: string
  readonly replace?: boolean | undefined
  readonly parents?: boolean | undefined
}

export interface Unlink extends Aimed {
  readonly op: 'unlink'
}

/** With `recursive`, whatever is in the directory goes too. */
export interface RemoveDirectory extends Aimed {
  readonly op: 'rmdir'
  readonly recursive?: boolean | undefined
}

/** Size is not among them: that is a `write`. */
export interface SetAttributes extends Aimed, Omit<ChosenAttributes, 'xattrs'> {
  readonly op: 'setattr'
}

/** Without a value the attribute is removed. */
export interface SetExtendedAttribute extends Aimed {
  readonly op: 'setxattr'
  readonly name: string
  readonly value?: Uint8Array | undefined
}

export type Operation =
  | Create
  | Write
  | MakeDirectory
  | MakeSymlink
  | MakeNode
  | Rename
  | Link
  | Unlink
  | RemoveDirectory
  | SetAttributes
  | SetExtendedAttribute

/** An operation lost to another commit: what it was about, and where its (or the other's) version was kept. */
export interface Conflict {
  readonly path: string
  readonly keptAs: string
}
