/**
 * The two JSON documents of a volume: `volume.json` (what never changes about it) and the commit records of the log. JSON
 * because people and other programs read them; with fixed key order because a record is named by the hash of its bytes.
 */
import { fromBase64, toBase64 } from '../bytes.ts'
import { checkChunking, type ChunkingParameters } from '../chunker.ts'
import { EdgemountError, messageOf } from '../error.ts'
import { isHash } from '../hash.ts'
import { decodeRoot, encodeRoot } from './entry-codec.ts'
import type { Hash, Pointer, Root } from './entry.ts'
import { JsonFields, parseJson, printJson } from './json-fields.ts'
import { type CommitOperation, operationPagesMax, operationsMax, orderKeys, readOperation } from './commit-operation.ts'
import { decodePointer, encodePointer } from './pointer-codec.ts'

/** The format that this program writes, and the newest it reads. */
export const volumeFormat = 1

/** A record is the operations (64 KiB) and a root (a directory's entry, at most 31 KiB and a third more in base64), and little else. */
export const recordBytesMax = 256 * 1024
export const configBytesMax = 64 * 1024

export const authorLengthMax = 255
export const messageLengthMax = 4096
const nonceLengthMax = 128
const volumeNameLengthMax = 255
const capabilitiesMax = 64

export interface CommitRecord {
  /** 1 is the empty volume. */
  readonly seq: number
  /** Hash of the previous record's bytes; undefined for the first. */
  readonly parent: Hash | undefined
  readonly root: Root
  /** Tells this record from another writer's in the same slot. */
  readonly nonce: string
  readonly author: string
  /** Milliseconds since 1970, by the author's clock. */
  readonly time: number
  readonly message?: string | undefined
  /** The operations, or none when they stand in `operationPages`. */
  readonly operations: readonly CommitOperation[]
  /** Pages for `decodeOperations`, in order, in the commit's metadata packs. */
  readonly operationPages?: readonly Pointer[] | undefined
}

/** `volume.json`. */
export interface VolumeConfig {
  /** Random; tells a volume from another one that later gets its name. */
  readonly id: string
  readonly name: string
  /** Milliseconds since 1970. */
  readonly created: number
  readonly chunking: ChunkingParameters
  /** What the store could do when the volume was created, as words, for example `create-if-absent`. */
  readonly capabilities: readonly string[]
}

/** `invalid` for what `decodeRecord` would refuse. */
export function encodeRecord(record: CommitRecord): Uint8Array {
  const pages = record.operationPages
  if (pages !== undefined && record.operations.length > 0) {
    throw new EdgemountError('invalid', `Cannot write commit ${record.seq}: its operations stand in the record or in pages, not in both`)
  }
  const bytes = printJson({
    format: volumeFormat,
    seq: record.seq,
    parent: record.parent ?? null,
    root: toBase64(encodeRoot(record.root)),
    nonce: record.nonce,
    author: record.author,
    time: record.time,
    ...(record.message === undefined ? {} : { message: record.message }),
    ...(pages === undefined ? { operations: record.operations.map(orderKeys) } : { operationPages: pages.map(encodePage) }),
  })
  checkDecodes(bytes, decodeRecord, `commit ${record.seq}`)
  return bytes
}

export function decodeRecord(bytes: Uint8Array): CommitRecord {
  const fields: JsonFields = new JsonFields(parseJson(bytes, recordBytesMax, 'commit record'), 'commit record')
  fields.format(volumeFormat)
  const seq = fields.integer('seq', 1)
  const parent = fields.take('parent')
  const isParent = seq === 1 ? parent === null : isHash(parent)
  if (!isParent) fields.fail('its parent is not the hash of a record, or null for the first')
  const record = {
    seq,
    parent: isHash(parent) ? parent : undefined,
    root: decodeRoot(readBase64(fields, 'root')),
    nonce: fields.string('nonce', 1, nonceLengthMax),
    author: fields.string('author', 0, authorLengthMax),
    time: fields.integer('time', 0),
    ...(fields.has('message') ? { message: fields.string('message', 0, messageLengthMax) } : {}),
  }
  const hasPages = fields.has('operationPages')
  const operationPages = hasPages ? fields.array('operationPages', operationPagesMax).map((text) => readPage(fields, text)) : undefined
  const operations = hasPages ? [] : fields.array('operations', operationsMax).map(readOperation)
  fields.end()
  return operationPages === undefined ? { ...record, operations } : { ...record, operations, operationPages }
}

export function encodeVolumeConfig(config: VolumeConfig): Uint8Array {
  const { id, name, created, chunking, capabilities } = config
  const { kind } = chunking
  const parameters = kind === 'fixed'
    ? { kind, bytes: chunking.bytes }
    : { kind, minBytes: chunking.minBytes, averageBytes: chunking.averageBytes, maxBytes: chunking.maxBytes }
  const bytes = printJson({ format: volumeFormat, id, name, created, chunking: parameters, capabilities })
  checkDecodes(bytes, decodeVolumeConfig, `volume.json of "${name}"`)
  return bytes
}

export function decodeVolumeConfig(bytes: Uint8Array): VolumeConfig {
  const fields: JsonFields = new JsonFields(parseJson(bytes, configBytesMax, 'volume.json'), 'volume.json')
  fields.format(volumeFormat)
  const config = {
    id: fields.string('id', 1, 64),
    name: fields.string('name', 1, volumeNameLengthMax),
    created: fields.integer('created', 0),
    chunking: readChunking(new JsonFields(fields.take('chunking'), 'volume.json')),
    capabilities: fields.array('capabilities', capabilitiesMax).map((word) => {
      if (typeof word !== 'string' || !/^[a-z0-9-]{1,64}$/.test(word)) fields.fail('a capability is not a word')
      return word
    }),
  }
  fields.end()
  return config
}

function readChunking(fields: JsonFields): ChunkingParameters {
  const kind = fields.string('kind', 1, 16)
  // A kind of chunking that came later: reading does not need it, but a writer that cuts otherwise would lose all dedup.
  if (kind !== 'content' && kind !== 'fixed') {
    throw new EdgemountError(
      'unsupported',
      `Cannot use a volume whose chunks are cut by "${kind.slice(0, 80)}": this edgemount knows content and fixed; update edgemount`,
    )
  }
  const take = (name: string): number => fields.integer(name, 1)
  const chunking: ChunkingParameters = kind === 'fixed'
    ? { kind, bytes: take('bytes') }
    : { kind, minBytes: take('minBytes'), averageBytes: take('averageBytes'), maxBytes: take('maxBytes') }
  fields.end()
  try {
    checkChunking(chunking)
  } catch (error) {
    fields.fail(messageOf(error))
  }
  return chunking
}

function readBase64(fields: JsonFields, name: string): Uint8Array {
  const text = fields.string(name, 1, recordBytesMax)
  try {
    return fromBase64(text)
  } catch (error) {
    return fields.fail(`its ${name} is damaged: ${messageOf(error)}`)
  }
}

function encodePage(pointer: Pointer): string {
  return toBase64(encodePointer(pointer))
}

function readPage(fields: JsonFields, text: unknown): Pointer {
  try {
    return decodePointer(fromBase64(typeof text === 'string' ? text : ''))
  } catch (error) {
    return fields.fail(`an operation page is damaged: ${messageOf(error)}`)
  }
}

/** Nothing is written that could not be read again: a record in the log is there for ever. */
function checkDecodes(bytes: Uint8Array, decode: (bytes: Uint8Array) => unknown, what: string): void {
  try {
    decode(bytes)
  } catch (error) {
    throw new EdgemountError('invalid', `Cannot write ${what}: it could not be read again (${messageOf(error)})`, { cause: error })
  }
}
