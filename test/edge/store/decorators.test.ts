/** What each decorator adds; that they keep every promise of the store they wrap is the suite's part, at the end. */
import { describe, expect, test } from 'vitest'
import { deadlineStore } from '../../../edge/store/deadline.ts'
import { type Fault, faultStore, seededFaults } from '../../../edge/store/fault.ts'
import { limitStore } from '../../../edge/store/limit.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { observeStore } from '../../../edge/store/observe.ts'
import { retryDefaults, retryStore } from '../../../edge/store/retry.ts'
import { systemClock } from '../../../shared/clock.ts'
import { EdgemountError } from '../../../shared/error.ts'
import { Metrics } from '../../../shared/metrics.ts'
import { systemRandom } from '../../../shared/random.ts'
import type { ObjectStore } from '../../../shared/store.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { type SpyStore, spyStore } from '../../support/spy-store.ts'
import { bytesAt, collect, expectBytes, failureOf, pattern, text } from '../../support/store-bytes.ts'
import { testStore } from '../../suites/store.ts'

function retrying(): SpyStore & { clock: ManualClock; retried: ObjectStore } {
  const spy = spyStore(new MemoryStore())
  const clock = new ManualClock()
  const retried = retryStore(spy.store, { ...retryDefaults, clock, random: new SeededRandom(1) })
  return { ...spy, clock, retried }
}

function faulty(...faults: (Fault | undefined)[]): { store: ObjectStore; inner: MemoryStore; clock: ManualClock } {
  const inner = new MemoryStore()
  const clock = new ManualClock()
  return { store: faultStore(inner, { clock, plan: () => faults.shift() }), inner, clock }
}

/** The faults of 2000 calls under one seed. */
function kinds(seed: number): (string | undefined)[] {
  const plan = seededFaults(new SeededRandom(seed), { error: 0.1, lost: 0.1, delay: 0.1, cut: 0.1, flip: 0.1 })
  return Array.from({ length: 2000 }, () => plan({ operation: 'get', key: 'k', signal: undefined, sentBytes: 0 })?.kind)
}

describe('retry', () => {
  test('get, list, put and delete are tried again until they go through', async () => {
    const { retried, clock, script, calls } = retrying()
    const attempts: (() => Promise<unknown>)[] = [
      () => retried.put('k', text('x')),
      () => retried.get('k'),
      () => retried.list(''),
      () => retried.delete('k'),
    ]
    for (const attempt of attempts) {
      calls.length = 0
      script.push('unavailable', 'unavailable')
      await clock.runUntil(attempt())
      expect(calls).toHaveLength(3)
    }
  })

  test('the last failure comes out after the last try, and pauses grow with a random part', async () => {
    const { retried, clock, script, calls } = retrying()
    script.push('unavailable', 'unavailable', 'unavailable', 'unavailable')
    const startedAt = clock.now()
    expect(await failureOf(clock.runUntil(retried.get('k')))).toBe('unavailable')
    expect(calls).toHaveLength(4)
    expect(clock.now() - startedAt).toBeGreaterThanOrEqual(350)
    expect(clock.now() - startedAt).toBeLessThanOrEqual(700)
  })

  test('create and replace are tried once: only the engine can tell what a lost answer meant', async () => {
    const { retried, script, calls } = retrying()
    script.push('unavailable')
    expect(await failureOf(retried.create('k', text('x')))).toBe('unavailable')
    script.push('unavailable')
    expect(await failureOf(retried.replace('k', text('x'), 'tag'))).toBe('unavailable')
    expect(calls).toEqual(['create k', 'replace k'])
  })

  test.each(['denied', 'not-found', 'conflict', 'exhausted', 'corrupt', 'aborted'] as const)('%s is not worth another try', async (code) => {
    const { retried, script, calls } = retrying()
    script.push(code)
    expect(await failureOf(retried.get('k'))).toBe(code)
    expect(calls).toHaveLength(1)
  })

  test('a body that fails is got again, and must be the same object', async () => {
    const { retried, clock, script, calls, store } = retrying()
    await store.put('k', text('one'))
    calls.length = 0
    script.push('ok', 'unavailable')
    expectBytes(await clock.runUntil(bytesAt(retried, 'k')), text('one'))
    expect(calls).toEqual(['get k', 'body k', 'get k', 'body k'])
    const found = await retried.get('k')
    await store.put('k', text('two'))
    script.push('unavailable')
    expect(await failureOf(clock.runUntil(found!.bytes()))).toBe('unavailable')
    const gone = await retried.get('k')
    await store.delete('k')
    script.push('unavailable')
    expect(await failureOf(clock.runUntil(gone!.bytes()))).toBe('not-found')
  })

  test('a caller that gives up ends the pause', async () => {
    const { retried, clock, script, calls } = retrying()
    const controller = new AbortController()
    script.push('unavailable')
    const getting = failureOf(retried.get('k', { signal: controller.signal }))
    await clock.advance(1)
    controller.abort()
    expect(await getting).toBe('aborted')
    expect(calls).toHaveLength(1)
    expect(clock.sleeperCount).toBe(0)
  })
})

describe('limit', () => {
  test('so many at once, so many waiting, one more is refused', async () => {
    const { store, script, calls } = spyStore(new MemoryStore())
    const limited = limitStore(store, { callCountMax: 2, queueCountMax: 1 })
    script.push('hang', 'hang')
    const controller = new AbortController()
    const hanging = [1, 2].map(() => failureOf(limited.get('k', { signal: controller.signal })))
    const waiting = limited.get('k')
    await new Promise((resolve) => setImmediate(resolve))
    expect(calls).toHaveLength(2)
    expect(await failureOf(limited.get('k'))).toBe('exhausted')
    controller.abort()
    await Promise.all(hanging)
    expect(await waiting).toBeUndefined()
    expect(calls).toHaveLength(3)
  })
})

describe('deadline', () => {
  test('a call that hangs ends as unavailable, its signal fires, and no timer stays', async () => {
    const { store, script } = spyStore(new MemoryStore())
    const clock = new ManualClock()
    const limited = deadlineStore(store, { clock, callMs: 1000 })
    script.push('hang')
    const outcome = limited.get('k').catch((error: unknown) => error)
    await clock.advance(999)
    expect(clock.sleeperCount).toBe(1)
    await clock.advance(1)
    expect(await outcome).toEqual(new EdgemountError('unavailable', 'Cannot get "k" in memory:: it took longer than 1000 ms'))
    expect(await failureOf(limited.list(''))).toBeUndefined()
    expect(clock.sleeperCount).toBe(0)
  })

  test('what is sent adds the time that it takes at the slowest speed', async () => {
    const { store, script } = spyStore(new MemoryStore())
    const clock = new ManualClock()
    const limited = deadlineStore(store, { clock, callMs: 1000, sentBytesPerSecondMin: 100 })
    script.push('hang')
    const outcome = failureOf(limited.put('k', new Uint8Array(250)))
    await clock.advance(3499)
    expect(clock.sleeperCount).toBe(1)
    await clock.advance(1)
    expect(await outcome).toBe('unavailable')
  })

  test('a body has a time limit of its own', async () => {
    const { store, script } = spyStore(new MemoryStore())
    const clock = new ManualClock()
    for (const bodyMs of [undefined, 3000]) {
      const limited = deadlineStore(store, bodyMs === undefined ? { clock, callMs: 1000 } : { clock, callMs: 1000, bodyMs })
      await limited.put('k', text('x'))
      const found = await limited.get('k')
      await clock.advance(5000)
      script.push('hang')
      const reading = failureOf(found!.bytes())
      await clock.advance((bodyMs ?? 1000) - 1)
      expect(clock.sleeperCount).toBe(1)
      await clock.advance(1)
      expect(await reading).toBe('unavailable')
    }
  })

  test('the caller’s own signal comes first', async () => {
    const { store, script } = spyStore(new MemoryStore())
    const limited = deadlineStore(store, { clock: new ManualClock(), callMs: 1000 })
    const controller = new AbortController()
    script.push('hang')
    const getting = failureOf(limited.get('k', { signal: controller.signal }))
    controller.abort()
    expect(await getting).toBe('aborted')
  })
})

describe('observe', () => {
  test('calls, results, bytes and time are counted', async () => {
    const { store, script } = spyStore(new MemoryStore())
    const metrics = new Metrics()
    const clock = new ManualClock()
    const observed = observeStore(store, { metrics, clock })
    await observed.create('k', pattern(1000))
    await bytesAt(observed, 'k', { start: 0, end: 10 })
    script.push('denied')
    await failureOf(observed.get('k'))
    const lines = metrics.text().split('\n')
    expect(lines).toContain('edgemount_store_calls_total{operation="create",result="ok"} 1')
    expect(lines).toContain('edgemount_store_calls_total{operation="get",result="ok"} 1')
    expect(lines).toContain('edgemount_store_calls_total{operation="get",result="denied"} 1')
    expect(lines).toContain('edgemount_store_bytes_total{direction="sent"} 1000')
    expect(lines).toContain('edgemount_store_bytes_total{direction="received"} 10')
    expect(lines).toContain('edgemount_store_call_seconds_count{operation="get"} 2')
    expect(lines).toContain('edgemount_store_calls_active 0')
  })
})

describe('fault', () => {
  test('error: the call never reached the store', async () => {
    const { store, inner } = faulty({ kind: 'error' })
    expect(await failureOf(store.create('k', text('x')))).toBe('unavailable')
    expect(await inner.get('k')).toBeUndefined()
  })

  test('lost: it did its work', async () => {
    const { store, inner } = faulty({ kind: 'lost' })
    expect(await failureOf(store.create('k', text('x')))).toBe('unavailable')
    expectBytes(await bytesAt(inner, 'k'), text('x'))
  })

  test('delay: it comes later', async () => {
    const { store, inner, clock } = faulty({ kind: 'delay', ms: 50 })
    const creating = store.create('k', text('x'))
    await clock.advance(49)
    expect(await inner.get('k')).toBeUndefined()
    await clock.advance(1)
    expect(await creating).toBe(true)
  })

  test('cut: the body fails, and its stream fails after a part', async () => {
    const { store, inner } = faulty({ kind: 'cut' }, { kind: 'cut' })
    await inner.create('k', pattern(1000))
    expect(await failureOf(bytesAt(store, 'k'))).toBe('unavailable')
    const reader = (await store.get('k'))!.stream().getReader()
    expectBytes((await reader.read()).value, pattern(1000).subarray(0, 500))
    expect(await failureOf(reader.read())).toBe('unavailable')
  })

  test('flip: one bit of the body is wrong, in either form', async () => {
    const { store, inner } = faulty({ kind: 'flip', bit: 8000 * 3 + 13 }, { kind: 'flip', bit: 13 })
    await inner.create('k', pattern(1000))
    const expected = pattern(1000)
    expected[1]! ^= 1 << 5
    expectBytes(await bytesAt(store, 'k'), expected)
    expectBytes(await collect((await store.get('k'))!.stream()), expected)
    expectBytes(await bytesAt(store, 'k'), pattern(1000))
  })

  test('the same seed makes the same storm, at about the rates asked for', () => {
    expect(kinds(1)).toEqual(kinds(1))
    expect(kinds(1)).not.toEqual(kinds(2))
    for (const kind of ['error', 'lost', 'delay', 'cut', 'flip']) {
      const share = kinds(3).filter((struck) => struck === kind).length / 2000
      expect(share).toBeGreaterThan(0.07)
      expect(share).toBeLessThan(0.13)
    }
  })
})

const metrics = new Metrics()
testStore('retry', async () => ({ store: retryStore(new MemoryStore(), { ...retryDefaults, clock: systemClock, random: systemRandom }) }))
testStore('limit', async () => ({ store: limitStore(new MemoryStore(), { callCountMax: 6, queueCountMax: 1000 }) }))
testStore('deadline', async () => ({ store: deadlineStore(new MemoryStore(), { clock: systemClock, callMs: 30_000 }) }))
testStore('observe', async () => ({ store: observeStore(new MemoryStore(), { metrics, clock: systemClock }) }))
testStore('fault, when nothing is planned', async () => ({ store: faultStore(new MemoryStore(), { clock: systemClock, plan: () => undefined }) }))
testStore('retry over limit over faults', async () => {
  const plan = seededFaults(new SeededRandom(42), { delay: 0.2, delayMsMax: 2 })
  const limited = limitStore(faultStore(new MemoryStore(), { clock: systemClock, plan }), { callCountMax: 6, queueCountMax: 1000 })
  return { store: retryStore(limited, { ...retryDefaults, clock: systemClock, random: systemRandom }) }
})
