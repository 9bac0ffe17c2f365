/** A daemon that is killed again and again while programs work in its mount: nothing that they were told is done is lost, and all of it gets published. */
import { afterEach, expect, test } from 'vitest'
import { edgemountOk } from '../support/command.ts'
import { CrashRun } from '../support/crash-run.ts'
import { restartWithPending } from '../support/many-pending.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { WritableMount } from '../support/writable-mount.ts'

let mount: WritableMount | undefined

afterEach(async () => {
  await mount?.dispose()
})

test('five kills, and everything is there each time, and in the volume at the end', async () => {
  const seed = Number(process.env['EDGEMOUNT_SEED'] ?? Date.now() % 1_000_000)
  console.info(`seed ${seed}`)
  mount = await WritableMount.create('crash')
  const run = new CrashRun(mount, new SeededRandom(seed), { killMsMax: 700 })
  for (let number = 0; number < 5; number += 1) await run.round(number)
  expect(mount.process.output).toMatch(/Found changes in ".*" that were not published: \d+ names, \d+ files/)
  console.info(`${run.stepCount} steps; mounted again after ${run.startMs.map((ms) => Math.round(ms)).join(', ')} ms`)
  expect(run.stepCount).toBeGreaterThan(100)
  await mount.remount({ withEmptyCache: true })
  expect(await run.differences()).toEqual([])
  await edgemountOk(['fsck', mount.volume, '--read-data'], { env: mount.env })
}, 240_000)

test('10,000 pending files are there again in a moment', async () => {
  mount = await WritableMount.create('pending', ['--write-back-delay', '1h'])
  const { recovered, answeredMs, listedCount } = await restartWithPending(mount, 10_000)
  console.info(`found again in ${recovered.tookMs} ms, answered after ${Math.round(answeredMs)} ms`)
  expect([recovered.inodeCount, recovered.bodyCount, listedCount]).toEqual([10_101, 10_000, 100])
  // 0.1 s when nothing else runs.
  expect(recovered.tookMs).toBeLessThan(2000)
}, 120_000)
