/**
 * Reads of one length at one distance from each other (columns, tiles, records), up or down the file, as a governor sees them. Pure.
 */
import type { ByteRange } from '../range.ts'
import type { SpeculationBudget } from './speculation-budget.ts'
import { MiB } from './window.ts'

/** How many reads ahead, at first and at most; never more than `aheadBytesMax` together. */
const firstCount = 4
const countMax = 64
const aheadBytesMax = 32 * MiB
/** The kernel may ask for the next few in any order. */
const reorderCount = 4

export class StridedStream {
  /** Start of the furthest read so far. */
  #at: number
  readonly #stride: number
  readonly #length: number
  readonly #fileSize: number
  readonly #budget: SpeculationBudget
  #count = firstCount
  /** How many steps after `#at` are planned. */
  #plannedCount = 0
  #reserved = 0
  #grewMs = -Infinity
  lastRead: number
  readonly firstRead: number
  hitCount = 2

  constructor(at: number, stride: number, length: number, readIndex: number, fileSize: number, budget: SpeculationBudget) {
    this.#at = at
    this.#stride = stride
    this.#length = length
    this.#fileSize = fileSize
    this.#budget = budget
    this.firstRead = readIndex
    this.lastRead = readIndex
  }

  get aheadBytes(): number {
    return this.#reserved
  }

  matches(range: ByteRange): boolean {
    if (range.end - range.start > this.#length) return false
    const steps = (range.start - this.#at) / this.#stride
    return Number.isInteger(steps) && steps >= -reorderCount && steps <= Math.max(reorderCount, this.#plannedCount)
  }

  read(range: ByteRange, readIndex: number): void {
    this.hitCount += 1
    this.lastRead = readIndex
    const steps = (range.start - this.#at) / this.#stride
    if (steps <= 0) return
    this.#at = range.start
    this.#plannedCount = Math.max(0, this.#plannedCount - steps)
    const ahead = this.#plannedCount * this.#length
    if (this.#reserved > ahead) this.#release(this.#reserved - ahead)
  }

  stalled(nowMs: number, rttMs: number): void {
    if (nowMs - this.#grewMs < rttMs) return
    this.#count = Math.min(countMax, this.#count * 2)
    this.#grewMs = nowMs
  }

  extend(): ByteRange[] {
    const ranges: ByteRange[] = []
    while (this.#plannedCount < this.#count && this.#reserved + this.#length <= aheadBytesMax) {
      const start = this.#at + this.#stride * (this.#plannedCount + 1)
      const end = Math.min(start + this.#length, this.#fileSize)
      if (start < 0 || start >= end || !this.#budget.reserve(this.#length)) break
      this.#reserved += this.#length
      this.#plannedCount += 1
      ranges.push({ start, end })
    }
    return ranges
  }

  giveUp(): ByteRange[] {
    const ranges: ByteRange[] = []
    for (let step = 1; step <= this.#plannedCount; step += 1) {
      const start = this.#at + this.#stride * step
      ranges.push({ start, end: Math.min(start + this.#length, this.#fileSize) })
    }
    this.#release(this.#reserved)
    this.#plannedCount = 0
    return ranges
  }

  #release(bytes: number): void {
    this.#budget.release(bytes)
    this.#reserved -= bytes
  }
}
