/**
 * What the edge counts of its cache; `shim/METRICS.md` lists it.
 */
import type { Metrics, Series } from '../../../shared/metrics.ts'
import type { BlockPart } from './block-cache.ts'

type Adding = Pick<Series, 'add'>

export class CacheCounts {
  readonly misses: Adding
  /** Answers that were fetched as they were asked for, because too much was being fetched. */
  readonly bypasses: Adding
  readonly filledBytes: Adding
  readonly evictions: Adding
  readonly failures: Adding
  readonly #hits: Adding
  readonly #hitBytes: Adding

  constructor(metrics: Metrics) {
    const blocks = metrics.counter('edgemount_edge_cache_blocks_total', 'Blocks that were asked of the cache: hit, miss, or bypass when too much was being fetched')
    const bytes = metrics.counter('edgemount_edge_cache_bytes_total', 'Bytes that the cache gave (hit), and that were fetched into it (fill)')
    this.#hits = blocks.with({ result: 'hit' })
    this.misses = blocks.with({ result: 'miss' })
    this.bypasses = blocks.with({ result: 'bypass' })
    this.#hitBytes = bytes.with({ result: 'hit' })
    this.filledBytes = bytes.with({ result: 'fill' })
    this.evictions = metrics.counter('edgemount_edge_cache_evictions_total', 'Blocks that left the cache for others').with({})
    this.failures = metrics.counter('edgemount_edge_cache_failures_total', 'Calls to the platform\'s cache that failed, and were misses').with({})
  }

  hit(parts: readonly BlockPart[]): void {
    this.#hits.add(parts.length)
    this.#hitBytes.add(parts.reduce((sum, { bytes }) => sum + bytes.length, 0))
  }
}
