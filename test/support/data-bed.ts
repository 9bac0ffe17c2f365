/**
 * A writable file system over a volume in memory, with a real cache and real local bodies on a fake disk, and a kernel that may take backing files. What is
 * fetched comes from memory, at once or when the test says so.
 */
import { MemoryStore } from '../../edge/store/memory.ts'
import { systemClock } from '../../shared/clock.ts'
import { toHex } from '../../shared/bytes.ts'
import { encodeManifestRoot } from '../../shared/format/content-codec.ts'
import type { Content, ManifestRoot } from '../../shared/format/entry.ts'
import { encodeEntry, encodeRoot } from '../../shared/format/entry-codec.ts'
import { encodeManifestPage } from '../../shared/format/manifest-shape.ts'
import { silentLogger } from '../../shared/log.ts'
import { systemRandom } from '../../shared/random.ts'
import { toFileId } from '../../shared/volume/file-id.ts'
import type { Operation } from '../../shared/volume/operation.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import type { Volume } from '../../shared/volume/volume.ts'
import { LocalBodies } from '../../shim/bodies/local-bodies.ts'
import { Cache } from '../../shim/cache/cache.ts'
import { LocalChanges } from '../../shim/changes/local-changes.ts'
import { NetworkEstimate } from '../../shared/fetch/network-estimate.ts'
import { SpeculationBudget } from '../../shared/fetch/speculation-budget.ts'
import { UncachedMemory } from '../../shim/fetch/uncached-memory.ts'
import type { FetchListener, FetchRequest } from '../../shim/fs/backend.ts'
import { CachedBodies } from '../../shim/fs/cached-bodies.ts'
import { VolumeHandler } from '../../shim/fs/volume-handler.ts'
import type { VolumeWriter } from '../../shim/fs/volume-writer.ts'
import type { Attributes, CreateReply, OpenReply, WriteContext } from '../../shim/fuse/handler.ts'
import { openFlag } from '../../shim/sys/constants.ts'
import { changeBetween } from '../../shim/volume/change.ts'
import { prepareNow } from './bodies-bed.ts'
import { FakeSys } from './fake-sys.ts'
import { chunkRun } from './file-entry.ts'
import { FakeConnection, answered, backendOf, caller } from './handler-bed.ts'
import { hashOf } from './hash-of.ts'
import { MemoryJournal } from './memory-writing.ts'
import { newVolume } from './test-volume.ts'

/** The kernel's side: remembers which inode of the disk it was given. */
class BackingConnection extends FakeConnection {
  readonly inodes = new Map<number, number>()
  readonly #sys: FakeSys

  constructor(sys: FakeSys) {
    super()
    this.#sys = sys
  }

  override openBacking(fd?: number): number {
    const id = super.openBacking()
    const stat = this.#sys.fstat(fd ?? -1)
    if (typeof stat !== 'number') this.inodes.set(id, stat.ino)
    return id
  }
}

export class DataBed {
  readonly sys = new FakeSys()
  readonly journal = new MemoryJournal()
  readonly connection = new BackingConnection(this.sys)
  readonly fetched: { readonly start: number; readonly end: number }[] = []
  /** Fetches that are not answered yet; undefined: all are at once. */
  waiting: (() => void)[] | undefined
  readonly #contents: Map<string, Uint8Array>
  readonly #volume: Volume
  #snapshot: Snapshot
  readonly cache: Cache
  readonly bodies: LocalBodies
  readonly changes: LocalChanges
  readonly handler: VolumeHandler
  nowMs = Date.UTC(2026, 0, 1)

  private constructor(volume: Volume, snapshot: Snapshot, contents: Map<string, Uint8Array>, canPassthrough: boolean) {
    this.#contents = contents
    this.#volume = volume
    this.#snapshot = snapshot
    this.connection.canPassthrough = canPassthrough
    const clock = { now: () => this.nowMs, sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms, signal) }
    this.cache = Cache.open({ directory: '/c', bytesMax: 2 ** 40, freeBytesMin: 0, sys: this.sys, clock, bootId: 'boot', log: silentLogger })
    const backend = Object.assign(backendOf(snapshot), { fetch: (request: FetchRequest, listener: FetchListener) => this.#fetch(request, listener), promote: () => undefined, cancel: () => undefined })
    const published = new CachedBodies(this.cache, {
      backend,
      clock,
      log: silentLogger,
      budget: new SpeculationBudget(0),
      network: new NetworkEstimate(),
      memory: new UncachedMemory(2 ** 20),
    })
    this.changes = new LocalChanges({
      journal: this.journal,
      seq: snapshot.seq,
      clock,
      random: systemRandom,
      sync: (fd, done) => done(this.sys.fdatasync(fd)),
      isOpen: (id) => this.handler.isOpenForWriting(id),
    })
    const bodies = LocalBodies.open({
      sys: this.sys,
      clock,
      bootId: 'boot',
      directory: '/c',
      openBase: (base, label) => published.openBase(base, label),
      makeRoom: () => this.cache.makeRoom(),
      prepare: (chores, done) => done(prepareNow(this.sys, chores)),
    })
    if (typeof bodies === 'number') throw new Error(`No bodies: ${bodies}`)
    this.bodies = bodies
    bodies.endRestoring()
    let lastId = 5_000_000
    const writing = { changes: this.changes, bodies, newId: () => toFileId((lastId += 1)), now: () => ({ seconds: Math.floor(this.nowMs / 1000), nanoseconds: 5 }) }
    this.handler = new VolumeHandler({ backend, bodies: published, root: encodeRoot(snapshot.root), seq: snapshot.seq, isFixed: false, writing, log: silentLogger, now: () => this.nowMs })
    this.handler.start(this.connection)
  }

  /** `files` are published, large ones in a chunk, up to 4096 bytes in their entries. */
  static async make(files: Readonly<Record<string, Uint8Array>>, { canPassthrough = true } = {}): Promise<DataBed> {
    const contents = new Map<string, Uint8Array>()
    const operations = Object.entries(files).map(([name, bytes]): Operation => {
      return { op: 'create', path: `/${name}`, content: contentOf(bytes, contents), size: bytes.length, mtime: bedMtime }
    })
    const volume = await newVolume({ store: new MemoryStore() })
    await volume.writer().commit(operations)
    return new DataBed(volume, await volume.head(), contents, canPassthrough)
  }

  /** Everything, with whole bodies alone; as the publisher does, and nobody else commits. */
  async publish(): Promise<void> {
    const batch = this.changes.takeBatch({ isEverything: true })
    if (typeof batch !== 'object' || !('bodies' in batch)) throw new Error('There is no batch')
    const bodies = new Map(batch.bodies.map(({ id, path, size, mtime }) => [id, { bytes: this.sys.readFile(path), size, mtime }]))
    const nodes = batch.changes.nodes.map((node) => {
      const body = bodies.get(node.id)
      if (body === undefined || node.after === undefined) return node
      const { bytes, size, mtime } = body
      return { ...node, after: { ...node.after, content: contentOf(bytes, this.#contents), size, mtime } }
    })
    const committed = await this.#volume.writer().commitChanges({ ...batch.changes, nodes }, { base: this.#snapshot })
    const change = await changeBetween(this.#snapshot, committed.snapshot)
    this.#snapshot = committed.snapshot
    const published = committed.nodes.map(({ id, entry }) => ({ id, entry: encodeEntry(entry) }))
    this.handler.published({ counter: batch.counter, seq: committed.seq, nodes: published, bodies: batch.bodies, superseded: [], conflicts: [], merged: [] })
    this.handler.applyChange(change)
  }

  get writable(): VolumeWriter {
    return this.handler.writable!
  }

  async node(name: string): Promise<number> {
    const reply = await answered(this.handler.lookup(1, name, caller))
    if (typeof reply === 'number' || reply.nodeId === 0) throw new Error(`"${name}" is not there`)
    return reply.nodeId
  }

  async create(name: string, flags: number = openFlag.O_RDWR): Promise<CreateReply> {
    const reply = await answered(this.writable.create(1, name, { mode: 0o644, umask: 0, rdev: 0 }, flags, caller))
    if (typeof reply === 'number') throw new Error(`create "${name}": ${reply}`)
    return structuredClone(reply)
  }

  async open(name: string, flags: number = openFlag.O_RDONLY): Promise<OpenReply | number> {
    const reply = await answered(this.handler.open(await this.node(name), flags, caller))
    return typeof reply === 'number' ? reply : { ...reply }
  }

  async opened(name: string, flags: number = openFlag.O_RDONLY): Promise<OpenReply> {
    const reply = await this.open(name, flags)
    if (typeof reply === 'number') throw new Error(`open "${name}": ${reply}`)
    return reply
  }

  async attributes(name: string): Promise<Attributes> {
    const reply = await answered(this.handler.getattr(await this.node(name), undefined))
    if (typeof reply === 'number') throw new Error(`getattr "${name}": ${reply}`)
    return { ...reply.attributes }
  }

  async write(name: string, handle: number, offset: number, bytes: Uint8Array, context: Partial<WriteContext> = {}): Promise<number> {
    const reply = await answered(this.writable.write(await this.node(name), handle, offset, bytes, { isFromCache: false, killsPrivileges: false, caller, ...context }))
    return typeof reply === 'number' ? reply : reply.written
  }

  async read(name: string, handle: number, offset = 0, length = 2 ** 20): Promise<Uint8Array | number> {
    const reply = await answered(this.handler.read(await this.node(name), handle, offset, length))
    if (typeof reply === 'number' || reply.kind === 'bytes') return typeof reply === 'number' ? reply : reply.bytes
    const bytes = new Uint8Array(reply.length)
    return bytes.subarray(0, this.sys.pread(reply.fd, bytes, reply.offset))
  }

  /** Opens, reads and closes. */
  async content(name: string): Promise<Uint8Array | number> {
    const { handle } = await this.opened(name)
    const bytes = await this.read(name, handle)
    await this.release(name, handle)
    return bytes
  }

  async release(name: string, handle: number): Promise<void> {
    this.handler.release(await this.node(name), handle)
  }

  /** The path of the backing file that the kernel has. */
  backingPath(backingId: number): string {
    const ino = this.connection.inodes.get(backingId)
    const path = this.sys.paths().find((candidate) => {
      const stat = this.sys.stat(candidate)
      return typeof stat !== 'number' && stat.ino === ino
    })
    if (path === undefined) throw new Error(`Backing file ${backingId} has no name`)
    return path
  }

  /** As the kernel does by itself. */
  writeBacking(backingId: number, offset: number, bytes: Uint8Array): void {
    const fd = this.sys.open(this.backingPath(backingId), openFlag.O_RDWR, 0)
    this.sys.pwrite(fd, bytes, offset)
    this.sys.close(fd)
  }

  /** Some seconds go by. */
  tick(): void {
    for (let count = 0; count < 4; count += 1) {
      this.nowMs += 1500
      this.handler.tick(this.nowMs)
      this.bodies.tick()
      this.cache.tick()
    }
  }

  #fetch(request: FetchRequest, listener: FetchListener): number {
    const bytes = this.#contents.get(toHex(request.manifest))
    const { start, end } = request.range
    this.fetched.push({ start, end })
    const answer = (): void => {
      if (bytes === undefined) listener.done({ code: 'not-found', message: 'no such version' })
      else {
        this.sys.pwrite(request.fd, bytes.subarray(start, end), start)
        listener.present(request.range, false)
        listener.done(undefined)
      }
    }
    if (this.waiting === undefined) answer()
    else this.waiting.push(answer)
    return this.fetched.length
  }
}

export const bedMtime = { seconds: 1_600_000_000, nanoseconds: 7 }

function contentOf(bytes: Uint8Array, contents: Map<string, Uint8Array>): Content {
  if (bytes.length <= 4096) return { kind: 'inline', bytes }
  const root: ManifestRoot = { kind: 'inline', page: encodeManifestPage(0, [chunkRun(hashOf(bytes), bytes.length)]), contentId: hashOf(bytes) }
  contents.set(toHex(encodeManifestRoot(root)), bytes)
  return { kind: 'manifest', root }
}
