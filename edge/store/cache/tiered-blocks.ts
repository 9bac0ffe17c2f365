/**
 * Two places for blocks as one: a small fast one before a large one that outlives it.
 */
import { type ByteRange, clampRange } from '../../../shared/range.ts'
import { type BlockCache, wholeBlock } from './block-cache.ts'

export function tieredBlocks(fast: BlockCache, large: BlockCache): BlockCache {
  return {
    get: async (key: string, part: ByteRange) => {
      const held = await fast.get(key, part)
      if (held !== undefined) return held
      const block = await large.get(key, wholeBlock)
      if (block === undefined) return undefined
      await fast.put(key, block)
      const { start, end } = clampRange(part, block.bytes.length)
      return { objectBytes: block.objectBytes, bytes: block.bytes.subarray(start, end) }
    },
    put: async (key, block) => {
      await fast.put(key, block)
      await large.put(key, block)
    },
  }
}

/** Blocks of metadata in both, those of bodies in the second alone: where memory is short, pages are worth it. */
export function metadataFirst(memory: BlockCache, all: BlockCache): BlockCache {
  const both = tieredBlocks(memory, all)
  const placeOf = (key: string): BlockCache => (key.includes('/meta/') ? both : all)
  return { get: (key, part) => placeOf(key).get(key, part), put: (key, block) => placeOf(key).put(key, block) }
}
