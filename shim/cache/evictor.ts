/**
 * Keeps the cache within its budget and above the floor of free space, by removing the least recently used files that nobody uses.
 *
 * When the budget is passed, eviction goes down to nine tenths of it, some at once and the rest in steps. Pinned files are not in the order
 * of use at all, nor are those that turned out to be held by somebody else, until they are tried again; when nothing else is left, pinned
 * files that are not whole lose what came first. When that is not possible either, `canStore` says so and reads go on without the cache.
 */
import type { Clock } from '../../shared/clock.ts'
import type { Logger } from '../../shared/log.ts'
import type { Sys } from '../sys/sys.ts'
import type { BackingFiles } from './backing-files.ts'
import type { CachedFile } from './cached-file.ts'
import { Shrinker } from './shrinker.ts'

export interface EvictorOptions {
  readonly directory: string
  readonly bytesMax: number
  readonly freeBytesMin: number
  readonly sys: Sys
  readonly clock: Clock
  readonly log: Logger
}

/** Removing a file takes some 20 µs to a few ms, so that a step stays short. */
const filesPerStep = 32
/** When the disk is short of room for what is written: up to 20 ms. */
const filesPerUrgentStep = 512
/** Bodies that have grown by so much are reason to look at the disk. */
const reservedCheckBytes = 16 * 1024 * 1024
/** Who has written so much between two looks may write it some times over before the next. */
const headroomGrowths = 4
const freeSpaceCheckMs = 1000
/** After the disk said that it is full nothing is stored for so long. */
const fullMs = 1000
/** A program that runs from the cache holds its file for long; asking is cheap. */
const heldRetryMs = 1000
/** What is freed at least when the disk is full, as a part of what is cached. */
const fullPart = 0.1

export class Evictor {
  readonly #files: BackingFiles
  readonly #active: ReadonlyMap<number, CachedFile>
  readonly #options: EvictorOptions
  /** Evict until the total is at most this; Infinity when there is nothing to do. */
  #target = Infinity
  #checkedMs = 0
  #fullUntilMs = 0
  #isBelowFloor = false
  /** Rows (and their serials) that somebody held when they were to go. INVARIANT: not in the order of use, unless used since. */
  readonly #held = new Map<number, number>()
  #heldTriedMs = 0
  readonly #shrinker: Shrinker
  evictedCount = 0
  /** Of the budget, for bodies that are no cache. */
  #reservedBytes = 0
  #checkedReservedBytes = 0
  /** To be free beyond the floor, for what may be written before the disk is looked at again. */
  #headroomBytes = 0

  constructor(files: BackingFiles, active: ReadonlyMap<number, CachedFile>, options: EvictorOptions) {
    this.#files = files
    this.#active = active
    this.#options = options
    this.#shrinker = new Shrinker(files, active, options.bytesMax)
  }

  get #bytesMax(): number {
    return Math.max(0, this.#options.bytesMax - this.#reservedBytes)
  }

  get canStore(): boolean {
    if (this.#fullUntilMs !== 0 && this.#options.clock.now() < this.#fullUntilMs) return false
    const isRoomMade = this.#files.table.oldest >= 0 || this.#shrinker.isMakingRoom
    return isRoomMade || (!this.#isBelowFloor && this.#files.table.byteTotal < this.#bytesMax)
  }

  grew(): void {
    const bytesMax = this.#bytesMax
    const { byteTotal } = this.#files.table
    if (byteTotal < bytesMax) return
    if (byteTotal > bytesMax) {
      this.#aim(bytesMax * 0.9)
      this.#evict(bytesMax)
    }
    this.#shrink()
  }

  noteDiskFull(): void {
    const nowMs = this.#options.clock.now()
    const isNews = nowMs >= this.#fullUntilMs
    if (isNews) this.#options.log.warn(`The disk of the cache "${this.#options.directory}" is full: making room; reads go on without the cache`)
    this.#fullUntilMs = nowMs + fullMs
    if (isNews) this.#aim(this.#files.table.byteTotal * (1 - fullPart))
    this.#evict(this.#target)
  }

  /** A program can fill what is free within a second, and the kernel tells it that the disk is full without asking here. */
  reserve(bytes: number): void {
    const growth = Math.max(0, bytes - this.#reservedBytes)
    this.#reservedBytes = bytes
    this.#headroomBytes = Math.max(growth * headroomGrowths, Math.floor(this.#headroomBytes / 2))
    if (bytes - this.#checkedReservedBytes >= reservedCheckBytes) this.checkFreeSpace()
    if (this.#files.table.byteTotal > this.#bytesMax) this.#aim(this.#bytesMax)
    if (this.#isBelowFloor) this.#evict(this.#target)
  }

  /** For somebody who needs room at once: evicts a tenth of the cache, or as much as one step does. False when nothing could be. */
  makeRoom(): boolean {
    const { evictedCount } = this
    this.#fullUntilMs = this.#options.clock.now() + fullMs
    this.#aim(this.#files.table.byteTotal * (1 - fullPart))
    this.#evict(this.#target)
    return this.evictedCount > evictedCount
  }

  /** True when more is to be evicted. */
  step(nowMs: number): boolean {
    if (Math.abs(nowMs - this.#checkedMs) >= freeSpaceCheckMs) this.checkFreeSpace()
    if (this.#files.table.byteTotal > this.#bytesMax) this.#aim(this.#bytesMax * 0.9)
    this.#evict(this.#target)
    if (this.#held.size > 0 && Math.abs(nowMs - this.#heldTriedMs) >= heldRetryMs) this.#retryHeld(nowMs)
    this.#shrinker.step()
    // What came while room was being made may be too much again, and nothing more comes then.
    this.#shrink()
    return this.#target !== Infinity || this.#shrinker.isMakingRoom
  }

  checkFreeSpace(): void {
    this.#checkedMs = this.#options.clock.now()
    this.#checkedReservedBytes = this.#reservedBytes
    const space = this.#options.sys.statvfs(this.#options.directory)
    if (typeof space === 'number') return
    const lacking = this.#options.freeBytesMin + this.#headroomBytes - space.blocksAvailable * space.blockBytes
    this.#isBelowFloor = lacking > 0
    if (!this.#isBelowFloor) return
    this.#aim(Math.max(0, this.#files.table.byteTotal - lacking))
    if (this.#files.table.oldest < 0 && !this.#shrinker.isUnderWay) this.#shrinker.begin(lacking)
  }

  /** Only pinned files are left, and they fill the budget. */
  #shrink(): void {
    const { table } = this.#files
    const bytesMax = this.#bytesMax
    if (table.byteTotal < bytesMax || table.oldest >= 0 || this.#shrinker.isUnderWay) return
    this.#shrinker.begin(table.byteTotal - Math.floor(bytesMax * 0.9))
  }

  #aim(target: number): void {
    this.#target = Math.min(this.#target, target)
  }

  /** Removes files until the total is at most `limit` or this step has done enough. */
  #evict(limit: number): void {
    const { table } = this.#files
    let row = table.oldest
    const countMax = this.#isBelowFloor ? filesPerUrgentStep : filesPerStep
    for (let count = 0; count < countMax && row >= 0 && table.byteTotal > limit; count += 1) {
      const next = table.younger(row)
      if (this.#active.has(row)) table.unlist(row)
      else if (this.#files.evict(row)) this.evictedCount += 1
      else this.#setAside(row)
      row = next
    }
    if (table.byteTotal <= this.#target || table.oldest < 0) this.#target = Infinity
  }

  #setAside(row: number): void {
    const { table } = this.#files
    table.unlist(row)
    this.#held.set(row, table.serials[row]!)
  }

  /** Held rows go one by one while room is needed, and back into the order when it is not. */
  #retryHeld(nowMs: number): void {
    this.#heldTriedMs = nowMs
    const { table } = this.#files
    for (const [row, serial] of [...this.#held].slice(0, filesPerStep)) {
      this.#held.delete(row)
      if (!table.isUsed(row) || table.serials[row] !== serial || this.#active.has(row)) continue
      if (table.byteTotal < this.#bytesMax && !this.#isBelowFloor) table.touch(row)
      else if (this.#files.evict(row)) this.evictedCount += 1
      else this.#setAside(row)
    }
  }
}
