/**
 * Changes over a real journal and real bodies on a disk that loses power. What is synced off the thread waits until the test lets it go on; nothing is ever
 * published.
 */
import type { Entry, FileId } from '../../shared/format/entry.ts'
import { silentLogger } from '../../shared/log.ts'
import { fileIdsFrom, rootFileId } from '../../shared/volume/file-id.ts'
import type { LocalBodies } from '../../shim/bodies/local-bodies.ts'
import type { LocalBody } from '../../shim/bodies/local-body.ts'
import type { NodePut } from '../../shim/changes/edit.ts'
import type { LocalChanges } from '../../shim/changes/local-changes.ts'
import { recoverChanges, replayChanges } from '../../shim/changes/recover.ts'
import { Waiter } from '../../shim/fetch/waiter.ts'
import { Journal } from '../../shim/journal/journal.ts'
import { openFlag } from '../../shim/sys/constants.ts'
import { BodiesBed, FakeBase, baseOf } from './bodies-bed.ts'
import { FakeSys } from './fake-sys.ts'
import { ManualClock } from './manual-clock.ts'
import { SeededRandom } from './seeded-random.ts'
import { utf8 } from './test-volume.ts'

const time = { seconds: 1_700_000_000, nanoseconds: 0 }

export class PowerBed {
  readonly sys = new FakeSys()
  readonly random: SeededRandom
  readonly #clock = new ManualClock(1_700_000_000_000)
  readonly #newId: () => FileId
  readonly #bed: BodiesBed<FakeSys>
  /** Steps of syncs that are under way. */
  #steps: (() => void)[] = []
  #boot = 1
  #nowMs = 0
  journal: Journal
  changes: LocalChanges

  constructor(seed: number, base = new Uint8Array(0)) {
    this.random = new SeededRandom(seed)
    this.#newId = fileIdsFrom(this.random)
    this.sys.mkdir('/c', 0o700)
    this.#bed = new BodiesBed(this.sys, '/c', new FakeBase(base, this.random))
    this.#bed.canPrepare = false
    // As after the first sync of anything: the directories are there.
    this.sys.fsync(this.sys.open('/c', openFlag.O_RDONLY, 0))
    this.journal = this.#openJournal()
    this.changes = this.#recover()
  }

  get bodies(): LocalBodies {
    return this.#bed.bodies
  }

  create(name: string, text: string): LocalBody {
    const body = this.bodies.create(time)
    if (typeof body === 'number') throw new Error(`create: ${body}`)
    if (text !== '') body.write(0, utf8(text))
    const entry = this.entry(this.#newId())
    this.#apply([{ directoryId: rootFileId, name, to: { id: entry.id, kind: 'file' }, base: undefined }], [{ entry, base: undefined, body }])
    return body
  }

  /** As it is known to the changes: `size` is of no account once there is a body. */
  entry(id: FileId, size = 0): Entry {
    const content: Entry['content'] = { kind: 'inline', bytes: new Uint8Array(0) }
    return { kind: 'file', id, mode: 0o644, uid: 0, gid: 0, mtime: time, ctime: time, size, linkCount: 1, xattrs: new Map(), content }
  }

  /** A file over published bytes, of which nothing is here. */
  createPartial(name: string, bytes: Uint8Array): LocalBody {
    const body = this.bodies.createPartial(baseOf(bytes), time)
    if (typeof body === 'number') throw new Error(`create: ${body}`)
    const entry = this.entry(this.#newId(), bytes.length)
    this.#apply([{ directoryId: rootFileId, name, to: { id: entry.id, kind: 'file' }, base: undefined }], [{ entry, base: undefined, body }])
    return body
  }

  /** A published file that is opened for writing: its body holds what is published. */
  openPublished(name: string, text: string): FileId {
    const body = this.bodies.create(time)
    if (typeof body === 'number') throw new Error(`create: ${body}`)
    if (body.write(0, utf8(text)) < 0 || body.setMtime(time) < 0) throw new Error('It cannot be filled')
    const entry: Entry = { ...this.entry(this.#newId(), utf8(text).length), content: { kind: 'inline', bytes: utf8(text) } }
    const to = { id: entry.id, kind: 'file' as const }
    this.#apply([{ directoryId: rootFileId, name, to, base: to }], [{ entry, base: entry, body, isClean: true }])
    return entry.id
  }

  /** As a write through the handler. */
  write(name: string, offset: number, bytes: Uint8Array): void {
    const id = this.idOf(name)
    const body = this.changes.node(id)?.body
    const wasPartial = body?.isWhole === false
    const written = body?.write(offset, bytes)
    if (written !== bytes.length) throw new Error(`write: ${written}`)
    const noted = this.changes.noteWritten(id, offset, offset + written, wasPartial)
    if (noted !== 0) throw new Error(`note: ${noted}`)
  }

  /** What programs read. */
  bytes(name: string): Uint8Array {
    let answer = this.changes.node(this.idOf(name))?.body?.read(0, 2 ** 20)
    if (answer instanceof Waiter) {
      answer.listen((slice) => (answer = slice))
      this.#bed.base.settle()
    }
    if (answer === undefined || typeof answer === 'number' || answer instanceof Waiter) throw new Error(`Cannot read "${name}"`)
    if (answer.kind === 'bytes') return answer.bytes.slice()
    const bytes = new Uint8Array(answer.length)
    return bytes.subarray(0, this.sys.pread(answer.fd, bytes, answer.offset))
  }

  rename(from: string, to: string): void {
    const names = [
      { directoryId: rootFileId, name: from, to: undefined, base: undefined },
      { directoryId: rootFileId, name: to, to: { id: this.idOf(from), kind: 'file' as const }, base: undefined },
    ]
    this.#apply(names, [])
  }

  remove(name: string): void {
    this.#apply([{ directoryId: rootFileId, name, to: undefined, base: undefined }], [])
  }

  /** As an open with O_TRUNC does of a file that nobody else has open. */
  empty(name: string): LocalBody {
    const body = this.bodies.create(time)
    if (typeof body === 'number') throw new Error(`create: ${body}`)
    const id = this.idOf(name)
    const old = this.changes.node(id)?.body
    this.#apply([], [{ entry: this.entry(id), base: undefined, body }])
    if (old !== undefined) this.bodies.discard(old)
    return body
  }

  idOf(name: string): FileId {
    const target = this.changes.target(rootFileId, name)
    if (target === undefined || target === null) throw new Error(`"${name}" is not there`)
    return target.id
  }

  /** Undefined: there is no such name. '': it is empty, or its body is lost. */
  text(name: string): string | undefined {
    const target = this.changes.target(rootFileId, name)
    if (target === undefined || target === null) return undefined
    const path = this.changes.node(target.id)?.body?.path
    return path === undefined ? '' : new TextDecoder().decode(this.sys.readFile(path))
  }

  /** What is synced off the thread goes on by so many steps: each sync is two, the disk's and the answer. */
  proceed(count: number): void {
    for (let index = 0; index < count; index += 1) this.#steps.shift()?.()
  }

  syncAll(): void {
    const results: number[] = []
    this.changes.sync([], (result) => results.push(result))
    this.proceed(10_000)
    if (results[0] !== 0) throw new Error(`sync: ${results.join(', ')}`)
  }

  /** Some seconds go by; what is due by itself is begun. */
  wait(): void {
    for (let count = 0; count < 7; count += 1) this.journal.tick((this.#nowMs += 1000))
  }

  restart(how: 'kill' | 'power'): void {
    if (how === 'power') {
      this.#boot += 1
      this.sys.losePower(this.random)
    } else this.sys.crash()
    this.#steps = []
    this.#bed.reopen(`boot-${this.#boot}`)
    this.journal = this.#openJournal()
    this.changes = this.#recover()
  }

  #openJournal(): Journal {
    return Journal.open({
      sys: this.sys,
      directory: '/c/journal',
      volumeId: 'volume',
      bootId: `boot-${this.#boot}`,
      random: this.random,
      log: silentLogger,
      sync: (fd, done) => this.#sync(fd, done),
      beforeSync: (done) => this.changes.syncDependent(done),
    })
  }

  #recover(): LocalChanges {
    const replayed = replayChanges((visit) => this.journal.replay(visit))
    const parts = { journal: this.journal, seq: replayed.seq ?? 1, clock: this.#clock, random: this.random, isOpen: () => false }
    const { changes } = recoverChanges({ ...parts, sync: (fd, done) => this.#sync(fd, done) }, replayed, (state, noted) => this.bodies.restore(state, noted))
    this.bodies.endRestoring()
    return changes
  }

  #sync(fd: number, done: (result: number) => void): void {
    this.#steps.push(() => {
      const result = this.sys.fsync(fd)
      this.#steps.push(() => done(result))
    })
  }

  #apply(names: NonNullable<Parameters<LocalChanges['apply']>[0]['names']>, nodes: readonly NodePut[]): void {
    const result = this.changes.apply({ names, nodes })
    if (result !== 0) throw new Error(`apply: ${result}`)
  }
}
