/**
 * What the file-system thread asks of the network thread. Declared here, by the caller; `shim/volume/` implements it, and
 * `shim/daemon/` carries it across the thread border.
 *
 * Callbacks come on the caller's own thread. The file-system thread may never turn its event loop, so there are no promises.
 */
import type { ErrorCode } from '../../shared/error.ts'
import type { Pointer } from '../../shared/format/entry.ts'
import type { ByteRange } from '../../shared/range.ts'

/** Names one request; for `cancel` and `promote`. */
export type Ticket = number

export interface Failure {
  readonly code: ErrorCode
  /** A sentence for the log. */
  readonly message: string
}

export interface FetchRequest {
  /** The manifest root of the file, as `encodeManifestRoot` gives it. */
  readonly manifest: Uint8Array
  /** Which bytes must become present; clamped to the file. Whole chunks are fetched, so more may become present. */
  readonly range: ByteRange
  /** The backing file, open for writing until `done`. Verified bytes are written at their file offsets. -1: there is none, see `uncached`. */
  readonly fd: number
  /** Demand never waits behind speculation. */
  readonly isDemand: boolean
  /** Path or name of the file, for messages. */
  readonly label: string
}

export interface FetchListener {
  /** These bytes are verified and written to the backing file, or, in a hole, need no writing. Disjoint calls, in any order. */
  present(range: ByteRange, isHole: boolean): void
  /** These bytes are verified but not in the backing file: there is none, or its disk is full or fails. In place of `present`. */
  uncached(range: ByteRange, bytes: Uint8Array): void
  /** All of the request was given, or why not. Called once, last, also after `cancel` (with code `aborted`). */
  done(failure: Failure | undefined): void
}

/** With a `from` the file there is moved to `to` and emptied, or removed where there is no `to`; without, a file is made. */
export interface FileChore {
  readonly from: string | undefined
  readonly to: string | undefined
}

export interface Backend {
  /** A verified tree page. `done` is called once. */
  page(pointer: Pointer, done: (answer: Uint8Array | Failure) => void): Ticket
  fetch(request: FetchRequest, listener: FetchListener): Ticket
  /** Makes a speculative fetch a demand. */
  promote(ticket: Ticket): void
  /** Nobody waits any more. `done` still comes. */
  cancel(ticket: Ticket): void
  /** fdatasync off this thread, of a directory fsync: then its names are durable. The descriptor stays open until `done`, which gets 0 or a negative errno. */
  sync(fd: number, done: (result: number) => void): void
  /** Prepares backing files off this thread. Says for each whether an empty file is at its `to` now, durably as to its name. */
  prepare(chores: readonly FileChore[], done: (ready: readonly boolean[]) => void): void
}

/** One changed name, found by comparing two commits. */
export interface ChangedName {
  /** File id of the directory. */
  readonly directoryId: number
  readonly name: string
  /** The new entry's bytes, or undefined when the name is gone. */
  readonly entry: Uint8Array | undefined
  /** File id of what had the name before. */
  readonly beforeId: number | undefined
  /** That was a directory. What is in one that came, went or moved is not listed. */
  readonly wasDirectory?: boolean | undefined
}

/** Pushed by the network thread when a newer commit is there. */
export interface Change {
  readonly seq: number
  /** Of the newest of its commits: who made it knows it by that. */
  readonly nonce?: string | undefined
  /** Bytes of the new `Root`, as `encodeRoot` gives them. */
  readonly root: Uint8Array
  /** Every changed name, deepest directories included; undefined when there were too many to list: forget everything cached. */
  readonly names: readonly ChangedName[] | undefined
  /** New bytes of inodes of the inode tree that changed. */
  readonly inodes: readonly { readonly id: number; readonly entry: Uint8Array | undefined }[]
}
