/** What every place for blocks promises. */
import { expect, test } from 'vitest'
import { type BlockCache, blockBytes, wholeBlock } from '../../edge/store/cache/block-cache.ts'
import { expectBytes, pattern } from '../support/store-bytes.ts'

/** `open` gives an empty place of 8 MiB at least. */
export function testBlockCache(name: string, open: () => Promise<BlockCache>): void {
  test(`${name}: what was put comes back, whole and in parts, with the size of its object`, async () => {
    const blocks = await open()
    const bytes = pattern(blockBytes)
    expect(await blocks.get('v/data/x/0', wholeBlock)).toBeUndefined()
    await blocks.put('v/data/x/0', { objectBytes: 5 * blockBytes, bytes })
    const whole = await blocks.get('v/data/x/0', wholeBlock)
    expect(whole?.objectBytes).toBe(5 * blockBytes)
    expectBytes(whole!.bytes, bytes)
    for (const [start, end] of [[0, 1], [70_000, 600_001], [blockBytes - 1, blockBytes], [0, 0], [500_000, 500_000]] as const) {
      expectBytes((await blocks.get('v/data/x/0', { start, end }))!.bytes, bytes.subarray(start, end))
    }
  })

  test(`${name}: a last block is shorter, and parts end with it`, async () => {
    const blocks = await open()
    const bytes = pattern(1000)
    await blocks.put('v/data/x/3', { objectBytes: 3 * blockBytes + 1000, bytes })
    expectBytes((await blocks.get('v/data/x/3', { start: 990, end: blockBytes }))!.bytes, bytes.subarray(990))
    expect((await blocks.get('v/data/x/3', { start: 2000, end: 3000 }))!.bytes).toHaveLength(0)
  })

  test(`${name}: keys are apart, also where they look alike`, async () => {
    const blocks = await open()
    const keys = ['v/data/x/0', 'v/data/x/00', 'v/data/x%2F0', 'v/data/X/0', 'w/data/x/0', 'v/data/x/0?', 'v/data/x/0#1', 'ü/data/x/0']
    for (const [index, key] of keys.entries()) await blocks.put(key, { objectBytes: 1, bytes: Uint8Array.of(index) })
    expect(await Promise.all(keys.map(async (key) => (await blocks.get(key, wholeBlock))?.bytes[0]))).toEqual(keys.map((_, index) => index))
  })

  test(`${name}: what is put again is replaced, and part of a longer answer is kept as it was`, async () => {
    const blocks = await open()
    const answer = pattern(3000)
    await blocks.put('k', { objectBytes: 3000, bytes: answer.subarray(1000, 2000) })
    expectBytes((await blocks.get('k', wholeBlock))!.bytes, answer.subarray(1000, 2000))
    await blocks.put('k', { objectBytes: 3000, bytes: answer.subarray(2000) })
    expectBytes((await blocks.get('k', wholeBlock))!.bytes, answer.subarray(2000))
  })
}
