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

  /**
   * Set by the handler: called when the kernel interrupts the request; the handler should settle it with -EINTR soon. Without it the driver
   * settles it so: whoever makes a change, opens or looks up later has to see `isSettled` first, because nobody is told of it any more.
   */
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
  /** No FLUSH at close; with a writeback cache it comes all the same. */
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
  /**
   * The kernel gathers writes and keeps sizes and times itself (no passthrough then): of a file that it knows it believes no other size, however
   * often it is told to ask again. Content that changed elsewhere needs `invalidateEntry` of every name, or, as for hard links, another
   * `generation` in the next entry; handles that are open on the old one then get EIO, so what is open gets another node instead.
   */
  readonly hasWritebackCache: boolean
}

/** A time to set: a value, or the moment at which the request is handled. */
export type TimeChange = { readonly seconds: number; readonly nanoseconds: number } | 'now'

/** SETATTR: what is undefined stays. */
export interface AttributesChange {
  /** Permission bits. */
  readonly mode: number | undefined
  readonly uid: number | undefined
  readonly gid: number | undefined
  /** truncate(2), ftruncate(2). A safe integer. */
  readonly size: number | undefined
  readonly atime: TimeChange | undefined
  readonly mtime: TimeChange | undefined
  /** Only with a writeback cache, where the kernel keeps the times. */
  readonly ctime: TimeChange | undefined
  /**
   * The caller may not keep set-user-id and set-group-id bits (of files; directories keep them). With `size`: who is not root truncates. With
   * `uid` or `gid`: always. With nothing else: such a file is about to be written or allocated by who is not root, **in passthrough mode too**,
   * where no WRITE comes; or chown(-1, -1), which also a stranger may try (EPERM on ext4, where the file is not open for writing by anybody).
   * The kernel believes the mode of the answer, and asks again before every write until the bits are gone. The set-group-id bit goes with group
   * execute, or when the caller is not root and not of the file's group. security.capability is removed by the kernel itself (REMOVEXATTR).
   */
  readonly killsPrivileges: boolean
  /** The open file by which it was asked, if any. */
  readonly handle: number | undefined
}

/** Of CREATE, MKNOD, MKDIR and TMPFILE: mode as the program gave it, with type bits, and its umask, which the handler applies (default ACLs replace it). */
export interface NewNode {
  readonly mode: number
  readonly umask: number
  /** As the kernel packs it (new_encode_dev); 0 but for devices. */
  readonly rdev: number
}

/** CREATE and TMPFILE: one lookup and one open handle at once. */
export interface CreateReply {
  readonly entry: EntryReply
  readonly open: OpenReply
}

/** Bits of RENAME2 (renameat2(2)). */
export const renameFlag = { noReplace: 1, exchange: 2, whiteout: 4 } as const

/** How a WRITE came. Valid, as its bytes, until the method returns; the caller may be kept. */
export interface WriteContext {
  /** From the kernel's writeback cache: the handle may be any writable one, times and size are the kernel's. */
  readonly isFromCache: boolean
  /** The caller may not keep set-user-id and set-group-id bits. A SETATTR that says so has come before. */
  readonly killsPrivileges: boolean
  readonly caller: Caller
}

/**
 * The changing half of a file system. Names are checked by the kernel for `/` and NUL alone; permissions by the kernel (default_permissions). A
 * handler without it is read-only: everything here is answered EROFS.
 */
export interface WritableHandler {
  setattr(nodeId: NodeId, change: AttributesChange, caller: Caller): Answer<AttributesReply>
  symlink(parent: NodeId, name: string, target: string, caller: Caller): Answer<EntryReply>
  mknod(parent: NodeId, name: string, node: NewNode, caller: Caller): Answer<EntryReply>
  mkdir(parent: NodeId, name: string, node: NewNode, caller: Caller): Answer<EntryReply>
  /** `flags` as in open(2): O_EXCL, O_TRUNC, O_APPEND, the access mode. The name may exist when O_EXCL is not among them; then `killsPrivileges` as in `open`. */
  create(parent: NodeId, name: string, node: NewNode, flags: number, caller: Caller, killsPrivileges?: boolean): Answer<CreateReply>
  /** O_TMPFILE: a file without a name, which LINK may give it, unless `flags` have O_EXCL. */
  tmpfile(parent: NodeId, node: NewNode, flags: number, caller: Caller): Answer<CreateReply>
  unlink(parent: NodeId, name: string): Answer<undefined>
  rmdir(parent: NodeId, name: string): Answer<undefined>
  /** `flags`: bits of `renameFlag`. */
  rename(parent: NodeId, name: string, newParent: NodeId, newName: string, flags: number): Answer<undefined>
  link(nodeId: NodeId, newParent: NodeId, newName: string): Answer<EntryReply>
  /**
   * `bytes` is the driver's request buffer: valid until the method returns, so whoever defers a write copies them first. O_APPEND: the kernel has
   * put `offset` at the end of the file as it knows it. Gives the count, boxed; all of it unless the disk is full.
   */
  write(nodeId: NodeId, handle: number, offset: number, bytes: Uint8Array, context: WriteContext): Answer<{ readonly written: number }>
  fsync(nodeId: NodeId, handle: number, isDataOnly: boolean): Answer<undefined>
  fsyncdir(nodeId: NodeId, handle: number, isDataOnly: boolean): Answer<undefined>
  /** `mode`: bits of fallocate(2). */
  fallocate(nodeId: NodeId, handle: number, offset: number, length: number, mode: number): Answer<undefined>
  /** -EOPNOTSUPP: the kernel copies the bytes itself. What it has not written yet of either place, it writes before. */
  copyFileRange(from: FilePlace, to: FilePlace, length: number, flags: number): Answer<{ readonly copied: number }>
  /** `flags`: XATTR_CREATE 1, XATTR_REPLACE 2. `killsSetGid`: the set-group-id bit goes when this sets an access ACL. */
  setxattr(nodeId: NodeId, name: string, value: Uint8Array, flags: number, killsSetGid: boolean): Answer<undefined>
  removexattr(nodeId: NodeId, name: string): Answer<undefined>
}

/** A place in an open file. */
export interface FilePlace {
  readonly nodeId: NodeId
  readonly handle: number
  readonly offset: number
}

/** A file system. `writable` undefined: read-only. */
export interface Handler {
  readonly writable?: WritableHandler | undefined
  start(connection: Connection): void
  /** The connection is over; nothing more may be answered. */
  stop(): void

  lookup(parent: NodeId, name: string, caller: Caller): Answer<EntryReply>
  forget(nodeId: NodeId, lookupCount: number): void
  getattr(nodeId: NodeId, handle: number | undefined): Answer<AttributesReply>
  readlink(nodeId: NodeId): Answer<string>
  /**
   * `flags` as in open(2), O_TRUNC included, but without O_CREAT and O_EXCL. `killsPrivileges` with O_TRUNC: the caller may not keep set-user-id
   * and set-group-id bits.
   */
  open(nodeId: NodeId, flags: number, caller: Caller, killsPrivileges?: boolean): Answer<OpenReply>
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
