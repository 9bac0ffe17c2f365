/**
 * What the store keeps of an upload that comes in parts: an upload that is open, and for a while one that is finished. An open one holds what has become a
 * manifest, and as bytes the rest that is no whole chunk yet; so it stays small however long the upload is, and the parts give the manifest that one body would.
 * `FORMAT.md` specifies the bytes; the edge writes them.
 */
import { fromBase64, toBase64 } from '../bytes.ts'
import { EdgemountError } from '../error.ts'
import { isHash } from '../hash.ts'
import { decodeManifestRoot, encodeManifestRoot } from './content-codec.ts'
import type { Hash, ManifestRoot } from './entry.ts'
import { JsonFields, parseJson, printJson } from './json-fields.ts'

export interface OpenUpload {
  /** Where the file goes, as it was asked for. */
  readonly path: string
  /** Bytes of the whole file. */
  readonly length: number
  /** Bytes that the sender was told are here. */
  readonly offset: number
  /** The sender's own words about the file, given back as they came. */
  readonly metadata: string
  /** Headers of the creation that count when the file is committed. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Bytes that the manifest has. */
  readonly size: number
  readonly root: ManifestRoot | undefined
  /** Bytes behind those. */
  readonly tail: Uint8Array
  /** All bytes are here, and the commit, if it was made, is later than this seq. */
  readonly after: number | undefined
  /** Random; tells this state from one that another request wrote. */
  readonly turn: string
}

export interface FinishedUpload {
  readonly path: string
  readonly length: number
  readonly metadata: string
  readonly seq: number
  readonly version: Hash
}

const uploadFormat = 1
/** Headers of 32 KiB, the most that a server takes, in JSON. */
const headBytesMax = 256 * 1024
const textMax = 128 * 1024
const headersMax = 16

/** The head's length in four bytes, low byte first; the head in JSON; the tail. */
export function encodeOpenUpload({ path, length, offset, metadata, headers, size, root, tail, after, turn }: OpenUpload): Uint8Array {
  const head = printJson({
    format: uploadFormat,
    path,
    length,
    offset,
    metadata,
    headers,
    size,
    root: root === undefined ? null : toBase64(encodeManifestRoot(root)),
    after: after ?? null,
    turn,
  })
  if (head.length > headBytesMax) throw new EdgemountError('invalid', `Cannot begin the upload of "${path}": its headers are too long to be kept`)
  const bytes = new Uint8Array(4 + head.length + tail.length)
  new DataView(bytes.buffer).setUint32(0, head.length, true)
  bytes.set(head, 4)
  bytes.set(tail, 4 + head.length)
  return bytes
}

export function decodeOpenUpload(bytes: Uint8Array): OpenUpload {
  const headBytes = bytes.length < 4 ? -1 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
  if (headBytes < 0 || 4 + headBytes > bytes.length) throw new EdgemountError('corrupt', `Cannot read an open upload: its ${bytes.length} bytes are too few`)
  const fields: JsonFields = new JsonFields(parseJson(bytes.subarray(4, 4 + headBytes), headBytesMax, 'open upload'), 'open upload')
  fields.format(uploadFormat)
  const path = fields.string('path', 1, textMax)
  const length = fields.integer('length', 0)
  const offset = fields.integer('offset', 0)
  const metadata = fields.string('metadata', 0, textMax)
  const headers = fields.array('headers', headersMax).map((header) => readHeader(fields, header))
  const size = fields.integer('size', 0)
  const root = fields.take('root')
  if (root !== null && typeof root !== 'string') fields.fail('its root is no manifest')
  const after = fields.take('after')
  if (after !== null && !Number.isSafeInteger(after)) fields.fail('its after is no seq')
  const turn = fields.string('turn', 1, 64)
  fields.end()
  return {
    path,
    length,
    offset,
    metadata,
    headers,
    size,
    turn,
    root: root === null ? undefined : decodeManifestRoot(fromBase64(root)),
    tail: bytes.slice(4 + headBytes),
    after: typeof after === 'number' ? after : undefined,
  }
}

function readHeader(fields: JsonFields, header: unknown): [string, string] {
  if (Array.isArray(header) && header.length === 2) {
    const [name, value]: unknown[] = header
    if (typeof name === 'string' && typeof value === 'string') return [name, value]
  }
  return fields.fail('one of its headers is no pair of strings')
}

export function encodeFinishedUpload({ path, length, metadata, seq, version }: FinishedUpload): Uint8Array {
  return printJson({ format: uploadFormat, path, length, metadata, seq, version })
}

export function decodeFinishedUpload(bytes: Uint8Array): FinishedUpload {
  const fields: JsonFields = new JsonFields(parseJson(bytes, headBytesMax, 'finished upload'), 'finished upload')
  fields.format(uploadFormat)
  const path = fields.string('path', 1, textMax)
  const length = fields.integer('length', 0)
  const metadata = fields.string('metadata', 0, textMax)
  const seq = fields.integer('seq', 1)
  const version = fields.take('version')
  if (!isHash(version)) fields.fail('its version is no hash')
  fields.end()
  return { path, length, metadata, seq, version }
}
