import { expect, test } from 'vitest'
import type { Hash } from '../../../shared/format/entry.ts'
import type { ByteRange } from '../../../shared/range.ts'
import { PackAhead } from '../../../shim/fetch/pack-ahead.ts'
import { PackMemory } from '../../../shim/fetch/pack-memory.ts'
import { dataPack, packId } from '../../support/page-memory.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

const KiB = 1024
const MiB = 1024 * KiB
const otherPack = packId('d01JDA7X3M0ABCDEFGHJKMNPQRT')

/** Small files of one length, one after the other; gives what was read ahead. */
function walk(ahead: PackAhead, from: number, count: number, length: number, pack = dataPack, step = length): ByteRange[] {
  return Array.from({ length: count }, (_, index) => from + index * step).flatMap((start) => ahead.observe(pack, { start, end: start + length }) ?? [])
}

test('the fourth small file in a row has the next megabyte read, then more each time', () => {
  const ahead = new PackAhead()
  expect(walk(ahead, 0, 3, 10 * KiB)).toEqual([])
  expect(walk(ahead, 30 * KiB, 1, 10 * KiB)).toEqual([{ start: 40 * KiB, end: 40 * KiB + MiB }])
  const ranges = walk(ahead, 40 * KiB, 1000, 10 * KiB)
  expect(ranges.map(({ start, end }) => (end - start) / MiB)).toEqual([2, 4, 8])
  expect(ranges.map(({ start }) => start)).toEqual([40 * KiB + MiB, 40 * KiB + 3 * MiB, 40 * KiB + 7 * MiB])
})

test('the next pack is believed from its first file on', () => {
  const ahead = new PackAhead()
  walk(ahead, 0, 20, 10 * KiB)
  expect(walk(ahead, 5 * MiB, 1, 10 * KiB, otherPack)).toEqual([{ start: 5 * MiB + 10 * KiB, end: 6 * MiB + 10 * KiB }])
})

test('a file that lies elsewhere, being equal to another, does not break the row; three of them begin a new one', () => {
  const ahead = new PackAhead()
  walk(ahead, 0, 4, 10 * KiB)
  expect(walk(ahead, 50 * MiB, 1, 10 * KiB)).toEqual([])
  expect(walk(ahead, 40 * KiB, 60, 10 * KiB)).toEqual([{ start: 40 * KiB + MiB, end: 40 * KiB + 3 * MiB }])
  expect(walk(ahead, 50 * MiB, 3, 10 * KiB)).toEqual([])
  expect(walk(ahead, 50 * MiB + 30 * KiB, 1, 10 * KiB)).toHaveLength(1)
})

test('where small files are thin between large ones less is read ahead', () => {
  const ahead = new PackAhead()
  const ranges = walk(ahead, 0, 400, 10 * KiB, dataPack, 200 * KiB)
  const sizes = ranges.map(({ start, end }) => end - start)
  expect(sizes[0]).toBe(MiB)
  expect(sizes.at(-1)).toBe(256 * KiB)
})

test('large chunks, and files all over a pack, have nothing read ahead', () => {
  const ahead = new PackAhead()
  expect(walk(ahead, 0, 50, MiB)).toEqual([])
  const random = new SeededRandom(5)
  const ranges = Array.from({ length: 500 }, () => random.next() % (1000 * MiB)).flatMap((start) => walk(ahead, start, 1, 10 * KiB))
  expect(ranges).toEqual([])
})

test('parts of packs are found while they are kept, the oldest leaving first, and are forgotten where they were wrong', () => {
  const memory = new PackMemory(1000)
  const pointer = (offset: number, length: number, pack = dataPack): { hash: Hash; pack: typeof pack; offset: number; length: number } => ({
    hash: '0'.repeat(64) as Hash,
    pack,
    offset,
    length,
  })
  memory.add(dataPack, 100, Uint8Array.from({ length: 400 }, (_, index) => index % 256))
  memory.add(otherPack, 100, new Uint8Array(400))
  expect(memory.find(pointer(105, 3))).toEqual(Uint8Array.of(5, 6, 7))
  expect(memory.find(pointer(99, 3))).toBeUndefined()
  expect(memory.find(pointer(499, 2))).toBeUndefined()
  memory.add(dataPack, 1000, new Uint8Array(300))
  expect(memory.find(pointer(105, 3))).toBeUndefined()
  expect(memory.find(pointer(1000, 300))).toHaveLength(300)
  memory.forget(pointer(1100, 1))
  expect(memory.find(pointer(1000, 1))).toBeUndefined()
  expect(memory.bytes).toBe(400)
  memory.add(dataPack, 0, new Uint8Array(1001))
  expect(memory.bytes).toBe(400)
})
