/**
 * The index of cached files: one row of typed-array columns per backing file, found by (file id, content version), in least-recently-used order.
 *
 * A million files must fit in about 100 bytes each, so there is no object per file. Rows never move; a freed row is used again. Presence of
 * files that are not whole lives in `#partial`, for whole ones a flag says it. Only `Cache` and the index log call this.
 */
import { EdgemountError } from '../../shared/error.ts'
import { IntervalSet } from './interval-set.ts'

export const rowFlag = {
  used: 1,
  /** Every byte is present. */
  complete: 2,
  /** Every byte is present and survives a power failure. */
  durable: 4,
} as const

/** Rows of a snapshot: as many of each as there are flags, eight times as many words of versions. */
export interface TableColumns {
  readonly fileIds: Float64Array
  readonly sizes: Float64Array
  readonly serials: Float64Array
  readonly bytes: Float64Array
  readonly versions: Uint32Array
  readonly stamps: Uint32Array
  readonly flags: Uint8Array
}

/** A content version is a SHA-256; the table keeps it as eight words. */
const versionWords = 8
const none = -1
const firstCapacity = 1024
const rowCountMax = 2 ** 30
const stampMax = 2 ** 32 - 1

export class FileTable {
  /** Rows in use are below this. */
  rowLimit = 0
  count = 0
  /** Bytes of all rows on disk. */
  byteTotal = 0

  fileIds = new Float64Array(firstCapacity)
  sizes = new Float64Array(firstCapacity)
  /** Number in the backing file's name; never used twice. */
  serials = new Float64Array(firstCapacity)
  /** Bytes on disk, in whole file-system blocks. */
  bytes = new Float64Array(firstCapacity)
  versions = new Uint32Array(firstCapacity * versionWords)
  /** Rises with each use: the persisted form of the order. */
  stamps = new Uint32Array(firstCapacity)
  flags = new Uint8Array(firstCapacity)

  #before = new Int32Array(firstCapacity).fill(none)
  #after = new Int32Array(firstCapacity).fill(none)
  /** Rows by hash, linear probing; at most 4/5 full. */
  #slots = new Int32Array(firstCapacity * 2).fill(none)
  #oldest = none
  #newest = none
  #lastStamp = 0
  /** Chain of freed rows through `#after`. */
  #free = none

  readonly #partial = new Map<number, IntervalSet>()
  readonly #partialDurable = new Map<number, IntervalSet>()

  /** The row of this content, or -1. */
  find(fileId: number, version: Uint32Array): number {
    const mask = this.#slots.length - 1
    for (let slot = hashOf(fileId, version, 0) & mask; ; slot = (slot + 1) & mask) {
      const row = this.#slots[slot]!
      if (row === none) return none
      if (this.fileIds[row] === fileId && this.#hasVersion(row, version)) return row
    }
  }

  /** A fresh row with nothing present, in no order yet (see `touch`). */
  add(fileId: number, version: Uint32Array, size: number, serial: number): number {
    const row = this.#takeRow()
    this.fill(row, fileId, version, size, serial)
    return row
  }

  /** Sets a row that `reserve` or `add` made available, and links it into the hash. */
  fill(row: number, fileId: number, version: Uint32Array, size: number, serial: number): void {
    this.fileIds[row] = fileId
    this.sizes[row] = size
    this.serials[row] = serial
    this.bytes[row] = 0
    this.versions.set(version, row * versionWords)
    this.stamps[row] = 0
    this.flags[row] = rowFlag.used
    this.#before[row] = none
    this.#after[row] = none
    this.count += 1
    this.#link(row)
  }

  remove(row: number): void {
    this.unlist(row)
    this.#unlink(row)
    this.setBytes(row, 0)
    this.flags[row] = 0
    this.#partial.delete(row)
    this.#partialDurable.delete(row)
    this.count -= 1
    this.#after[row] = this.#free
    this.#free = row
  }

  isUsed(row: number): boolean {
    return row < this.rowLimit && (this.flags[row]! & rowFlag.used) !== 0
  }

  isComplete(row: number): boolean {
    return (this.flags[row]! & rowFlag.complete) !== 0
  }

  isDurable(row: number): boolean {
    return (this.flags[row]! & rowFlag.durable) !== 0
  }

  version(row: number): Uint32Array {
    return this.versions.subarray(row * versionWords, (row + 1) * versionWords)
  }

  setBytes(row: number, bytes: number): void {
    this.byteTotal += bytes - this.bytes[row]!
    this.bytes[row] = bytes
  }

  /** Which bytes are present. A copy for whole files, the live set otherwise. */
  presence(row: number): IntervalSet {
    if (this.isComplete(row)) return new IntervalSet(this.sizes[row] === 0 ? [] : [0, this.sizes[row]!])
    return this.#partial.get(row) ?? new IntervalSet()
  }

  has(row: number, start: number, end: number): boolean {
    if (this.isComplete(row)) return end <= this.sizes[row]!
    return start >= end || this.#partial.get(row)?.has(start, end) === true
  }

  /** Gives how many bytes are new. Nothing that is newly present is durable yet. */
  markPresent(row: number, start: number, end: number): number {
    if (this.isComplete(row)) return 0
    const added = setAt(this.#partial, row).add(start, end)
    this.#settlePresence(row)
    return added
  }

  /** Which bytes survive a power failure. */
  durable(row: number): IntervalSet {
    if (this.isDurable(row)) return this.presence(row)
    return this.#partialDurable.get(row) ?? new IntervalSet()
  }

  markDurable(row: number, start: number, end: number): void {
    if (this.isDurable(row)) return
    setAt(this.#partialDurable, row).add(start, end)
    this.#settlePresence(row)
  }

  /** Replaces what is known of a row's bytes; `durable` must lie within `present`. */
  setPresence(row: number, present: IntervalSet, durable: IntervalSet): void {
    this.flags[row] = rowFlag.used
    this.#partial.set(row, present)
    this.#partialDurable.set(row, durable)
    this.#settlePresence(row)
  }

  /** Makes the row the most recently used. */
  touch(row: number): void {
    this.unlist(row)
    this.#before[row] = this.#newest
    if (this.#newest === none) this.#oldest = row
    else this.#after[this.#newest] = row
    this.#newest = row
    if (this.#lastStamp >= stampMax) this.#renumber()
    this.#lastStamp += 1
    this.stamps[row] = this.#lastStamp
  }

  /** Takes the row out of the order, so that nobody evicts it. */
  unlist(row: number): void {
    const before = this.#before[row]!
    const after = this.#after[row]!
    if (before === none && this.#oldest !== row) return
    if (before === none) this.#oldest = after
    else this.#after[before] = after
    if (after === none) this.#newest = before
    else this.#before[after] = before
    this.#before[row] = none
    this.#after[row] = none
  }

  /** The least recently used row, or -1. */
  get oldest(): number {
    return this.#oldest
  }

  /** The row used next after this one, or -1. */
  younger(row: number): number {
    return this.#after[row]!
  }

  /** Makes rows below `limit` addressable. They are filled by `fill`, then `finishLoading` orders them. */
  reserve(limit: number): void {
    if (limit > rowCountMax) throw new EdgemountError('exhausted', `Cannot cache ${limit} files: ${rowCountMax} is the most`)
    this.#grow(limit)
    let slotCount = this.#slots.length
    while (limit * 5 > slotCount * 4) slotCount *= 2
    if (slotCount > this.#slots.length) this.#rehash(slotCount)
    this.rowLimit = Math.max(this.rowLimit, limit)
  }

  /** Takes rows as they stand in a snapshot's columns, those whose `flags` are not zero; bytes are counted, presence is as the flags say. */
  load(firstRow: number, columns: TableColumns): void {
    const { flags } = columns
    this.reserve(firstRow + flags.length)
    this.fileIds.set(columns.fileIds, firstRow)
    this.sizes.set(columns.sizes, firstRow)
    this.serials.set(columns.serials, firstRow)
    this.bytes.set(columns.bytes, firstRow)
    this.versions.set(columns.versions, firstRow * versionWords)
    this.stamps.set(columns.stamps, firstRow)
    this.flags.set(flags, firstRow)
    for (let index = 0; index < flags.length; index += 1) {
      if (flags[index] === 0) this.bytes[firstRow + index] = 0
      else {
        this.count += 1
        this.byteTotal += columns.bytes[index]!
        this.#link(firstRow + index)
      }
    }
  }

  /** After rows were filled in any order: puts them into the order of their stamps, and the gaps on the free chain. */
  finishLoading(): void {
    this.#free = none
    this.#oldest = none
    this.#newest = none
    // 64-bit places, stamp over row, written as little-endian words because making a bigint for each would take a second.
    const words = new Uint32Array(this.count * 2)
    let used = 0
    for (let row = this.rowLimit - 1; row >= 0; row -= 1) {
      this.#before[row] = none
      this.#after[row] = none
      if (this.isUsed(row)) {
        words[used * 2] = row
        words[used * 2 + 1] = this.stamps[row]!
        used += 1
      } else {
        this.#after[row] = this.#free
        this.#free = row
      }
    }
    new BigUint64Array(words.buffer).sort()
    this.#lastStamp = 0
    for (let place = 0; place < used; place += 1) this.touch(words[place * 2]!)
  }

  /** Bytes of memory that the columns take. */
  get memoryBytes(): number {
    const columns = [this.fileIds, this.sizes, this.serials, this.bytes, this.versions, this.stamps, this.flags]
    return [...columns, this.#before, this.#after, this.#slots].reduce((sum, column) => sum + column.byteLength, 0)
  }

  /** Presence and durability as flags where they are whole, as sets where not. */
  #settlePresence(row: number): void {
    const size = this.sizes[row]!
    if (!this.isComplete(row) && setAt(this.#partial, row).has(0, size)) {
      this.#partial.delete(row)
      this.flags[row]! |= rowFlag.complete
    }
    const durable = this.#partialDurable.get(row)
    if (durable === undefined) return
    if (this.isComplete(row) && durable.has(0, size)) {
      this.#partialDurable.delete(row)
      this.flags[row]! |= rowFlag.durable
    } else if (durable.isEmpty) this.#partialDurable.delete(row)
  }

  #takeRow(): number {
    if (this.#free !== none) {
      const row = this.#free
      this.#free = this.#after[row]!
      return row
    }
    this.reserve(this.rowLimit + 1)
    return this.rowLimit - 1
  }

  /** Growth by a quarter keeps the slack small and copying linear. */
  #grow(limit: number): void {
    const old = this.flags.length
    if (limit <= old) return
    const capacity = Math.max(limit, Math.ceil(old * 1.25))
    this.fileIds = grown(this.fileIds, new Float64Array(capacity))
    this.sizes = grown(this.sizes, new Float64Array(capacity))
    this.serials = grown(this.serials, new Float64Array(capacity))
    this.bytes = grown(this.bytes, new Float64Array(capacity))
    this.versions = grown(this.versions, new Uint32Array(capacity * versionWords))
    this.stamps = grown(this.stamps, new Uint32Array(capacity))
    this.flags = grown(this.flags, new Uint8Array(capacity))
    this.#before = grown(this.#before, new Int32Array(capacity).fill(none))
    this.#after = grown(this.#after, new Int32Array(capacity).fill(none))
  }

  #rehash(length: number): void {
    this.#slots = new Int32Array(length).fill(none)
    for (let row = 0; row < this.rowLimit; row += 1) if (this.isUsed(row)) this.#link(row)
  }

  #link(row: number): void {
    const mask = this.#slots.length - 1
    let slot = hashOf(this.fileIds[row]!, this.versions, row * versionWords) & mask
    while (this.#slots[slot] !== none) slot = (slot + 1) & mask
    this.#slots[slot] = row
  }

  /** Closes the gap by moving later rows of the probe sequence back, so that there are no tombstones. */
  #unlink(row: number): void {
    const slots = this.#slots
    const mask = slots.length - 1
    let gap = hashOf(this.fileIds[row]!, this.versions, row * versionWords) & mask
    while (slots[gap] !== row) gap = (gap + 1) & mask
    for (let slot = (gap + 1) & mask; slots[slot] !== none; slot = (slot + 1) & mask) {
      const moved = slots[slot]!
      const home = hashOf(this.fileIds[moved]!, this.versions, moved * versionWords) & mask
      if (((slot - home) & mask) < ((slot - gap) & mask)) continue
      slots[gap] = moved
      gap = slot
    }
    slots[gap] = none
  }

  #hasVersion(row: number, version: Uint32Array): boolean {
    const first = row * versionWords
    for (let index = 0; index < versionWords; index += 1) if (this.versions[first + index] !== version[index]) return false
    return true
  }

  /** The stamps have run out: deal them anew in the present order. */
  #renumber(): void {
    this.#lastStamp = 0
    for (let row = this.#oldest; row !== none; row = this.#after[row]!) {
      this.#lastStamp += 1
      this.stamps[row] = this.#lastStamp
    }
  }
}

/** A content version (64 hex digits) as eight words. */
export function versionOf(contentVersion: string): Uint32Array {
  if (!/^[0-9a-f]{64}$/.test(contentVersion)) throw new EdgemountError('invalid', `Cannot cache "${contentVersion}": not a content version`)
  return Uint32Array.from({ length: versionWords }, (_, index) => Number.parseInt(contentVersion.slice(index * 8, index * 8 + 8), 16))
}

/** The version is a hash already; the file id only has to tell equal contents apart. */
function hashOf(fileId: number, versions: Uint32Array, at: number): number {
  const id = Math.imul((fileId >>> 0) ^ Math.imul(Math.floor(fileId / 2 ** 32), 0x9e3779b1), 0x85ebca6b)
  return (versions[at]! ^ id ^ (id >>> 15)) >>> 0
}

function setAt(sets: Map<number, IntervalSet>, row: number): IntervalSet {
  let set = sets.get(row)
  if (set === undefined) sets.set(row, (set = new IntervalSet()))
  return set
}

function grown<T extends Float64Array | Uint32Array | Int32Array | Uint8Array>(from: T, to: T): T {
  to.set(from)
  return to
}
