/**
 * Finds the segment that a journal goes on with after any end of the process or the machine, and makes it fit for appending. Called once, by `Journal.open`.
 *
 * The newest segment whose dump is whole counts; an older one is what a checkpoint had no time to remove, a newer one is a checkpoint that did not
 * come to its end. What is cut off with whole records behind it is kept beside the journal: nothing that could still be of use is destroyed.
 */
import { EdgemountError } from '../../shared/error.ts'
import type { Logger } from '../../shared/log.ts'
import { openFlag } from '../sys/constants.ts'
import type { Sys } from '../sys/sys.ts'
import { encodeRecord, recordBytes, recordKind } from './record.ts'
import { examineTail, readFully, readSegment, type Segment, segmentPath, serialsIn } from './segment.ts'

/** What could not be read, and where it is now. */
export interface Cut {
  readonly path: string
  /** Where the last whole record ends. */
  readonly offset: number
  readonly byteCount: number
  /** Whole records behind the damage, which cannot be used: something before them is missing. */
  readonly recordCount: number
  /** Where the bytes are kept; undefined: an end that was never written, nothing to keep. */
  readonly keptAs: string | undefined
}

export interface FoundSegment {
  /** Open for reading and writing; its records end at `segment.end`. */
  readonly fd: number
  readonly segment: Segment
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
      return segment.recordCount > 0 || examineTail(sys, fd, segment).byteCount > 0
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
    if (!segment.isDumpWhole) {
      unfinished.push(segment)
      continue
    }
    const cuts = unfinished.flatMap((newer) => setAside(place, newer, true))
    return openAt(place, segment, cuts, serials.slice(index + 1))
  }
  return salvage(place, unfinished)
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

/** No segment has a whole dump: the newest that has any records counts, as far as it goes. */
function salvage(place: Place, segments: readonly Segment[]): Found {
  const best = segments.find((segment) => segment.recordCount > 0)
  const cuts = segments.filter((segment) => segment !== best).flatMap((segment) => setAside(place, segment, best !== undefined))
  if (best === undefined) return { live: undefined, cuts }
  const found = openAt(place, best, cuts, [])
  const { fd, segment } = found.live
  const mark = new Uint8Array(recordBytes(0))
  encodeRecord(mark, new DataView(mark.buffer), 0, segment.header!.salt, recordKind.dumpEnd, segment.sequence, noBytes)
  if (place.sys.pwrite(fd, mark, segment.end) !== mark.length) {
    place.sys.close(fd)
    throw new EdgemountError('unavailable', `Cannot write the journal "${best.path}"`)
  }
  const end = segment.end + mark.length
  const ended = { ...segment, isDumpWhole: true, dumpBytes: end, end, size: Math.max(end, segment.size), sequence: segment.sequence + 1 }
  return { live: { ...found.live, segment: ended }, cuts: found.cuts }
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
    return [{ path: segment.path, offset: 0, byteCount: segment.size, recordCount: segment.recordCount + tail.recordCount, keptAs }]
  } finally {
    sys.close(fd)
  }
}

/** Opens a segment for appending, with all that is not whole cut off. */
function openAt(place: Place, segment: Segment, cuts: readonly Cut[], older: readonly number[]): Found & { readonly live: FoundSegment } {
  const { sys } = place
  const fd = openOrThrow(place, segment.path, openFlag.O_RDWR)
  try {
    const tail = examineTail(sys, fd, segment)
    if (tail.byteCount === 0) return { live: { fd, segment, older }, cuts }
    const keptAs = tail.recordCount > 0 ? freeName(place, segment) : undefined
    if (keptAs !== undefined) copyTail(place, fd, segment, tail.byteCount, keptAs)
    const code = sys.ftruncate(fd, segment.end)
    if (code < 0) throw new EdgemountError('unavailable', `Cannot cut the journal "${segment.path}" at byte ${segment.end}: error ${-code}`)
    const cut: Cut = { path: segment.path, offset: segment.end, ...tail, keptAs }
    return { live: { fd, segment: { ...segment, size: segment.end }, older }, cuts: [...cuts, cut] }
  } catch (error) {
    sys.close(fd)
    throw error
  }
}

/** Durable before it returns: what it copies is cut off next. */
function copyTail(place: Place, fd: number, segment: Segment, byteCount: number, path: string): void {
  const { sys } = place
  const copy = openOrThrow(place, path, openFlag.O_WRONLY | openFlag.O_CREAT | openFlag.O_EXCL)
  const bytes = new Uint8Array(Math.min(copyBytes, byteCount))
  let code = 0
  for (let done = 0; done < byteCount && code === 0; done += bytes.length) {
    const part = bytes.subarray(0, Math.min(bytes.length, byteCount - done))
    readFully(sys, fd, part, segment.end + done, segment.path)
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
