/**
 * Places for requests that hold their body in memory: so many at once, the others wait in line for a limited time.
 */
import type { Clock } from '../../shared/clock.ts'
import { EdgemountError, messageOf } from '../../shared/error.ts'
import { Limiter, deadline, isLate } from '../../shared/lifetime.ts'

/** Longer than a client that sends nothing keeps its place (`body.ts`): the dead ones make room for those behind them. */
const queueMs = 40_000
/** A request that waits holds its headers alone. */
const queueMax = 1000

export class BodyPlaces {
  readonly #what: string
  readonly #clock: Clock
  readonly #limiter: Limiter

  constructor(what: string, { clock, limit }: { readonly clock: Clock; readonly limit: number }) {
    this.#what = what
    this.#clock = clock
    this.#limiter = new Limiter(what, { limit, queueMax })
  }

  /** Runs `work` in a place of its own. Throws `unavailable` when none became free in time, `exhausted` when too many wait. */
  async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const limit = deadline(this.#clock, queueMs, `find a place among the ${this.#what}`, signal)
    let release: () => void
    try {
      release = await this.#limiter.acquire(limit.signal)
    } catch (error) {
      // It is this edge that is busy, and not its store that is silent.
      throw isLate(error) ? new EdgemountError('unavailable', messageOf(error)) : error
    } finally {
      limit.dispose()
    }
    try {
      return await work()
    } finally {
      release()
    }
  }
}
