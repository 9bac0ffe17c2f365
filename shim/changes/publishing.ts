/**
 * What the file-system thread and the publisher (on the network thread) tell each other: a contract, types alone. Everything is plain data, for it
 * crosses threads.
 *
 * The publisher asks for a batch when it is time; the file system gives all that is not published, as one consistent state, and keeps the bodies of the
 * batch from being recycled until it is told what became of it. One batch at a time.
 */
import type { FileId, Time } from '../../shared/format/entry.ts'
import type { ChangeConflict, ChangeSet } from '../../shared/volume/change-set.ts'

/** How much waits to be published; told when it changes, at most every 250 ms. */
export interface Pending {
  /** Names and inodes that differ from the snapshot. 0: everything is published. */
  readonly changeCount: number
  /** Of bodies to upload. */
  readonly dirtyBytes: number
  readonly dirtyFileCount: number
  /** Milliseconds since the epoch of the oldest change. */
  readonly oldestMs: number | undefined
  /** Of the newest change. */
  readonly newestMs: number | undefined
  /** Counts every change; a batch holds those up to its own. */
  readonly counter: number
}

/** A body that is on this machine and has to be read to publish its file. */
export interface BatchBody {
  readonly id: FileId
  /** The backing file. */
  readonly path: string
  /** For messages. */
  readonly label: string
  readonly size: number
  /** What `verify` compares: writes through the process count up `generation`, those of the kernel move the backing file's mtime. */
  readonly generation: number
  readonly mtime: Time
  /** What the file holds where nothing local was written: `encodeManifestRoot` of it, and how many of its bytes still count. */
  readonly base: { readonly manifest: Uint8Array; readonly length: number } | undefined
  /** Local ranges as start, end, start, end …; undefined: all of it is local. Elsewhere the base counts, and zeros beyond it. */
  readonly written: readonly number[] | undefined
  /** The version that the snapshot has, whose chunks are likely to come again: `encodeManifestRoot`. */
  readonly previous: Uint8Array | undefined
  /** Somebody has it open for writing, or mapped. */
  readonly isOpen: boolean
}

/** A body that should be in the batch, and that the disk does not let us look at. */
export interface UnseenBody {
  readonly id: FileId
  /** For messages. */
  readonly label: string
  readonly size: number
  /** What the disk says: a negative errno. */
  readonly result: number
}

export interface Batch {
  readonly counter: number
  /** The `nonce` that the commit's record has to have: by it a commit is found in the log whose answer was lost. */
  readonly nonce: string
  /** The oldest snapshot that one of `changes` was made from. */
  readonly baseSeq: number
  /** The newest one: places are true in it. */
  readonly shownSeq: number
  /** The entry of a file with a body in `bodies` still has the content that was published last (empty for a new one). */
  readonly changes: ChangeSet
  readonly bodies: readonly BatchBody[]
  /** Files that have what they had, though they changed: who waits for them waits on. */
  readonly unseen: readonly UnseenBody[]
}

/**
 * A batch that was given out, and nobody said what became of it: the process ended, or the answer of the store was lost. Nothing else is given out before
 * that is known. A commit after `baseSeq` whose record has the nonce: `published` (as its nodes, what that commit changed); none up to the newest:
 * `not-published`.
 */
export interface Doubt {
  readonly counter: number
  readonly nonce: string
  readonly baseSeq: number
}

/** Which bodies may be published: those that did not change while they were read. */
export interface Verified {
  readonly unchanged: readonly FileId[]
}

export interface Published {
  readonly counter: number
  readonly seq: number
  /** Every node of the batch as the commit has it, by the id it has there: `encodeEntry`. */
  readonly nodes: readonly { readonly id: FileId; readonly entry: Uint8Array }[]
  /** Bodies whose content went with it: it is what the commit has for their files. */
  readonly bodies: readonly { readonly id: FileId; readonly generation: number; readonly mtime: Time }[]
  /** Files whose bodies hold what was published before, while others have written another content, which the commit has. */
  readonly superseded: readonly FileId[]
  readonly conflicts: readonly ChangeConflict[]
  /** Made on both sides, and alike: theirs is both now. */
  readonly merged: readonly { readonly id: FileId; readonly into: FileId }[]
}

/** To the file-system thread. */
export type ToChanges =
  /** `isEverything`: also files that are open for writing and were tried lately (flush, unmount). */
  | { readonly kind: 'take-batch'; readonly isEverything: boolean }
  | { readonly kind: 'verify'; readonly ids: readonly FileId[] }
  | { readonly kind: 'published'; readonly published: Published }
  /** Nothing of the batch went out, for certain; it is all still pending. While that is not certain nothing is said: the next `take-batch` gives the doubt. */
  | { readonly kind: 'not-published' }
  /** Answer to `publish`. */
  | { readonly kind: 'publish-done'; readonly ticket: number; readonly result: number }
  /** Answer to `claim`: 0, or a negative errno (-EEXIST: somebody else has the name). `seq`: the commit that has it. */
  | { readonly kind: 'claimed'; readonly ticket: number; readonly result: number; readonly seq: number }
  /** Answer to `revalidate`: 0, or a negative errno. The newest commit, if it was not known, has come before it, as a `Change`. */
  | { readonly kind: 'revalidated'; readonly ticket: number; readonly result: number }

/** To the publisher. */
export type ToPublisher =
  | { readonly kind: 'pending'; readonly pending: Pending }
  /** Answer to `take-batch`. Undefined: nothing to publish. */
  | { readonly kind: 'batch'; readonly batch: Batch | undefined }
  /** Answer to `take-batch`: first find out about this one, then ask again. */
  | { readonly kind: 'in-doubt'; readonly doubt: Doubt }
  /** Answer to `take-batch`: there may be something, and it cannot be given out. `result`: a negative errno, of the journal. */
  | { readonly kind: 'batch-failed'; readonly result: number }
  | { readonly kind: 'verified'; readonly verified: Verified }
  /** Publish everything up to `counter` now and answer `publish-done`: fsync and close with `--durability cloud`. */
  | ({ readonly kind: 'publish'; readonly ticket: number } & PublishRequest)
  | ({ readonly kind: 'claim'; readonly ticket: number } & ClaimRequest)
  /** `--coherence strict`: is there a newer commit? Asked before an open is answered. */
  | { readonly kind: 'revalidate'; readonly ticket: number }

export interface PublishRequest {
  readonly counter: number
  /** Whose content must go with it; undefined: that of all. Others that change all the time are not waited for. */
  readonly id: FileId | undefined
}

/** `--coherence strict`: publish what is pending, then make this empty file, only if the name is free in the newest commit. */
export interface ClaimRequest {
  readonly path: string
  readonly id: FileId
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/** What the file system asks of the publisher, on its own thread: each `done` is called there, once. The daemon implements it, over messages. */
export interface Publishing {
  /** `result`: 0 or a negative errno (-EIO when the store did not answer until the deadline; nothing is lost by that). */
  publish(request: PublishRequest, done: (result: number) => void): void
  claim(request: ClaimRequest, done: (result: number, seq: number) => void): void
  revalidate(done: (result: number) => void): void
}
