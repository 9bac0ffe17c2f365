/**
 * The cache of an edge on Node: blocks in memory, and on disk where somebody gives it a directory. Called by the command that serves, and by tests.
 */
import type { Clock } from '../shared/clock.ts'
import { EdgemountError, messageOf } from '../shared/error.ts'
import type { Logger } from '../shared/log.ts'
import type { Metrics } from '../shared/metrics.ts'
import { ReadBudget } from '../shared/volume/read-budget.ts'
import { CacheCounts } from './store/cache/cache-counts.ts'
import { DiskBlocks } from './store/cache/disk-blocks.ts'
import { type EdgeCache, fillBytesDefault } from './store/cache/edge-cache.ts'
import { MemoryBlocks } from './store/cache/memory-blocks.ts'
import { tieredBlocks } from './store/cache/tiered-blocks.ts'

export interface NodeCacheSettings {
  readonly memoryBytesMax: number
  /** Made when it is not there; nothing is kept on disk unless given. */
  readonly directory?: string | undefined
  readonly diskBytesMax: number
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
}

/** Throws, with the reason, for a directory that cannot be used. */
export async function openNodeCache(settings: NodeCacheSettings): Promise<{ readonly cache: EdgeCache; close(): Promise<void> }> {
  const { memoryBytesMax, directory, diskBytesMax, clock, log, metrics } = settings
  const { evictions } = new CacheCounts(metrics)
  const onEvict = (): void => evictions.add()
  const memory = new MemoryBlocks({ bytesMax: memoryBytesMax, onEvict })
  const fills = new ReadBudget(fillBytesDefault)
  if (directory === undefined) return { cache: { blocks: memory, fills }, close: async () => undefined }
  try {
    const disk = await DiskBlocks.open({ directory, bytesMax: diskBytesMax, clock, log, onEvict })
    return { cache: { blocks: tieredBlocks(memory, disk), fills }, close: () => disk.close() }
  } catch (error) {
    throw new EdgemountError('unsupported', `Cannot use the cache "${directory}": ${messageOf(error)}; give another directory with --cache`, { cause: error })
  }
}
