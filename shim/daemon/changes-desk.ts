/**
 * Where the publisher's messages meet the changes, on the file-system thread: gives batches, vouches for bodies, takes in what was published, and tells how
 * much waits.
 */
import type { LocalChanges } from '../changes/local-changes.ts'
import type { Pending, Published, ToChanges, ToPublisher } from '../changes/publishing.ts'

export interface ChangesDeskParts {
  readonly changes: Pick<LocalChanges, 'takeBatch' | 'verify' | 'notPublished' | 'pending'>
  /** The handler drops what is no change any more. */
  onPublished(published: Published): void
  /** Milliseconds that only grow. */
  readonly now: () => number
  send(message: ToPublisher): void
}

const tellEveryMs = 250
/** Counting what waits looks at all of it, and may take this share of the thread's time. */
const countingShare = 0.02

export class ChangesDesk {
  readonly #parts: ChangesDeskParts
  #told: Pending | undefined
  #nextMs = -Infinity

  constructor(parts: ChangesDeskParts) {
    this.#parts = parts
  }

  receive(message: ToChanges): void {
    const { changes } = this.#parts
    switch (message.kind) {
      case 'take-batch':
        this.#giveBatch(message.isEverything)
        break
      case 'verify':
        this.#parts.send({ kind: 'verified', verified: { unchanged: changes.verify(message.ids) } })
        break
      case 'published':
        this.#parts.onPublished(message.published)
        break
      case 'not-published':
        changes.notPublished()
        break
    }
    this.#nextMs = -Infinity
  }

  tick(): void {
    if (this.#parts.now() >= this.#nextMs) this.tell()
  }

  /** How much waits, when that is not known yet. */
  tell(): void {
    const { changes, now } = this.#parts
    const startMs = now()
    const pending = changes.pending()
    const endMs = now()
    this.#nextMs = startMs + Math.max(tellEveryMs, (endMs - startMs) / countingShare)
    if (this.#told !== undefined && isSame(pending, this.#told)) return
    this.#told = pending
    this.#parts.send({ kind: 'pending', pending })
  }

  #giveBatch(isEverything: boolean): void {
    const { changes } = this.#parts
    const batch = changes.takeBatch({ isEverything })
    if (typeof batch === 'number') this.#parts.send({ kind: 'batch-failed', result: batch })
    else if (batch === undefined || 'bodies' in batch) this.#parts.send({ kind: 'batch', batch })
    else this.#parts.send({ kind: 'in-doubt', doubt: batch })
  }
}

function isSame(a: Pending, b: Pending): boolean {
  return a.counter === b.counter && a.changeCount === b.changeCount && a.dirtyBytes === b.dirtyBytes && a.dirtyFileCount === b.dirtyFileCount
}
