/**
 * Makes the bytes of bodies durable before the journal says of them what only durable bytes make true.
 *
 * Called by `LocalChanges`: for fsync, and before every sync of the journal for the bodies that took the place of another file. ext4 does that too
 * (auto_da_alloc): who saves by writing beside and renaming over finds the old or the new content after a power failure, never an empty file.
 */
import type { ChangedBody } from './edit.ts'

/** fdatasync off this thread; the descriptor stays open until `done`, which comes on this thread. */
export type SyncFile = (fd: number, done: (result: number) => void) => void

export class BodySync<Body extends ChangedBody> {
  readonly #sync: SyncFile
  #replacing = new Set<Body>()

  constructor(sync: SyncFile) {
    this.#sync = sync
  }

  /** The body took the place of another one. */
  add(body: Body): void {
    this.#replacing.add(body)
  }

  forget(body: Body): void {
    this.#replacing.delete(body)
  }

  /** Those that were added. One that fails is tried again with the next sync. */
  syncAdded(done: (result: number) => void): void {
    const bodies = this.#replacing
    this.#replacing = new Set()
    this.sync([...bodies], (result) => {
      if (result < 0) for (const body of bodies) this.#replacing.add(body)
      done(result)
    })
  }

  /** `done` gets 0, or the first failure when all are through. */
  sync(bodies: readonly Body[], done: (result: number) => void): void {
    let left = 1
    let result = 0
    const end = (code: number): void => {
      if (result === 0 && code < 0) result = code
      left -= 1
      if (left === 0) done(result)
    }
    for (const body of bodies) {
      this.#replacing.delete(body)
      left += 1
      const fd = body.hold()
      if (fd < 0) end(fd)
      else
        this.#sync(fd, (code) => {
          body.letGo()
          end(code)
        })
    }
    end(0)
  }
}
