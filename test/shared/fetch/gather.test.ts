import { expect, test } from 'vitest'
import type { Hash, Pointer } from '../../../shared/format/entry.ts'
import { gather, joinPlacings } from '../../../shared/fetch/gather.ts'
import { dataPack } from '../../support/page-memory.ts'

const KiB = 1024
const MiB = 1024 * KiB

function pointer(offset: number, length: number): Pointer {
  return { hash: '0'.repeat(64) as Hash, pack: dataPack, offset, length }
}

function plan(...wants: [offset: number, length: number, isDemand?: boolean][]): unknown[] {
  const gathered = gather(wants.map(([offset, length, isDemand = false]) => ({ pointer: pointer(offset, length), isDemand })))
  return gathered.map(({ range, wants, isDemand }) => [range.start, range.end, wants.length, isDemand])
}

test('chunks that follow each other, in any order, are one GET', () => {
  expect(plan([200, 100], [0, 100], [100, 100])).toEqual([[0, 300, 3, false]])
  expect(plan()).toEqual([])
})

test('gaps up to 64 KiB are fetched along, larger ones are not', () => {
  expect(plan([0, KiB], [65 * KiB, KiB])).toEqual([[0, 66 * KiB, 2, false]])
  expect(plan([0, KiB], [65 * KiB + 1, KiB])).toEqual([
    [0, KiB, 1, false],
    [65 * KiB + 1, 66 * KiB + 1, 1, false],
  ])
})

test('a GET has at most 8 MiB', () => {
  const wants = Array.from({ length: 40 }, (_, index): [number, number] => [index * 256 * KiB, 256 * KiB])
  expect(plan(...wants)).toEqual([
    [0, 8 * MiB, 32, false],
    [8 * MiB, 10 * MiB, 8, false],
  ])
})

test('a demand takes speculative neighbours along up to 1 MiB, and leaves the rest to a GET of their own', () => {
  const wants = Array.from({ length: 12 }, (_, index): [number, number, boolean] => [index * 256 * KiB, 256 * KiB, index === 0])
  expect(plan(...wants)).toEqual([
    [0, MiB, 4, true],
    [MiB, 3 * MiB, 8, false],
  ])
})

test('the same chunk in two places is fetched once', () => {
  expect(plan([0, 100], [0, 100], [50, 100])).toEqual([[0, 150, 3, false]])
})

test('placings that follow each other in the file and in memory are one write', () => {
  const bytes = Uint8Array.from({ length: 30 }, (_, index) => index)
  const joined = joinPlacings([
    { start: 110, bytes: bytes.subarray(10, 20) },
    { start: 100, bytes: bytes.subarray(0, 10) },
    { start: 120, bytes: new Uint8Array(5) },
    { start: 200, bytes: bytes.subarray(20, 30) },
  ])
  expect(joined).toEqual([
    { start: 100, bytes: bytes.subarray(0, 20) },
    { start: 120, bytes: new Uint8Array(5) },
    { start: 200, bytes: bytes.subarray(20, 30) },
  ])
})
