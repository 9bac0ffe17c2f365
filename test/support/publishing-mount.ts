/**
 * A writable mount without a kernel and without a network thread: handler, changes, bodies and cache over a disk in memory, published into a volume in memory by the
 * engine, a step at a time. It can end at any step and come back with what it has on its disk.
 */
import type { FileId } from '../../shared/format/entry.ts'
import { decodeManifestRoot } from '../../shared/format/content-codec.ts'
import { encodeRoot } from '../../shared/format/entry-codec.ts'
import { type Logger, silentLogger } from '../../shared/log.ts'
import type { ByteRange } from '../../shared/range.ts'
import type { Random } from '../../shared/random.ts'
import { fileIdsFrom } from '../../shared/volume/file-id.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import type { Volume } from '../../shared/volume/volume.ts'
import { LocalBodies } from '../../shim/bodies/local-bodies.ts'
import { Cache } from '../../shim/cache/cache.ts'
import { entryOfBody } from '../../shim/changes/body-times.ts'
import type { LocalChanges } from '../../shim/changes/local-changes.ts'
import type { Batch, BatchBody, Published } from '../../shim/changes/publishing.ts'
import { recoverChanges, replayChanges } from '../../shim/changes/recover.ts'
import { NetworkEstimate } from '../../shared/fetch/network-estimate.ts'
import { SpeculationBudget } from '../../shared/fetch/speculation-budget.ts'
import { UncachedMemory } from '../../shim/fetch/uncached-memory.ts'
import type { FetchListener, FetchRequest } from '../../shim/fs/backend.ts'
import { CachedBodies } from '../../shim/fs/cached-bodies.ts'
import { VolumeHandler } from '../../shim/fs/volume-handler.ts'
import { type ReadBody } from '../../shim/publish/body-contents.ts'
import { publishedOf } from '../../shim/publish/batch-commit.ts'
import { whatCommitDid } from '../../shim/publish/found-commit.ts'
import { openFlag } from '../../shim/sys/constants.ts'
import { changeBetween } from '../../shim/volume/change.ts'
import { prepareNow } from './bodies-bed.ts'
import { FakeSys } from './fake-sys.ts'
import { FakeConnection, backendOf } from './handler-bed.ts'
import { MemoryJournal } from './memory-journal.ts'

/** A batch on its way. */
export interface Outgoing {
  readonly batch: Batch
  readonly bodies: ReadBody[]
}

/** Remembers which files of the disk it was given. */
class BackingConnection extends FakeConnection {
  readonly #inodes = new Map<number, number>()
  readonly #sys: FakeSys

  constructor(sys: FakeSys) {
    super()
    this.#sys = sys
  }

  override openBacking(fd = -1): number {
    const id = super.openBacking()
    const stat = this.#sys.fstat(fd)
    if (typeof stat !== 'number') this.#inodes.set(id, stat.ino)
    return id
  }

  pathOf(backingId: number): string {
    const ino = this.#inodes.get(backingId)
    const path = this.#sys.paths().find((each) => {
      const stat = this.#sys.stat(each)
      return typeof stat !== 'number' && stat.ino === ino
    })
    if (path === undefined) throw new Error(`Backing file ${backingId} has no name`)
    return path
  }
}

const directory = '/c'
const forever = new AbortController().signal

export class PublishingMount {
  readonly volume: Volume
  readonly author: string
  readonly sys = new FakeSys()
  readonly connection = new BackingConnection(this.sys)
  journal = new MemoryJournal()
  changes!: LocalChanges
  bodies!: LocalBodies
  handler!: VolumeHandler
  nowMs = Date.UTC(2026, 0, 1)
  conflictCount = 0
  /** What was warned of. */
  readonly messages: string[] = []
  readonly #random: Random
  readonly #newId: () => FileId
  #snapshot!: Snapshot
  #cache!: Cache
  readonly #writer: ReturnType<Volume['writer']>

  private constructor(volume: Volume, author: string, random: Random) {
    this.volume = volume
    this.author = author
    this.#random = random
    this.#newId = fileIdsFrom(random)
    this.#writer = volume.writer()
    this.connection.canPassthrough = true
  }

  static async start(volume: Volume, author: string, random: Random): Promise<PublishingMount> {
    const mount = new PublishingMount(volume, author, random)
    await mount.#start()
    return mount
  }

  get seq(): number {
    return this.#snapshot.seq
  }

  /** The process ends without a word, and another one takes its place. */
  async crash(): Promise<void> {
    this.handler.stop()
    this.bodies.close()
    this.#cache.close()
    const { records } = this.journal
    this.journal = new MemoryJournal()
    this.journal.records = records.map((record) => record.slice())
    await this.#start()
  }

  /** Goes on with the newest commit. */
  async follow(isBig = false): Promise<void> {
    const next = await this.volume.head()
    if (next.seq === this.#snapshot.seq) return
    const change = await changeBetween(this.#snapshot, next)
    this.#snapshot = next
    this.handler.applyChange(isBig ? { ...change, names: undefined, inodes: [] } : change)
  }

  /** A batch, with its bodies as they are now; what is in doubt is found out first. */
  async take(isEverything = true): Promise<Outgoing | undefined> {
    for (;;) {
      const taken = this.changes.takeBatch({ isEverything })
      if (taken === undefined) return undefined
      if (typeof taken === 'number') throw new Error(`takeBatch: ${taken}`)
      if ('changes' in taken) return { batch: taken, bodies: [] }
      const published = await this.#find(taken)
      if (published === undefined) this.changes.notPublished()
      else this.handler.published(published)
      await this.follow()
    }
  }

  /** Reads and stores its bodies. What changes meanwhile does not go along. */
  async read(outgoing: Outgoing): Promise<void> {
    for (const body of outgoing.batch.bodies) {
      const bytes = await this.#bytesOf(body)
      const written = await this.#writer.write([bytes])
      outgoing.bodies.push({ id: body.id, path: body.path, generation: body.generation, mtime: body.mtime, size: bytes.length, content: written.content })
    }
  }

  async commit({ batch, bodies }: Outgoing): Promise<Published> {
    const unchanged = new Set(this.changes.verify(bodies.map(({ id }) => id)))
    const went = new Map(bodies.flatMap((body) => (unchanged.has(body.id) ? [[body.id, body]] : [])))
    const nodes = batch.changes.nodes.map((node) => {
      const body = went.get(node.id)
      return body === undefined || node.after === undefined ? node : { ...node, after: { ...entryOfBody(node.after, body.size, body.mtime), content: body.content } }
    })
    const base = await this.volume.at(batch.baseSeq)
    const shown = await this.volume.at(batch.shownSeq)
    const committed = await this.#writer.commitChanges({ ...batch.changes, nodes }, { base, shown, nonce: batch.nonce, author: this.author })
    this.conflictCount += committed.conflicts.length
    return publishedOf(batch, [...went.values()], committed)
  }

  /** All that waits, until nothing does. */
  async publish(): Promise<void> {
    for (let round = 0; ; round += 1) {
      this.tick()
      const outgoing = await this.take()
      if (outgoing === undefined) return
      if (round === 10) throw new Error(`It never ends: ${JSON.stringify(outgoing.batch.changes.names)} ${JSON.stringify(outgoing.batch.changes.nodes)}`)
      await this.read(outgoing)
      this.handler.published(await this.commit(outgoing))
      await this.follow()
    }
  }

  /** As the kernel does by itself. */
  writeBacking(backingId: number, offset: number, bytes: Uint8Array): void {
    const fd = this.sys.open(this.connection.pathOf(backingId), openFlag.O_RDWR, 0)
    this.sys.pwrite(fd, bytes, offset)
    this.sys.close(fd)
  }

  /** Some seconds go by. */
  tick(): void {
    for (let count = 0; count < 4; count += 1) {
      this.nowMs += 1500
      this.handler.tick(this.nowMs)
      this.bodies.tick()
      this.#cache.tick()
    }
  }

  async #start(): Promise<void> {
    const replayed = replayChanges((visit) => this.journal.records.forEach((record) => visit(record)))
    this.#snapshot = replayed.seq === undefined ? await this.volume.head() : await this.volume.at(replayed.seq)
    const note = (message: string): void => void this.messages.push(message)
    const log: Logger = { ...silentLogger, warn: note, error: note }
    const clock = { now: () => this.nowMs, sleep: () => Promise.resolve() }
    this.#cache = Cache.open({ directory, bytesMax: 2 ** 40, freeBytesMin: 0, sys: this.sys, clock, bootId: 'boot', log })
    const backend = Object.assign(backendOf(this.#snapshot), {
      fetch: (request: FetchRequest, listener: FetchListener) => this.#fetch(request, listener),
      promote: () => undefined,
      cancel: () => undefined,
    })
    const context = { backend, clock, log, budget: new SpeculationBudget(0), network: new NetworkEstimate(), memory: new UncachedMemory(2 ** 20) }
    const published = new CachedBodies(this.#cache, context)
    const bodies = LocalBodies.open({
      sys: this.sys,
      clock,
      bootId: 'boot',
      directory,
      openBase: (base, label) => published.openBase(base, label),
      makeRoom: () => this.#cache.makeRoom(),
      prepare: (chores, done) => done(prepareNow(this.sys, chores)),
    })
    if (typeof bodies === 'number') throw new Error(`No bodies: ${bodies}`)
    this.bodies = bodies
    const parts = {
      journal: this.journal,
      seq: this.#snapshot.seq,
      clock,
      random: this.#random,
      sync: (fd: number, done: (result: number) => void) => done(this.sys.fdatasync(fd)),
      isOpen: (id: FileId) => this.handler.isOpenForWriting(id),
    }
    this.changes = recoverChanges(parts, replayed, (state, noted) => bodies.restore(state, noted)).changes
    bodies.endRestoring()
    const now = (): { seconds: number; nanoseconds: number } => ({ seconds: Math.floor((this.nowMs += 1000) / 1000), nanoseconds: 5 })
    const writing = { changes: this.changes, bodies, newId: this.#newId, now }
    const root = encodeRoot(this.#snapshot.root)
    this.handler = new VolumeHandler({ backend, bodies: published, root, seq: this.#snapshot.seq, isFixed: false, writing, log, now: () => this.nowMs })
    this.handler.start(this.connection)
  }

  async #find({ nonce, baseSeq, counter }: { readonly nonce: string; readonly baseSeq: number; readonly counter: number }): Promise<Published | undefined> {
    const head = await this.volume.head()
    for (let seq = baseSeq + 1; seq <= head.seq; seq += 1) {
      const snapshot = await this.volume.at(seq)
      if (snapshot.record.nonce === nonce) return publishedOf({ counter }, [], await whatCommitDid(await this.volume.at(seq - 1), snapshot, forever))
    }
    return undefined
  }

  async #bytesOf({ path, size, base, written }: BatchBody): Promise<Uint8Array> {
    const bytes = new Uint8Array(size)
    if (base !== undefined) {
      const below = await this.#published(base.manifest, { start: 0, end: Math.min(base.length, size) })
      bytes.set(below)
    }
    const fd = this.sys.open(path, openFlag.O_RDONLY, 0)
    const edges = written ?? [0, size]
    for (let index = 0; index < edges.length; index += 2) {
      const start = edges[index]!
      this.sys.pread(fd, bytes.subarray(start, edges[index + 1]), start)
    }
    // Beyond the base all there is is local.
    if (base !== undefined && size > base.length) this.sys.pread(fd, bytes.subarray(base.length), base.length)
    this.sys.close(fd)
    return bytes
  }

  #fetch(request: FetchRequest, listener: FetchListener): number {
    const answer = async (): Promise<void> => {
      const bytes = await this.#published(request.manifest, request.range)
      this.sys.pwrite(request.fd, bytes, request.range.start)
      listener.present(request.range, false)
      listener.done(undefined)
    }
    answer().catch((error: unknown) => listener.done({ code: 'internal', message: String(error) }))
    return 1
  }

  async #published(manifest: Uint8Array, range: ByteRange): Promise<Uint8Array> {
    const { root } = this.#snapshot
    const entry = { ...root.directory, kind: 'file', size: range.end, content: { kind: 'manifest', root: decodeManifestRoot(manifest) } } as const
    const bytes = new Uint8Array(range.end - range.start)
    let at = 0
    for await (const piece of this.#snapshot.read(entry, range)) {
      bytes.set(piece, at)
      at += piece.length
    }
    return bytes
  }
}
