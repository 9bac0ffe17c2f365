/**
 * The journal of a writable mount with the bodies that it names, and the changes that follow from both. Made in two steps, because the journal says which
 * snapshot its changes were made from, and only with that snapshot they can be shown.
 */
import path from 'node:path'
import { systemClock, systemMonotonicMs } from '../../shared/clock.ts'
import { errno } from '../../shared/errno.ts'
import { EdgemountError } from '../../shared/error.ts'
import type { FileId } from '../../shared/format/entry.ts'
import type { Logger } from '../../shared/log.ts'
import { systemRandom } from '../../shared/random.ts'
import { LocalBodies } from '../bodies/local-bodies.ts'
import type { Cache } from '../cache/cache.ts'
import type { LocalChanges } from '../changes/local-changes.ts'
import { recoverChanges, replayChanges } from '../changes/recover.ts'
import type { Replay } from '../changes/replay.ts'
import type { Backend } from '../fs/backend.ts'
import type { CachedBodies } from '../fs/cached-bodies.ts'
import { Journal } from '../journal/journal.ts'
import { linuxSys } from '../sys/linux-sys.ts'

export interface OpenedJournalParts {
  readonly directory: string
  readonly cache: Cache
  readonly published: CachedBodies
  readonly volumeId: string
  readonly bootId: string
  readonly backend: Backend
  readonly log: Logger
}

/** What the journal had at the start, for the status. */
export interface Recovered {
  readonly recordCount: number
  readonly nameCount: number
  readonly inodeCount: number
  readonly bodyCount: number
  /** Files whose bytes never reached the disk: they hold what was published last. */
  readonly lost: readonly string[]
  /** Of the journal, that could not be read. */
  readonly cutBytes: number
  readonly tookMs: number
}

const lostListedMax = 100

export class OpenedJournal {
  readonly journal: Journal
  readonly bodies: LocalBodies
  /** The snapshot that its changes were made from; undefined: it has none. */
  readonly baseSeq: number | undefined
  readonly #parts: OpenedJournalParts
  /** Set before anybody asks: the file is open for writing. */
  isOpen: (id: FileId) => boolean = () => false
  /** Until it is recovered. */
  #replayed: Replay | undefined
  #changes: LocalChanges | undefined
  #recovered: Recovered | undefined
  #replayMs = 0
  /** Nobody waits for another thread any more. */
  #isClosing = false

  constructor(parts: OpenedJournalParts) {
    this.#parts = parts
    const { directory, cache, published, volumeId, bootId, backend, log } = parts
    this.journal = Journal.open({
      sys: linuxSys,
      directory: journalDirectory(directory),
      volumeId,
      bootId,
      random: systemRandom,
      log,
      sync: (fd, done) => backend.sync(fd, done),
      beforeSync: (done) => {
        // Nobody knows yet of which files it speaks.
        if (this.#changes === undefined) done(-errno.EAGAIN)
        else this.#changes.syncDependent(done)
      },
    })
    const bodies = LocalBodies.open({
      sys: linuxSys,
      clock: systemClock,
      bootId,
      directory,
      openBase: (base, label) => published.openBase(base, label),
      makeRoom: () => cache.makeRoom(),
      reserve: (bytes) => cache.reserve(bytes),
      prepare: (chores, done) => backend.prepare(chores, done),
      syncJournal: (done) => {
        if (this.#changes === undefined) done(-errno.EAGAIN)
        else this.#changes.sync([], done)
      },
    })
    if (typeof bodies === 'number') {
      this.journal.close()
      throw new EdgemountError('unavailable', `Cannot keep what is written in "${directory}": error ${-bodies}`)
    }
    this.bodies = bodies
    const startMs = systemMonotonicMs()
    try {
      this.#replayed = replayChanges((visit) => this.journal.replay(visit))
    } catch (error) {
      this.bodies.close()
      this.journal.close()
      throw error
    }
    this.#replayMs = systemMonotonicMs() - startMs
    this.baseSeq = this.#replayed.seq
  }

  /** Undefined: the journal had nothing. */
  get recovered(): Recovered | undefined {
    return this.#recovered
  }

  /** The changes as the journal has them, over the snapshot `seq`. Once. */
  recover(seq: number): LocalChanges {
    const startMs = systemMonotonicMs()
    const { backend, cache, log, directory } = this.#parts
    const parts = {
      journal: this.journal,
      makeRoom: () => cache.makeRoom(),
      clock: systemClock,
      random: systemRandom,
      seq,
      sync: (fd: number, done: (result: number) => void) => {
        if (this.#isClosing) done(linuxSys.fsync(fd))
        else backend.sync(fd, done)
      },
      isOpen: (id: FileId) => this.isOpen(id),
    }
    if (this.#replayed === undefined) throw new EdgemountError('internal', `Cannot recover the changes in "${directory}": that was done`)
    const replayed = this.#replayed
    this.#replayed = undefined
    const found = recoverChanges(parts, replayed, (state, noted) => this.bodies.restore(state, noted))
    this.bodies.endRestoring()
    this.#changes = found.changes
    const { recordCount, nameCount, inodeCount, bodyCount, lost } = found
    const cutBytes = this.journal.cuts.reduce((sum, { byteCount }) => sum + byteCount, 0)
    if (nameCount + inodeCount + cutBytes > 0) {
      const tookMs = Math.round(this.#replayMs + systemMonotonicMs() - startMs)
      this.#recovered = { recordCount, nameCount, inodeCount, bodyCount, lost: lost.slice(0, lostListedMax), cutBytes, tookMs }
    }
    if (nameCount + inodeCount > 0) {
      log.warn(`Found changes in "${directory}" that were not published: ${nameCount} names, ${inodeCount} files, ${bodyCount} of them with content. They are published from now on, or at once by: edgemount flush`, { seq })
      for (const label of lost) log.error(`What was written to "${label}" last never reached the disk before it lost power: the file is as it was published last`)
    }
    return found.changes
  }

  /** True when it is to be called again soon. */
  tick(nowMs: number): boolean {
    this.journal.tick(nowMs)
    return this.bodies.tick() || this.bodies.isGrowing
  }

  /** Call it once. `discards`: nothing of it is left for the next mount; nor is it when everything is published. */
  close(discards: boolean): void {
    const isEmpty = this.#changes?.pending().changeCount === 0
    this.#isClosing = true
    if (discards || isEmpty) this.journal.remove()
    else this.journal.close()
    this.bodies.close()
  }
}

export function journalDirectory(directory: string): string {
  return path.join(directory, 'journal')
}
