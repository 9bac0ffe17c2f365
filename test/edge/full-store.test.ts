/** A store without room: nobody waits for it, and whoever asks hears what is to be done, also through an edge. */
import { expect, onTestFinished, test } from 'vitest'
import { aroundCalls } from '../../edge/store/around.ts'
import { FullError, isFull } from '../../shared/error.ts'
import { systemClock } from '../../shared/clock.ts'
import { Volume } from '../../shared/volume/volume.ts'
import { EdgeStore } from '../../shared/wire/edge-store.ts'
import { nodeHash } from '../../edge/node.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { randomBytes } from '../support/test-volume.ts'
import { type EdgeUnderTest, startEdge, volumeName } from './edge-under-test.ts'

async function full(): Promise<{ edge: EdgeUnderTest; tries: () => number }> {
  let tries = 0
  const edge = await startEdge({
    wrap: (store) =>
      aroundCalls(store, async ({ operation, key, signal }, run) => {
        if (operation !== 'create' || !key.includes('/data/')) return await run(signal)
        tries += 1
        throw new FullError('Cannot write the pack: the disk is full; make room on it')
      }),
  })
  onTestFinished(() => edge.close())
  return { edge, tries: () => tries }
}

test('an upload is 507 after one try, and says nothing of coming back', async () => {
  const { edge, tries } = await full()
  const response = await edge.fetch(`/v1/${volumeName}/files/a`, { method: 'PUT', body: new Uint8Array(randomBytes(1, 100_000)) })
  expect([response.status, response.headers.get('retry-after'), await response.json()]).toEqual([
    507,
    null,
    { error: { code: 'exhausted', message: 'Cannot write the pack: the disk is full; make room on it' } },
  ])
  expect(tries()).toBe(1)
  expect((await edge.fetch(`/v1/${volumeName}/files/a`)).status).toBe(404)
})

test('who writes through the edge gives up at once, too', async () => {
  const { edge, tries } = await full()
  const store = new EdgeStore({ url: edge.url, volume: volumeName, fetch, clock: systemClock })
  const volume = await Volume.open({ store, clock: systemClock, random: new SeededRandom(4), hash: nodeHash, author: 'test' })
  onTestFinished(() => volume.close())
  const writer = volume.writer()
  const failure: unknown = await (async () => {
    await writer.write([randomBytes(2, 100_000)])
    await writer.flush()
  })().catch((error: unknown) => error)
  expect(isFull(failure)).toBe(true)
  expect(tries()).toBe(1)
})
