import { expect, test } from 'vitest'
import { RecentRows } from '../../../shim/fs/recent-rows.ts'

test('a row is recent for a second after it was given last, however many come after it', () => {
  let nowMs = 5000
  const recent = new RecentRows(() => nowMs)
  recent.add(1)
  nowMs += 900
  expect(recent.has(1)).toBe(true)
  recent.add(2)
  nowMs += 100
  expect([recent.has(1), recent.has(2), recent.has(3)]).toEqual([true, true, false])
  nowMs += 1
  expect([recent.has(1), recent.has(2)]).toEqual([false, true])
  recent.add(1)
  for (let row = 10; row < 5000; row += 1) recent.add(row)
  expect([recent.has(1), recent.has(2), recent.has(4999)]).toEqual([true, true, true])
  nowMs += 1001
  expect([recent.has(1), recent.has(2), recent.has(4999)]).toEqual([false, false, false])
})
