/** What a writable handler needs, in memory: changes with a journal that is a list, bodies on a fake disk, ids that count, a clock that ticks. */
import { systemClock } from '../../shared/clock.ts'
import type { FileId, Time } from '../../shared/format/entry.ts'
import { systemRandom } from '../../shared/random.ts'
import { toFileId } from '../../shared/volume/file-id.ts'
import { LocalBodies } from '../../shim/bodies/local-bodies.ts'
import { type ChangeJournal, LocalChanges } from '../../shim/changes/local-changes.ts'
import type { Writing } from '../../shim/fs/volume-handler.ts'
import type { PromiseSettings } from '../../shim/fs/write-promises.ts'
import { prepareNow } from './bodies-bed.ts'
import { FakeSys } from './fake-sys.ts'

export class MemoryJournal implements ChangeJournal {
  records: Uint8Array[] = []
  isLong = false
  /** The next appends fail with this. */
  failure = 0

  append(record: Uint8Array): number {
    if (this.failure < 0) return this.failure
    this.records.push(record.slice())
    return 0
  }

  sync(done: (result: number) => void): void {
    done(0)
  }

  checkpoint(records: Iterable<Uint8Array>): number {
    this.records = [...records]
    return 0
  }
}

export class MemoryWriting implements Writing {
  readonly sys = new FakeSys()
  readonly journal = new MemoryJournal()
  readonly changes: LocalChanges
  readonly bodies: LocalBodies
  /** Moves on by a second with each look. */
  nowSeconds = 1_800_000_000
  #lastId = 5_000_000
  /** The file is open for writing. */
  isOpen: (id: FileId) => boolean = () => false

  readonly promises: PromiseSettings | undefined

  constructor(seq: number, promises?: PromiseSettings) {
    this.promises = promises
    this.changes = new LocalChanges({ journal: this.journal, seq, clock: systemClock, random: systemRandom, sync: (_fd, done) => done(0), isOpen: (id) => this.isOpen(id) })
    const openBase = (): never => {
      throw new Error('A base is read, and this test has none')
    }
    this.sys.mkdir('/c', 0o700)
    const bodies = LocalBodies.open({ sys: this.sys, clock: systemClock, bootId: 'boot', directory: '/c', openBase, makeRoom: () => false, prepare: (chores, done) => done(prepareNow(this.sys, chores)) })
    if (typeof bodies === 'number') throw new Error(`No bodies: ${bodies}`)
    this.bodies = bodies
  }

  readonly newId = (): ReturnType<Writing['newId']> => {
    this.#lastId += 1
    return toFileId(this.#lastId)
  }

  readonly now = (): Time => {
    this.nowSeconds += 1
    return { seconds: this.nowSeconds, nanoseconds: 5 }
  }
}
