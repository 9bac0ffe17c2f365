import { afterEach, expect, test } from 'vitest'
import { type FaultPlan, faultStore } from '../../../edge/store/fault.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import type { CommitRecord } from '../../../shared/format/commit.ts'
import { silentLogger } from '../../../shared/log.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import type { Change } from '../../../shim/fs/backend.ts'
import { changeBetween, changedNamesMax } from '../../../shim/volume/change.ts'
import { Follower, type FollowerParts } from '../../../shim/volume/follower.ts'
import { file, write } from '../../support/handler-bed.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { engineOf, newVolume } from '../../support/test-volume.ts'

const endings: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const end of endings.splice(0)) await end()
})

interface Bed {
  readonly volume: Volume
  readonly follower: Follower
  readonly clock: ManualClock
  readonly changes: Change[]
  readonly states: boolean[]
  plan: FaultPlan
  getCount: number
}

async function following(parts: Partial<FollowerParts> = {}): Promise<Bed> {
  const store = new MemoryStore()
  const volume = await newVolume({ store })
  const clock = new ManualClock()
  const bed = { volume, clock, changes: [] as Change[], states: [] as boolean[], plan: (() => undefined) as FaultPlan, getCount: 0 }
  const plan: FaultPlan = (call) => {
    bed.getCount += 1
    return bed.plan(call)
  }
  // Another process: it has the store in common with the committing one, and nothing else.
  const seen = await Volume.open(engineOf(faultStore(store, { clock, plan }), { clock }))
  const follower = new Follower({
    volume: seen,
    from: await seen.head(),
    isConnected: true,
    clock,
    random: new SeededRandom(1),
    log: silentLogger,
    pollMs: 200,
    deadlineMs: 5000,
    onChange: (change) => bed.changes.push(change),
    onFollowing: (isFollowing) => bed.states.push(isFollowing),
    ...parts,
  })
  follower.start()
  endings.push(() => follower.close())
  return Object.assign(bed, { follower })
}

test('each commit is one change, seen at the next look', async () => {
  const bed = await following()
  await bed.volume.writer().commit([file('/a', 'x')])
  await bed.clock.advance(200)
  await bed.volume.writer().commit([file('/b', 'x'), { op: 'unlink', path: '/a' }])
  await bed.clock.advance(200)
  expect(bed.changes.map(({ seq }) => seq)).toEqual([2, 3])
  expect(bed.changes.map(({ names }) => names?.map(({ name, entry, beforeId }) => [name, entry !== undefined, beforeId !== undefined]))).toEqual([
    [['a', true, false]],
    [
      ['a', false, true],
      ['b', true, false],
    ],
  ])
  expect(bed.follower.seq).toBe(3)
  expect(bed.states).toEqual([])
})

test('looking costs one request', async () => {
  const bed = await following()
  await bed.clock.advance(200)
  bed.getCount = 0
  await bed.clock.advance(1000)
  expect(bed.getCount).toBe(5)
})

test('a store that is away is told, tried again, and caught up with in one change', async () => {
  const bed = await following()
  bed.plan = () => ({ kind: 'error' })
  await bed.clock.advance(400)
  expect(bed.states).toEqual([false])
  expect(bed.follower.isConnected).toBe(false)
  for (const name of ['/a', '/b', '/c']) await bed.volume.writer().commit([file(name, 'x')])
  await bed.clock.advance(60_000)
  expect(bed.changes).toEqual([])
  bed.plan = () => undefined
  await bed.clock.advance(10_000)
  expect(bed.states).toEqual([false, true])
  expect(bed.changes.map(({ seq, names }) => [seq, names?.length])).toEqual([[4, 3]])
  await bed.volume.writer().commit([write('/a', 'y')])
  await bed.clock.advance(200)
  expect(bed.changes.at(-1)?.seq).toBe(5)
})

test('a store that does not answer is away after the deadline', async () => {
  const bed = await following({ deadlineMs: 1000 })
  bed.plan = () => ({ kind: 'delay', ms: 1e9 })
  await bed.clock.advance(1000)
  expect(bed.states).toEqual([])
  await bed.clock.advance(500)
  expect(bed.states).toEqual([false])
})

test('a commit that cannot be compared is seen as one that changed everything', async () => {
  const bed = await following()
  const isPages = (key: string): boolean => key.startsWith('meta/')
  bed.plan = ({ key }) => (isPages(key) ? { kind: 'flip', bit: 8000 } : undefined)
  await bed.volume.writer().commit(Array.from({ length: 100 }, (_, index) => file(`/${index}`, 'x')))
  await bed.clock.advance(200)
  expect(bed.changes).toMatchObject([{ seq: 2, names: undefined, inodes: [] }])
  expect(bed.states).toEqual([])
  // Where the store does not answer, once may be chance.
  bed.plan = ({ key }) => (isPages(key) ? { kind: 'delay', ms: 1e9 } : undefined)
  await bed.volume.writer().commit([file('/late', 'x')])
  await bed.clock.advance(5300)
  expect(bed.changes).toHaveLength(1)
  await bed.clock.advance(6000)
  expect(bed.changes).toMatchObject([{ seq: 2 }, { seq: 3, names: undefined }])
  bed.plan = () => undefined
  await bed.volume.writer().commit([file('/more', 'x')])
  await bed.clock.advance(1000)
  expect(bed.changes.at(-1)).toMatchObject({ seq: 4, names: [{ name: 'more' }] })
  expect(bed.follower.isConnected).toBe(true)
})

test('announced commits are seen at once, and the log is looked at rarely', async () => {
  const announced: (() => void)[] = []
  let tell: ((isConnected: boolean) => void) | undefined
  async function* events(request: { signal: AbortSignal; onConnected?: ((isConnected: boolean) => void) | undefined }): AsyncGenerator<CommitRecord, never> {
    tell = request.onConnected
    for (;;) {
      await new Promise<void>((resolve, reject) => {
        announced.push(resolve)
        request.signal.addEventListener('abort', () => reject(new Error('over')), { once: true })
      })
      yield (await bed.volume.head()).record
    }
  }
  const bed: Bed = await following({ events })
  tell?.(true)
  await bed.clock.advance(200)
  bed.getCount = 0
  await bed.clock.advance(10_000)
  expect(bed.getCount).toBe(0)
  await bed.volume.writer().commit([file('/a', 'x')])
  announced.pop()?.()
  await bed.clock.advance(0)
  await bed.clock.advance(0)
  expect(bed.changes.map(({ seq }) => seq)).toEqual([2])
  // Without announcements the log is looked at again.
  tell?.(false)
  await bed.volume.writer().commit([file('/b', 'x')])
  await bed.clock.advance(400)
  expect(bed.changes.map(({ seq }) => seq)).toEqual([2, 3])
})

test('a mount that began without its store says that it follows as soon as it does', async () => {
  const bed = await following({ isConnected: false })
  await bed.clock.advance(10)
  expect(bed.states).toEqual([true])
})

test('a change lists every name, links and inodes, up to a limit', async () => {
  const volume = await newVolume()
  const before = await volume.head()
  await volume.writer().commit([{ op: 'mkdir', path: '/d' }, file('/d/a', 'x'), { op: 'link', path: '/d/a', to: '/l' }])
  const middle = await volume.head()
  const change = await changeBetween(before, middle)
  expect(change.names?.map(({ directoryId, name }) => [directoryId, name])).toEqual([
    [1, 'd'],
    [1, 'l'],
  ])
  expect(change.inodes).toHaveLength(1)
  await volume.writer().commit([write('/l', 'y')])
  expect(await changeBetween(middle, await volume.head())).toMatchObject({ names: [], inodes: [{ entry: expect.any(Uint8Array) }] })
  const many = Array.from({ length: changedNamesMax + 1 }, (_, index) => file(`/d/${index}`, ''))
  const last = await volume.head()
  await volume.writer().commit(many)
  expect(await changeBetween(last, await volume.head())).toMatchObject({ names: undefined, inodes: [] })
})
