/**
 * The cache of an edge, as `app.ts` is given it by what starts the edge: where blocks are kept, and what must not grow with the number of requests.
 */
import type { ReadBudget } from '../../../shared/volume/read-budget.ts'
import type { BlockCache } from './block-cache.ts'
import type { RecentVolumes } from './recent-volumes.ts'

export interface EdgeCache {
  readonly blocks: BlockCache
  /** Whose cache it is, where edges of several stores have one in common. */
  readonly owner?: string | undefined
  /** What all requests together may hold of blocks that are being fetched. */
  readonly fills: ReadBudget
  /** The longest range that is put together in memory; the default unless given. Longer ones are streamed from block to block. */
  readonly wholeBytesMax?: number | undefined
  /** Where an app lives for one request alone: what it knows of volumes from those before. */
  readonly recent?: RecentVolumes | undefined
  /** Told of writes to the cache, which nobody waits for. */
  readonly background?: ((work: Promise<unknown>) => void) | undefined
}

/** Enough for dozens of readers that all miss; those beyond it are served without being cached. */
export const fillBytesDefault = 64 * 1024 * 1024
