/**
 * The cache's table in IndexedDB, by idb-keyval: one database for an origin, one object store, three kinds of keys. `b/<key>` is a body, `r/<key>` its record, `total`
 * the bytes of all bodies.
 *
 * INVARIANT: body, record and total change in one transaction. Transactions that write come one after the other, in whatever tab they began, so no tab loses another's.
 */
import { createStore, promisifyRequest, type UseStore } from 'idb-keyval'
import { type CacheEntry, type CacheLimits, type CacheRecord, type CacheTable, evictionMs } from './cache-table.ts'

const totalKey = 'total'
/** All keys of records: `0` comes after `/`. */
const recordsFrom = 'r/'
const recordsTo = 'r0'

export class IdbTable implements CacheTable {
  readonly #use: UseStore

  constructor(name: string) {
    this.#use = createStore(name, 'entries')
  }

  async get(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    return await this.#use('readonly', async (store) => await Promise.all(keys.map((key) => read(store, `b/${key}`, isBytes))))
  }

  async put(entries: readonly CacheEntry[], { bytesMax, keptBytes }: CacheLimits): Promise<number> {
    return await this.#use('readwrite', async (store) => {
      const known = await readKnown(store, entries.map(({ record }) => record.key))
      await remove(store, known)
      const added = entries.reduce((sum, { record }) => sum + record.bytes, 0)
      let total = await readTotal(store)
      let evictedCount = 0
      if (total + added > bytesMax) {
        evictedCount = await evictFrom(store, Math.max(0, keptBytes - added))
        total = await readTotal(store)
      }
      for (const { record, body } of entries) {
        store.put(body, `b/${record.key}`)
        store.put(record, `r/${record.key}`)
      }
      store.put(total + added, totalKey)
      await promisifyRequest(store.transaction)
      return evictedCount
    })
  }

  async touch(keys: readonly string[], usedMs: number): Promise<void> {
    await this.#use('readwrite', async (store) => {
      for (const record of await readKnown(store, keys)) store.put({ ...record, usedMs }, `r/${record.key}`)
      await promisifyRequest(store.transaction)
    })
  }

  async drop(keys: readonly string[]): Promise<void> {
    await this.#use('readwrite', async (store) => {
      await remove(store, await readKnown(store, keys))
      await promisifyRequest(store.transaction)
    })
  }

  async evict(bytesMax: number): Promise<number> {
    return await this.#use('readwrite', async (store) => {
      const count = await evictFrom(store, bytesMax)
      await promisifyRequest(store.transaction)
      return count
    })
  }

  async otherVersions(owner: string, version: string): Promise<readonly string[]> {
    const records = await this.#use('readonly', readRecords)
    return records.filter((record) => record.owner === owner && record.version !== version).map(({ key }) => key)
  }

  async size(): Promise<number> {
    return await this.#use('readonly', readTotal)
  }

  async clear(): Promise<void> {
    await this.#use('readwrite', async (store) => {
      store.clear()
      await promisifyRequest(store.transaction)
    })
  }
}

async function evictFrom(store: IDBObjectStore, bytesMax: number): Promise<number> {
  const records = await readRecords(store)
  let total = records.reduce((sum, { bytes }) => sum + bytes, 0)
  // Counted anew: what a person with the browser's tools left wrong is right after this.
  store.put(total, totalKey)
  const victims: CacheRecord[] = []
  for (const record of records.toSorted((a, b) => evictionMs(a) - evictionMs(b))) {
    if (total <= bytesMax) break
    victims.push(record)
    total -= record.bytes
  }
  await remove(store, victims)
  return victims.length
}

async function remove(store: IDBObjectStore, records: readonly CacheRecord[]): Promise<void> {
  if (records.length === 0) return
  let total = await readTotal(store)
  for (const { key, bytes } of records) {
    store.delete(`b/${key}`)
    store.delete(`r/${key}`)
    total -= bytes
  }
  store.put(total, totalKey)
}

async function readKnown(store: IDBObjectStore, keys: readonly string[]): Promise<CacheRecord[]> {
  const known = await Promise.all(keys.map((key) => read(store, `r/${key}`, isRecord)))
  return known.filter((record) => record !== undefined)
}

/** What somebody else may have put there is taken for nothing. */
async function read<T>(store: IDBObjectStore, key: string, is: (value: unknown) => value is T): Promise<T | undefined> {
  const value: unknown = await promisifyRequest(store.get(key))
  return is(value) ? value : undefined
}

async function readTotal(store: IDBObjectStore): Promise<number> {
  return (await read(store, totalKey, (value) => typeof value === 'number')) ?? 0
}

async function readRecords(store: IDBObjectStore): Promise<CacheRecord[]> {
  const values: unknown[] = await promisifyRequest(store.getAll(IDBKeyRange.bound(recordsFrom, recordsTo)))
  return values.filter(isRecord)
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array
}

function isRecord(value: unknown): value is CacheRecord {
  return typeof value === 'object' && value !== null && 'key' in value && 'bytes' in value && typeof value.bytes === 'number' && 'usedMs' in value
}
