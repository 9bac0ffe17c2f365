/**
 * Bytes that were read, kept over reloads: chunks under their hash, and immutable answers of the edge under their address. Called by everything that reads.
 *
 * It has a byte budget, of which all tabs of an origin know; what was read longest ago goes first. INVARIANT: no failure of it ever fails a read. What it gives is
 * not verified: who asks does that, and says so when it was wrong.
 */
import type { Clock } from '../../shared/clock.ts'
import { EdgemountError, messageOf } from '../../shared/error.ts'
import type { CacheEntry, CacheOwner, CacheSize, CacheTable } from './cache-table.ts'

export interface CacheSettings {
  readonly table: CacheTable
  readonly bytesMax: number
  readonly clock: Clock
}

export interface CacheCounts {
  evictions: number
  corrupt: number
  quotaErrors: number
  /** Calls that the browser refused for another reason; the last one's sentence. */
  failures: number
  failure: string | undefined
}

/** Evicting down to this share of the budget is done once in a while, not for each chunk. */
const keptShare = 0.9
/** One transaction takes so much, and so many wait: what comes faster is not kept. */
const batchBytesMax = 4 * 1024 * 1024
const waitingBytesMax = 32 * 1024 * 1024
const touchesMax = 64
/** After the browser has said twice that there is no room it is left alone for so long. */
const pauseMs = 30_000

export class Cache {
  readonly counts: CacheCounts = { evictions: 0, corrupt: 0, quotaErrors: 0, failures: 0, failure: undefined }
  readonly #table: CacheTable
  readonly #clock: Clock
  #bytesMax: number
  #waiting: CacheEntry[] = []
  #waitingBytes = 0
  readonly #touched = new Set<string>()
  #writing: Promise<void> | undefined
  #pausedUntilMs = -Infinity
  #isClosed = false

  constructor({ table, bytesMax, clock }: CacheSettings) {
    this.#table = table
    this.#clock = clock
    this.#bytesMax = bytesMax
  }

  /** In the order of the keys; undefined for what is not kept. */
  async get(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    if (keys.length === 0) return []
    const found = await this.#try(() => this.#table.get(keys))
    if (found === undefined) return keys.map(() => undefined)
    for (const [index, key] of keys.entries()) if (found[index] !== undefined) this.#touched.add(key)
    if (this.#touched.size >= touchesMax) this.#write()
    return found
  }

  /** Keeps bytes of which nobody changes any: soon, if there is room. */
  keep(key: string, body: Uint8Array, { owner, version, pins }: CacheOwner): void {
    if (this.#isClosed || (pins === undefined && body.length > this.#bytesMax / 2) || this.#waitingBytes + body.length > waitingBytesMax) return
    this.#waiting.push({ record: { key, bytes: body.length, usedMs: this.#clock.now(), owner, version, pins }, body })
    this.#waitingBytes += body.length
    this.#write()
  }

  /** What was given for this key is not what it should be. */
  async dropCorrupt(key: string): Promise<void> {
    this.counts.corrupt += 1
    await this.#try(() => this.#table.drop([key], true))
  }

  /** What no pin holds. */
  async drop(keys: readonly string[]): Promise<void> {
    if (keys.length > 0) await this.#try(() => this.#table.drop(keys))
  }

  /** Keys of what is kept for other versions of a file. */
  async otherVersions(owner: string, version: string): Promise<readonly string[]> {
    return (await this.#try(() => this.#table.otherVersions(owner, version))) ?? []
  }

  async size(): Promise<Pick<CacheSize, 'bytes' | 'pinnedBytes'>> {
    return (await this.#try(() => this.#table.size())) ?? { bytes: 0, pinnedBytes: 0 }
  }

  /** Has what is kept held by a pin, and gives the keys of what is not kept. */
  async hold(keys: readonly string[], pin: string): Promise<readonly string[]> {
    await this.flush()
    return (await this.#try(() => this.#table.touch(keys, this.#clock.now(), pin))) ?? keys
  }

  /** See `CacheTable.pin`. Fails as the browser's storage does: whoever pins relies on it. */
  async pin(pin: string, isWanted: boolean): Promise<void> {
    await this.#table.pin(pin, isWanted)
  }

  async pins(): Promise<readonly string[]> {
    return (await this.#try(() => this.#table.pins())) ?? []
  }

  async clear(): Promise<void> {
    await this.flush()
    await this.#try(() => this.#table.clear())
  }

  /** Resolves when all that was given to `keep` is kept, or given up. */
  async flush(): Promise<void> {
    while (this.#hasWork || this.#writing !== undefined) {
      this.#write()
      await this.#writing
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.flush()
  }

  get #hasWork(): boolean {
    return this.#waiting.length > 0 || this.#touched.size > 0
  }

  #write(): void {
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = undefined
      // What came after the last look.
      if (this.#hasWork) this.#write()
    })
  }

  async #drain(): Promise<void> {
    // One turn later, so that the chunks of one read go into one transaction.
    await Promise.resolve()
    while (this.#hasWork) {
      const touched = [...this.#touched]
      this.#touched.clear()
      if (touched.length > 0) await this.#try(() => this.#table.touch(touched, this.#clock.now()))
      const batch = this.#takeBatch()
      if (batch.length > 0 && this.#clock.now() >= this.#pausedUntilMs) await this.#put(batch)
      this.#waitingBytes -= batch.reduce((sum, { body }) => sum + body.length, 0)
    }
  }

  #takeBatch(): CacheEntry[] {
    const bytesMax = Math.min(batchBytesMax, this.#bytesMax / 2)
    let bytes = 0
    let count = 0
    for (const { body } of this.#waiting) {
      if (count > 0 && bytes + body.length > bytesMax) break
      bytes += body.length
      count += 1
    }
    return this.#waiting.splice(0, count)
  }

  async #put(batch: readonly CacheEntry[]): Promise<void> {
    for (let tryCount = 1; ; tryCount += 1) {
      try {
        this.counts.evictions += await this.#table.put(batch, { bytesMax: this.#bytesMax, keptBytes: this.#bytesMax * keptShare })
        return
      } catch (error) {
        if (!isQuotaError(error)) return this.#note(error)
        this.counts.quotaErrors += 1
        if (tryCount === 2) {
          this.#pausedUntilMs = this.#clock.now() + pauseMs
          return
        }
        // The browser's room is less than the budget: from now on that is the budget.
        const { bytes, pinnedBytes } = await this.size()
        this.#bytesMax = Math.min(this.#bytesMax, Math.floor((bytes - pinnedBytes) * keptShare))
        this.counts.evictions += (await this.#try(() => this.#table.evict(this.#bytesMax))) ?? 0
      }
    }
  }

  async #try<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work()
    } catch (error) {
      if (isQuotaError(error)) this.counts.quotaErrors += 1
      else this.#note(error)
      return undefined
    }
  }

  #note(error: unknown): void {
    this.counts.failures += 1
    this.counts.failure = new EdgemountError('unavailable', `Cannot use the browser's storage: ${messageOf(error)}`, { cause: error }).message
  }
}

function isQuotaError(error: unknown): boolean {
  return error instanceof Error && error.name === 'QuotaExceededError'
}
