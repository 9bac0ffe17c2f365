/**
 * The whole state as records, from which a journal goes on: a start with the numbers, then parts of some 64 KiB.
 */
import { type Reader, Writer } from '../../shared/codec.ts'
import type { Entry, FileId } from '../../shared/format/entry.ts'
import { type ChangeState, NodeState } from './change-state.ts'
import { areSameButAttributes, contentSizeOf } from './entry-merge.ts'
import type { ChangedName } from './changed-names.ts'
import {
  bodyStateBytesMax,
  readAttributes,
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
import { readStamp, readText, recordKind, writeStamp, writeText } from './record.ts'

const partBytes = 64 * 1024
/** A part holds whole items; an entry, thrice, is the longest but for the state of a body with very many ranges. */
const partBytesReserve = 4096

const item = { place: 1, name: 2, node: 3 } as const
const nodeFlag = { hasBase: 1, hasBody: 2, hasStamp: 4, isTaken: 8, isTakenSame: 16, isForgotten: 32, isChangedSince: 64, isAttributes: 128 } as const
const nameFlag = { isTaken: 1, isTakenSame: 2, isChangedSince: 4, hasShown: 8 } as const

export function* dumpState<Body>(state: ChangeState<Body>, stateOf: (body: Body) => Uint8Array): Generator<Uint8Array> {
  yield startOf(state)
  let writer = newPart()
  for (const write of itemsOf(state, stateOf)) {
    write(writer)
    if (writer.length < partBytes) continue
    yield writer.finish()
    writer = newPart()
  }
  if (writer.length > 1) yield writer.finish()
}

function newPart(): Writer {
  const writer = new Writer(partBytes + partBytesReserve)
  writer.u8(recordKind.dumpPart)
  return writer
}

function startOf<Body>({ counter, seq, oldestSeq, taken }: ChangeState<Body>): Uint8Array {
  const writer = new Writer(128)
  writer.u8(recordKind.dumpStart)
  writer.varint(counter)
  writer.varint(seq)
  writer.varint(oldestSeq)
  writer.u8(taken === undefined ? 0 : 1)
  if (taken !== undefined) {
    writeText(writer, taken.nonce)
    writer.varint(taken.counter)
    writer.varint(taken.baseSeq)
    writer.varint(taken.shownSeq)
  }
  return writer.finish()
}

export function readDumpStart<Body>(reader: Reader, state: ChangeState<Body>): void {
  state.clear()
  state.counter = reader.varint()
  state.seq = reader.varint()
  state.oldestSeq = reader.varint()
  if (reader.u8() === 1) state.taken = { nonce: readText(reader), counter: reader.varint(), baseSeq: reader.varint(), shownSeq: reader.varint() }
}

function* itemsOf<Body>(state: ChangeState<Body>, stateOf: (body: Body) => Uint8Array): Generator<(writer: Writer) => void> {
  const since = state.taken?.counter ?? 0
  for (const place of state.places.values()) {
    yield (writer) => {
      writer.u8(item.place)
      writePlace(writer, place)
    }
  }
  for (const [directoryId, names] of state.directories) {
    for (const changed of names.all()) yield (writer) => writeChangedName(writer, directoryId, changed, since)
  }
  for (const node of state.nodes.values()) yield (writer) => writeNode(writer, node, since, stateOf)
}

export function readDumpPart<Body>(reader: Reader, state: ChangeState<Body>, bodyOf: (state: Uint8Array) => Body): void {
  while (reader.left > 0) {
    const kind = reader.u8()
    if (kind === item.place) state.putPlace(readPlace(reader))
    else if (kind === item.name) readChangedName(reader, state)
    else if (kind === item.node) readNode(reader, state, bodyOf)
    else reader.fail(`it has an item ${kind}`)
  }
}

function writeChangedName(writer: Writer, directoryId: FileId, { name, to, base, shown, taken, changedAt }: ChangedName, since: number): void {
  const isTakenSame = taken !== undefined && taken?.id === to?.id
  writer.u8(item.name)
  const ofTaken = (taken === undefined ? 0 : nameFlag.isTaken) | (isTakenSame ? nameFlag.isTakenSame : 0)
  writer.u8(ofTaken | (changedAt > since ? nameFlag.isChangedSince : 0) | (shown === undefined ? 0 : nameFlag.hasShown))
  writer.varint(directoryId)
  writeName(writer, name)
  writeTarget(writer, to)
  writeTarget(writer, base)
  if (taken !== undefined && !isTakenSame) writeTarget(writer, taken ?? undefined)
  if (shown !== undefined) writeTarget(writer, shown ?? undefined)
}

function readChangedName<Body>(reader: Reader, state: ChangeState<Body>): void {
  const flags = reader.u8()
  const directoryId = readId(reader)
  const name = readName(reader)
  const to = readTarget(reader)
  const base = readTarget(reader)
  const isTaken = (flags & nameFlag.isTaken) !== 0
  const taken = isTaken ? ((flags & nameFlag.isTakenSame) === 0 ? (readTarget(reader) ?? null) : (to ?? null)) : undefined
  const shown = (flags & nameFlag.hasShown) === 0 ? undefined : (readTarget(reader) ?? null)
  state.addName(directoryId, { name, to, base, shown, taken, changedAt: changedAtOf(state, (flags & nameFlag.isChangedSince) !== 0) })
}

/** Only on which side of the batch a change lies is ever asked. */
function changedAtOf<Body>({ counter, taken }: ChangeState<Body>, isSince: boolean): number {
  return isSince ? counter : (taken?.counter ?? 0)
}

function writeNode<Body>(writer: Writer, node: NodeState<Body>, since: number, stateOf: (body: Body) => Uint8Array): void {
  const { entry, base, body, taken, published } = node
  const isTakenSame = taken === entry
  const isAttributes = base !== undefined && areSameButAttributes(entry, base)
  writer.u8(item.node)
  writer.u8(
    (base === undefined ? 0 : nodeFlag.hasBase) |
      (body === undefined ? 0 : nodeFlag.hasBody) |
      (published === undefined ? 0 : nodeFlag.hasStamp) |
      (taken === undefined ? 0 : nodeFlag.isTaken) |
      (isTakenSame ? nodeFlag.isTakenSame : 0) |
      (node.isForgotten ? nodeFlag.isForgotten : 0) |
      (node.changedAt > since ? nodeFlag.isChangedSince : 0) |
      (isAttributes ? nodeFlag.isAttributes : 0),
  )
  if (base !== undefined) writeEntry(writer, base, base.size)
  if (isAttributes) writeAttributes(writer, entry)
  else writeEntry(writer, entry, node.contentSize)
  if (taken !== undefined && !isTakenSame) writeTaken(writer, taken, node)
  if (body !== undefined) writer.sized(stateOf(body))
  if (published !== undefined) writeStamp(writer, published)
}

function readNode<Body>(reader: Reader, state: ChangeState<Body>, bodyOf: (state: Uint8Array) => Body): void {
  const flags = reader.u8()
  const has = (flag: number): boolean => (flags & flag) !== 0
  const base = has(nodeFlag.hasBase) ? readEntry(reader).entry : undefined
  const read = has(nodeFlag.isAttributes) ? { entry: readAttributes(reader, () => base), contentSize: base?.size ?? 0 } : readEntry(reader)
  const { entry } = read
  const taken = has(nodeFlag.isTakenSame) ? entry : has(nodeFlag.isTaken) ? readTaken(reader, entry) : undefined
  const body = has(nodeFlag.hasBody) ? bodyOf(reader.sized(bodyStateBytesMax)) : undefined
  const node = new NodeState(entry, base, body, changedAtOf(state, has(nodeFlag.isChangedSince)), read.contentSize)
  node.taken = taken
  node.published = has(nodeFlag.hasStamp) ? readStamp(reader) : undefined
  node.isForgotten = has(nodeFlag.isForgotten)
  state.setNode(node)
}

function writeTaken<Body>(writer: Writer, taken: Entry, { entry, base }: NodeState<Body>): void {
  const isAttributes = areSameButAttributes(taken, entry)
  writer.u8(isAttributes ? 1 : 0)
  if (isAttributes) writeAttributes(writer, taken)
  else writeEntry(writer, taken, contentSizeOf(taken, base, undefined))
}

function readTaken(reader: Reader, entry: Entry): Entry {
  return reader.u8() === 1 ? readAttributes(reader, () => entry) : readEntry(reader).entry
}
