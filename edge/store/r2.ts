/**
 * The store over a Cloudflare R2 binding: what the edge uses inside a Worker, where it needs no credentials and no SDK.
 *
 * R2 answers an out-of-range `get` by throwing and a failed condition by an object without a body; both end here. A binding's calls take
 * no AbortSignal, so a signal ends only the wait; the deadline decorator above bounds that.
 */
import { throwIfAborted } from '../../shared/abort.ts'
import { EdgemountError, messageOf } from '../../shared/error.ts'
import { type ByteRange, clampRange } from '../../shared/range.ts'
import type { GetOptions, ListOptions, ObjectStore, ObjectSummary, StoreOptions, StoredObject } from '../../shared/store.ts'
import { checkKey, checkLimit, checkPrefix } from './key.ts'

/** The part of Cloudflare's `R2Bucket` that is used here. */
export interface R2Bucket {
  head(key: string): Promise<R2Object | null>
  get(key: string, options?: { range?: { offset: number; length: number } }): Promise<R2ObjectBody | null>
  put(key: string, body: Uint8Array, options?: { onlyIf?: { etagMatches?: string; etagDoesNotMatch?: string } }): Promise<R2Object | null>
  delete(key: string): Promise<void>
  list(options: { prefix: string; startAfter?: string; limit: number }): Promise<{ objects: readonly R2Object[]; truncated: boolean }>
}

export interface R2Object {
  readonly key: string
  readonly size: number
  readonly etag: string
}

export interface R2ObjectBody extends R2Object {
  readonly body: ReadableStream<Uint8Array>
  arrayBuffer(): Promise<ArrayBuffer>
}

/** Longer ranges than an object can be (5 TiB) are refused by R2 with an error that says nothing. */
const rangeBytesMax = 5 * 2 ** 40

export class R2Store implements ObjectStore {
  readonly label: string
  readonly #bucket: R2Bucket

  /** `name` is for messages only: a binding does not tell its bucket. */
  constructor(bucket: R2Bucket, name: string) {
    this.label = `r2:${name}`
    this.#bucket = bucket
  }

  async get(key: string, options: GetOptions = {}): Promise<StoredObject | undefined> {
    checkKey(key)
    throwIfAborted(options.signal)
    const { range } = options
    if (range === undefined) return foundObject(await this.#ask('read', key, () => this.#bucket.get(key)), undefined)
    if (range.start < range.end && range.end - range.start <= rangeBytesMax) {
      const part = { offset: range.start, length: range.end - range.start }
      const found = await this.#ask('read', key, () => this.#bucket.get(key, { range: part }).catch(outOfReach))
      if (found !== 'out-of-reach') return foundObject(found, range)
    }
    return this.#getClamped(key, range)
  }

  /** For a range that R2 may refuse: asks for the size first. */
  async #getClamped(key: string, range: ByteRange): Promise<StoredObject | undefined> {
    const head = await this.#ask('read', key, () => this.#bucket.head(key))
    if (head === null) return undefined
    const { start, end } = clampRange(range, head.size)
    if (start === end) return emptyObject(head)
    const found = await this.#ask('read', key, () => this.#bucket.get(key, { range: { offset: start, length: end - start } }))
    return foundObject(found, { start, end })
  }

  async create(key: string, body: Uint8Array, options: StoreOptions = {}): Promise<boolean> {
    checkKey(key)
    throwIfAborted(options.signal)
    const written = await this.#ask('create', key, () => this.#bucket.put(key, body, { onlyIf: { etagDoesNotMatch: '*' } }))
    return written !== null
  }

  async put(key: string, body: Uint8Array, options: StoreOptions = {}): Promise<void> {
    checkKey(key)
    throwIfAborted(options.signal)
    await this.#ask('write', key, () => this.#bucket.put(key, body))
  }

  async replace(key: string, body: Uint8Array, etag: string, options: StoreOptions = {}): Promise<string | undefined> {
    checkKey(key)
    throwIfAborted(options.signal)
    const written = await this.#ask('replace', key, () => this.#bucket.put(key, body, { onlyIf: { etagMatches: etag } }))
    return written?.etag
  }

  async delete(key: string, options: StoreOptions = {}): Promise<void> {
    checkKey(key)
    throwIfAborted(options.signal)
    await this.#ask('delete', key, () => this.#bucket.delete(key))
  }

  async list(prefix: string, options: ListOptions = {}): Promise<readonly ObjectSummary[]> {
    checkPrefix(prefix)
    const limit = checkLimit(options.limit)
    const found: ObjectSummary[] = []
    let { after } = options
    // R2 may give fewer than asked for and say that there is more.
    for (;;) {
      throwIfAborted(options.signal)
      const startAfter = after === undefined ? {} : { startAfter: after }
      const page = await this.#ask('list', prefix, () => this.#bucket.list({ prefix, limit: limit - found.length, ...startAfter }))
      for (const { key, size } of page.objects) found.push({ key, size })
      if (!page.truncated || found.length >= limit || page.objects.length === 0) return found
      after = found.at(-1)!.key
    }
  }

  async #ask<T>(what: string, key: string, call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (error) {
      throw new EdgemountError('unavailable', `Cannot ${what} "${key}" in ${this.label}: ${messageOf(error)}; try again`, { cause: error })
    }
  }
}

/** R2's error for a range that begins past the end: 10039, "The requested range is not satisfiable"; its simulator gives no reason. */
function outOfReach(error: unknown): 'out-of-reach' {
  if (/10039|not satisfiable|Unspecified error/i.test(messageOf(error))) return 'out-of-reach'
  throw error
}

function foundObject(found: R2ObjectBody | null, range: ByteRange | undefined): StoredObject | undefined {
  if (found === null) return undefined
  const expected = range === undefined ? found.size : Math.max(0, Math.min(range.end, found.size) - range.start)
  return {
    size: found.size,
    etag: found.etag,
    bytes: async () => {
      const bytes = new Uint8Array(await found.arrayBuffer())
      if (bytes.length === expected) return bytes
      throw new EdgemountError('unavailable', `Cannot read "${found.key}": ${bytes.length} of ${expected} bytes came; try again`)
    },
    // The runtime's own stream, passed through: it errors when R2 breaks off.
    stream: () => found.body,
  }
}

function emptyObject(head: R2Object): StoredObject {
  return {
    size: head.size,
    etag: head.etag,
    bytes: async () => new Uint8Array(),
    stream: () => new ReadableStream({ start: (controller) => controller.close() }),
  }
}
