/**
 * The cache's table in IndexedDB, by idb-keyval: one database for an origin, one object store, three kinds of keys. `b/<key>` is a body, `r/<key>` its record, `total`
 * the bytes of all bodies.
 *
 * INVARIANT: body, record and total change in one transaction. Transactions that write come one after the other, in whatever tab they began, so no tab loses another's.
 */
import { createStore, promisifyRequest, type UseStore } from 'idb-keyval'
import type { CacheEntry, CacheRecord, CacheTable } from './cache-table.ts'

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

  async put(entries: readonly CacheEntry[]): Promise<number> {
    return await this.#use('readwrite', async (store) => {
      const known = await Promise.all(entries.map(({ record }) => read(store, `r/${record.key}`, isRecord)))
      let total = await readTotal(store)
      for (const [index, { record, body }] of entries.entries()) {
        total += record.bytes - (known[index]?.bytes ?? 0)
        store.put(body, `b/${record.key}`)
        store.put(record, `r/${record.key}`)
      }
      store.put(total, totalKey)
      await promisifyRequest(store.transaction)
      return total
    })
  }

  async touch(keys: readonly string[], usedMs: number): Promise<void> {
    await this.#use('readwrite', async (store) => {
      const known = await Promise.all(keys.map((key) => read(store, `r/${key}`, isRecord)))
      for (const record of known) if (record !== undefined) store.put({ ...record, usedMs }, `r/${record.key}`)
      await promisifyRequest(store.transaction)
    })
  }

  async drop(keys: readonly string[]): Promise<void> {
    await this.#use('readwrite', async (store) => {
      const known = await Promise.all(keys.map((key) => read(store, `r/${key}`, isRecord)))
      await remove(store, known.filter((record) => record !== undefined))
    })
  }

  async evict(bytesMax: number): Promise<number> {
    return await this.#use('readwrite', async (store) => {
      // Counted anew: what a crash of the browser or a person with its tools left wrong is right after this.
      const records = await readRecords(store)
      let total = records.reduce((sum, { bytes }) => sum + bytes, 0)
      const victims: CacheRecord[] = []
      for (const record of records.toSorted((a, b) => a.usedMs - b.usedMs)) {
        if (total <= bytesMax) break
        victims.push(record)
        total -= record.bytes
      }
      store.put(total + victims.reduce((sum, { bytes }) => sum + bytes, 0), totalKey)
      await remove(store, victims)
      return victims.length
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

async function remove(store: IDBObjectStore, records: readonly CacheRecord[]): Promise<void> {
  let total = await readTotal(store)
  for (const { key, bytes } of records) {
    store.delete(`b/${key}`)
    store.delete(`r/${key}`)
    total -= bytes
  }
  store.put(total, totalKey)
  await promisifyRequest(store.transaction)
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
