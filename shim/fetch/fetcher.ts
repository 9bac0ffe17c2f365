/**
 * Brings the bytes of files: reads manifests, plans ranged GETs over all that is wanted at the moment, asks the tiers, verifies, and writes
 * chunks into backing files. Lives on the network thread and is the `fetch` part of `Backend`.
 *
 * A chunk that several want is fetched once. Demand goes before speculation, which has half of the places at most; what is under way is bounded in
 * bytes. Every request ends: by its bytes, a failure, its deadline or `cancel`; its descriptor is not touched after `done`.
 */
import type { Clock } from '../../shared/clock.ts'
import { EdgemountError, type ErrorCode, codeOf, messageOf } from '../../shared/error.ts'
import { decodeManifestRoot } from '../../shared/format/content-codec.ts'
import type { Pointer } from '../../shared/format/entry.ts'
import { type PlacedRun, resolveRuns } from '../../shared/format/manifest-page.ts'
import { type PageSource, describePointer, isMissing } from '../../shared/format/page.ts'
import type { HashFunction } from '../../shared/hash.ts'
import type { Logger } from '../../shared/log.ts'
import type { FetchListener, FetchRequest, Ticket } from '../fs/backend.ts'
import { Delivery } from './delivery.ts'
import type { WriteAt } from './fd-writer.ts'
import { GetQueue } from './get-queue.ts'
import type { Get, Job, Request } from './request.ts'
import type { Tier } from './tier.ts'
import { type TierStats, Tiers } from './tiers.ts'

export interface FetcherParts {
  readonly tiers: readonly Tier[]
  /** Manifest pages: what is in memory, and how to bring what is not. Verified. */
  readonly pages: { readonly source: PageSource; load(pointer: Pointer, signal?: AbortSignal): Promise<Uint8Array> }
  readonly hash: HashFunction
  readonly write: WriteAt
  readonly clock: Clock
  readonly log: Logger
  readonly limits?: Partial<FetcherLimits>
}

export interface FetcherLimits {
  /** GETs at once. */
  readonly getCount: number
  /** Bytes of GETs under way and not yet delivered. */
  readonly bytesUnderWay: number
  /** Requests at once; more are refused with `exhausted`. */
  readonly requestCount: number
  /** How long a demand may take before it fails with `unavailable`. */
  readonly demandDeadlineMs: number
  /** What is read ahead in packs and kept in memory. */
  readonly aheadBytes: number
  /** What one tier gets for one GET, besides a millisecond for each KiB. */
  readonly tierDeadlineMs: number
}

export interface FetcherStats {
  readonly requestCount: number
  readonly chunkCount: number
  readonly corruptCount: number
  readonly hedgeCount: number
  readonly tiers: readonly TierStats[]
}

const defaultLimits: FetcherLimits = {
  getCount: 16,
  bytesUnderWay: 64 * 2 ** 20,
  requestCount: 10_000,
  demandDeadlineMs: 30_000,
  aheadBytes: 32 * 2 ** 20,
  tierDeadlineMs: 10_000,
}
/** Speculation is given up after the demand's deadline times this. */
const speculativePatience = 2
/** More chunks than this are no small file. */
const startChunksMax = 2
const firstRetryMs = 100
const retryMsMax = 2000

export class Fetcher {
  readonly #parts: FetcherParts
  readonly #limits: FetcherLimits
  readonly #tiers: Tiers
  readonly #delivery: Delivery
  readonly #queue: GetQueue
  readonly #requests = new Map<Ticket, Request>()
  /** By `keyOf`. */
  readonly #jobs = new Map<string, Job>()
  #lastTicket = 0
  #chunkCount = 0
  #corruptCount = 0
  #isClosed = false

  constructor(parts: FetcherParts) {
    this.#parts = parts
    this.#limits = { ...defaultLimits, ...parts.limits }
    this.#tiers = new Tiers(parts.tiers, parts.clock, this.#limits.tierDeadlineMs)
    const { hash, write, log, clock } = parts
    const delivered = (request: Request, jobs: readonly Job[]): void => this.#delivered(request, jobs)
    this.#delivery = new Delivery({ hash, write, log, delivered }, () => clock.now())
    this.#queue = new GetQueue(this.#limits, (get) => this.#run(get))
  }

  get stats(): FetcherStats {
    return {
      requestCount: this.#requests.size,
      chunkCount: this.#chunkCount,
      corruptCount: this.#corruptCount,
      hedgeCount: this.#tiers.hedgeCount,
      tiers: this.#tiers.stats,
    }
  }

  fetch(request: FetchRequest, listener: FetchListener): Ticket {
    this.#lastTicket += 1
    const ticket = this.#lastTicket
    const { isDemand } = request
    const ending = new AbortController()
    const made: Request = { ticket, request, listener, ending, isDemand, jobs: new Map(), isResolved: false, writeCount: 0, outcome: undefined }
    this.#requests.set(ticket, made)
    const isRefused = this.#isClosed || this.#requests.size > this.#limits.requestCount
    if (isRefused) queueMicrotask(() => this.#fail(made, this.#isClosed ? 'closed' : 'exhausted', `Cannot fetch "${request.label}": ${this.#isClosed ? 'the mount is being shut down' : 'too much is being fetched'}`))
    else {
      this.#setDeadline(made)
      void this.#resolve(made)
    }
    return ticket
  }

  promote(ticket: Ticket): void {
    const request = this.#requests.get(ticket)
    if (request === undefined || request.isDemand) return
    request.isDemand = true
    this.#setDeadline(request)
    for (const job of request.jobs.keys()) this.#queue.promote(job)
  }

  cancel(ticket: Ticket): void {
    const request = this.#requests.get(ticket)
    if (request !== undefined) this.#fail(request, 'aborted', `Cannot fetch "${request.request.label}": the reader gave up`)
  }

  /** Fails everything that is under way. */
  close(): void {
    this.#isClosed = true
    for (const request of this.#requests.values()) this.#fail(request, 'closed', `Cannot fetch "${request.request.label}": the mount is being shut down`)
    this.#queue.close()
  }

  #setDeadline(request: Request): void {
    const { demandDeadlineMs } = this.#limits
    const ms = request.isDemand ? demandDeadlineMs : demandDeadlineMs * speculativePatience
    const why = `Cannot fetch "${request.request.label}": it took longer than ${ms} ms`
    this.#parts.clock.sleep(ms, request.ending.signal).then(
      () => this.#fail(request, 'unavailable', why),
      () => undefined,
    )
  }

  /** Reads the manifest and queues the chunks of the range. */
  async #resolve(request: Request): Promise<void> {
    const { manifest, range, label } = request.request
    try {
      const root = decodeManifestRoot(manifest)
      for (;;) {
        const found = resolveRuns(root, range, this.#parts.pages.source)
        if (request.outcome !== undefined) return
        if (!isMissing(found)) {
          this.#want(request, found.runs)
          return
        }
        await this.#parts.pages.load(found.missing, request.ending.signal)
      }
    } catch (error) {
      this.#fail(request, codeOf(error), `Cannot fetch "${label}": ${messageOf(error)}`)
    }
  }

  #want(request: Request, runs: readonly PlacedRun[]): void {
    for (const { start, run } of runs) {
      if (request.outcome !== undefined) return
      if (run.kind === 'hole') {
        request.listener.present({ start, end: start + run.length }, true)
        continue
      }
      const job = this.#jobOf(run.pointer, request.isDemand)
      job.requests.add(request)
      const starts = request.jobs.get(job)
      if (starts === undefined) request.jobs.set(job, [start])
      else starts.push(start)
    }
    request.isResolved = true
    if (request.isDemand && request.request.range.start === 0) this.#observeStart(request)
    for (const job of request.jobs.keys()) this.#begin(job, request.isDemand)
    this.#settleIfWhole(request)
  }

  /** The first read of a file that is small, or begins so: the next files may lie next to it in the pack. */
  #observeStart(request: Request): void {
    const [job] = request.jobs.keys()
    if (job !== undefined && request.jobs.size <= startChunksMax) this.#queue.observe(job.pointer)
  }

  #jobOf(pointer: Pointer, isDemand: boolean): Job {
    const key = keyOf(pointer)
    const known = this.#jobs.get(key)
    if (known !== undefined) return known
    const job: Job = { pointer, requests: new Set(), avoid: new Set(), isDemand, corruptCount: 0, failureCount: 0, get: undefined, isDelivering: false }
    this.#jobs.set(key, job)
    return job
  }

  /** Queues a job that is new, or hurries one that is known. What was read ahead answers at once. */
  #begin(job: Job, isDemand: boolean): void {
    if (job.isDelivering) return
    const bytes = job.get === undefined ? this.#queue.takeAhead(job.pointer) : undefined
    if (bytes !== undefined) {
      void this.#answerFromMemory(job, bytes)
      return
    }
    this.#queue.add(job)
    if (isDemand) this.#queue.promote(job)
  }

  async #answerFromMemory(job: Job, bytes: Uint8Array): Promise<void> {
    job.isDelivering = true
    if (await this.#delivery.isGood(job, bytes)) {
      await this.#deliver(new Map([[job, bytes]]))
      return
    }
    job.isDelivering = false
    this.#queue.forgetAhead(job.pointer)
    this.#queue.add(job)
  }

  /** Carries out one GET. Never rejects. */
  async #run(get: Get): Promise<void> {
    const avoid = new Set([...get.jobs].flatMap((job) => [...job.avoid]))
    try {
      const { tier, bytes } = await this.#tiers.get({ pack: get.pack, range: get.range, isDemand: get.isDemand, avoid, signal: get.controller.signal })
      get.isTaken = true
      this.#queue.keep(get, bytes)
      await this.#check(get, tier, bytes)
    } catch (error) {
      for (const job of get.jobs) this.#failedOnce(job, error)
    }
  }

  /** Verifies all at once: a hash function that uses other threads then has something to do on each. */
  async #check(get: Get, tier: string, bytes: Uint8Array): Promise<void> {
    const good = new Map<Job, Uint8Array>()
    const check = async (job: Job): Promise<void> => {
      const offset = job.pointer.offset - get.range.start
      const part = bytes.subarray(offset, offset + job.pointer.length)
      if (await this.#delivery.isGood(job, part)) {
        good.set(job, part)
        job.isDelivering = true
      } else this.#wasCorrupt(job, tier)
    }
    await Promise.all([...get.jobs].map(check))
    await this.#deliver(good)
  }

  /** Late comers join until the bytes are gone, so it is asked again who wants them. */
  async #deliver(chunks: Map<Job, Uint8Array>): Promise<void> {
    this.#chunkCount += chunks.size
    while (chunks.size > 0) {
      await this.#delivery.deliver(chunks)
      for (const job of chunks.keys()) {
        if (job.requests.size > 0) continue
        chunks.delete(job)
        this.#forget(job)
      }
    }
  }

  #delivered(request: Request, jobs: readonly Job[]): void {
    for (const job of jobs) {
      job.requests.delete(request)
      request.jobs.delete(job)
    }
    this.#settleIfWhole(request)
    this.#finish(request)
  }

  /** Another tier may have better bytes; the only one is asked once more. */
  #wasCorrupt(job: Job, tier: string): void {
    this.#corruptCount += 1
    job.corruptCount += 1
    job.avoid.add(tier)
    this.#queue.leave(job)
    if (job.requests.size === 0) return
    const what = `chunk ${describePointer(job.pointer)}`
    this.#parts.log.warn(`Cannot use ${what} of "${labelOf(job)}" from ${tier}: its bytes do not hash to its name`, { hash: job.pointer.hash })
    if (job.corruptCount < Math.max(2, this.#tiers.count)) this.#queue.add(job)
    else this.#failJob(job, 'corrupt', `${what} is damaged in ${[...job.avoid].join(', ')}`)
  }

  /** A demand that failed because nobody could be reached is tried again until its deadline, unless nobody could be reached for that long. */
  #failedOnce(job: Job, error: unknown): void {
    const code = codeOf(error)
    this.#queue.leave(job)
    if (job.requests.size === 0) {
      this.#forget(job)
      return
    }
    job.failureCount += 1
    const isWorthIt = code === 'unavailable' || code === 'exhausted' || code === 'aborted'
    if (!isWorthIt || !job.isDemand || this.#tiers.downMs > this.#limits.demandDeadlineMs) {
      this.#failJob(job, code, messageOf(error))
      return
    }
    const delayMs = Math.min(retryMsMax, firstRetryMs * 2 ** Math.min(10, job.failureCount - 1))
    void this.#addLater(job, delayMs)
  }

  async #addLater(job: Job, delayMs: number): Promise<void> {
    await this.#parts.clock.sleep(delayMs)
    if (job.requests.size > 0 && job.get === undefined) this.#queue.add(job)
  }

  #failJob(job: Job, code: ErrorCode, why: string): void {
    for (const request of job.requests) this.#fail(request, code, `Cannot fetch "${request.request.label}": ${why}`)
    this.#forget(job)
  }

  #settleIfWhole(request: Request): void {
    if (request.outcome === undefined && request.isResolved && request.jobs.size === 0) this.#settle(request, undefined)
  }

  #fail(request: Request, code: ErrorCode, message: string): void {
    if (request.outcome === undefined) this.#settle(request, new EdgemountError(code, message))
  }

  /** The request is over; `done` follows when nothing is being written for it. Chunks that nobody else wants are given up. */
  #settle(request: Request, error: EdgemountError | undefined): void {
    request.outcome = { failure: error === undefined ? undefined : { code: error.code, message: error.message } }
    request.ending.abort()
    for (const job of request.jobs.keys()) {
      job.requests.delete(request)
      if (job.requests.size === 0) this.#forget(job)
    }
    request.jobs.clear()
    this.#finish(request)
  }

  #finish(request: Request): void {
    if (request.outcome === undefined || request.writeCount > 0) return
    if (this.#requests.delete(request.ticket)) request.listener.done(request.outcome.failure)
  }

  #forget(job: Job): void {
    const key = keyOf(job.pointer)
    if (this.#jobs.get(key) === job) this.#jobs.delete(key)
    this.#queue.drop(job)
  }
}

/** The same bytes in another pack are another chunk: one pack may be lost, and the other not. */
function keyOf({ hash, pack, offset }: Pointer): string {
  return `${hash}@${pack}+${offset}`
}

function labelOf(job: Job): string {
  const [first] = job.requests
  return first?.request.label ?? 'a file nobody waits for any more'
}
