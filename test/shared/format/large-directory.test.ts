import { beforeAll, describe, expect, test } from 'vitest'
import { decodeEntry, encodeEntry } from '../../../shared/format/entry-codec.ts'
import type { Pointer } from '../../../shared/format/entry.ts'
import { pageBytesMax } from '../../../shared/format/page.ts'
import { diffTrees } from '../../../shared/format/tree-diff.ts'
import { editTree, type TreeEdit } from '../../../shared/format/tree-edit.ts'
import { findInTree, listTree, TreePage } from '../../../shared/format/tree-page.ts'
import { fileEntry } from '../../support/file-entry.ts'
import { hashOf } from '../../support/hash-of.ts'
import { askLoading, PageMemory } from '../../support/page-memory.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

const entryCount = 1_000_000
const encoder = new TextEncoder()

function keyOf(index: number): Uint8Array {
  return encoder.encode(`IMG_${String(index).padStart(9, '0')}.jpeg`)
}

/** The bytes of a real entry, with another hash for each: encoding a million anew would be most of the test's time. */
const template = encodeEntry(fileEntry(7_654_321_987_654_321, hashOf('template'), 200_000))
const hashAt = template.length - 56

function valueOf(index: number): Uint8Array {
  const value = template.slice()
  new DataView(value.buffer).setUint32(hashAt, index)
  return value
}

describe('a directory of 1,000,000 entries', () => {
  const memory = new PageMemory()
  let root: Pointer
  let waitingMax = 0
  const loadsBefore = { count: 0 }

  beforeAll(async () => {
    let given = 0
    let stored = 0
    function* edits(): Generator<TreeEdit> {
      for (; given < entryCount; given += 1) yield { key: keyOf(given), value: valueOf(given) }
    }
    memory.onStore = (bytes) => {
      waitingMax = Math.max(waitingMax, given - stored)
      const page = new TreePage(bytes, { ...root, length: bytes.length })
      if (page.level === 0) stored += page.count
    }
    root = (await editTree(undefined, edits(), memory))!
    memory.onStore = undefined
    loadsBefore.count = memory.loadCount
  })

  test('has realistic entries', () => {
    expect(template.length).toBeGreaterThanOrEqual(100)
    expect(template.length).toBeLessThanOrEqual(130)
    expect(decodeEntry(valueOf(5))).toMatchObject({ kind: 'file', size: 200_000 })
  })

  test('is built without reading a page and without holding more entries than fit one page', () => {
    expect(loadsBefore.count).toBe(0)
    expect(waitingMax).toBeLessThanOrEqual(pageBytesMax / template.length)
  })

  test('resolves any name in at most 3 page reads', () => {
    const random = new SeededRandom(1)
    for (let round = 0; round < 300; round += 1) {
      const index = random.next() % entryCount
      const { answer, loadCount } = askLoading(memory, (pages) => findInTree(root, keyOf(index), pages))
      expect(answer).toEqual(valueOf(index))
      expect(loadCount).toBeLessThanOrEqual(3)
    }
    const absent = askLoading(memory, (pages) => findInTree(root, encoder.encode('IMG_000500000.jpef'), pages))
    expect(absent.answer).toBeUndefined()
    expect(absent.loadCount).toBeLessThanOrEqual(3)
  })

  test('lists 1000 names from anywhere in a few page reads', () => {
    const { answer, loadCount } = askLoading(memory, (pages) => listTree(root, keyOf(432_100), 1000, pages))
    expect(answer.items.map(({ key }) => key)).toEqual(Array.from({ length: 1000 }, (_, index) => keyOf(432_101 + index)))
    expect(answer.done).toBe(false)
    expect(loadCount).toBeLessThanOrEqual(7)
  })

  test('takes a change of one name with 3 pages written, sometimes one more where a page is full', async () => {
    const random = new SeededRandom(2)
    const counts: number[] = []
    for (let round = 0; round < 60; round += 1) {
      const index = random.next() % entryCount
      const changes: TreeEdit[] = [
        { key: keyOf(index), value: undefined },
        { key: keyOf(index), value: valueOf(entryCount + round) },
        { key: encoder.encode(`IMG_${String(index).padStart(9, '0')} copy.jpeg`), value: valueOf(index) },
      ]
      memory.resetCounts()
      await editTree(root, [changes[round % 3]!], memory)
      counts.push(memory.storeCount)
      expect(memory.loadCount).toBeLessThanOrEqual(memory.storeCount + 1)
    }
    expect(Math.max(...counts)).toBeLessThanOrEqual(4)
    expect(counts.filter((count) => count === 3).length).toBeGreaterThanOrEqual(50)
  })

  test('differs from its next version by reading only the changed pages of both', async () => {
    const changed = (await editTree(root, [{ key: keyOf(777_777), value: valueOf(1) }], memory))!
    memory.resetCounts()
    const differences = await Array.fromAsync(diffTrees(root, changed, memory.load))
    expect(differences).toEqual([{ key: keyOf(777_777), before: valueOf(777_777), after: valueOf(1) }])
    expect(memory.loadCount).toBe(6)
  })
})
