/**
 * Reads one segment of the journal: goes over its records in order up to the first that is not whole, and says what lies beyond.
 *
 * Nothing here changes a file. A disk that cannot be read is an error, never taken for a torn record: what is cut off is lost.
 */
import { EdgemountError } from '../../shared/error.ts'
import type { Sys } from '../sys/sys.ts'
import { decodeHead, decodeHeader, headerBytes, isWhole, recordBytes, type RecordHead, recordHeadBytes, recordKind, type SegmentHeader } from './record.ts'

const suffix = 'log'
const windowBytes = 1024 * 1024
/** How far behind a bad record whole ones are looked for. */
const searchBytesMax = 64 * 1024 * 1024

export function segmentPath(directory: string, serial: number): string {
  return `${directory}/${serial}.${suffix}`
}

/** Serials of the segments of a directory, newest first. */
export function serialsIn(names: readonly string[]): number[] {
  const serials = names.flatMap((name) => {
    const match = /^([1-9]\d{0,14})\.log$/.exec(name)
    return match === null ? [] : [Number(match[1])]
  })
  return serials.toSorted((a, b) => b - a)
}

/** A window of a file, in which a record can be looked at in one piece. */
class Window {
  readonly #sys: Sys
  readonly #fd: number
  readonly #path: string
  readonly size: number
  bytes = new Uint8Array(windowBytes)
  view = new DataView(this.bytes.buffer)
  #start = 0
  #length = 0

  constructor(sys: Sys, fd: number, path: string, size: number) {
    this.#sys = sys
    this.#fd = fd
    this.#path = path
    this.size = size
  }

  /** Where the file's `offset` is in `bytes`, with `length` bytes from there on (which the file has). */
  at(offset: number, length: number): number {
    if (offset >= this.#start && offset + length <= this.#start + this.#length) return offset - this.#start
    if (length > this.bytes.length) {
      this.bytes = new Uint8Array(length)
      this.view = new DataView(this.bytes.buffer)
    }
    this.#start = offset
    this.#length = readFully(this.#sys, this.#fd, this.bytes.subarray(0, Math.min(this.bytes.length, this.size - offset)), offset, this.#path)
    return 0
  }
}

/** A place in a segment, between two records. */
export interface SegmentEnd {
  readonly offset: number
  /** Of the next record. */
  readonly sequence: number
  /** Whole records before it that have a payload of the owner's, those that are left out too. */
  readonly recordCount: number
}

export interface Segment {
  readonly serial: number
  readonly path: string
  readonly size: number
  /** Undefined when it has none, or one of a damaged sector. */
  readonly header: SegmentHeader | undefined
  /** As of its last record. */
  readonly salt: number
  readonly bootId: string
  /** Where the state ends that it begins with; undefined when that is not whole. */
  readonly dumpEnd: SegmentEnd | undefined
  /** Where the last whole record ends. */
  readonly end: SegmentEnd
  /** Where the dependent records begin that nothing confirms, in order; of a dump where it ends. */
  readonly unconfirmed: readonly SegmentEnd[]
  /** Sequence numbers of records that are left out. */
  readonly leftOut: readonly { readonly start: number; readonly end: number }[]
}

/** `isUnconfirmed`: the files that the record speaks of are not known to be durable. */
export type VisitRecord = (payload: Uint8Array, isUnconfirmed: boolean) => void

/** Goes over the whole records. */
export function readSegment(sys: Sys, fd: number, path: string, serial: number): Segment {
  const stat = sys.fstat(fd)
  if (typeof stat === 'number') throw unreadable(path, stat)
  const { size } = stat
  const first = new Uint8Array(Math.min(headerBytes, size))
  readFully(sys, fd, first, 0, path)
  const header = decodeHeader(first)
  if (header !== undefined && 'format' in header) {
    throw new EdgemountError('unsupported', `Cannot read the journal "${path}": it has format ${header.format}, of another version of edgemount; what it holds is not published yet`)
  }
  if (header?.serial !== serial || size < headerBytes) {
    return { serial, path, size, header: undefined, salt: 0, bootId: '', dumpEnd: undefined, end: { offset: 0, sequence: 0, recordCount: 0 }, unconfirmed: [], leftOut: [] }
  }
  const window = new Window(sys, fd, path, size)
  let dumpEnd: SegmentEnd | undefined
  let unconfirmed: SegmentEnd[] = []
  const leftOut: { start: number; end: number }[] = []
  let { bootId } = header
  const { end, salt } = walk(window, header, ({ kind, payloadLength }, before, start) => {
    if (kind === recordKind.boot) bootId = new TextDecoder().decode(window.bytes.subarray(start + 4, start + payloadLength))
    if (kind === recordKind.dumpEnd || kind === recordKind.dependentDumpEnd) dumpEnd = after(before, recordBytes(0))
    if (kind === recordKind.dependentEdit || kind === recordKind.dependentDumpEnd) unconfirmed.push(before)
    if (kind !== recordKind.confirm && kind !== recordKind.leaveOut) return
    const limit = window.view.getFloat64(start, true)
    unconfirmed = unconfirmed.filter(({ sequence }) => (kind === recordKind.confirm) === sequence >= limit)
    if (kind === recordKind.leaveOut) leftOut.push({ start: limit, end: before.sequence })
  })
  return { serial, path, size, header, salt, bootId, dumpEnd, end, unconfirmed, leftOut }
}

/** Gives every record of the owner up to the segment's end, each payload but for the time of the call. */
export function replaySegment(sys: Sys, fd: number, segment: Segment, visit: VisitRecord): void {
  const { header, path, dumpEnd, end, unconfirmed, leftOut } = segment
  if (header === undefined) return
  const uncertain = new Set(unconfirmed.map(({ sequence }) => sequence))
  const isDumpUncertain = dumpEnd !== undefined && uncertain.has(dumpEnd.sequence - 1)
  const window = new Window(sys, fd, path, end.offset)
  walk(window, header, ({ kind, payloadLength, sequence }, _before, start) => {
    const payload = window.bytes.subarray(start, start + payloadLength)
    if (leftOut.some((part) => sequence >= part.start && sequence < part.end)) return
    if (kind === recordKind.dump) visit(payload, isDumpUncertain)
    else if (kind === recordKind.edit || kind === recordKind.dependentEdit) visit(payload, uncertain.has(sequence))
  })
}

/** Visits the whole records in order and says where the last one ends. `start`: of the payload, in the window. */
function walk(
  window: Window,
  header: SegmentHeader,
  visit: (head: RecordHead, before: SegmentEnd, start: number) => void,
): { readonly end: SegmentEnd; readonly salt: number } {
  let end: SegmentEnd = { offset: headerBytes, sequence: header.sequence, recordCount: 0 }
  let { salt } = header
  for (;;) {
    const head = recordAt(window, end.offset, salt, end.sequence)
    if (head === undefined || head.sequence !== end.sequence) return { end, salt }
    const start = window.at(end.offset, recordBytes(head.payloadLength)) + recordHeadBytes
    visit(head, end, start)
    if (head.kind === recordKind.boot) salt = window.view.getUint32(start, true)
    const isOwners = head.kind === recordKind.edit || head.kind === recordKind.dependentEdit || head.kind === recordKind.dump
    end = after(end, recordBytes(head.payloadLength), isOwners ? 1 : 0)
  }
}

function after(end: SegmentEnd, length: number, count = 0): SegmentEnd {
  return { offset: end.offset + length, sequence: end.sequence + 1, recordCount: end.recordCount + count }
}

export interface Tail {
  /** Bytes after the last whole record, up to the last that is not zero. */
  readonly byteCount: number
  /** Whole records among them: damage in the middle, not an end that was never written. */
  readonly recordCount: number
}

/** What lies behind the last whole record. */
export function examineTail(sys: Sys, fd: number, segment: Segment): Tail {
  const window = new Window(sys, fd, segment.path, segment.size)
  const { offset: end, sequence } = segment.end
  let lastByte = end
  for (let offset = end; offset < segment.size; offset += windowBytes) {
    const length = Math.min(windowBytes, segment.size - offset)
    const start = window.at(offset, length)
    const last = window.bytes.subarray(start, start + length).findLastIndex((byte) => byte !== 0)
    if (last >= 0) lastByte = offset + last + 1
  }
  const searchEnd = Math.min(lastByte, end + searchBytesMax)
  let recordCount = 0
  for (let offset = end; offset < searchEnd && segment.header !== undefined; ) {
    const head = recordAt(window, offset, segment.salt, sequence)
    if (head !== undefined) recordCount += 1
    offset += head === undefined ? 8 : recordBytes(head.payloadLength)
  }
  return { byteCount: lastByte - end, recordCount }
}

/** The whole record at a place, or undefined when there is none. */
function recordAt(window: Window, offset: number, salt: number, sequenceMin: number): RecordHead | undefined {
  if (offset + recordHeadBytes > window.size) return undefined
  const headStart = window.at(offset, recordHeadBytes)
  const head = decodeHead(window.view, headStart)
  if (head === undefined || !(head.sequence >= sequenceMin && head.sequence <= sequenceMin + window.size)) return undefined
  const length = recordBytes(head.payloadLength)
  if (offset + length > window.size) return undefined
  const start = window.at(offset, length)
  return isWhole(window.bytes, window.view, start, salt, head) ? head : undefined
}

/** Reads all that was asked, which the file has. */
export function readFully(sys: Sys, fd: number, into: Uint8Array, offset: number, path: string): number {
  for (let length = 0; length < into.length; ) {
    const count = sys.pread(fd, into.subarray(length), offset + length)
    if (count <= 0) throw unreadable(path, count)
    length += count
  }
  return into.length
}

function unreadable(path: string, code: number): EdgemountError {
  return new EdgemountError('unavailable', `Cannot read the journal "${path}": ${code < 0 ? `error ${-code}` : 'it became shorter meanwhile'}`)
}
