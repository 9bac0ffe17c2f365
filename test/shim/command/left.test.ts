import { expect, test } from 'vitest'
import { type Left, keptText, leftLine, leftOf } from '../../../shim/command/left.ts'

const first: Left = { changeCount: 10, dirtyBytes: 4096, uploadedBytes: 1000, bytesPerSecond: 0, error: undefined }

test('what is left is read from a status, as it is and as JSON', () => {
  const publishing = { changeCount: 3, dirtyBytes: 5000, uploadedBytes: 7, uploadBytesPerSecond: 2.5, lastError: { code: 'unavailable', message: 'Cannot', sinceMs: 1 }, uploadError: 'x' }
  const left = { changeCount: 3, dirtyBytes: 5000, uploadedBytes: 7, bytesPerSecond: 2.5, error: 'Cannot' }
  expect(leftOf({ publishing })).toEqual(left)
  expect(leftOf(JSON.parse(JSON.stringify({ publishing })))).toEqual(left)
  expect(leftOf({ publishing: { ...publishing, lastError: undefined } })?.error).toBe('x')
  expect(leftOf({ publishing: {} })).toEqual({ changeCount: 0, dirtyBytes: 0, uploadedBytes: 0, bytesPerSecond: 0, error: undefined })
  for (const readOnly of [{}, { publishing: null }, null, undefined, 'nonsense']) expect(leftOf(readOnly)).toBeUndefined()
})

test('the bar goes by bytes that were stored, by names where there are none, and is full at the end alone', () => {
  const filled = (now: Partial<Left>, from: Left = first): number => leftLine(from, { ...from, ...now }).split('#').length - 1
  expect(filled({})).toBe(0)
  expect(filled({ uploadedBytes: 1000 + 2048 })).toBe(10)
  expect(filled({ dirtyBytes: 1024 })).toBe(15)
  expect(leftLine(first, { ...first, changeCount: 0, dirtyBytes: 0 })).toBe('[####################] 0 changes, 0 B left, 0 B/s')
  const names = { ...first, dirtyBytes: 0 }
  expect(filled({ changeCount: 5 }, names)).toBe(10)
  expect(filled({ changeCount: 20 }, names)).toBe(0)
  expect(leftLine(first, { ...first, bytesPerSecond: 2048, error: 'Cannot reach it' })).toBe('[....................] 10 changes, 4.00 KiB left, Cannot reach it')
})

test('what stays is said with where and why', () => {
  expect(keptText({ changeCount: 1, dirtyBytes: 5, why: 'Cannot publish everything within 1 s: nobody listens there', directory: '/cache' })).toBe(
    'Cannot publish everything within 1 s: nobody listens there. Not published: 1 change, 5 B, kept in "/cache". The next mount of the volume with this cache publishes it; do not delete it before.',
  )
})
