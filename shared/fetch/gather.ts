/**
 * Plans: which ranged GETs bring the chunks that are wanted, and which writes bring them into files. Pure.
 */
import type { Pointer } from '../format/entry.ts'
import type { ByteRange } from '../range.ts'
import { KiB, MiB } from './window.ts'

/** A chunk somebody wants. */
export interface Want {
  readonly pointer: Pick<Pointer, 'offset' | 'length'>
  readonly isDemand: boolean
}

export interface Gathering<W extends Want> {
  readonly range: ByteRange
  /** In the order of their offsets; they may overlap. */
  readonly wants: readonly W[]
  readonly isDemand: boolean
}

/** One GET brings no more than this. */
export const getBytesMax = 8 * MiB
/** What is thrown away between two chunks costs less than another request: 64 KiB take 5 ms at 100 Mbit/s. */
const gapBytesMax = 64 * KiB
/** A demand takes speculative neighbours along up to this, so that it stays quick. */
const demandBytesMax = MiB

/** The GETs for wants in one pack, in the order of their offsets; none brings more than `bytesMax`, unless one chunk does. */
export function gather<W extends Want>(wants: readonly W[], bytesMax: number = getBytesMax): Gathering<W>[] {
  const sorted = wants.toSorted((a, b) => a.pointer.offset - b.pointer.offset)
  const gatherings: Gathering<W>[] = []
  let current: { start: number; end: number; wants: W[]; isDemand: boolean } | undefined
  for (const want of sorted) {
    const { offset } = want.pointer
    const end = offset + want.pointer.length
    if (current !== undefined && joins(current, want, bytesMax)) {
      current.end = Math.max(current.end, end)
      current.wants.push(want)
      current.isDemand ||= want.isDemand
      continue
    }
    if (current !== undefined) gatherings.push(finished(current))
    current = { start: offset, end, wants: [want], isDemand: want.isDemand }
  }
  if (current !== undefined) gatherings.push(finished(current))
  return gatherings
}

function joins(current: { start: number; end: number; isDemand: boolean }, want: Want, bytesMax: number): boolean {
  const { offset, length } = want.pointer
  if (offset - current.end > gapBytesMax) return false
  const bytes = Math.max(current.end, offset + length) - current.start
  if (bytes > bytesMax) return false
  return current.isDemand === want.isDemand || bytes <= demandBytesMax
}

function finished<W extends Want>(current: { start: number; end: number; wants: W[]; isDemand: boolean }): Gathering<W> {
  return { range: { start: current.start, end: current.end }, wants: current.wants, isDemand: current.isDemand }
}

/** Verified bytes for a place in a file. */
export interface Placing {
  /** First byte in the file. */
  readonly start: number
  readonly bytes: Uint8Array
}

/** Joins placings that follow each other both in the file and in memory, so that a run of chunks is one write. */
export function joinPlacings(placings: readonly Placing[]): Placing[] {
  const joined: Placing[] = []
  for (const placing of placings.toSorted((a, b) => a.start - b.start)) {
    const last = joined.at(-1)
    const follows =
      last !== undefined &&
      last.start + last.bytes.length === placing.start &&
      last.bytes.buffer === placing.bytes.buffer &&
      last.bytes.byteOffset + last.bytes.length === placing.bytes.byteOffset
    if (!follows) {
      joined.push(placing)
      continue
    }
    const bytes = new Uint8Array(last.bytes.buffer, last.bytes.byteOffset, last.bytes.length + placing.bytes.length)
    joined[joined.length - 1] = { start: last.start, bytes }
  }
  return joined
}
