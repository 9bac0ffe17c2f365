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

export interface Segment {
  readonly serial: number
  readonly path: string
  readonly size: number
  /** Undefined when it has none, or one of a damaged sector. */
  readonly header: SegmentHeader | undefined
  /** Its first records, and the one that says that these are all of the state it begins with, are there. */
  readonly isDumpWhole: boolean
  /** Bytes of the header and the dump. */
  readonly dumpBytes: number
  /** Whole records but `dumpEnd`. */
  readonly recordCount: number
  /** Where the last whole record ends. */
  readonly end: number
  /** Of the next record. */
  readonly sequence: number
}

export type VisitRecord = (payload: Uint8Array) => void

/** Goes over the whole records. `visit` gets each payload but for the time of the call. */
export function readSegment(sys: Sys, fd: number, path: string, serial: number, visit?: VisitRecord): Segment {
  const stat = sys.fstat(fd)
  if (typeof stat === 'number') throw unreadable(path, stat)
  const first = new Uint8Array(Math.min(headerBytes, stat.size))
  readFully(sys, fd, first, 0, path)
  const header = decodeHeader(first)
  if (header !== undefined && 'format' in header) {
    throw new EdgemountError('unsupported', `Cannot read the journal "${path}": it has format ${header.format}, of another version of edgemount; what it holds is not published yet`)
  }
  const known = header?.serial === serial && stat.size >= headerBytes ? header : undefined
  const walked = { recordCount: 0, end: known === undefined ? 0 : headerBytes, sequence: known?.sequence ?? 0, dumpBytes: 0 }
  if (known === undefined) return { serial, path, size: stat.size, header: known, isDumpWhole: false, ...walked }
  const window = new Window(sys, fd, path, stat.size)
  for (;;) {
    const head = recordAt(window, walked.end, known.salt, walked.sequence)
    if (head === undefined || head.sequence !== walked.sequence) break
    if (head.kind === recordKind.dumpEnd) walked.dumpBytes = walked.end + recordHeadBytes
    else {
      walked.recordCount += 1
      if (visit !== undefined) {
        const start = window.at(walked.end, recordBytes(head.payloadLength)) + recordHeadBytes
        visit(window.bytes.subarray(start, start + head.payloadLength))
      }
    }
    walked.end += recordBytes(head.payloadLength)
    walked.sequence += 1
  }
  return { serial, path, size: stat.size, header: known, isDumpWhole: walked.dumpBytes > 0, ...walked }
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
  let lastByte = segment.end
  for (let offset = segment.end; offset < segment.size; offset += windowBytes) {
    const length = Math.min(windowBytes, segment.size - offset)
    const start = window.at(offset, length)
    const last = window.bytes.subarray(start, start + length).findLastIndex((byte) => byte !== 0)
    if (last >= 0) lastByte = offset + last + 1
  }
  const searchEnd = Math.min(lastByte, segment.end + searchBytesMax)
  let recordCount = 0
  for (let offset = segment.end; offset < searchEnd && segment.header !== undefined; ) {
    const head = recordAt(window, offset, segment.header.salt, segment.sequence)
    if (head !== undefined) recordCount += 1
    offset += head === undefined ? 8 : recordBytes(head.payloadLength)
  }
  return { byteCount: lastByte - segment.end, recordCount }
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
