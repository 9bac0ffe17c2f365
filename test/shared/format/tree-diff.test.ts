import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Pointer } from '../../../shared/format/entry.ts'
import { diffTrees, type TreeDifference } from '../../../shared/format/tree-diff.ts'
import { editTree } from '../../../shared/format/tree-edit.ts'
import { compareBytes } from '../../../shared/name.ts'
import { PageMemory } from '../../support/page-memory.ts'

const tinyRule = { min: 100, target: 200, max: 300, spanBelow: 400, spanAbove: 100 }
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

type Model = ReadonlyMap<string, string>

function build(memory: PageMemory, model: Model): Promise<Pointer | undefined> {
  const edits = [...model].map(([key, value]) => ({ key: bytesOf(key), value: bytesOf(value) })).toSorted((a, b) =>
    compareBytes(a.key, b.key)
  )
  return editTree(undefined, edits, memory, tinyRule)
}

function expected(before: Model, after: Model): TreeDifference[] {
  const keys = [...new Set([...before.keys(), ...after.keys()])].filter((key) => before.get(key) !== after.get(key))
  return keys.map(bytesOf).toSorted(compareBytes).map((key) => {
    const [x, y] = [before, after].map((model) => model.get(new TextDecoder().decode(key)))
    return { key, ...(x === undefined ? {} : { before: bytesOf(x) }), ...(y === undefined ? {} : { after: bytesOf(y) }) }
  })
}

const modelArbitrary = (max: number): fc.Arbitrary<Model> =>
  fc.array(fc.tuple(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 0, max: 2 })), { maxLength: max }).map((list) =>
    new Map(list.map(([key, value]) => [`name-${key}`, `value ${value}`]))
  )

describe('diffTrees', () => {
  test('gives what two maps differ in, in order, whatever their sizes', async () => {
    const pair = fc.oneof(
      fc.tuple(modelArbitrary(300), modelArbitrary(300)),
      fc.tuple(modelArbitrary(4), modelArbitrary(300)),
      fc.tuple(modelArbitrary(300), modelArbitrary(4)),
      fc.tuple(modelArbitrary(300), modelArbitrary(8)).map(([model, changes]) => [model, new Map([...model, ...changes])] as const),
    )
    await fc.assert(
      fc.asyncProperty(pair, async ([before, after]) => {
        const memory = new PageMemory()
        const [a, b] = [await build(memory, before), await build(memory, after)]
        expect(await Array.fromAsync(diffTrees(a, b, memory.load))).toEqual(expected(before, after))
      }),
      { numRuns: 300 },
    )
  })

  test('reads nothing for equal trees, and little for nearly equal ones', async () => {
    const memory = new PageMemory()
    const before = new Map(Array.from({ length: 3000 }, (_, index) => [`name-${String(index).padStart(4, '0')}`, `value ${index}`]))
    const a = await build(memory, before)
    memory.resetCounts()
    expect(await Array.fromAsync(diffTrees(a, a, memory.load))).toEqual([])
    expect(memory.loadCount).toBe(0)
    const after = new Map([...before].filter(([key]) => key !== 'name-1500'))
    const b = await build(memory, after)
    memory.resetCounts()
    expect(await Array.fromAsync(diffTrees(a, b, memory.load))).toEqual(expected(before, after))
    expect(memory.pages.size).toBeGreaterThan(300)
    expect(memory.loadCount).toBeLessThanOrEqual(30)
  })
})
