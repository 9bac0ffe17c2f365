/**
 * Asks the tiers in order for bytes of a pack: each under a deadline of its own and behind its breaker, a slow one twice.
 *
 * Called by the fetcher for every ranged GET. Nothing is verified here; a tier that gave wrong bytes is left out by its caller next time.
 */
import type { Clock } from '../../shared/clock.ts'
import { EdgemountError, codeOf } from '../../shared/error.ts'
import type { PackId } from '../../shared/format/entry.ts'
import { withDeadline } from '../../shared/lifetime.ts'
import type { ByteRange } from '../../shared/range.ts'
import { Breaker } from './breaker.ts'
import { Latency } from './latency.ts'
import type { Tier } from './tier.ts'

export interface TierAnswer {
  readonly tier: string
  readonly bytes: Uint8Array
}

export interface TierRequest {
  readonly pack: PackId
  readonly range: ByteRange
  readonly isDemand: boolean
  /** Names of tiers that gave wrong bytes; they are asked again only when no other is left. */
  readonly avoid: ReadonlySet<string>
  readonly signal: AbortSignal
}

export interface TierStats {
  readonly name: string
  readonly getCount: number
  readonly failureCount: number
  readonly bytes: number
}

interface Place {
  readonly tier: Tier
  readonly breaker: Breaker
  readonly latency: Latency
  getCount: number
  failureCount: number
  bytes: number
}

/** What a tier gets for a request besides a millisecond for each KiB (1 MB/s, less than which nobody would wait for). */
const tierDeadlineMsDefault = 10_000
/** Second requests: so many for each first one, saved up to so many. */
const hedgesPerRequest = 0.05
const hedgesSavedMax = 4

export class Tiers {
  readonly #places: readonly Place[]
  readonly #clock: Clock
  readonly #deadlineMs: number
  #hedgesLeft = 1
  hedgeCount = 0

  constructor(tiers: readonly Tier[], clock: Clock, deadlineMs = tierDeadlineMsDefault) {
    this.#places = tiers.map((tier) => ({ tier, breaker: new Breaker(), latency: new Latency(), getCount: 0, failureCount: 0, bytes: 0 }))
    this.#clock = clock
    this.#deadlineMs = deadlineMs
  }

  get count(): number {
    return this.#places.length
  }

  get stats(): readonly TierStats[] {
    return this.#places.map(({ tier, getCount, failureCount, bytes }) => ({ name: tier.name, getCount, failureCount, bytes }))
  }

  /** How long no tier has answered; 0 when one did. */
  get downMs(): number {
    const nowMs = this.#clock.now()
    return Math.min(...this.#places.map((place) => place.breaker.downMs(nowMs)))
  }

  /** Throws what the last tier threw; `unavailable` when none may be asked now. */
  async get(request: TierRequest): Promise<TierAnswer> {
    const fit = this.#places.filter((place) => !request.avoid.has(place.tier.name))
    const order = fit.length > 0 ? fit : this.#places
    let last: unknown
    for (const [index, place] of order.entries()) {
      if (!place.breaker.allow(this.#clock.now())) continue
      try {
        return await this.#hedged(place, order[index + 1] ?? place, request)
      } catch (error) {
        if (request.signal.aborted) throw error
        // That a pack is missing in one tier says little about the next; but it says more than that the next is away.
        if (last === undefined || codeOf(last) !== 'not-found') last = error
      }
    }
    throw last ?? new EdgemountError('unavailable', `Cannot read pack "${request.pack}": ${this.#names()} failed lately, waiting before the next try`)
  }

  #names(): string {
    return this.#places.map((place) => place.tier.name).join(', ')
  }

  /** The first place's answer, or, when that is late, the first of both. */
  async #hedged(place: Place, second: Place, request: TierRequest): Promise<TierAnswer> {
    const delayMs = request.isDemand ? place.latency.hedgeDelayMs(request.range.end - request.range.start) : undefined
    this.#hedgesLeft = Math.min(hedgesSavedMax, this.#hedgesLeft + (request.isDemand ? hedgesPerRequest : 0))
    const ending = new AbortController()
    const signal = AbortSignal.any([ending.signal, request.signal])
    const tries = [this.#ask(place, request, signal)]
    try {
      if (delayMs === undefined) return await tries[0]!
      const late = this.#clock.sleep(delayMs, signal).then(() => {
        if (this.#mayHedge(place, second)) tries.push(this.#ask(second, request, signal))
        return Promise.any(tries)
      })
      late.catch(() => undefined)
      // A failure before the delay is not waited out; one after it may still be made good by the second request.
      return await Promise.race([tries[0]!, late])
    } catch (error) {
      if (tries.length === 1 || request.signal.aborted) throw error
      return await Promise.any(tries).catch(() => Promise.reject(error))
    } finally {
      ending.abort()
    }
  }

  #mayHedge(place: Place, second: Place): boolean {
    if (this.#hedgesLeft < 1 || (second !== place && !second.breaker.allow(this.#clock.now()))) return false
    this.#hedgesLeft -= 1
    this.hedgeCount += 1
    return true
  }

  async #ask(place: Place, request: TierRequest, signal: AbortSignal): Promise<TierAnswer> {
    const { pack, range } = request
    const length = range.end - range.start
    const startedMs = this.#clock.now()
    place.getCount += 1
    try {
      const bytes = await withDeadline(this.#clock, this.#deadlineMs + length / 1024, `reading pack "${pack}" from ${place.tier.name}`, signal, (limit) =>
        place.tier.get(pack, range, limit, request.avoid.has(place.tier.name)),
      )
      place.breaker.succeeded()
      place.latency.observe(length, this.#clock.now() - startedMs)
      place.bytes += bytes.length
      return { tier: place.tier.name, bytes }
    } catch (error) {
      this.#learn(place, error, signal)
      throw error
    }
  }

  /** A tier that answers "not found" or "denied" is well. */
  #learn(place: Place, error: unknown, signal: AbortSignal): void {
    if (signal.aborted) {
      place.breaker.abandoned()
      return
    }
    const code = codeOf(error)
    place.failureCount += 1
    if (code === 'unavailable' || code === 'internal' || code === 'exhausted' || code === 'closed') place.breaker.failed(this.#clock.now())
    else place.breaker.succeeded()
  }
}
