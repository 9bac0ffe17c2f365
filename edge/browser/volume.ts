/**
 * `edgemount/browser`: a volume in a page or a worker, read by verified chunks that are kept in IndexedDB. This file is what is imported from outside.
 *
 *     const volume = await openVolume('https://files.example/v1/photos', { token })
 *     const bytes = await volume.read('/2026/a.jpg', { start: 0, end: 65536 })
 */
import { throwIfAborted } from '../../shared/abort.ts'
import { systemClock } from '../../shared/clock.ts'
import { contentTypeOf } from '../../shared/content-type.ts'
import { EdgemountError, codeOf } from '../../shared/error.ts'
import type { CommitOperation } from '../../shared/format/commit-operation.ts'
import { contentVersionOf } from '../../shared/format/entry-codec.ts'
import type { Entry, FileKind } from '../../shared/format/entry.ts'
import { webHash } from '../../shared/hash.ts'
import { baseName, childPath, percentDecodePath } from '../../shared/path.ts'
import { systemRandom } from '../../shared/random.ts'
import { readVolumeAddress } from './address.ts'
import { Engine, type World } from './engine.ts'
import { FileReader } from './file-reader.ts'
import { IdbTable } from './idb-table.ts'
import { type AsyncBuffer, LazyFile, asyncBufferOf } from './lazy-file.ts'
import { askToPersist } from './persist.ts'
import { type PinProgress, keepFiles } from './pin.ts'
import { type PartialRange, sourceOf, streamOf, within } from './read-parts.ts'
import { type AnsweredFile, respondFile } from './respond.ts'
import type { Tree } from './tree.ts'

export interface OpenOptions {
  /** A capability token; one in the address counts too. */
  readonly token?: string | undefined
  /** The commit to stay at; the newest unless given. */
  readonly seq?: number | undefined
  /** What the record of that commit must hash to (SHA-256 in hex): then not even the edge is believed. */
  readonly recordHash?: string | undefined
  /** What is kept in IndexedDB, by all volumes and tabs of the origin; `false`: nothing. */
  readonly cache?: false | CacheOptions | undefined
  /** What may be held in memory of chunks; 64 MiB unless given. */
  readonly memoryBytes?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Parts of the world that are not the browser's own: for tests. */
  readonly world?: Partial<World> | undefined
}

export interface CacheOptions {
  /** 512 MiB unless given. */
  readonly bytes?: number | undefined
  /** The database; `edgemount` unless given. */
  readonly name?: string | undefined
  /** Whether the browser is asked to keep it when its disk fills; true in pages unless given. Workers cannot ask. */
  readonly persist?: boolean | undefined
}

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined
}

export interface FollowOptions extends ReadOptions {
  /** Told whenever commits begin or cease to come as they happen. */
  readonly onConnected?: ((isConnected: boolean) => void) | undefined
}

export interface ListOptions extends ReadOptions {
  /** Only names after this one. */
  readonly after?: string | undefined
  /** 1000 unless given, and at most. */
  readonly limit?: number | undefined
}

export interface FileInfo {
  readonly path: string
  readonly name: string
  readonly kind: FileKind
  readonly size: number
  readonly mtime: Date
  /** Permission bits. */
  readonly mode: number
  /** Of its content: files with the same version have the same bytes. */
  readonly version: string
  /** Where a symlink leads. */
  readonly target: string | undefined
}

export interface Listing {
  readonly seq: number
  readonly path: string
  readonly items: readonly FileInfo[]
  readonly isLast: boolean
}

export interface VolumeStats {
  /** Chunks. */
  readonly memoryHits: number
  readonly cacheHits: number
  readonly fetched: number
  readonly requests: number
  readonly bytesFromMemory: number
  readonly bytesFromCache: number
  readonly bytesFromNetwork: number
  /** What did not match its hash: kept here, and fetched. */
  readonly corruptKept: number
  readonly corruptFetches: number
  readonly evictions: number
  readonly quotaErrors: number
  /** The browser's storage failed otherwise, and why. */
  readonly cacheFailures: number
  readonly cacheFailure: string | undefined
  /** In IndexedDB, by all volumes of the origin; and how much of it is pinned. */
  readonly keptBytes: number
  readonly pinnedBytes: number
}

export interface PinOptions extends ReadOptions {
  readonly onProgress?: ((progress: PinProgress) => void) | undefined
}

export interface Change {
  readonly seq: number
  readonly operations: readonly CommitOperation[]
}

const cacheBytesDefault = 512 * 1024 * 1024
const memoryBytesDefault = 64 * 1024 * 1024
const readersMax = 64
const listLimitMax = 1000
/** The manifest of a larger file is not read only to know what it still has of its older versions. */
const comparedBytesMax = 1024 * 1024 * 1024

/** Opens a volume by its address, for example `https://files.example/v1/photos`. Throws `not-found`, `denied`, `unavailable` … with a sentence that says what to do. */
export async function openVolume(url: string | URL, options: OpenOptions = {}): Promise<BrowserVolume> {
  throwIfAborted(options.signal)
  const { location, crypto } = globalThis
  if (crypto?.subtle === undefined) {
    throw new EdgemountError('unsupported', 'Cannot verify what is read: the browser offers SHA-256 to https and localhost alone; open this page over https')
  }
  const address = readVolumeAddress(String(url), location?.href)
  const cache = options.cache === false ? undefined : (options.cache ?? {})
  const { seq = address.seq, recordHash, memoryBytes = memoryBytesDefault } = options
  if (recordHash !== undefined && seq === undefined) throw new EdgemountError('invalid', 'Cannot hold the volume to a record: say of which seq it is')
  const world: World = {
    fetch: (target, init) => globalThis.fetch(target, init),
    clock: systemClock,
    random: systemRandom,
    hash: webHash,
    table: cache === undefined || globalThis.indexedDB === undefined ? undefined : new IdbTable(cache.name ?? 'edgemount'),
    origin: location?.origin,
    ...options.world,
  }
  const engine = new Engine(world, {
    address,
    token: options.token ?? address.token,
    cacheBytes: cache?.bytes ?? cacheBytesDefault,
    memoryBytes,
    pin: recordHash === undefined || seq === undefined ? undefined : { seq, recordHash },
  })
  if (world.table !== undefined && cache?.persist !== false) void askToPersist()
  const head = await engine.head(options.signal)
  const tree = await engine.tree(seq ?? head.seq, options.signal)
  return new BrowserVolume(engine, tree, { ...head, isPinned: seq !== undefined, isOwner: true })
}

/** A `fetch` that answers for the files of a volume (`…/v1/{volume}/files/…`) with verified bytes, and hands everything else on. */
export function createFetch(volume: BrowserVolume, otherwise: typeof fetch = (input, init) => globalThis.fetch(input, init)): typeof fetch {
  return async (input, init) => {
    const method = init?.method ?? (input instanceof Request ? input.method : 'GET')
    // A request that goes elsewhere goes as it came: to copy it would use its body up.
    if (!/^(?:get|head)$/i.test(method)) return await otherwise(input, init)
    const request = new Request(input, init)
    const path = volume.pathOf(request.url)
    return path === undefined ? await otherwise(input, init) : await volume.respond(path, request)
  }
}

interface ViewFacts {
  /** Stays at its commit. */
  readonly isPinned: boolean
  readonly isOffline: boolean
  /** What is kept may be of older versions. */
  readonly hasMoved: boolean
  /** Closes the engine with itself. */
  readonly isOwner: boolean
}

/** A volume as one commit left it; `refresh` moves on to the newest. */
export class BrowserVolume {
  readonly #engine: Engine
  readonly #facts: ViewFacts
  #tree: Tree
  #isOffline: boolean
  /** Of the volume that the tree is of. */
  #generation: string
  #hasMoved: boolean
  /** Of files that were read lately, by path, in order of last use. */
  readonly #readers = new Map<string, Promise<FileReader>>()
  readonly #background = new Set<Promise<void>>()

  constructor(engine: Engine, tree: Tree, facts: ViewFacts) {
    this.#engine = engine
    this.#tree = tree
    this.#facts = facts
    this.#isOffline = facts.isOffline
    this.#generation = engine.generation
    this.#hasMoved = facts.hasMoved
  }

  get name(): string {
    return this.#engine.volume
  }

  /** The edge's address, without a token. */
  get edge(): string {
    return this.#engine.edge
  }

  /** The commit that is shown. */
  get seq(): number {
    return this.#tree.seq
  }

  /** Tells this volume from another that had, or will have, its name. */
  get generation(): string {
    return this.#engine.generation
  }

  /** What may be seen of it: `/`, or the prefix of a token for a part. */
  get prefix(): string {
    return this.#engine.prefix
  }

  /** The edge was away when it was last asked; only what is kept can be read. */
  get isOffline(): boolean {
    return this.#isOffline
  }

  /** What stands at a path, symlinks followed. Throws `not-found`. */
  async stat(path: string, { signal }: ReadOptions = {}): Promise<FileInfo> {
    const ending = this.#signal(signal)
    throwIfAborted(ending)
    const found = await this.#tree.stat(path, ending)
    return await this.#info(found.path, found.entry)
  }

  /** A page of a directory, by the bytes of the names; `after` the last name comes the next. */
  async list(path: string, { after, limit = listLimitMax, signal }: ListOptions = {}): Promise<Listing> {
    const tree = this.#tree
    const ending = this.#signal(signal)
    throwIfAborted(ending)
    const page = await tree.list(path, { after, limit: Math.min(limit, listLimitMax), signal: ending })
    const items = await Promise.all(page.items.map(({ name, entry }) => this.#info(childPath(page.path, name), entry)))
    return { seq: tree.seq, path: page.path, items, isLast: page.isLast }
  }

  /** The bytes of a range, verified; what is beyond the end is left out. At most 1 GiB: `stream` what is longer. */
  async read(path: string, range: PartialRange = {}, { signal }: ReadOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    const ending = this.#signal(signal)
    throwIfAborted(ending)
    const reader = await this.#reader(path)
    return await reader.read(within(range, reader.size), ending)
  }

  /** As `read`, of any length: a part at a time. Cancelling it ends what is under way. */
  stream(path: string, range: PartialRange = {}, { signal }: ReadOptions = {}): ReadableStream<Uint8Array<ArrayBuffer>> {
    return streamOf(() => this.#reader(path), range, this.#signal(signal))
  }

  /** The file as something like a `Blob`, which reads what it is asked for. */
  async file(path: string, { signal }: ReadOptions = {}): Promise<LazyFile> {
    const reader = await this.#reader(path)
    throwIfAborted(signal)
    const name = baseName(reader.found.path)
    return new LazyFile(sourceOf(reader, this.#signal(signal)), { start: 0, end: reader.size }, { name, type: contentTypeOf(name), lastModified: mtimeOf(reader.found.entry).getTime() })
  }

  /** The file as hyparquet and readers like it take one. */
  async asyncBuffer(path: string, options: ReadOptions = {}): Promise<AsyncBuffer> {
    return asyncBufferOf(await this.file(path, options))
  }

  /** The path of a file by its address at the edge; undefined for what is no file of this volume: other routes, directories, what no path can be. */
  pathOf(url: string): string | undefined {
    const { origin, pathname } = new URL(url)
    const edge = new URL(this.edge)
    const base = edge.pathname.replace(/\/$/, '')
    if (origin !== edge.origin || !pathname.startsWith(`${base}/`) || pathname.endsWith('/')) return undefined
    const rest = pathname.slice(base.length).replace(/^\/t\/[^/]+/, '')
    const start = [`/v1/${this.name}/files/`, ...(this.#facts.isPinned ? [`/v1/${this.name}/@${this.seq}/`] : [])].find((text) => rest.startsWith(text))
    try {
      return start === undefined ? undefined : percentDecodePath(rest.slice(start.length - 1))
    } catch {
      return undefined
    }
  }

  /** One version of a file, symlinks followed, for who answers requests: what is read of it stays that one when the volume moves on. */
  async openFile(path: string, { signal }: ReadOptions = {}): Promise<AnsweredFile> {
    const reader = await this.#reader(path)
    const { found, size, owner } = reader
    return { path: found.path, size, version: owner.version, mtime: mtimeOf(found.entry), ...sourceOf(reader, this.#signal(signal)) }
  }

  /** What the edge would answer to a request for a file, from here: ranges, ETags, statuses. */
  async respond(path: string, request: Request): Promise<Response> {
    return await respondFile(path, request, () => this.openFile(path, { signal: request.signal }))
  }

  /** Moves on to the newest commit; true when there was one. A volume of one commit stays. */
  async refresh({ signal }: ReadOptions = {}): Promise<boolean> {
    if (this.#facts.isPinned) return false
    const head = await this.#engine.head(this.#signal(signal))
    this.#isOffline = head.isOffline
    const isOther = head.generation !== this.#generation
    if (head.seq <= this.seq && !isOther) return false
    const tree = await this.#engine.tree(head.seq, this.#signal(signal))
    if (tree.seq <= this.seq && !isOther) return false
    this.#tree = tree
    this.#generation = head.generation
    this.#hasMoved = true
    const paths = [...this.#readers.keys()]
    for (const reader of this.#readers.values()) reader.then((old) => old.retire()).catch(() => undefined)
    this.#readers.clear()
    for (const path of paths) this.#later(this.#dropOlder(path))
    return true
  }

  /** Moves on with every commit, and tells of it, until the signal fires. Ends with what another try would not change, for example `denied`. */
  async follow(onChange: (change: Change) => void, { signal, onConnected }: FollowOptions = {}): Promise<void> {
    const ending = this.#signal(signal)
    try {
      for await (const { seq, operations } of this.#engine.events({ after: this.seq, signal: ending, onConnected })) {
        await this.refresh({ signal: ending })
        onChange({ seq, operations })
      }
    } catch (error) {
      if (!ending.aborted) throw error
    }
  }

  /** The volume as a commit left it. It shares everything with this one, and ends with it. */
  async at(seq: number, { signal }: ReadOptions = {}): Promise<BrowserVolume> {
    return this.#at(await this.#engine.tree(seq, this.#signal(signal)))
  }

  #at(tree: Tree): BrowserVolume {
    return new BrowserVolume(this.#engine, tree, { isPinned: true, isOffline: this.#isOffline, hasMoved: false, isOwner: false })
  }

  /**
   * Has a file, or a directory with everything in it, kept as this commit has it, and exempt from eviction: it can be read offline until it is unpinned. What moves on is pinned
   * again by another call, and then what only the older commit had can go. Throws `exhausted` without room; what was kept until then stays.
   */
  async pin(path: string, { signal, onProgress = () => undefined }: PinOptions = {}): Promise<PinProgress> {
    const { cache } = this.#engine
    const ending = this.#signal(signal)
    if (cache === undefined) throw new EdgemountError('unsupported', `Cannot keep "${path}" offline: nothing is kept here; open the volume with a cache, in a browser that has IndexedDB`)
    // Of one commit, also when this volume moves on meanwhile.
    const view = this.#at(this.#tree)
    const top = await view.stat(path, { signal: ending })
    const owner = this.#ownerOf(top.path)
    const pin = `${owner}//${this.#generation}.${view.seq}`
    await cache.pin(pin, true)
    const done = await keepFiles({ volume: view, cache, pin, signal: ending, onProgress, open: (file) => view.#reader(file) }, top)
    await this.#letGo(owner, pin)
    return done
  }

  /** What was pinned may go again, as all else. */
  async unpin(path: string): Promise<void> {
    await this.#letGo(this.#ownerOf(path))
  }

  /** Paths of this volume that are pinned. */
  async pins(): Promise<readonly string[]> {
    const volume = `${this.edge}/${this.name}`
    const pins = (await this.#engine.cache?.pins()) ?? []
    const paths = pins.flatMap((pin) => (pin.startsWith(`${volume}/`) ? [pin.slice(volume.length).replace(/\/\/.*/, '') || '/'] : []))
    return [...new Set(paths)]
  }

  /** Counted since it was opened, but for `keptBytes`. */
  async stats(): Promise<VolumeStats> {
    const { chunks, counts, cache } = this.#engine
    const { evictions = 0, corrupt = 0, quotaErrors = 0, failures = 0, failure } = cache?.counts ?? {}
    const { bytes = 0, pinnedBytes = 0 } = (await cache?.size()) ?? {}
    return {
      ...chunks.counts,
      ...counts,
      bytesFromCache: chunks.counts.bytesFromCache + counts.bytesFromCache,
      evictions,
      quotaErrors,
      corruptKept: corrupt,
      cacheFailures: failures,
      cacheFailure: failure,
      keptBytes: bytes,
      pinnedBytes,
    }
  }

  /** Resolves when what was read so far is kept, and what moved on is gone. */
  async flush(): Promise<void> {
    await Promise.all(this.#background)
    await this.#engine.cache?.flush()
  }

  /** Forgets everything that is kept in IndexedDB, of all volumes of the origin. */
  async clear(): Promise<void> {
    await this.#engine.cache?.clear()
  }

  /** Ends reads under way, with `closed`. */
  async close(): Promise<void> {
    for (const reader of this.#readers.values()) reader.then((open) => open.close()).catch(() => undefined)
    this.#readers.clear()
    if (!this.#facts.isOwner) return
    this.#engine.stop()
    await Promise.all(this.#background)
    await this.#engine.close()
  }

  #signal(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#engine.signal : AbortSignal.any([signal, this.#engine.signal])
  }

  async #info(path: string, entry: Entry): Promise<FileInfo> {
    const { kind, size, mode, content } = entry
    const target = content.kind === 'target' ? content.target : undefined
    return { path, name: baseName(path), kind, size, mode, mtime: mtimeOf(entry), version: await contentVersionOf(entry, this.#engine.hash), target }
  }

  /** Shared by all who read the file; a failure is nobody's but that of who asks now. */
  #reader(path: string): Promise<FileReader> {
    const known = this.#readers.get(path)
    this.#readers.delete(path)
    const reader = known ?? this.#open(path)
    this.#readers.set(path, reader)
    if (known === undefined && this.#hasMoved) this.#later(this.#dropOlder(path))
    if (known === undefined) reader.catch(() => this.#readers.get(path) === reader && this.#readers.delete(path))
    const [oldest] = this.#readers
    if (this.#readers.size > readersMax && oldest !== undefined) {
      this.#readers.delete(oldest[0])
      oldest[1].then((old) => old.retire()).catch(() => undefined)
    }
    return reader
  }

  async #open(path: string): Promise<FileReader> {
    const tree = this.#tree
    const found = await tree.stat(path, this.#engine.signal)
    if (found.entry.kind !== 'file') throw new EdgemountError('invalid', `Cannot read "${path}": it is a ${found.entry.kind}`)
    const version = await contentVersionOf(found.entry, this.#engine.hash)
    return new FileReader(this.#engine.readerParts(tree), found, { path: found.path, owner: this.#ownerOf(found.path), version })
  }

  /** No path has two slashes: that is where the commit of a pin begins. */
  async #letGo(owner: string, current?: string): Promise<void> {
    const { cache } = this.#engine
    for (const pin of (await cache?.pins()) ?? []) if (pin !== current && pin.startsWith(`${owner}//`)) await cache?.pin(pin, false)
  }

  #ownerOf(path: string): string {
    return `${this.edge}/${this.name}${path === '/' ? '' : path}`
  }

  /** What is kept of a file's older versions, and is not in this one, goes. Never rejects. */
  async #dropOlder(path: string): Promise<void> {
    const { cache, signal } = this.#engine
    if (cache === undefined) return
    try {
      const reader = await this.#reader(path)
      const older = await cache.otherVersions(reader.owner.owner, reader.owner.version)
      if (older.length === 0 || reader.size > comparedBytesMax) return
      const runs = reader.found.entry.content.kind === 'inline' ? [] : await reader.runs({ start: 0, end: reader.size }, signal)
      const needed = new Set(runs.flatMap(({ run }) => (run.kind === 'chunk' ? [`c/${run.pointer.hash}`] : [])))
      await cache.drop(older.filter((key) => !needed.has(key)))
    } catch (error) {
      if (codeOf(error) === 'not-found') await cache.drop(await cache.otherVersions(this.#ownerOf(path), ''))
    }
  }

  #later(work: Promise<void>): void {
    this.#background.add(work)
    void work.finally(() => this.#background.delete(work))
  }
}

function mtimeOf({ mtime }: Entry): Date {
  return new Date(mtime.seconds * 1000 + Math.floor(mtime.nanoseconds / 1e6))
}
