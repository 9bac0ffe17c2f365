import { expect, test } from 'vitest'
import { isAllZeros, zeroPieces } from '../../../shared/volume/zeros.ts'

test('zeros are told from anything else, wherever it hides', () => {
  const buffer = new Uint8Array(100)
  for (let start = 0; start < 9; start += 1) {
    for (let end = start + 1; end < 40; end += 1) {
      const bytes = buffer.subarray(start, end)
      expect(isAllZeros(bytes)).toBe(true)
      for (let at = start; at < end; at += 1) {
        buffer[at] = 0x80
        expect(isAllZeros(bytes)).toBe(false)
        buffer[at] = 0
      }
    }
  }
})

test('pieces of zeros add up', () => {
  const pieces = [...zeroPieces(1_000_000)]
  expect(pieces.reduce((sum, piece) => sum + piece.length, 0)).toBe(1_000_000)
  expect(pieces.every(isAllZeros)).toBe(true)
  expect([...zeroPieces(0)]).toEqual([])
})
