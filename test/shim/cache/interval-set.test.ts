import fc from 'fast-check'
import { expect, test } from 'vitest'
import { IntervalSet } from '../../../shim/cache/interval-set.ts'

const span = 60
const step = fc.record({ isAdd: fc.boolean(), start: fc.nat(span), length: fc.nat(20) })

function bitsOf(set: IntervalSet): boolean[] {
  return Array.from({ length: span + 21 }, (_, position) => set.has(position, position + 1))
}

test('agrees with a set of bits under any adds and removes, and stays sorted and merged', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(span), fc.nat(20), (steps, from, length) => {
      const set = new IntervalSet()
      const bits = Array.from({ length: span + 21 }, () => false)
      for (const { isAdd, start, length } of steps) {
        let changed = 0
        for (let position = start; position < start + length; position += 1) {
          if (bits[position] !== isAdd) changed += 1
          bits[position] = isAdd
        }
        expect(isAdd ? set.add(start, start + length) : set.remove(start, start + length)).toBe(changed)
        for (let index = 1; index < set.edges.length; index += 1) expect(set.edges[index]!).toBeGreaterThan(set.edges[index - 1]!)
      }
      expect(bitsOf(set)).toEqual(bits)
      expect(set.byteCount).toBe(bits.filter(Boolean).length)
      const wanted = bits.slice(from, from + length)
      expect(set.has(from, from + length)).toBe(wanted.every(Boolean))
      expect(set.overlap(from, from + length)).toBe(wanted.filter(Boolean).length)
      const rebuilt = Array.from({ length }, () => true)
      for (const gap of set.missing(from, from + length)) {
        expect(gap.start).toBeLessThan(gap.end)
        for (let position = gap.start; position < gap.end; position += 1) rebuilt[position - from] = false
      }
      expect(rebuilt).toEqual(wanted)
    }),
  )
})

test('refuses edges that do not rise', () => {
  expect(IntervalSet.ofEdges([0, 4, 6, 8])?.byteCount).toBe(6)
  expect(IntervalSet.ofEdges([0, 4, 4, 8])).toBeUndefined()
  expect(IntervalSet.ofEdges([0, 4, 6])).toBeUndefined()
  expect(IntervalSet.ofEdges([-1, 4])).toBeUndefined()
  expect(IntervalSet.ofEdges([0, Number.NaN])).toBeUndefined()
})
