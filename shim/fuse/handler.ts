/**
 * What a file system is to a driver: the interface between `shim/fuse/` (the kernel's bytes) and `shim/fs/` (POSIX).
 *
 * A handler runs on one thread that may never turn its event loop, so nothing here is a promise. A method answers at once, or gives a
 * `Deferred` and settles it later, from the same thread. An answer object belongs to the handler and is read by the driver before the
 * handler is called again, so a handler may give the same object every time. Numbers below zero are errnos (-ENOENT).
 */

/** The kernel's node number: 1 is the root; chosen by the handler, never reused while the kernel remembers it. A safe integer. */
export type NodeId = number

/** The answer of a handler: a value, a negative errno, or later. */
export type Answer<T> = T | number | Deferred<T>

/** An answer that comes later. It is settled exactly once; settling again does nothing. */
export class Deferred<T> {
  #settled = false
  #listener: ((answer: T | number) => void) | undefined
  #early: { answer: T | number } | undefined

  /** Set by the handler: called when the kernel interrupts the request; the handler should settle it with -EINTR soon. */
  onInterrupt: (() => void) | undefined

  get isSettled(): boolean {
    return this.#settled
  }

  /** Called by the handler, with the value or a negative errno. */
  settle(answer: T | number): void {
    if (this.#settled) return
    this.#settled = true
    if (this.#listener === undefined) this.#early = { answer }
    else this.#listener(answer)
  }

  /** Called by the driver, once. */
  listen(listener: (answer: T | number) => void): void {
    this.#listener = listener
    if (this.#early !== undefined) listener(this.#early.answer)
  }
}

export interface Caller {
  readonly uid: number
  readonly gid: number
  readonly pid: number
}

/** struct fuse_attr, with sizes as safe integers. `mode` holds the file type bits too. Times: seconds and nanoseconds. */
export interface Attributes {
  ino: number
  size: number
  /** 512-byte units. */
  blocks: number
  atimeSeconds: number
  atimeNanoseconds: number
  mtimeSeconds: number
  mtimeNanoseconds: number
  ctimeSeconds: number
  ctimeNanoseconds: number
  mode: number
  linkCount: number
  uid: number
  gid: number
  /** Device number as the kernel packs it (new_encode_dev). */
  rdev: number
  blockBytes: number
}

/** Reply to LOOKUP and READDIRPLUS. `nodeId` 0 is a negative entry that the kernel may remember. Each reply with a nodeId counts as one lookup. */
export interface EntryReply {
  nodeId: NodeId
  generation: number
  entryValidMs: number
  attributesValidMs: number
  attributes: Attributes
}

export interface AttributesReply {
  validMs: number
  attributes: Attributes
}

export interface OpenReply {
  /** File handle, a safe integer that comes back in READ and RELEASE. */
  handle: number
  keepCache: boolean
  directIo: boolean
  /** Directories: the kernel may keep the listing. */
  cacheDirectory: boolean
  /** No FLUSH at close. */
  noFlush: boolean
  /** A backing id of `Connection.openBacking`: kernel passthrough. 0 for none. */
  backingId: number
}

/** Bytes for READ: in memory, or a part of an open file that the driver sends without a detour. */
export type ReadReply =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'file'; readonly fd: number; readonly offset: number; readonly length: number }

export interface StatfsReply {
  blocks: number
  blocksFree: number
  files: number
  filesFree: number
  blockBytes: number
  nameBytesMax: number
}

/** Takes the entries of one READDIR(PLUS) reply. */
export interface DirectorySink {
  /** True for READDIRPLUS: then `entry` must be given (with nodeId 0 for `.` and `..`). */
  readonly isPlus: boolean
  /**
   * Adds one entry; false when it did not fit (then it was not added, and the handler stops; a lookup is counted for added entries only).
   * `nextOffset` (a safe integer > 0) is the READDIR offset that continues after this entry.
   */
  add(name: string, ino: number, nextOffset: number, mode: number, entry: EntryReply | undefined): boolean
}

/** What a driver offers a handler once the connection stands. */
export interface Connection {
  /** The kernel takes backing files: root, Linux >= 6.9. */
  readonly canPassthrough: boolean
  /** Registers an open regular file; gives a backing id (> 0) or a negative errno. The caller may close `fd` at once. */
  openBacking(fd: number): number
  closeBacking(backingId: number): void
  /** Drops the kernel's cached data (a range, or all with length 0) and attributes of a node. Queued, never blocks the caller. */
  invalidateNode(nodeId: NodeId, offset: number, length: number): void
  /** Drops the kernel's name `name` in `parent`, positive or negative. Queued, never blocks the caller. */
  invalidateEntry(parent: NodeId, name: string): void
  /** Drops every name and listing that the kernel keeps, lazily (NOTIFY_INC_EPOCH); false when this kernel cannot. */
  invalidateAllEntries(): boolean
}

/** A file system. Methods that are absent are answered ENOSYS (or EROFS for what would change something). */
export interface Handler {
  start(connection: Connection): void
  /** The connection is over; nothing more may be answered. */
  stop(): void

  lookup(parent: NodeId, name: string, caller: Caller): Answer<EntryReply>
  forget(nodeId: NodeId, lookupCount: number): void
  getattr(nodeId: NodeId, handle: number | undefined): Answer<AttributesReply>
  readlink(nodeId: NodeId): Answer<string>
  /** `flags` as in open(2). */
  open(nodeId: NodeId, flags: number, caller: Caller): Answer<OpenReply>
  read(nodeId: NodeId, handle: number, offset: number, length: number): Answer<ReadReply>
  flush(nodeId: NodeId, handle: number): Answer<undefined>
  release(nodeId: NodeId, handle: number): void
  opendir(nodeId: NodeId, caller: Caller): Answer<OpenReply>
  /** Fills `sink` from `offset` (0 at the start). Deferred: the driver calls again, with a fresh sink, when it is settled. */
  readdir(nodeId: NodeId, handle: number, offset: number, sink: DirectorySink): Answer<undefined>
  releasedir(nodeId: NodeId, handle: number): void
  statfs(nodeId: NodeId): Answer<StatfsReply>
  /** `mask` as in access(2). Only asked when default_permissions is off. */
  access(nodeId: NodeId, mask: number, caller: Caller): Answer<undefined>
  getxattr(nodeId: NodeId, name: string): Answer<Uint8Array>
  listxattr(nodeId: NodeId): Answer<readonly string[]>
  /** `whence`: 3 = SEEK_DATA, 4 = SEEK_HOLE. Gives the offset. The value is boxed because plain numbers are errnos. */
  lseek(nodeId: NodeId, handle: number, offset: number, whence: number): Answer<{ readonly offset: number }>
}
