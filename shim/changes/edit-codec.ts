/**
 * Bytes of edits, as the journal keeps them: one edit, one record.
 *
 * A create is about 130 bytes: an inode that is known and keeps its content and xattrs (a directory whose times move) is written without them, so
 * such a record can be read only over the state that the records before it gave. Numbers are varints; entries are `encodeEntry`, so that what the
 * volume can hold the journal can, and nothing else.
 */
import type { Reader, Writer } from '../../shared/codec.ts'
import { decodeEntry, encodeEntry, entryBytesMax } from '../../shared/format/entry-codec.ts'
import type { Entry, FileId, FileKind, Time } from '../../shared/format/entry.ts'
import { decodeName, encodeName, nameBytesMax } from '../../shared/name.ts'
import type { Place } from '../../shared/volume/change-set.ts'
import { toFileId } from '../../shared/volume/file-id.ts'
import type { NameTarget } from './edit.ts'

/** INVARIANT: a kind's place is its number on disk. */
const kinds: readonly FileKind[] = ['file', 'directory', 'symlink', 'fifo', 'socket', 'character-device', 'block-device']
const noTarget = kinds.length
/** Of a body's state: a file of 16 TiB with a million written ranges. */
export const bodyStateBytesMax = 48 * 1024 * 1024
const countMax = 2 ** 24

export function writePlace(writer: Writer, place: Place): void {
  writer.varint(place.id)
  writer.varint(place.parentId)
  writer.sized(encodeName(place.name))
}

export function readPlace(reader: Reader): Place {
  return { id: readId(reader), parentId: readId(reader), name: readName(reader) }
}

export function readId(reader: Reader): FileId {
  return toFileId(reader.varint())
}

export function writeName(writer: Writer, name: string): void {
  writer.sized(encodeName(name))
}

export function readName(reader: Reader): string {
  return decodeName(reader.sized(nameBytesMax))
}

export function readCount(reader: Reader): number {
  const count = reader.varint()
  if (count > countMax) reader.fail(`it counts ${count} things`)
  return count
}

export function writeTarget(writer: Writer, target: NameTarget | undefined): void {
  if (target === undefined) {
    writer.u8(noTarget)
    return
  }
  writer.u8(kinds.indexOf(target.kind))
  writer.varint(target.id)
}

export function readTarget(reader: Reader): NameTarget | undefined {
  const code = reader.u8()
  const kind = kinds[code]
  if (kind !== undefined) return { id: readId(reader), kind }
  return code === noTarget ? undefined : reader.fail(`a name leads to a thing of kind ${code}`)
}

/** `contentSize`: what the content holds; the size of a file with a local body is another. */
export function writeEntry(writer: Writer, entry: Entry, contentSize: number): void {
  writer.sized(encodeEntry(entry.size === contentSize ? entry : { ...entry, size: contentSize }))
  writer.varint(entry.size)
}

export function readEntry(reader: Reader): { readonly entry: Entry; readonly contentSize: number } {
  const stored = decodeEntry(reader.sized(entryBytesMax))
  const size = reader.varint()
  return { entry: size === stored.size ? stored : { ...stored, size }, contentSize: stored.size }
}

const hasCtime = 1
const hasAtime = 2

/** All of an entry but its kind, content and xattrs. */
export function writeAttributes(writer: Writer, entry: Entry): void {
  const { mtime, ctime, atime } = entry
  const isCtimeOwn = ctime.seconds !== mtime.seconds || ctime.nanoseconds !== mtime.nanoseconds
  writer.varint(entry.id)
  writer.u8((isCtimeOwn ? hasCtime : 0) | (atime === undefined ? 0 : hasAtime))
  writer.varint(entry.mode)
  writer.varint(entry.uid)
  writer.varint(entry.gid)
  writeTime(writer, mtime)
  if (isCtimeOwn) writeTime(writer, ctime)
  if (atime !== undefined) writeTime(writer, atime)
  writer.varint(entry.size)
  writer.varint(entry.linkCount)
}

/** `over`: gives the entry that has the rest. */
export function readAttributes(reader: Reader, over: (id: FileId) => Entry | undefined): Entry {
  const id = readId(reader)
  const flags = reader.u8()
  const rest = over(id) ?? reader.fail(`inode ${id} is not known before it`)
  const mode = reader.varint()
  const uid = reader.varint()
  const gid = reader.varint()
  const mtime = readTime(reader)
  const ctime = (flags & hasCtime) === 0 ? mtime : readTime(reader)
  const atime = (flags & hasAtime) === 0 ? undefined : readTime(reader)
  const size = reader.varint()
  const linkCount = reader.varint()
  const entry = { kind: rest.kind, id, mode, uid, gid, mtime, ctime, size, linkCount, xattrs: rest.xattrs, content: rest.content }
  return atime === undefined ? entry : { ...entry, atime }
}

export function writeTime(writer: Writer, time: Time): void {
  writer.zigzag(time.seconds)
  writer.varint(time.nanoseconds)
}

export function readTime(reader: Reader): Time {
  return { seconds: reader.zigzag(), nanoseconds: reader.varint() }
}
