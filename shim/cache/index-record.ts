/**
 * The bytes of the cache index's log: a header that says which boot wrote it, then records, each with its own CRC-32.
 *
 * Little-endian. A record is `crc u32 · kind u8 · row u32 · serial f64` and what its kind adds; the CRC covers everything after itself.
 * A record names a row *and* the serial it meant, so that replaying one that came too late, or over a newer snapshot, does nothing.
 * The cache is disposable: a format that changes gets a new `formatVersion`, and an older index is thrown away.
 */
import { crc32 } from 'node:zlib'

export const formatVersion = 1

export const recordKind = { add: 1, data: 2, hole: 3, durable: 4, drop: 5 } as const

/** A backing file of a file version exists from here on, empty. */
export interface AddRecord {
  readonly kind: 'add'
  readonly row: number
  readonly serial: number
  readonly fileId: number
  readonly size: number
  readonly version: Uint32Array
}

/** `data`: these bytes were written. `hole`: they are zeros. `durable`: they were written and then synced. */
export interface RangeRecord {
  readonly kind: 'data' | 'hole' | 'durable'
  readonly row: number
  readonly serial: number
  readonly start: number
  readonly end: number
}

export interface DropRecord {
  readonly kind: 'drop'
  readonly row: number
  readonly serial: number
}

export type IndexRecord = AddRecord | RangeRecord | DropRecord

const headBytes = 17
const lengthOfKind = new Map<number, number>([
  [recordKind.add, headBytes + 48],
  [recordKind.data, headBytes + 16],
  [recordKind.hole, headBytes + 16],
  [recordKind.durable, headBytes + 16],
  [recordKind.drop, headBytes],
])
export const recordBytesMax = headBytes + 48

/** Writes a record at `offset`, where `recordBytesMax` bytes are free; gives its length. */
export function encodeRecord(record: IndexRecord, bytes: Uint8Array, view: DataView, offset: number): number {
  view.setUint8(offset + 4, recordKind[record.kind])
  view.setUint32(offset + 5, record.row, true)
  view.setFloat64(offset + 9, record.serial, true)
  if (record.kind === 'add') {
    view.setFloat64(offset + 17, record.fileId, true)
    view.setFloat64(offset + 25, record.size, true)
    record.version.forEach((word, index) => view.setUint32(offset + 33 + index * 4, word, true))
  } else if (record.kind !== 'drop') {
    view.setFloat64(offset + 17, record.start, true)
    view.setFloat64(offset + 25, record.end, true)
  }
  const length = lengthOfKind.get(recordKind[record.kind])!
  view.setUint32(offset, crc32(bytes.subarray(offset + 4, offset + length)), true)
  return length
}

/** The record at `offset` and its length, or undefined when it is cut, damaged or none. */
export function decodeRecord(bytes: Uint8Array, view: DataView, offset: number): { record: IndexRecord; length: number } | undefined {
  if (offset + headBytes > bytes.length) return undefined
  const kind = view.getUint8(offset + 4)
  const length = lengthOfKind.get(kind)
  if (length === undefined || offset + length > bytes.length) return undefined
  if (view.getUint32(offset, true) !== crc32(bytes.subarray(offset + 4, offset + length))) return undefined
  const row = view.getUint32(offset + 5, true)
  const serial = view.getFloat64(offset + 9, true)
  if (kind === recordKind.drop) return { record: { kind: 'drop', row, serial }, length }
  const first = view.getFloat64(offset + 17, true)
  const second = view.getFloat64(offset + 25, true)
  if (kind === recordKind.add) {
    const version = Uint32Array.from({ length: 8 }, (_, index) => view.getUint32(offset + 33 + index * 4, true))
    return { record: { kind: 'add', row, serial, fileId: first, size: second, version }, length }
  }
  const name = kind === recordKind.data ? 'data' : kind === recordKind.hole ? 'hole' : 'durable'
  return { record: { kind: name, row, serial, start: first, end: second }, length }
}

export type IndexFileKind = 'log' | 'snapshot'

export interface IndexHeader {
  readonly kind: IndexFileKind
  readonly generation: number
  /** The boot of the machine during which the file was written. */
  readonly bootId: string
}

export const headerBytes = 128
const magicOfKind = { log: 0x4c494d45, snapshot: 0x53494d45 } as const // "EMIL", "EMIS"
const bootIdBytesMax = 64

/** `magic u32 · format u32 · generation f64 · boot id length u32 · boot id · zeros · crc u32` in 128 bytes. */
export function encodeHeader(header: IndexHeader): Uint8Array {
  const bytes = new Uint8Array(headerBytes)
  const view = new DataView(bytes.buffer)
  const bootId = new TextEncoder().encode(header.bootId).subarray(0, bootIdBytesMax)
  view.setUint32(0, magicOfKind[header.kind], true)
  view.setUint32(4, formatVersion, true)
  view.setFloat64(8, header.generation, true)
  view.setUint32(16, bootId.length, true)
  bytes.set(bootId, 20)
  view.setUint32(headerBytes - 4, crc32(bytes.subarray(0, headerBytes - 4)), true)
  return bytes
}

/** The header, or undefined when the bytes are not one of this kind and format. */
export function decodeHeader(kind: IndexFileKind, bytes: Uint8Array): IndexHeader | undefined {
  if (bytes.length < headerBytes) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, headerBytes)
  if (view.getUint32(headerBytes - 4, true) !== crc32(bytes.subarray(0, headerBytes - 4))) return undefined
  if (view.getUint32(0, true) !== magicOfKind[kind] || view.getUint32(4, true) !== formatVersion) return undefined
  const bootId = new TextDecoder().decode(bytes.subarray(20, 20 + Math.min(view.getUint32(16, true), bootIdBytesMax)))
  return { kind, generation: view.getFloat64(8, true), bootId }
}
