/**
 * Verifies chunks and brings them to those who wait: into their backing files, or, where that fails, as bytes.
 *
 * Called by the fetcher with what a GET brought. INVARIANT: no byte leaves here that does not hash to what the manifest says.
 */
import type { HashFunction } from '../../shared/hash.ts'
import type { Logger } from '../../shared/log.ts'
import { messageOf } from '../../shared/error.ts'
import type { WriteAt } from './fd-writer.ts'
import { joinPlacings, type Placing } from '../../shared/fetch/gather.ts'
import type { Job, Request } from './request.ts'

export interface DeliveryParts {
  readonly hash: HashFunction
  readonly write: WriteAt
  readonly log: Logger
  /** A job's bytes have gone to this request. */
  readonly delivered: (request: Request, jobs: readonly Job[]) => void
}

/** Says the same about a disk that fails no more often than this. */
const complaintMs = 60_000

export class Delivery {
  readonly #parts: DeliveryParts
  readonly #now: () => number
  #complainedMs = -Infinity

  constructor(parts: DeliveryParts, now: () => number) {
    this.#parts = parts
    this.#now = now
  }

  async isGood(job: Job, bytes: Uint8Array): Promise<boolean> {
    return bytes.length === job.pointer.length && (await this.#parts.hash(bytes)) === job.pointer.hash
  }

  /** Brings verified chunks to everybody who wants them now. Never rejects. */
  async deliver(chunks: ReadonlyMap<Job, Uint8Array>): Promise<void> {
    const requests = new Set([...chunks.keys()].flatMap((job) => [...job.requests]))
    await Promise.all([...requests].map((request) => this.#deliverTo(request, chunks)))
  }

  async #deliverTo(request: Request, chunks: ReadonlyMap<Job, Uint8Array>): Promise<void> {
    const jobs: Job[] = []
    const placings: Placing[] = []
    for (const [job, bytes] of chunks) {
      const starts = request.jobs.get(job)
      if (starts === undefined) continue
      jobs.push(job)
      for (const start of starts) placings.push({ start, bytes })
    }
    request.writeCount += 1
    await Promise.all(joinPlacings(placings).map((placing) => this.#place(request, placing)))
    request.writeCount -= 1
    this.#parts.delivered(request, jobs)
  }

  async #place(request: Request, placing: Placing): Promise<void> {
    const { fd } = request.request
    const range = { start: placing.start, end: placing.start + placing.bytes.length }
    const isWritten = fd >= 0 && request.outcome === undefined && (await this.#isWritten(fd, placing))
    if (request.outcome !== undefined) return
    if (isWritten) request.listener.present(range, false)
    else request.listener.uncached(range, placing.bytes.slice()) // its own memory, so that it can cross to another thread cheaply
  }

  async #isWritten(fd: number, placing: Placing): Promise<boolean> {
    try {
      await this.#parts.write(fd, placing.bytes, placing.start)
      return true
    } catch (error) {
      const nowMs = this.#now()
      if (nowMs - this.#complainedMs >= complaintMs) {
        this.#complainedMs = nowMs
        this.#parts.log.warn(`Cannot write to the cache: ${messageOf(error)}; reads go on without it`)
      }
      return false
    }
  }
}
