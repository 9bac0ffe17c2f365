/**
 * Stops asking a tier that keeps failing, and tries it again now and then with one request. Pure.
 */

const failuresToOpen = 5
const firstOpenMs = 500
const openMsMax = 15_000

export class Breaker {
  #failureCount = 0
  #openMs = 0
  #openUntilMs = -Infinity
  #isProbing = false
  /** When the failures began that have not ended yet. */
  #downSinceMs: number | undefined

  /** May it be asked now? One that may and is open is being probed: its outcome must be told. */
  allow(nowMs: number): boolean {
    if (this.#failureCount < failuresToOpen) return true
    if (this.#isProbing || nowMs < this.#openUntilMs) return false
    this.#isProbing = true
    return true
  }

  /** How long it has been failing; 0 when its last answer was good. */
  downMs(nowMs: number): number {
    return this.#downSinceMs === undefined ? 0 : nowMs - this.#downSinceMs
  }

  succeeded(): void {
    this.#failureCount = 0
    this.#openMs = 0
    this.#isProbing = false
    this.#downSinceMs = undefined
  }

  failed(nowMs: number): void {
    this.#downSinceMs ??= nowMs
    this.#failureCount += 1
    this.#isProbing = false
    if (this.#failureCount < failuresToOpen) return
    this.#openMs = Math.min(openMsMax, Math.max(firstOpenMs, this.#openMs * 2))
    this.#openUntilMs = nowMs + this.#openMs
  }

  /** The request was given up by its caller: nothing was learnt. */
  abandoned(): void {
    this.#isProbing = false
  }
}
