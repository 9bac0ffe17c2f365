/**
 * The values a volume is made of: entries, their content, and pointers to what is stored.
 *
 * These are the decoded forms; `entry-codec.ts`, `tree-page.ts` and `manifest-page.ts` give their bytes, `FORMAT.md` specifies them.
 */

/** SHA-256 as 64 lower-case hex digits. */
export type Hash = string & { readonly __brand: 'Hash' }

/** `d` (data pack) or `m` (metadata pack) followed by a ULID; the object's key is `data/<id>` or `meta/<id>`. */
export type PackId = string & { readonly __brand: 'PackId' }

/**
 * A stable file id, st_ino of every mount. Stored in 64 bits; always a safe integer. Each writer session draws one random start and
 * counts up from it, so that two of them collide with probability (sessions × files) / 2^53 without any coordinator.
 */
export type FileId = number & { readonly __brand: 'FileId' }

export function isFileId(value: number): value is FileId {
  return Number.isSafeInteger(value) && value >= 0
}

/** Where immutable bytes lie, and what they must hash to. One ranged GET, verified. */
export interface Pointer {
  readonly hash: Hash
  readonly pack: PackId
  /** First byte in the pack. */
  readonly offset: number
  /** Length in bytes. */
  readonly length: number
}

/** A moment: whole seconds since 1970 (may be negative) and nanoseconds 0…999,999,999. */
export interface Time {
  readonly seconds: number
  readonly nanoseconds: number
}

export type FileKind = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'character-device' | 'block-device'

/** A run of a file's bytes: a chunk, or a hole that reads as zeros. */
export type Run =
  | { readonly kind: 'chunk'; readonly length: number; readonly pointer: Pointer }
  | { readonly kind: 'hole'; readonly length: number }

/**
 * The root of a manifest: a page of its own, or, for files of few runs, the page's bytes inline in the entry (which saves one
 * read per small file). `contentId` depends on the runs' lengths and hashes alone, not on the packs they lie in.
 */
export type ManifestRoot =
  | { readonly kind: 'inline'; readonly page: Uint8Array; readonly contentId: Hash }
  | { readonly kind: 'page'; readonly pointer: Pointer; readonly contentId: Hash }

/** The root of a directory's tree; no pointer when it is empty. */
export interface TreeRoot {
  readonly pointer: Pointer | undefined
  readonly entryCount: number
  /** How many of the entries are directories: st_nlink is 2 + this. */
  readonly directoryCount: number
}

export type Content =
  | { readonly kind: 'inline'; readonly bytes: Uint8Array } // a file's whole body, at most `inlineBytesMax`
  | { readonly kind: 'manifest'; readonly root: ManifestRoot }
  | { readonly kind: 'tree'; readonly root: TreeRoot } // directories
  | { readonly kind: 'target'; readonly target: string } // symlinks; a path, as `decodeName` gives it
  | { readonly kind: 'device'; readonly major: number; readonly minor: number }
  | { readonly kind: 'none' } // fifos and sockets
  | { readonly kind: 'link' } // a file with several hard links: everything else stands in the inode tree under `id`

/** One entry of a directory (without its name), or one inode of the inode tree. */
export interface Entry {
  readonly kind: FileKind
  readonly id: FileId
  /** Permission bits only, 0…0o7777. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly mtime: Time
  readonly ctime: Time
  /** Absent means that it equals mtime: reading does not move it, only setting it does (utimensat(2)). */
  readonly atime?: Time | undefined
  /** Size in bytes of a file's body or a symlink's target; 0 otherwise. */
  readonly size: number
  /** Hard links; 1 but for inodes of the inode tree. */
  readonly linkCount: number
  readonly xattrs: ReadonlyMap<string, Uint8Array>
  readonly content: Content
}

/** What a commit points to. */
export interface Root {
  /** The root directory. */
  readonly directory: Entry
  /** The inode tree of files with several hard links; undefined while there are none. */
  readonly inodes: Pointer | undefined
}

/** Bodies up to this many bytes live in the tree entry itself. */
export const inlineBytesMax = 4096
