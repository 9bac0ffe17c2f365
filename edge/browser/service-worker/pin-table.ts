/**
 * The cache's table as the volume that pins a commit has it: what it keeps is held by that pin from the start, and pages of directories and manifests that it needed are
 * held, too. So an older commit that is pinned stays whole until the newer one is, whatever else is pinned. Called by `pins.ts`.
 */
import type { CacheEntry, CacheLimits, CacheSize, CacheTable } from '../cache-table.ts'

/** What holds a folder at one commit: of this prefix, and of a volume, not of another that had its name. */
export interface PinMark {
  readonly prefix: string
  readonly seq: number
  readonly generation: string
  /** As the cache names the folder. */
  readonly owner: string
}

/** An address never begins so, and no prefix has a space. */
export function markOf({ prefix, seq, generation, owner }: PinMark): string {
  return `@${prefix} ${seq}.${generation}//${owner}`
}

/** Undefined for what other pages or prefixes have pinned. */
export function ownerWithin(mark: string, prefix: string): string | undefined {
  const start = `@${prefix} `
  return mark.startsWith(start) ? /^\d+\.[^/]*\/\/(.*)$/s.exec(mark.slice(start.length))?.[1] : undefined
}

export class PinTable implements CacheTable {
  readonly #table: CacheTable
  readonly #mark: string
  /** Answers that were needed to read it, and which commit was the newest: without that nothing is found offline. */
  readonly #pages = new Set<string>()

  constructor(table: CacheTable, mark: string) {
    this.#table = table
    this.#mark = mark
  }

  async get(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    const found = await this.#table.get(keys)
    for (const [index, key] of keys.entries()) if (found[index] !== undefined) this.#note(key)
    return found
  }

  async put(entries: readonly CacheEntry[], limits: CacheLimits): Promise<number> {
    for (const { record } of entries) this.#note(record.key)
    return await this.#table.put(entries.map(({ record, body }) => ({ record: { ...record, pins: [this.#mark] }, body })), limits)
  }

  async touch(keys: readonly string[], usedMs: number, pin?: string): Promise<readonly string[]> {
    return await this.#table.touch(keys, usedMs, pin && this.#mark)
  }

  async drop(keys: readonly string[], isDamaged?: boolean): Promise<void> {
    await this.#table.drop(keys, isDamaged)
  }

  async evict(bytesMax: number): Promise<number> {
    return await this.#table.evict(bytesMax)
  }

  async otherVersions(owner: string, version: string): Promise<readonly string[]> {
    return await this.#table.otherVersions(owner, version)
  }

  async size(): Promise<CacheSize> {
    return await this.#table.size()
  }

  /** Under its own name. */
  async pin(_: string, isWanted: boolean): Promise<void> {
    await this.#table.pin(this.#mark, isWanted)
  }

  /** Older commits are let go by `pins.ts`, and what pages have pinned by them. */
  pins(): Promise<readonly string[]> {
    return Promise.resolve([])
  }

  async clear(): Promise<void> {
    await this.#table.clear()
  }

  /** Has the pages and lookups held that were found or kept; gives how many of them are gone. */
  async keepPages(usedMs: number): Promise<number> {
    return (await this.#table.touch([...this.#pages], usedMs, this.#mark)).length
  }

  #note(key: string): void {
    if (!key.startsWith('c/')) this.#pages.add(key)
  }
}
