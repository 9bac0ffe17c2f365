/**
 * Who waits until what is changed is published: `flush`, unmounting, and each fsync and close of a mount with `--durability cloud`.
 *
 * A waiter is content with a batch that was taken after it came, of everything, in which nothing was left out that it cares for.
 */
import { untilAborted } from '../../shared/abort.ts'
import type { FileId } from '../../shared/format/entry.ts'

interface Waiter {
  /** Batches that were taken before it came. */
  readonly takenCount: number
  /** Whose content it waits for; undefined: for all. */
  readonly id: FileId | undefined
  readonly resolve: () => void
  /** Batches that were published without what it waits for. */
  missedCount: number
}

/** A file that somebody waits for and that held still for none of so many batches is published as it is found. */
const missedMax = 2

export class PublishWaiters {
  readonly #waiters = new Set<Waiter>()
  #takenCount = 0
  #isAskedAnew = false

  get isEmpty(): boolean {
    return this.#waiters.size === 0
  }

  /** Somebody has come since `noteTry`. */
  get isAskedAnew(): boolean {
    return this.#isAskedAnew
  }

  /** Until it is published, or the signal fires. */
  async wait(id: FileId | undefined, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const waiter: Waiter = { takenCount: this.#takenCount, id, resolve: () => resolve(undefined), missedCount: 0 }
    this.#waiters.add(waiter)
    this.#isAskedAnew = true
    try {
      await untilAborted(promise, signal)
    } finally {
      this.#waiters.delete(waiter)
    }
  }

  noteTry(): void {
    this.#isAskedAnew = false
  }

  /** A batch of everything is being asked for. Gives its number, for `settle`. */
  noteTaken(): number {
    this.#takenCount += 1
    return this.#takenCount
  }

  /** Everything of that batch is published but these. */
  settle(taken: number, missed: ReadonlySet<FileId>): void {
    for (const waiter of this.#waiters) {
      const { takenCount, id, resolve } = waiter
      if (takenCount >= taken) continue
      if (id === undefined ? missed.size === 0 : !missed.has(id)) resolve()
      else waiter.missedCount += 1
    }
  }

  /** Files that have been waited for in vain. */
  get missed(): ReadonlySet<FileId> {
    const ids = new Set<FileId>()
    for (const { id, missedCount } of this.#waiters) if (id !== undefined && missedCount >= missedMax) ids.add(id)
    return ids
  }
}
