/** What the governor is for: speed over a line with a long round trip. Simulated, so exact. */
import { expect, test } from 'vitest'
import type { ByteRange } from '../../../shared/range.ts'
import { type Line, simulate } from '../../support/simulated-reader.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

const KiB = 1024
const MiB = 1024 * KiB
/** 1 Gbit/s at 50 ms: 6 MB are on the way at any time. */
const line: Line = { rttMs: 50, bytesPerMs: 125_000 }

function* forward(from: number, to: number, length: number): Generator<ByteRange> {
  for (let start = from; start < to; start += length) yield { start, end: Math.min(to, start + length) }
}

function rate(run: { readBytes: number; elapsedMs: number }): number {
  return run.readBytes / run.elapsedMs / line.bytesPerMs
}

test('sequential reading of 512 MiB comes near the bandwidth; without a governor it would be a fiftieth', () => {
  const run = simulate(line, 512 * MiB, forward(0, 512 * MiB, 128 * KiB))
  expect(rate(run)).toBeGreaterThan(0.85)
  expect(run.fetchedBytes).toBe(512 * MiB)
  expect(rate(simulate(line, 512 * MiB, forward(0, 16 * MiB, 128 * KiB), 0.01, false))).toBeLessThan(0.025)
})

test('a file of 8 MiB is read within a few round trips', () => {
  const run = simulate(line, 8 * MiB, forward(0, 8 * MiB, 128 * KiB))
  expect(run.elapsedMs).toBeLessThan(6 * line.rttMs + (8 * MiB) / line.bytesPerMs)
})

test('backward and strided reading hide the round trip too', () => {
  const backward = [...forward(128 * MiB, 256 * MiB, 128 * KiB)].toReversed()
  expect(rate(simulate(line, 512 * MiB, backward))).toBeGreaterThan(0.6)
  const columns = Array.from({ length: 1000 }, (_, index) => ({ start: index * 4 * MiB, end: index * 4 * MiB + 64 * KiB }))
  const run = simulate(line, 5000 * MiB, columns)
  expect(run.elapsedMs).toBeLessThan((1000 * line.rttMs) / 20)
  expect(run.fetchedBytes).toBeLessThan(1.1 * 1000 * 64 * KiB + MiB)
})

test('a slow reader does not have more fetched than it needs to never wait', () => {
  // 10 MB/s of video: 500 KB are on the way at any time, so that a few MiB ahead are plenty.
  const run = simulate(line, 1024 * MiB, forward(0, 64 * MiB, 128 * KiB), 13)
  expect(run.elapsedMs).toBeLessThan(512 * 13 + 4 * line.rttMs)
  expect(run.fetchedBytes).toBeLessThan(64 * MiB + 20 * MiB)
})

test('random reads of 4 KiB fetch what they read', () => {
  const random = new SeededRandom(7)
  const reads = Array.from({ length: 2000 }, () => (1 + (random.next() % 250_000)) * 4 * KiB).map((start) => ({ start, end: start + 4 * KiB }))
  const run = simulate(line, 1000 * MiB, reads)
  expect(run.fetchedBytes).toBeLessThanOrEqual(2000 * 4 * KiB)
})
