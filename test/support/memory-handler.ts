/**
 * A small file system in memory behind the driver's `Handler`, for tests of the driver. Nodes are made before the mount starts; some behave
 * badly on purpose.
 */
import { readFileSync } from 'node:fs'
import { errno } from '../../shared/errno.ts'
import { Deferred } from '../../shim/fuse/handler.ts'
import type {
  Answer,
  Attributes,
  AttributesReply,
  Connection,
  DirectorySink,
  EntryReply,
  Handler,
  OpenReply,
  ReadReply,
  StatfsReply,
} from '../../shim/fuse/handler.ts'

export interface MemoryNode {
  readonly id: number
  readonly mode: number
  children?: Map<string, MemoryNode>
  content?: Uint8Array
  /** Descriptor and path of a file that holds the content. */
  backing?: { readonly fd: number; readonly path: string; readonly wantsPassthrough: boolean }
  target?: string
  xattrs?: Map<string, Uint8Array>
  /** `hang`: READ (or LOOKUP of a child) is deferred until it is released or interrupted. `throw`: the handler throws. */
  behaviour?: 'hang' | 'throw'
  size: number
  lookupCount: number
  openCount: number
}

const directoryMode = 0o040755
const validMs = 3_600_000

export class MemoryHandler implements Handler {
  readonly root: MemoryNode
  /** Ends one hanging request each, with an errno. */
  readonly hanging: ((error: number) => void)[] = []
  connection: Connection | undefined
  isStopped = false
  keepCache = true
  beforeStatfs: (() => void) | undefined
  readonly #nodes = new Map<number, MemoryNode>()
  readonly #backingIds = new Map<number, { id: number; count: number }>()
  #nextId = 1
  #nextHandle = 1
  #openHandles = 0

  constructor() {
    this.root = this.#make(directoryMode)
    this.root.children = new Map()
  }

  addDirectory(parent: MemoryNode, name: string): MemoryNode {
    const node = this.#make(directoryMode)
    node.children = new Map()
    parent.children!.set(name, node)
    return node
  }

  addFile(parent: MemoryNode, name: string, content: Uint8Array): MemoryNode {
    const node = this.#make(0o100644)
    this.setContent(node, content)
    parent.children!.set(name, node)
    return node
  }

  addLink(parent: MemoryNode, name: string, target: string): MemoryNode {
    const node = this.#make(0o120777)
    node.target = target
    node.size = target.length
    parent.children!.set(name, node)
    return node
  }

  setContent(node: MemoryNode, content: Uint8Array): void {
    node.content = content
    node.size = content.length
  }

  node(id: number): MemoryNode | undefined {
    return this.#nodes.get(id)
  }

  /** Lookups that the kernel holds, and open handles. */
  get outstanding(): { readonly lookups: number; readonly handles: number } {
    let lookups = 0
    for (const node of this.#nodes.values()) lookups += node.lookupCount
    return { lookups, handles: this.#openHandles }
  }

  start(connection: Connection): void {
    this.connection = connection
  }

  stop(): void {
    this.isStopped = true
  }

  lookup(parent: number, name: string): Answer<EntryReply> {
    const directory = this.#nodes.get(parent)
    if (directory?.behaviour === 'hang') return this.#hang()
    const node = directory?.children?.get(name)
    if (node === undefined) return -errno.ENOENT
    node.lookupCount += 1
    return this.#entry(node)
  }

  forget(nodeId: number, lookupCount: number): void {
    const node = this.#nodes.get(nodeId)
    if (node !== undefined) node.lookupCount -= lookupCount
  }

  getattr(nodeId: number): Answer<AttributesReply> {
    const node = this.#nodes.get(nodeId)
    if (node === undefined) return -errno.ENOENT
    if (node.behaviour === 'throw') throw new Error('asked to throw')
    return { validMs, attributes: attributesOf(node) }
  }

  readlink(nodeId: number): Answer<string> {
    return this.#nodes.get(nodeId)?.target ?? -errno.EINVAL
  }

  open(nodeId: number, flags: number): Answer<OpenReply> {
    const node = this.#nodes.get(nodeId)
    if (node === undefined) return -errno.ENOENT
    if ((flags & 3) !== 0) return -errno.EROFS
    node.openCount += 1
    const backingId = node.backing?.wantsPassthrough === true ? this.#openBacking(node) : 0
    return this.#handle({ keepCache: this.keepCache, backingId })
  }

  read(nodeId: number, _handle: number, offset: number, length: number): Answer<ReadReply> {
    const node = this.#nodes.get(nodeId)
    if (node === undefined) return -errno.ENOENT
    if (node.behaviour === 'throw') throw new Error('asked to throw')
    if (node.behaviour === 'hang') return this.#hang()
    const size = Math.max(0, Math.min(length, node.size - offset))
    if (node.backing !== undefined) return { kind: 'file', fd: node.backing.fd, offset, length: size }
    return { kind: 'bytes', bytes: node.content!.subarray(offset, offset + length) }
  }

  flush(): Answer<undefined> {
    return undefined
  }

  release(nodeId: number): void {
    this.#openHandles -= 1
    const node = this.#nodes.get(nodeId)
    if (node !== undefined) node.openCount -= 1
    const backing = this.#backingIds.get(nodeId)
    if (backing === undefined) return
    backing.count -= 1
    if (backing.count > 0) return
    this.#backingIds.delete(nodeId)
    this.connection!.closeBacking(backing.id)
  }

  opendir(): Answer<OpenReply> {
    return this.#handle({ cacheDirectory: false })
  }

  readdir(nodeId: number, _handle: number, offset: number, sink: DirectorySink): Answer<undefined> {
    const node = this.#nodes.get(nodeId)
    if (node?.children === undefined) return -errno.ENOTDIR
    if (node.behaviour === 'throw') throw new Error('asked to throw')
    const entries = [...node.children]
    if (offset < 1 && !sink.add('.', node.id, 1, node.mode, undefined)) return undefined
    if (offset < 2 && !sink.add('..', node.id, 2, directoryMode, undefined)) return undefined
    for (let index = Math.max(0, offset - 2); index < entries.length; index += 1) {
      const [name, child] = entries[index]!
      if (!sink.add(name, child.id, index + 3, child.mode, sink.isPlus ? this.#entry(child) : undefined)) return undefined
      if (sink.isPlus) child.lookupCount += 1
    }
    return undefined
  }

  releasedir(): void {
    this.#openHandles -= 1
  }

  statfs(): Answer<StatfsReply> {
    this.beforeStatfs?.()
    return { blocks: 1000, blocksFree: 400, files: this.#nodes.size, filesFree: 7, blockBytes: 4096, nameBytesMax: 255 }
  }

  access(): Answer<undefined> {
    return undefined
  }

  getxattr(nodeId: number, name: string): Answer<Uint8Array> {
    return this.#nodes.get(nodeId)?.xattrs?.get(name) ?? -errno.ENODATA
  }

  listxattr(nodeId: number): Answer<readonly string[]> {
    return [...(this.#nodes.get(nodeId)?.xattrs?.keys() ?? [])]
  }

  /** Files are one run of data, but for zeros at their start, which are a hole. */
  lseek(nodeId: number, _handle: number, offset: number, whence: number): Answer<{ readonly offset: number }> {
    const { content } = this.#nodes.get(nodeId)!
    const dataStart = content!.findIndex((byte) => byte !== 0)
    if (offset >= content!.length) return -errno.ENXIO
    if (whence === 3) return { offset: Math.max(offset, dataStart) }
    return { offset: offset < dataStart ? offset : content!.length }
  }

  /** Ends every hanging request with an errno. */
  releaseHanging(error: number): void {
    for (const settle of this.hanging.splice(0)) settle(error)
  }

  #hang<T>(): Deferred<T> {
    const deferred = new Deferred<T>()
    const settle = (error: number): void => deferred.settle(error)
    deferred.onInterrupt = () => {
      this.hanging.splice(this.hanging.indexOf(settle), 1)
      settle(-errno.EINTR)
    }
    this.hanging.push(settle)
    return deferred
  }

  #openBacking(node: MemoryNode): number {
    const known = this.#backingIds.get(node.id)
    if (known !== undefined) {
      known.count += 1
      return known.id
    }
    const id = this.connection!.canPassthrough ? this.connection!.openBacking(node.backing!.fd) : 0
    if (id <= 0) return 0
    this.#backingIds.set(node.id, { id, count: 1 })
    return id
  }

  #handle(parts: Partial<OpenReply>): OpenReply {
    this.#openHandles += 1
    const flags = { keepCache: false, directIo: false, cacheDirectory: false, noFlush: true, backingId: 0 }
    this.#nextHandle += 1
    return { handle: this.#nextHandle, ...flags, ...parts }
  }

  #make(mode: number): MemoryNode {
    const node: MemoryNode = { id: this.#nextId, mode, size: 0, lookupCount: 0, openCount: 0 }
    this.#nodes.set(node.id, node)
    this.#nextId += 1
    return node
  }

  #entry(node: MemoryNode): EntryReply {
    return { nodeId: node.id, generation: 0, entryValidMs: validMs, attributesValidMs: validMs, attributes: attributesOf(node) }
  }
}

export function attributesOf(node: MemoryNode): Attributes {
  return {
    ino: node.id,
    size: node.size,
    blocks: Math.ceil(node.size / 512),
    atimeSeconds: 1_700_000_000,
    atimeNanoseconds: 1,
    mtimeSeconds: 1_700_000_000,
    mtimeNanoseconds: 123_456_789,
    ctimeSeconds: 1_700_000_001,
    ctimeNanoseconds: 2,
    mode: node.mode,
    linkCount: node.children === undefined ? 1 : 2,
    uid: 0,
    gid: 0,
    rdev: 0,
    blockBytes: 4096,
  }
}

/** A file of the real disk as content; with `wantsPassthrough` the kernel reads it itself. */
export function setBacking(node: MemoryNode, fd: number, path: string, wantsPassthrough: boolean): void {
  node.backing = { fd, path, wantsPassthrough }
  node.size = readFileSync(path).length
}
