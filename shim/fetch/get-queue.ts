/**
 * Which GET goes next. Holds the wanted chunks until there is room, gathers neighbours into one GET, puts demand first, reads ahead in packs.
 *
 * Called by the fetcher. Gathering waits for the end of the event loop's turn, so that what is asked in one breath is planned together.
 */
import type { PackId, Pointer } from '../../shared/format/entry.ts'
import { type Gathering, gather } from '../../shared/fetch/gather.ts'
import { PackAhead } from './pack-ahead.ts'
import { PackMemory } from './pack-memory.ts'
import type { Get, Job } from './request.ts'
import { KiB } from '../../shared/fetch/window.ts'

/** Of a GET that is kept in memory although it was not read ahead. */
const smallBytesMax = 256 * KiB

export interface QueueLimits {
  readonly getCount: number
  readonly bytesUnderWay: number
  readonly aheadBytes: number
}

export class GetQueue {
  readonly #limits: QueueLimits
  readonly #run: (get: Get) => Promise<void>
  readonly #ahead = new PackAhead()
  readonly #memory: PackMemory
  readonly #waiting = new Set<Job>()
  readonly #gets = new Set<Get>()
  /** Ranges to read ahead when there is nothing better to do. */
  #aheadWants: { pack: PackId; range: { start: number; end: number } }[] = []
  /** What the waiting jobs make, in the order in which to begin; undefined when it has to be planned anew. */
  #plan: { pack: PackId; gathering: Gathering<Job> }[] | undefined
  #speculativeCount = 0
  #bytes = 0
  #isScheduled = false
  #isClosed = false

  constructor(limits: QueueLimits, run: (get: Get) => Promise<void>) {
    this.#limits = limits
    this.#run = run
    this.#memory = new PackMemory(limits.aheadBytes)
  }

  /** Queues a job unless it is under way. It joins a GET that brings its bytes anyway. */
  add(job: Job): void {
    if (this.#isClosed || this.#waiting.has(job) || job.get !== undefined) return
    const covering = job.corruptCount > 0 ? undefined : this.#covering(job)
    if (covering !== undefined) {
      job.get = covering
      covering.jobs.add(job)
      return
    }
    this.#waiting.add(job)
    this.#changed()
  }

  promote(job: Job): void {
    if (job.isDemand) return
    job.isDemand = true
    if (this.#waiting.has(job)) this.#changed()
  }

  /** Nobody wants it any more. A GET of which nobody wants anything is aborted. */
  drop(job: Job): void {
    if (this.#waiting.delete(job)) this.#changed()
    const { get } = job
    this.leave(job)
    if (get !== undefined && get.jobs.size === 0 && !get.isAhead && !get.isTaken) get.controller.abort()
  }

  /** The job's GET did not bring it. */
  leave(job: Job): void {
    job.get?.jobs.delete(job)
    job.get = undefined
  }

  /** What was read ahead has these bytes, unverified; or undefined. */
  takeAhead(pointer: Pointer): Uint8Array | undefined {
    return this.#memory.find(pointer)
  }

  /** Keeps what was read ahead, and what is small: files like to be equal to others. */
  keep(get: Get, bytes: Uint8Array): void {
    if (get.isAhead || bytes.length <= smallBytesMax) this.#memory.add(get.pack, get.range.start, bytes)
  }

  forgetAhead(pointer: Pointer): void {
    this.#memory.forget(pointer)
  }

  close(): void {
    this.#isClosed = true
    this.#waiting.clear()
    this.#aheadWants = []
    for (const get of this.#gets) get.controller.abort()
  }

  #covering(job: Job): Get | undefined {
    const { pack, offset, length } = job.pointer
    for (const get of this.#gets) {
      const isThere = get.pack === pack && get.range.start <= offset && get.range.end >= offset + length
      if (isThere && !get.isTaken && !get.controller.signal.aborted) return get
    }
    return undefined
  }

  /** A small file begins with this chunk. */
  observe(pointer: Pointer): void {
    const range = this.#ahead.observe(pointer.pack, { start: pointer.offset, end: pointer.offset + pointer.length })
    if (range === undefined) return
    this.#aheadWants.push({ pack: pointer.pack, range })
    if (this.#aheadWants.length > this.#limits.getCount) this.#aheadWants.shift()
    this.#changed()
  }

  #changed(): void {
    this.#plan = undefined
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      this.#pump()
    })
  }

  #pump(): void {
    this.#plan ??= this.#makePlan()
    while (!this.#isClosed && this.#plan.length > 0) {
      const { pack, gathering } = this.#plan[0]!
      if (!this.#hasRoom(gathering)) break
      this.#plan.shift()
      for (const job of gathering.wants) this.#waiting.delete(job)
      this.#start(pack, gathering, false)
    }
    while (!this.#isClosed && this.#aheadWants.length > 0) {
      const { pack, range } = this.#aheadWants[0]!
      const gathering = { range, wants: [], isDemand: false }
      if (!this.#hasRoom(gathering)) break
      this.#aheadWants.shift()
      this.#start(pack, gathering, true)
    }
  }

  /** Demands first; otherwise in the order in which the first chunk of each was asked for. */
  #makePlan(): { pack: PackId; gathering: Gathering<Job> }[] {
    const ofPack = new Map<PackId, Job[]>()
    const order = new Map<Job, number>()
    for (const job of this.#waiting) {
      order.set(job, order.size)
      const jobs = ofPack.get(job.pointer.pack)
      if (jobs === undefined) ofPack.set(job.pointer.pack, [job])
      else jobs.push(job)
    }
    const plan = [...ofPack].flatMap(([pack, jobs]) => gather(jobs).map((gathering) => ({ pack, gathering })))
    const rank = ({ gathering }: { gathering: Gathering<Job> }): number =>
      (gathering.isDemand ? 0 : this.#waiting.size) + Math.min(...gathering.wants.map((job) => order.get(job)!))
    return plan.map((item) => ({ item, rank: rank(item) })).toSorted((a, b) => a.rank - b.rank).map(({ item }) => item)
  }

  /** Speculation has half of the places and of the bytes, so that a demand finds room. One GET may always be under way. */
  #hasRoom(gathering: Gathering<Job>): boolean {
    const length = gathering.range.end - gathering.range.start
    const { getCount, bytesUnderWay } = this.#limits
    if (this.#gets.size === 0) return true
    if (gathering.isDemand) return this.#gets.size < getCount && this.#bytes + length <= bytesUnderWay
    return this.#speculativeCount < getCount / 2 && this.#gets.size < getCount && this.#bytes + length <= bytesUnderWay / 2
  }

  #start(pack: PackId, gathering: Gathering<Job>, isAhead: boolean): void {
    const { range, isDemand } = gathering
    const get: Get = { pack, range, isDemand, jobs: new Set(gathering.wants), isAhead, isTaken: false, controller: new AbortController() }
    for (const job of get.jobs) job.get = get
    const length = range.end - range.start
    this.#gets.add(get)
    this.#bytes += length
    if (!isDemand) this.#speculativeCount += 1
    void this.#run(get).finally(() => {
      this.#gets.delete(get)
      this.#bytes -= length
      if (!isDemand) this.#speculativeCount -= 1
      for (const job of get.jobs) {
        this.leave(job)
        if (job.requests.size > 0) this.add(job)
      }
      this.#pump()
    })
  }
}
