/**
 * Bytes of an entry's content, the end of an entry. Byte arrays that decoding gives are copies: views would keep a whole page in memory.
 */
import { Reader, Writer } from '../codec.ts'
import { EdgemountError } from '../error.ts'
import { hashBytes, hashFromBytes, hashToBytes } from '../hash.ts'
import { decodeName, encodeName } from '../name.ts'
import { type Content, type Hash, inlineBytesMax, type ManifestRoot, type Run, type TreeRoot } from './entry.ts'
import { inlineRunsMax, ManifestPage } from './manifest-page.ts'
import { idOfOneChunk } from './manifest-shape.ts'
import { readPointer, writePointer } from './pointer-codec.ts'

/** INVARIANT: a content's place is its number on disk. A manifest has two: inline page, page of its own. */
export const contentKindsOfCode: readonly Content['kind'][] = ['none', 'inline', 'manifest', 'manifest', 'tree', 'target', 'device', 'link']

const inlineManifestCode = 2
const manifestPageCode = 3
export const linkCode = 7

const targetBytesMax = 4095 // PATH_MAX without its NUL, linux/limits.h
/** Four runs at their longest are 4 × (72 + 3) + 5 bytes. */
const inlinePageBytesMax = 320

export function contentCodeOf(content: Content): number {
  if (content.kind !== 'manifest') return contentKindsOfCode.indexOf(content.kind)
  return content.root.kind === 'inline' ? inlineManifestCode : manifestPageCode
}

/** The size an entry with this content must have; undefined when the content does not say (a manifest in pages). */
export function sizeOf(content: Content): number | undefined {
  switch (content.kind) {
    case 'inline':
      return content.bytes.length
    case 'target':
      return encodeName(content.target).length
    case 'manifest':
      return content.root.kind === 'inline' ? new ManifestPage(content.root.page, undefined, 0).length : undefined
    default:
      return 0
  }
}

export function writeContent(writer: Writer, content: Content, size: number): void {
  switch (content.kind) {
    case 'inline':
      writeBounded(writer, content.bytes, inlineBytesMax, 'a body inline')
      return
    case 'target':
      writeBounded(writer, encodeName(content.target), targetBytesMax, 'a symlink target')
      return
    case 'manifest':
      if (content.root.kind === 'page') writer.varint(size)
      writeManifestRoot(writer, content.root)
      return
    case 'tree':
      writeTreeRoot(writer, content.root)
      return
    case 'device':
      writer.varint(content.major)
      writer.varint(content.minor)
      return
    case 'none':
    case 'link':
      return
  }
}

/** The inverse of `writeContent`, for a code that `contentKindsOfCode` has. */
export function readContent(reader: Reader, code: number): { readonly content: Content; readonly size: number } {
  switch (contentKindsOfCode[code]) {
    case 'inline': {
      const bytes = reader.sized(inlineBytesMax).slice()
      return { content: { kind: 'inline', bytes }, size: bytes.length }
    }
    case 'target': {
      const bytes = reader.sized(targetBytesMax)
      return { content: { kind: 'target', target: decodeName(bytes) }, size: bytes.length }
    }
    case 'manifest': {
      const stored = code === manifestPageCode ? reader.varint() : undefined
      const root = readManifestRoot(reader, code)
      return { content: { kind: 'manifest', root }, size: stored ?? sizeOf({ kind: 'manifest', root })! }
    }
    case 'tree':
      return { content: { kind: 'tree', root: readTreeRoot(reader) }, size: 0 }
    case 'device':
      return { content: { kind: 'device', major: reader.varint(), minor: reader.varint() }, size: 0 }
    case 'none':
      return { content: { kind: 'none' }, size: 0 }
    default:
      return reader.fail(`content ${code} is none that stands in an entry`)
  }
}

/** A manifest root by itself, led by its content code. */
export function encodeManifestRoot(root: ManifestRoot): Uint8Array {
  const writer = new Writer(128)
  writer.u8(root.kind === 'inline' ? inlineManifestCode : manifestPageCode)
  writeManifestRoot(writer, root)
  return writer.finish()
}

export function decodeManifestRoot(bytes: Uint8Array): ManifestRoot {
  const reader: Reader = new Reader(bytes, 'a manifest root')
  const code = reader.u8()
  if (code !== inlineManifestCode && code !== manifestPageCode) reader.fail(`its first byte is ${code}`)
  const root = readManifestRoot(reader, code)
  reader.end()
  return root
}

function writeManifestRoot(writer: Writer, root: ManifestRoot): void {
  if (root.kind === 'page') {
    writePointer(writer, root.pointer)
    writer.raw(hashToBytes(root.contentId))
    return
  }
  writeBounded(writer, root.page, inlinePageBytesMax, 'a manifest inline')
  if (oneChunkIdOf(root.page) === undefined) writer.raw(hashToBytes(root.contentId))
}

function readManifestRoot(reader: Reader, code: number): ManifestRoot {
  if (code === manifestPageCode) {
    const pointer = readPointer(reader)
    return { kind: 'page', pointer, contentId: hashFromBytes(reader.raw(hashBytes)) }
  }
  const page = reader.sized(inlinePageBytesMax).slice()
  const contentId = oneChunkIdOf(page) ?? hashFromBytes(reader.raw(hashBytes))
  return { kind: 'inline', page, contentId }
}

/** The content id of a manifest of one chunk is the chunk's hash, and is not written again. Checks the whole page, too. */
function oneChunkIdOf(bytes: Uint8Array): Hash | undefined {
  const page = new ManifestPage(bytes, undefined, 0)
  if (page.count > inlineRunsMax) page.fail(`it has ${page.count} runs, more than ${inlineRunsMax}`)
  const runs: Run[] = []
  for (let index = 0; index < page.count; index += 1) runs.push(page.run(index))
  return idOfOneChunk(runs)
}

function writeTreeRoot(writer: Writer, root: TreeRoot): void {
  if ((root.pointer === undefined) !== (root.entryCount === 0) || root.directoryCount > root.entryCount) {
    throw new EdgemountError(
      'invalid',
      `Cannot write a directory of ${root.entryCount} entries and ${root.directoryCount} directories: its tree is not of that size`,
    )
  }
  writer.varint(root.entryCount)
  writer.varint(root.directoryCount)
  if (root.pointer !== undefined) writePointer(writer, root.pointer)
}

function readTreeRoot(reader: Reader): TreeRoot {
  const entryCount = reader.varint()
  const directoryCount = reader.varint()
  if (directoryCount > entryCount) reader.fail(`it counts ${directoryCount} directories among ${entryCount} entries`)
  return { pointer: entryCount === 0 ? undefined : readPointer(reader), entryCount, directoryCount }
}

function writeBounded(writer: Writer, bytes: Uint8Array, max: number, what: string): void {
  if (bytes.length > max) throw new EdgemountError('invalid', `Cannot write ${what} of ${bytes.length} bytes: ${max} is the most`)
  writer.sized(bytes)
}
