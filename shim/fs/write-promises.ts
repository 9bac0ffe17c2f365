/**
 * What a mount promises beyond its own journal: with `--durability cloud`, that what was synced or closed is in the volume; with `--coherence strict`, that
 * who opens sees the newest commit, and that of all mounts one alone makes a name with O_EXCL.
 *
 * Called by the handler and its writer around their operations; without such promises it calls straight through.
 */
import { errno } from '../../shared/errno.ts'
import type { Entry, FileId } from '../../shared/format/entry.ts'
import type { LocalChanges } from '../changes/local-changes.ts'
import type { Publishing } from '../changes/publishing.ts'
import type { Answer } from '../fuse/handler.ts'
import type { SnapshotMoves } from './snapshot-moves.ts'
import { afterwards, andThen } from './waiting.ts'

/** Absent: none of them. */
export interface PromiseSettings {
  readonly publishing: Publishing
  readonly isCloud: boolean
  readonly isStrict: boolean
}

export class WritePromises {
  readonly #settings: PromiseSettings | undefined
  readonly #changes: LocalChanges
  readonly #moves: SnapshotMoves

  constructor(settings: PromiseSettings | undefined, changes: LocalChanges, moves: SnapshotMoves) {
    this.#settings = settings
    this.#changes = changes
    this.#moves = moves
  }

  get isCloud(): boolean {
    return this.#settings?.isCloud === true
  }

  get isStrict(): boolean {
    return this.#settings?.isStrict === true
  }

  /** Once `answer` is there, also waits until the file is published, if that is promised. */
  published(id: FileId, answer: Answer<undefined>): Answer<undefined> {
    const settings = this.#settings
    if (settings?.isCloud !== true) return answer
    return andThen(answer, (done) => {
      if (this.#changes.isEmpty) done(0)
      else settings.publishing.publish({ counter: this.#changes.counter, id }, done)
    })
  }

  /**
   * Does it when the newest commit is shown, if that is promised. Of a file that may be different here, what is here is published first: only so is it known
   * whether it is newer than theirs.
   */
  fresh<T>(id: FileId | undefined, operation: () => Answer<T>): Answer<T> {
    const settings = this.#settings
    if (settings?.isStrict !== true) return operation()
    const { publishing } = settings
    const revalidated = (): Answer<T> => afterwards((done) => publishing.revalidate(done), operation)
    if (id === undefined || this.#changes.node(id) === undefined) return revalidated()
    return afterwards((done) => publishing.publish({ counter: this.#changes.counter, id }, done), revalidated)
  }

  /** Makes an empty file in the newest commit, and goes on when that is shown; EEXIST when the name is taken there. */
  claimed<T>(path: string, { id, mode, uid, gid }: Entry, operation: () => Answer<T>): Answer<T> {
    const settings = this.#settings
    if (settings === undefined) return -errno.EIO
    const start = (done: (result: number) => void): void => {
      settings.publishing.claim({ path, id, mode, uid, gid }, (result, seq) => {
        if (result < 0) done(result)
        else this.#moves.whenShown(seq, done)
      })
    }
    return afterwards(start, operation)
  }
}
