/**
 * How fast uploads go: bytes that were stored in the last seconds.
 */

/** Packs are stored whole, 64 MiB of them at a time: less would show a saw. */
const windowMs = 10_000

export class UploadMeter {
  readonly #now: () => number
  readonly #stored: { readonly atMs: number; readonly bytes: number }[] = []
  #bytes = 0

  constructor(now: () => number) {
    this.#now = now
  }

  /** Since the start. */
  get bytes(): number {
    return this.#bytes
  }

  get bytesPerSecond(): number {
    this.#forgetOld()
    return this.#stored.reduce((sum, { bytes }) => sum + bytes, 0) / (windowMs / 1000)
  }

  add(bytes: number): void {
    this.#forgetOld()
    this.#bytes += bytes
    this.#stored.push({ atMs: this.#now(), bytes })
  }

  #forgetOld(): void {
    const sinceMs = this.#now() - windowMs
    while (this.#stored.length > 0 && this.#stored[0]!.atMs < sinceMs) this.#stored.shift()
  }
}
