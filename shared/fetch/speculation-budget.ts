/**
 * How many bytes may be fetched ahead of all readers together. Governors reserve before they plan and release what was read or given up.
 *
 * INVARIANT: the sum of what is reserved never passes the limit, and is zero when all governors are closed.
 */
export class SpeculationBudget {
  readonly limitBytes: number
  #reservedBytes = 0

  constructor(limitBytes: number) {
    this.limitBytes = limitBytes
  }

  get reservedBytes(): number {
    return this.#reservedBytes
  }

  /** All or nothing. */
  reserve(bytes: number): boolean {
    if (this.#reservedBytes + bytes > this.limitBytes) return false
    this.#reservedBytes += bytes
    return true
  }

  release(bytes: number): void {
    this.#reservedBytes -= bytes
  }
}
