/**
 * Bytes of a pointer: hash (32), pack id (17), offset and length as varints. Everything that names stored bytes embeds one.
 */
import { EdgemountError } from '../error.ts'
import { Reader, Writer } from '../codec.ts'
import { hashBytes, hashFromBytes, hashToBytes } from '../hash.ts'
import type { Pointer } from './entry.ts'
import { packBytesMax, packIdBytes, packIdFromBytes, packIdToBytes } from './pack-id.ts'

/** Hash, pack id, and two numbers up to `packBytesMax` at four bytes. */
export const pointerBytesMax = 57

export function writePointer(writer: Writer, pointer: Pointer): void {
  if (!(pointer.length > 0 && pointer.offset >= 0 && pointer.offset + pointer.length <= packBytesMax)) {
    throw new EdgemountError(
      'invalid',
      `Cannot write a pointer to ${pointer.pack}@${pointer.offset}+${pointer.length}: it is empty or ends past ${packBytesMax}`,
    )
  }
  writer.raw(hashToBytes(pointer.hash))
  writer.raw(packIdToBytes(pointer.pack))
  writer.varint(pointer.offset)
  writer.varint(pointer.length)
}

export function readPointer(reader: Reader): Pointer {
  const hash = hashFromBytes(reader.raw(hashBytes))
  const pack = readPackId(reader)
  const offset = reader.varint()
  const length = reader.varint()
  if (length === 0 || offset + length > packBytesMax) {
    reader.fail(`its pointer to ${pack}@${offset}+${length} is empty or ends past ${packBytesMax}`)
  }
  return { hash, pack, offset, length }
}

export function encodePointer(pointer: Pointer): Uint8Array {
  const writer = new Writer(64)
  writePointer(writer, pointer)
  return writer.finish()
}

export function decodePointer(bytes: Uint8Array): Pointer {
  const reader: Reader = new Reader(bytes, 'a pointer')
  const pointer = readPointer(reader)
  reader.end()
  return pointer
}

function readPackId(reader: Reader): Pointer['pack'] {
  const bytes = reader.raw(packIdBytes)
  if (bytes[0] !== 0x64 && bytes[0] !== 0x6d) reader.fail(`its pack id begins with byte ${bytes[0]}, which is no kind of pack`)
  return packIdFromBytes(bytes)
}
