/**
 * Bytes of entries and roots. A file of one chunk takes about 110 bytes: a million of them must fit a tree of three
 * levels, so what can be left out or derived is. Content, which is half of it, has its own file.
 */
import { EdgemountError } from '../error.ts'
import { Reader, Writer } from '../codec.ts'
import { type HashFunction, webHash } from '../hash.ts'
import { compareBytes, decodeName, encodeName } from '../name.ts'
import { contentCodeOf, contentKindsOfCode, linkCode, readContent, sizeOf, writeContent } from './content-codec.ts'
import { type Content, type Entry, type FileId, type FileKind, type Hash, isFileId, type Root, type Time } from './entry.ts'
import { readPointer, writePointer } from './pointer-codec.ts'
import { treeValueBytesMax } from './tree-page.ts'

/** The longest encoded entry: what a tree item may hold. Only extended attributes can reach it. */
export const entryBytesMax = treeValueBytesMax

/** INVARIANT: a kind's place is its number on disk. */
const kinds: readonly FileKind[] = ['file', 'directory', 'symlink', 'fifo', 'socket', 'character-device', 'block-device']

const kindMask = 0x07
const ctimeFlag = 0x08
const linkCountFlag = 0x10
const xattrsFlag = 0x20
const atimeFlag = 0x40
/** Kind and all flags. */
const firstByteMax = 0x7f

const rootVersion = 1
const xattrNameBytesMax = 255 // XATTR_NAME_MAX, linux/limits.h

const epoch: Time = { seconds: 0, nanoseconds: 0 }
const noXattrs: ReadonlyMap<string, Uint8Array> = new Map()

const contentKinds: Readonly<Record<FileKind, readonly Content['kind'][]>> = {
  file: ['inline', 'manifest', 'link'],
  directory: ['tree'],
  symlink: ['target', 'link'],
  fifo: ['none', 'link'],
  socket: ['none', 'link'],
  'character-device': ['device', 'link'],
  'block-device': ['device', 'link'],
}

/** The entry that stands in a directory for an inode of the inode tree. Only kind and id are kept of it. */
export function linkEntry(kind: FileKind, id: FileId): Entry {
  return {
    kind,
    id,
    mode: 0,
    uid: 0,
    gid: 0,
    mtime: epoch,
    ctime: epoch,
    size: 0,
    linkCount: 1,
    xattrs: noXattrs,
    content: { kind: 'link' },
  }
}

/** For one entry at a time: memory of its own for each, and more of it for each that is long, would cost more than the encoding. */
const scratch = new Writer()

/** `invalid` for an entry that cannot be, `exhausted` for one that is too long. */
export function encodeEntry(entry: Entry): Uint8Array {
  checkEntry(entry)
  const code = contentCodeOf(entry.content)
  const isLink = code === linkCode
  const hasCtime = !isLink && !equalTimes(entry.ctime, entry.mtime)
  const hasLinkCount = !isLink && entry.linkCount !== 1
  const hasXattrs = !isLink && entry.xattrs.size > 0
  const atime = isLink || entry.atime === undefined || equalTimes(entry.atime, entry.mtime) ? undefined : entry.atime
  const flags = (hasCtime ? ctimeFlag : 0) | (hasLinkCount ? linkCountFlag : 0) | (hasXattrs ? xattrsFlag : 0) | (atime === undefined ? 0 : atimeFlag)
  const writer = scratch
  writer.clear()
  writer.u8(kinds.indexOf(entry.kind) | flags)
  writer.u8(code)
  writer.varint(entry.id)
  if (isLink) return writer.finish()
  writer.varint(entry.mode)
  writer.varint(entry.uid)
  writer.varint(entry.gid)
  writeTime(writer, entry.mtime)
  if (hasCtime) writeTime(writer, entry.ctime)
  if (atime !== undefined) writeTime(writer, atime)
  if (hasLinkCount) writer.varint(entry.linkCount)
  if (hasXattrs) writeXattrs(writer, entry.xattrs)
  writeContent(writer, entry.content, entry.size)
  if (writer.length > entryBytesMax) {
    throw new EdgemountError(
      'exhausted',
      `Cannot store an entry of ${writer.length} bytes: ${entryBytesMax} is the most; its extended attributes are too large`,
    )
  }
  return writer.finish()
}

/** What an entry is, without the cost of decoding the rest of it. */
export function decodeEntryHead(bytes: Uint8Array): { readonly kind: FileKind; readonly id: FileId; readonly isLink: boolean } {
  const reader: Reader = new Reader(bytes, 'an entry')
  const kind = kinds[reader.u8() & kindMask]
  const code = reader.u8()
  const id = reader.varint()
  if (kind === undefined || !isFileId(id)) reader.fail('it has no kind and id')
  return { kind, id, isLink: code === linkCode }
}

export function decodeEntry(bytes: Uint8Array): Entry {
  const reader: Reader = new Reader(bytes, 'an entry')
  const first = reader.u8()
  const kind = kinds[first & kindMask]
  if (kind === undefined || first > firstByteMax) reader.fail(`its first byte ${first} is no kind and flags`)
  const code = reader.u8()
  const contentKind = contentKindsOfCode[code]
  if (contentKind === undefined || !contentKinds[kind].includes(contentKind)) reader.fail(`a ${kind} cannot have content ${code}`)
  const id = reader.varint()
  if (!isFileId(id)) reader.fail(`${id} is no file id`)
  if (code === linkCode) {
    if (first > kindMask) reader.fail('a link has flags')
    reader.end()
    return linkEntry(kind, id)
  }
  const mode = reader.varint()
  if (mode > 0o7777) reader.fail(`its mode is ${mode}`)
  const uid = readOwner(reader)
  const gid = readOwner(reader)
  const mtime = readTime(reader)
  const ctime = (first & ctimeFlag) === 0 ? mtime : readTime(reader)
  if ((first & ctimeFlag) !== 0 && equalTimes(ctime, mtime)) reader.fail('its ctime is written although it equals mtime')
  const atime = (first & atimeFlag) === 0 ? undefined : readTime(reader)
  if (atime !== undefined && equalTimes(atime, mtime)) reader.fail('its atime is written although it equals mtime')
  const linkCount = (first & linkCountFlag) === 0 ? 1 : reader.varint()
  if ((first & linkCountFlag) !== 0 && linkCount === 1) reader.fail('its link count is written although it is 1')
  const xattrs = (first & xattrsFlag) === 0 ? noXattrs : readXattrs(reader)
  const { content, size } = readContent(reader, code)
  reader.end()
  const entry = { kind, id, mode, uid, gid, mtime, ctime, size, linkCount, xattrs, content }
  return atime === undefined ? entry : { ...entry, atime }
}

export function encodeRoot(root: Root): Uint8Array {
  if (root.directory.kind !== 'directory') throw new EdgemountError('invalid', `Cannot write a root: it is a ${root.directory.kind}`)
  const writer = new Writer()
  writer.u8(rootVersion)
  writer.sized(encodeEntry(root.directory))
  writer.u8(root.inodes === undefined ? 0 : 1)
  if (root.inodes !== undefined) writePointer(writer, root.inodes)
  return writer.finish()
}

export function decodeRoot(bytes: Uint8Array): Root {
  const reader: Reader = new Reader(bytes, 'a root')
  const version = reader.u8()
  if (version !== rootVersion) {
    throw new EdgemountError(
      'unsupported',
      `Cannot read a root: it has format ${version} and this edgemount reads ${rootVersion}; update edgemount`,
    )
  }
  const directory = decodeEntry(reader.sized(entryBytesMax))
  if (directory.kind !== 'directory') reader.fail(`it is a ${directory.kind}`)
  const flag = reader.u8()
  if (flag > 1) reader.fail(`byte ${flag} says neither that there is an inode tree nor that there is none`)
  const inodes = flag === 0 ? undefined : readPointer(reader)
  reader.end()
  return { directory, inodes }
}

const noBytes = new Uint8Array(0)

/**
 * Identity of what an entry holds: for bodies the content id, or the SHA-256 of a body inline in the entry. Equal versions of equal
 * size mean equal bytes. Symlinks and directories have one too, devices and the like that of nothing; a link must be resolved first.
 */
export async function contentVersionOf(entry: Entry, hash: HashFunction = webHash): Promise<Hash> {
  const { content } = entry
  if (content.kind === 'link') {
    throw new EdgemountError('invalid', `Cannot give the version of file ${entry.id}: it is a link, look its inode up first`)
  }
  if (content.kind === 'manifest') return content.root.contentId
  if (content.kind === 'tree' && content.root.pointer !== undefined) return content.root.pointer.hash
  if (content.kind === 'target') return await hash(encodeName(content.target))
  return await hash(content.kind === 'inline' ? content.bytes : noBytes)
}

function checkEntry(entry: Entry): void {
  const why = whyInvalid(entry)
  if (why !== undefined) throw new EdgemountError('invalid', `Cannot write the entry of file ${entry.id}: ${why}`)
}

function whyInvalid(entry: Entry): string | undefined {
  if (!contentKinds[entry.kind].includes(entry.content.kind)) return `a ${entry.kind} cannot have content "${entry.content.kind}"`
  if (entry.content.kind === 'link') return undefined
  if (!(entry.mode >= 0 && entry.mode <= 0o7777)) return `its mode is ${entry.mode}`
  if (!(entry.uid <= 0xffffffff && entry.gid <= 0xffffffff)) return `its owner is ${entry.uid}:${entry.gid}`
  if (!isTime(entry.mtime) || !isTime(entry.ctime) || (entry.atime !== undefined && !isTime(entry.atime))) return 'its time has nanoseconds beyond a second'
  const size = sizeOf(entry.content)
  if (size !== undefined && size !== entry.size) return `its size is ${entry.size}, its content says ${size}`
  return undefined
}

function writeTime(writer: Writer, time: Time): void {
  writer.zigzag(time.seconds)
  writer.varint(time.nanoseconds)
}

function readTime(reader: Reader): Time {
  const time = { seconds: reader.zigzag(), nanoseconds: reader.varint() }
  if (!isTime(time)) reader.fail(`its time has ${time.nanoseconds} nanoseconds`)
  return time
}

function isTime(time: Time): boolean {
  return time.nanoseconds >= 0 && time.nanoseconds < 1_000_000_000
}

export function equalTimes(a: Time, b: Time): boolean {
  return a.seconds === b.seconds && a.nanoseconds === b.nanoseconds
}

function readOwner(reader: Reader): number {
  const owner = reader.varint()
  if (owner > 0xffffffff) reader.fail(`its owner is ${owner}`)
  return owner
}

function writeXattrs(writer: Writer, xattrs: ReadonlyMap<string, Uint8Array>): void {
  const items = [...xattrs].map(([name, value]) => ({ name: encodeName(name), value }))
  items.sort((a, b) => compareBytes(a.name, b.name))
  writer.varint(items.length)
  for (const { name, value } of items) {
    if (name.length === 0 || name.length > xattrNameBytesMax) {
      throw new EdgemountError(
        'invalid',
        `Cannot store extended attribute "${decodeName(name)}": a name has 1 to ${xattrNameBytesMax} bytes`,
      )
    }
    writer.sized(name)
    writer.sized(value)
  }
}

function readXattrs(reader: Reader): ReadonlyMap<string, Uint8Array> {
  const count = reader.varint()
  if (count === 0) reader.fail('its extended attributes are none')
  const xattrs = new Map<string, Uint8Array>()
  let last: Uint8Array | undefined
  for (let index = 0; index < count; index += 1) {
    const name = reader.sized(xattrNameBytesMax)
    if (name.length === 0 || (last !== undefined && compareBytes(last, name) >= 0)) reader.fail('its extended attributes are not in order')
    last = name
    // A copy: a view would keep the whole page in memory for as long as the entry is.
    xattrs.set(decodeName(name), reader.sized(entryBytesMax).slice())
  }
  return xattrs
}
