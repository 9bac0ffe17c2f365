/**
 * What the journal keeps of a local body: its backing file's number and, for a partial one, the version below it and which bytes are local. The size
 * and the modification time are not here: they are the backing file's own.
 */
import { Reader, Writer } from '../../shared/codec.ts'
import { decodeManifestRoot, encodeManifestRoot } from '../../shared/format/content-codec.ts'
import type { FileId, ManifestRoot } from '../../shared/format/entry.ts'
import { toFileId } from '../../shared/volume/file-id.ts'

/** The published version that a partial body shows where nothing local was written. */
export interface BodyBase {
  /** The file under which the version may be cached. */
  readonly fileId: FileId
  readonly root: ManifestRoot
  /** Of that version. */
  readonly size: number
  /** So many of its bytes count; zeros follow. It only ever sinks. */
  readonly length: number
}

export interface BodyState {
  readonly serial: number
  /** When the file was taken for this body, by its own disk's clock. A file whose inode is older on disk than that holds what it held before. */
  readonly takenMs: number
  /** Undefined: every byte is in the backing file. */
  readonly base: BodyBase | undefined
  /** Start, end, start, end …: the backing file's bytes count there. */
  readonly written: readonly number[]
  /** The part of it that was made a hole at some time: where nothing is on disk, zeros count. */
  readonly punched: readonly number[]
}

const whole = 0
const partial = 1
/** Of a manifest root by itself; far more than any has. */
const rootBytesMax = 1024
const edgeCountMax = 2 ** 24

export function encodeBodyState(state: BodyState): Uint8Array {
  const writer = new Writer(16)
  writer.varint(state.serial)
  // In microseconds: as fine as a double tells present moments apart.
  writer.varint(Math.max(0, Math.floor(state.takenMs * 1000)))
  const { base } = state
  writer.u8(base === undefined ? whole : partial)
  if (base === undefined) return writer.finish()
  writer.varint(base.fileId)
  writer.varint(base.size)
  writer.varint(base.length)
  writer.sized(encodeManifestRoot(base.root))
  writeEdges(writer, state.written)
  writeEdges(writer, state.punched)
  return writer.finish()
}

/** Throws `corrupt`. */
export function decodeBodyState(bytes: Uint8Array): BodyState {
  const reader: Reader = new Reader(bytes, 'the state of a local body')
  const serial = reader.varint()
  const takenMs = reader.varint() / 1000
  const kind = reader.u8()
  if (kind === whole) {
    reader.end()
    return { serial, takenMs, base: undefined, written: [], punched: [] }
  }
  if (kind !== partial) reader.fail(`its kind is ${kind}`)
  const base = { fileId: toFileId(reader.varint()), size: reader.varint(), length: reader.varint(), root: decodeManifestRoot(reader.sized(rootBytesMax)) }
  const state = { serial, takenMs, base, written: readEdges(reader), punched: readEdges(reader) }
  reader.end()
  return state
}

/** Each edge as its distance from the one before. */
function writeEdges(writer: Writer, edges: readonly number[]): void {
  writer.varint(edges.length)
  let last = 0
  for (const edge of edges) {
    writer.varint(edge - last)
    last = edge
  }
}

function readEdges(reader: Reader): number[] {
  const count = reader.varint()
  if (count > edgeCountMax || count % 2 !== 0) reader.fail(`it has ${count} edges`)
  const edges: number[] = []
  for (let index = 0; index < count; index += 1) edges.push((edges.at(-1) ?? 0) + reader.varint())
  return edges
}
