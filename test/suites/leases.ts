/**
 * What leases promise, over any store: one holder at a time, and no epoch twice. A store's test file calls `testLeases`; each racer has a `Leases` of its own, as
 * edges do.
 */
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Clock, systemClock } from '../../shared/clock.ts'
import { codeOf } from '../../shared/error.ts'
import type { ObjectStore } from '../../shared/store.ts'
import { leaseMarginMs } from '../../shared/volume/lease.ts'
import { Leases } from '../../shared/volume/leases.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import type { StoreUnderTest } from './store.ts'

const racersCount = 64
const leaseMs = 60_000

export function testLeases(name: string, open: () => Promise<StoreUnderTest>): void {
  const fresh = async (): Promise<ObjectStore> => {
    const { store, dispose } = await open()
    if (dispose !== undefined) onTestFinished(dispose)
    return store
  }

  describe(`leases: ${name}`, () => {
    test(`of ${racersCount} who acquire at once one has it: a new one, a released one, one that ran out`, async () => {
      const store = await fresh()
      const first = await race(store, 0)
      expect(first.epochs).toEqual([1])
      expect(new Set(first.codes)).toEqual(new Set(['conflict']))
      await leasesAt(store, 0).ask('writer', { action: 'release', holder: first.winners[0]!, epoch: 1 })
      expect((await race(store, 0, 8)).epochs).toEqual([2])
      // While it runs nobody else gets it.
      expect((await race(store, leaseMs / 2, 8)).epochs).toEqual([])
      const last = await race(store, leaseMs + leaseMarginMs + 60_000)
      expect(last.epochs).toEqual([3])
      expect(await leasesAt(store, 0).read('writer')).toMatchObject({ epoch: 3, holder: last.winners[0], isReleased: false })
    })

    test('the one before is stale as soon as another has it', async () => {
      const store = await fresh()
      const early = leasesAt(store, 0)
      const { epoch } = await early.ask('writer', { action: 'acquire', holder: 'a', nonce: 'a1', leaseMs })
      expect(await early.ask('writer', { action: 'fence', epoch })).toMatchObject({ epoch: 1, leftMs: expect.any(Number) })
      await early.ask('writer', { action: 'renew', holder: 'a', epoch, leaseMs })
      const late = leasesAt(store, leaseMs + leaseMarginMs + 60_000)
      expect(await late.ask('writer', { action: 'acquire', holder: 'b', nonce: 'b1', leaseMs })).toMatchObject({ epoch: 2, holder: 'b' })
      for (const action of ['renew', 'release', 'fence'] as const) {
        expect(await failureOf(early.ask('writer', { action, holder: 'a', epoch, leaseMs }))).toBe('stale')
      }
      expect(await late.ask('writer', { action: 'fence', epoch: 2 })).toMatchObject({ holder: 'b' })
    })
  })
}

/** As an edge whose clock is so far ahead would have them. */
function leasesAt(store: ObjectStore, aheadMs: number, seed = 1): Leases {
  const clock: Clock = { now: () => systemClock.now() + aheadMs, sleep: (ms, signal) => systemClock.sleep(ms, signal) }
  return new Leases({ store, clock, random: new SeededRandom(seed) })
}

async function race(store: ObjectStore, aheadMs: number, count = racersCount): Promise<{ epochs: number[]; winners: string[]; codes: string[] }> {
  const results = await Promise.all(Array.from({ length: count }, async (_, racer) => {
    const holder = `racer ${racer}`
    const leases = leasesAt(store, aheadMs, racer)
    return await leases.ask('writer', { action: 'acquire', holder, nonce: `${aheadMs}-${racer}-${Math.random()}`, leaseMs }).catch(codeOf)
  }))
  const won = results.filter((result) => typeof result !== 'string')
  return { epochs: won.map(({ epoch }) => epoch), winners: won.map(({ holder }) => holder), codes: results.filter((result) => typeof result === 'string') }
}

async function failureOf(promise: Promise<unknown>): Promise<string> {
  return await promise.then(() => 'none', codeOf)
}
