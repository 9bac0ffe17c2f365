import fc from 'fast-check'
import { expect, test } from 'vitest'
import { IdIndex } from '../../../shim/fs/id-index.ts'

test('finds what a map finds, whatever is added and removed', () => {
  const step = fc.record({ row: fc.integer({ min: 1, max: 400 }), isRemoval: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 600 }), fc.boolean(), (steps, areNeighbours) => {
      const ids = Float64Array.from({ length: 401 }, (_, row) => (areNeighbours ? 2 ** 52 + row : row * 1024 * 7 + 1))
      const index = new IdIndex()
      const rows = new Set<number>()
      for (const { row, isRemoval } of steps) {
        if (isRemoval) {
          if (rows.delete(row)) index.remove(row, ids)
        } else if (!rows.has(row)) {
          rows.add(row)
          index.add(row, ids)
        }
      }
      for (let row = 1; row <= 400; row += 1) expect(index.find(ids[row]!, ids)).toBe(rows.has(row) ? row : 0)
    }),
  )
})

test('grows past its first size and stays within 8 bytes a row', () => {
  const ids = Float64Array.from({ length: 100_001 }, (_, row) => 3_000_000_000_000 + row)
  const index = new IdIndex()
  for (let row = 1; row <= 100_000; row += 1) index.add(row, ids)
  for (let row = 1; row <= 100_000; row += 997) expect(index.find(ids[row]!, ids)).toBe(row)
  expect(index.find(5, ids)).toBe(0)
  expect(index.bytes / 100_000).toBeLessThan(12)
})

test('removing a row that is not indexed changes nothing', () => {
  const ids = Float64Array.of(0, 7, 8)
  const index = new IdIndex()
  index.add(1, ids)
  index.remove(2, ids)
  expect(index.find(7, ids)).toBe(1)
})
