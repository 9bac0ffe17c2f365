/**
 * One volume behind an edge as values: entries, listings, manifests, and commits as they happen. For mounts and commands; the engine itself goes through
 * `edge-store.ts`.
 */
import { fromBase64 } from '../bytes.ts'
import { EdgemountError } from '../error.ts'
import { type CommitRecord, decodeRecord } from '../format/commit.ts'
import { readOperation } from '../format/commit-operation.ts'
import type { Entry } from '../format/entry.ts'
import { isHash } from '../hash.ts'
import type { Random } from '../random.ts'
import type { ByteRange } from '../range.ts'
import type { FilteredEvent } from '../volume/event-filter.ts'
import type { LeaseRequest } from '../volume/lease.ts'
import type { Peer } from '../volume/peer.ts'
import { type ConnectionSettings, EdgeConnection } from './connection.ts'
import { type EventsRequest, type ReadEvent, followEvents } from './followed-events.ts'
import { type LeaseMessage, type PeerMessage, entryOfMessage, fieldOf } from './messages.ts'
import { checkVolumeName, routes } from './routes.ts'

export interface VolumeClientSettings extends ConnectionSettings {
  readonly volume: string
  /** For the waits between connections. */
  readonly random: Random
  /** How long an event stream may say nothing; a little more than two heartbeats unless given. */
  readonly silenceMs?: number | undefined
}

export interface LookupOptions {
  /** The snapshot to look at; the newest unless given. */
  readonly seq?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Found {
  readonly seq: number
  /** Where symlinks led. */
  readonly path: string
  readonly entry: Entry
}

export interface FoundPage {
  readonly seq: number
  readonly items: readonly { readonly name: string; readonly entry: Entry }[]
  readonly isLast: boolean
}

export interface FoundManifest {
  readonly seq: number
  readonly size: number
  readonly version: string
  /** The body itself, when it is inside the entry. */
  readonly inline: Uint8Array | undefined
  /** As the edge says it; see `RunMessage`. */
  readonly runs: readonly unknown[]
  readonly nextStart: number | undefined
}

const silenceMsDefault = 40_000
const encoder = new TextEncoder()
const json = { 'content-type': 'application/json' }

export class VolumeClient {
  readonly #connection: EdgeConnection
  readonly #volume: string
  readonly #random: Random
  readonly #silenceMs: number

  constructor(settings: VolumeClientSettings) {
    checkVolumeName(settings.volume)
    this.#connection = new EdgeConnection(settings)
    this.#volume = settings.volume
    this.#random = settings.random
    this.#silenceMs = settings.silenceMs ?? silenceMsDefault
  }

  /** The entry at a path, symlinks followed. Throws `not-found`. */
  async stat(path: string, { seq, signal }: LookupOptions = {}): Promise<Found> {
    const answer = await this.#read(routes.stat(this.#volume, path, { seq }), signal)
    return { seq: numberField(answer, 'seq'), path: stringField(answer, 'path'), entry: entryOfMessage(fieldOf(answer, 'entry')) }
  }

  /** A page of a directory. For the next page, `after` is the last name and `seq` that of the first page. */
  async list(path: string, options: LookupOptions & { readonly after?: string; readonly limit?: number } = {}): Promise<FoundPage> {
    const { seq, after, limit, signal } = options
    const answer = await this.#read(routes.list(this.#volume, path, { seq, after, limit }), signal)
    const items = arrayField(answer, 'items').map((item) => ({ name: stringField(item, 'name'), entry: entryOfMessage(item) }))
    return { seq: numberField(answer, 'seq'), items, isLast: fieldOf(answer, 'isLast') === true }
  }

  /** Where the bytes of a file are. `nextStart` is where to go on when they did not fit into one answer. */
  async manifest(path: string, options: LookupOptions & { readonly range?: ByteRange } = {}): Promise<FoundManifest> {
    const { seq, range, signal } = options
    const answer = await this.#read(routes.manifest(this.#volume, path, { seq, range }), signal)
    const version = fieldOf(answer, 'version')
    if (!isHash(version)) throw broken('version')
    const inline = fieldOf(answer, 'inline')
    const nextStart = fieldOf(answer, 'nextStart')
    return {
      seq: numberField(answer, 'seq'),
      size: numberField(answer, 'size'),
      version,
      inline: typeof inline === 'string' ? fromBase64(inline) : undefined,
      runs: arrayField(answer, 'runs'),
      nextStart: typeof nextStart === 'number' ? nextStart : undefined,
    }
  }

  /** The newest seq. */
  async head(options: { readonly signal?: AbortSignal } = {}): Promise<number> {
    return numberField(await this.#read(routes.head(this.#volume), options.signal), 'seq')
  }

  /**
   * Asks for a lease; see `Leases`. Throws `conflict` while somebody else holds it, `stale` for an epoch that is not the current one, `unavailable` when it may have
   * been done: ask again, with the same nonce. The holder counts `leftMs` from before he asked.
   */
  async askLease(name: string, request: LeaseRequest, options: { readonly signal?: AbortSignal } = {}): Promise<LeaseMessage> {
    const body = encoder.encode(JSON.stringify(request))
    const path = routes.lease(this.#volume, name)
    const answer = await this.#connection.readJson({ method: 'POST', path, headers: json, body, signal: options.signal })
    return {
      name: stringField(answer, 'name'),
      epoch: numberField(answer, 'epoch'),
      holder: stringField(answer, 'holder'),
      isReleased: fieldOf(answer, 'isReleased') !== false,
      leaseMs: numberField(answer, 'leaseMs'),
      leftMs: numberField(answer, 'leftMs'),
    }
  }

  /** The shims that may be asked for chunks, as of the last seconds. */
  async peers(options: { readonly signal?: AbortSignal } = {}): Promise<readonly PeerMessage[]> {
    return arrayField(await this.#read(routes.peers(this.#volume), options.signal), 'items').map(peerOf)
  }

  /** Registers this shim, or says that it is still there: every minute or two. Throws `exhausted` when it says something else than a while ago. */
  async registerPeer(id: string, peer: Partial<Peer> & Pick<Peer, 'urls'>, options: { readonly signal?: AbortSignal } = {}): Promise<PeerMessage> {
    const body = encoder.encode(JSON.stringify(peer))
    const path = routes.peer(this.#volume, id)
    return peerOf(await this.#connection.readJson({ method: 'PUT', path, headers: json, body, signal: options.signal }))
  }

  async removePeer(id: string, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const request = { method: 'DELETE', path: routes.peer(this.#volume, id), signal: options.signal } as const
    const response = await this.#connection.send(request)
    if (!response.ok) throw await this.#connection.errorOf(response, request)
    await response.body?.cancel()
  }

  /**
   * Commit records after a seq, every one once, in order, for ever: connects again after every failure, from where it was. Throws what another try
   * would not change (`not-found`, `denied`, `stale` for a seq that the volume never had …), and the signal's error.
   */
  events(request: EventsRequest): AsyncGenerator<CommitRecord, never> {
    return this.#follow(request, undefined, (event, position) => {
      if (event.type !== 'commit') return { position }
      const record = decodeRecord(encoder.encode(event.data))
      if (record.seq <= position) return { position }
      if (record.seq !== position + 1) throw new EdgemountError('unavailable', `Cannot follow "${this.#volume}": ${record.seq} came after ${position}`)
      return { position: record.seq, value: record }
    })
  }

  /** As `events`, of the commits that touch something at or below a path: what shows of them there. For tokens that reach no more than that, too. */
  eventsWithin(prefix: string, request: EventsRequest): AsyncGenerator<FilteredEvent, never> {
    return this.#follow(request, prefix, (event, position) => {
      const seq = Number(event.id)
      if (!Number.isSafeInteger(seq) || seq <= position) return { position }
      return event.type === 'commit' ? { position: seq, value: filteredEventOf(event.data) } : { position: seq }
    })
  }

  #follow<T>(request: EventsRequest, prefix: string | undefined, read: ReadEvent<T>): AsyncGenerator<T, never> {
    const path = (after: number): string => routes.events(this.#volume, { after, prefix })
    return followEvents({ connection: this.#connection, random: this.#random, silenceMs: this.#silenceMs, path }, request, read)
  }

  async #read(path: string, signal: AbortSignal | undefined): Promise<unknown> {
    return await this.#connection.readJson({ method: 'GET', path, signal })
  }
}

function filteredEventOf(data: string): FilteredEvent {
  const value: unknown = JSON.parse(data)
  return {
    seq: numberField(value, 'seq'),
    time: numberField(value, 'time'),
    author: stringField(value, 'author'),
    operations: arrayField(value, 'operations').map(readOperation),
  }
}

function peerOf(value: unknown): PeerMessage {
  return {
    id: stringField(value, 'id'),
    urls: arrayField(value, 'urls').filter((url) => typeof url === 'string'),
    zone: stringField(value, 'zone'),
    cacheBytes: numberField(value, 'cacheBytes'),
    version: stringField(value, 'version'),
    leftMs: numberField(value, 'leftMs'),
  }
}

function numberField(value: unknown, name: string): number {
  const field = fieldOf(value, name)
  if (typeof field === 'number' && Number.isSafeInteger(field)) return field
  throw broken(name)
}

function stringField(value: unknown, name: string): string {
  const field = fieldOf(value, name)
  if (typeof field === 'string') return field
  throw broken(name)
}

function arrayField(value: unknown, name: string): readonly unknown[] {
  const field = fieldOf(value, name)
  if (Array.isArray(field)) return field
  throw broken(name)
}

function broken(name: string): EdgemountError {
  return new EdgemountError('unavailable', `Cannot read the edge's answer: its "${name}" is missing or of another kind`)
}
