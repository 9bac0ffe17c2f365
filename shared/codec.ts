/**
 * Reading and writing of binary values: bytes, little-endian numbers, varints. All binary formats are made of these.
 *
 * Encodings are canonical: a value has exactly one spelling, and the reader refuses any other, because formats are
 * identified by the hash of their bytes. The reader treats its input as hostile: every failure is a `corrupt` error
 * that names what was read, and nothing is allocated from a length that the input does not hold.
 */
import { EdgemountError } from './error.ts'

/** Bytes: more than nearly every record and entry has, and little enough to keep for ever. */
const capacityKept = 65_536

/** Appends values to a buffer that grows. A value that has no encoding is `invalid`. */
export class Writer {
  #bytes: Uint8Array
  #length = 0

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity)
  }

  get length(): number {
    return this.#length
  }

  /** One byte, 0…255. */
  u8(value: number): void {
    if (!(value >= 0 && value <= 0xff)) throw new EdgemountError('invalid', `Cannot write ${value} as a byte: it is not 0…255`)
    this.#room(1)
    this.#bytes[this.#length++] = value
  }

  /** LEB128: seven bits a byte, low bits first, high bit set on all but the last byte. Safe integers only, so at most 8 bytes. */
  varint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new EdgemountError('invalid', `Cannot write ${value} as a varint: it is not a safe non-negative integer`)
    }
    this.#room(8)
    let rest = value
    while (rest > 0x7fffffff) {
      this.#bytes[this.#length++] = (rest % 0x80) + 0x80
      rest = Math.floor(rest / 0x80)
    }
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#bytes[this.#length++] = rest
  }

  /** A signed varint: 0, -1, 1, -2, … as 0, 1, 2, 3, … */
  zigzag(value: number): void {
    this.varint(value >= 0 ? value * 2 : -value * 2 - 1)
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  /** Its length as a varint, then the bytes. */
  sized(bytes: Uint8Array): void {
    this.varint(bytes.length)
    this.raw(bytes)
  }

  /** Begins again, in the memory that it has unless that is more than it should keep. */
  clear(): void {
    this.#length = 0
    if (this.#bytes.length > capacityKept) this.#bytes = new Uint8Array(capacityKept)
  }

  /** What was written, until more is. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** What was written, in an array of its own. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  #room(count: number): void {
    const needed = this.#length + count
    if (needed <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    larger.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = larger
  }
}

/** Takes values from bytes, front to back. `what` names the thing in errors, for example `entry "a.txt"`. */
export class Reader {
  readonly #bytes: Uint8Array
  readonly #what: string
  #at: number

  constructor(bytes: Uint8Array, what: string, at = 0) {
    this.#bytes = bytes
    this.#what = what
    this.#at = at
  }

  /** Bytes that are left. */
  get left(): number {
    return this.#bytes.length - this.#at
  }

  fail(why: string): never {
    throw new EdgemountError('corrupt', `Cannot read ${this.#what}: ${why}`)
  }

  u8(): number {
    const byte = this.#bytes[this.#at]
    if (byte === undefined) this.fail(`it ends at byte ${this.#at}`)
    this.#at += 1
    return byte
  }

  varint(): number {
    let value = 0
    let scale = 1
    for (;;) {
      const byte = this.u8()
      value += (byte & 0x7f) * scale
      if (value > Number.MAX_SAFE_INTEGER) this.fail(`the number before byte ${this.#at} is too large`)
      if (byte < 0x80) {
        if (byte === 0 && scale > 1) this.fail(`the number before byte ${this.#at} is not in its shortest form`)
        return value
      }
      scale *= 0x80
      if (scale > 2 ** 49) this.fail(`the number before byte ${this.#at} is too long`)
    }
  }

  zigzag(): number {
    const value = this.varint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  /** A view of the next `length` bytes; valid as long as the input is. */
  raw(length: number): Uint8Array {
    if (length > this.left) this.fail(`it ends at byte ${this.#bytes.length}, ${length} bytes were expected at ${this.#at}`)
    const bytes = this.#bytes.subarray(this.#at, this.#at + length)
    this.#at += length
    return bytes
  }

  /** The counterpart of `Writer.sized`. Longer than `max` bytes is corrupt. */
  sized(max: number): Uint8Array {
    const length = this.varint()
    if (length > max) this.fail(`a part of ${length} bytes is longer than the limit of ${max}`)
    return this.raw(length)
  }

  /** Nothing may be left. */
  end(): void {
    if (this.left > 0) this.fail(`${this.left} bytes are left over`)
  }
}
