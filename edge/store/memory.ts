/**
 * The store in memory: the reference that the suite's promises were written against. For tests and trials; holds everything, forgets it at exit.
 */
import { throwIfAborted } from '../../shared/abort.ts'
import { clampRange } from '../../shared/range.ts'
import type { GetOptions, ListOptions, ObjectStore, ObjectSummary, StoreOptions, StoredObject } from '../../shared/store.ts'
import { checkKey, checkLimit, checkPrefix } from './key.ts'
import { streamOf } from './stream.ts'

interface Version {
  readonly bytes: Uint8Array
  readonly etag: string
}

export class MemoryStore implements ObjectStore {
  readonly label = 'memory:'
  readonly #objects = new Map<string, Version>()
  /** INVARIANT: the keys of `#objects`, ascending. Kept sorted so that a list costs what it returns. */
  readonly #keys: string[] = []
  #versionCount = 0

  async get(key: string, options: GetOptions = {}): Promise<StoredObject | undefined> {
    checkKey(key)
    throwIfAborted(options.signal)
    const version = this.#objects.get(key)
    if (version === undefined) return undefined
    const size = version.bytes.length
    const { start, end } = clampRange(options.range ?? { start: 0, end: size }, size)
    return {
      size,
      etag: version.etag,
      bytes: async () => version.bytes.slice(start, end),
      stream: () => streamOf(version.bytes.slice(start, end)),
    }
  }

  async create(key: string, body: Uint8Array, options: StoreOptions = {}): Promise<boolean> {
    checkKey(key)
    throwIfAborted(options.signal)
    if (this.#objects.has(key)) return false
    this.#write(key, body)
    return true
  }

  async put(key: string, body: Uint8Array, options: StoreOptions = {}): Promise<void> {
    checkKey(key)
    throwIfAborted(options.signal)
    this.#write(key, body)
  }

  async replace(key: string, body: Uint8Array, etag: string, options: StoreOptions = {}): Promise<string | undefined> {
    checkKey(key)
    throwIfAborted(options.signal)
    return this.#objects.get(key)?.etag === etag ? this.#write(key, body) : undefined
  }

  async delete(key: string, options: StoreOptions = {}): Promise<void> {
    checkKey(key)
    throwIfAborted(options.signal)
    if (this.#objects.delete(key)) this.#keys.splice(this.#firstAtOrAfter(key), 1)
  }

  async list(prefix: string, options: ListOptions = {}): Promise<readonly ObjectSummary[]> {
    checkPrefix(prefix)
    const limit = checkLimit(options.limit)
    throwIfAborted(options.signal)
    const found: ObjectSummary[] = []
    const { after } = options
    const from = after === undefined || after < prefix ? prefix : after
    for (let index = this.#firstAtOrAfter(from); index < this.#keys.length && found.length < limit; index += 1) {
      const key = this.#keys[index]!
      if (!key.startsWith(prefix)) break
      if (key !== after) found.push({ key, size: this.#objects.get(key)!.bytes.length })
    }
    return found
  }

  /** The body is copied: its owner may use the buffer again. */
  #write(key: string, body: Uint8Array): string {
    if (!this.#objects.has(key)) this.#keys.splice(this.#firstAtOrAfter(key), 0, key)
    this.#versionCount += 1
    const etag = `v${this.#versionCount}`
    this.#objects.set(key, { bytes: body.slice(), etag })
    return etag
  }

  /** Keys are ASCII, so JavaScript's string order is their byte order. */
  #firstAtOrAfter(key: string): number {
    let low = 0
    let high = this.#keys.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#keys[middle]! < key) low = middle + 1
      else high = middle
    }
    return low
  }
}
