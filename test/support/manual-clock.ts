/** A clock that stands still until the test moves it. */
import { abortError } from '../../shared/abort.ts'
import type { Clock } from '../../shared/clock.ts'

interface Sleeper {
  readonly wakeAt: number
  readonly wake: () => void
}

export class ManualClock implements Clock {
  #now: number
  readonly #sleepers = new Set<Sleeper>()

  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#now = startMs
  }

  now(): number {
    return this.#now
  }

  get sleeperCount(): number {
    return this.#sleepers.size
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(abortError(signal))
        return
      }
      const onAbort = (): void => {
        this.#sleepers.delete(sleeper)
        reject(abortError(signal!))
      }
      const wake = (): void => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }
      const sleeper: Sleeper = { wakeAt: this.#now + ms, wake }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#sleepers.add(sleeper)
    })
  }

  /** Moves time on, waking sleepers in the order of their times; what they do at once (promises, no I/O) is done before this resolves. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms
    for (;;) {
      await settle()
      const next = [...this.#sleepers].filter((sleeper) => sleeper.wakeAt <= until).toSorted((a, b) => a.wakeAt - b.wakeAt)[0]
      if (next === undefined) break
      this.#now = Math.max(this.#now, next.wakeAt)
      this.#sleepers.delete(next)
      next.wake()
    }
    this.#now = until
    await settle()
  }

  /** Moves time to the next sleeper, again and again, until the promise settles: for code that backs off. */
  async runUntil<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false
    const watch = promise.then(
      () => (isSettled = true),
      () => (isSettled = true),
    )
    for (;;) {
      await settle()
      if (isSettled) break
      const wakeAt = Math.min(...Array.from(this.#sleepers, (sleeper) => sleeper.wakeAt))
      if (wakeAt !== Infinity) await this.advance(Math.max(0, wakeAt - this.#now))
    }
    await watch
    return promise
  }
}

/** Lets everything run that is ready. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
