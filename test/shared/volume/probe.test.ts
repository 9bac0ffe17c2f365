import { expect, test } from 'vitest'
import { aroundCalls } from '../../../edge/store/around.ts'
import { faultStore, seededFaults } from '../../../edge/store/fault.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { EdgemountError } from '../../../shared/error.ts'
import type { ObjectStore } from '../../../shared/store.ts'
import { configKey } from '../../../shared/volume/keys.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { newVolume } from '../../support/test-volume.ts'

const clock = { now: () => 0, sleep: () => Promise.resolve() }

/** A store in memory with some of its methods replaced by liars. */
function lying(lies: (inner: MemoryStore) => Partial<ObjectStore>): { readonly store: ObjectStore; readonly inner: MemoryStore } {
  const inner = new MemoryStore()
  const honest: ObjectStore = {
    label: 'liar',
    get: (key, options) => inner.get(key, options),
    create: (key, body, options) => inner.create(key, body, options),
    put: (key, body, options) => inner.put(key, body, options),
    replace: (key, body, etag, options) => inner.replace(key, body, etag, options),
    delete: (key, options) => inner.delete(key, options),
    list: (prefix, options) => inner.list(prefix, options),
  }
  return { store: { ...honest, ...lies(inner) }, inner }
}

test('a volume records what its store can do, and the probe leaves nothing', async () => {
  const store = new MemoryStore()
  expect((await newVolume({ store })).config.capabilities).toEqual(['create-if-absent', 'ranged-get'])
  expect(await store.list('data/')).toEqual([])
})

test.each<readonly [what: string, why: string, lies: (inner: MemoryStore) => Partial<ObjectStore>]>([
  ['ignores the condition', 'of 4 creates of one key 4 were told that they were first', (inner) => ({ create: (key, body) => inner.put(key, body).then(() => true) })],
  [
    'looks and then writes',
    'of 4 creates of one key 4 were told that they were first',
    (inner) => ({
      create: async (key, body) => {
        if ((await inner.get(key)) !== undefined) return false
        await inner.put(key, body)
        return true
      },
    }),
  ],
  [
    'forgets that a key is there',
    'a key that is there can be created again',
    (inner) => {
      let count = 0
      return { create: async (key, body) => ((await inner.create(key, body)) ? true : (count += 1) > 3) }
    },
  ],
  ['never creates', 'nobody could create a key that was not there', () => ({ create: () => Promise.resolve(false) })],
  ['keeps the loser', 'what was created first is not what is there', (inner) => ({ create: async (key, body) => ((await inner.create(key, body)) ? true : inner.put(key, body).then(() => false)) })],
  ['ignores ranges', 'a GET of bytes 100 to 1100 does not give them', (inner) => ({ get: (key) => inner.get(key) })],
])('a store that %s is refused', async (_, why, lies) => {
  const { store, inner } = lying(lies)
  await expect(newVolume({ store, clock })).rejects.toMatchObject({ code: 'unsupported', message: `Cannot keep a volume in "liar": ${why}` })
  expect(await inner.get(configKey)).toBeUndefined()
  expect(await inner.list('')).toEqual([])
})

test.each(Array.from({ length: 20 }, (_, seed) => seed))('lost answers and flipped bits on the way are no lies (seed %i)', async (seed) => {
  const faults = seededFaults(new SeededRandom(seed), { error: 0.02, lost: 0.02, flip: 0.02 })
  const store = faultStore(new MemoryStore(), { clock, plan: (call) => (call.key.startsWith('data/') ? faults(call) : undefined) })
  expect((await newVolume({ store, clock })).config.capabilities).toHaveLength(2)
})

test('a store that is away is unavailable, not refused', async () => {
  const store = faultStore(new MemoryStore(), { clock, plan: ({ key }) => (key.startsWith('data/') ? { kind: 'error' } : undefined) })
  await expect(newVolume({ store, clock })).rejects.toMatchObject({ code: 'unavailable' })
})

/** As R2 and GCS do: one write of a key in a second, whatever comes of it; others are refused. */
function limitedStore(inner: ObjectStore, now: () => number): ObjectStore {
  const written = new Map<string, number>()
  return aroundCalls(inner, ({ operation, key }, run) => {
    if (operation !== 'create' && operation !== 'delete') return run(undefined)
    const isTooSoon = now() - (written.get(key) ?? -Infinity) < 1000
    if (isTooSoon) return Promise.reject(new EdgemountError('unavailable', `Cannot ${operation} "${key}": 429`))
    written.set(key, now())
    return run(undefined)
  })
}

test('a store that takes one write of a key in a second holds volumes', async () => {
  const slow = new ManualClock()
  const inner = new MemoryStore()
  const store = limitedStore(inner, () => slow.now())
  const volume = await slow.runUntil(newVolume({ store, clock: slow }))
  expect(volume.config.capabilities).toEqual(['create-if-absent', 'ranged-get'])
  expect(await inner.list('data/')).toEqual([])
})

test('a store that takes one write of a key in a second, and does not look at the condition, is refused', async () => {
  const slow = new ManualClock()
  const { store } = lying((inner) => ({ create: (key, body) => inner.put(key, body).then(() => true) }))
  const message = 'Cannot keep a volume in "liar": a key that is there can be created again'
  await expect(slow.runUntil(newVolume({ store: limitedStore(store, () => slow.now()), clock: slow }))).rejects.toMatchObject({ code: 'unsupported', message })
})

test('when the answer to the first is lost and the others lost the race, what is there tells', async () => {
  let isFirst = true
  const { store, inner } = lying((honest) => ({
    create: async (key, body) => {
      const isLost = isFirst
      isFirst = false
      const isCreated = await honest.create(key, body)
      if (isLost) throw new EdgemountError('unavailable', `Cannot create "${key}": the answer is lost`)
      return isCreated
    },
  }))
  // Nothing is tried again: no pause is asked for.
  const sleep = (): Promise<void> => Promise.reject(new Error('no pause'))
  expect((await newVolume({ store, clock: { now: () => 0, sleep } })).config.capabilities).toHaveLength(2)
  expect(await inner.list('data/')).toEqual([])
})
