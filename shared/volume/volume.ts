/**
 * One volume over one store: the composition of everything in this directory, and what the edge, the shim, the commands and a browser call.
 */
import { toHex } from '../bytes.ts'
import { type ChunkingParameters, defaultChunking } from '../chunker.ts'
import type { Clock } from '../clock.ts'
import { EdgemountError, codeOf } from '../error.ts'
import { type CommitRecord, type VolumeConfig, decodeVolumeConfig, encodeVolumeConfig } from '../format/commit.ts'
import type { Pointer, Root } from '../format/entry.ts'
import { type HashFunction, webHash } from '../hash.ts'
import { Limiter } from '../lifetime.ts'
import { type Logger, silentLogger } from '../log.ts'
import type { Random } from '../random.ts'
import type { ObjectStore } from '../store.ts'
import { timeOf } from './commit.ts'
import { checkVolume } from './check.ts'
import { ChunkCache } from './chunk-cache.ts'
import { CommitLog, type HeadOptions, type LoggedRecord } from './commit-log.ts'
import { ContentWriter, type WriterOptions } from './content-writer.ts'
import { rootFileId } from './file-id.ts'
import type { CheckOptions, CheckProgress, Finding } from './finding.ts'
import { type FollowRequest, followLog } from './follow.ts'
import { configKey } from './keys.ts'
import { PageStore } from './page-store.ts'
import type { VolumeParts } from './parts.ts'
import { probeStore } from './probe.ts'
import { ReadBudget } from './read-budget.ts'
import { getBytesMax } from './read-plan.ts'
import { Snapshot } from './snapshot.ts'

const commitsWaitingMax = 10_000
const createTriesMax = 4
const waitMsDefault = 60_000

export interface Engine {
  /** Scoped to the volume. */
  readonly store: ObjectStore
  readonly clock: Clock
  readonly random: Random
  /** WebCrypto's SHA-256 unless given. */
  readonly hash?: HashFunction | undefined
  readonly log?: Logger | undefined
  /** Names this process in records and conflict names; `edgemount` unless given. */
  readonly author?: string | undefined
  /** 64 MiB unless given. */
  readonly pageCacheBytes?: number | undefined
  /** For chunks of which small ranges are read; 32 MiB unless given. */
  readonly chunkCacheBytes?: number | undefined
  /** The largest request for the bytes of bodies, unless one chunk is larger; 8 MiB unless given. A reader holds two of them. */
  readonly readBytesMax?: number | undefined
  /** What the readers of all volumes of this process may hold together; one for this volume alone unless given. */
  readonly readBudget?: ReadBudget | undefined
  /** True where memory is short: what is longer than 1 MiB is read as a stream and held chunk by chunk. False unless given. */
  readonly isStreaming?: boolean | undefined
  /** The longest that one chunk of such a stream may take, and that a commit waits for those before it; 60 s unless given. */
  readonly waitMs?: number | undefined
}

export interface NewVolume {
  readonly name: string
  readonly chunking?: ChunkingParameters | undefined
}

export class Volume {
  readonly #parts: VolumeParts

  private constructor(parts: VolumeParts) {
    this.#parts = parts
  }

  /** Makes an empty volume. Throws `conflict` when there is one, `unsupported` for a store that cannot hold any; see `probe.ts`. */
  static async create(engine: Engine, { name, chunking = defaultChunking }: NewVolume): Promise<Volume> {
    const { store, clock, random } = engine
    if ((await readConfig(store, undefined)) !== undefined) throw thereIsOne(name, store)
    const capabilities = await probeStore(engine)
    const config: VolumeConfig = { id: toHex(random.bytes(16)), name, created: clock.now(), chunking, capabilities }
    const owner = await createConfig(engine, config)
    if (owner.id !== config.id) throw thereIsOne(name, store)
    const volume = new Volume(partsOf(engine, config))
    await volume.#readHead({})
    return volume
  }

  /** Throws `not-found` when there is no volume in the store. */
  static async open(engine: Engine, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<Volume> {
    const config = await readConfig(engine.store, options.signal)
    if (config === undefined) throw new EdgemountError('not-found', `Cannot open the volume in "${engine.store.label}": there is none`)
    return new Volume(partsOf(engine, config))
  }

  get config(): VolumeConfig {
    return this.#parts.config
  }

  /** The newest seq that this process has seen, without asking; 0 before the first look. */
  get seenSeq(): number {
    return this.#parts.commits.latest?.record.seq ?? 0
  }

  /** The newest snapshot: at least as new as every commit acknowledged before the call. */
  async head(options: HeadOptions = {}): Promise<Snapshot> {
    return this.#snapshot(await this.#readHead(options))
  }

  /** The snapshot that a commit made. Throws `not-found` for a seq that is not in the log. */
  async at(seq: number, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<Snapshot> {
    const logged = Number.isSafeInteger(seq) && seq > 0 ? await this.#parts.commits.read(seq, options.signal) : undefined
    if (logged === undefined) throw new EdgemountError('not-found', `Cannot open snapshot ${seq} of "${this.config.name}": there is no such commit`)
    return this.#snapshot(logged)
  }

  /** The snapshot of a record that was read elsewhere, for example from `follow`. */
  snapshotOf(record: CommitRecord): Snapshot {
    return new Snapshot(record, this.#parts)
  }

  /** A page that a record names, compared with its hash. Throws `corrupt`. */
  loadPage(pointer: Pointer, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#parts.pages.load(pointer, signal)
  }

  /** The records after a seq, as they come; see `FollowRequest`. */
  follow(request: FollowRequest): AsyncGenerator<CommitRecord, never> {
    return followLog(this.#parts.commits, this.#parts.clock, request)
  }

  /** Something that the newest commit says was not so: unless this process wrote it, it is read again when it is next asked for. */
  doubt(): void {
    this.#parts.commits.doubt()
  }

  /** A session of its own: packs, file ids, known chunks. */
  writer(options: WriterOptions = {}): ContentWriter {
    return new ContentWriter(this.#parts, (signal) => this.#readHead({ signal, isForWriting: true }), options)
  }

  /** Tells what is wrong with the volume, and in the end how much was looked at; see `Finding` and `CheckOptions`. Changes nothing. */
  async *check(options: CheckOptions = {}): AsyncGenerator<Finding, CheckProgress> {
    const head = await this.#readHead({ signal: options.signal })
    return yield* checkVolume(this.#parts, head.record, options)
  }

  /** Waits for what goes on in the background: the head hint. */
  async close(): Promise<void> {
    await this.#parts.commits.settle()
  }

  /** A creation that was cut after `volume.json` is finished by whoever comes next: the first record depends on nothing. */
  async #readHead(options: HeadOptions): Promise<LoggedRecord> {
    try {
      return await this.#parts.commits.head(options)
    } catch (error) {
      if (codeOf(error) !== 'not-found') throw error
    }
    const { clock, random, author, commits, config } = this.#parts
    const root = emptyRoot(config.created)
    const record = { seq: 1, parent: undefined, root, nonce: toHex(random.bytes(16)), author, time: clock.now(), operations: [] }
    return (await commits.append(record, options.signal)) ?? (await commits.head(options))
  }

  #snapshot(logged: LoggedRecord): Snapshot {
    return new Snapshot(logged.record, this.#parts)
  }
}

function partsOf(engine: Engine, config: VolumeConfig): VolumeParts {
  const { store, clock, random, hash = webHash, log = silentLogger, author = 'edgemount' } = engine
  return {
    store,
    clock,
    random,
    hash,
    log,
    author,
    config,
    pages: new PageStore({ store, hash, cacheBytesMax: engine.pageCacheBytes }),
    chunks: new ChunkCache(engine.chunkCacheBytes),
    readBytesMax: engine.readBytesMax ?? getBytesMax,
    readBudget: engine.readBudget ?? new ReadBudget(),
    isStreaming: engine.isStreaming ?? false,
    waitMs: engine.waitMs ?? waitMsDefault,
    commits: new CommitLog({ store, clock, random, hash, log }),
    turns: new Limiter(`commits to "${config.name}"`, { limit: 1, queueMax: commitsWaitingMax }),
  }
}

function thereIsOne(name: string, store: ObjectStore): EdgemountError {
  return new EdgemountError('conflict', `Cannot create the volume "${name}": there is one in ${store.label}`)
}

function emptyRoot(createdMs: number): Root {
  const time = timeOf(createdMs)
  const content = { kind: 'tree', root: { pointer: undefined, entryCount: 0, directoryCount: 0 } } as const
  const attributes = { mode: 0o755, uid: 0, gid: 0, mtime: time, ctime: time, size: 0, linkCount: 1, xattrs: new Map<string, Uint8Array>() }
  return { directory: { kind: 'directory', id: rootFileId, ...attributes, content }, inodes: undefined }
}

async function readConfig(store: ObjectStore, signal: AbortSignal | undefined): Promise<VolumeConfig | undefined> {
  const found = await store.get(configKey, { signal })
  return found === undefined ? undefined : decodeVolumeConfig(await found.bytes())
}

/** The configuration that stands after it: this one, or that of the volume that was there. After a failure the store is asked what it has. */
async function createConfig(engine: Engine, config: VolumeConfig): Promise<VolumeConfig> {
  const body = encodeVolumeConfig(config)
  for (let attempt = 1; ; attempt += 1) {
    try {
      if (await engine.store.create(configKey, body)) return config
      const owner = await readConfig(engine.store, undefined)
      if (owner !== undefined) return owner
    } catch (error) {
      if (codeOf(error) !== 'unavailable' || attempt >= createTriesMax) throw error
      await engine.clock.sleep(50 * 2 ** attempt)
    }
  }
}
