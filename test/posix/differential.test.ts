/**
 * Four processes do the same random operations in a mount and in a local folder; every outcome is the same, and every tree, also after the mount was brought
 * back with what was published alone. The soak run does more (`test/soak/differential.test.ts`).
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DifferentialBed } from '../support/differential-bed.ts'

let bed: DifferentialBed

beforeAll(async () => {
  bed = await DifferentialBed.create()
})

afterAll(async () => {
  await bed.dispose()
})

test('random operations are the same in a mount and in a local folder', async () => {
  const seed = Number(process.env['EDGEMOUNT_SEED'] ?? Date.now() % 1_000_000)
  expect(await bed.run({ seed, operationCount: 6000, remountCount: 1, triesMax: 60 })).toBeUndefined()
}, 300_000)
