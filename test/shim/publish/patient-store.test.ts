import { expect, test } from 'vitest'
import { type FaultPlan, faultStore } from '../../../edge/store/fault.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { EdgemountError, messageOf } from '../../../shared/error.ts'
import { PatientStore } from '../../../shim/publish/patient-store.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { notingStore, utf8 } from '../../support/test-volume.ts'

interface Bed {
  readonly store: PatientStore
  readonly clock: ManualClock
  readonly calls: string[]
  readonly outcomes: string[]
  readonly end: AbortController
  stored: number
}

function makeBed(plan: FaultPlan): Bed {
  const clock = new ManualClock()
  const end = new AbortController()
  const outcomes: string[] = []
  const { store, calls } = notingStore(faultStore(new MemoryStore(), { clock, plan }))
  const bed: Bed = {
    store: new PatientStore({
      store,
      clock,
      random: new SeededRandom(1),
      signal: end.signal,
      onOutcome: (error) => outcomes.push(error === undefined ? 'works' : messageOf(error)),
      onStored: (bytes) => (bed.stored += bytes),
    }),
    clock,
    calls,
    outcomes,
    end,
    stored: 0,
  }
  return bed
}

/** Fails that often, then works. */
function failing(times: number, kind: 'error' | 'lost' = 'error'): FaultPlan {
  let left = times
  return ({ operation }) => (operation === 'create' && (left -= 1) >= 0 ? { kind } : undefined)
}

test('a pack is stored sooner or later, however long that takes', async () => {
  const bed = makeBed(failing(20))
  const startMs = bed.clock.now()
  expect(await bed.clock.runUntil(bed.store.create('data/d1', utf8('bytes')))).toBe(true)
  expect(bed.calls).toHaveLength(21)
  expect(bed.outcomes.at(-1)).toBe('works')
  expect(bed.stored).toBe(5)
  // The pauses do not grow beyond half a minute.
  expect(bed.clock.now() - startMs).toBeLessThan(20 * 30_000)
})

test('a pack whose answer was lost is one that was stored', async () => {
  const bed = makeBed(failing(1, 'lost'))
  expect(await bed.clock.runUntil(bed.store.create('meta/m1', utf8('bytes')))).toBe(true)
  expect(bed.calls).toEqual(['create meta/m1', 'create meta/m1'])
})

test('a slot of the log is tried once: the engine looks who has it', async () => {
  const bed = makeBed(failing(1))
  await expect(bed.store.create('log/1', utf8('record'))).rejects.toMatchObject({ code: 'unavailable' })
  expect(bed.calls).toEqual(['create log/1'])
  expect(bed.outcomes).toEqual([])
})

test('who waits has a pause ended', async () => {
  const bed = makeBed(failing(8))
  const storing = bed.store.create('data/d1', utf8('bytes'))
  for (let tries = 1; tries <= 8; tries += 1) {
    await bed.clock.advance(0)
    expect(bed.calls).toHaveLength(tries)
    bed.store.nudge()
  }
  expect(await storing).toBe(true)
})

test('patience ends with the mount', async () => {
  const bed = makeBed(failing(Infinity))
  const storing = bed.store.create('data/d1', utf8('bytes'))
  storing.catch(() => undefined)
  await bed.clock.advance(10_000)
  bed.end.abort(new EdgemountError('closed', 'Cannot upload: the mount ends'))
  await expect(storing).rejects.toMatchObject({ code: 'closed' })
  await expect(bed.store.create('data/d2', utf8('bytes'))).rejects.toMatchObject({ code: 'closed' })
})
