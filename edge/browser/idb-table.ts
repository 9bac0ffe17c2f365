/**
 * The cache's table in IndexedDB, by idb-keyval: one database for an origin, one object store, four kinds of keys. `b/<key>` is a body, `r/<key>` its record, `marks` what is
 * pinned, `total` the bytes of all bodies that are not.
 *
 * INVARIANT: body, record and total change in one transaction. Transactions that write come one after the other, in whatever tab they began, so no tab loses another's.
 */
import { createStore, promisifyRequest, type UseStore } from 'idb-keyval'
import { type CacheEntry, type CacheLimits, type CacheRecord, type CacheSize, type CacheTable, evictionMs, heldBy, isPinned } from './cache-table.ts'

const totalKey = 'total'
const pinsKey = 'marks'
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
    return await this.#change(async (ledger) => {
      const known = await ledger.known(entries.map(({ record }) => record.key))
      ledger.remove(known)
      // What several have asked to be kept at once is there once, for all who hold it.
      const records = new Map(known.map((record) => [record.key, record]))
      for (const { record } of entries) records.set(record.key, heldBy(record, records.get(record.key)?.pins ?? [], ledger.pins))
      const bodies = new Map(entries.map(({ record, body }) => [record.key, body]))
      const added = [...records.values()].reduce((sum, record) => sum + ledger.counted(record), 0)
      const evictedCount = added > 0 && ledger.total + added > bytesMax ? await ledger.evict(Math.max(0, keptBytes - added)) : 0
      for (const [key, body] of bodies) ledger.add({ record: records.get(key)!, body })
      return evictedCount
    })
  }

  async touch(keys: readonly string[], usedMs: number, pin?: string): Promise<readonly string[]> {
    return await this.#change(async (ledger) => {
      const known = await ledger.known(keys)
      for (const record of known) ledger.change(record, { ...heldBy(record, [pin], ledger.pins), usedMs })
      const found = new Set(known.map(({ key, bytes }) => bytes > 0 && key))
      return keys.filter((key) => !found.has(key))
    })
  }

  async drop(keys: readonly string[], isDamaged = false): Promise<void> {
    await this.#change(async (ledger) => {
      for (const record of await ledger.known(keys)) {
        const isHeld = isPinned(record, ledger.pins)
        if (isHeld && !isDamaged) continue
        ledger.remove([record])
        // Without a body: who holds it is still known.
        if (isHeld) ledger.change(record, { ...record, bytes: 0 })
      }
    })
  }

  async evict(bytesMax: number): Promise<number> {
    return await this.#change((ledger) => ledger.evict(bytesMax))
  }

  async otherVersions(owner: string, version: string): Promise<readonly string[]> {
    const records = await this.#use('readonly', readRecords)
    return records.filter((record) => record.owner === owner && record.version !== version).map(({ key }) => key)
  }

  async size(): Promise<CacheSize> {
    return await this.#use('readonly', async (store) => {
      const [total, pins] = [await readTotal(store), await readPins(store)]
      const pinned = pins.length === 0 ? [] : (await readRecords(store)).filter((record) => isPinned(record, pins))
      const pinnedBytes = pinned.reduce((sum, { bytes }) => sum + bytes, 0)
      return { bytes: total + pinnedBytes, pinnedBytes, lossy: pins.filter((pin) => pinned.some((record) => record.bytes === 0 && isPinned(record, [pin]))) }
    })
  }

  async pin(pin: string, isWanted: boolean): Promise<void> {
    await this.#change(async (ledger) => {
      ledger.pins = [...ledger.pins.filter((other) => other !== pin), ...(isWanted ? [pin] : [])]
      await ledger.recount()
    })
  }

  async pins(): Promise<readonly string[]> {
    return await this.#use('readonly', readPins)
  }

  async clear(): Promise<void> {
    await this.#use('readwrite', async (store) => {
      store.clear()
      await promisifyRequest(store.transaction)
    })
  }

  async #change<T>(work: (ledger: Ledger) => Promise<T>): Promise<T> {
    return await this.#use('readwrite', async (store) => {
      const ledger = new Ledger(store, await readPins(store), await readTotal(store))
      const outcome = await work(ledger)
      store.put(ledger.total, totalKey)
      store.put(ledger.pins, pinsKey)
      await promisifyRequest(store.transaction)
      return outcome
    })
  }
}

/** The table within one transaction. */
class Ledger {
  readonly #store: IDBObjectStore
  pins: readonly string[]
  total: number

  constructor(store: IDBObjectStore, pins: readonly string[], total: number) {
    this.#store = store
    this.pins = pins
    this.total = total
  }

  /** What a record counts for the budget. */
  counted(record: CacheRecord): number {
    return isPinned(record, this.pins) ? 0 : record.bytes
  }

  /** Each once: a file may have a chunk in several places. */
  async known(keys: readonly string[]): Promise<CacheRecord[]> {
    const known = await Promise.all([...new Set(keys)].map((key) => read(this.#store, `r/${key}`, isRecord)))
    return known.filter((record) => record !== undefined)
  }

  add({ record, body }: CacheEntry): void {
    this.#store.put(body, `b/${record.key}`)
    this.#store.put(record, `r/${record.key}`)
    this.total += this.counted(record)
  }

  change(before: CacheRecord, after: CacheRecord): void {
    this.#store.put(after, `r/${after.key}`)
    this.total += this.counted(after) - this.counted(before)
  }

  remove(records: readonly CacheRecord[]): void {
    for (const record of records) {
      this.#store.delete(`b/${record.key}`)
      this.#store.delete(`r/${record.key}`)
      this.total -= this.counted(record)
    }
  }

  async evict(bytesMax: number): Promise<number> {
    const records = await this.recount()
    let count = 0
    for (const record of records.toSorted((a, b) => evictionMs(a) - evictionMs(b))) {
      if (this.total <= bytesMax) break
      if (isPinned(record, this.pins)) continue
      this.remove([record])
      count += 1
    }
    return count
  }

  /** What a person with the browser's tools left wrong is right after this. */
  async recount(): Promise<CacheRecord[]> {
    const records = await readRecords(this.#store)
    this.total = records.reduce((sum, record) => sum + this.counted(record), 0)
    return records
  }
}

/** What somebody else may have put there is taken for nothing. */
async function read<T>(store: IDBObjectStore, key: string, is: (value: unknown) => value is T): Promise<T | undefined> {
  const value: unknown = await promisifyRequest(store.get(key))
  return is(value) ? value : undefined
}

async function readTotal(store: IDBObjectStore): Promise<number> {
  return (await read(store, totalKey, (value) => typeof value === 'number')) ?? 0
}

async function readPins(store: IDBObjectStore): Promise<readonly string[]> {
  return (await read(store, pinsKey, isTexts)) ?? []
}

async function readRecords(store: IDBObjectStore): Promise<CacheRecord[]> {
  const values: unknown[] = await promisifyRequest(store.getAll(IDBKeyRange.bound(recordsFrom, recordsTo)))
  return values.filter(isRecord)
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array
}

function isRecord(value: unknown): value is CacheRecord {
  return typeof value === 'object' && value !== null && 'key' in value && 'bytes' in value && typeof value.bytes === 'number' && 'usedMs' in value && 'owner' in value
}
