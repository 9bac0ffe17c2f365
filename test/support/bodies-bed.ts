/** Local bodies over a disk, real or in memory, and a published version in memory below them. */
import type { ManifestRoot } from '../../shared/format/entry.ts'
import { encodeManifestPage } from '../../shared/format/manifest-shape.ts'
import type { BodyBase } from '../../shim/bodies/body-state.ts'
import { LocalBodies } from '../../shim/bodies/local-bodies.ts'
import type { BaseReader } from '../../shim/bodies/mixed-read.ts'
import { type FileSlice, Waiter } from '../../shim/fetch/waiter.ts'
import type { FileChore } from '../../shim/fs/backend.ts'
import { openFlag } from '../../shim/sys/constants.ts'
import type { Sys } from '../../shim/sys/sys.ts'
import { FakeSys } from './fake-sys.ts'
import { chunkRun, fileId } from './file-entry.ts'
import { hashOf } from './hash-of.ts'
import type { SeededRandom } from './seeded-random.ts'

export const mtime = { seconds: 1_700_000_000, nanoseconds: 123_456_789 }

/** A published version, whose reads answer at once or when `settle` is called: by chance, unless all are to be late. */
export class FakeBase implements BaseReader {
  readonly bytes: Uint8Array
  readonly #random: SeededRandom
  readonly #when: 'later' | 'by chance'
  readonly #waiting: { readonly waiter: Waiter; readonly slice: FileSlice }[] = []
  readCount = 0
  closeCount = 0

  constructor(bytes: Uint8Array, random: SeededRandom, when: 'later' | 'by chance' = 'by chance') {
    this.bytes = bytes
    this.#random = random
    this.#when = when
  }

  read(offset: number, length: number): FileSlice | number | Waiter {
    this.readCount += 1
    const slice: FileSlice = { kind: 'bytes', bytes: this.bytes.slice(offset, offset + length) }
    if (this.#when === 'by chance' && this.#random.next() % 2 === 0) return slice
    const waiter = new Waiter({ start: offset, end: offset + length }, () => undefined)
    this.#waiting.push({ waiter, slice })
    return waiter
  }

  settle(): void {
    for (const { waiter, slice } of this.#waiting.splice(0)) waiter.settle(slice)
  }

  close(): void {
    this.closeCount += 1
  }
}

export class BodiesBed<S extends Sys = Sys> {
  readonly sys: S
  readonly base: FakeBase
  nowMs = Date.UTC(2026, 0, 1)
  readonly #directory: string
  bodies: LocalBodies
  canMakeRoom = false
  /** Files are emptied and made, at once. */
  canPrepare = true
  #roomCount = 0
  /** Answers that wait for the journal; undefined: it answers at once. */
  journalWaits: ((result: number) => void)[] | undefined

  constructor(sys: S, directory: string, base: FakeBase) {
    this.sys = sys
    this.base = base
    this.#directory = directory
    this.bodies = this.reopen()
    this.bodies.endRestoring()
  }

  madeRoomCount(): number {
    return this.#roomCount
  }

  /** As after the process ended; what the journal names is to be restored next. */
  reopen(bootId = 'boot'): LocalBodies {
    const bodies = LocalBodies.open({
      sys: this.sys,
      directory: this.#directory,
      clock: { now: () => this.nowMs },
      bootId,
      openBase: () => this.base,
      makeRoom: () => {
        this.#roomCount += 1
        return this.canMakeRoom
      },
      syncJournal: (done) => {
        if (this.journalWaits === undefined) done(0)
        else this.journalWaits.push(done)
      },
      prepare: (chores, done) => {
        if (this.canPrepare) done(prepareNow(this.sys, chores))
        else done(chores.map(() => false))
      },
      openFilesMax: 2,
    })
    if (typeof bodies === 'number') throw new Error(`Cannot open the bodies: ${bodies}`)
    this.bodies = bodies
    return bodies
  }
}

/** `prepareFiles` without waiting. */
export function prepareNow(sys: Sys, chores: readonly FileChore[]): boolean[] {
  return chores.map(({ from, to }) => {
    if (to === undefined) {
      sys.unlink(from!)
      return false
    }
    const fd = sys.open(from ?? to, from === undefined ? openFlag.O_RDWR | openFlag.O_CREAT | openFlag.O_EXCL : openFlag.O_RDWR, 0o600)
    if (fd < 0) return false
    const isReady = from === undefined || (sys.takeLease(fd) === 0 && sys.rename(from, to) === 0 && sys.ftruncate(fd, 0) === 0)
    sys.close(fd)
    if (!isReady) sys.unlink(from)
    return isReady
  })
}

export function bodiesBed(sys: Sys, directory: string, base: FakeBase): BodiesBed {
  return new BodiesBed(sys, directory, base)
}

export function fakeBodiesBed(base: FakeBase): BodiesBed<FakeSys> {
  const sys = new FakeSys()
  sys.mkdir('/c', 0o700)
  return new BodiesBed(sys, '/c', base)
}

/** A version of these bytes, all of which count. */
export function baseOf(bytes: Uint8Array): BodyBase {
  const root: ManifestRoot = { kind: 'inline', page: encodeManifestPage(0, [chunkRun(hashOf(bytes), bytes.length)]), contentId: hashOf(bytes) }
  return { fileId: fileId(2000), root, size: bytes.length, length: bytes.length }
}
