/**
 * What the cache keeps its bytes in: a table of bodies and small records that all tabs of an origin share. `idb-table.ts` is the one of browsers, tests have one in
 * memory; the same suite runs on both.
 */

/** The file that something was read for, and that file's version; empty for what belongs to no file. */
export interface CacheOwner {
  readonly owner: string
  readonly version: string
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

export interface CacheLimits {
  readonly bytesMax: number
  readonly keptBytes: number
}

/** Each call is one transaction: other tabs see all of it or nothing. */
export interface CacheTable {
  /** In the order of the keys. */
  get(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]>
  /**
   * Stores, replacing what has the same key. If all would be more than `bytesMax` then, what was read longest ago goes first, down to `keptBytes`; gives how many bodies
   * went. Rejects with a `QuotaExceededError` when the browser has no room.
   */
  put(entries: readonly CacheEntry[], limits: CacheLimits): Promise<number>
  /** Marks as read, and as kept for another file if one is given; gives the keys of what is not there. */
  touch(keys: readonly string[], usedMs: number, owner?: CacheOwner): Promise<readonly string[]>
  drop(keys: readonly string[]): Promise<void>
  /** Removes what was read longest ago until at most so many bytes are left beside what is pinned, and gives how many bodies went. */
  evict(bytesMax: number): Promise<number>
  /** Keys of what was kept for other versions of a file. */
  otherVersions(owner: string, version: string): Promise<readonly string[]>
  /** Bytes of all bodies, and those of them that are pinned. */
  size(): Promise<{ readonly bytes: number; readonly pinnedBytes: number }>
  /** What is kept for this owner, and for all below it, is never evicted and does not count for `bytesMax`, now and later; until it is unpinned. */
  pin(owner: string, isPinned: boolean): Promise<void>
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

export function isPinned({ owner }: CacheOwner, pins: readonly string[]): boolean {
  return pins.some((pin) => owner === pin || owner.startsWith(`${pin}/`))
}
