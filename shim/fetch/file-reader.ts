/**
 * Reads one version of one open file: from its backing file where that has the bytes, else by asking the network thread for them.
 *
 * Lives on the file-system thread, one for all handles on a version; never waits. Reads share what is being fetched: one that needs bytes under
 * way joins them, and makes them a demand. What the governor plans is fetched too, as speculation. When the cache cannot take bytes (disk
 * full) they are served from memory, once, and nobody notices but the network.
 */
import type { Clock } from '../../shared/clock.ts'
import { errno } from '../../shared/errno.ts'
import type { Logger } from '../../shared/log.ts'
import { type ByteRange, intersectRanges } from '../../shared/range.ts'
import type { CachedFile } from '../cache/cached-file.ts'
import { IntervalSet } from '../cache/interval-set.ts'
import type { Backend, Failure, Ticket } from '../fs/backend.ts'
import { Governor, type Plan } from '../../shared/fetch/governor.ts'
import type { NetworkEstimate } from '../../shared/fetch/network-estimate.ts'
import type { SpeculationBudget } from '../../shared/fetch/speculation-budget.ts'
import type { UncachedMemory } from './uncached-memory.ts'
import { type FileSlice, Waiter, errnoOfRead } from './waiter.ts'
import { MiB } from '../../shared/fetch/window.ts'

/** What all readers share. */
export interface ReaderContext {
  readonly backend: Pick<Backend, 'fetch' | 'promote' | 'cancel'>
  readonly clock: Clock
  readonly log: Logger
  readonly budget: SpeculationBudget
  readonly network: NetworkEstimate
  readonly memory: UncachedMemory
}

export interface ReadableFile {
  /** As `encodeManifestRoot` gives it. */
  readonly manifest: Uint8Array
  readonly size: number
  /** Path or name, for messages. */
  readonly label: string
  /** Acquired by the caller; the reader releases it. Undefined: nothing is cached. */
  readonly cached: CachedFile | undefined
}

interface Flight {
  readonly range: ByteRange
  readonly startedMs: number
  /** Begun by the governor: not cancelled when the last waiter leaves. */
  readonly isSpeculative: boolean
  readonly hasFile: boolean
  isDemand: boolean
  isAnswered: boolean
  ticket: Ticket | undefined
}

/** A file up to this size is fetched whole on its first miss. */
const wholeBytesMax = MiB
const flightCountMax = 512
const attemptCountMax = 4
const noBytes: FileSlice = { kind: 'bytes', bytes: new Uint8Array(0) }

export class FileReader {
  readonly #context: ReaderContext
  readonly #file: ReadableFile
  readonly #governor: Governor
  readonly #flights = new Set<Flight>()
  readonly #waiters = new Set<Waiter>()
  #isClosed = false
  #isReleased = false
  #onRelease: (() => void) | undefined

  constructor(context: ReaderContext, file: ReadableFile) {
    this.#context = context
    this.#file = file
    this.#governor = new Governor(file.size, context.budget)
  }

  /** A slice or a negative errno at once, or a waiter. Clamped to the file's end. */
  read(offset: number, length: number): FileSlice | number | Waiter {
    if (this.#isClosed) return -errno.EIO
    const range = { start: offset, end: Math.min(offset + length, this.#file.size) }
    if (range.start >= range.end) return noBytes
    const slice = this.#slice(range)
    if (slice !== undefined) {
      if (this.#file.cached?.isComplete !== true) this.#govern(range, true)
      return slice
    }
    const waiter = new Waiter(range, (cancelled) => this.#leave(cancelled))
    this.#waiters.add(waiter)
    this.#demand(waiter)
    this.#govern(range, false)
    if (waiter.answer !== undefined) this.#waiters.delete(waiter)
    return waiter.answer ?? waiter
  }

  /** The backing file's descriptor if every byte is in it, else -1. It stays this reader's. */
  completeFd(): number {
    return this.#file.cached?.completeFd() ?? -1
  }

  /** Fetches all that lacks, as speculation, and closes the reader when that is over. For files that nobody has open. */
  fetchAhead(done: () => void): void {
    this.#isClosed = true
    this.#onRelease = done
    for (const lack of this.#missing({ start: 0, end: this.#file.size })) this.#fetch(lack, false)
    this.#release()
  }

  /** Ends all handles' reading. The cached file is released when the last fetch is over. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#governor.close()
    for (const waiter of this.#waiters) waiter.settle(-errno.EIO)
    this.#waiters.clear()
    for (const flight of this.#flights) this.#cancel(flight)
    this.#release()
  }

  /** The range from the backing file, or put together from memory and the backing file, or undefined. */
  #slice(range: ByteRange): FileSlice | undefined {
    const { cached } = this.#file
    const fd = cached?.fdOf(range) ?? -1
    if (fd >= 0) return { kind: 'file', fd, offset: range.start, length: range.end - range.start }
    if (this.#context.memory.bytes === 0) return undefined
    const bytes = new Uint8Array(range.end - range.start)
    for (const part of this.#missing(range)) {
      if (!this.#context.memory.read(this, part, bytes.subarray(part.start - range.start, part.end - range.start))) return undefined
    }
    return cached === undefined || cached.fd < 0 || cached.readPresent(range, bytes) ? { kind: 'bytes', bytes } : undefined
  }

  /** What the backing file lacks; all of it while that cannot be opened. */
  #missing(range: ByteRange): ByteRange[] {
    const { cached } = this.#file
    return cached === undefined || cached.fd < 0 ? [range] : cached.missing(range)
  }

  /** Fetches what the waiter lacks and nobody fetches; what somebody fetches ahead becomes a demand. */
  #demand(waiter: Waiter): void {
    const underWay = new IntervalSet()
    for (const flight of this.#flights) {
      if (intersectRanges(flight.range, waiter.range) === undefined) continue
      underWay.add(flight.range.start, flight.range.end)
      this.#promote(flight)
    }
    const lacks = this.#missing(waiter.range)
    const parts = lacks.flatMap((lack) => underWay.missing(lack.start, lack.end))
    if (parts.length > 0 && this.#file.size <= wholeBytesMax) this.#fetch({ start: 0, end: this.#file.size }, true)
    else for (const part of parts) this.#fetch(part, true)
    // Nothing lacks and yet there is no slice: the cache's own disk cannot be read.
    if (lacks.length === 0 && underWay.isEmpty) waiter.settle(-errno.EIO)
  }

  #govern(range: ByteRange, isHit: boolean): void {
    const { clock, network } = this.#context
    const { start, end } = range
    this.#obey(this.#governor.observe({ offset: start, length: end - start, isHit, nowMs: clock.now(), rttMs: network.rttMs }))
  }

  #obey(plan: Plan): void {
    for (const range of plan.cancel) {
      for (const flight of this.#flights) {
        if (!flight.isDemand && flight.range.start >= range.start && flight.range.end <= range.end) this.#cancel(flight)
      }
    }
    for (const range of plan.speculate) {
      const underWay = new IntervalSet()
      for (const flight of this.#flights) underWay.add(flight.range.start, flight.range.end)
      for (const lack of this.#missing(range)) {
        for (const part of underWay.missing(lack.start, lack.end)) if (this.#maySpeculate(part)) this.#fetch(part, false)
      }
    }
  }

  /** Without a backing file only as much as the memory keeps until it is read. */
  #maySpeculate(range: ByteRange): boolean {
    if (this.#flights.size >= flightCountMax) return false
    if (this.#file.cached?.canStore === true) return true
    let bytes = range.end - range.start
    for (const flight of this.#flights) bytes += flight.range.end - flight.range.start
    return bytes <= this.#context.memory.limitBytes / 4
  }

  #fetch(range: ByteRange, isDemand: boolean): void {
    const { cached, manifest, label } = this.#file
    const fd = cached?.canStore === true ? Math.max(-1, cached.beginWrite()) : -1
    const startedMs = this.#context.clock.now()
    const since = cached?.freedCount
    const flight: Flight = { range, startedMs, isSpeculative: !isDemand, hasFile: fd >= 0, isDemand, isAnswered: false, ticket: undefined }
    this.#flights.add(flight)
    flight.ticket = this.#context.backend.fetch(
      { manifest, range, fd, isDemand, label },
      {
        present: (present, isHole) => {
          if (flight.hasFile) cached!.markPresent(present, isHole, since)
          else this.#keep(present, undefined)
          this.#arrived(flight, present)
        },
        uncached: (present, bytes) => {
          if (flight.hasFile) cached!.noteDiskFull()
          this.#keep(present, bytes)
          this.#arrived(flight, present)
        },
        done: (failure) => this.#done(flight, failure),
      },
    )
  }

  #keep(range: ByteRange, bytes: Uint8Array | undefined): void {
    if (!this.#isClosed) this.#context.memory.add(this, range, bytes)
  }

  #arrived(flight: Flight, range: ByteRange): void {
    if (!flight.isAnswered) {
      flight.isAnswered = true
      this.#context.network.observe(this.#context.clock.now() - flight.startedMs)
    }
    for (const waiter of this.#waiters) if (intersectRanges(waiter.range, range) !== undefined) this.#tryToSettle(waiter)
  }

  #tryToSettle(waiter: Waiter): boolean {
    const slice = this.#slice(waiter.range)
    if (slice === undefined) return false
    this.#waiters.delete(waiter)
    waiter.settle(slice)
    return true
  }

  /** A failed fetch fails those who lack bytes of it, unless it was we who gave it up: then it begins anew for them. */
  #done(flight: Flight, failure: Failure | undefined): void {
    this.#flights.delete(flight)
    if (flight.hasFile) this.#file.cached!.endWrite()
    const isFailed = failure !== undefined && failure.code !== 'aborted'
    if (isFailed && !this.#isClosed) this.#context.log.warn(`Cannot read "${this.#file.label}": ${failure.message}`, { code: failure.code })
    for (const waiter of this.#waiters) {
      if (intersectRanges(waiter.range, flight.range) === undefined || this.#tryToSettle(waiter)) continue
      waiter.attemptCount += 1
      if (!isFailed && waiter.attemptCount < attemptCountMax) {
        this.#demand(waiter)
        continue
      }
      this.#waiters.delete(waiter)
      waiter.settle(-(isFailed ? errnoOfRead(failure.code) : errno.EIO))
    }
    if (this.#isClosed) this.#release()
  }

  /** A waiter gave up. */
  #leave(waiter: Waiter): void {
    this.#waiters.delete(waiter)
    for (const flight of this.#flights) {
      if (flight.isSpeculative || intersectRanges(flight.range, waiter.range) === undefined) continue
      const isWanted = [...this.#waiters].some((other) => intersectRanges(flight.range, other.range) !== undefined)
      if (!isWanted) this.#cancel(flight)
    }
  }

  #promote(flight: Flight): void {
    if (flight.isDemand) return
    flight.isDemand = true
    if (flight.ticket !== undefined) this.#context.backend.promote(flight.ticket)
  }

  #cancel(flight: Flight): void {
    if (flight.ticket !== undefined) this.#context.backend.cancel(flight.ticket)
  }

  #release(): void {
    if (this.#flights.size > 0 || this.#isReleased) return
    this.#isReleased = true
    this.#context.memory.forget(this)
    this.#file.cached?.release()
    this.#onRelease?.()
  }
}
