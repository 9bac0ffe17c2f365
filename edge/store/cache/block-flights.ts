/**
 * Blocks on their way from the store: whoever wants one that somebody has asked for already waits for that answer. A flight ends with its last waiter.
 */
import { throwIfAborted, untilAborted } from '../../../shared/abort.ts'

interface Flight<V> {
  readonly promise: Promise<V>
  readonly controller: AbortController
  readonly keys: readonly string[]
  waiterCount: number
}

/** Like `SingleFlight`, for work that answers for several keys at once. */
export class BlockFlights<V> {
  readonly #flights = new Map<string, Flight<V>>()

  has(key: string): boolean {
    return this.#flights.has(key)
  }

  /** The flight that has the key. */
  async join(key: string, signal?: AbortSignal): Promise<V> {
    const flight = this.#flights.get(key)
    if (flight === undefined) throw new Error(`Cannot wait for "${key}": nobody fetches it`)
    return await this.#wait(flight, signal)
  }

  /** INVARIANT: none of the keys is in a flight. `work` gets the signal that fires when nobody waits any more. */
  async start(keys: readonly string[], work: (signal: AbortSignal) => Promise<V>, signal?: AbortSignal): Promise<V> {
    throwIfAborted(signal)
    const controller = new AbortController()
    const flight: Flight<V> = { promise: work(controller.signal), controller, keys, waiterCount: 0 }
    for (const key of keys) this.#flights.set(key, flight)
    const forget = (): void => this.#forget(flight)
    flight.promise.then(forget, forget)
    return await this.#wait(flight, signal)
  }

  async #wait(flight: Flight<V>, signal: AbortSignal | undefined): Promise<V> {
    flight.waiterCount += 1
    try {
      return await untilAborted(flight.promise, signal)
    } finally {
      flight.waiterCount -= 1
      if (flight.waiterCount === 0) {
        this.#forget(flight)
        flight.controller.abort()
      }
    }
  }

  #forget(flight: Flight<V>): void {
    for (const key of flight.keys) if (this.#flights.get(key) === flight) this.#flights.delete(key)
  }
}
