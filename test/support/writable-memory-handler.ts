/**
 * A writable file system in memory behind the driver's `Handler`, for tests of the driver. It answers everything at once. With a directory
 * for backing files, the kernel reads and writes the files itself where it can.
 */
import { join } from 'node:path'
import { errno } from '../../shared/errno.ts'
import type {
  Answer,
  AttributesChange,
  AttributesReply,
  Caller,
  Connection,
  CreateReply,
  DirectorySink,
  EntryReply,
  FilePlace,
  Handler,
  NewNode,
  OpenReply,
  ReadReply,
  StatfsReply,
  WritableHandler,
  WriteContext,
} from '../../shim/fuse/handler.ts'
import { renameFlag } from '../../shim/fuse/handler.ts'
import { allocateMode, fileType, openFlag } from '../../shim/sys/constants.ts'
import { FileBody, MemoryBody } from './memory-body.ts'
import { accessListName, attributesOf, changeInode, killPrivileges, newInode, setAccessList, touch } from './memory-inode.ts'
import type { Child, Inode } from './memory-inode.ts'

const validMs = 3_600_000
const zeroRange = 0x10

export interface WritableMemoryOptions {
  readonly backingDirectory?: string | undefined
  readonly noFlush?: boolean | undefined
  /** Permission bits of the root directory. */
  readonly rootMode?: number | undefined
}

export class WritableMemoryHandler implements Handler, WritableHandler {
  readonly writable: WritableHandler = this
  /** What was asked of SETATTR, oldest first. */
  readonly changes: AttributesChange[] = []
  connection: Connection | undefined
  isStopped = false
  readonly #options: WritableMemoryOptions
  readonly #inodes = new Map<number, Inode>()
  readonly #written = { written: 0 }
  #nextId = 1
  #nextCookie = 3
  #nextHandle = 1
  #openHandles = 0

  constructor(options: WritableMemoryOptions = {}) {
    this.#options = options
    this.#make({ mode: fileType.S_IFDIR | (options.rootMode ?? 0o755), umask: 0, rdev: 0 }, { uid: 0, gid: 0 })
  }

  inode(id: number): Inode | undefined {
    return this.#inodes.get(id)
  }

  get outstanding(): { readonly lookups: number; readonly handles: number; readonly inodes: number } {
    let lookups = 0
    for (const inode of this.#inodes.values()) lookups += inode.lookupCount
    return { lookups, handles: this.#openHandles, inodes: this.#inodes.size }
  }

  /** A file of the root directory is changed behind the kernel's back; the kernel is told, and a new generation when that is wished. */
  replace(name: string, content: Uint8Array, isNewGeneration: boolean): void {
    const { inode } = this.#children(1).get(name)!
    inode.body!.truncate(0)
    inode.body!.write(content, 0)
    if (isNewGeneration) inode.generation += 1
    this.connection!.invalidateNode(inode.id, 0, 0)
    this.connection!.invalidateEntry(1, name)
  }

  start(connection: Connection): void {
    this.connection = connection
  }

  stop(): void {
    this.isStopped = true
  }

  lookup(parent: number, name: string): Answer<EntryReply> {
    const child = this.#children(parent).get(name)
    return child === undefined ? -errno.ENOENT : this.#lookedUp(child.inode)
  }

  forget(nodeId: number, lookupCount: number): void {
    const inode = this.#at(nodeId)
    inode.lookupCount -= lookupCount
    this.#dropIfUnused(inode)
  }

  getattr(nodeId: number): Answer<AttributesReply> {
    return { validMs, attributes: attributesOf(this.#at(nodeId)) }
  }

  setattr(nodeId: number, change: AttributesChange): Answer<AttributesReply> {
    const inode = this.#at(nodeId)
    this.changes.push(change)
    if (change.size !== undefined) {
      inode.body!.truncate(change.size)
      touch(inode)
    }
    changeInode(inode, change)
    return this.getattr(nodeId)
  }

  readlink(nodeId: number): Answer<string> {
    return this.#at(nodeId).target
  }

  symlink(parent: number, name: string, target: string, caller: Caller): Answer<EntryReply> {
    const made = this.#create(parent, name, { mode: fileType.S_IFLNK | 0o777, umask: 0, rdev: 0 }, caller)
    if (typeof made === 'number') return made
    made.target = target
    return this.#lookedUp(made)
  }

  mknod(parent: number, name: string, node: NewNode, caller: Caller): Answer<EntryReply> {
    const made = this.#create(parent, name, node, caller)
    return typeof made === 'number' ? made : this.#lookedUp(made)
  }

  mkdir(parent: number, name: string, node: NewNode, caller: Caller): Answer<EntryReply> {
    return this.mknod(parent, name, node, caller)
  }

  create(parent: number, name: string, node: NewNode, flags: number, caller: Caller, killsPrivileges = false): Answer<CreateReply> {
    const known = this.#children(parent).get(name)?.inode
    if (known !== undefined && (flags & openFlag.O_EXCL) !== 0) return -errno.EEXIST
    const inode = known ?? this.#create(parent, name, node, caller)
    if (typeof inode === 'number') return inode
    return { entry: this.#lookedUp(inode), open: this.#open(inode, flags, killsPrivileges) }
  }

  tmpfile(parent: number, node: NewNode, flags: number, caller: Caller): Answer<CreateReply> {
    const inode = this.#make(node, this.#ownerIn(this.#at(parent), caller))
    inode.linkCount = 0
    return { entry: this.#lookedUp(inode), open: this.#open(inode, flags, false) }
  }

  unlink(parent: number, name: string): Answer<undefined> {
    const child = this.#children(parent).get(name)
    if (child === undefined) return -errno.ENOENT
    this.#remove(parent, name, child.inode)
    return undefined
  }

  rmdir(parent: number, name: string): Answer<undefined> {
    const child = this.#children(parent).get(name)
    if (child === undefined) return -errno.ENOENT
    if (child.inode.children!.size > 0) return -errno.ENOTEMPTY
    this.#remove(parent, name, child.inode)
    return undefined
  }

  rename(parent: number, name: string, newParent: number, newName: string, flags: number): Answer<undefined> {
    const from = this.#children(parent).get(name)
    const to = this.#children(newParent).get(newName)
    if (from === undefined || ((flags & renameFlag.exchange) !== 0 && to === undefined)) return -errno.ENOENT
    if ((flags & renameFlag.noReplace) !== 0 && to !== undefined) return -errno.EEXIST
    if ((flags & renameFlag.exchange) !== 0) {
      this.#put(parent, name, to!.inode)
      this.#put(newParent, newName, from.inode)
      return undefined
    }
    if (to?.inode.children !== undefined && to.inode.children.size > 0) return -errno.ENOTEMPTY
    if (to !== undefined) this.#remove(newParent, newName, to.inode)
    this.#put(parent, name, undefined)
    this.#put(newParent, newName, from.inode)
    const whiteout: NewNode = { mode: fileType.S_IFCHR, umask: 0, rdev: 0 }
    if ((flags & renameFlag.whiteout) !== 0) this.#put(parent, name, this.#make(whiteout, this.#at(parent)))
    return undefined
  }

  link(nodeId: number, newParent: number, newName: string): Answer<EntryReply> {
    const inode = this.#at(nodeId)
    if (this.#children(newParent).has(newName)) return -errno.EEXIST
    inode.linkCount += 1
    inode.ctimeMs = Date.now()
    this.#put(newParent, newName, inode)
    return this.#lookedUp(inode)
  }

  open(nodeId: number, flags: number, _caller: Caller, killsPrivileges = false): Answer<OpenReply> {
    return this.#open(this.#at(nodeId), flags, killsPrivileges)
  }

  read(nodeId: number, _handle: number, offset: number, length: number): Answer<ReadReply> {
    return this.#at(nodeId).body!.read(offset, length)
  }

  write(nodeId: number, _handle: number, offset: number, bytes: Uint8Array, context: WriteContext): Answer<{ readonly written: number }> {
    const inode = this.#at(nodeId)
    if (context.killsPrivileges) killPrivileges(inode)
    inode.body!.write(bytes, offset)
    if (!context.isFromCache) touch(inode)
    this.#written.written = bytes.length
    return this.#written
  }

  flush(): Answer<undefined> {
    return undefined
  }

  fsync(): Answer<undefined> {
    return undefined
  }

  fsyncdir(): Answer<undefined> {
    return undefined
  }

  fallocate(nodeId: number, _handle: number, offset: number, length: number, mode: number): Answer<undefined> {
    const inode = this.#at(nodeId)
    const body = inode.body!
    const { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE } = allocateMode
    if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | zeroRange)) !== 0) return -errno.EOPNOTSUPP
    if ((mode & FALLOC_FL_KEEP_SIZE) === 0 && offset + length > body.size) body.truncate(offset + length)
    const zeroEnd = Math.min(offset + length, body.size)
    if ((mode & (FALLOC_FL_PUNCH_HOLE | zeroRange)) !== 0 && zeroEnd > offset) body.write(new Uint8Array(zeroEnd - offset), offset)
    touch(inode)
    return undefined
  }

  copyFileRange(from: FilePlace, to: FilePlace, length: number): Answer<{ readonly copied: number }> {
    const bytes = this.#at(from.nodeId).body!.copy(from.offset, length)
    this.#at(to.nodeId).body!.write(bytes, to.offset)
    touch(this.#at(to.nodeId))
    return { copied: bytes.length }
  }

  release(nodeId: number): void {
    const inode = this.#at(nodeId)
    this.#openHandles -= 1
    inode.openCount -= 1
    if (inode.backing !== undefined) {
      inode.backing.count -= 1
      if (inode.backing.count === 0) {
        this.connection!.closeBacking(inode.backing.id)
        inode.backing = undefined
      }
    }
    this.#dropIfUnused(inode)
  }

  opendir(): Answer<OpenReply> {
    return this.#handle(0)
  }

  readdir(nodeId: number, _handle: number, offset: number, sink: DirectorySink): Answer<undefined> {
    const { mode } = this.#at(nodeId)
    if (offset < 1 && !sink.add('.', nodeId, 1, mode, undefined)) return undefined
    if (offset < 2 && !sink.add('..', nodeId, 2, mode, undefined)) return undefined
    for (const [name, { inode, cookie }] of this.#children(nodeId)) {
      if (cookie <= offset) continue
      if (!sink.add(name, inode.id, cookie, inode.mode, sink.isPlus ? this.#entry(inode) : undefined)) return undefined
      if (sink.isPlus) inode.lookupCount += 1
    }
    return undefined
  }

  releasedir(): void {
    this.#openHandles -= 1
  }

  statfs(): Answer<StatfsReply> {
    return { blocks: 1000, blocksFree: 400, files: this.#inodes.size, filesFree: 7, blockBytes: 4096, nameBytesMax: 255 }
  }

  access(): Answer<undefined> {
    return undefined
  }

  getxattr(nodeId: number, name: string): Answer<Uint8Array> {
    return this.#at(nodeId).xattrs.get(name) ?? -errno.ENODATA
  }

  listxattr(nodeId: number): Answer<readonly string[]> {
    return [...this.#at(nodeId).xattrs.keys()]
  }

  setxattr(nodeId: number, name: string, value: Uint8Array, flags: number, killsSetGid: boolean): Answer<undefined> {
    const inode = this.#at(nodeId)
    if (flags === 1 && inode.xattrs.has(name)) return -errno.EEXIST
    if (flags === 2 && !inode.xattrs.has(name)) return -errno.ENODATA
    if (name === accessListName) setAccessList(inode, value)
    else inode.xattrs.set(name, value)
    if (killsSetGid) inode.mode &= ~0o2000
    return undefined
  }

  removexattr(nodeId: number, name: string): Answer<undefined> {
    return this.#at(nodeId).xattrs.delete(name) ? undefined : -errno.ENODATA
  }

  /** Everything is data. */
  lseek(nodeId: number, _handle: number, offset: number, whence: number): Answer<{ readonly offset: number }> {
    const { size } = this.#at(nodeId).body!
    return offset >= size ? -errno.ENXIO : { offset: whence === 3 ? offset : size }
  }

  #at(nodeId: number): Inode {
    const inode = this.#inodes.get(nodeId)
    if (inode === undefined) throw new Error(`There is no inode ${nodeId}`)
    return inode
  }

  #children(nodeId: number): Map<string, Child> {
    return this.#at(nodeId).children!
  }

  #make(node: NewNode, owner: { readonly uid: number; readonly gid: number }): Inode {
    const inode = newInode(this.#nextId, node, owner)
    this.#inodes.set(inode.id, inode)
    this.#nextId += 1
    const type = node.mode & fileType.S_IFMT
    if (type === fileType.S_IFDIR) {
      inode.children = new Map()
      inode.linkCount = 2
    }
    const { backingDirectory } = this.#options
    if (type === fileType.S_IFREG) inode.body = backingDirectory === undefined ? new MemoryBody() : new FileBody(join(backingDirectory, `${inode.id}`))
    return inode
  }

  #ownerIn(parent: Inode, caller: Caller): { readonly uid: number; readonly gid: number } {
    return { uid: caller.uid, gid: (parent.mode & 0o2000) === 0 ? caller.gid : parent.gid }
  }

  #create(parent: number, name: string, node: NewNode, caller: Caller): Inode | number {
    const directory = this.#at(parent)
    if (directory.children!.has(name)) return -errno.EEXIST
    const inode = this.#make(node, this.#ownerIn(directory, caller))
    if (inode.children !== undefined) inode.mode |= directory.mode & 0o2000
    this.#put(parent, name, inode)
    return inode
  }

  #put(parent: number, name: string, inode: Inode | undefined): void {
    const directory = this.#at(parent)
    const children = directory.children!
    const before = children.get(name)?.inode
    children.delete(name)
    if (inode !== undefined) children.set(name, { inode, cookie: this.#nextCookie++ })
    directory.linkCount += (inode?.children === undefined ? 0 : 1) - (before?.children === undefined ? 0 : 1)
    touch(directory)
  }

  #remove(parent: number, name: string, inode: Inode): void {
    this.#put(parent, name, undefined)
    inode.linkCount -= inode.children === undefined ? 1 : 2
    inode.ctimeMs = Date.now()
    this.#dropIfUnused(inode)
  }

  #dropIfUnused(inode: Inode): void {
    if (inode.linkCount > 0 || inode.lookupCount > 0 || inode.openCount > 0) return
    inode.body?.close()
    this.#inodes.delete(inode.id)
  }

  #open(inode: Inode, flags: number, killsPrivileges: boolean): OpenReply {
    if ((flags & openFlag.O_TRUNC) !== 0 && inode.body!.size > 0) {
      inode.body!.truncate(0)
      touch(inode)
    }
    if (killsPrivileges) killPrivileges(inode)
    inode.openCount += 1
    return this.#handle(this.#backingIdOf(inode))
  }

  /** One id per inode while it is open. */
  #backingIdOf(inode: Inode): number {
    const { connection } = this
    if (connection?.canPassthrough !== true || inode.body?.fd === undefined) return 0
    if (inode.backing === undefined) {
      const id = connection.openBacking(inode.body.fd)
      if (id <= 0) return 0
      inode.backing = { id, count: 0 }
    }
    inode.backing.count += 1
    return inode.backing.id
  }

  #handle(backingId: number): OpenReply {
    this.#openHandles += 1
    const handle = this.#nextHandle++
    return { handle, keepCache: true, directIo: false, cacheDirectory: false, noFlush: this.#options.noFlush ?? true, backingId }
  }

  #lookedUp(inode: Inode): EntryReply {
    inode.lookupCount += 1
    return this.#entry(inode)
  }

  #entry(inode: Inode): EntryReply {
    return { nodeId: inode.id, generation: inode.generation, entryValidMs: validMs, attributesValidMs: validMs, attributes: attributesOf(inode) }
  }
}
