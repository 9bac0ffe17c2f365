import { describe, expect, test } from 'vitest'
import { EdgemountError } from '../../shared/error.ts'
import { Lifetime, Limiter, SingleFlight, deadline, withDeadline } from '../../shared/lifetime.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { failureOf } from '../support/store-bytes.ts'

/** Work that a test ends when it likes. */
function pending<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void } {
  return Promise.withResolvers<T>()
}

function fail(): Promise<number> {
  return Promise.reject(new EdgemountError('corrupt', 'x'))
}

function throwing(): Promise<number> {
  throw new EdgemountError('invalid', 'at once')
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

describe('Limiter', () => {
  test('holders and waiters are counted, and waiters come in order', async () => {
    const limiter = new Limiter('tests', { limit: 2, queueMax: 10 })
    const releases = [await limiter.acquire(), await limiter.acquire()]
    const order: number[] = []
    const waiting = [1, 2, 3].map((index) => limiter.run(async () => order.push(index)))
    expect([limiter.activeCount, limiter.waitingCount]).toEqual([2, 3])
    releases[0]!()
    releases[0]!()
    await Promise.all(waiting)
    expect(order).toEqual([1, 2, 3])
    expect(limiter.activeCount).toBe(1)
    releases[1]!()
    expect(limiter.activeCount).toBe(0)
  })

  test('nobody overtakes the queue', async () => {
    const limiter = new Limiter('tests', { limit: 1, queueMax: 10 })
    const release = await limiter.acquire()
    const order: string[] = []
    const first = limiter.run(async () => order.push('queued'))
    release()
    const second = limiter.run(async () => order.push('late'))
    await Promise.all([first, second])
    expect(order).toEqual(['queued', 'late'])
  })

  test('a full queue is exhausted', async () => {
    const limiter = new Limiter('requests', { limit: 1, queueMax: 1 })
    const release = await limiter.acquire()
    const waiting = limiter.run(async () => undefined)
    await expect(limiter.acquire()).rejects.toThrow('Cannot queue for "requests": 1 are waiting already')
    expect(await failureOf(limiter.acquire())).toBe('exhausted')
    release()
    await waiting
  })

  test('who gives up leaves the queue, and a failure frees the place', async () => {
    const limiter = new Limiter('tests', { limit: 1, queueMax: 10 })
    const release = await limiter.acquire()
    const controller = new AbortController()
    const waiting = failureOf(limiter.acquire(controller.signal))
    controller.abort()
    expect(await waiting).toBe('aborted')
    expect(limiter.waitingCount).toBe(0)
    release()
    expect(await failureOf(limiter.run(() => Promise.reject(new EdgemountError('stale', 'x'))))).toBe('stale')
    expect(limiter.activeCount).toBe(0)
    expect(await failureOf(limiter.acquire(controller.signal))).toBe('aborted')
    expect(limiter.activeCount).toBe(0)
  })

  test('closed: waiters and newcomers are refused, holders end as usual', async () => {
    const limiter = new Limiter('tests', { limit: 1, queueMax: 10 })
    const release = await limiter.acquire()
    const waiting = failureOf(limiter.acquire())
    limiter.close()
    expect(await waiting).toBe('closed')
    expect(await failureOf(limiter.acquire())).toBe('closed')
    release()
    expect(limiter.activeCount).toBe(0)
  })
})

describe('deadline', () => {
  test('fires after its time with a sentence', async () => {
    const clock = new ManualClock()
    const { signal } = deadline(clock, 100, 'read "x"')
    await clock.advance(99)
    expect(signal.aborted).toBe(false)
    await clock.advance(1)
    expect(signal.reason).toEqual(new EdgemountError('unavailable', 'Cannot read "x": it took longer than 100 ms'))
  })

  test('fires with its parent, also with one that had fired', () => {
    const clock = new ManualClock()
    const parent = new AbortController()
    const limit = deadline(clock, 100, 'x', parent.signal)
    const reason = new EdgemountError('closed', 'over')
    parent.abort(reason)
    expect(limit.signal.reason).toBe(reason)
    expect(deadline(clock, 100, 'x', parent.signal).signal.aborted).toBe(true)
  })

  test('disposed: the timer is gone, the parent is still heeded', async () => {
    const clock = new ManualClock()
    const parent = new AbortController()
    const limit = deadline(clock, 100, 'x', parent.signal)
    limit.dispose()
    await clock.advance(1000)
    expect(limit.signal.aborted).toBe(false)
    expect(clock.sleeperCount).toBe(0)
    parent.abort()
    expect(limit.signal.aborted).toBe(true)
  })

  test('withDeadline frees its caller even when the work heeds nothing', async () => {
    const clock = new ManualClock()
    const working = failureOf(withDeadline(clock, 100, 'x', undefined, () => new Promise(() => {})))
    await clock.advance(100)
    expect(await working).toBe('unavailable')
    expect(await withDeadline(clock, 100, 'x', undefined, async () => 'done')).toBe('done')
    expect(clock.sleeperCount).toBe(0)
    expect(await failureOf(withDeadline(clock, 100, 'x', AbortSignal.abort(), async () => 'never'))).toBe('aborted')
    expect(clock.sleeperCount).toBe(0)
  })
})

describe('SingleFlight', () => {
  test('callers with one key share one piece of work', async () => {
    const flights = new SingleFlight<string, number>()
    const work = pending<number>()
    let startCount = 0
    const start = (): Promise<number> => {
      startCount += 1
      return work.promise
    }
    const callers = [flights.run('k', start), flights.run('k', start), flights.run('other', async () => 9)]
    expect(flights.has('k')).toBe(true)
    work.resolve(7)
    expect(await Promise.all(callers)).toEqual([7, 7, 9])
    expect(startCount).toBe(1)
    expect(flights.size).toBe(0)
  })

  test('a failure reaches all who wait, and is not kept', async () => {
    const flights = new SingleFlight<string, number>()
    expect(await Promise.all([failureOf(flights.run('k', fail)), failureOf(flights.run('k', fail))])).toEqual(['corrupt', 'corrupt'])
    expect(await flights.run('k', async () => 1)).toBe(1)
    expect(await failureOf(flights.run('k', throwing))).toBe('invalid')
    expect(flights.size).toBe(0)
  })

  test('one who leaves does not stop the others; the last one does', async () => {
    const flights = new SingleFlight<string, number>()
    const signals: AbortSignal[] = []
    const work = (signal: AbortSignal): Promise<number> => {
      signals.push(signal)
      return new Promise(() => {})
    }
    const [first, second] = [new AbortController(), new AbortController()]
    const callers = [failureOf(flights.run('k', work, first.signal)), failureOf(flights.run('k', work, second.signal))]
    first.abort()
    expect(await callers[0]).toBe('aborted')
    expect(signals[0]!.aborted).toBe(false)
    second.abort()
    expect(await callers[1]).toBe('aborted')
    expect(signals[0]!.aborted).toBe(true)
    expect(flights.size).toBe(0)
  })

  test('who comes after the last one left starts anew, and the old work cannot disturb it', async () => {
    const flights = new SingleFlight<string, string>()
    const old = pending<string>()
    const controller = new AbortController()
    const leaving = failureOf(flights.run('k', () => old.promise, controller.signal))
    controller.abort()
    await leaving
    const fresh = pending<string>()
    const caller = flights.run('k', () => fresh.promise)
    old.resolve('old')
    await settle()
    expect(flights.has('k')).toBe(true)
    fresh.resolve('fresh')
    expect(await caller).toBe('fresh')
  })

  test('a caller whose signal has fired starts nothing', async () => {
    const flights = new SingleFlight<string, number>()
    expect(await failureOf(flights.run('k', async () => 1, AbortSignal.abort()))).toBe('aborted')
    expect(flights.size).toBe(0)
  })
})

describe('Lifetime', () => {
  test('everything ends, last first, once', async () => {
    const lifetime = new Lifetime('tests')
    const ended: string[] = []
    await lifetime.defer(() => ended.push('first'))
    await lifetime.defer(async () => {
      await settle()
      ended.push('second')
    })
    expect(lifetime.isDisposed).toBe(false)
    await Promise.all([lifetime.dispose(), lifetime.dispose()])
    expect(ended).toEqual(['second', 'first'])
  })

  test('its signal fires before the first ending', async () => {
    const lifetime = new Lifetime('tests')
    let wasFired = false
    await lifetime.defer(() => (wasFired = lifetime.signal.aborted))
    await lifetime.dispose()
    expect(wasFired).toBe(true)
    expect(lifetime.signal.reason).toMatchObject({ code: 'closed' })
  })

  test('a failing end does not stop the others', async () => {
    const lifetime = new Lifetime('tests')
    const ended: string[] = []
    await lifetime.defer(() => ended.push('first'))
    await lifetime.defer(() => Promise.reject(new Error('one')))
    await expect(lifetime.dispose()).rejects.toThrow('one')
    expect(ended).toEqual(['first'])
    const worse = new Lifetime('more')
    await worse.defer(() => Promise.reject(new Error('one')))
    await worse.defer(() => {
      throw new Error('two')
    })
    await expect(worse.dispose()).rejects.toThrow('Cannot shut down "more" cleanly: 2 parts failed')
  })

  test('what comes too late is ended at once and refused', async () => {
    const lifetime = new Lifetime('tests')
    await lifetime.dispose()
    let isEnded = false
    expect(await failureOf(lifetime.defer(() => (isEnded = true)))).toBe('closed')
    expect(isEnded).toBe(true)
    expect(() => lifetime.throwIfDisposed()).toThrow('Cannot use "tests": it is shut down')
  })
})
