import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ByteRange } from '../../../shared/range.ts'
import { Governor, type Plan } from '../../../shared/fetch/governor.ts'
import { SpeculationBudget } from '../../../shared/fetch/speculation-budget.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

const KiB = 1024
const MiB = 1024 * KiB
const GiB = 1024 * MiB

interface Read {
  readonly at: number
  readonly length?: number
  readonly isHit?: boolean
}

class Trace {
  readonly budget: SpeculationBudget
  readonly governor: Governor
  nowMs = 1000
  readonly speculated: ByteRange[] = []
  readonly cancelled: ByteRange[] = []

  constructor(fileSize = GiB, budgetBytes = GiB) {
    this.budget = new SpeculationBudget(budgetBytes)
    this.governor = new Governor(fileSize, this.budget)
  }

  /** Reads of 128 KiB unless said, 1 ms apart, hits unless said. */
  read(...reads: (Read | number)[]): Plan {
    let plan: Plan = { speculate: [], cancel: [] }
    for (const item of reads) {
      const { at, length = 128 * KiB, isHit = true } = typeof item === 'number' ? { at: item } : item
      this.nowMs += 1
      plan = this.governor.observe({ offset: at, length, isHit, nowMs: this.nowMs, rttMs: 50 })
      this.speculated.push(...plan.speculate)
      this.cancelled.push(...plan.cancel)
    }
    return plan
  }

  get speculatedBytes(): number {
    return this.speculated.reduce((sum, range) => sum + range.end - range.start, 0)
  }
}

describe('a forward reader', () => {
  test('at a file’s start has the next megabyte fetched, then a window from the second read on', () => {
    const trace = new Trace()
    expect(trace.read(0)).toEqual({ speculate: [{ start: 128 * KiB, end: MiB }], cancel: [] })
    expect(trace.read(128 * KiB).speculate).toEqual([])
    // The window of 1 MiB has room for a request of 1 MiB when the reader has come to the end of the first.
    expect(trace.read(256 * KiB, 384 * KiB, 512 * KiB, 640 * KiB, 768 * KiB).speculate).toEqual([])
    expect(trace.read(896 * KiB).speculate).toEqual([{ start: MiB, end: 2 * MiB }])
  })

  test('who reads the same bytes again and again gets nothing', () => {
    const trace = new Trace()
    for (let count = 0; count < 20; count += 1) trace.read({ at: 10 * MiB, length: 900 * KiB, isHit: false })
    expect(trace.speculated).toEqual([])
  })

  test('elsewhere gets nothing for its first read', () => {
    const trace = new Trace()
    expect(trace.read(10 * MiB).speculate).toEqual([])
    expect(trace.read(10 * MiB + 128 * KiB).speculate).toEqual([{ start: 10 * MiB + 256 * KiB, end: 11 * MiB + 256 * KiB }])
  })

  test('is not confused by the kernel’s reordering, nor by gaps up to 512 KiB', () => {
    const trace = new Trace()
    const order = [1, 0, 2, 4, 3, 5, 7, 6, 9, 8, 11, 10, 12, 13, 15, 14]
    trace.read(...order.map((index) => 64 * MiB + index * 128 * KiB))
    expect(trace.speculatedBytes).toBeGreaterThanOrEqual(2 * MiB)
    expect(trace.cancelled).toEqual([])
    for (const range of trace.speculated) expect(range.start).toBeGreaterThanOrEqual(64 * MiB)
    const before = trace.speculated.length
    trace.read(...[0, 1, 2, 3, 4, 5].map((index) => 66 * MiB + 512 * KiB + index * 600 * KiB))
    expect(trace.speculated.length).toBeGreaterThan(before)
    expect(trace.cancelled).toEqual([])
  })

  test('that stalls gets a window four times as large, at most once per round trip, then in larger requests', () => {
    const trace = new Trace()
    trace.read({ at: 0, isHit: false }, { at: 128 * KiB, isHit: false }, { at: 256 * KiB, isHit: false })
    expect(trace.governor.aheadBytes).toBe(640 * KiB + 3 * MiB) // 4 MiB in requests of 1 MiB
    trace.read({ at: 384 * KiB, isHit: false })
    expect(trace.governor.aheadBytes).toBe(512 * KiB + 3 * MiB) // not again in the same round trip
    trace.nowMs += 60
    trace.read({ at: 512 * KiB, isHit: false })
    expect(trace.governor.aheadBytes).toBeGreaterThan(14 * MiB)
    expect(trace.governor.aheadBytes).toBeLessThanOrEqual(16 * MiB)
    for (const range of trace.speculated) expect(range.end - range.start).toBeLessThanOrEqual(MiB)
  })

  test('never has more ahead than the file has', () => {
    const trace = new Trace(3 * MiB)
    for (let at = 0; at < 3 * MiB; at += 128 * KiB) trace.read({ at, isHit: false })
    expect(Math.max(...trace.speculated.map((range) => range.end))).toBe(3 * MiB)
    expect(trace.governor.aheadBytes).toBe(0)
    expect(trace.budget.reservedBytes).toBe(0)
  })
})

test('a backward reader has what lies before fetched, and nothing before the start', () => {
  const trace = new Trace()
  trace.read(...[7, 6, 5, 4].map((index) => 20 * MiB + index * 128 * KiB))
  expect(trace.speculated[0]).toEqual({ start: 19 * MiB + 640 * KiB, end: 20 * MiB + 640 * KiB })
  const low = new Trace()
  low.read(...[3, 2, 1, 0].map((index) => index * 128 * KiB))
  for (const range of low.speculated) expect(range.start).toBeGreaterThanOrEqual(0)
})

test('a reader of columns has the next ones fetched, from the third equal step on', () => {
  const trace = new Trace()
  const column = { length: 64 * KiB }
  trace.read({ at: 5 * MiB, ...column }, { at: 9 * MiB, ...column })
  expect(trace.speculated).toEqual([])
  expect(trace.read({ at: 13 * MiB, ...column }).speculate).toEqual(
    [17, 21, 25, 29].map((at) => ({ start: at * MiB, end: at * MiB + 64 * KiB })),
  )
  expect(trace.read({ at: 17 * MiB, ...column }).speculate).toEqual([{ start: 33 * MiB, end: 33 * MiB + 64 * KiB }])
  const down = new Trace()
  down.read(...[100, 90, 80].map((at) => ({ at: at * MiB, ...column })))
  expect(down.speculated[0]).toEqual({ start: 70 * MiB, end: 70 * MiB + 64 * KiB })
})

const quietSeeds = new Set<number>()

test('a random reader of 4 KiB gets nothing, whatever it meets twice', () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const random = new SeededRandom(seed)
    const trace = new Trace(100 * MiB)
    for (let count = 0; count < 1000; count += 1) trace.read({ at: (1 + (random.next() % 25_000)) * 4 * KiB, length: 4 * KiB, isHit: false })
    // One or two of a thousand may fall next to each other; what that starts is small, and it is not repeated.
    expect(trace.speculatedBytes, `seed ${seed}`).toBeLessThanOrEqual(3 * MiB)
    if (trace.speculatedBytes === 0) quietSeeds.add(seed)
  }
  expect(quietSeeds.size).toBeGreaterThan(10)
  const same = new Trace(100 * MiB)
  for (let count = 0; count < 100; count += 1) same.read({ at: 40 * MiB, length: 4 * KiB, isHit: count > 0 })
  expect(same.speculated).toEqual([])
})

test('two readers of one handle are two streams, and neither cancels the other', () => {
  const trace = new Trace()
  const burst = (base: number, round: number): number[] => Array.from({ length: 8 }, (_, index) => base + (round * 8 + index) * 128 * KiB)
  for (let round = 0; round < 6; round += 1) trace.read(...burst(0, round), ...burst(500 * MiB, round))
  const cancelsOfFirstRound = trace.cancelled.length
  const isFirst = (range: ByteRange): boolean => range.start < 500 * MiB
  expect(trace.speculated.filter(isFirst).at(-1)!.end).toBeGreaterThanOrEqual(6 * MiB)
  expect(trace.speculated.filter((range) => !isFirst(range)).at(-1)!.end).toBeGreaterThanOrEqual(506 * MiB)
  for (let round = 6; round < 12; round += 1) trace.read(...burst(0, round), ...burst(500 * MiB, round))
  expect(trace.cancelled.length).toBe(cancelsOfFirstRound)
})

test('after a seek what was ahead is given up as soon as the reader goes on there; closing gives up the rest', () => {
  const trace = new Trace()
  trace.read(0, 128 * KiB)
  expect(trace.read(700 * MiB).cancel).toEqual([])
  expect(trace.read(700 * MiB + 128 * KiB).cancel).toEqual([{ start: 256 * KiB, end: MiB }])
  expect(trace.budget.reservedBytes).toBe(MiB)
  expect(trace.governor.close().cancel).toEqual([{ start: 700 * MiB + 256 * KiB, end: 701 * MiB + 256 * KiB }])
  expect(trace.budget.reservedBytes).toBe(0)
  expect(trace.read(0, 128 * KiB)).toEqual({ speculate: [], cancel: [] })
})

test('a reader whose streams keep being abandoned has to prove itself longer', () => {
  const trace = new Trace()
  const seek = (number: number): number => number * number * 5 * MiB
  for (let number = 1; number <= 6; number += 1) trace.read(seek(number), seek(number) + 128 * KiB)
  const early = trace.speculatedBytes
  for (let number = 7; number <= 12; number += 1) trace.read(seek(number), seek(number) + 128 * KiB)
  expect(trace.speculatedBytes).toBe(early)
  expect(early).toBeLessThanOrEqual(3 * MiB)
})

test('reservations never pass the budget and are all released, whatever is read', () => {
  const read = fc.record({
    handle: fc.nat(2),
    base: fc.nat(15),
    step: fc.nat(40),
    isHit: fc.boolean(),
    length: fc.constantFrom(4 * KiB, 128 * KiB, MiB),
  })
  fc.assert(
    fc.property(fc.array(read, { maxLength: 300, size: 'max' }), (reads) => {
      const budget = new SpeculationBudget(20 * MiB)
      const governors = [0, 1, 2].map(() => new Governor(200 * MiB, budget))
      let nowMs = 0
      for (const { handle, base, step, isHit, length } of reads) {
        nowMs += 7
        const { speculate } = governors[handle]!.observe({ offset: base * 8 * MiB + step * length, length, isHit, nowMs, rttMs: 10 })
        expect(budget.reservedBytes).toBeLessThanOrEqual(20 * MiB)
        expect(budget.reservedBytes).toBe(governors.reduce((sum, governor) => sum + governor.aheadBytes, 0))
        for (const range of speculate) {
          expect(range.start).toBeGreaterThanOrEqual(0)
          expect(range.end).toBeGreaterThan(range.start)
          expect(range.end).toBeLessThanOrEqual(200 * MiB)
        }
      }
      for (const governor of governors) governor.close()
      expect(budget.reservedBytes).toBe(0)
    }),
  )
})
