import { expect, test } from 'vitest'
import { Window } from '../../../shared/fetch/window.ts'

const MiB = 1024 * 1024

test('grows fourfold below 8 MiB, then twofold, at most once per round trip', () => {
  const window = new Window()
  const sizes: number[] = []
  for (let nowMs = 0; nowMs < 2000; nowMs += 10) {
    window.read(2 ** (nowMs / 100) * 1000) // ever faster
    window.stalled(nowMs, 50)
    if (sizes.at(-1) !== window.bytes) sizes.push(window.bytes)
  }
  expect(sizes.map((bytes) => bytes / MiB)).toEqual([4, 16, 32, 64, 128, 256])
})

test('asks in sixteenths of itself, within 1 and 8 MiB', () => {
  const window = new Window()
  const requests: number[] = []
  for (let nowMs = 0; window.bytes < 256 * MiB; nowMs += 200) {
    window.read(2 ** (nowMs / 100) * 1000)
    window.stalled(nowMs, 50)
    requests.push(window.requestBytes / MiB)
  }
  expect(requests).toEqual([1, 1, 2, 4, 8, 8])
})

test('stops when a doubling gains less than a tenth, and tries again after a while', () => {
  const window = new Window()
  const grownAt: number[] = []
  for (let nowMs = 0; nowMs < 14_000; nowMs += 10) {
    const before = window.bytes
    window.read(125_000) // 12.5 MB/s, whatever the window
    window.stalled(nowMs, 50)
    if (window.bytes !== before) grownAt.push(nowMs)
  }
  expect(window.bytes).toBe(32 * MiB)
  expect(grownAt.slice(0, 2)).toEqual([0, 50])
  expect(grownAt[2]).toBeGreaterThan(10_000)
  expect(grownAt).toHaveLength(3)
})
