/** As `test/e2e/crash.test.ts`, for 200 kills, with fresh volumes now and then, and for 100,000 pending files. */
import { afterEach, expect, test } from 'vitest'
import { edgemountOk } from '../support/command.ts'
import { CrashRun } from '../support/crash-run.ts'
import { restartWithPending } from '../support/many-pending.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { WritableMount } from '../support/writable-mount.ts'

const killCount = Number(process.env['EDGEMOUNT_KILLS'] ?? 200)
/** What a volume has gone through is gone through again at each kill of it. */
const killsPerVolume = 10

let mount: WritableMount | undefined

afterEach(async () => {
  await mount?.dispose()
})

test(`${killCount} kills`, async () => {
  const seed = Number(process.env['EDGEMOUNT_SEED'] ?? Date.now() % 1_000_000)
  console.info(`seed ${seed}`)
  const random = new SeededRandom(seed)
  let stepCount = 0
  for (let kill = 0; kill < killCount; kill += killsPerVolume) {
    mount = await WritableMount.create('crash-soak')
    const run = new CrashRun(mount, random, { workerCount: 3, killMsMax: 2000 })
    for (let number = kill; number < Math.min(killCount, kill + killsPerVolume); number += 1) await run.round(number)
    await mount.remount({ withEmptyCache: true })
    expect(await run.differences()).toEqual([])
    await edgemountOk(['fsck', mount.volume, '--read-data'], { env: mount.env })
    stepCount += run.stepCount
    console.info(`${kill + killsPerVolume} kills, ${stepCount} steps; ready again after ${Math.round(Math.max(...run.startMs))} ms at most`)
    await mount.dispose()
  }
})

test('100,000 pending files', async () => {
  mount = await WritableMount.create('pending-soak', ['--write-back-delay', '1h'])
  const { recovered, answeredMs, listedCount } = await restartWithPending(mount, 100_000)
  console.info(`found again in ${recovered.tookMs} ms, answered after ${Math.round(answeredMs)} ms`)
  expect([recovered.inodeCount, recovered.bodyCount, listedCount]).toEqual([100_101, 100_000, 1000])
  // 0.7 s beside much else.
  expect(recovered.tookMs).toBeLessThan(5000)
})
