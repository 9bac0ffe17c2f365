/**
 * The POSIX file system of a volume: `Handler` of the drivers, over one snapshot at a time and what was changed here since. This file has what reads and
 * what opens; `volume-writer.ts` has what changes something.
 *
 * Runs on the file-system thread. Hits are answered at once from memory; what lacks a page or a chunk is answered when the backend has brought
 * it. The daemon feeds it: `applyChange` when a newer commit is there, `setFollowing` when the stream of commits breaks or comes back.
 * What each operation promises stands in `shim/SEMANTICS.md`.
 */
import { systemMonotonicMs } from '../../shared/clock.ts'
import { errno } from '../../shared/errno.ts'
import { decodeRoot, encodeEntry } from '../../shared/format/entry-codec.ts'
import type { Entry, FileId, Time } from '../../shared/format/entry.ts'
import { type Missing, isMissing } from '../../shared/format/page.ts'
import type { Logger } from '../../shared/log.ts'
import { encodeName, nameBytesMax } from '../../shared/name.ts'
import type { LocalBodies } from '../bodies/local-bodies.ts'
import type { LocalBody } from '../bodies/local-body.ts'
import type { LocalChanges } from '../changes/local-changes.ts'
import type { Published } from '../changes/publishing.ts'
import type {
  Answer,
  AttributesReply,
  Caller,
  Connection,
  DirectorySink,
  EntryReply,
  Handler,
  NodeId,
  OpenReply,
  ReadReply,
  StatfsReply,
} from '../fuse/handler.ts'
import { openFlag } from '../sys/constants.ts'
import { Attempts, type Step } from './attempt.ts'
import type { Backend, Change } from './backend.ts'
import { BodyKeeper } from './body-keeper.ts'
import type { BodySource } from './cached-bodies.ts'
import { DataOperations } from './data-operations.ts'
import type { OpenWish } from './inode-changes.ts'
import { type Row, rowFlag } from './inode-table.ts'
import { OpenDirectories } from './open-directories.ts'
import { OpenFiles, type OpenFilesStatus } from './open-files.ts'
import { RecentRows } from './recent-rows.ts'
import { mayAccess } from './permission.ts'
import { Replies } from './replies.ts'
import { SnapshotMoves } from './snapshot-moves.ts'
import { seek, seekLocal } from './seek.ts'
import { TreePages } from './tree-pages.ts'
import { VolumeTree, idOf, isRegular } from './volume-tree.ts'
import { VolumeWriter } from './volume-writer.ts'
import { settledBy } from './waiting.ts'
import { WritableBodies } from './writable-bodies.ts'
import { WriteGate } from './write-gate.ts'
import { type PromiseSettings, WritePromises } from './write-promises.ts'
import { refusalOf } from './xattr-changes.ts'

/** What failed before is tried again, and a journal that has grown long begun anew. */
const tickMs = 1000

/** A volume has no size of its own: object storage has no end. 1 EiB and all of it free, so that no program or monitor takes it for full. */
const statfsReply: StatfsReply = { blocks: 2 ** 48, blocksFree: 2 ** 48, files: 2 ** 40, filesFree: 2 ** 40, blockBytes: 4096, nameBytesMax }

/** What a mount that may be written to has besides. */
export interface Writing {
  readonly changes: LocalChanges
  readonly bodies: LocalBodies
  /** Gives a fresh file id at each call. */
  readonly newId: () => FileId
  /** The time of day, by the clock that disks use for files. */
  readonly now: () => Time
  readonly promises?: PromiseSettings | undefined
  /** More than this should not wait to be published. */
  readonly dirtyBytesMax?: number | undefined
}

export interface VolumeHandlerParts {
  readonly backend: Backend
  readonly bodies: BodySource
  /** Of the snapshot to begin with, as `encodeRoot` gives it. */
  readonly root: Uint8Array
  readonly seq: number
  /** A snapshot that never changes: the kernel may keep everything. */
  readonly isFixed: boolean
  /** Undefined: nothing can be changed. */
  readonly writing?: Writing | undefined
  readonly log: Logger
  /** Memory for pages. At least what one listing may need at once: 16 MiB are enough for any. */
  readonly pageBytesMax?: number | undefined
  /** Milliseconds that only grow; the system's unless given. */
  readonly now?: (() => number) | undefined
  /** Called when the kernel and the driver have agreed: the mount answers from now on. */
  readonly onStart?: (() => void) | undefined
}

export interface HandlerStatus extends OpenFilesStatus {
  readonly seq: number
  readonly isFollowing: boolean
  readonly inodeCount: number
  readonly inodeBytes: number
  readonly pageBytes: number
  readonly pageMissCount: number
  readonly pageLoadCount: number
}

export class VolumeHandler implements Handler {
  readonly writable: VolumeWriter | undefined
  readonly #changes: LocalChanges | undefined
  readonly #pages: TreePages
  readonly #tree: VolumeTree
  readonly #files: OpenFiles
  readonly #attempts: Attempts
  readonly #log: Logger
  readonly #directories: OpenDirectories
  readonly #isFixed: boolean
  readonly #onStart: (() => void) | undefined
  readonly #recent: RecentRows
  readonly #moves: SnapshotMoves
  readonly #keeper: BodyKeeper | undefined
  readonly #gate: WriteGate | undefined
  readonly #promises: WritePromises | undefined
  #connection: Connection | undefined
  #tickedMs = -Infinity
  readonly #replies: Replies

  constructor(parts: VolumeHandlerParts) {
    this.#log = parts.log
    this.#changes = parts.writing?.changes
    this.#isFixed = parts.isFixed
    this.#onStart = parts.onStart
    this.#recent = new RecentRows(parts.now ?? systemMonotonicMs)
    this.#pages = new TreePages(parts.backend, parts.pageBytesMax)
    this.#attempts = new Attempts(this.#pages, parts.log)
    const root = decodeRoot(parts.root)
    this.#tree = new VolumeTree(this.#pages, root, encodeEntry(root.directory), {
      isOpen: (row) => this.#files.isOpen(row),
      nodeChanged: (row, isDataToo) => this.#connection?.invalidateNode(row, isDataToo ? 0 : attributesOnly, 0),
      nameChanged: (parent, name) => this.#connection?.invalidateEntry(parent, name),
      linksChanged: () => this.#connection?.invalidateAllEntries(),
    }, this.#changes)
    this.#replies = new Replies({ tree: this.#tree, changes: this.#changes, recent: this.#recent, isFixed: parts.isFixed, isOpenForWriting: (row) => this.#files.isOpenForWriting(row) })
    this.#directories = new OpenDirectories(this.#tree, this.#changes, this.#replies)
    this.#moves = this.#movesOf(parts)
    this.#keeper = this.#keeperOf(parts)
    const closed = (row: Row, local: LocalBody | undefined): void => {
      const id = idOf(this.#tree.table, row)
      this.#changes?.noteClosed(id)
      this.#keeper?.closed(id, local)
    }
    const { writing } = parts
    const isFlushed = writing?.promises?.isCloud === true
    const bodies = this.#keeper === undefined ? parts.bodies : this.#keeper.source
    this.#files = new OpenFiles({ table: this.#tree.table, bodies, writable: writableBodies(bodies, writing), closed, isFlushed })
    this.#gate = writing === undefined ? undefined : gateOf(writing, parts.now ?? systemMonotonicMs)
    this.#promises = writing === undefined ? undefined : new WritePromises(writing.promises, writing.changes, this.#moves)
    this.writable = writing === undefined ? undefined : this.#writerOf(writing, this.#gate!, this.#promises!)
  }

  get status(): HandlerStatus {
    const { table } = this.#tree
    return {
      seq: this.#moves.seq,
      isFollowing: this.#replies.isFollowing,
      inodeCount: table.knownCount,
      inodeBytes: table.bytes,
      pageBytes: this.#pages.bytes,
      pageMissCount: this.#pages.missCount,
      pageLoadCount: this.#pages.loadCount,
      ...this.#files.status,
    }
  }

  start(connection: Connection): void {
    this.#connection = connection
    this.#files.connection = connection
    this.#replies.canForgetNames = connection.invalidateAllEntries()
    this.#replies.hasWritebackCache = connection.hasWritebackCache
    this.#onStart?.()
  }

  stop(): void {
    this.#pages.stop({ code: 'closed', message: 'the mount is over' })
    this.#gate?.stop()
    this.#moves.stop()
    this.#files.closeAll()
    this.#keeper?.hurry()
    this.#files.connection = undefined
    this.#connection = undefined
    this.#directories.closeAll()
  }

  /** A newer commit is there. */
  applyChange(change: Change): void {
    // A file that was closed and is as it was published hides nobody else's version.
    this.#keeper?.releaseClosed()
    this.#moves.apply(change)
  }

  /** A batch of what was changed here has become a commit. */
  published(published: Published): void {
    this.#moves.published(published)
  }

  /** To be called at least every 250 ms, with milliseconds that only grow. True when there is more to do now. */
  tick(nowMs: number): boolean {
    if (nowMs - this.#tickedMs >= tickMs) {
      this.#tickedMs = nowMs
      if (this.#changes !== undefined) this.#moves.settle(this.#changes.tick())
    }
    this.#gate?.tick()
    return this.#keeper?.tick(nowMs) === true
  }

  /** Somebody has the file open and may write to it. */
  isOpenForWriting(id: FileId): boolean {
    const row = this.#tree.table.find(id)
    return row !== 0 && this.#files.isOpenForWriting(row)
  }

  /** Whether newer commits are announced at once. When that ends, what the kernel was promised for long is taken back. */
  setFollowing(isFollowing: boolean): void {
    if (this.#isFixed || this.#replies.isFollowing === isFollowing) return
    this.#replies.isFollowing = isFollowing
    if (!isFollowing) this.#forgetNames()
  }

  lookup(parent: NodeId, name: string, _caller: Caller): Answer<EntryReply> {
    const key = encodeName(name)
    if (key.length > nameBytesMax) return -errno.ENAMETOOLONG
    return this.#run<EntryReply>('look up', parent, () => {
      const found = this.#tree.find(parent, key, name)
      if (typeof found === 'number' || isMissing(found)) return found
      if (found === undefined) return this.#replies.negativeReply()
      const row = this.#tree.rowOf(parent, key, found)
      if (isMissing(row)) return row
      const reply = this.#replies.entryReply(row)
      this.#tree.table.lookupCounts[row]! += 1
      return reply
    })
  }

  forget(nodeId: NodeId, lookupCount: number): void {
    const isLast = this.#tree.table.isKnown(nodeId) && this.#tree.table.lookupCounts[nodeId]! <= lookupCount
    if (isLast) this.writable?.forgotten(nodeId)
    this.#tree.forget(nodeId, lookupCount)
  }

  getattr(nodeId: NodeId, _handle: number | undefined): Answer<AttributesReply> {
    return this.#run('read the attributes of', nodeId, () => {
      const state = this.#tree.refreshKnown(nodeId)
      return state === 0 ? this.#replies.attributesReply(nodeId) : state
    })
  }

  readlink(nodeId: NodeId): Answer<string> {
    return this.#withEntry('read the link', nodeId, ({ content }) => (content.kind === 'target' ? content.target : -errno.EINVAL))
  }

  open(nodeId: NodeId, flags: number, caller: Caller, killsPrivileges = false): Answer<OpenReply> {
    const isChanging = (flags & openFlag.O_ACCMODE) !== openFlag.O_RDONLY || (flags & openFlag.O_TRUNC) !== 0
    const { writable } = this
    if (!isChanging) return this.#fresh(nodeId, () => this.#openToRead(nodeId, flags))
    if (writable === undefined) return -errno.EROFS
    return this.#fresh(nodeId, () => this.#openToWrite(writable, nodeId, { flags, caller, killsPrivileges }))
  }

  read(_nodeId: NodeId, handle: number, offset: number, length: number): Answer<ReadReply> {
    return this.#files.read(handle, offset, length)
  }

  flush(nodeId: NodeId, handle: number): Answer<undefined> {
    if (this.#promises === undefined || !this.#files.isWriting(handle)) return undefined
    return this.#promises.published(idOf(this.#tree.table, nodeId), undefined)
  }

  release(_nodeId: NodeId, handle: number): void {
    this.#files.release(handle)
  }

  opendir(nodeId: NodeId, _caller: Caller): Answer<OpenReply> {
    return this.#run<OpenReply>('open the directory', nodeId, () => this.#directories.open(nodeId))
  }

  readdir(nodeId: NodeId, handle: number, offset: number, sink: DirectorySink): Answer<undefined> {
    const step = this.#directories.reading(handle, offset, sink)
    return typeof step === 'number' ? step : this.#run<undefined>('list', nodeId, step)
  }

  releasedir(_nodeId: NodeId, handle: number): void {
    this.#directories.close(handle)
  }

  statfs(_nodeId: NodeId): Answer<StatfsReply> {
    return statfsReply
  }

  /** The kernel checks permissions itself (default_permissions); a driver that cannot asks here. */
  access(nodeId: NodeId, mask: number, caller: Caller): Answer<undefined> {
    const { table } = this.#tree
    if (!table.isKnown(nodeId)) return -errno.ESTALE
    if ((mask & writeAccess) !== 0 && this.writable === undefined) return -errno.EROFS
    return mayAccess(this.#replies.attributes(nodeId), mask, caller) ? undefined : -errno.EACCES
  }

  getxattr(nodeId: NodeId, name: string): Answer<Uint8Array> {
    const refusal = refusalOf(name)
    if (refusal !== 0) return refusal
    if (!this.#hasXattrs(nodeId)) return -errno.ENODATA
    return this.#withEntry('read an xattr of', nodeId, ({ xattrs }) => xattrs.get(name) ?? -errno.ENODATA)
  }

  listxattr(nodeId: NodeId): Answer<readonly string[]> {
    if (!this.#hasXattrs(nodeId)) return []
    return this.#withEntry<readonly string[]>('list the xattrs of', nodeId, ({ xattrs }) => [...xattrs.keys()])
  }

  lseek(nodeId: NodeId, handle: number, offset: number, whence: number): Answer<{ readonly offset: number }> {
    const entry = this.#files.entryOf(handle)
    if (entry === undefined) return -errno.EIO
    // It asks about bytes that it has not written back yet: what looks like a hole here may be data there. It does without, for good.
    if (this.#connection?.hasWritebackCache === true) return -errno.ENOSYS
    const body = this.#files.bodyOf(handle)
    return this.#run('seek in', nodeId, () => (body === undefined ? seek(entry, offset, whence, this.#pages.find) : seekLocal(body, offset, whence, this.#pages.find)))
  }

  #openToRead(nodeId: NodeId, flags: number): Answer<OpenReply> {
    return this.#run<OpenReply>('open', nodeId, () => {
      const state = this.#refreshToOpen(nodeId, false)
      if (state !== 0) return state
      const again = this.#files.reopen(nodeId)
      if (again !== undefined) return again
      const entry = this.#tree.entryOf(nodeId)
      if (typeof entry === 'number' || isMissing(entry)) return entry
      if (!isRegular(this.#tree.table.modes[nodeId]!)) return -errno.EINVAL
      return this.#files.open({ row: nodeId, flags, entry, path: this.#tree.pathOf(nodeId), record: readsOnly })
    })
  }

  #openToWrite(writable: VolumeWriter, nodeId: NodeId, wish: OpenWish): Answer<OpenReply> {
    const state = this.#run<true>('open', nodeId, () => this.#refreshToOpen(nodeId, true) || true)
    return settledBy(state, () => settledBy(writable.open(nodeId, wish), (reply) => {
      // What the kernel was told of the file's size and times counts no more: it changes them itself from now on.
      this.#connection?.invalidateNode(nodeId, attributesOnly, 0)
      return reply
    }))
  }

  /** 0 when the row may be opened. */
  #refreshToOpen(row: Row, isChanging: boolean): number | Missing {
    const state = this.#tree.refresh(row)
    if (state !== 0) return state
    const isDetached = (this.#tree.table.flags[row]! & rowFlag.isDetached) !== 0
    // A version that has been replaced is for those who have it open. Who comes here for it by a name is to look that up again.
    const isNewestWanted = isChanging || !this.#replies.canForgetNames || this.#promises?.isStrict === true
    return isDetached && isNewestWanted ? -errno.ESTALE : 0
  }

  #fresh<T>(row: Row, operation: () => Answer<T>): Answer<T> {
    const promises = this.#promises
    if (promises?.isStrict !== true) return operation()
    return promises.fresh(idOf(this.#tree.table, row), () => {
      this.#keeper?.releaseClosed()
      return operation()
    })
  }

  #movesOf({ seq, log }: VolumeHandlerParts): SnapshotMoves {
    return new SnapshotMoves({
      tree: this.#tree,
      changes: this.#changes,
      seq,
      log,
      kernel: {
        nameChanged: (parent, name) => this.#connection?.invalidateEntry(parent, name),
        listingChanged: (row) => this.#connection?.invalidateNode(row, 0, 0),
        isRecent: (row) => this.#recent.has(row),
        everythingChanged: () => this.#forgetNames(),
      },
      nodeChanged: (row) => this.#connection?.invalidateNode(row, attributesOnly, 0),
      keep: (nodes) => this.#keeper?.keep(nodes),
      settled: (id) => this.writable?.settled(id),
    })
  }

  #keeperOf({ writing, bodies: published }: VolumeHandlerParts): BodyKeeper | undefined {
    if (writing === undefined) return undefined
    const { changes, bodies } = writing
    return new BodyKeeper({ changes, bodies, published, settled: (nodes) => this.#moves.showSettled({ nodes, lost: [], directories: [], isMerged: false }), isReading: (body) => this.#files.isReading(body) })
  }

  #writerOf({ changes, bodies, newId, now }: Writing, gate: WriteGate, promises: WritePromises): VolumeWriter {
    const shared = { tree: this.#tree, changes, attempts: this.#attempts, files: this.#files, now }
    return new VolumeWriter({ ...shared, bodies, newId, gate, promises, data: new DataOperations(shared), replies: this.#replies })
  }

  #run<T>(what: string, nodeId: NodeId, step: Step<T>): Answer<T> {
    return this.#attempts.run(what, () => this.#tree.pathOf(nodeId), step)
  }

  #withEntry<T>(what: string, nodeId: NodeId, use: (entry: Entry) => T | number): Answer<T> {
    return this.#run<T>(what, nodeId, (): T | number | Missing => {
      const entry = this.#tree.entryOf(nodeId)
      return typeof entry === 'number' || isMissing(entry) ? entry : use(entry)
    })
  }

  /** Most files have none, and programs ask for every file: the answer needs no tree. Stale rows are looked at. */
  #hasXattrs(nodeId: NodeId): boolean {
    const { table, epoch } = this.#tree
    return table.isKnown(nodeId) && ((table.flags[nodeId]! & rowFlag.hasXattrs) !== 0 || table.epochs[nodeId] !== epoch)
  }

  #forgetNames(): void {
    if (this.#connection === undefined) return
    if (!this.#connection.invalidateAllEntries()) this.#log.debug('This kernel cannot forget all names at once; they expire by time')
  }
}

function gateOf({ changes, bodies, dirtyBytesMax = Infinity }: Writing, nowMs: () => number): WriteGate {
  return new WriteGate({ localBytes: () => bodies.dirtyBytes, dirtyBytes: () => changes.pending().dirtyBytes, bytesMax: dirtyBytesMax, nowMs })
}

function writableBodies(bodies: BodySource, writing: Writing | undefined): WritableBodies | undefined {
  return writing === undefined ? undefined : new WritableBodies(writing.bodies, bodies, writing.changes)
}

/** Who opens for reading journals nothing. */
function readsOnly(): number {
  return -errno.EROFS
}

/** FUSE_NOTIFY_INVAL_INODE with a negative offset: attributes only (fs/fuse/inode.c, fuse_reverse_inval_inode). */
const attributesOnly = -1

const writeAccess = 2
