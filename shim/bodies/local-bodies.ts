/**
 * Every body that was written on this machine and is still needed: made, found again after a restart, and let go.
 *
 * Called by the file system (which opens files), by the changes (which journal them) and, through pins, by the publisher (which reads them). A body that
 * the journal names is never removed here; `discard` says that it names it no more.
 */
import type { Clock } from '../../shared/clock.ts'
import { errno } from '../../shared/errno.ts'
import type { Time } from '../../shared/format/entry.ts'
import type { ByteRange } from '../../shared/range.ts'
import { openFlag } from '../sys/constants.ts'
import type { FileStat, Sys } from '../sys/sys.ts'
import { BodyFile } from './body-file.ts'
import { type BodyBase, decodeBodyState } from './body-state.ts'
import { type BodyOwner, LocalBody } from './local-body.ts'
import { LocalFiles, type PrepareFiles, type TakenFile, localDirectory } from './local-files.ts'
import type { BaseReader } from './mixed-read.ts'

export interface LocalBodiesOptions {
  readonly sys: Sys
  readonly clock: Pick<Clock, 'now'>
  /** Names this boot of the machine (/proc/sys/kernel/random/boot_id). */
  readonly bootId: string
  /** Of the cache; bodies are in its `local/`. */
  readonly directory: string
  readonly openBase: (base: BodyBase, label: string) => BaseReader
  /** Evicts what is only cached; false when nothing more can be. */
  readonly makeRoom: () => boolean
  /**
   * Calls back with 0 when everything that the journal was told before the call survives a power failure (`LocalChanges.sync`). Only then is a discarded file used for
   * anything else, since an older journal still names it. Absent: there is no journal.
   */
  readonly syncJournal?: ((done: (result: number) => void) => void) | undefined
  /** Told how many bytes bodies take on disk when that has changed. */
  readonly reserve?: ((bytes: number) => void) | undefined
  /** Empties and makes files off this thread (`Backend.prepare`). */
  readonly prepare: PrepareFiles
  /** Descriptors kept open at most; held ones are beyond. */
  readonly openFilesMax?: number | undefined
}

const openFilesMaxDefault = 512
/** The journal is synced for the sake of discarded files no more often than this, unless so many wait. */
const releaseMs = 1000
const waitingMax = 4096
/** Each look takes 1 µs. */
const lookMs = 250
/** While so much comes between two looks. */
const growingLookMs = 20
const growthMin = 1024 * 1024

export class LocalBodies implements BodyOwner {
  readonly #options: LocalBodiesOptions
  readonly #files: LocalFiles
  readonly #bodies = new Map<number, LocalBody>()
  readonly #open = new Set<BodyFile>()
  /** They may grow: programs have them open, or something was done to them since they were looked at last. */
  readonly #watched = new Set<BodyFile>()
  /** Files that were there at the start and that nobody has asked for yet. */
  #unclaimed: Set<number> | undefined
  /** Serials that the journal names no more, but may on disk. */
  #waiting: number[] = []
  #isReleasing = false
  #releasedMs = 0
  #diskBytes = 0
  #reservedBytes = 0
  #lookedMs = 0
  #isGrowing = false
  #lastGeneration = 0
  /** The files are as this boot of the machine left them: nothing that was written can have been lost. */
  readonly #isSameBoot: boolean

  /** A negative errno when the directory cannot be used. */
  static open(options: LocalBodiesOptions): LocalBodies | number {
    const opened = LocalFiles.open(options.sys, options.directory, options.prepare)
    return typeof opened === 'number' ? opened : new LocalBodies(options, opened.files, opened.serials)
  }

  private constructor(options: LocalBodiesOptions, files: LocalFiles, serials: Set<number>) {
    this.#options = options
    this.#files = files
    this.#unclaimed = serials
    this.#isSameBoot = readBoot(options) === options.bootId
  }

  get sys(): Sys {
    return this.#options.sys
  }

  nextGeneration(): number {
    this.#lastGeneration += 1
    return this.#lastGeneration
  }

  /** Bytes on disk of all bodies, as they were last looked at. */
  get dirtyBytes(): number {
    return this.#diskBytes
  }

  get count(): number {
    return this.#bodies.size
  }

  /** A fresh body with nothing in it; whole. */
  create(mtime: Time): LocalBody | number {
    return this.#take(undefined, 0, mtime)
  }

  /** A fresh body that shows a published version, of which nothing has to be here. */
  createPartial(base: BodyBase, mtime: Time): LocalBody | number {
    return this.#take(base, base.length, mtime)
  }

  /** A body of a file with all its bytes that somebody else gives away: `give` moves it to the path it is told, or says why not (a negative errno). */
  adopt(mtime: Time, give: (path: string) => number): LocalBody | number {
    const serial = this.#files.takeSerial()
    const given = give(this.#files.path(serial))
    if (given < 0) return given
    const fd = this.#files.open(serial)
    if (fd >= 0) return this.#begin({ serial, fd, isNew: true }, undefined, undefined, mtime)
    this.#files.discard([serial])
    return fd
  }

  /**
   * At the start, once for each body that the journal names: `state` as it gave it, and the ranges noted after that. Undefined when the backing file is
   * gone, or was lost with the power: it was never synced. Throws `corrupt` for a state that is none.
   */
  restore(state: Uint8Array, noted: readonly ByteRange[]): LocalBody | undefined {
    const decoded = decodeBodyState(state)
    this.#files.reserve(decoded.serial)
    if (this.#unclaimed?.delete(decoded.serial) !== true) return undefined
    const body = new LocalBody(this, decoded, 'journal')
    if (!this.#isSameBoot && body.isStale) {
      body.end()
      this.#waiting.push(body.serial)
      return undefined
    }
    for (const { start, end } of noted) body.addWritten(start, end)
    this.#bodies.set(body.serial, body)
    if (!body.isWhole) body.believeDisk()
    return body
  }

  /** After all that the journal names was restored: every other file is nobody's, as soon as that is durable. */
  endRestoring(): void {
    for (const serial of this.#unclaimed ?? []) this.#waiting.push(serial)
    this.#unclaimed = undefined
    if (!this.#isSameBoot) writeBoot(this.#options)
  }

  /** The journal names it no more, and nobody has it open. It goes when it is unpinned. */
  discard(body: LocalBody): void {
    if (body.isDiscarded) return
    body.isDiscarded = true
    if (!body.isPinned) this.unpinned(body)
  }

  /** Gives the backing file to somebody who moves it away from the path (`take` says whether it did, as a negative errno); then the body is no more. */
  giveAway(body: LocalBody, take: (path: string) => number): number {
    if (body.isPinned || body.isHeld) return -errno.EBUSY
    body.close()
    const result = take(body.path)
    if (result < 0) return result
    body.isDiscarded = true
    this.#bodies.delete(body.serial)
    body.end()
    return 0
  }

  /** Begins what is due, off this thread; true while something is under way. */
  tick(): boolean {
    this.#release()
    this.#lookAtOpen()
    return this.#files.step()
  }

  /** Much was written lately: call `tick` again soon, so that the disk is not full before anybody has made room. */
  get isGrowing(): boolean {
    return this.#isGrowing
  }

  /** The kernel writes to some of them, unseen. */
  #lookAtOpen(): void {
    const { nowMs } = this
    if (Math.abs(nowMs - this.#lookedMs) < (this.#isGrowing ? growingLookMs : lookMs)) return
    this.#lookedMs = nowMs
    for (const file of this.#watched) file.watch()
    // A mapping may write long after it was last seen to, but hardly much at once.
    if (!this.#isGrowing) for (const file of this.#open) if (!this.#watched.has(file)) file.fstat()
    const growth = this.#diskBytes - this.#reservedBytes
    this.#isGrowing = growth >= growthMin
    if (growth === 0) return
    this.#reservedBytes = this.#diskBytes
    this.#options.reserve?.(this.#diskBytes)
  }

  #release(): void {
    const { nowMs } = this
    const isDue = Math.abs(nowMs - this.#releasedMs) >= releaseMs || this.#waiting.length >= waitingMax
    if (this.#waiting.length === 0 || this.#isReleasing || !isDue) return
    const released = this.#waiting
    this.#waiting = []
    this.#isReleasing = true
    this.#releasedMs = nowMs
    const done = (result: number): void => {
      this.#isReleasing = false
      if (result < 0) this.#waiting = [...released, ...this.#waiting]
      else this.#files.discard(released)
    }
    if (this.#options.syncJournal === undefined) done(0)
    else this.#options.syncJournal(done)
  }

  /** Gives every descriptor back. */
  close(): void {
    for (const body of this.#bodies.values()) body.close()
  }

  get nowMs(): number {
    return this.#options.clock.now()
  }

  path(serial: number): string {
    return this.#files.path(serial)
  }

  openBase(base: BodyBase, label: string): BaseReader {
    return this.#options.openBase(base, label)
  }

  opened(file: BodyFile): void {
    this.#open.add(file)
    const limit = this.#options.openFilesMax ?? openFilesMaxDefault
    // Second chance: who was used since the last round goes to the end of the line.
    for (let tries = this.#open.size * 2; this.#open.size > limit && tries > 0; tries -= 1) {
      const [first] = this.#open
      if (first === undefined) return
      if (first.isHot || first.isHeld || first === file) {
        this.#open.delete(first)
        this.#open.add(first)
        first.isHot = false
      } else first.closeDescriptor()
    }
  }

  closed(file: BodyFile): void {
    this.#open.delete(file)
  }

  watched(file: BodyFile): void {
    this.#watched.add(file)
  }

  unwatched(file: BodyFile): void {
    this.#watched.delete(file)
  }

  makeRoom(): boolean {
    return this.#options.makeRoom()
  }

  grew(bytes: number): void {
    this.#diskBytes += bytes
  }

  unpinned(body: LocalBody): void {
    if (!body.isDiscarded || !this.#bodies.delete(body.serial)) return
    body.end()
    this.#waiting.push(body.serial)
  }

  #take(base: BodyBase | undefined, size: number, mtime: Time): LocalBody | number {
    let taken = this.#files.take()
    if (taken === -errno.ENOSPC && this.#options.makeRoom()) taken = this.#files.take()
    return typeof taken === 'number' ? taken : this.#begin(taken, base, size, mtime)
  }

  /** `size` undefined: as it is. */
  #begin({ serial, fd, isNew }: TakenFile, base: BodyBase | undefined, size: number | undefined, mtime: Time): LocalBody | number {
    const stat = this.#prepare(fd, size, mtime)
    if (typeof stat === 'number') {
      this.sys.close(fd)
      this.#files.discard([serial])
      return stat
    }
    // One that was there before was taken over, and the kernel may have it.
    const file = new BodyFile(this, serial, { fd, isNameNew: isNew, isShared: size === undefined })
    const body = new LocalBody(this, { serial, takenMs: stat.ctimeMs, base, written: [], punched: [] }, file)
    this.#bodies.set(serial, body)
    this.opened(file)
    return body
  }

  #prepare(fd: number, size: number | undefined, mtime: Time): FileStat | number {
    const sized = size === undefined || size === 0 ? 0 : this.sys.ftruncate(fd, size)
    const timed = sized < 0 ? sized : this.sys.setMtime(fd, mtime)
    return timed < 0 ? timed : this.sys.fstat(fd)
  }
}

/** In the folder of the files. */
function bootPath(directory: string): string {
  return `${localDirectory(directory)}/boot`
}

function readBoot({ sys, directory }: LocalBodiesOptions): string | undefined {
  const fd = sys.open(bootPath(directory), openFlag.O_RDONLY, 0)
  if (fd < 0) return undefined
  const bytes = new Uint8Array(64)
  const count = sys.pread(fd, bytes, 0)
  sys.close(fd)
  return new TextDecoder().decode(bytes.subarray(0, Math.max(0, count)))
}

/** If that fails the next start is more careful than it has to be. */
function writeBoot({ sys, directory, bootId }: LocalBodiesOptions): void {
  const fd = sys.open(bootPath(directory), openFlag.O_RDWR | openFlag.O_CREAT | openFlag.O_TRUNC, 0o600)
  if (fd < 0) return
  sys.pwrite(fd, new TextEncoder().encode(bootId), 0)
  sys.close(fd)
}
