import { expect, test } from 'vitest'
import { type Progress, getsOn } from '../../../shim/publish/progress.ts'

const start: Progress = { bytes: 100, commitCount: 1, roundCount: 5, leftOut: [], error: undefined }

test('it gets on while bytes are read or stored, and with each commit', () => {
  expect(getsOn(start, { ...start, bytes: 101 })).toBe(true)
  expect(getsOn(start, { ...start, commitCount: 2, roundCount: 6 })).toBe(true)
  expect(getsOn(start, { ...start, roundCount: 9 })).toBe(false)
})

test('it does not while something fails', () => {
  expect(getsOn(start, { ...start, bytes: 200, error: 'Cannot write' })).toBe(false)
  expect(getsOn({ ...start, error: 'Cannot write' }, { ...start, bytes: 200 }), 'not any more').toBe(true)
})

test('a file that is left out in each round is not waited for, but a round that takes long is', () => {
  const left = { ...start, leftOut: ['/a', '/b'] }
  expect(getsOn(left, { ...left, bytes: 200, roundCount: 6, leftOut: ['/b'] })).toBe(false)
  expect(getsOn(left, { ...left, bytes: 200, roundCount: 6, leftOut: ['/c'] })).toBe(true)
  expect(getsOn(left, { ...left, bytes: 200 })).toBe(true)
})
