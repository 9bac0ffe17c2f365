/** How a mount finds its volume while the store answers, and while it does not. */
import { rmSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { type FaultPlan, faultStore } from '../../../edge/store/fault.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { silentLogger } from '../../../shared/log.ts'
import { type MountedVolume, openMountedVolume } from '../../../shim/volume/mounted-volume.ts'
import { file } from '../../support/handler-bed.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { tempDirectory } from '../../support/temp-directory.ts'
import { newVolume } from '../../support/test-volume.ts'

interface Bed {
  readonly baseDirectory: string
  plan: FaultPlan
  open(): Promise<MountedVolume>
  /** Removes the volume and makes another in its place; gives its id. */
  replace(): Promise<string>
}

async function made(): Promise<Bed> {
  let store = new MemoryStore()
  const volume = await newVolume({ store })
  await volume.writer().commit([file('/a', 'x')])
  const clock = new ManualClock()
  const bed: Bed = {
    baseDirectory: await tempDirectory(),
    plan: () => undefined,
    replace: async () => {
      store = new MemoryStore()
      const other = await newVolume({ store, seed: 2 })
      await other.writer().commit([file('/b', 'y')])
      return other.config.id
    },
    open: async () => {
      const seen = faultStore(store, { clock, plan: (call) => bed.plan(call) })
      const parts = { baseDirectory: bed.baseDirectory, metadataBytesMax: 1e9, seq: undefined, deadlineMs: 10_000, clock, random: new SeededRandom(1), log: silentLogger }
      const opening = openMountedVolume({ source: { store: seen, label: 'memory:v' }, ...parts })
      const state = { isOver: false }
      const over = (): void => {
        state.isOver = true
      }
      opening.then(over, over)
      for (let step = 0; step < 300 && !state.isOver; step += 1) {
        await clock.advance(100)
        // A disk that is slow does not make the time long.
        do await new Promise((resolve) => setTimeout(resolve, 2))
        while (process.getActiveResourcesInfo().some((name) => name.startsWith('FSReq')) && !state.isOver)
      }
      if (!state.isOver) throw new Error('it is waited for without end')
      return opening
    },
  }
  return bed
}

/** Opens it once, so that it is remembered. */
async function remembered(): Promise<{ bed: Bed; directory: string }> {
  const bed = await made()
  const first = await bed.open()
  await first.snapshot.list('/')
  void first.remember(first.snapshot.seq)
  // Who mounts it next, at once, finds it.
  await first.close()
  return { bed, directory: first.directory }
}

test('begins with the newest commit', async () => {
  const bed = await made()
  const { snapshot, isConnected, close } = await bed.open()
  expect([snapshot.seq, isConnected]).toEqual([2, true])
  await close()
})

test.each(['error', 'delay'] as const)('begins with what was seen last while the store is away: %s', async (kind) => {
  const { bed } = await remembered()
  bed.plan = () => ({ kind, ms: 1e12 })
  const { snapshot, isConnected, close } = await bed.open()
  expect([snapshot.seq, isConnected]).toEqual([2, false])
  await close()
})

test('does not wait without end for a commit that is not kept', async () => {
  const { bed, directory } = await remembered()
  bed.plan = ({ key }) => (key === 'volume.json' ? undefined : { kind: 'delay', ms: 1e12 })
  rmSync(path.join(directory, 'metadata'), { recursive: true })
  await expect(bed.open()).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('commit 2 is not kept here') as string })
})

test.each([0, 1200])('another volume under the name is the one that is mounted, also when the store takes %i ms', async (ms) => {
  const { bed } = await remembered()
  const id = await bed.replace()
  bed.plan = ({ key }) => (key === 'volume.json' ? { kind: 'delay', ms } : undefined)
  const { volume, snapshot, isConnected, close } = await bed.open()
  expect([volume.config.id, isConnected]).toEqual([id, true])
  expect((await snapshot.list('/')).items.map(({ name }) => name)).toEqual(['b'])
  await close()
})

test('a store that has not said which volume it has is not taken for connected, and is asked again', async () => {
  const { bed } = await remembered()
  await bed.replace()
  bed.plan = ({ key }) => (key === 'volume.json' ? { kind: 'delay', ms: 20_000 } : undefined)
  const { snapshot, isConnected, confirm, close } = await bed.open()
  expect([snapshot.seq, isConnected]).toEqual([2, false])
  expect((await snapshot.list('/')).items.map(({ name }) => name)).toEqual(['a'])
  bed.plan = () => undefined
  await expect(confirm(new AbortController().signal)).rejects.toMatchObject({ code: 'conflict' })
  await close()
})
