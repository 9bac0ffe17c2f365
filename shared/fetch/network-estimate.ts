/**
 * What a request to the network costs lately, as the file-system thread sees it. Shared by all readers; pure.
 */

const firstRttMs = 20
/** The least of the last few is the round trip; the others waited in queues or carried more bytes. */
const sampleCount = 32

export class NetworkEstimate {
  readonly #samples: number[] = []
  #next = 0

  /** Time from asking to the first bytes. */
  observe(elapsedMs: number): void {
    this.#samples[this.#next] = Math.max(0, elapsedMs)
    this.#next = (this.#next + 1) % sampleCount
  }

  get rttMs(): number {
    return this.#samples.length === 0 ? firstRttMs : Math.max(1, Math.min(...this.#samples))
  }
}
