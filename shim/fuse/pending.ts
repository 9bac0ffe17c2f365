/**
 * Requests that a handler has deferred, by the kernel's number of the request.
 */
import { errno } from '../../shared/errno.ts'
import type { Deferred } from './handler.ts'
import type { Call } from './operation.ts'

export interface PendingRequest {
  readonly call: Call
  readonly deferred: Deferred<unknown>
}

export class PendingRequests {
  readonly #requests = new Map<number, PendingRequest>()

  get count(): number {
    return this.#requests.size
  }

  add(request: PendingRequest): void {
    this.#requests.set(keyOf(request.call.uniqueLow, request.call.uniqueHigh), request)
  }

  /** Takes a request out; false when it is not there (any more). */
  remove(call: Call): boolean {
    return this.#requests.delete(keyOf(call.uniqueLow, call.uniqueHigh))
  }

  /**
   * The kernel's reader was killed or got a signal. False when no such request waits: it may be answered already, or not have come yet.
   * A handler that has nothing to stop is not asked.
   */
  interrupt(uniqueLow: number, uniqueHigh: number): boolean {
    const request = this.#requests.get(keyOf(uniqueLow, uniqueHigh))
    if (request === undefined) return false
    if (request.deferred.onInterrupt === undefined) request.deferred.settle(-errno.EINTR)
    else request.deferred.onInterrupt()
    return true
  }

  /** Takes out all; their answers may still settle, to no effect. */
  takeAll(): PendingRequest[] {
    const all = [...this.#requests.values()]
    this.#requests.clear()
    return all
  }

  /** Empties the table; the deferred answers may still settle, to no effect. */
  clear(): void {
    this.#requests.clear()
  }
}

/** Request numbers count up from 2; below 2^53 they are exact. */
function keyOf(uniqueLow: number, uniqueHigh: number): number {
  return uniqueLow + uniqueHigh * 4294967296
}
