import { expect, test } from 'vitest'
import { UncachedMemory } from '../../../shim/fetch/uncached-memory.ts'

const owner = { name: 'one' }

function read(memory: UncachedMemory, who: object, start: number, end: number): number[] | undefined {
  const into = new Uint8Array(end - start).fill(255)
  return memory.read(who, { start, end }, into) ? [...into] : undefined
}

test('puts a range together from what is kept, in any order, with overlaps and holes', () => {
  const memory = new UncachedMemory(10_000)
  memory.add(owner, { start: 6, end: 9 }, Uint8Array.of(6, 7, 8))
  memory.add(owner, { start: 0, end: 4 }, Uint8Array.of(0, 1, 2, 3))
  expect(read(memory, owner, 0, 9)).toBeUndefined()
  memory.add(owner, { start: 3, end: 6 }, undefined)
  expect(read(memory, owner, 1, 9)).toEqual([1, 2, 3, 0, 0, 6, 7, 8])
  expect(read(memory, owner, 0, 10)).toBeUndefined()
  expect(read(memory, { name: 'other' }, 0, 1)).toBeUndefined()
})

test('keeps the newest within its limit, and forgets an owner', () => {
  const memory = new UncachedMemory(10_000)
  for (let index = 0; index < 20; index += 1) memory.add(owner, { start: index * 1000, end: (index + 1) * 1000 }, new Uint8Array(1000))
  expect(memory.bytes).toBeLessThanOrEqual(10_000)
  expect(read(memory, owner, 19_000, 20_000)).toHaveLength(1000)
  expect(read(memory, owner, 0, 1000)).toBeUndefined()
  memory.forget(owner)
  expect(memory.bytes).toBe(0)
})
