/**
 * Decides what to fetch before it is asked for: one governor per open file. Pure: no I/O, no clock; tested on traces.
 *
 * Every read is shown to it and it answers which ranges to fetch ahead and which to give up. It follows up to four streams, sequential ones in
 * either direction and strided ones. Reads that fit none begin a new one, which speculates from its second expected read on; a file's
 * first bytes announce the next megabyte at once. A reader that jumps around gets nothing; one whose streams keep being abandoned has to prove
 * itself longer. Ranges may overlap what is here already: the caller knows, and takes what is missing.
 */
import type { ByteRange } from '../range.ts'
import { SequentialStream } from './sequential-stream.ts'
import type { SpeculationBudget } from './speculation-budget.ts'
import { StridedStream } from './strided-stream.ts'
import { MiB } from './window.ts'

export interface Observation {
  readonly offset: number
  readonly length: number
  /** The bytes were here; false when the reader has to wait. */
  readonly isHit: boolean
  readonly nowMs: number
  /** What a request takes at least, as measured lately. */
  readonly rttMs: number
}

export interface Plan {
  readonly speculate: readonly ByteRange[]
  readonly cancel: readonly ByteRange[]
}

const streamCountMax = 4
const firstReachBytes = MiB
/** Expected reads that a stream needs before it speculates; more after streams were abandoned. */
const provenCountMin = 1
const provenCountMax = 4
/** A stream that has read so much was worth it. */
const worthBytes = 4 * MiB
/** What a stream has ahead is given up when so many reads went elsewhere. */
const idleReadsMax = 64
/** Reads that fit no stream, remembered to find strides. */
const strayCountMax = 3

type Stream = SequentialStream | StridedStream

const nothing: Plan = { speculate: [], cancel: [] }

export class Governor {
  readonly #fileSize: number
  readonly #budget: SpeculationBudget
  #streams: Stream[] = []
  #strays: ByteRange[] = []
  #readIndex = 0
  #provenCount = provenCountMin
  #isClosed = false

  constructor(fileSize: number, budget: SpeculationBudget) {
    this.#fileSize = fileSize
    this.#budget = budget
  }

  observe(observation: Observation): Plan {
    const range = { start: observation.offset, end: Math.min(observation.offset + observation.length, this.#fileSize) }
    if (this.#isClosed || range.start >= range.end) return nothing
    this.#readIndex += 1
    const stream = this.#streams.find((stream) => stream.matches(range))
    if (stream === undefined) return this.#begin(range)
    const wasProven = this.#isProven(stream)
    stream.read(range, this.#readIndex)
    if (!this.#isProven(stream)) return wasProven ? { speculate: [], cancel: this.#abandon(stream) } : nothing
    if (stream instanceof SequentialStream) {
      if (!observation.isHit && wasProven) stream.window.stalled(observation.nowMs, observation.rttMs)
      if (stream.window.readBytes >= worthBytes) this.#provenCount = provenCountMin
    } else if (!observation.isHit) stream.stalled(observation.nowMs, observation.rttMs)
    const cancel = !wasProven ? this.#abandonOlder(stream) : this.#abandonIdle(stream)
    return { speculate: stream.extend(), cancel }
  }

  /** Gives up everything; the governor is dead afterwards. */
  close(): Plan {
    this.#isClosed = true
    const cancel = this.#streams.flatMap((stream) => stream.giveUp())
    this.#streams = []
    return { speculate: [], cancel }
  }

  /** Bytes planned ahead of the readers. */
  get aheadBytes(): number {
    return this.#streams.reduce((sum, stream) => sum + stream.aheadBytes, 0)
  }

  #isProven(stream: Stream): boolean {
    return stream instanceof StridedStream || stream.hitCount >= this.#provenCount
  }

  /** A read that fits no stream: the third of a stride, or the first of something. */
  #begin(range: ByteRange): Plan {
    const strided = this.#findStride(range)
    if (strided !== undefined) {
      const cancel = [...this.#dropStrays(), ...this.#place(strided)]
      return { speculate: strided.extend(), cancel }
    }
    const stream = new SequentialStream(range, this.#readIndex, this.#fileSize, this.#budget)
    const cancel = this.#place(stream)
    this.#strays = [...this.#strays, range].slice(-strayCountMax)
    const isStart = range.start === 0 && this.#readIndex === 1
    return { speculate: isStart ? stream.reach(firstReachBytes) : [], cancel }
  }

  /** Two strays at the same distance from each other as the last from this read, all of one length. */
  #findStride(range: ByteRange): StridedStream | undefined {
    const [first, second] = this.#strays.slice(-2)
    if (first === undefined || second === undefined) return undefined
    const length = range.end - range.start
    const stride = range.start - second.start
    const isEven = second.start - first.start === stride && second.end - second.start === length && first.end - first.start === length
    if (!isEven || Math.abs(stride) < length) return undefined
    return new StridedStream(range.start, stride, length, this.#readIndex, this.#fileSize, this.#budget)
  }

  /** The reads of a stride began streams of their own: away with them. */
  #dropStrays(): ByteRange[] {
    const isStray = (stream: Stream): boolean => !this.#isProven(stream) && this.#strays.some((stray) => stream.matches(stray))
    const cancel = this.#streams.filter(isStray).flatMap((stream) => stream.giveUp())
    this.#streams = this.#streams.filter((stream) => !isStray(stream))
    this.#strays = []
    return cancel
  }

  /** Puts a stream in place of the one that was read longest ago; unproven ones go first. */
  #place(stream: Stream): ByteRange[] {
    let cancel: ByteRange[] = []
    if (this.#streams.length >= streamCountMax) {
      const candidates = this.#streams.filter((other) => !this.#isProven(other))
      const among = candidates.length > 0 ? candidates : this.#streams
      const victim = among.reduce((oldest, other) => (other.lastRead < oldest.lastRead ? other : oldest))
      cancel = this.#abandon(victim)
      this.#streams = this.#streams.filter((other) => other !== victim)
    }
    this.#streams.push(stream)
    return cancel
  }

  /** The reader went on elsewhere: what other streams have ahead, and were not asked for since this one began, is given up. */
  #abandonOlder(stream: Stream): ByteRange[] {
    return this.#streams.flatMap((other) => (other !== stream && other.lastRead < stream.firstRead ? this.#abandon(other) : []))
  }

  #abandonIdle(stream: Stream): ByteRange[] {
    const idle = this.#streams.filter((other) => other !== stream && other.aheadBytes > 0 && this.#readIndex - other.lastRead > idleReadsMax)
    return idle.flatMap((other) => this.#abandon(other))
  }

  #abandon(stream: Stream): ByteRange[] {
    const isWaste = stream.aheadBytes > 0 && stream instanceof SequentialStream && stream.window.readBytes < worthBytes
    if (isWaste) this.#provenCount = Math.min(provenCountMax, this.#provenCount + 1)
    return stream.giveUp()
  }
}
