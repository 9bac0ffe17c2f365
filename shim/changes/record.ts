/**
 * The records of the journal that are no edits: what happens to the changes as a whole. Each is one transition of the state.
 */
import { type Reader, Writer } from '../../shared/codec.ts'
import { decodeEntry, encodeEntry, entryBytesMax } from '../../shared/format/entry-codec.ts'
import type { Entry, FileId } from '../../shared/format/entry.ts'
import type { BaseMove } from './base-move.ts'
import type { BodyStamp } from '../bodies/local-body.ts'
import { readCount, readId, readName, readPlace, readTarget, readTime, writeName, writePlace, writeTarget, writeTime } from './edit-codec.ts'
import type { LostName, Settlement, StayingBody } from './settling.ts'

/** First byte of a record. INVARIANT: a number means one thing for ever. */
export const recordKind = { edit: 1, written: 2, baseMove: 3, taken: 4, notPublished: 5, settled: 6, dumpStart: 7, dumpPart: 8 } as const

const nonceBytesMax = 128
const encoder = new TextEncoder()
const decoder = new TextDecoder()

export function encodeWritten(id: FileId, start: number, end: number): Uint8Array {
  const writer = new Writer(32)
  writer.u8(recordKind.written)
  writer.varint(id)
  writer.varint(start)
  writer.varint(end - start)
  return writer.finish()
}

export function readWritten(reader: Reader): { readonly id: FileId; readonly start: number; readonly end: number } {
  const id = readId(reader)
  const start = reader.varint()
  return { id, start, end: start + reader.varint() }
}

export function encodeBaseMove({ seq, places, hasBatch, shown }: BaseMove): Uint8Array {
  const writer = new Writer()
  writer.u8(recordKind.baseMove)
  writer.varint(seq)
  writer.u8(hasBatch ? 1 : 0)
  writer.varint(places.length)
  for (const place of places) writePlace(writer, place)
  writer.varint(shown.length)
  for (const { directoryId, name, target } of shown) {
    writer.varint(directoryId)
    writeName(writer, name)
    writeTarget(writer, target)
  }
  return writer.finish()
}

export function readBaseMove(reader: Reader): BaseMove {
  return {
    seq: reader.varint(),
    hasBatch: reader.u8() === 1,
    places: readList(reader, () => readPlace(reader)),
    shown: readList(reader, () => ({ directoryId: readId(reader), name: readName(reader), target: readTarget(reader) })),
  }
}

export function encodeTaken(nonce: string): Uint8Array {
  const writer = new Writer(64)
  writer.u8(recordKind.taken)
  writeText(writer, nonce)
  return writer.finish()
}

export function writeText(writer: Writer, text: string): void {
  writer.sized(encoder.encode(text))
}

export function readText(reader: Reader): string {
  return decoder.decode(reader.sized(nonceBytesMax))
}

export function encodeNotPublished(): Uint8Array {
  return Uint8Array.of(recordKind.notPublished)
}

export function encodeSettlement({ seq, committedSeq, entries, conflicts, merged, bodies }: Settlement): Uint8Array {
  const writer = new Writer()
  writer.u8(recordKind.settled)
  writer.varint(seq)
  writer.varint(committedSeq)
  writer.varint(entries.size)
  for (const [id, entry] of entries) {
    writer.varint(id)
    writer.sized(encodeEntry(entry))
  }
  writer.varint(conflicts.length)
  for (const { id, name, keptIn, keptName, keptId } of conflicts) {
    writer.varint(id)
    writeName(writer, name)
    writer.varint(keptIn)
    writeName(writer, keptName)
    writer.varint(keptId)
  }
  writer.varint(merged.size)
  for (const [id, into] of merged) {
    writer.varint(id)
    writer.varint(into)
  }
  writer.varint(bodies.size)
  for (const [id, { isPublished, stamp }] of bodies) {
    writer.varint(id)
    writer.u8((isPublished ? 1 : 0) | (stamp === undefined ? 0 : 2))
    if (stamp !== undefined) writeStamp(writer, stamp)
  }
  return writer.finish()
}

export function readSettlement(reader: Reader): Settlement {
  const seq = reader.varint()
  const committedSeq = reader.varint()
  const entries = readList(reader, (): [FileId, Entry] => [readId(reader), decodeEntry(reader.sized(entryBytesMax))])
  const conflicts = readList(reader, (): LostName => {
    return { id: readId(reader), name: readName(reader), keptIn: readId(reader), keptName: readName(reader), keptId: readId(reader) }
  })
  const merged = readList(reader, (): [FileId, FileId] => [readId(reader), readId(reader)])
  const bodies = readList(reader, (): [FileId, StayingBody] => {
    const id = readId(reader)
    const flags = reader.u8()
    return [id, { isPublished: (flags & 1) !== 0, stamp: (flags & 2) === 0 ? undefined : readStamp(reader) }]
  })
  return { seq, committedSeq, entries: new Map(entries), conflicts, merged: new Map(merged), bodies: new Map(bodies) }
}

/** The generation is not kept: it counts from 0 in every process. */
export function writeStamp(writer: Writer, { size, mtime }: BodyStamp): void {
  writer.varint(size)
  writeTime(writer, mtime)
}

export function readStamp(reader: Reader): BodyStamp {
  return { generation: 0, size: reader.varint(), mtime: readTime(reader) }
}

function readList<T>(reader: Reader, read: () => T): T[] {
  const list: T[] = []
  for (let left = readCount(reader); left > 0; left -= 1) list.push(read())
  return list
}
