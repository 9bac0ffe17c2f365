/**
 * The cache's table as the volume that pins a commit has it: what it keeps or finds is the commit's, under an owner of its own, pages of directories and manifests
 * included. So an older commit that is pinned stays whole until the newer one is, and what only the older one had can go then. Called by `pins.ts`.
 */
import type { CacheEntry, CacheLimits, CacheOwner, CacheTable } from '../cache-table.ts'

/** A commit of a volume, not of another that had its name. */
export interface PinnedCommit {
  readonly seq: number
  readonly generation: string
}

/** What owners of a pinned commit begin with; an address never does. */
export function ownerAt({ seq, generation }: PinnedCommit, owner: string): string {
  return `@${seq}.${generation}//${owner}`
}

/** The owner without its commit; undefined for another. */
export function ownerWithin(owner: string): string | undefined {
  return /^@[^/]*\/\/(.*)$/s.exec(owner)?.[1]
}

/** No file's path has two slashes. */
const pagesName = '//pages'

export class PinTable implements CacheTable {
  readonly #table: CacheTable
  readonly #commit: PinnedCommit
  /** What is pinned, without its commit. */
  readonly #owner: string
  /** Answers that were needed to read it. */
  readonly #pages = new Set<string>()

  constructor(table: CacheTable, commit: PinnedCommit, owner: string) {
    this.#table = table
    this.#commit = commit
    this.#owner = owner
  }

  async get(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]> {
    const found = await this.#table.get(keys)
    for (const [index, key] of keys.entries()) if (found[index] !== undefined) this.#note(key)
    return found
  }

  async put(entries: readonly CacheEntry[], limits: CacheLimits): Promise<number> {
    for (const { record } of entries) this.#note(record.key)
    return await this.#table.put(entries.map(({ record, body }) => ({ record: { ...record, owner: this.#ownerOf(record) }, body })), limits)
  }

  async touch(keys: readonly string[], usedMs: number, owner?: CacheOwner): Promise<readonly string[]> {
    return await this.#table.touch(keys, usedMs, owner && { ...owner, owner: this.#ownerOf(owner) })
  }

  async drop(keys: readonly string[]): Promise<void> {
    await this.#table.drop(keys)
  }

  async evict(bytesMax: number): Promise<number> {
    return await this.#table.evict(bytesMax)
  }

  async otherVersions(owner: string, version: string): Promise<readonly string[]> {
    return await this.#table.otherVersions(ownerAt(this.#commit, owner), version)
  }

  async size(): Promise<{ readonly bytes: number; readonly pinnedBytes: number }> {
    return await this.#table.size()
  }

  async pin(owner: string, isPinned: boolean): Promise<void> {
    await this.#table.pin(ownerAt(this.#commit, owner), isPinned)
  }

  async pins(): Promise<readonly string[]> {
    return await this.#table.pins()
  }

  async clear(): Promise<void> {
    await this.#table.clear()
  }

  /** Makes the commit's what was found of pages and lookups; gives how many of them are gone. */
  async keepPages(usedMs: number): Promise<number> {
    return (await this.#table.touch([...this.#pages], usedMs, { owner: this.#ownerOf({ owner: '' }), version: '' })).length
  }

  #note(key: string): void {
    if (key.startsWith('a/')) this.#pages.add(key)
  }

  #ownerOf({ owner }: { readonly owner: string }): string {
    return ownerAt(this.#commit, owner === '' ? `${this.#owner}${pagesName}` : owner)
  }
}
