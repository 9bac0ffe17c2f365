import { expect, test } from 'vitest'
import { type Random, randomBelow, randomFraction, systemRandom } from '../../shared/random.ts'
import { SeededRandom } from '../support/seeded-random.ts'

test.each([0, 1, 16, 65_536, 200_000])('the system gives %i bytes', (length) => {
  const bytes = systemRandom.bytes(length)
  expect(bytes.length).toBe(length)
  // The chance that 32 random bytes are all zero is 2^-256: nothing was left out at the end either.
  expect(length < 32 || bytes.subarray(-32).some((byte) => byte !== 0)).toBe(true)
})

test('a seed repeats its bytes', () => {
  expect(new SeededRandom(7).bytes(100)).toEqual(new SeededRandom(7).bytes(100))
  expect(new SeededRandom(7).bytes(100)).not.toEqual(new SeededRandom(8).bytes(100))
})

test.each([
  [0x00, 0],
  [0xff, 1 - 2 ** -53],
])('bytes of %i make the fraction %d', (byte, fraction) => {
  const random: Random = { bytes: (length) => new Uint8Array(length).fill(byte) }
  expect(randomFraction(random)).toBe(fraction)
  expect(randomBelow(random, 10)).toBe(Math.floor(fraction * 10))
})

test('numbers below a limit are spread evenly', () => {
  const random = new SeededRandom(1)
  const counts = [0, 0, 0, 0, 0]
  for (let round = 0; round < 10_000; round += 1) counts[randomBelow(random, 5)]! += 1
  for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(200)
})
