/**
 * Time, injected. Nothing below the entries reads a clock or sets a timer by itself, so that tests own time.
 */
import { abortError } from './abort.ts'

export interface Clock {
  /** Milliseconds since 1970. May jump, so it dates things; waiting is `sleep`. */
  now(): number
  /** Resolves after `ms`; rejects when the signal fires first (`aborted`, or `unavailable` for a time-out signal). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** The longest delay setTimeout takes; a longer one would fire at once. */
const timerMsMax = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    let leftMs = ms
    while (leftMs > timerMsMax) {
      await sleepOnce(timerMsMax, signal)
      leftMs -= timerMsMax
    }
    await sleepOnce(leftMs, signal)
  },
}

/** Milliseconds, with fractions, that only ever grow: for measuring how long something took. Injected as a function where it is needed. */
export function systemMonotonicMs(): number {
  return performance.now()
}

function sleepOnce(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(abortError(signal))
      return
    }
    const onAbort = (): void => {
      clearTimeout(timer)
      reject(abortError(signal!))
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    }, ms)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
