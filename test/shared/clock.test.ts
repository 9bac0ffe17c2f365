import { expect, test, vi } from 'vitest'
import { abortError, throwIfAborted, untilAborted } from '../../shared/abort.ts'
import { systemClock, systemMonotonicMs } from '../../shared/clock.ts'
import { EdgemountError } from '../../shared/error.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { failureOf } from '../support/store-bytes.ts'

test('the system clock tells the time and sleeps', async () => {
  const before = systemClock.now()
  expect(Math.abs(before - Date.now())).toBeLessThan(1000)
  await systemClock.sleep(10)
  expect(systemClock.now() - before).toBeGreaterThanOrEqual(9)
})

test('monotonic time only grows', () => {
  const times = Array.from({ length: 1000 }, systemMonotonicMs)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
})

test('sleep ends with its signal, and takes its timer along', async () => {
  vi.useFakeTimers()
  try {
    const controller = new AbortController()
    const sleeping = failureOf(systemClock.sleep(1000, controller.signal))
    expect(vi.getTimerCount()).toBe(1)
    controller.abort()
    expect(await sleeping).toBe('aborted')
    expect(vi.getTimerCount()).toBe(0)
    expect(await failureOf(systemClock.sleep(1000, controller.signal))).toBe('aborted')
    expect(vi.getTimerCount()).toBe(0)
  } finally {
    vi.useRealTimers()
  }
})

test('a sleep longer than a timer takes does not end at once', async () => {
  vi.useFakeTimers()
  try {
    let isOver = false
    const sleeping = systemClock.sleep(2 ** 31 + 1000).then(() => (isOver = true))
    await vi.advanceTimersByTimeAsync(2 ** 31 + 999)
    expect(isOver).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    await sleeping
    expect(isOver).toBe(true)
  } finally {
    vi.useRealTimers()
  }
})

test('the manual clock wakes sleepers in the order of their times', async () => {
  const clock = new ManualClock(0)
  const woken: number[] = []
  const sleepers = [30, 10, 20].map(async (ms) => {
    await clock.sleep(ms)
    woken.push(clock.now())
  })
  await clock.advance(25)
  expect(woken).toEqual([10, 20])
  expect(clock.now()).toBe(25)
  await clock.advance(5)
  await Promise.all(sleepers)
  expect(woken).toEqual([10, 20, 30])
})

test('what a fired signal becomes', () => {
  expect(abortError(AbortSignal.abort())).toMatchObject({ code: 'aborted' })
  expect(abortError(AbortSignal.abort(new DOMException('late', 'TimeoutError')))).toMatchObject({ code: 'unavailable' })
  expect(abortError(AbortSignal.abort('tired'))).toMatchObject({ code: 'aborted', message: 'Cannot go on: the caller gave up (tired)' })
  const own = new EdgemountError('closed', 'x')
  expect(abortError(AbortSignal.abort(own))).toBe(own)
  expect(() => throwIfAborted(AbortSignal.abort(own))).toThrow(own)
  expect(() => throwIfAborted(new AbortController().signal)).not.toThrow()
})

test('untilAborted gives whichever comes first, and leaves no listener', async () => {
  const controller = new AbortController()
  const add = vi.spyOn(controller.signal, 'addEventListener')
  const remove = vi.spyOn(controller.signal, 'removeEventListener')
  expect(await untilAborted(Promise.resolve(1), controller.signal)).toBe(1)
  expect(await failureOf(untilAborted(Promise.reject(new EdgemountError('stale', 'x')), controller.signal))).toBe('stale')
  const waiting = failureOf(untilAborted(new Promise(() => {}), controller.signal))
  controller.abort()
  expect(await waiting).toBe('aborted')
  expect(remove.mock.calls.length).toBeGreaterThanOrEqual(add.mock.calls.length - 1)
})
