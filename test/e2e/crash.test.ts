/** A daemon that is killed again and again while programs work in its mount: nothing that they were told is done is lost, and all of it gets published. */
import { afterEach, expect, test } from 'vitest'
import { CrashRun } from '../support/crash-run.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { WritableMount } from '../support/writable-mount.ts'

let mount: WritableMount | undefined

afterEach(async () => {
  await mount?.dispose()
})

test('ten kills, and everything is there each time, and in the volume at the end', async () => {
  const seed = Number(process.env['EDGEMOUNT_SEED'] ?? Date.now() % 1_000_000)
  console.info(`seed ${seed}`)
  mount = await WritableMount.create('crash')
  const run = new CrashRun(mount, new SeededRandom(seed))
  for (let number = 0; number < 10; number += 1) await run.round(number)
  console.info(`${run.stepCount} steps; ready again after ${run.startMs.map((ms) => Math.round(ms)).join(', ')} ms`)
  expect(run.stepCount).toBeGreaterThan(100)
  await mount.remount({ withEmptyCache: true })
  expect(await run.differences()).toEqual([])
}, 240_000)
