/**
 * Makes the bytes of bodies durable before the journal says of them what only durable bytes make true.
 *
 * Called by `LocalChanges`: for fsync, and before every sync of the journal for the bodies that dependent records speak of. ext4 does that too
 * (auto_da_alloc): who saves by writing beside and renaming over finds the old or the new content after a power failure, never an empty file.
 *
 * INVARIANT: a body that was added waits until a sync has succeeded that began after that, whoever asked for it.
 */
import type { FileId } from '../../shared/format/entry.ts'
import type { SyncFile } from '../bodies/body-file.ts'
import type { ChangedBody } from './edit.ts'

/** Each has its file open meanwhile. */
const atOnceMax = 64

export class BodySync<Body extends ChangedBody> {
  readonly #sync: SyncFile
  readonly #bodyOf: (id: FileId) => Body | undefined
  /** Each with the file whose body it is; another object when it was added again. */
  readonly #added = new Map<Body, { readonly id: FileId }>()

  /** `bodyOf`: what a file has now. One that is removed, or published and in the store, has none any more, and nothing of it needs to be durable here. */
  constructor(sync: SyncFile, bodyOf: (id: FileId) => Body | undefined) {
    this.#sync = sync
    this.#bodyOf = bodyOf
  }

  /** A dependent record speaks of what the file's body has now. */
  add(id: FileId): void {
    const body = this.#bodyOf(id)
    if (body !== undefined) this.#added.set(body, { id })
  }

  /** Those that were added. One that fails is tried again with the next sync. */
  syncAdded(done: (result: number) => void): void {
    for (const [body, { id }] of this.#added) if (this.#bodyOf(id) !== body) this.#added.delete(body)
    this.sync([...this.#added.keys()], done)
  }

  /** `done` gets 0, or the first failure when all are through. */
  sync(bodies: readonly Body[], done: (result: number) => void): void {
    let startedCount = 0
    let endedCount = 0
    let result = 0
    let isStarting = false
    const start = (): void => {
      isStarting = true
      while (startedCount < bodies.length && startedCount - endedCount < atOnceMax) {
        startedCount += 1
        this.#syncOne(bodies[startedCount - 1]!, end)
      }
      isStarting = false
      if (endedCount === bodies.length) done(result)
    }
    const end = (code: number): void => {
      if (result === 0 && code < 0) result = code
      endedCount += 1
      if (!isStarting) start()
    }
    start()
  }

  #syncOne(body: Body, end: (result: number) => void): void {
    const added = this.#added.get(body)
    body.sync(this.#sync, (result) => {
      if (result === 0 && added !== undefined && this.#added.get(body) === added) this.#added.delete(body)
      end(result)
    })
  }
}
