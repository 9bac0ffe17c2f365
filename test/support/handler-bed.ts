/** The file system over a volume in memory, without a kernel: requests are made by the test, invalidations are written down. */
import type { ObjectStore } from '../../shared/store.ts'
import { MemoryStore } from '../../edge/store/memory.ts'
import { errno } from '../../shared/errno.ts'
import { encodeRoot } from '../../shared/format/entry-codec.ts'
import type { Entry } from '../../shared/format/entry.ts'
import { type Logger, silentLogger } from '../../shared/log.ts'
import type { Operation } from '../../shared/volume/operation.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import type { Volume } from '../../shared/volume/volume.ts'
import type { Backend } from '../../shim/fs/backend.ts'
import type { BodySource, FileBody } from '../../shim/fs/cached-bodies.ts'
import { VolumeHandler } from '../../shim/fs/volume-handler.ts'
import { type Answer, type Attributes, type AttributesChange, type Caller, type Connection, Deferred, type DirectorySink, type EntryReply, type OpenReply } from '../../shim/fuse/handler.ts'
import type { Published } from '../../shim/changes/publishing.ts'
import { publishedOf } from '../../shim/publish/batch-commit.ts'
import type { ReadBody } from '../../shim/publish/body-contents.ts'
import type { VolumeWriter } from '../../shim/fs/volume-writer.ts'
import { openFlag } from '../../shim/sys/constants.ts'
import type { PromiseSettings } from '../../shim/fs/write-promises.ts'
import { changeBetween } from '../../shim/volume/change.ts'
import { VolumeBackend } from '../../shim/volume/volume-backend.ts'
import { MemoryWriting } from './memory-writing.ts'
import { engineOf, newVolume, utf8 } from './test-volume.ts'

export const caller = { uid: 0, gid: 0, pid: 1 }

/** A SETATTR of nothing. */
export const unchanged: AttributesChange = {
  mode: undefined,
  uid: undefined,
  gid: undefined,
  size: undefined,
  atime: undefined,
  mtime: undefined,
  ctime: undefined,
  killsPrivileges: false,
  handle: undefined,
}

/** What an answer is in the end: a value or a negative errno. */
export function answered<T>(answer: Answer<T>): Promise<T | number> {
  if (!(answer instanceof Deferred)) return Promise.resolve(answer)
  return new Promise((resolve) => answer.listen((value) => resolve(typeof value === 'object' ? structuredClone(value) : value)))
}

export class FakeConnection implements Connection {
  canPassthrough = false
  hasWritebackCache = false
  canForgetNames = true
  readonly told: string[] = []
  readonly backings = new Set<number>()
  #lastBacking = 0

  openBacking(): number {
    this.#lastBacking += 1
    this.backings.add(this.#lastBacking)
    return this.#lastBacking
  }

  closeBacking(backingId: number): void {
    this.backings.delete(backingId)
  }

  invalidateNode(nodeId: number, offset: number): void {
    this.told.push(`${offset < 0 ? 'attributes' : 'node'} ${nodeId}`)
  }

  invalidateEntry(parent: number, name: string): void {
    this.told.push(`name ${parent}/${name}`)
  }

  invalidateAllEntries(): boolean {
    this.told.push('everything')
    return this.canForgetNames
  }

  take(): string[] {
    return this.told.splice(0)
  }
}

/** Bodies that are not fetched: the test says which are complete. */
export class FakeBodies implements BodySource {
  readonly opened: string[] = []
  readonly complete = new Set<string>()
  openCount = 0

  open(entry: Entry, path: string): FileBody {
    this.opened.push(path)
    this.openCount += 1
    return {
      read: (offset, length) => ({ kind: 'bytes', bytes: new Uint8Array(length).fill(offset === 0 ? entry.size % 256 : 1) }),
      completeFd: () => (this.complete.has(path) ? 9 : -1),
      giveAway: () => -errno.EBUSY,
      close: () => (this.openCount -= 1),
    }
  }

  adopt(): number {
    return -errno.EINVAL
  }
}

export interface Listed {
  readonly name: string
  readonly ino: number
  readonly offset: number
  readonly nodeId: number
  readonly size: number
}

/** A sink that takes `limit` entries. */
export class ListSink implements DirectorySink {
  readonly isPlus: boolean
  readonly entries: Listed[] = []
  readonly #limit: number

  constructor(isPlus: boolean, limit = Infinity) {
    this.isPlus = isPlus
    this.#limit = limit
  }

  add(name: string, ino: number, nextOffset: number, _mode: number, entry: EntryReply | undefined): boolean {
    if (this.entries.length >= this.#limit) return false
    this.entries.push({ name, ino, offset: nextOffset, nodeId: entry?.nodeId ?? 0, size: entry?.attributes.size ?? 0 })
    return true
  }
}

export interface BedOptions {
  readonly backend?: Backend
  readonly isFixed?: boolean
  readonly pageBytesMax?: number
  readonly log?: Logger
  readonly isWritable?: boolean
  readonly promises?: PromiseSettings
}

export class HandlerBed {
  readonly handler: VolumeHandler
  readonly connection = new FakeConnection()
  readonly bodies: FakeBodies
  readonly volume: Volume
  /** What the handler takes for the time. */
  nowMs = 0
  #snapshot: Snapshot
  readonly #writing: MemoryWriting | undefined

  constructor(volume: Volume, snapshot: Snapshot, options: BedOptions) {
    this.volume = volume
    this.#snapshot = snapshot
    this.bodies = new FakeBodies()
    const { backend = backendOf(snapshot), isFixed = false, log = silentLogger, pageBytesMax, isWritable = false, promises } = options
    this.#writing = isWritable ? new MemoryWriting(snapshot.seq, promises) : undefined
    const shared = { backend, bodies: this.bodies, root: encodeRoot(snapshot.root), seq: snapshot.seq, isFixed, log, pageBytesMax, now: () => this.nowMs }
    this.handler = new VolumeHandler({ ...shared, writing: this.#writing })
    if (this.#writing !== undefined) this.#writing.isOpen = (id) => this.handler.isOpenForWriting(id)
    this.handler.start(this.connection)
    this.connection.take()
  }

  static async make(
    operations: readonly Operation[],
    options: Omit<BedOptions, 'backend'> & { readonly store?: ObjectStore; readonly backend?: (snapshot: Snapshot) => Backend } = {},
  ): Promise<HandlerBed> {
    const { store = new MemoryStore(), backend, ...rest } = options
    const volume = await newVolume({ store })
    await volume.writer().commit(operations)
    const snapshot = await volume.head()
    return new HandlerBed(volume, snapshot, backend === undefined ? rest : { ...rest, backend: backend(snapshot) })
  }

  get writable(): VolumeWriter {
    const { writable } = this.handler
    if (writable === undefined) throw new Error('The bed is not writable')
    return writable
  }

  get writing(): MemoryWriting {
    if (this.#writing === undefined) throw new Error('The bed is not writable')
    return this.#writing
  }

  /** Directory and last name of a path. */
  async spot(path: string): Promise<[directory: number, name: string]> {
    const at = path.lastIndexOf('/')
    return [await this.node(path.slice(0, at) || '/'), path.slice(at + 1)]
  }

  /** Changes by path, as root unless `who` says otherwise. Each gives what the handler answered, copied. */
  async mkdir(path: string, mode = 0o755, who: Caller = caller): Promise<EntryReply | number> {
    return answered(this.writable.mkdir(...(await this.spot(path)), { mode, umask: 0, rdev: 0 }, who))
  }

  /** Makes a file, closed. */
  async touch(path: string, mode = 0o644, who: Caller = caller): Promise<EntryReply | number> {
    const reply = await answered(this.writable.create(...(await this.spot(path)), { mode, umask: 0, rdev: 0 }, openFlag.O_RDWR, who))
    if (typeof reply === 'number') return reply
    this.handler.release(reply.entry.nodeId, reply.open.handle)
    return reply.entry
  }

  async unlink(path: string): Promise<number> {
    return (await answered(this.writable.unlink(...(await this.spot(path))))) ?? 0
  }

  async rmdir(path: string): Promise<number> {
    return (await answered(this.writable.rmdir(...(await this.spot(path))))) ?? 0
  }

  async rename(from: string, to: string, flags = 0): Promise<number> {
    return (await answered(this.writable.rename(...(await this.spot(from)), ...(await this.spot(to)), flags))) ?? 0
  }

  async link(from: string, to: string): Promise<EntryReply | number> {
    return answered(this.writable.link(await this.node(from), ...(await this.spot(to))))
  }

  async setattr(path: string, change: Partial<AttributesChange>, who: Caller = caller): Promise<Attributes | number> {
    const node = await this.node(path)
    const reply = await answered(this.writable.setattr(node, { ...unchanged, ...change }, who))
    return typeof reply === 'number' ? reply : { ...reply.attributes }
  }

  async attributes(path: string): Promise<Attributes> {
    const reply = await answered(this.handler.getattr(await this.node(path), undefined))
    if (typeof reply === 'number') throw new Error(`getattr: ${reply}`)
    return { ...reply.attributes }
  }

  /** Publishes what was changed, as the publisher does. The handler is not told of the commit: that is `follow`. */
  async publish(): Promise<Published> {
    const { changes, sys } = this.writing
    const batch = changes.takeBatch({ isEverything: true })
    if (typeof batch !== 'object' || !('bodies' in batch)) throw new Error('Nothing to publish')
    const bodies = batch.bodies.map(({ id, path, size, generation, mtime }): ReadBody => {
      const bytes = new Uint8Array(size)
      sys.pread(sys.open(path, 0, 0), bytes, 0)
      return { id, path, generation, mtime, size, content: { kind: 'inline', bytes } }
    })
    const contents = new Map(bodies.map((body) => [body.id, body]))
    const nodes = batch.changes.nodes.map((node) => {
      const body = contents.get(node.id)
      return body === undefined || node.after === undefined ? node : { ...node, after: { ...node.after, size: body.size, mtime: body.mtime, content: body.content } }
    })
    const base = await this.volume.at(batch.baseSeq)
    const shown = await this.volume.at(batch.shownSeq)
    const committed = await this.volume.writer().commitChanges({ ...batch.changes, nodes }, { base, shown, nonce: batch.nonce, author: 'bed' })
    return publishedOf(batch, bodies, committed)
  }

  /** Publishes and follows to it, at once; gives what the kernel was told. */
  async publishAndFollow(): Promise<string[]> {
    const published = await this.publish()
    const told = await this.follow()
    this.handler.published(published)
    return [...told, ...this.connection.take()]
  }

  /** Writes a whole file, as a program does. */
  async put(path: string, text: string): Promise<number> {
    const reply = await answered(this.writable.create(...(await this.spot(path)), { mode: 0o644, umask: 0, rdev: 0 }, openFlag.O_RDWR | openFlag.O_TRUNC, caller))
    if (typeof reply === 'number') throw new Error(`create: ${reply}`)
    const { entry, open } = structuredClone(reply)
    const written = await answered(this.writable.write(entry.nodeId, open.handle, 0, utf8(text), { isFromCache: false, killsPrivileges: false, caller }))
    if (typeof written === 'number') throw new Error(`write: ${written}`)
    this.handler.release(entry.nodeId, open.handle)
    return entry.nodeId
  }

  /** A whole file. */
  async get(path: string): Promise<string | number> {
    const node = await this.node(path)
    const reply = await this.open(node)
    if (typeof reply === 'number') return reply
    const answer = await answered(this.handler.read(node, reply.handle, 0, 65_536))
    this.handler.release(node, reply.handle)
    if (typeof answer === 'number') return answer
    if (answer.kind === 'bytes') return new TextDecoder().decode(answer.bytes)
    const bytes = new Uint8Array(answer.length)
    this.writing.sys.pread(answer.fd, bytes, answer.offset)
    return new TextDecoder().decode(bytes)
  }

  /** Commits without telling the file system. */
  async commit(operations: readonly Operation[]): Promise<void> {
    await this.volume.writer().commit(operations)
  }

  /** Tells the file system, a minute later unless `isSoon`, of what was committed; with `isBig`, as a change too big to list. Gives what the kernel was told. */
  async follow(isBig = false, isSoon = false): Promise<string[]> {
    const next = await this.volume.head()
    const change = await changeBetween(this.#snapshot, next)
    this.#snapshot = next
    this.connection.take()
    if (!isSoon) this.nowMs += 60_000
    this.handler.applyChange(isBig ? { ...change, names: undefined, inodes: [] } : change)
    return this.connection.take()
  }

  async lookup(path: string): Promise<EntryReply | number> {
    let reply: EntryReply | number = -errno.ENOENT
    let parent = 1
    for (const name of path.split('/').filter((part) => part !== '')) {
      const found: EntryReply | number = await answered(this.handler.lookup(parent, name, caller))
      if (typeof found === 'number' || found.nodeId === 0) return found
      reply = structuredClone(found)
      parent = found.nodeId
    }
    return reply
  }

  /** The node of a path that is there. */
  async node(path: string): Promise<number> {
    if (path === '/') return 1
    const reply = await this.lookup(path)
    if (typeof reply === 'number' || reply.nodeId === 0) throw new Error(`"${path}" is not there: ${JSON.stringify(reply)}`)
    return reply.nodeId
  }

  async open(node: number, flags = 0): Promise<OpenReply | number> {
    const reply = await answered(this.handler.open(node, flags, caller))
    return typeof reply === 'number' ? reply : { ...reply }
  }

  async text(node: number, handle: number, offset = 0, length = 4096): Promise<string | number> {
    const reply = await answered(this.handler.read(node, handle, offset, length))
    if (typeof reply === 'number') return reply
    return reply.kind === 'bytes' ? new TextDecoder().decode(reply.bytes) : `fd ${reply.fd}`
  }

  async openDirectory(node: number): Promise<number> {
    const reply = await answered(this.handler.opendir(node, caller))
    if (typeof reply === 'number') throw new Error(`opendir: ${reply}`)
    return reply.handle
  }

  /** One READDIR, asked again while it defers, as drivers do. */
  async read(node: number, handle: number, offset: number, options: { isPlus?: boolean; limit?: number } = {}): Promise<Listed[] | number> {
    for (;;) {
      const sink = new ListSink(options.isPlus === true, options.limit)
      const answer = this.handler.readdir(node, handle, offset, sink)
      if (!(answer instanceof Deferred)) return answer === undefined ? sink.entries : answer
      const outcome = await answered(answer)
      if (typeof outcome === 'number') return outcome
    }
  }

  /** A whole directory, by replies of `limit` entries. */
  async list(path: string, options: { isPlus?: boolean; limit?: number } = {}): Promise<Listed[]> {
    const node = await this.node(path)
    const handle = await this.openDirectory(node)
    const all: Listed[] = []
    for (;;) {
      const part = await this.read(node, handle, all.at(-1)?.offset ?? 0, options)
      if (typeof part === 'number') throw new Error(`readdir: ${part}`)
      if (part.length === 0) break
      all.push(...part)
    }
    this.handler.releasedir(node, handle)
    return all
  }
}

export function backendOf(snapshot: Snapshot): Backend {
  const stats = { requestCount: 0, chunkCount: 0, corruptCount: 0, hedgeCount: 0, tiers: [] }
  const fetcher = { fetch: () => 0, promote: () => undefined, cancel: () => undefined, stats }
  const { clock, random } = engineOf(new MemoryStore())
  return new VolumeBackend({ pages: snapshot.pages, fetcher, clock, random, deadlineMs: 5000 })
}

export function file(path: string, text: string, more: object = {}): Operation {
  const bytes = utf8(text)
  return { op: 'create', path, content: { kind: 'inline', bytes }, size: bytes.length, ...more }
}

/** Replaces a file's content; the file keeps its id. */
export function write(path: string, text: string): Operation {
  const bytes = utf8(text)
  return { op: 'write', path, content: { kind: 'inline', bytes }, size: bytes.length }
}
