/**
 * What is remembered of every inode that the kernel knows: one row each, in columns of typed arrays (about 110 bytes), plus its record
 * (name, small entry) in the arena and 4 to 8 bytes of index. A file that was never looked up has no row and costs nothing.
 *
 * Called by the rest of `shim/fs/`. A row's number is the kernel's node id. Rows are reused after the kernel forgot them, with another
 * generation. The table decides nothing: no tree is walked and no kernel is told anything here.
 */
import type { Entry } from '../../shared/format/entry.ts'
import type { Attributes } from '../fuse/handler.ts'
import { contentTagOf, deviceOf, modeOf } from './attributes.ts'
import { IdIndex } from './id-index.ts'
import { RecordArena } from './record-arena.ts'

/** A row of the table; also the kernel's node id. Row 0 does not exist, row 1 is the root. */
export type Row = number

export const rootRow: Row = 1

/** Bits of the flags column. */
export const rowFlag = {
  /** The entry has xattrs. */
  hasXattrs: 1,
  /** The name leads to an inode of the inode tree: several hard links. */
  isLinked: 2,
  /** The file id is gone from the volume; the row lives while the kernel holds it. */
  isGone: 4,
  /** An older version of a file, kept for the handles that have it open; the file id leads to another row now. */
  isDetached: 8,
  /** The kernel's pages of this file may be of an older version. */
  hasStalePages: 16,
  /** It differs from the snapshot, or may: `LocalChanges` has its entry. */
  isLocal: 32,
} as const

const startRows = 1024
/** Of all columns: seven of 8 bytes, thirteen of 4, one of 1. */
const rowBytes = 7 * 8 + 13 * 4 + 1
const noBytes = new Uint8Array(0)

export interface Shown {
  readonly owner: string
  readonly times: string
  readonly mtime: string
  readonly ctime: string
}

export class InodeTable {
  /** Columns, indexed by row. `modes` holds the type bits too, `devices` the kernel's packing. */
  ids = new Float64Array(startRows)
  sizes = new Float64Array(startRows)
  /** 53 bits that differ when the content does; see `contentTagOf`. */
  contentTags = new Float64Array(startRows)
  lookupCounts = new Float64Array(startRows)
  modes = new Uint32Array(startRows)
  generations = new Uint32Array(startRows)
  /** See `parentOf`: a row may have been forgotten, and be another file's now. */
  parents = new Uint32Array(startRows)
  #parentGenerations = new Uint32Array(startRows)
  /** The epoch in which the row was last known to be current. */
  epochs = new Uint32Array(startRows)
  flags = new Uint8Array(startRows)
  #atimeSeconds = new Float64Array(startRows)
  #mtimeSeconds = new Float64Array(startRows)
  #ctimeSeconds = new Float64Array(startRows)
  #atimeNanoseconds = new Uint32Array(startRows)
  #mtimeNanoseconds = new Uint32Array(startRows)
  #ctimeNanoseconds = new Uint32Array(startRows)
  #uids = new Uint32Array(startRows)
  #gids = new Uint32Array(startRows)
  #linkCounts = new Uint32Array(startRows)
  #devices = new Uint32Array(startRows)
  #records = new Uint32Array(startRows)
  readonly #arena = new RecordArena()
  readonly #index = new IdIndex()
  #rowEnd = 1
  #knownCount = 0
  /** Head of the list of free rows, threaded through `parents`; 0 ends it. */
  #firstFree = 0

  get knownCount(): number {
    return this.#knownCount
  }

  /** One past the highest row in use. */
  get rowEnd(): number {
    return this.#rowEnd
  }

  /** Everything the table holds in memory. Reserve is left out: memory that was never written to is not resident. */
  get bytes(): number {
    return this.#rowEnd * rowBytes + this.#arena.usedBytes + this.#index.bytes
  }

  isKnown(row: Row): boolean {
    return row > 0 && row < this.#rowEnd && this.ids[row] !== 0
  }

  /** The directory in which the row was last found, or 0 when the kernel has forgotten that directory, or never knew it. */
  parentOf(row: Row): Row {
    const parent = this.parents[row]!
    return this.isKnown(parent) && this.generations[parent] === this.#parentGenerations[row] ? parent : 0
  }

  /** The row of a file id, or 0. */
  find(id: number): Row {
    return this.#index.find(id, this.ids)
  }

  /** A fresh row for a file id that has none. */
  allocate(id: number): Row {
    let row = this.#firstFree
    if (row === 0) {
      if (this.#rowEnd === this.ids.length) this.#grow()
      row = this.#rowEnd
      this.#rowEnd += 1
    } else {
      this.#firstFree = this.parents[row]!
    }
    this.ids[row] = id
    this.generations[row]! += 1
    this.lookupCounts[row] = 0
    this.parents[row] = 0
    this.flags[row] = 0
    this.#records[row] = 0
    this.#knownCount += 1
    this.#index.add(row, this.ids)
    return row
  }

  /** The kernel forgot it. */
  free(row: Row): void {
    if ((this.flags[row]! & rowFlag.isDetached) === 0) this.#index.remove(row, this.ids)
    this.#arena.free(this.#records[row]!)
    this.#records[row] = 0
    this.ids[row] = 0
    this.parents[row] = this.#firstFree
    this.#firstFree = row
    this.#knownCount -= 1
    if (this.#arena.isSparse) this.#arena.compact(this.#records, this.#rowEnd)
  }

  /** The file id no longer leads to this row; the kernel's handles still do. */
  detach(row: Row): void {
    this.#index.remove(row, this.ids)
    this.flags[row]! |= rowFlag.isDetached
  }

  /** Another file id leads to this row; it has no row yet. */
  renumber(row: Row, id: number): void {
    this.#index.remove(row, this.ids)
    this.ids[row] = id
    this.#index.add(row, this.ids)
  }

  /** Where the row's name stands, and its entry bytes if they are worth keeping. */
  place(row: Row, parent: Row, name: Uint8Array, entry: Uint8Array): void {
    const old = this.#records[row]!
    this.#records[row] = this.#arena.add(name, entry)
    this.#arena.free(old)
    this.parents[row] = parent
    this.#parentGenerations[row] = this.generations[parent]!
    if (this.#arena.isSparse) this.#arena.compact(this.#records, this.#rowEnd)
  }

  /** The name in its directory. A view that the next `place` or `free` may overwrite. */
  name(row: Row): Uint8Array {
    const record = this.#records[row]!
    return record === 0 ? noBytes : this.#arena.name(record)
  }

  /** The entry's bytes, empty when they are not kept. A view that the next `place` or `free` may overwrite. */
  entry(row: Row): Uint8Array {
    const record = this.#records[row]!
    return record === 0 ? noBytes : this.#arena.entry(record)
  }

  linkCountOf(row: Row): number {
    return this.#linkCounts[row]!
  }

  setLinkCount(row: Row, linkCount: number): void {
    this.#linkCounts[row] = linkCount
  }

  /** Writes an entry's attributes into the columns. */
  write(row: Row, entry: Entry): void {
    this.sizes[row] = entry.size
    this.contentTags[row] = contentTagOf(entry)
    this.modes[row] = modeOf(entry)
    this.#atimeSeconds[row] = (entry.atime ?? entry.mtime).seconds
    this.#atimeNanoseconds[row] = (entry.atime ?? entry.mtime).nanoseconds
    this.#mtimeSeconds[row] = entry.mtime.seconds
    this.#mtimeNanoseconds[row] = entry.mtime.nanoseconds
    this.#ctimeSeconds[row] = entry.ctime.seconds
    this.#ctimeNanoseconds[row] = entry.ctime.nanoseconds
    this.#uids[row] = entry.uid
    this.#gids[row] = entry.gid
    this.#linkCounts[row] = entry.content.kind === 'tree' ? 2 + entry.content.root.directoryCount : entry.linkCount
    this.#devices[row] = deviceOf(entry)
    const flags = this.flags[row]! & ~(rowFlag.hasXattrs | rowFlag.isGone)
    this.flags[row] = entry.xattrs.size > 0 ? flags | rowFlag.hasXattrs : flags
  }

  /** What the kernel is told of a row, for comparing. */
  shownOf(row: Row): Shown {
    const mtime = `${this.#mtimeSeconds[row]!}.${this.#mtimeNanoseconds[row]!}`
    const ctime = `${this.#ctimeSeconds[row]!}.${this.#ctimeNanoseconds[row]!}`
    return {
      owner: `${this.modes[row]!} ${this.#uids[row]!} ${this.#gids[row]!} ${this.#linkCounts[row]!} ${this.flags[row]! & rowFlag.hasXattrs}`,
      times: `${this.#atimeSeconds[row]!}.${this.#atimeNanoseconds[row]!} ${mtime} ${ctime}`,
      mtime,
      ctime,
    }
  }

  /** Reads the row's attributes into an object that is used again and again. */
  readAttributes(row: Row, into: Attributes): void {
    const size = this.sizes[row]!
    into.ino = this.ids[row]!
    into.size = size
    into.blocks = Math.ceil(size / 512)
    into.mtimeSeconds = this.#mtimeSeconds[row]!
    into.mtimeNanoseconds = this.#mtimeNanoseconds[row]!
    into.atimeSeconds = this.#atimeSeconds[row]!
    into.atimeNanoseconds = this.#atimeNanoseconds[row]!
    into.ctimeSeconds = this.#ctimeSeconds[row]!
    into.ctimeNanoseconds = this.#ctimeNanoseconds[row]!
    into.mode = this.modes[row]!
    into.linkCount = this.#linkCounts[row]!
    into.uid = this.#uids[row]!
    into.gid = this.#gids[row]!
    into.rdev = this.#devices[row]!
    into.blockBytes = 4096
  }

  /** A quarter more: doubling would leave half of a big table empty. */
  #grow(): void {
    const rows = Math.ceil(this.ids.length * 1.25)
    this.ids = grownFloats(this.ids, rows)
    this.sizes = grownFloats(this.sizes, rows)
    this.contentTags = grownFloats(this.contentTags, rows)
    this.lookupCounts = grownFloats(this.lookupCounts, rows)
    this.#atimeSeconds = grownFloats(this.#atimeSeconds, rows)
    this.#mtimeSeconds = grownFloats(this.#mtimeSeconds, rows)
    this.#ctimeSeconds = grownFloats(this.#ctimeSeconds, rows)
    this.modes = grownWords(this.modes, rows)
    this.generations = grownWords(this.generations, rows)
    this.parents = grownWords(this.parents, rows)
    this.#parentGenerations = grownWords(this.#parentGenerations, rows)
    this.epochs = grownWords(this.epochs, rows)
    this.#atimeNanoseconds = grownWords(this.#atimeNanoseconds, rows)
    this.#mtimeNanoseconds = grownWords(this.#mtimeNanoseconds, rows)
    this.#ctimeNanoseconds = grownWords(this.#ctimeNanoseconds, rows)
    this.#uids = grownWords(this.#uids, rows)
    this.#gids = grownWords(this.#gids, rows)
    this.#linkCounts = grownWords(this.#linkCounts, rows)
    this.#devices = grownWords(this.#devices, rows)
    this.#records = grownWords(this.#records, rows)
    const flags = new Uint8Array(rows)
    flags.set(this.flags)
    this.flags = flags
  }
}

function grownFloats(column: Float64Array<ArrayBuffer>, rows: number): Float64Array<ArrayBuffer> {
  const grown = new Float64Array(rows)
  grown.set(column)
  return grown
}

function grownWords(column: Uint32Array<ArrayBuffer>, rows: number): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(rows)
  grown.set(column)
  return grown
}
