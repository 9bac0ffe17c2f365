import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Pointer } from '../../../shared/format/entry.ts'
import { endsPage, type SplitRule } from '../../../shared/format/page-stack.ts'
import { pageBytesMax } from '../../../shared/format/page.ts'
import { editTree, type TreeEdit } from '../../../shared/format/tree-edit.ts'
import { findInTree, listTree, type TreeItem, TreePage, treeValueBytesMax } from '../../../shared/format/tree-page.ts'
import { compareBytes } from '../../../shared/name.ts'
import { askLoading, PageMemory } from '../../support/page-memory.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

/** Pages of a few items, so that a hundred items make a tree of three or four levels. */
const tinyRule: SplitRule = { min: 150, target: 300, max: 500, spanBelow: 600, spanAbove: 100 }

const encoder = new TextEncoder()
type Model = Map<string, string>

function sortedEdits(edits: Iterable<readonly [string, string | undefined]>): TreeEdit[] {
  const list = [...edits].map(([key, value]) => ({
    key: encoder.encode(key),
    value: value === undefined ? undefined : encoder.encode(value),
  }))
  return list.toSorted((a, b) => compareBytes(a.key, b.key))
}

function applyToModel(model: Model, edits: ReadonlyMap<string, string | undefined>): void {
  for (const [key, value] of edits) {
    if (value === undefined) model.delete(key)
    else model.set(key, value)
  }
}

function allItems(memory: PageMemory, root: Pointer | undefined): TreeItem[] {
  const { answer } = askLoading(memory, (pages) => listTree(root, undefined, 1_000_000, pages))
  expect(answer.done).toBe(true)
  return [...answer.items]
}

/** Every page of a tree, with the keys it begins and ends with. */
function* walkPages(memory: PageMemory, pointer: Pointer): Generator<TreePage> {
  const page = new TreePage(memory.pages.get(pointer.hash)!, pointer)
  page.checkOrder()
  yield page
  if (page.level > 0) { for (let index = 0; index < page.count; index += 1) yield* walkPages(memory, page.child(index)) }
}

const keyArbitrary = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 300 }).map((number) => `name-${number}`) },
  { weight: 1, arbitrary: fc.string({ minLength: 1, maxLength: 40 }).filter((key) => encoder.encode(key).length <= 255) },
)
const valueArbitrary = fc.option(fc.string({ minLength: 1, maxLength: 60 }), { nil: undefined, freq: 3 })
const batchArbitrary = fc.array(fc.tuple(keyArbitrary, valueArbitrary), { minLength: 1, maxLength: 150 }).map((list) => new Map(list))

describe('editTree', () => {
  test('agrees with a sorted map, and has the same pages as a tree built at once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(batchArbitrary, { minLength: 1, maxLength: 6 }), async (batches) => {
        const memory = new PageMemory()
        const model: Model = new Map()
        let root: Pointer | undefined
        for (const batch of batches) {
          applyToModel(model, batch)
          root = await editTree(root, sortedEdits(batch), memory, tinyRule)
          const expected = sortedEdits(model)
          expect(root).toEqual(await editTree(undefined, expected, memory, tinyRule))
          expect(allItems(memory, root)).toEqual(expected)
        }
        for (const key of batches.flatMap((batch) => [...batch.keys()])) {
          const { answer } = askLoading(memory, (pages) => findInTree(root, encoder.encode(key), pages))
          expect(answer).toEqual(model.has(key) ? encoder.encode(model.get(key)) : undefined)
        }
      }),
      { numRuns: 150 },
    )
  })

  test('agrees when the first and last keys of pages change', async () => {
    const memory = new PageMemory()
    const model: Model = new Map(Array.from({ length: 400 }, (_, index) => [`name-${String(index).padStart(4, '0')}`, `value ${index}`]))
    let root = await editTree(undefined, sortedEdits(model), memory, tinyRule)
    const random = new SeededRandom(7)
    const decoder = new TextDecoder()
    for (let round = 0; round < 60; round += 1) {
      const pages = [...walkPages(memory, root!)].filter((page) => page.level === 0)
      const page = pages[random.next() % pages.length]!
      const index = random.next() % 2 === 0 ? 0 : page.count - 1
      const key = decoder.decode(page.key(index))
      const choices: (readonly [string, string | undefined])[] = [
        [key, undefined],
        [key, `longer ${'x'.repeat(random.next() % 200)}`],
        [`${key}a`, 'inserted after'],
        [`${key.slice(0, -1)}!`, 'inserted before'],
      ]
      const edits = new Map([choices[random.next() % choices.length]!])
      applyToModel(model, edits)
      root = await editTree(root, sortedEdits(edits), memory, tinyRule)
      expect(root).toEqual(await editTree(undefined, sortedEdits(model), memory, tinyRule))
    }
  })

  test('leaves the same pages as a tree built at once when all but a part between two pages is removed', async () => {
    const names = Array.from({ length: 700 }, (_, index) => [`name-${String(index).padStart(4, '0')}`, `value ${index}`] as const)
    const property = fc.asyncProperty(fc.integer({ min: 1, max: names.length }), fc.nat(), fc.nat(), async (count, first, last) => {
      const memory = new PageMemory()
      const all = names.slice(0, count)
      const full = await editTree(undefined, sortedEdits(all), memory, tinyRule)
      const borders = [...walkPages(memory, full!)].map((page) =>
        names.findIndex(([name]) => name === new TextDecoder().decode(page.key(0)))
      )
      const from = borders[first % borders.length]!
      const to = Math.max(from, borders[last % borders.length]!)
      for (const [start, end] of [[from, count], [from, to], [0, Math.min(count, to + 2)]] as const) {
        const removed = all.filter((_, index) => index < start || index >= end).map(([name]) => [name, undefined] as const)
        const root = await editTree(full, sortedEdits(removed), memory, tinyRule)
        expect(root).toEqual(await editTree(undefined, sortedEdits(all.slice(start, end)), memory, tinyRule))
      }
    })
    await fc.assert(property, { numRuns: 300 })
  })

  test('gives the same pages for any order of single edits, at the sizes of the format', async () => {
    const random = new SeededRandom(11)
    const model: Model = new Map(
      Array.from({ length: 1500 }, (_, index) => [`file ${random.next()}`, 'v'.repeat(1 + (random.next() % 2000)) + index]),
    )
    const memory = new PageMemory()
    const atOnce = await editTree(undefined, sortedEdits(model), memory)
    let root = await editTree(undefined, sortedEdits([...model].filter((_, index) => index % 3 !== 0)), memory)
    for (const [index, edit] of [...model].entries()) {
      if (index % 30 === 0) root = await editTree(root, sortedEdits([edit, [`${edit[0]} gone again`, 'x'.repeat(3000)]]), memory)
    }
    root = await editTree(root, sortedEdits([...model].filter((_, index) => index % 3 === 0)), memory)
    root = await editTree(
      root,
      sortedEdits([...model].filter((_, index) => index % 30 === 0).map(([key]) => [`${key} gone again`, undefined])),
      memory,
    )
    expect(root).toEqual(atOnce)
    const sizes = [...walkPages(memory, root!)].map((page) => page.bytes.length)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(pageBytesMax)
  })

  test('keeps pages within their limit with the longest items', async () => {
    const memory = new PageMemory()
    const long = 'k'.repeat(250)
    const items = Array.from({ length: 60 }, (_, index) => [long + String(index).padStart(5, '0'), 'v'.repeat(treeValueBytesMax)] as const)
    const root = await editTree(undefined, sortedEdits(items), memory)
    for (const page of walkPages(memory, root!)) expect(page.bytes.length).toBeLessThanOrEqual(pageBytesMax)
    expect(allItems(memory, root)).toHaveLength(60)
  })

  test('stores nothing, and gives the same pointer, when nothing changes', async () => {
    const memory = new PageMemory()
    const items = Array.from({ length: 300 }, (_, index) => [`name-${index}`, `value ${index}`] as const)
    const root = await editTree(undefined, sortedEdits(items), memory, tinyRule)
    memory.resetCounts()
    expect(await editTree(root, [], memory, tinyRule)).toBe(root)
    expect(memory.loadCount).toBe(0)
    expect(await editTree(root, sortedEdits([items[5]!, ['not there', undefined], items[250]!]), memory, tinyRule)).toEqual(root)
    expect(memory.storeCount).toBe(0)
  })

  test('shrinks to a leaf, and to nothing', async () => {
    const memory = new PageMemory()
    const items = Array.from({ length: 300 }, (_, index) => [`name-${String(index).padStart(3, '0')}`, `value ${index}`] as const)
    const root = await editTree(undefined, sortedEdits(items), memory, tinyRule)
    const one = await editTree(root, sortedEdits(items.slice(0, -1).map(([key]) => [key, undefined])), memory, tinyRule)
    expect([...walkPages(memory, one!)].map((page) => [page.level, page.count])).toEqual([[0, 1]])
    expect(await editTree(one, sortedEdits([['name-299', undefined]]), memory, tinyRule)).toBeUndefined()
    expect(await editTree(undefined, sortedEdits([['name-299', undefined]]), memory, tinyRule)).toBeUndefined()
  })

  test('takes async edits and ends their iterator when it fails', async () => {
    const memory = new PageMemory()
    let isEnded = false
    async function* edits(): AsyncGenerator<TreeEdit> {
      try {
        yield { key: encoder.encode('b'), value: encoder.encode('1') }
        yield { key: encoder.encode('a'), value: encoder.encode('2') }
        yield { key: encoder.encode('c'), value: encoder.encode('3') }
      } finally {
        isEnded = true
      }
    }
    await expect(editTree(undefined, edits(), memory)).rejects.toMatchObject({ code: 'invalid', message: /ascending/ })
    expect(isEnded).toBe(true)
  })

  test.each([
    ['an empty key', '', 'v', 'invalid'],
    ['a key of 256 bytes', 'k'.repeat(256), 'v', 'invalid'],
    ['an empty value', 'k', '', 'exhausted'],
    ['a value too long', 'k', 'v'.repeat(treeValueBytesMax + 1), 'exhausted'],
  ])('refuses %s', async (_, key, value, code) => {
    await expect(editTree(undefined, sortedEdits([[key, value]]), new PageMemory())).rejects.toMatchObject({ code })
  })
})

describe('endsPage', () => {
  test('is never below the minimum, always at the maximum, and more likely past the target', () => {
    expect(endsPage(tinyRule, 149, 100, 0)).toBe(false)
    expect(endsPage(tinyRule, 150, 100, 0)).toBe(true)
    expect(endsPage(tinyRule, 500, 1, 2 ** 32 - 1)).toBe(true)
    const lot = 2 ** 32 / 10
    expect(endsPage(tinyRule, 299, 50, lot)).toBe(false)
    expect(endsPage(tinyRule, 300, 50, lot)).toBe(true)
  })
})
