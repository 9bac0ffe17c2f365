/**
 * How long to look for the next request before sleeping. Waking a sleeping thread costs 50 µs on a virtual machine, so a short busy wait
 * more than doubles the rate of one client at a time; it is only worth its CPU time while requests keep coming.
 */

/** A gap below this, in µs, means that a client is at work: its own wake-up is part of it. */
const busyGapUs = 150

export class SpinPolicy {
  readonly #leastUs: number
  readonly #mostUs: number
  #windowUs: number
  #isBusy = false

  /** `leastUs` 0: never spin. */
  constructor(leastUs: number) {
    this.#leastUs = leastUs
    this.#mostUs = leastUs * 2.5 // 20 µs was too short in a slow hour, 50 never was
    this.#windowUs = leastUs
  }

  /** What to spend now, in µs. */
  get windowUs(): number {
    return this.#isBusy ? this.#windowUs : 0
  }

  /** Tells how long it took from the last answer to the next request. */
  observe(gapUs: number): void {
    this.#isBusy = gapUs <= busyGapUs && this.#leastUs > 0
    if (!this.#isBusy) this.#windowUs = this.#leastUs
    else if (gapUs > this.#windowUs) this.#windowUs = Math.min(this.#windowUs * 1.5, this.#mostUs)
  }
}
