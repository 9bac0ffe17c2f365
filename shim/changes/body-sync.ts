/**
 * Makes the bytes of bodies durable before the journal says of them what only durable bytes make true.
 *
 * Called by `LocalChanges`: for fsync, and before every sync of the journal for the bodies that took the place of another file. ext4 does that too
 * (auto_da_alloc): who saves by writing beside and renaming over finds the old or the new content after a power failure, never an empty file.
 */
import type { FileId } from '../../shared/format/entry.ts'
import type { SyncFile } from '../bodies/body-file.ts'
import type { ChangedBody } from './edit.ts'

export class BodySync<Body extends ChangedBody> {
  readonly #sync: SyncFile
  readonly #bodyOf: (id: FileId) => Body | undefined
  #replacing = new Set<FileId>()

  /** `bodyOf`: what a file has now. One that is removed, or published and in the store, has none any more, and nothing of it needs to be durable here. */
  constructor(sync: SyncFile, bodyOf: (id: FileId) => Body | undefined) {
    this.#sync = sync
    this.#bodyOf = bodyOf
  }

  /** The file took the place of another one. */
  add(id: FileId): void {
    this.#replacing.add(id)
  }

  /** Those that were added. One that fails is tried again with the next sync. */
  syncAdded(done: (result: number) => void): void {
    const ids = this.#replacing
    this.#replacing = new Set()
    const bodies = [...ids].map(this.#bodyOf).filter((body) => body !== undefined)
    this.sync(bodies, (result) => {
      if (result < 0) for (const id of ids) this.#replacing.add(id)
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
      left += 1
      body.sync(this.#sync, end)
    }
    end(0)
  }
}
