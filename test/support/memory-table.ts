/** The cache's table in memory: several caches may share one, as tabs do. */
import { type CacheEntry, type CacheLimits, type CacheRecord, type CacheSize, type CacheTable, evictionMs, heldBy, isPinned } from '../../edge/browser/cache-table.ts'

export class MemoryTable implements CacheTable {
  readonly bodies = new Map<string, Uint8Array>()
  readonly records = new Map<string, CacheRecord>()
  /** Beyond it `put` is refused, as a browser does. */
  quotaBytes = Infinity
  /** Thrown by every call, if any. */
  failure: Error | undefined
  /** Transactions that read. */
  getCount = 0

  #pins: readonly string[] = []

  /** Without what is pinned. */
  get total(): number {
    return this.records.values().reduce((sum, record) => sum + this.#counted(record), 0)
  }

  /** With what is there now. */
  clone(): MemoryTable {
    const clone = new MemoryTable()
    for (const [key, body] of this.bodies) clone.bodies.set(key, body)
    for (const [key, record] of this.records) clone.records.set(key, record)
    clone.#pins = this.#pins
    return clone
  }

  async get(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    await this.#turn()
    this.getCount += 1
    return keys.map((key) => this.bodies.get(key))
  }

  async put(entries: readonly CacheEntry[], { bytesMax, keptBytes }: CacheLimits): Promise<number> {
    await this.#turn()
    const together = new Map<string, CacheEntry>()
    for (const { record, body } of entries) together.set(record.key, { body, record: heldBy(record, (together.get(record.key)?.record ?? this.records.get(record.key))?.pins ?? [], this.#pins) })
    const held = [...together.values()]
    const added = held.reduce((sum, { record }) => sum + this.#counted(record), 0)
    const replaced = entries.map(({ record }) => [this.records.get(record.key), this.bodies.get(record.key)] as const)
    for (const { record } of entries) this.#remove(record.key)
    const evictedCount = added > 0 && this.total + added > bytesMax ? this.#evict(keptBytes - added) : 0
    if (this.total + added > this.quotaBytes) {
      for (const [record, body] of replaced) {
        if (record !== undefined) this.records.set(record.key, record)
        if (record !== undefined && body !== undefined) this.bodies.set(record.key, body)
      }
      throw new DOMException('no room', 'QuotaExceededError')
    }
    for (const { record, body } of held) {
      this.bodies.set(record.key, body.slice())
      this.records.set(record.key, record)
    }
    return evictedCount
  }

  async touch(keys: readonly string[], usedMs: number, pin?: string): Promise<readonly string[]> {
    await this.#turn()
    for (const key of keys) {
      const record = this.records.get(key)
      if (record !== undefined) this.records.set(key, { ...heldBy(record, [pin], this.#pins), usedMs })
    }
    return keys.filter((key) => !this.bodies.has(key))
  }

  async drop(keys: readonly string[], isDamaged = false): Promise<void> {
    await this.#turn()
    for (const key of keys) {
      const record = this.records.get(key)
      const isHeld = record !== undefined && isPinned(record, this.#pins)
      if (!isHeld || isDamaged) this.#remove(key)
      if (isHeld && isDamaged) this.records.set(key, { ...record, bytes: 0 })
    }
  }

  async evict(bytesMax: number): Promise<number> {
    await this.#turn()
    return this.#evict(bytesMax)
  }

  async otherVersions(owner: string, version: string): Promise<readonly string[]> {
    await this.#turn()
    return [...this.records.values()].filter((record) => record.owner === owner && record.version !== version).map(({ key }) => key)
  }

  async size(): Promise<CacheSize> {
    await this.#turn()
    const bytes = this.records.values().reduce((sum, record) => sum + record.bytes, 0)
    const lost = [...this.records.values()].filter((record) => record.bytes === 0)
    return { bytes, pinnedBytes: bytes - this.total, lossy: this.#pins.filter((pin) => lost.some((record) => isPinned(record, [pin]))) }
  }

  async pin(pin: string, isWanted: boolean): Promise<void> {
    await this.#turn()
    this.#pins = [...this.#pins.filter((other) => other !== pin), ...(isWanted ? [pin] : [])]
  }

  async pins(): Promise<readonly string[]> {
    await this.#turn()
    return this.#pins
  }

  async clear(): Promise<void> {
    await this.#turn()
    this.bodies.clear()
    this.records.clear()
    this.#pins = []
  }

  #evict(bytesMax: number): number {
    let count = 0
    for (const record of [...this.records.values()].toSorted((a, b) => evictionMs(a) - evictionMs(b))) {
      if (this.total <= bytesMax) break
      if (isPinned(record, this.#pins)) continue
      this.#remove(record.key)
      count += 1
    }
    return count
  }

  #counted(record: CacheRecord): number {
    return isPinned(record, this.#pins) ? 0 : record.bytes
  }

  #remove(key: string): void {
    this.bodies.delete(key)
    this.records.delete(key)
  }

  async #turn(): Promise<void> {
    await Promise.resolve()
    if (this.failure !== undefined) throw this.failure
  }
}
