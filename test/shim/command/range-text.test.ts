import { expect, test } from 'vitest'
import { parseRange } from '../../../shim/command/range-text.ts'

test.each([
  [undefined, { start: 0, end: 1000 }],
  ['0-99', { start: 0, end: 100 }],
  ['bytes=0-99', { start: 0, end: 100 }],
  ['500-', { start: 500, end: 1000 }],
  ['-100', { start: 900, end: 1000 }],
  ['-5000', { start: 0, end: 1000 }],
  ['999-5000', { start: 999, end: 1000 }],
])('%s of 1000 bytes', (text, range) => {
  expect(parseRange(text, 1000)).toEqual(range)
})

test.each([
  ['x', 'write 0-99, 500- or -100'],
  ['-', 'write 0-99'],
  ['9-3', 'it ends before it begins'],
  ['1000-', 'the file has 1000 bytes'],
])('%s is refused', (text, why) => {
  expect(() => parseRange(text, 1000)).toThrow(why)
})
