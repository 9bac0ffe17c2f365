/**
 * A bounded number of files under way. The first failure that is not about one file ends them all.
 */
export class Jobs {
  readonly #limit: number
  readonly #running = new Set<Promise<void>>()
  #failure: { readonly error: unknown } | undefined

  constructor(limit: number) {
    this.#limit = Math.max(1, limit)
  }

  /** Waits for a place, then starts the work and comes back. Throws what an earlier job threw. */
  async start(work: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#limit) await Promise.race(this.#running)
    this.#throwIfFailed()
    const job: Promise<void> = work()
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .finally(() => this.#running.delete(job))
    this.#running.add(job)
  }

  /** Resolves when nothing runs any more, failed or not. */
  async settle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  async drain(): Promise<void> {
    await this.settle()
    this.#throwIfFailed()
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }
}
