/**
 * How long to look for the next request before sleeping. Waking a sleeping thread costs 50 µs on a virtual machine, so a short busy wait
 * more than doubles the rate of one client at a time; it is only worth its CPU time while requests keep coming.
 *
 * And only while the client has a CPU of its own: one that shares ours runs when we sleep, and then its request is there in some 15 µs. So when requests come
 * in time, but after we have looked for them in vain, sleeping at once is tried, and kept up as long as they come sooner so.
 */

/** A gap below this, in µs, means that a client is at work: its own wake-up is part of it. */
const busyGapUs = 150
/** With two threads to wake, nothing comes as soon as this. */
const quickGapUs = 35
/** By then the window is as long as it gets. */
const missesMax = 3

export class SpinPolicy {
  readonly #leastUs: number
  readonly #mostUs: number
  #windowUs: number
  #isBusy = false
  /** The client seems to wait for our CPU. */
  #sleepsAtOnce = false
  #missCount = 0

  /** `leastUs` 0: never spin. */
  constructor(leastUs: number) {
    this.#leastUs = leastUs
    this.#mostUs = leastUs * 2.5 // 20 µs was too short in a slow hour, 50 never was
    this.#windowUs = leastUs
  }

  /** What to spend now, in µs. */
  get windowUs(): number {
    return this.#isBusy && !this.#sleepsAtOnce ? this.#windowUs : 0
  }

  /** Tells how long it took from the last answer to the next request. */
  observe(gapUs: number): void {
    const spentUs = this.windowUs
    this.#isBusy = gapUs <= busyGapUs && this.#leastUs > 0
    if (!this.#isBusy) this.#windowUs = this.#leastUs
    else if (this.#sleepsAtOnce) this.#sleepsAtOnce = gapUs <= quickGapUs
    else if (gapUs > this.#windowUs) this.#windowUs = Math.min(this.#windowUs * 1.5, this.#mostUs)
    this.#missCount = this.#isBusy && spentUs > 0 && gapUs > spentUs ? this.#missCount + 1 : 0
    if (this.#missCount < missesMax) return
    this.#missCount = 0
    this.#sleepsAtOnce = true
  }
}
