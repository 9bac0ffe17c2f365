/**
 * The bytes of a journal segment: a header, twice, then records, each a multiple of 8 bytes long.
 *
 * Little-endian. A record is `crc u32 · kind << 28 | payload length u32 · sequence f64 · payload · zeros up to 8`; its CRC-32 covers all of it after
 * itself but the zeros, and starts from the segment's salt, so that bytes of another segment, or those that a program put into a payload, are
 * never taken for a record. Sequence numbers count up by one, also from segment to segment. What is zero has not been written yet.
 */
import { crc32 } from 'node:zlib'
import type { Random } from '../../shared/random.ts'

export const formatVersion = 1

/**
 * `dump` and then one `dumpEnd` come first in a segment: the state that its `edit` records go on from. A dependent record speaks of files that were not durable
 * when it was written: after a loss of power it counts if a later `confirm` says so, whose payload is the sequence number (f64) up to which it speaks. `leaveOut`
 * says that no record counts from the number in its payload (f64) to its own. `boot` comes first of the records of another boot of the machine: they have a salt
 * of their own (`salt u32 · boot id`), so that what lost power before is never taken for one of them.
 */
export const recordKind = { edit: 1, dump: 2, dumpEnd: 3, dependentEdit: 4, dependentDumpEnd: 5, confirm: 6, leaveOut: 7, boot: 8 } as const
export type RecordKind = (typeof recordKind)[keyof typeof recordKind]
const kinds = new Set<number>(Object.values(recordKind))

function isKind(value: number): value is RecordKind {
  return kinds.has(value)
}

export const recordHeadBytes = 16
/** Of a payload. The length has 28 bits. */
export const payloadBytesMax = 64 * 1024 * 1024
const lengthBits = 28

/** How much a record takes with its head. */
export function recordBytes(payloadLength: number): number {
  return (recordHeadBytes + payloadLength + 7) & ~7
}

/** Writes a record at `offset`, where `recordBytes(payload.length)` bytes are free. */
export function encodeRecord(bytes: Uint8Array, view: DataView, offset: number, salt: number, kind: RecordKind, sequence: number, payload: Uint8Array): number {
  const end = offset + recordHeadBytes + payload.length
  const length = recordBytes(payload.length)
  view.setUint32(offset + 4, kind * 2 ** lengthBits + payload.length, true)
  view.setFloat64(offset + 8, sequence, true)
  bytes.set(payload, offset + recordHeadBytes)
  bytes.fill(0, end, offset + length)
  view.setUint32(offset, crc32(bytes.subarray(offset + 4, end), salt), true)
  return length
}

/** The payload of `confirm` and `leaveOut`. */
export function encodeSequence(sequence: number): Uint8Array {
  const payload = new Uint8Array(8)
  new DataView(payload.buffer).setFloat64(0, sequence, true)
  return payload
}

export function newSalt(random: Random): number {
  return new DataView(random.bytes(4).buffer).getUint32(0, true)
}

export function encodeBoot(salt: number, bootId: string): Uint8Array {
  const idBytes = new TextEncoder().encode(bootId)
  const payload = new Uint8Array(4 + idBytes.length)
  new DataView(payload.buffer).setUint32(0, salt, true)
  payload.set(idBytes, 4)
  return payload
}

export interface RecordHead {
  readonly kind: RecordKind
  readonly payloadLength: number
  readonly sequence: number
}

/** What the 16 bytes at `offset` claim, or undefined when no record begins so. */
export function decodeHead(view: DataView, offset: number): RecordHead | undefined {
  const word = view.getUint32(offset + 4, true)
  const kind = word >>> lengthBits
  const payloadLength = word % 2 ** lengthBits
  if (!isKind(kind)) return undefined
  return payloadLength <= payloadBytesMax ? { kind, payloadLength, sequence: view.getFloat64(offset + 8, true) } : undefined
}

/** Whether all bytes of the record at `offset`, its zeros included, are what was written. */
export function isWhole(bytes: Uint8Array, view: DataView, offset: number, salt: number, head: RecordHead): boolean {
  const end = offset + recordHeadBytes + head.payloadLength
  if (view.getUint32(offset, true) !== crc32(bytes.subarray(offset + 4, end), salt)) return false
  for (let index = end; index < offset + recordBytes(head.payloadLength); index += 1) if (bytes[index] !== 0) return false
  return true
}

export interface SegmentHeader {
  readonly serial: number
  /** The segment that this one takes the place of; 0: none. */
  readonly previous: number
  /** Of its first record. */
  readonly sequence: number
  /** Random: what the CRC of each record starts from, up to a `boot`. */
  readonly salt: number
  readonly volumeId: string
  /** The boot of the machine that wrote the first records. */
  readonly bootId: string
}

/** The header lies at 0 and again at 512, so that one damaged sector does not cost the segment. */
export const headerBytes = 1024
const copyBytes = 512
const magic = 0x314a4d45 // "EMJ1"
const idBytesMax = 128
const volumeIdOffset = 40
const bootIdOffset = volumeIdOffset + 4 + idBytesMax
const crcOffset = bootIdOffset + 4 + idBytesMax

/** `magic u32 · format u32 · serial f64 · previous f64 · sequence f64 · salt u32 · zero u32 · volume id · boot id · crc u32 · zeros`; an id is `length u32 · 128 bytes`. */
export function encodeHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(headerBytes)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, magic, true)
  view.setUint32(4, formatVersion, true)
  view.setFloat64(8, header.serial, true)
  view.setFloat64(16, header.previous, true)
  view.setFloat64(24, header.sequence, true)
  view.setUint32(32, header.salt, true)
  putId(bytes, view, volumeIdOffset, header.volumeId)
  putId(bytes, view, bootIdOffset, header.bootId)
  view.setUint32(crcOffset, crc32(bytes.subarray(0, crcOffset)), true)
  bytes.copyWithin(copyBytes, 0, copyBytes)
  return bytes
}

function putId(bytes: Uint8Array, view: DataView, offset: number, id: string): void {
  const idBytes = new TextEncoder().encode(id)
  if (idBytes.length > idBytesMax) throw new RangeError(`An id has at most ${idBytesMax} bytes: ${id}`)
  view.setUint32(offset, idBytes.length, true)
  bytes.set(idBytes, offset + 4)
}

/** The header, or undefined when neither copy is one. `format` alone is told when it is of another version. */
export function decodeHeader(bytes: Uint8Array): SegmentHeader | { readonly format: number } | undefined {
  for (let start = 0; start + copyBytes <= bytes.length; start += copyBytes) {
    const copy = bytes.subarray(start, start + copyBytes)
    const view = new DataView(copy.buffer, copy.byteOffset, copy.length)
    if (view.getUint32(0, true) !== magic) continue
    if (view.getUint32(crcOffset, true) !== crc32(copy.subarray(0, crcOffset))) continue
    const format = view.getUint32(4, true)
    if (format !== formatVersion) return { format }
    const idAt = (offset: number): string => new TextDecoder().decode(copy.subarray(offset + 4, offset + 4 + Math.min(view.getUint32(offset, true), idBytesMax)))
    return {
      serial: view.getFloat64(8, true),
      previous: view.getFloat64(16, true),
      sequence: view.getFloat64(24, true),
      salt: view.getUint32(32, true),
      volumeId: idAt(volumeIdOffset),
      bootId: idAt(bootIdOffset),
    }
  }
  return undefined
}
