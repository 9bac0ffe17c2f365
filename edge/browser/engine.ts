/**
 * What all views of one volume in one page share: the connection, the caches, the work under way. `volume.ts` is its face.
 */
import type { Clock } from '../../shared/clock.ts'
import { EdgemountError, codeOf } from '../../shared/error.ts'
import { NetworkEstimate } from '../../shared/fetch/network-estimate.ts'
import { SpeculationBudget } from '../../shared/fetch/speculation-budget.ts'
import type { CommitOperation } from '../../shared/format/commit-operation.ts'
import { decodeRecord, recordBytesMax } from '../../shared/format/commit.ts'
import type { PlacedRun } from '../../shared/format/manifest-page.ts'
import type { PackId } from '../../shared/format/entry.ts'
import { isPackId } from '../../shared/format/pack-id.ts'
import type { HashFunction } from '../../shared/hash.ts'
import { rootPath } from '../../shared/path.ts'
import type { Random } from '../../shared/random.ts'
import { type ByteRange, contentRange, rangeHeader } from '../../shared/range.ts'
import { ChunkCache } from '../../shared/volume/chunk-cache.ts'
import { PageStore } from '../../shared/volume/page-store.ts'
import { SnapshotNames } from '../../shared/volume/snapshot-names.ts'
import { VolumeClient } from '../../shared/wire/client.ts'
import type { EventsRequest } from '../../shared/wire/followed-events.ts'
import { EdgeConnection, type Fetch } from '../../shared/wire/connection.ts'
import { fieldOf } from '../../shared/wire/messages.ts'
import { routes } from '../../shared/wire/routes.ts'
import { readClaims } from '../../shared/wire/token.ts'
import type { VolumeAddress } from './address.ts'
import { Cache } from './cache.ts'
import type { CacheTable } from './cache-table.ts'
import { type ChunkPlace, Chunks } from './chunks.ts'
import type { FileReaderParts } from './file-reader.ts'
import { keptFetch } from './kept-fetch.ts'
import { MetadataPacks } from './metadata-packs.ts'
import { retry } from './retry.ts'
import { LookupTree, PagesTree, type Tree } from './tree.ts'

/** The world outside, injected. */
export interface World {
  readonly fetch: Fetch
  readonly clock: Clock
  readonly random: Random
  readonly hash: HashFunction
  /** Undefined: nothing is kept over a reload. */
  readonly table: CacheTable | undefined
  /** The page's origin: an edge there gets the token in a header, others in the address, which spares a request to ask whether it may be sent. */
  readonly origin: string | undefined
}

export interface EngineSettings {
  readonly address: VolumeAddress
  readonly token: string | undefined
  readonly cacheBytes: number
  readonly memoryBytes: number
  /** What the record of a commit must hash to. */
  readonly pin: { readonly seq: number; readonly recordHash: string } | undefined
}

export interface Head {
  readonly seq: number
  /** The edge is away, and this is what was seen last. */
  readonly isOffline: boolean
  /** It is another one than was seen last, perhaps days ago: what is kept may be of older versions. */
  readonly hasMoved: boolean
  /** Of which volume: another one may have its name by now. */
  readonly generation: string
}

const pageBytesMax = 16 * 1024 * 1024
const speculationBytesMax = 32 * 1024 * 1024
const noFile = { owner: '', version: '' }

export class Engine {
  readonly volume: string
  /** The edge's address, without a token. */
  readonly edge: string
  /** What the token reaches. */
  readonly prefix: string
  readonly client: VolumeClient
  readonly cache: Cache | undefined
  readonly chunks: Chunks
  readonly counts = { requests: 0, bytesFromNetwork: 0, bytesFromCache: 0 }
  readonly #world: World
  readonly #pin: EngineSettings['pin']
  readonly #connection: EdgeConnection
  readonly #pages: PageStore
  readonly #readerParts: Omit<FileReaderParts, 'tree' | 'placeOf'>
  readonly #closing = new AbortController()
  readonly #network = new NetworkEstimate()
  /** Tells the volume from another one that had its name, perhaps on another day: the same seqs are other commits there. */
  #generation: string | undefined

  constructor(world: World, settings: EngineSettings) {
    const { address, token, cacheBytes, memoryBytes, pin } = settings
    const { clock, hash, random, table } = world
    this.#world = world
    this.#pin = pin
    this.volume = address.volume
    this.edge = address.edge
    this.prefix = prefixOf(token, address.volume)
    this.cache = table === undefined ? undefined : new Cache({ table, bytesMax: cacheBytes, clock })
    const isOwn = world.origin === new URL(address.edge).origin
    const url = token === undefined || isOwn ? address.edge : `${address.edge}/t/${token}`
    const headers = token !== undefined && isOwn ? { authorization: `Bearer ${token}` } : {}
    const fetch = keptFetch({
      ...world,
      cache: this.cache,
      base: url,
      label: address.edge,
      // What a token for one part lets see is not for who has one for another.
      scope: () => (this.#generation === undefined ? undefined : `${address.edge}#${this.#generation}#${this.prefix}`),
      onRequest: () => (this.counts.requests += 1),
      onBytes: (bytes, from) => (this.counts[from === 'cache' ? 'bytesFromCache' : 'bytesFromNetwork'] += bytes),
    })
    const connection = { url, fetch, clock, headers }
    this.#connection = new EdgeConnection(connection)
    this.client = new VolumeClient({ ...connection, volume: address.volume, random })
    this.#pages = new PageStore({ store: new MetadataPacks(this.#connection, address.volume), hash, cacheBytesMax: pageBytesMax })
    const memory = new ChunkCache(memoryBytes)
    this.chunks = new Chunks({ memory, cache: this.cache, hash, readSlice: (source, range, signal) => this.#readSlice(source, range, signal) })
    this.#readerParts = { chunks: this.chunks, clock, network: this.#network, budget: new SpeculationBudget(Math.min(speculationBytesMax, memoryBytes / 2)) }
  }

  /** Fires when the volume is closed. */
  get signal(): AbortSignal {
    return this.#closing.signal
  }

  /** Tells the volume from another one that had its name; empty while that is not known. */
  get generation(): string {
    return this.#generation ?? ''
  }

  get hash(): HashFunction {
    return this.#world.hash
  }

  /** The newest commit; what was seen last when the edge is away. */
  async head(signal: AbortSignal | undefined): Promise<Head> {
    const key = `h/${this.edge}/${this.volume}${this.prefix}`
    const [kept] = (await this.cache?.get([key])) ?? []
    const seen = kept === undefined ? undefined : readSeen(kept)
    try {
      const { seq, generation } = await this.#askHead(signal)
      const hasMoved = seen !== undefined && (seen.seq !== seq || seen.generation !== generation)
      this.#generation = generation
      this.cache?.keep(key, new TextEncoder().encode(`${seq} ${generation}`), noFile)
      return { seq, isOffline: false, hasMoved, generation }
    } catch (error) {
      if (codeOf(error) !== 'unavailable' || seen === undefined) throw error
      this.#generation = seen.generation
      return { seq: seen.seq, isOffline: true, hasMoved: false, generation: seen.generation }
    }
  }

  /** Who may not ask for the whole volume's knows it by the directory that he may see. */
  async #askHead(signal: AbortSignal | undefined): Promise<{ readonly seq: number; readonly generation: string }> {
    if (this.#isLimited) {
      const { seq, entry } = await this.client.stat(this.prefix, { signal })
      return { seq, generation: String(entry.id) }
    }
    const answer = await this.#connection.readJson({ method: 'GET', path: routes.head(this.volume), signal })
    const seq = fieldOf(answer, 'seq')
    const volume = fieldOf(answer, 'volume')
    if (typeof seq !== 'number' || !Number.isSafeInteger(seq)) throw new EdgemountError('unavailable', `Cannot open "${this.volume}": what answers at ${this.edge} is perhaps no edge`)
    return { seq, generation: typeof volume === 'string' ? volume : '' }
  }

  /** Throws `not-found` for a commit that is not there, `corrupt` when it is not the pinned one. */
  async tree(seq: number, signal: AbortSignal | undefined): Promise<Tree> {
    if (this.#isLimited) {
      if (this.#pin !== undefined) throw new EdgemountError('unsupported', 'Cannot hold the volume to a record: a token for a part of a volume does not let anybody read records; use one for "/"')
      return new LookupTree(this.client, seq)
    }
    const request = { method: 'GET', path: routes.record(this.volume, seq), signal } as const
    const response = await this.#connection.send(request)
    if (!response.ok) throw await this.#connection.errorOf(response, request)
    const bytes = await this.#connection.readAll(response, request.path, { bytesMax: recordBytesMax }, signal)
    const { hash } = this.#world
    if (this.#pin?.seq === seq && (await hash(bytes)) !== this.#pin.recordHash) {
      throw new EdgemountError('corrupt', `Cannot open commit ${seq} of "${this.volume}": its record is not the one that was pinned`)
    }
    return new PagesTree(new SnapshotNames(decodeRecord(bytes), this.#pages))
  }

  /** Commits after a seq, as they come: of the whole volume, or of what the token reaches. */
  events(request: EventsRequest): AsyncGenerator<{ readonly seq: number; readonly operations: readonly CommitOperation[] }, never> {
    return this.#isLimited ? this.client.eventsWithin(this.prefix, request) : this.client.events(request)
  }

  readerParts(tree: Tree): FileReaderParts {
    const placeOf = (path: string, { start, run }: PlacedRun & { readonly run: { readonly kind: 'chunk' } }): ChunkPlace => {
      const { hash, pack, offset, length } = run.pointer
      return this.#isLimited ? { hash, source: routes.file(this.volume, path, tree.seq), offset: start, length } : { hash, source: pack, offset, length }
    }
    return { ...this.#readerParts, tree, placeOf }
  }

  /** Ends all reads. */
  stop(): void {
    this.#closing.abort(new EdgemountError('closed', `Cannot use "${this.volume}": the volume is closed`))
  }

  async close(): Promise<void> {
    this.stop()
    await this.cache?.close()
  }

  get #isLimited(): boolean {
    return this.prefix !== rootPath
  }

  async #readSlice(source: string, range: ByteRange, signal: AbortSignal): Promise<Uint8Array> {
    const request = isPack(source)
      ? ({ method: 'GET', path: routes.slice(this.volume, source, range), signal } as const)
      : ({ method: 'GET', path: source, headers: { range: rangeHeader(range) }, signal } as const)
    return await retry({ ...this.#world, signal }, async () => {
      const startMs = this.#world.clock.now()
      const response = await this.#connection.send(request)
      if (response.status === 404 && isPack(source)) {
        throw new EdgemountError('corrupt', `Cannot read from "${this.volume}": its pack ${source} is missing at ${this.edge}; have the volume checked, or read a newer commit`)
      }
      if (!response.ok) throw await this.#connection.errorOf(response, request)
      this.#network.observe(this.#world.clock.now() - startMs)
      const said = response.headers.get('content-range')
      if (!isPack(source) && said?.startsWith(contentRange(range, 0).replace(/0$/, '')) !== true) {
        throw new EdgemountError('unavailable', `Cannot read ${source} from ${this.edge}: it was asked for bytes ${range.start} to ${range.end} and answered with ${said ?? 'all'}`)
      }
      const bytes = await this.#connection.readAll(response, request.path, { bytes: range.end - range.start }, signal)
      this.counts.bytesFromNetwork += bytes.length
      return bytes
    })
  }
}

function readSeen(kept: Uint8Array): { readonly seq: number; readonly generation: string } | undefined {
  const [, seq, generation] = /^(\d{1,15}) (.*)$/.exec(new TextDecoder().decode(kept)) ?? []
  return seq === undefined || generation === undefined ? undefined : { seq: Number(seq), generation }
}

function isPack(source: string): source is PackId {
  return isPackId(source)
}

/** What a token lets its bearer see. One that is none of ours is the edge's to judge. */
function prefixOf(token: string | undefined, volume: string): string {
  if (token === undefined || !token.startsWith('em1.')) return rootPath
  const claims = readClaims(token)
  if (claims.reach.kind === 'tree') return claims.prefix
  throw new EdgemountError('unsupported', `Cannot open "${volume}" with this token: it is for one address alone; fetch that as it is`)
}
