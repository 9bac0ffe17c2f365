/**
 * One volume behind an edge as an `ObjectStore`: the engine runs over it unchanged, in a mount, a command or a browser.
 *
 * It keeps the promises of `store.ts` for the keys that a volume has: `volume.json`, `access.json`, `head`, `log/…`, `meta/…` and `data/…`. What edges do not offer is
 * `unsupported`: `replace` of anything but `access.json`, `delete`, lists other than of the log, other keys. `put` of the `head` hint does nothing, since the edge writes it.
 */
import { EdgemountError } from '../error.ts'
import { accessBytesMax } from '../format/access.ts'
import { configBytesMax, recordBytesMax } from '../format/commit.ts'
import type { PackId } from '../format/entry.ts'
import { isPackId, packBytesMax } from '../format/pack-id.ts'
import { withDeadline } from '../lifetime.ts'
import { type ByteRange, clampRange, rangeLength } from '../range.ts'
import type { GetOptions, ListOptions, ObjectStore, ObjectSummary, StoreOptions, StoredObject } from '../store.ts'
import { accessKey, configKey, headKey, logKey, logPrefix, seqOfLogKey } from '../volume/keys.ts'
import { type ConnectionSettings, EdgeConnection, type EdgeRequest, RemoteError, readPart } from './connection.ts'
import { fieldOf } from './messages.ts'
import { absentTag, checkVolumeName, routes } from './routes.ts'

export interface EdgeStoreSettings extends ConnectionSettings {
  readonly volume: string
}

/** What a key is on the wire. */
type Target =
  | { readonly kind: 'config' }
  | { readonly kind: 'head' }
  | { readonly kind: 'access' }
  | { readonly kind: 'record'; readonly seq: number }
  | { readonly kind: 'pack'; readonly pack: PackId }

const listLimitMax = 1000
/** A seq, a time and an author; room for more to come. */
const headBytesMax = 64 * 1024
/** A thousand seqs and sizes. */
const logBytesMax = 256 * 1024
const octets = { 'content-type': 'application/octet-stream' }
const json = { 'content-type': 'application/json' }

export class EdgeStore implements ObjectStore {
  readonly label: string
  readonly #connection: EdgeConnection
  readonly #volume: string

  constructor(settings: EdgeStoreSettings) {
    checkVolumeName(settings.volume)
    this.#connection = new EdgeConnection(settings)
    this.#volume = settings.volume
    this.label = `${this.#connection.label}/${settings.volume}`
  }

  async get(key: string, options: GetOptions = {}): Promise<StoredObject | undefined> {
    const target = this.#target(key)
    const { signal, range } = options
    if (target.kind === 'pack') return await this.#getPack(target.pack, range, options)
    if (target.kind === 'head') return await this.#getHead({ method: 'GET', path: routes.head(this.#volume), signal }, range)
    if (target.kind === 'access') return await this.#getAccess(range, signal)
    if (target.kind === 'config') return await this.#getSmall({ method: 'GET', path: routes.volume(this.#volume), signal }, configBytesMax, range)
    return await this.#getSmall({ method: 'GET', path: routes.record(this.#volume, target.seq), signal }, recordBytesMax, range)
  }

  async create(key: string, body: Uint8Array, options: StoreOptions = {}): Promise<boolean> {
    const target = this.#target(key)
    const { signal } = options
    if (target.kind === 'head') throw unsupported('create', key)
    if (target.kind === 'access') return (await this.#putAccess(body, absentTag, signal)) !== undefined
    if (target.kind === 'config') return await this.#create({ method: 'PUT', path: routes.volume(this.#volume), headers: json, body, signal })
    const path = target.kind === 'record' ? routes.record(this.#volume, target.seq) : routes.packs(this.#volume, target.pack)
    return await this.#create({ method: 'POST', path, headers: target.kind === 'record' ? json : octets, body, signal })
  }

  async put(key: string): Promise<void> {
    if (this.#target(key).kind !== 'head') throw unsupported('replace', key)
  }

  async replace(key: string, body: Uint8Array, etag: string, options: StoreOptions = {}): Promise<string | undefined> {
    if (this.#target(key).kind !== 'access') throw unsupported('replace', key)
    return await this.#putAccess(body, etag, options.signal)
  }

  delete(key: string): Promise<void> {
    return Promise.reject(unsupported('delete', key))
  }

  async list(prefix: string, options: ListOptions = {}): Promise<readonly ObjectSummary[]> {
    if (prefix !== logPrefix) throw unsupported('list', prefix)
    const { after, limit = listLimitMax, signal } = options
    if (after !== undefined && after > `${logPrefix}~`) return []
    const before = after === undefined || after <= logPrefix ? undefined : seqOfLogKey(after)
    const answer = await this.#connection.readJson({ method: 'GET', path: routes.log(this.#volume, { before, limit }), signal }, logBytesMax)
    const items = fieldOf(answer, 'items')
    if (!Array.isArray(items)) throw new EdgemountError('unavailable', `Cannot list the log of "${this.label}": the answer has no items`)
    return items.map((item: unknown) => ({ key: logKey(numberOf(item, 'seq')), size: numberOf(item, 'size') }))
  }

  /** Objects of a few kilobytes: read at once, and cut here when a range is asked for. */
  async #getSmall(request: EdgeRequest, bytesMax: number, range: ByteRange | undefined): Promise<StoredObject | undefined> {
    const response = await this.#find(request)
    if (response === undefined) return undefined
    const bytes = await this.#connection.readAll(response, request.path, { bytes: lengthOf(response), bytesMax }, request.signal)
    return storedBytes(bytes, response.headers.get('etag') ?? `"${bytes.length}"`, range)
  }

  /** Of a volume that has none the edge gives what that means. */
  async #getAccess(range: ByteRange | undefined, signal: AbortSignal | undefined): Promise<StoredObject | undefined> {
    const found = await this.#getSmall({ method: 'GET', path: routes.access(this.#volume), signal }, accessBytesMax, range)
    return found?.etag === absentTag ? undefined : found
  }

  async #putAccess(body: Uint8Array, etag: string, signal: AbortSignal | undefined): Promise<string | undefined> {
    const request = { method: 'PUT', path: routes.access(this.#volume), headers: { ...json, 'if-match': etag }, body, signal } as const
    const response = await this.#connection.send(request)
    if (response.status === 204) return response.headers.get('etag') ?? undefined
    const error = await this.#connection.errorOf(response, request)
    if (error.status === 412) return undefined
    throw error
  }

  /** The edge says what the head is; the engine takes it as the hint it asked for. */
  async #getHead(request: EdgeRequest, range: ByteRange | undefined): Promise<StoredObject | undefined> {
    const response = await this.#find(request)
    if (response === undefined) return undefined
    const bytes = await this.#connection.readAll(response, request.path, { bytes: lengthOf(response), bytesMax: headBytesMax }, request.signal)
    const seq = numberOf(JSON.parse(new TextDecoder().decode(bytes)), 'seq')
    return storedBytes(new TextEncoder().encode(String(seq)), `"${seq}"`, range)
  }

  async #getPack(pack: PackId, range: ByteRange | undefined, { signal, isFresh }: GetOptions): Promise<StoredObject | undefined> {
    const isEmpty = range !== undefined && range.start >= range.end
    const path = range === undefined || isEmpty ? routes.pack(this.#volume, pack) : routes.slice(this.#volume, pack, range)
    const response = await this.#find({ method: isEmpty ? 'HEAD' : 'GET', path, signal, isFresh })
    if (response === undefined) return undefined
    const size = Number(response.headers.get('edgemount-size') ?? 'none')
    if (!Number.isSafeInteger(size) || size < 0 || size > packBytesMax) throw new EdgemountError('unavailable', `Cannot read ${path} from ${this.label}: its Edgemount-Size is not that of a pack`)
    const etag = `"${pack}"`
    if (isEmpty) return { ...storedBytes(new Uint8Array(0), etag, undefined), size }
    const length = rangeLength(clampRange(range ?? { start: 0, end: size }, size))
    return {
      size,
      etag,
      bytes: () => this.#connection.readAll(response, path, { bytes: length }, signal),
      stream: () => this.#stream(response, path, length, signal),
    }
  }

  async #create(request: EdgeRequest): Promise<boolean> {
    const response = await this.#connection.send(request)
    if (response.ok) await response.body?.cancel().catch(() => undefined)
    if (response.status === 201) return true
    if (response.status === 200) return false
    const error = await this.#connection.errorOf(response, request)
    if (error.reason === 'taken') return false
    throw error
  }

  /** Undefined for what the edge does not have. Something else's 404 is no answer to that question. */
  async #find(request: EdgeRequest): Promise<Response | undefined> {
    const response = await this.#connection.send(request)
    if (response.status === 200) return response
    if (response.status === 404 && request.method === 'HEAD' && response.headers.has('access-control-expose-headers')) return undefined
    const error = await this.#connection.errorOf(response, request)
    if (error instanceof RemoteError && error.status === 404) {
      if (error.isFromEdge) return undefined
      throw new EdgemountError('invalid', `Cannot read ${request.path} from ${this.label}: a server answers there, but it is no edge`, { cause: error })
    }
    throw error
  }

  /** Fails when nothing comes for as long as a call may take; never ends early. */
  #stream(response: Response, path: string, length: number, signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
    const { clock, callMs, label } = this.#connection
    const reader = response.body?.getReader()
    let left = length
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          try {
            const part = await withDeadline(clock, callMs, `read ${path} from ${label}`, signal, async () => reader && (await readPart(reader, path, label)))
            if (part !== undefined) {
              left -= part.length
              controller.enqueue(part)
            } else if (left === 0) {
              controller.close()
            } else {
              throw new EdgemountError('unavailable', `Cannot read ${path} from ${label}: it ended ${left} bytes early`)
            }
          } catch (error) {
            reader?.cancel().catch(() => undefined)
            controller.error(error)
          }
        },
        cancel: async () => {
          await reader?.cancel()
        },
      },
      { highWaterMark: 0 },
    )
  }

  #target(key: string): Target {
    if (key === configKey) return { kind: 'config' }
    if (key === headKey) return { kind: 'head' }
    if (key === accessKey) return { kind: 'access' }
    if (key.startsWith(logPrefix)) return { kind: 'record', seq: seqOfLogKey(key) }
    const pack = /^(?:data|meta)\/(.*)$/.exec(key)?.[1]
    if (isPackId(pack)) return { kind: 'pack', pack }
    throw new EdgemountError('unsupported', `Cannot reach "${key}" through an edge: it is no key of a volume's log or packs`)
  }
}

function storedBytes(whole: Uint8Array, etag: string, range: ByteRange | undefined): StoredObject {
  const { start, end } = clampRange(range ?? { start: 0, end: whole.length }, whole.length)
  const bytes = whole.subarray(start, Math.max(start, end))
  return {
    size: whole.length,
    etag,
    bytes: () => Promise.resolve(bytes),
    stream: () =>
      new ReadableStream({
        start: (controller) => {
          if (bytes.length > 0) controller.enqueue(bytes)
          controller.close()
        },
      }),
  }
}

function lengthOf(response: Response): number | undefined {
  const text = response.headers.get('content-length')
  return text === null ? undefined : Number(text)
}

function numberOf(value: unknown, name: string): number {
  const field = fieldOf(value, name)
  if (typeof field === 'number' && Number.isSafeInteger(field)) return field
  throw new EdgemountError('unavailable', `Cannot read the edge's answer: it has no number "${name}"`)
}

function unsupported(doing: string, key: string): EdgemountError {
  return new EdgemountError('unsupported', `Cannot ${doing} "${key}" through an edge: edges do not offer that`)
}
