/**
 * One volume behind an edge as values: entries, listings, manifests, and commits as they happen. For mounts and commands; the engine itself goes through
 * `edge-store.ts`.
 */
import { fromBase64 } from '../bytes.ts'
import { EdgemountError, codeOf } from '../error.ts'
import { type CommitRecord, decodeRecord } from '../format/commit.ts'
import type { Entry } from '../format/entry.ts'
import { isHash } from '../hash.ts'
import { withDeadline } from '../lifetime.ts'
import { type Random, randomFraction } from '../random.ts'
import type { ByteRange } from '../range.ts'
import type { LeaseRequest } from '../volume/lease.ts'
import type { Peer } from '../volume/peer.ts'
import { type ConnectionSettings, EdgeConnection, readPart } from './connection.ts'
import { EventStreamParser, type StreamEvent } from './event-stream.ts'
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

export interface EventsRequest {
  /** The first record is the one after this seq. */
  readonly after: number
  /** Ends the stream, with the signal's error. */
  readonly signal: AbortSignal
  /** Told whenever the stream begins or ceases to be live: what may be kept without asking depends on it. */
  readonly onConnected?: ((isConnected: boolean) => void) | undefined
}

const silenceMsDefault = 40_000
const reconnectMs = 250
const reconnectMsMax = 10_000
/** Another try will give the same answer. */
const finalCodes = new Set(['not-found', 'denied', 'unsupported', 'invalid'])
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
   * would not change (`not-found`, `denied` …), and the signal's error.
   */
  async *events(request: EventsRequest): AsyncGenerator<CommitRecord, never> {
    const { signal, onConnected } = request
    let position = request.after
    let failures = 0
    let isConnected = false
    const tell = (is: boolean): void => {
      if (is !== isConnected) onConnected?.(is)
      isConnected = is
    }
    for (;;) {
      try {
        for await (const event of this.#connect(position, signal)) {
          failures = 0
          tell(true)
          if (event.type !== 'commit') continue
          const record = decodeRecord(encoder.encode(event.data))
          if (record.seq <= position) continue
          if (record.seq !== position + 1) throw new EdgemountError('unavailable', `Cannot follow "${this.#volume}": ${record.seq} came after ${position}`)
          position = record.seq
          yield record
        }
      } catch (error) {
        if (signal.aborted || finalCodes.has(codeOf(error))) throw error
      } finally {
        tell(false)
      }
      const waitMs = Math.min(reconnectMs * 2 ** failures, reconnectMsMax)
      failures += 1
      await this.#connection.clock.sleep(waitMs * (0.5 + randomFraction(this.#random)), signal)
    }
  }

  /** One connection, to its end. */
  async *#connect(position: number, signal: AbortSignal): AsyncGenerator<StreamEvent, void> {
    const path = routes.events(this.#volume, { after: position })
    const request = { method: 'GET', path, headers: { accept: 'text/event-stream' }, signal } as const
    const response = await this.#connection.send(request)
    if (!response.ok) throw await this.#connection.errorOf(response, request)
    if (response.body === null) return
    const reader = response.body.getReader()
    const parser = new EventStreamParser()
    const { clock, label } = this.#connection
    try {
      for (;;) {
        const part = await withDeadline(clock, this.#silenceMs, `follow the events of ${label}`, signal, () => readPart(reader, path, label))
        if (part === undefined) return
        yield* parser.push(part)
      }
    } finally {
      reader.cancel().catch(() => undefined)
    }
  }

  async #read(path: string, signal: AbortSignal | undefined): Promise<unknown> {
    return await this.#connection.readJson({ method: 'GET', path, signal })
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
