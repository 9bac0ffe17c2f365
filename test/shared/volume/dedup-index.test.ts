import { expect, test } from 'vitest'
import type { PackId, Pointer } from '../../../shared/format/entry.ts'
import { DedupIndex } from '../../../shared/volume/dedup-index.ts'
import { hashOf } from '../../support/hash-of.ts'

const packs = ['d1', 'd2', 'd3'] as unknown as readonly PackId[]

function pointerOf(index: number): Pointer {
  return { hash: hashOf(`chunk ${index}`), pack: packs[index % 3]!, offset: index * 7, length: index + 1 }
}

test('finds what was added, and nothing else', () => {
  const index = new DedupIndex()
  for (let count = 0; count < 5000; count += 1) index.add(pointerOf(count))
  expect(index.count).toBe(5000)
  for (let count = 0; count < 5000; count += 1) expect(index.find(hashOf(`chunk ${count}`))).toEqual(pointerOf(count))
  for (let count = 5000; count < 6000; count += 1) expect(index.find(hashOf(`chunk ${count}`))).toBe(undefined)
})

test('keeps the newest place of a chunk', () => {
  const index = new DedupIndex()
  index.add(pointerOf(1))
  const moved = { ...pointerOf(1), pack: packs[2]!, offset: 2 ** 26 - 1 }
  index.add(moved)
  expect(index.find(moved.hash)).toEqual(moved)
  expect(index.count).toBe(1)
})

test('forgets what was not used for longest when it is full', () => {
  const index = new DedupIndex(1000)
  for (let count = 0; count < 5000; count += 1) {
    index.add(pointerOf(count))
    expect(index.find(pointerOf(0).hash)).toEqual(pointerOf(0))
  }
  expect(index.count).toBeLessThanOrEqual(1000)
  expect(index.find(pointerOf(1).hash)).toBe(undefined)
  expect(index.find(pointerOf(4999).hash)).toEqual(pointerOf(4999))
})
