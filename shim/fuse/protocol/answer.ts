/**
 * Encodes answers into a message buffer, without garbage. Each function writes a struct at word `at` and gives its length in bytes.
 */
import type { Attributes, AttributesReply, EntryReply, OpenReply, StatfsReply } from '../handler.ts'
import {
  answerHeader,
  attributes,
  attributesAnswer,
  entry,
  lseekAnswer,
  openAnswer,
  openAnswerFlag,
  sizeAnswer,
  stat,
  statBasics,
  statfsAnswer,
  statxAnswer,
  writeWide,
} from './layout.ts'

/** The kernel keeps validities in jiffies of a signed long; this many seconds (68 years) is "always". */
const validSecondsMax = 0x7fffffff

export function writeHeader(words: Uint32Array, byteCount: number, error: number, uniqueLow: number, uniqueHigh: number): void {
  words[answerHeader.length] = byteCount
  words[answerHeader.error] = error
  words[answerHeader.unique] = uniqueLow
  words[answerHeader.unique + 1] = uniqueHigh
}

export function writeAttributes(words: Uint32Array, at: number, from: Attributes): void {
  writeWide(words, at + attributes.ino, from.ino)
  writeWide(words, at + attributes.size, from.size)
  writeWide(words, at + attributes.blocks, from.blocks)
  writeWide(words, at + attributes.atime, from.atimeSeconds)
  writeWide(words, at + attributes.mtime, from.mtimeSeconds)
  writeWide(words, at + attributes.ctime, from.ctimeSeconds)
  words[at + attributes.atimeNanoseconds] = from.atimeNanoseconds
  words[at + attributes.mtimeNanoseconds] = from.mtimeNanoseconds
  words[at + attributes.ctimeNanoseconds] = from.ctimeNanoseconds
  words[at + attributes.mode] = from.mode
  words[at + attributes.linkCount] = from.linkCount
  words[at + attributes.uid] = from.uid
  words[at + attributes.gid] = from.gid
  words[at + attributes.rdev] = from.rdev
  words[at + attributes.blockBytes] = from.blockBytes
  words[at + attributes.flags] = 0
}

export function writeEntry(words: Uint32Array, at: number, from: EntryReply): number {
  writeWide(words, at + entry.nodeId, from.nodeId)
  writeWide(words, at + entry.generation, from.generation)
  writeValidity(words, at + entry.entryValid, at + entry.entryValidNanoseconds, from.entryValidMs)
  writeValidity(words, at + entry.attributesValid, at + entry.attributesValidNanoseconds, from.attributesValidMs)
  writeAttributes(words, at + entry.attributes, from.attributes)
  return entry.bytes
}

export function writeAttributesAnswer(words: Uint32Array, at: number, from: AttributesReply): number {
  writeValidity(words, at + attributesAnswer.valid, at + attributesAnswer.validNanoseconds, from.validMs)
  words[at + attributesAnswer.validNanoseconds + 1] = 0
  writeAttributes(words, at + attributesAnswer.attributes, from.attributes)
  return attributesAnswer.bytes
}

export function writeStatx(words: Uint32Array, at: number, from: AttributesReply): number {
  words.fill(0, at, at + statxAnswer.bytes / 4)
  writeValidity(words, at + statxAnswer.valid, at + statxAnswer.validNanoseconds, from.validMs)
  const to = at + statxAnswer.stat
  const source = from.attributes
  words[to + stat.mask] = statBasics
  words[to + stat.blockBytes] = source.blockBytes
  words[to + stat.linkCount] = source.linkCount
  words[to + stat.uid] = source.uid
  words[to + stat.gid] = source.gid
  words[to + stat.mode] = source.mode & 0xffff
  writeWide(words, to + stat.ino, source.ino)
  writeWide(words, to + stat.size, source.size)
  writeWide(words, to + stat.blocks, source.blocks)
  writeWide(words, to + stat.atime, source.atimeSeconds)
  words[to + stat.atimeNanoseconds] = source.atimeNanoseconds
  writeWide(words, to + stat.ctime, source.ctimeSeconds)
  words[to + stat.ctimeNanoseconds] = source.ctimeNanoseconds
  writeWide(words, to + stat.mtime, source.mtimeSeconds)
  words[to + stat.mtimeNanoseconds] = source.mtimeNanoseconds
  // new_encode_dev: minor bits 0-7 and 20-31, major bits 8-19
  words[to + stat.rdevMajor] = (source.rdev >>> 8) & 0xfff
  words[to + stat.rdevMinor] = (source.rdev & 0xff) | ((source.rdev >>> 12) & 0xfff00)
  return statxAnswer.bytes
}

export function writeOpen(words: Uint32Array, at: number, from: OpenReply, mayKeepCache: boolean): number {
  writeWide(words, at + openAnswer.handle, from.handle)
  words[at + openAnswer.flags] = openFlags(from, mayKeepCache)
  words[at + openAnswer.backingId] = from.backingId
  return openAnswer.bytes
}

/** The kernel answers EIO to passthrough together with KEEP_CACHE, so passthrough wins. */
function openFlags(from: OpenReply, mayKeepCache: boolean): number {
  let flags = 0
  if (from.noFlush) flags |= openAnswerFlag.FOPEN_NOFLUSH
  if (from.directIo) flags |= openAnswerFlag.FOPEN_DIRECT_IO
  if (from.backingId > 0) return flags | openAnswerFlag.FOPEN_PASSTHROUGH
  if (from.keepCache && mayKeepCache) flags |= openAnswerFlag.FOPEN_KEEP_CACHE
  if (from.cacheDirectory) flags |= openAnswerFlag.FOPEN_CACHE_DIR
  return flags
}

export function writeStatfs(words: Uint32Array, at: number, from: StatfsReply): number {
  words.fill(0, at, at + statfsAnswer.bytes / 4)
  writeWide(words, at + statfsAnswer.blocks, from.blocks)
  writeWide(words, at + statfsAnswer.blocksFree, from.blocksFree)
  writeWide(words, at + statfsAnswer.blocksAvailable, from.blocksFree)
  writeWide(words, at + statfsAnswer.files, from.files)
  writeWide(words, at + statfsAnswer.filesFree, from.filesFree)
  words[at + statfsAnswer.blockBytes] = from.blockBytes
  words[at + statfsAnswer.nameBytesMax] = from.nameBytesMax
  words[at + statfsAnswer.fragmentBytes] = from.blockBytes
  return statfsAnswer.bytes
}

export function writeSize(words: Uint32Array, at: number, size: number): number {
  words[at + sizeAnswer.size] = size
  words[at + sizeAnswer.size + 1] = 0
  return sizeAnswer.bytes
}

export function writeOffset(words: Uint32Array, at: number, offset: number): number {
  writeWide(words, at + lseekAnswer.offset, offset)
  return lseekAnswer.bytes
}

function writeValidity(words: Uint32Array, at: number, atNanoseconds: number, milliseconds: number): void {
  const seconds = Math.min(Math.floor(milliseconds / 1000), validSecondsMax)
  words[at] = seconds
  words[at + 1] = 0
  words[atNanoseconds] = seconds === validSecondsMax ? 0 : Math.floor((milliseconds % 1000) * 1_000_000)
}
