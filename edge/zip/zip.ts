/**
 * A zip archive as a stream (PKWARE APPNOTE 6.3.10): stored, not compressed, with zip64 where sizes and offsets need it. Called by `routes/zip.ts`.
 *
 * The directory at the end is made by walking what is archived once more, so that only four bytes an entry, its checksum, are held in between. INVARIANT: both walks
 * give the same entries in the same order; whoever calls archives something that never changes.
 */
import { EdgemountError } from '../../shared/error.ts'
import type { Time } from '../../shared/format/entry.ts'
import { encodeName } from '../../shared/name.ts'
import { crc32 } from './crc32.ts'

export interface ZipEntry {
  /** Names with slashes between; a directory's ends with one. */
  readonly name: string
  /** With the bits of its kind, as in st_mode. */
  readonly mode: number
  readonly mtime: Time
  readonly size: number
  /** The whole body where it is at hand: its checksum then comes before it. */
  readonly body?: Uint8Array | undefined
}

export interface ZipSource<E extends ZipEntry = ZipEntry> {
  readonly walk: () => AsyncIterable<E>
  /** Exactly `size` bytes; only asked for what has no `body`. */
  readonly read: (entry: E) => AsyncIterable<Uint8Array>
  /** From here on sizes and offsets stand in zip64's fields; what 32 bits cannot say unless given. */
  readonly longBytes?: number | undefined
}

/** 16 MiB of checksums. */
export const zipEntriesMax = 4_000_000
const max16 = 0xffff
const max32 = 0xffffffff
/** Small pieces become larger ones: each costs a turn of the event loop and a chunk on the wire. */
const pieceBytes = 64 * 1024

/** The archive. What cannot be finished throws: whoever receives it sees that it is cut. */
export async function* zipPieces<E extends ZipEntry>(source: ZipSource<E>): AsyncGenerator<Uint8Array, void, undefined> {
  yield* gathered(rawPieces(source))
}

async function* rawPieces<E extends ZipEntry>({ walk, read, longBytes = max32 }: ZipSource<E>): AsyncGenerator<Uint8Array, void, undefined> {
  let sums = new Uint32Array(1024)
  let count = 0
  for await (const entry of walk()) {
    if (count === zipEntriesMax) throw new EdgemountError('exhausted', `Cannot archive more than ${zipEntriesMax} names at once: ask for the directories in it one by one`)
    if (count === sums.length) sums = grown(sums)
    const { body } = entry
    let sum = body === undefined ? 0 : crc32(0, body)
    yield localHeader(entry, sum, longBytes)
    if (body === undefined) {
      let length = 0
      for await (const piece of read(entry)) {
        sum = crc32(sum, piece)
        length += piece.length
        yield piece
      }
      if (length !== entry.size) throw new EdgemountError('unavailable', `Cannot archive "${entry.name}": ${length} of its ${entry.size} bytes came`)
      yield descriptor(entry, sum, longBytes)
    } else if (body.length > 0) yield body
    sums[count] = sum
    count += 1
  }
  yield* directory(walk, sums.subarray(0, count), longBytes)
}

function grown(sums: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(Math.min(zipEntriesMax, sums.length * 2))
  larger.set(sums)
  return larger
}

/** The central directory, entry for entry as they came, and the records that end the archive. */
async function* directory(walk: () => AsyncIterable<ZipEntry>, sums: Uint32Array, longBytes: number): AsyncGenerator<Uint8Array> {
  let offset = 0
  let bytes = 0
  let index = 0
  for await (const entry of walk()) {
    if (index === sums.length) throw changed()
    const header = centralHeader(entry, { sum: sums[index]!, offset, longBytes })
    yield header
    index += 1
    bytes += header.length
    offset += localHeader(entry, 0, longBytes).length + entry.size + (entry.body === undefined ? descriptor(entry, 0, longBytes).length : 0)
  }
  if (index !== sums.length) throw changed()
  yield endRecords({ count: sums.length, bytes, offset, longBytes })
}

function changed(): EdgemountError {
  return new EdgemountError('internal', 'Cannot finish the archive: what is in it changed while it was made')
}

function localHeader(entry: ZipEntry, sum: number, longBytes: number): Uint8Array {
  const name = encodeName(entry.name)
  const isLong = entry.size >= longBytes
  const fields = new Fields()
  fields.u32(0x04034b50)
  fields.u16(isLong ? 45 : 20)
  commonFields(fields, entry, entry.body === undefined ? 0 : sum, isLong)
  fields.u16(name.length)
  const extra = new Fields()
  if (isLong) {
    extra.u16(0x0001)
    extra.u16(16)
    extra.u64(entry.size)
    extra.u64(entry.size)
  }
  timeExtra(extra, entry.mtime)
  fields.u16(extra.length)
  fields.raw(name)
  fields.raw(extra.bytes())
  return fields.bytes()
}

/** What comes after a body whose checksum nobody knew before. */
function descriptor({ size }: ZipEntry, sum: number, longBytes: number): Uint8Array {
  const fields = new Fields()
  fields.u32(0x08074b50)
  fields.u32(sum)
  for (let copy = 0; copy < 2; copy += 1) {
    if (size >= longBytes) fields.u64(size)
    else fields.u32(size)
  }
  return fields.bytes()
}

function centralHeader(entry: ZipEntry, { sum, offset, longBytes }: { readonly sum: number; readonly offset: number; readonly longBytes: number }): Uint8Array {
  const name = encodeName(entry.name)
  const long: number[] = []
  const isLong = entry.size >= longBytes
  if (isLong) long.push(entry.size, entry.size)
  if (offset >= longBytes) long.push(offset)
  const extra = new Fields()
  if (long.length > 0) {
    extra.u16(0x0001)
    extra.u16(long.length * 8)
    for (const value of long) extra.u64(value)
  }
  timeExtra(extra, entry.mtime)
  const fields = new Fields()
  fields.u32(0x02014b50)
  // Made on Unix: the upper half of the attributes is st_mode, and names are bytes.
  fields.u16((3 << 8) | 45)
  fields.u16(long.length > 0 ? 45 : 20)
  commonFields(fields, entry, sum, isLong)
  fields.u16(name.length)
  fields.u16(extra.length)
  for (const none of [0, 0, 0]) fields.u16(none) // comment, disk, internal attributes
  fields.u32(((entry.mode << 16) | (entry.name.endsWith('/') ? 0x10 : 0)) >>> 0)
  fields.u32(offset >= longBytes ? max32 : offset)
  fields.raw(name)
  fields.raw(extra.bytes())
  return fields.bytes()
}

/** From the flags to the sizes: the same in both headers. */
function commonFields(fields: Fields, { name, mtime, size, body }: ZipEntry, sum: number, isLong: boolean): void {
  // Bit 3: a descriptor follows. Bit 11: the name is UTF-8; names of other bytes stand as they are.
  fields.u16((body === undefined ? 0x0008 : 0) | (name.isWellFormed() ? 0x0800 : 0))
  fields.u16(0) // stored
  fields.raw(dosTime(mtime))
  fields.u32(sum)
  fields.u32(isLong ? max32 : size)
  fields.u32(isLong ? max32 : size)
}

/** Seconds since 1970, which DOS's own field is too coarse and has no zone for ("UT" of Info-ZIP's extra fields). */
function timeExtra(fields: Fields, { seconds }: Time): void {
  if (Math.abs(seconds) > 0x7fffffff) return
  fields.u16(0x5455)
  fields.u16(5)
  fields.u8(1)
  fields.u32(seconds >>> 0)
}

/** Two bytes of time and two of date, in UTC, between 1980 and 2107. */
function dosTime({ seconds }: Time): Uint8Array {
  const earliest = Date.UTC(1980, 0, 1) / 1000
  const latest = Date.UTC(2107, 11, 31, 23, 59, 58) / 1000
  const date = new Date(Math.min(Math.max(seconds, earliest), latest) * 1000)
  const fields = new Fields()
  fields.u16((date.getUTCHours() << 11) | (date.getUTCMinutes() << 5) | (date.getUTCSeconds() >> 1))
  fields.u16(((date.getUTCFullYear() - 1980) << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate())
  return fields.bytes()
}

interface ArchiveEnd {
  readonly count: number
  /** Of the directory. */
  readonly bytes: number
  readonly offset: number
  readonly longBytes: number
}

function endRecords({ count, bytes, offset, longBytes }: ArchiveEnd): Uint8Array {
  const fields = new Fields()
  if (count >= max16 || bytes >= longBytes || offset >= longBytes) {
    fields.u32(0x06064b50)
    fields.u64(44)
    fields.u16((3 << 8) | 45)
    fields.u16(45)
    fields.u32(0)
    fields.u32(0)
    fields.u64(count)
    fields.u64(count)
    fields.u64(bytes)
    fields.u64(offset)
    fields.u32(0x07064b50)
    fields.u32(0)
    fields.u64(offset + bytes)
    fields.u32(1)
  }
  fields.u32(0x06054b50)
  fields.u16(0)
  fields.u16(0)
  fields.u16(Math.min(count, max16))
  fields.u16(Math.min(count, max16))
  fields.u32(bytes >= longBytes ? max32 : bytes)
  fields.u32(offset >= longBytes ? max32 : offset)
  fields.u16(0)
  return fields.bytes()
}

/** Little-endian fields, one after the other. */
class Fields {
  #view = new DataView(new ArrayBuffer(128))
  length = 0

  u8(value: number): void {
    this.#room(1).setUint8(this.#take(1), value)
  }

  u16(value: number): void {
    this.#room(2).setUint16(this.#take(2), value, true)
  }

  u32(value: number): void {
    this.#room(4).setUint32(this.#take(4), value, true)
  }

  u64(value: number): void {
    this.#room(8).setBigUint64(this.#take(8), BigInt(value), true)
  }

  raw(bytes: Uint8Array): void {
    new Uint8Array(this.#room(bytes.length).buffer).set(bytes, this.#take(bytes.length))
  }

  bytes(): Uint8Array {
    return new Uint8Array(this.#view.buffer, 0, this.length)
  }

  #room(bytes: number): DataView<ArrayBuffer> {
    if (this.length + bytes > this.#view.byteLength) {
      const larger = new Uint8Array(Math.max(this.length + bytes, this.#view.byteLength * 2))
      larger.set(this.bytes())
      this.#view = new DataView(larger.buffer)
    }
    return this.#view
  }

  #take(bytes: number): number {
    const at = this.length
    this.length += bytes
    return at
  }
}

async function* gathered(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let held = new Uint8Array(pieceBytes)
  let length = 0
  for await (const piece of pieces) {
    if (length + piece.length > pieceBytes && length > 0) {
      yield held.subarray(0, length)
      held = new Uint8Array(pieceBytes)
      length = 0
    }
    if (piece.length >= pieceBytes) {
      yield piece
      continue
    }
    held.set(piece, length)
    length += piece.length
  }
  if (length > 0) yield held.subarray(0, length)
}
