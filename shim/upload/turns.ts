/**
 * Lets timers, signals and sockets have their turn now and then. Work whose bytes are all in memory never waits for anything, so without this Ctrl-C and
 * the progress line would wait for its end.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'

/** Longer than a turn costs, shorter than a person notices. */
const turnMs = 15

export class Turns {
  readonly #now: () => number
  #lastMs: number

  /** `now` as `systemMonotonicMs`. */
  constructor(now: () => number) {
    this.#now = now
    this.#lastMs = now()
  }

  /** Undefined most of the time; await it when there is something to await. */
  due(): Promise<void> | undefined {
    const nowMs = this.#now()
    if (nowMs - this.#lastMs < turnMs) return undefined
    this.#lastMs = nowMs
    return nextTurn()
  }
}
