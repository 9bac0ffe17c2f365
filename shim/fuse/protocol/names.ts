/**
 * Names and other text in messages. Names are bytes for the kernel and strings for handlers (shared/name.ts says how), and nearly all of
 * them are ASCII, which goes the short way here.
 */
import { decodeName, encodeName } from '../../../shared/name.ts'

/** The memory that a name was read from last: nearly always the one message buffer of this thread. */
let message: Buffer = Buffer.alloc(0)

/** The text from byte `at` to the next NUL, or to `end`. */
export function readName(bytes: Uint8Array, at: number, end: number): string {
  let stop = at
  let seen = 0
  for (; stop < end; stop += 1) {
    const byte = bytes[stop]!
    if (byte === 0) break
    seen |= byte
  }
  if (seen >= 0x80) return decodeName(bytes.slice(at, stop))
  // Buffer, because its Latin-1 decoder is faster than any other way for names of this length. Making one costs as much as decoding.
  if (message.buffer !== bytes.buffer) message = Buffer.from(bytes.buffer)
  return message.toString('latin1', bytes.byteOffset + at, bytes.byteOffset + stop)
}

/** Writes the text at byte `at`, when it ends at or before `end`. Its length in bytes, or -1 when it does not fit. */
export function writeName(bytes: Uint8Array, at: number, end: number, name: string): number {
  const length = name.length
  if (at + length > end) return -1
  for (let index = 0; index < length; index += 1) {
    const unit = name.charCodeAt(index)
    if (unit >= 0x80) return writeEncoded(bytes, at, end, name)
    bytes[at + index] = unit
  }
  return length
}

function writeEncoded(bytes: Uint8Array, at: number, end: number, name: string): number {
  const encoded = encodeName(name)
  if (at + encoded.length > end) return -1
  bytes.set(encoded, at)
  return encoded.length
}
