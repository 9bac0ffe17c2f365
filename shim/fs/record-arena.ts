/**
 * The bytes of known inodes: for each row its name in its directory and, where it is small, its encoded entry.
 *
 * Called by `inode-table.ts`. One buffer for all, so that a row costs its bytes and no object; freed records leave gaps, and when gaps
 * are most of the buffer the table has it compacted. A record is `name length (1 byte) · name · entry length (4 bytes) · entry`.
 */

const startBytes = 64 * 1024

/** Below this a compaction is not worth a thought. */
const compactBytesMin = 1024 * 1024

export class RecordArena {
  /** Byte 0 is not used: offset 0 says "no record". */
  #bytes = new Uint8Array(startBytes)
  #end = 1
  #freedBytes = 0

  /** Records and the gaps between them. */
  get usedBytes(): number {
    return this.#end
  }

  /** Gaps are more than half: time for `compact`. */
  get isSparse(): boolean {
    return this.#freedBytes > compactBytesMin && this.#freedBytes * 2 > this.#end
  }

  /** Stores a record and gives its offset. `entry` of no bytes: the entry is not kept. */
  add(name: Uint8Array, entry: Uint8Array): number {
    const length = 5 + name.length + entry.length
    this.#reserve(length)
    const offset = this.#end
    const bytes = this.#bytes
    bytes[offset] = name.length
    bytes.set(name, offset + 1)
    writeLength(bytes, offset + 1 + name.length, entry.length)
    bytes.set(entry, offset + 5 + name.length)
    this.#end += length
    return offset
  }

  free(offset: number): void {
    if (offset !== 0) this.#freedBytes += this.#length(offset)
  }

  /** A view: valid until the next `add` or `compact`. */
  name(offset: number): Uint8Array {
    return this.#bytes.subarray(offset + 1, offset + 1 + this.#bytes[offset]!)
  }

  /** A view: valid until the next `add` or `compact`. Empty when the entry is not kept. */
  entry(offset: number): Uint8Array {
    const start = offset + 1 + this.#bytes[offset]!
    return this.#bytes.subarray(start + 4, start + 4 + readLength(this.#bytes, start))
  }

  /** Moves the records at `offsets[1 … rowCount)` (0: none) together and writes their new offsets. */
  compact(offsets: Uint32Array, rowCount: number): void {
    const liveBytes = this.#end - this.#freedBytes
    const target = new Uint8Array(Math.max(startBytes, Math.ceil(liveBytes * 1.25)))
    let end = 1
    for (let row = 1; row < rowCount; row += 1) {
      const offset = offsets[row]!
      if (offset === 0) continue
      const length = this.#length(offset)
      target.set(this.#bytes.subarray(offset, offset + length), end)
      offsets[row] = end
      end += length
    }
    this.#bytes = target
    this.#end = end
    this.#freedBytes = 0
  }

  #length(offset: number): number {
    const nameLength = this.#bytes[offset]!
    return 5 + nameLength + readLength(this.#bytes, offset + 1 + nameLength)
  }

  #reserve(length: number): void {
    if (this.#end + length <= this.#bytes.length) return
    const grown = new Uint8Array(Math.ceil((this.#end + length) * 1.25))
    grown.set(this.#bytes.subarray(0, this.#end))
    this.#bytes = grown
  }
}

function writeLength(bytes: Uint8Array, at: number, length: number): void {
  bytes[at] = length
  bytes[at + 1] = length >>> 8
  bytes[at + 2] = length >>> 16
  bytes[at + 3] = length >>> 24
}

function readLength(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
}
