/**
 * The journal record of an edit: made from the edit and the state it is about to change, read back over that same state.
 *
 * Called by `LocalChanges` before it changes anything, and by `replay.ts`. INVARIANT: what `writeEdit` leaves out is what `readEdit` finds in the state, so
 * the records before it must have been replayed; the journal gives them in order.
 */
import type { Reader, Writer } from '../../shared/codec.ts'
import type { ChangeState } from './change-state.ts'
import type { FileId } from '../../shared/format/entry.ts'
import type { BodyStamp } from '../bodies/local-body.ts'
import type { Edit, NamePut, NodePut } from './edit.ts'
import {
  bodyStateBytesMax,
  readAttributes,
  readCount,
  readEntry,
  readId,
  readName,
  readPlace,
  readTarget,
  writeAttributes,
  writeEntry,
  writeName,
  writePlace,
  writeTarget,
} from './edit-codec.ts'
import { areSameButAttributes, contentSizeOf } from './entry-merge.ts'
import { readStamp, writeStamp } from './record.ts'

const nodeFlag = {
  /** The entry is written without kind, content and xattrs: those of the node, or of the base before it, hold. */
  isAttributes: 1,
  hasBase: 2,
  losesBody: 4,
  hasBody: 8,
  hasStamp: 16,
} as const

const nameFlag = { hasBase: 1, hasTo: 2, isSame: 4 } as const

/** What is asked of bodies that are put. */
export interface BodyFacts<Body> {
  stateOf(body: Body): Uint8Array
  /** Of the body of a node that is put as clean. */
  stampOf(put: NodePut<Body>): BodyStamp | undefined
}

export function writeEdit<Body>(writer: Writer, edit: Edit<Body>, state: ChangeState<Body>, facts: BodyFacts<Body>): void {
  const { places = [], nodes = [], names = [], forgets = [] } = edit
  writer.varint(places.length)
  for (const place of places) writePlace(writer, place)
  writer.varint(nodes.length)
  for (const put of nodes) writeNodePut(writer, put, state, facts)
  writer.varint(names.length)
  for (const put of names) writeNamePut(writer, put, state)
  writer.varint(forgets.length)
  for (const id of forgets) writer.varint(id)
}

function writeNodePut<Body>(writer: Writer, put: NodePut<Body>, state: ChangeState<Body>, facts: BodyFacts<Body>): void {
  const { entry, body } = put
  const known = state.nodes.get(entry.id)
  const base = known === undefined ? put.base : undefined
  const rest = known?.entry ?? base
  const isAttributes = rest !== undefined && areSameButAttributes(entry, rest)
  const stamp = facts.stampOf(put)
  const ofBody = (body === null ? nodeFlag.losesBody : body === undefined ? 0 : nodeFlag.hasBody) | (stamp === undefined ? 0 : nodeFlag.hasStamp)
  writer.u8((isAttributes ? nodeFlag.isAttributes : 0) | (base === undefined ? 0 : nodeFlag.hasBase) | ofBody)
  if (base !== undefined) writeEntry(writer, base, base.size)
  if (isAttributes) writeAttributes(writer, entry)
  else writeEntry(writer, entry, contentSizeOf(entry, known?.base ?? base, known))
  if (body !== null && body !== undefined) writer.sized(facts.stateOf(body))
  if (stamp !== undefined) writeStamp(writer, stamp)
}

/** Applies what it reads. */
function readNodePut<Body>(reader: Reader, state: ChangeState<Body>, bodyOf: (state: Uint8Array) => Body): FileId {
  const flags = reader.u8()
  const base = (flags & nodeFlag.hasBase) === 0 ? undefined : readEntry(reader).entry
  const whole = (flags & nodeFlag.isAttributes) === 0 ? readEntry(reader) : undefined
  const entry = whole?.entry ?? readAttributes(reader, (id) => state.nodes.get(id)?.entry ?? base)
  const body = (flags & nodeFlag.hasBody) === 0 ? undefined : bodyOf(reader.sized(bodyStateBytesMax))
  const stamp = (flags & nodeFlag.hasStamp) === 0 ? undefined : readStamp(reader)
  state.putNode({ entry, base, body: (flags & nodeFlag.losesBody) === 0 ? body : null }, stamp, whole?.contentSize)
  return entry.id
}

function writeNamePut<Body>(writer: Writer, put: NamePut, state: ChangeState<Body>): void {
  const { directoryId, name, to } = put
  const base = state.name(directoryId, name) === undefined ? put.base : undefined
  const isSame = base !== undefined && to !== undefined && base.id === to.id
  writer.u8((base === undefined || isSame ? 0 : nameFlag.hasBase) | (to === undefined ? 0 : nameFlag.hasTo) | (isSame ? nameFlag.isSame : 0))
  writer.varint(directoryId)
  writeName(writer, name)
  if (to !== undefined) writeTarget(writer, to)
  if (base !== undefined && !isSame) writeTarget(writer, base)
}

function readNamePut(reader: Reader): NamePut {
  const flags = reader.u8()
  const directoryId = readId(reader)
  const name = readName(reader)
  const to = (flags & nameFlag.hasTo) === 0 ? undefined : readTarget(reader)
  const base = (flags & nameFlag.hasBase) === 0 ? undefined : readTarget(reader)
  return { directoryId, name, to, base: (flags & nameFlag.isSame) === 0 ? base : to }
}

/** Applies as it reads: a put may stand on the one before. `bodyOf` has the bytes for the time of the call. */
export function readEdit<Body>(reader: Reader, state: ChangeState<Body>, bodyOf: (state: Uint8Array) => Body): void {
  state.startEdit()
  for (let left = readCount(reader); left > 0; left -= 1) state.putPlace(readPlace(reader))
  const ids: FileId[] = []
  for (let left = readCount(reader); left > 0; left -= 1) ids.push(readNodePut(reader, state, bodyOf))
  const names: NamePut[] = []
  for (let left = readCount(reader); left > 0; left -= 1) {
    const put = readNamePut(reader)
    names.push(put)
    state.putName(put)
  }
  for (const id of ids) state.endPut(id, names)
  for (let left = readCount(reader); left > 0; left -= 1) state.forget(readId(reader))
}
