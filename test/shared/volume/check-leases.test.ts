/** A check knows leases and peers, and says which of them are garbage. */
import { expect, test } from 'vitest'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { EdgemountError } from '../../../shared/error.ts'
import { systemClock } from '../../../shared/clock.ts'
import { silentLogger } from '../../../shared/log.ts'
import type { ObjectStore } from '../../../shared/store.ts'
import type { Finding } from '../../../shared/volume/finding.ts'
import { Leases } from '../../../shared/volume/leases.ts'
import { Peers } from '../../../shared/volume/peers.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { text } from '../../support/store-bytes.ts'
import { engineOf, newVolume } from '../../support/test-volume.ts'

async function soundStore(): Promise<MemoryStore> {
  const store = new MemoryStore()
  await (await newVolume({ store })).close()
  const parts = { store, clock: systemClock, random: new SeededRandom(1), log: silentLogger }
  await new Leases(parts).ask('writer', { action: 'acquire', holder: 'a', nonce: 'n', leaseMs: 30_000 })
  await new Peers(parts).put('peer', { urls: ['http://a'], zone: '', cacheBytes: 0, version: '' })
  return store
}

async function findings(store: ObjectStore): Promise<Finding[]> {
  return Array.fromAsync((await Volume.open(engineOf(store))).check())
}

test('leases and peers are no findings, held, released, alive or dead', async () => {
  const store = await soundStore()
  await store.put('peers/dead', text('{"format":1,"urls":["http://a"],"zone":"","cacheBytes":0,"version":"","expires":1}'))
  expect(await findings(store)).toEqual([])
})

test.each([
  ['leases/bad', '{}', 'error', 'lease', 'its format is not a whole number of at least 1'],
  ['leases/newer', '{"format":2}', 'error', 'lease', 'it has format 2'],
  ['leases/a/b', '{}', 'error', 'lease', 'Cannot use the lease name "a/b"'],
  ['peers/bad', 'x', 'warning', 'peer', 'it is not JSON'],
  ['peers/a/b', '{}', 'warning', 'peer', 'Cannot use the peer id "a/b"'],
] as const)('garbage at %s is one', async (key, garbage, severity, what, why) => {
  const store = await soundStore()
  await store.put(key, text(garbage))
  expect(await findings(store)).toEqual([{ severity, path: key, what, why: expect.stringContaining(why) }])
})

test('through an edge, which does not list them, the rest is checked', async () => {
  const store = await soundStore()
  const refuse = (prefix: string): Promise<never> => Promise.reject(new EdgemountError('unsupported', `Cannot list "${prefix}"`))
  const edge: ObjectStore = {
    label: 'edge:',
    get: (key, options) => store.get(key, options),
    create: (key, body) => store.create(key, body),
    put: (key, body) => store.put(key, body),
    replace: (key, body, etag) => store.replace(key, body, etag),
    delete: (key) => store.delete(key),
    list: (prefix, options) => (prefix === 'log/' ? store.list(prefix, options) : refuse(prefix)),
  }
  expect(await findings(edge)).toEqual([])
})
