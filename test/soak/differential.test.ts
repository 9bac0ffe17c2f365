/**
 * As `test/posix/differential.test.ts`, with more than a hundred thousand operations and the mount brought back ten times.
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

test('120,000 random operations are the same in a mount and in a local folder', async () => {
  const seed = Number(process.env['EDGEMOUNT_SEED'] ?? Date.now() % 1_000_000)
  console.log(`seed ${seed}`)
  expect(await bed.run({ seed, operationCount: 120_000, remountCount: 10, triesMax: 300 })).toBeUndefined()
}, 1_800_000)
