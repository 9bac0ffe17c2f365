/**
 * The store over Azure Blob Storage. Opened by `open.ts`, which puts limits, deadlines and retries around it. On Node and Deno.
 *
 * Create-if-absent is `If-None-Match: *`, which fails with 409 where a blob is, compare-and-set `If-Match`, which fails with 412. A body goes in one Put Blob, which
 * takes 5000 MiB. Blobs come in the order of their names in accounts without a hierarchical namespace; those with one are refused when it shows.
 */
import { Readable } from 'node:stream'
import { AnonymousCredential, type BlockBlobClient, ContainerClient, newPipeline, StorageSharedKeyCredential } from '@azure/storage-blob'
import type { TokenCredential } from '@azure/identity'
import { throwIfAborted } from '../../shared/abort.ts'
import { EdgemountError } from '../../shared/error.ts'
import type { ByteRange } from '../../shared/range.ts'
import type { GetOptions, ListOptions, ObjectStore, ObjectSummary, StoreOptions, StoredObject } from '../../shared/store.ts'
import type { AzureAccess } from './azure/access.ts'
import { azureAnswerOf, azureError } from './azure/azure-error.ts'
import { emptyObject, emptyStream, foundObject } from './found-object.ts'
import { checkKey, checkLimit, checkPrefix, isKey } from './key.ts'
import { streamOf } from './stream.ts'

export interface AzureStoreSettings {
  readonly account: string
  readonly container: string
  /** Empty, or a key that everything lies below. */
  readonly prefix: string
  /** With the account in it where the server is not Azure's; `https://<account>.blob.core.windows.net` unless given. */
  readonly endpoint?: string | undefined
  readonly access: AzureAccess
  /** Of `access` by identity. */
  readonly identity?: TokenCredential | undefined
}

/** Read at once: a body that nobody reads keeps its connection, and with it the process. A packet or so more than who asks for the tag alone wants. */
const smallBytesMax = 65_536

/** Blobs of an answer to a listing that skips what it was not asked for: the most that Azure gives. */
const pageCountMax = 5000

/** Azure reads a count as 32 or 64 bits, as the version of its API has it; no blob is longer than 190.7 TiB. */
const offsetMax = 2 ** 48

export class AzureStore implements ObjectStore {
  readonly label: string
  readonly #container: ContainerClient
  readonly #containerName: string
  readonly #scope: string

  constructor({ account, container, prefix, endpoint, access, identity }: AzureStoreSettings) {
    const given = endpoint ?? access.endpoint
    const usual = `https://${account}.blob.core.windows.net`
    const query = given === undefined || given === usual ? '' : `?endpoint=${given}`
    this.label = `az://${[account, container, prefix].filter((part) => part !== '').join('/')}${query}`
    this.#scope = prefix === '' ? '' : `${prefix}/`
    this.#containerName = container
    const url = `${given ?? usual}/${container}${access.kind === 'sas' ? `?${access.token}` : ''}`
    const credential = access.kind === 'key' ? new StorageSharedKeyCredential(account, access.key) : (identity ?? new AnonymousCredential())
    // Once: a client that repeats a conditional write by itself finds its own work, and calls it a lost race.
    this.#container = new ContainerClient(url, newPipeline(credential, { retryOptions: { maxTries: 1 } }))
  }

  async get(key: string, options: GetOptions = {}): Promise<StoredObject | undefined> {
    checkKey(key)
    const { range, signal } = options
    if (range !== undefined && range.start >= range.end) return await this.#head(key, range, signal)
    const doing = `read "${key}" from ${this.label}`
    const start = Math.min(range?.start ?? 0, offsetMax)
    const count = range === undefined ? undefined : Math.max(1, Math.min(range.end, offsetMax) - start)
    const answer = await this.#ask(doing, signal, async (abort) => {
      try {
        return await this.#blob(key).download(start, count, { ...abort, maxRetryRequests: 0 })
      } catch (error) {
        const { name, status } = azureAnswerOf(error)
        if (isAbsent(name, status)) return 'absent'
        if (status === 416) return 'past-end'
        throw error
      }
    })
    if (answer === 'absent') return undefined
    if (answer === 'past-end') return await this.#head(key, range ?? { start: 0, end: 0 }, signal)
    const stream = streamOnce(answer.readableStreamBody)
    const found = foundObject({ doing, range, signal }, { length: answer.contentLength, contentRange: answer.contentRange, etag: answer.etag, stream })
    if ((answer.contentLength ?? 0) > smallBytesMax) return found
    const small = await found.bytes()
    return { ...found, bytes: async () => small, stream: () => streamOf(small) }
  }

  /** For a range that holds nothing. */
  async #head(key: string, range: ByteRange, signal: AbortSignal | undefined): Promise<StoredObject | undefined> {
    const doing = `read "${key}" from ${this.label}`
    const head = await this.#ask(doing, signal, async (abort) => {
      try {
        return await this.#blob(key).getProperties(abort)
      } catch (error) {
        const { name, status } = azureAnswerOf(error)
        if (isAbsent(name, status)) return undefined
        throw error
      }
    })
    if (head?.etag === undefined || head.contentLength === undefined) return undefined
    return emptyObject(doing, range, { size: head.contentLength, etag: head.etag })
  }

  async create(key: string, body: Uint8Array, options: StoreOptions = {}): Promise<boolean> {
    checkKey(key)
    return (await this.#upload(`create "${key}" in ${this.label}`, key, body, { ifNoneMatch: '*' }, options.signal)) !== undefined
  }

  async put(key: string, body: Uint8Array, options: StoreOptions = {}): Promise<void> {
    checkKey(key)
    await this.#upload(`write "${key}" to ${this.label}`, key, body, {}, options.signal)
  }

  async replace(key: string, body: Uint8Array, etag: string, options: StoreOptions = {}): Promise<string | undefined> {
    checkKey(key)
    return await this.#upload(`replace "${key}" in ${this.label}`, key, body, { ifMatch: etag }, options.signal)
  }

  async delete(key: string, options: StoreOptions = {}): Promise<void> {
    checkKey(key)
    await this.#ask(`delete "${key}" from ${this.label}`, options.signal, async (abort) => {
      try {
        // A blob with snapshots of its own is refused otherwise.
        await this.#blob(key).delete({ ...abort, deleteSnapshots: 'include' })
      } catch (error) {
        const { name, status } = azureAnswerOf(error)
        if (!isAbsent(name, status)) throw error
      }
    })
  }

  async list(prefix: string, options: ListOptions = {}): Promise<readonly ObjectSummary[]> {
    checkPrefix(prefix)
    const limit = checkLimit(options.limit)
    return await this.#ask(`list "${prefix}" in ${this.label}`, options.signal, (abort) => this.#pages(prefix, options.after, limit, abort))
  }

  /** Servers that do not know `startFrom` begin at the front: what lies before `after` is skipped here. */
  async #pages(prefix: string, after: string | undefined, limit: number, abort: Abort): Promise<ObjectSummary[]> {
    const found: ObjectSummary[] = []
    const from = after === undefined ? {} : { startFrom: this.#scope + after }
    const pages = this.#container.listBlobsFlat({ prefix: this.#scope + prefix, ...from, ...abort })
    let last = ''
    for await (const page of pages.byPage({ maxPageSize: after === undefined ? limit : pageCountMax })) {
      for (const { name, properties } of page.segment.blobItems) {
        if (name <= last) throw new EdgemountError('unsupported', `Cannot list ${this.label}: its blobs do not come in order. Accounts with a hierarchical namespace hold no volumes`)
        last = name
        const key = name.slice(this.#scope.length)
        // What others keep in the container under names of other letters is no object of ours.
        if (!isKey(key) || (after !== undefined && key <= after)) continue
        found.push({ key, size: properties.contentLength ?? 0 })
        if (found.length === limit) return found
      }
    }
    return found
  }

  /** The new tag; undefined when the condition does not hold. */
  async #upload(doing: string, key: string, body: Uint8Array, conditions: Conditions, signal: AbortSignal | undefined): Promise<string | undefined> {
    return await this.#ask(doing, signal, async (abort) => {
      try {
        const { etag } = await this.#blob(key).upload(ownBytes(body), body.length, { conditions, ...abort })
        if (etag !== undefined) return etag
      } catch (error) {
        const { name, status } = azureAnswerOf(error)
        if (conditions.ifNoneMatch !== undefined && (name === 'BlobAlreadyExists' || name === 'ConditionNotMet')) return undefined
        if (conditions.ifMatch !== undefined && (name === 'ConditionNotMet' || isAbsent(name, status))) return undefined
        throw error
      }
      throw new EdgemountError('unsupported', `Cannot ${doing}: the server gave it no ETag`)
    })
  }

  async #ask<T>(text: string, signal: AbortSignal | undefined, work: (abort: Abort) => Promise<T>): Promise<T> {
    throwIfAborted(signal)
    try {
      return await work(signal === undefined ? {} : { abortSignal: signal })
    } catch (error) {
      throw azureError({ text, container: this.#containerName, signal }, error)
    }
  }

  #blob(key: string): BlockBlobClient {
    return this.#container.getBlockBlobClient(this.#scope + key)
  }
}

type Abort = { readonly abortSignal?: AbortSignal }
type Conditions = { readonly ifMatch?: string; readonly ifNoneMatch?: string }

/** A container that is not there is another matter. A HEAD has no body, so that only its status says anything. */
function isAbsent(name: string, status: number): boolean {
  return status === 404 && name !== 'ContainerNotFound'
}

/** Node's stream as the Web's. An error that comes before anybody reads is told to who reads. */
function streamOnce(body: NodeJS.ReadableStream | undefined): () => ReadableStream<Uint8Array> {
  if (!(body instanceof Readable)) return emptyStream
  body.on('error', () => undefined)
  return () => {
    const pieces: AsyncIterator<unknown> = body[Symbol.asyncIterator]()
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const { done, value } = await pieces.next()
          if (done === true) controller.close()
          else if (value instanceof Uint8Array) controller.enqueue(value)
        },
        cancel: () => void body.destroy(),
      },
      { highWaterMark: 0 },
    )
  }
}

/** The client's types know no bytes over shared memory; what runs takes them all. */
function ownBytes(body: Uint8Array): Uint8Array<ArrayBuffer> {
  return body.buffer instanceof ArrayBuffer ? new Uint8Array(body.buffer, body.byteOffset, body.length) : Uint8Array.from(body)
}
