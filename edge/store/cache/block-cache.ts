/**
 * What the edge asks of a place that keeps blocks: aligned parts of packs, which never change. `cached-packs.ts` asks; memory, a disk and the caches of Workers and
 * Deno obey.
 */
import type { ByteRange } from '../../../shared/range.ts'

/** Large enough that a cached file costs few look-ups, small enough that a reader of 64 KiB does not wait for much else. */
export const blockBytes = 1024 * 1024

export interface BlockPart {
  /** Of the object that the block is of. */
  readonly objectBytes: number
  /** Shared: nobody writes into them. */
  readonly bytes: Uint8Array
}

export interface BlockCache {
  /** The bytes of a range within a block, clamped to the block's end. Undefined when it is not here, and after every failure: neither is worth an error. */
  get(key: string, part: ByteRange): Promise<BlockPart | undefined>
  /** Keeps a block, whole; in place of one that is there. Best effort: never rejects. */
  put(key: string, block: BlockPart): Promise<void>
}

/** For those who want all of a block. */
export const wholeBlock: ByteRange = { start: 0, end: blockBytes }
