/**
 * One run of reads next to each other, forward or backward, as a governor sees it. Pure.
 *
 * The kernel asks in several requests at once and they come in any order, and programs skip a little, so reads count as next to each other
 * while they are near the stream's edges. Which way it goes is a vote of its last reads.
 */
import type { ByteRange } from '../range.ts'
import type { SpeculationBudget } from './speculation-budget.ts'
import { KiB, Window } from './window.ts'

/** Gaps and reordering that an established stream absorbs. */
const slackBytes = 512 * KiB
const votesMax = 3
/** A stream that uses less than an eighth of what it passes is none: its reads fell near each other by chance. */
const denseMin = 1 / 8
const judgedBytesMin = 256 * KiB
/** How much of the past counts at each read. */
const memory = 0.75

export class SequentialStream {
  /** The bytes that its last reads covered. */
  #low: number
  #high: number
  #votes = 0
  #lastLength: number
  readonly #fileSize: number
  readonly #budget: SpeculationBudget
  readonly window = new Window()
  /** How far is fetched or being fetched: at or above `#high` going forward, at or below `#low` going backward. */
  #frontier: number
  #reserved = 0
  #hitCount = 0
  /** Bytes read and bytes passed, the last ones counting most. */
  #usedBytes = 0
  #passedBytes = 0
  lastRead: number
  readonly firstRead: number

  /** `readIndex` counts the handle's reads. */
  constructor(range: ByteRange, readIndex: number, fileSize: number, budget: SpeculationBudget) {
    this.#low = range.start
    this.#high = range.end
    this.#frontier = range.end
    this.#lastLength = range.end - range.start
    this.#fileSize = fileSize
    this.#budget = budget
    this.firstRead = readIndex
    this.lastRead = readIndex
  }

  get isForward(): boolean {
    return this.#votes >= 0
  }

  /** Expected reads. Backwards the first does not count: two forward ones that came in the wrong order look the same. */
  get hitCount(): number {
    return this.isForward ? this.#hitCount : Math.max(0, this.#hitCount - 1)
  }

  /** Bytes that are reserved ahead. */
  get aheadBytes(): number {
    return this.#reserved
  }

  /** True when the read goes on with this stream. */
  matches(range: ByteRange): boolean {
    const length = range.end - range.start
    const slack = this.#hitCount > 0 ? slackBytes : Math.min(slackBytes, 2 * Math.max(length, this.#lastLength))
    const above = this.isForward ? Math.max(this.#high + slack, this.#frontier) : this.#high + slack
    const below = this.isForward ? this.#low - slack : Math.min(this.#low - slack, this.#frontier)
    return range.start <= above && range.end >= below
  }

  /** Takes a read that matches. */
  read(range: ByteRange, readIndex: number): void {
    const wasForward = this.isForward
    this.lastRead = readIndex
    this.#lastLength = range.end - range.start
    // Only a read of something new is expected reading on; the same bytes again are not, also when their beginning was forgotten.
    const isAbove = range.end > this.#high
    const isBelow = range.start < this.#low && range.end < this.#high
    if (isAbove || isBelow) this.#hitCount += 1
    if (isAbove) this.#votes = Math.min(votesMax, this.#votes + 1)
    else if (isBelow) this.#votes = Math.max(-votesMax, this.#votes - 1)
    const grown = Math.max(0, range.end - this.#high) + Math.max(0, this.#low - range.start)
    const before = wasForward ? this.#high : this.#low
    this.#low = Math.min(this.#low, range.start)
    this.#high = Math.max(this.#high, range.end)
    this.window.read(Math.abs((wasForward ? this.#high : this.#low) - before))
    this.#usedBytes = this.#usedBytes * memory + this.#lastLength
    this.#passedBytes = this.#passedBytes * memory + grown
    if (this.#passedBytes >= judgedBytesMin && this.#usedBytes < this.#passedBytes * denseMin) this.#hitCount = 0
    // What lies behind is forgotten, so that the stream does not swallow reads of its own past.
    if (this.isForward) this.#low = Math.max(this.#low, this.#high - slackBytes)
    else this.#high = Math.min(this.#high, this.#low + slackBytes)
    this.#advance(wasForward)
  }

  /** Plans up to `end` at once, whatever the window: for the first read of a file. */
  reach(end: number): ByteRange[] {
    const range = { start: this.#frontier, end: Math.min(end, this.#fileSize) }
    if (range.start >= range.end || !this.#reserve(range.end - range.start)) return []
    this.#frontier = range.end
    return [range]
  }

  /** Plans what the window has room for, in whole requests (the last before an end of the file may be short). */
  extend(): ByteRange[] {
    const ranges: ByteRange[] = []
    const { requestBytes } = this.window
    while (this.#reserved + requestBytes <= this.window.bytes) {
      const range = this.isForward
        ? { start: this.#frontier, end: Math.min(this.#fileSize, this.#frontier + requestBytes) }
        : { start: Math.max(0, this.#frontier - requestBytes), end: this.#frontier }
      if (range.start >= range.end || !this.#reserve(range.end - range.start)) break
      this.#frontier = this.isForward ? range.end : range.start
      ranges.push(range)
    }
    return ranges
  }

  /** Gives up what is ahead; the reader may still come back. Gives the range that nobody wants any more. */
  giveUp(): ByteRange[] {
    const ahead = this.isForward ? { start: this.#high, end: this.#frontier } : { start: this.#frontier, end: this.#low }
    this.#release(this.#reserved)
    this.#frontier = this.isForward ? this.#high : this.#low
    return ahead.start < ahead.end ? [ahead] : []
  }

  /** Releases what the reader has passed; on a turn everything ahead is given up. */
  #advance(wasForward: boolean): void {
    const edge = this.isForward ? this.#high : this.#low
    if (wasForward !== this.isForward) {
      this.#release(this.#reserved)
      this.#frontier = edge
      return
    }
    this.#frontier = this.isForward ? Math.max(this.#frontier, edge) : Math.min(this.#frontier, edge)
    const ahead = Math.abs(this.#frontier - edge)
    if (this.#reserved > ahead) this.#release(this.#reserved - ahead)
  }

  #reserve(bytes: number): boolean {
    if (!this.#budget.reserve(bytes)) return false
    this.#reserved += bytes
    return true
  }

  #release(bytes: number): void {
    this.#budget.release(bytes)
    this.#reserved -= bytes
  }
}
