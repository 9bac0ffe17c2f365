import { describe, expect, test } from 'vitest'
import { type Fault, faultStore } from '../../../edge/store/fault.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import type { PackId, Pointer } from '../../../shared/format/entry.ts'
import { newPackId } from '../../../shared/format/pack-id.ts'
import { packKey } from '../../../shared/volume/keys.ts'
import { PageStore, segmentBytes } from '../../../shared/volume/page-store.ts'
import { hashOf } from '../../support/hash-of.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { expectBytes, nodeHash, notingStore, randomBytes } from '../../support/test-volume.ts'

const packBytes = randomBytes(1, 3 * segmentBytes + 1000)
const id: PackId = newPackId('meta', new ManualClock(), new SeededRandom(1))

function at(offset: number, length: number, pack = id): Pointer {
  return { hash: hashOf(packBytes.subarray(offset, offset + length)), pack, offset, length }
}

describe('a page', () => {
  test('is fetched with its neighbours, once', async () => {
    const { pages, calls } = await storeOf()
    const [a, b] = [at(0, 1000), at(200_000, 30_000)]
    expect(pages.source(a)).toBe(undefined)
    expectBytes(await pages.load(a), packBytes.subarray(0, 1000))
    expectBytes(await pages.load(b), packBytes.subarray(200_000, 230_000))
    expect(calls).toEqual([`get ${packKey(id)}`])
    expect(pages.source(a)).toBe(await pages.load(a))
  })

  test('across the border of two segments is put together', async () => {
    const { pages, calls } = await storeOf()
    const pointer = at(segmentBytes - 1000, 100_000)
    expectBytes(await pages.load(pointer), packBytes.subarray(segmentBytes - 1000, segmentBytes + 99_000))
    expect(calls).toHaveLength(2)
    expectBytes(pages.source(pointer)!, packBytes.subarray(segmentBytes - 1000, segmentBytes + 99_000))
  })

  test('at the end of its pack is found in a short segment', async () => {
    const { pages } = await storeOf()
    const pointer = at(packBytes.length - 1000, 1000)
    expectBytes(await pages.load(pointer), packBytes.subarray(packBytes.length - 1000))
  })

  test('that many ask for is fetched once, and goes on while one still waits', async () => {
    const { pages, calls } = await storeOf()
    const stop = new AbortController()
    const asked = Array.from({ length: 10 }, (_, index) => pages.load(at(0, 1000), index === 3 ? stop.signal : undefined))
    stop.abort()
    const answers = await Promise.allSettled(asked)
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(9)
    expect(calls).toHaveLength(1)
  })
})

describe('bad bytes', () => {
  test('on the way are fetched again', async () => {
    const { pages, calls } = await storeOf({ faults: [{ kind: 'flip', bit: 999 }] })
    expectBytes(await pages.load(at(0, 1000)), packBytes.subarray(0, 1000))
    expect(calls).toHaveLength(2)
  })

  test('at rest are corrupt, never kept, and harm no other page', async () => {
    const { pages, inner } = await storeOf()
    const damaged = packBytes.slice()
    damaged[500]! ^= 1
    await inner.put(packKey(id), damaged)
    const message = `Cannot read the page at bytes 0 to 1000 of "${packKey(id)}": they do not match the hash ${at(0, 1000).hash}`
    await expect(pages.load(at(0, 1000))).rejects.toMatchObject({ code: 'corrupt', message })
    expectBytes(await pages.load(at(1000, 1000)), packBytes.subarray(1000, 2000))
    await inner.put(packKey(id), packBytes)
    expectBytes(await pages.load(at(0, 1000)), packBytes.subarray(0, 1000))
  })

  test('under a pointer that says something else are not given for it', async () => {
    const { pages } = await storeOf()
    await pages.load(at(0, 1000))
    const wrong = { ...at(0, 1000), hash: hashOf('wrong') }
    expect(pages.source(wrong)).toBe(undefined)
    await expect(pages.load(wrong)).rejects.toMatchObject({ code: 'corrupt' })
  })

  test('are a pack that is missing or too short', async () => {
    const { pages, inner } = await storeOf()
    await inner.put(packKey(id), packBytes.subarray(0, 500))
    await expect(pages.load(at(0, 1000))).rejects.toMatchObject({ code: 'corrupt' })
    await inner.delete(packKey(id))
    await expect(pages.load(at(0, 1000))).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining('is missing') as string })
  })
})

test('a failure is not kept', async () => {
  const { pages } = await storeOf({ faults: [{ kind: 'error' }] })
  await expect(pages.load(at(0, 1000))).rejects.toMatchObject({ code: 'unavailable' })
  expectBytes(await pages.load(at(0, 1000)), packBytes.subarray(0, 1000))
})

test('the cache keeps within its bytes, dropping what was used longest ago', async () => {
  const { pages, calls } = await storeOf({ cacheBytesMax: 3 * segmentBytes })
  const first = at(0, 1000)
  const second = at(segmentBytes, 1000)
  const straddling = at(2 * segmentBytes - 500, 1000)
  await pages.load(first)
  await pages.load(second)
  pages.source(first)
  await pages.load(straddling)
  await pages.load(at(3 * segmentBytes, 500))
  expect(pages.heldBytes).toBeLessThanOrEqual(3 * segmentBytes)
  expect(pages.source(first) ?? pages.source(second)).toBeDefined()
  const before = calls.length
  expectBytes(await pages.load(second), packBytes.subarray(segmentBytes, segmentBytes + 1000))
  expectBytes(await pages.load(first), packBytes.subarray(0, 1000))
  expect(calls.length).toBeGreaterThan(before)
  expect(pages.heldBytes).toBeLessThanOrEqual(3 * segmentBytes)
})

test('what was just written needs no request', async () => {
  const { pages, calls } = await storeOf()
  pages.seed(id, packBytes)
  expectBytes(await pages.load(at(segmentBytes - 10, 1000)), packBytes.subarray(segmentBytes - 10, segmentBytes + 990))
  expect(calls).toEqual([])
})

async function storeOf(options: { cacheBytesMax?: number; faults?: Fault[] } = {}): Promise<{ pages: PageStore; calls: string[]; inner: MemoryStore }> {
  const { cacheBytesMax, faults = [] } = options
  const inner = new MemoryStore()
  await inner.create(packKey(id), packBytes)
  const { store, calls } = notingStore(faultStore(inner, { clock: new ManualClock(), plan: ({ operation }) => (operation === 'get' ? faults.shift() : undefined) }))
  return { pages: new PageStore({ store, hash: nodeHash, cacheBytesMax }), calls, inner }
}
