import { beforeEach, describe, expect, test } from 'vitest'
import { EdgemountError, type ErrorCode } from '../../../shared/error.ts'
import type { PackId } from '../../../shared/format/entry.ts'
import { Breaker } from '../../../shim/fetch/breaker.ts'
import { Tiers, type TierAnswer } from '../../../shim/fetch/tiers.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { PackedFiles, TestTier } from '../../support/packed-files.ts'

let clock: ManualClock
let files: PackedFiles
let pack: PackId
let edge: TestTier
let store: TestTier
let tiers: Tiers

beforeEach(async () => {
  clock = new ManualClock()
  files = new PackedFiles()
  pack = files.newPack()
  await files.add(pack, [1000])
  edge = new TestTier(files, 'edge')
  store = new TestTier(files, 'store')
  tiers = new Tiers([edge, store], clock, 1000)
})

function get(options: { isDemand?: boolean; avoid?: string[]; signal?: AbortSignal } = {}): Promise<TierAnswer> {
  const { isDemand = true, avoid = [], signal = new AbortController().signal } = options
  return clock.runUntil(tiers.get({ pack, range: { start: 0, end: 100 }, isDemand, avoid: new Set(avoid), signal }))
}

function failing(code: ErrorCode): () => Promise<never> {
  return () => Promise.reject(new EdgemountError(code, `${code}: made up`))
}

function slow(ms: number): (asked: unknown, signal: AbortSignal) => Promise<undefined> {
  return (_, signal) => clock.sleep(ms, signal).then(() => undefined)
}

test('asks the first tier, and the next when it fails', async () => {
  expect((await get()).tier).toBe('edge')
  expect(store.asked).toEqual([])
  edge.before = failing('unavailable')
  expect(await get()).toMatchObject({ tier: 'store', bytes: files.bytes(pack).slice(0, 100) })
})

test('asks the next tier when one has no such pack; nobody having it is not found, whoever else is away', async () => {
  edge.before = failing('not-found')
  expect((await get()).tier).toBe('store')
  store.before = failing('unavailable')
  await expect(get()).rejects.toMatchObject({ code: 'not-found' })
})

test('gives each tier a deadline of its own', async () => {
  edge.before = slow(60_000)
  const startedMs = clock.now()
  expect((await get()).tier).toBe('store')
  expect(clock.now() - startedMs).toBeLessThan(1100)
  expect(edge.abortedCount).toBe(1)
})

test('a tier that gave wrong bytes is asked for fresh ones: what is before it may have kept them', async () => {
  const fresh: (boolean | undefined)[] = []
  const only = new Tiers([{ name: 'edge', get: async (_pack, _range, _signal, isFresh) => (fresh.push(isFresh), new Uint8Array(100)) }], clock, 1000)
  const request = { pack, range: { start: 0, end: 100 }, isDemand: true, signal: new AbortController().signal }
  for (const avoid of [[], ['edge']]) await clock.runUntil(only.get({ ...request, avoid: new Set(avoid) }))
  expect(fresh).toEqual([false, true])
})

test('leaves out tiers to be avoided, unless no other is there', async () => {
  expect((await get({ avoid: ['edge'] })).tier).toBe('store')
  expect((await get({ avoid: ['edge', 'store'] })).tier).toBe('edge')
})

test('stops when the caller gives up, and blames nobody', async () => {
  edge.before = slow(500)
  const controller = new AbortController()
  const answer = get({ signal: controller.signal })
  controller.abort()
  await expect(answer).rejects.toMatchObject({ code: 'aborted' })
  expect(store.asked).toEqual([])
  expect(tiers.stats[0]).toMatchObject({ getCount: 1, failureCount: 0 })
})

describe('a tier that keeps failing', () => {
  test('is left alone, and probed by one request after a while', async () => {
    edge.before = failing('unavailable')
    for (let count = 0; count < 5; count += 1) await get()
    expect(edge.asked).toHaveLength(5)
    await get()
    expect(edge.asked).toHaveLength(5)
    await clock.advance(600)
    await get()
    await get()
    expect(edge.asked).toHaveLength(6)
    edge.before = undefined
    await clock.advance(2000)
    expect((await get()).tier).toBe('edge')
    expect((await get()).tier).toBe('edge')
    expect(tiers.downMs).toBe(0)
  })

  test('makes requests fail at once when there is no other', async () => {
    edge.before = failing('unavailable')
    store.before = failing('unavailable')
    for (let count = 0; count < 5; count += 1) await expect(get()).rejects.toMatchObject({ code: 'unavailable' })
    const count = edge.asked.length + store.asked.length
    await expect(get()).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('edge, store failed lately') })
    expect(edge.asked.length + store.asked.length).toBe(count)
    await clock.advance(5000)
    expect(tiers.downMs).toBeGreaterThanOrEqual(5000)
  })

  test('and answers "not found" or "denied" is well', async () => {
    edge.before = failing('denied')
    for (let count = 0; count < 10; count += 1) await get()
    expect(edge.asked).toHaveLength(10)
  })
})

describe('a slow demand', () => {
  async function warm(): Promise<void> {
    edge.before = slow(10)
    for (let count = 0; count < 30; count += 1) await get()
    edge.asked.length = 0
  }

  test('is asked of the next tier too, and the first answer wins', async () => {
    await warm()
    edge.before = slow(900)
    const startedMs = clock.now()
    expect((await get()).tier).toBe('store')
    expect(clock.now() - startedMs).toBeLessThan(50)
    expect(edge.abortedCount).toBe(1)
    expect(tiers.hedgeCount).toBe(1)
  })

  test('is asked again of the only tier', async () => {
    tiers = new Tiers([edge], clock, 1000)
    await warm()
    let count = 0
    edge.before = (asked, signal) => slow((count += 1) === 1 ? 900 : 5)(asked, signal)
    const startedMs = clock.now()
    await get()
    expect(clock.now() - startedMs).toBeLessThan(50)
    expect(edge.asked).toHaveLength(2)
  })

  test('that fails while the second is under way waits for that', async () => {
    await warm()
    edge.before = (_, signal) => clock.sleep(100, signal).then(failing('unavailable'))
    store.before = slow(200)
    expect((await get()).tier).toBe('store')
    expect(store.asked).toHaveLength(1)
  })

  test('is asked twice for one in twenty at most, and speculation never', async () => {
    await warm()
    edge.before = slow(100)
    const before = tiers.hedgeCount
    for (let count = 0; count < 200; count += 1) await get({ isDemand: false })
    expect(tiers.hedgeCount).toBe(before)
    let number = 0
    edge.before = (asked, signal) => slow((number += 1) % 2 === 0 ? 10 : 400)(asked, signal)
    for (let count = 0; count < 200; count += 1) await get()
    expect(tiers.hedgeCount - before).toBeLessThanOrEqual(16)
  })
})

test('a breaker’s pauses grow to fifteen seconds', () => {
  const breaker = new Breaker()
  let nowMs = 0
  for (let count = 0; count < 4; count += 1) breaker.failed(nowMs)
  expect(breaker.allow(nowMs)).toBe(true)
  breaker.failed(nowMs)
  const pauses: number[] = []
  for (let round = 0; round < 8; round += 1) {
    const failedMs = nowMs
    while (!breaker.allow(nowMs)) nowMs += 100
    pauses.push(nowMs - failedMs)
    expect(breaker.allow(nowMs)).toBe(false) // one probe
    breaker.failed(nowMs)
  }
  expect(pauses).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000])
  expect(breaker.downMs(nowMs)).toBe(nowMs)
})
