/**
 * Finds the segment that a journal goes on with after any end of the process or the machine, and makes it fit for appending. Called once, by `Journal.open`.
 *
 * The newest segment whose dump is whole counts; an older one is what a checkpoint had no time to remove, a newer one is a checkpoint that did not
 * come to its end. What is cut off with whole records behind it is kept beside the journal: nothing that could still be of use is destroyed.
 */
import { EdgemountError } from '../../shared/error.ts'
import type { Logger } from '../../shared/log.ts'
import type { Random } from '../../shared/random.ts'
import { openFlag } from '../sys/constants.ts'
import type { Sys } from '../sys/sys.ts'
import { encodeBoot, encodeRecord, encodeSequence, newSalt, recordBytes, type RecordKind, recordKind } from './record.ts'
import { examineTail, readFully, readSegment, type Segment, type SegmentEnd, segmentPath, serialsIn, type Tail } from './segment.ts'

/** What could not be read, and where it is now. */
export interface Cut {
  /**
   * `torn`: an end that was not written to its end. `damaged`: whole records come after it. `unsynced`: after a loss of power, records of files whose bytes may
   * have been lost with it, and all after them.
   */
  readonly reason: 'torn' | 'damaged' | 'unsynced'
  readonly path: string
  /** Where the last record ends that counts. */
  readonly offset: number
  readonly byteCount: number
  /** Whole records that are cut off. */
  readonly recordCount: number
  /** Where damaged bytes are kept. */
  readonly keptAs: string | undefined
}

export interface FoundSegment {
  /** Open for reading and writing; its records end at `segment.end`, its dump is whole. */
  readonly fd: number
  readonly segment: Segment & { readonly dumpEnd: SegmentEnd }
  /** Serials of segments that it takes the place of: to be removed once it is durable. */
  readonly older: readonly number[]
}

export interface Found {
  /** Undefined: there is no journal yet, or nothing left of it. */
  readonly live: FoundSegment | undefined
  readonly cuts: readonly Cut[]
}

interface Place {
  readonly sys: Sys
  readonly directory: string
  readonly volumeId: string
  readonly bootId: string
  readonly random: Random
  readonly log: Logger
}

const copyBytes = 1024 * 1024
const noBytes = new Uint8Array(0)

/** Whether there is a journal with something in it. A directory that cannot be read has none. */
export function hasRecords(sys: Sys, directory: string): boolean {
  const names = sys.list(directory)
  if (typeof names === 'number') return false
  return serialsIn(names).some((serial) => {
    const path = segmentPath(directory, serial)
    const fd = sys.open(path, openFlag.O_RDONLY, 0)
    if (fd < 0) return true
    try {
      const segment = readSegment(sys, fd, path, serial)
      return segment.end.recordCount > 0 || examineTail(sys, fd, segment).byteCount > 0
    } finally {
      sys.close(fd)
    }
  })
}

export function findSegment(place: Place): Found {
  const { sys, directory } = place
  const names = sys.list(directory)
  if (typeof names === 'number') throw new EdgemountError('unavailable', `Cannot read the journal "${directory}": error ${-names}`)
  const serials = serialsIn(names)
  const unfinished: Segment[] = []
  for (const [index, serial] of serials.entries()) {
    const segment = look(place, serial)
    if (!hasState(place, segment)) {
      unfinished.push(segment)
      continue
    }
    const cuts = unfinished.flatMap((newer) => setAside(place, newer, true))
    return openAt(place, segment, cuts, serials.slice(index + 1))
  }
  return salvage(place, unfinished)
}

/** The state that it begins with is whole, and after a loss of power nothing that it speaks of can have been lost. */
function hasState(place: Place, { dumpEnd, bootId, unconfirmed }: Segment): boolean {
  if (dumpEnd === undefined) return false
  return bootId === place.bootId || unconfirmed[0] === undefined || unconfirmed[0].sequence >= dumpEnd.sequence
}

function look(place: Place, serial: number): Segment {
  const { sys, directory, volumeId } = place
  const path = segmentPath(directory, serial)
  const fd = sys.open(path, openFlag.O_RDONLY, 0)
  if (fd < 0) throw new EdgemountError('unavailable', `Cannot open the journal "${path}": error ${-fd}`)
  try {
    const segment = readSegment(sys, fd, path, serial)
    if (segment.header !== undefined && segment.header.volumeId !== volumeId) {
      throw new EdgemountError('conflict', `Cannot use the journal "${path}": it belongs to volume ${segment.header.volumeId}, not to ${volumeId}`)
    }
    return segment
  } finally {
    sys.close(fd)
  }
}

/**
 * No segment has a state that counts: the newest that has any records does, as far as it goes. One whose predecessor is still there and no better was never
 * durable, so nobody relies on it.
 */
function salvage(place: Place, segments: readonly Segment[]): Found {
  const known = new Set(segments.map(({ serial }) => serial))
  const isFollower = ({ header, dumpEnd }: Segment): boolean => dumpEnd === undefined && known.has(header?.previous ?? 0)
  const best = segments.find((segment) => segment.end.recordCount > 0 && !isFollower(segment))
  const cuts = segments.filter((segment) => segment !== best).flatMap((segment) => setAside(place, segment, best !== undefined || isFollower(segment)))
  return best === undefined ? { live: undefined, cuts } : openAt(place, best, cuts, [])
}

/** Takes a segment that does not count out of the way. */
function setAside(place: Place, segment: Segment, hasAnother: boolean): Cut[] {
  const { sys, log, directory } = place
  const fd = openOrThrow(place, segment.path, openFlag.O_RDONLY)
  let hasContent = false
  try {
    const tail = examineTail(sys, fd, segment)
    const isFirst = segment.header !== undefined && segment.header.previous === 0 && tail.recordCount === 0
    hasContent = tail.recordCount > 0 || (!hasAnother && !isFirst && (segment.header !== undefined || tail.byteCount > 0))
    if (!hasContent) {
      log.debug(`The journal "${segment.path}" was begun and never came into use: it is removed`)
      sys.unlink(segment.path)
      return []
    }
    const keptAs = freeName(place, segment)
    const code = sys.rename(segment.path, keptAs)
    if (code < 0) throw new EdgemountError('unavailable', `Cannot set the damaged journal "${segment.path}" aside: error ${-code}`)
    syncDirectory(sys, directory)
    const recordCount = segment.end.recordCount + tail.recordCount
    return [{ reason: 'damaged', path: segment.path, offset: 0, byteCount: segment.size, recordCount, keptAs }]
  } finally {
    sys.close(fd)
  }
}

/** Opens a segment for appending, with all that does not count cut off. */
function openAt(place: Place, segment: Segment, cuts: readonly Cut[], older: readonly number[]): Found {
  const fd = openOrThrow(place, segment.path, openFlag.O_RDWR)
  try {
    const tail = examineTail(place.sys, fd, segment)
    const cut = tail.byteCount === 0 ? undefined : cutTail(place, fd, segment, tail)
    const whole = cut === undefined ? segment : { ...segment, size: segment.end.offset }
    const left = leaveOut(place, fd, whole)
    const live = { fd, segment: ended(place, fd, left?.segment ?? whole), older }
    return { live, cuts: [...cuts, ...(cut === undefined ? [] : [cut]), ...(left === undefined ? [] : [left.cut])] }
  } catch (error) {
    place.sys.close(fd)
    throw error
  }
}

function cutTail(place: Place, fd: number, segment: Segment, { byteCount, recordCount }: Tail): Cut {
  const keptAs = recordCount > 0 ? freeName(place, segment) : undefined
  if (keptAs !== undefined) copyTail(place, fd, segment, byteCount, keptAs)
  const code = place.sys.ftruncate(fd, segment.end.offset)
  if (code < 0) throw new EdgemountError('unavailable', `Cannot cut the journal "${segment.path}" at byte ${segment.end.offset}: error ${-code}`)
  const reason = keptAs === undefined ? 'torn' : 'damaged'
  return { reason, path: segment.path, offset: segment.end.offset, byteCount, recordCount, keptAs }
}

/**
 * After a loss of power: what speaks of files that nobody made durable does not count, nor what comes after it. Nobody was told that it would. It stays where
 * it is, for what confirms others lies among it.
 */
function leaveOut(place: Place, fd: number, segment: Segment): { segment: Segment; cut: Cut } | undefined {
  const { bootId, unconfirmed, end, dumpEnd, path } = segment
  const first = unconfirmed.find(({ sequence }) => dumpEnd !== undefined && sequence >= dumpEnd.sequence)
  if (bootId === place.bootId || first === undefined) return undefined
  const next = writeMark(place, fd, segment, recordKind.leaveOut, encodeSequence(first.sequence))
  const left = { start: first.sequence, end: end.sequence }
  const recordCount = end.recordCount - first.recordCount
  const cut: Cut = { reason: 'unsynced', path, offset: first.offset, byteCount: end.offset - first.offset, recordCount, keptAs: undefined }
  return { segment: { ...next, unconfirmed: unconfirmed.filter((each) => each.sequence < first.sequence), leftOut: [...segment.leftOut, left] }, cut }
}

/** As it is appended to: of this boot, and with a mark where its dump ends if that was cut off. */
function ended(place: Place, fd: number, segment: Segment): FoundSegment['segment'] {
  const marked = segment.dumpEnd === undefined ? writeMark(place, fd, segment, recordKind.dumpEnd, noBytes) : segment
  const dumpEnd = segment.dumpEnd ?? marked.end
  const { bootId, random, sys } = place
  if (segment.bootId === bootId) return { ...marked, dumpEnd }
  const salt = newSalt(random)
  const next = writeMark(place, fd, marked, recordKind.boot, encodeBoot(salt, bootId))
  // What was cut off, seen or unseen, must not come back after the next loss of power.
  const code = sys.fdatasync(fd)
  if (code < 0) throw new EdgemountError('unavailable', `Cannot write the journal "${segment.path}": error ${-code}`)
  return { ...next, dumpEnd, salt, bootId }
}

/** Appends a record of the journal's own. */
function writeMark(place: Place, fd: number, segment: Segment, kind: RecordKind, payload: Uint8Array): Segment {
  const { offset, sequence, recordCount } = segment.end
  const mark = new Uint8Array(recordBytes(payload.length))
  encodeRecord(mark, new DataView(mark.buffer), 0, segment.salt, kind, sequence, payload)
  const written = place.sys.pwrite(fd, mark, offset)
  if (written !== mark.length) throw new EdgemountError('unavailable', `Cannot write the journal "${segment.path}": error ${-Math.min(written, 0)}`)
  const end = { offset: offset + mark.length, sequence: sequence + 1, recordCount }
  return { ...segment, end, size: Math.max(segment.size, end.offset) }
}

/** Durable before it returns: what it copies is cut off next. */
function copyTail(place: Place, fd: number, segment: Segment, byteCount: number, path: string): void {
  const { sys } = place
  const copy = openOrThrow(place, path, openFlag.O_WRONLY | openFlag.O_CREAT | openFlag.O_EXCL)
  const bytes = new Uint8Array(Math.min(copyBytes, byteCount))
  let code = 0
  for (let done = 0; done < byteCount && code === 0; done += bytes.length) {
    const part = bytes.subarray(0, Math.min(bytes.length, byteCount - done))
    readFully(sys, fd, part, segment.end.offset + done, segment.path)
    const written = sys.pwrite(copy, part, done)
    if (written !== part.length) code = Math.min(written, -1)
  }
  if (code === 0) code = sys.fsync(copy)
  sys.close(copy)
  if (code === 0) code = syncDirectory(sys, place.directory)
  if (code === 0) return
  sys.unlink(path)
  throw new EdgemountError('unavailable', `Cannot keep the damaged end of the journal "${segment.path}" as "${path}": error ${-code}; it is left as it is`)
}

function freeName(place: Place, segment: Segment): string {
  for (let count = 1; ; count += 1) {
    const path = `${place.directory}/${segment.serial}${count === 1 ? '' : `-${count}`}.damaged`
    if (typeof place.sys.stat(path) === 'number') return path
  }
}

function openOrThrow(place: Place, path: string, flags: number): number {
  const fd = place.sys.open(path, flags, 0o600)
  if (fd < 0) throw new EdgemountError('unavailable', `Cannot open the journal "${path}": error ${-fd}`)
  return fd
}

/** Makes names in a directory durable. 0, or a negative errno. */
export function syncDirectory(sys: Sys, directory: string): number {
  const fd = sys.open(directory, openFlag.O_RDONLY, 0)
  if (fd < 0) return fd
  const code = sys.fsync(fd)
  sys.close(fd)
  return code
}
