/**
 * What the cache keeps its bytes in: a table of bodies and small records that all tabs of an origin share. `idb-table.ts` is the one of browsers, tests have one in
 * memory; the same suite runs on both.
 */

/** The file that something was read for, and that file's version; empty for what belongs to no file. */
export interface CacheOwner {
  readonly owner: string
  readonly version: string
  /** What holds it; those that are pinned no longer do not count. */
  readonly pins?: readonly string[] | undefined
}

/** What is known of a body without reading it. */
export interface CacheRecord extends CacheOwner {
  readonly key: string
  readonly bytes: number
  /** When it was last read, in milliseconds since 1970. */
  readonly usedMs: number
}

export interface CacheEntry {
  readonly record: CacheRecord
  readonly body: Uint8Array
}

export interface CacheSize {
  readonly bytes: number
  readonly pinnedBytes: number
  readonly lossy: readonly string[]
}

export interface CacheLimits {
  readonly bytesMax: number
  readonly keptBytes: number
}

/** Each call is one transaction: other tabs see all of it or nothing. */
export interface CacheTable {
  /** In the order of the keys. */
  get(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]>
  /**
   * Stores, replacing what has the same key, and whoever held that holds this. If all would be more than `bytesMax` then, what was read longest ago goes first, down to `keptBytes`; gives how many bodies
   * went. Rejects with a `QuotaExceededError` when the browser has no room.
   */
  put(entries: readonly CacheEntry[], limits: CacheLimits): Promise<number>
  /** Marks as read, and as held by a pin if one is given, beside those that hold it; gives the keys of what is not there. */
  touch(keys: readonly string[], usedMs: number, pin?: string): Promise<readonly string[]>
  /** Removes what nobody holds. What is damaged goes in any case, and then whoever held it will hold what is put there next. */
  drop(keys: readonly string[], isDamaged?: boolean): Promise<void>
  /** Removes what was read longest ago until at most so many bytes are left beside what is pinned, and gives how many bodies went. */
  evict(bytesMax: number): Promise<number>
  /** Keys of what was kept for other versions of a file. */
  otherVersions(owner: string, version: string): Promise<readonly string[]>
  /** Bytes of all bodies, and those of them that are pinned; and the pins that hold something that was damaged, and is not there again. */
  size(): Promise<CacheSize>
  /**
   * What this one holds, now and later, is neither evicted nor dropped and does not count for `bytesMax`; until it is unpinned, when what no other holds can go. Pinned
   * again it may hold what it held: so a pin is of one commit, which says what that is.
   */
  pin(pin: string, isWanted: boolean): Promise<void>
  pins(): Promise<readonly string[]>
  clear(): Promise<void>
}

/** Pages and lookups are small, and without them the chunks of files are not found offline: they count as read so much later. */
const metadataMs = 7 * 24 * 3600 * 1000

/** What has the least goes first. Which commit was the newest says a word that all else is found by: it goes last. */
export function evictionMs({ key, usedMs, owner }: CacheRecord): number {
  if (key.startsWith('h/')) return Number.MAX_SAFE_INTEGER
  return owner === '' ? usedMs + metadataMs : usedMs
}

export function isPinned({ pins: holders }: CacheRecord, pins: readonly string[]): boolean {
  return holders?.some((pin) => pins.includes(pin)) === true
}

/** Held by more, and no longer by those that are pinned no longer. */
export function heldBy(record: CacheRecord, more: readonly (string | undefined)[], pins: readonly string[]): CacheRecord {
  return { ...record, pins: pins.filter((pin) => [...(record.pins ?? []), ...more].includes(pin)) }
}
