/**
 * What a request costs the store, counted on each runtime, over a volume of a few thousand files: at most three requests for a path and a range that nobody asked for
 * before, one for those that somebody did (is there a newer commit?), none for what never changes.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MemoryBlocks } from '../../edge/store/cache/memory-blocks.ts'
import { fillBytesDefault } from '../../edge/store/cache/edge-cache.ts'
import { MemoryStore } from '../../edge/store/memory.ts'
import { observeStore } from '../../edge/store/observe.ts'
import { systemClock } from '../../shared/clock.ts'
import { Metrics } from '../../shared/metrics.ts'
import { ReadBudget } from '../../shared/volume/read-budget.ts'
import type { Operation } from '../../shared/volume/operation.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { startDenoEdge } from './deno-under-test.ts'
import { type EdgeUnderTest, fileOperation, startEdge } from './edge-under-test.ts'
import { startWorkerdEdge } from './workerd-under-test.ts'

const directories = 40
const filesOfEach = 75
const smallBytes = 6000
const bytes = new SeededRandom(1).bytes(8 * 1024 * 1024)

const runtimes: readonly (readonly [name: string, start: () => Promise<EdgeUnderTest>])[] = [
  ['Node', startCachedEdge],
  ['Deno', startDenoEdge],
  ['workerd', startWorkerdEdge],
]

async function startCachedEdge(): Promise<EdgeUnderTest> {
  const metrics = new Metrics()
  const cache = { blocks: new MemoryBlocks({ bytesMax: 64 * 1024 * 1024 }), fills: new ReadBudget(fillBytesDefault) }
  return await startEdge({ store: new MemoryStore(), wrap: (store) => observeStore(store, { metrics, clock: systemClock }), metrics, cache })
}

/** Requests to the store so far: a body belongs to the request that found it. */
async function storeRequests(edge: EdgeUnderTest): Promise<number> {
  const text = await (await edge.fetch('/metrics')).text()
  const counts = text.matchAll(/^edgemount_store_calls_total\{operation="(\w+)"[^}]*\} (\d+)/gm)
  return [...counts].reduce((sum, [, operation, count]) => (operation === 'body' ? sum : sum + Number(count)), 0)
}

async function cost(edge: EdgeUnderTest, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<{ cost: number; status: number; body: Buffer }> {
  const before = await storeRequests(edge)
  const { status, body } = await edge.raw({ method, path, headers })
  return { cost: (await storeRequests(edge)) - before, status, body }
}

async function fill(edge: EdgeUnderTest): Promise<void> {
  const writer = edge.volume.writer()
  const operations: Operation[] = []
  for (let index = 0; index < directories * filesOfEach; index += 1) {
    const written = await writer.write([bytes.subarray(index * 13, index * 13 + smallBytes)])
    operations.push({ op: 'create', path: `/dir-${index % directories}/file-${index}.bin`, ...written, parents: true })
  }
  for (const name of ['a', 'b', 'c']) operations.push({ op: 'create', path: `/large/${name}.bin`, ...(await writer.write([bytes.map((byte) => byte ^ name.charCodeAt(0))])), parents: true })
  await writer.flush()
  await writer.commit(operations)
}

describe.each(runtimes)('on %s', (_, start) => {
  let edge: EdgeUnderTest | undefined
  const range = { range: 'bytes=3000000-4048575' }
  const expected = (name: string): Uint8Array => bytes.subarray(3_000_000, 4_048_576).map((byte) => byte ^ name.charCodeAt(0))

  beforeAll(async () => {
    edge = await start()
    await fill(edge)
  })

  afterAll(() => edge?.close())

  test('a path and a range: three when cold, one when warm, none when pinned', async () => {
    // What the edge must learn of a volume once: volume.json, the hint of the head, and records from the hint on.
    const first = await cost(edge!, '/v1/demo/files/dir-3/file-3.bin', { range: 'bytes=0-99' })
    expect(first.status).toBe(206)
    expect(first.cost).toBeLessThanOrEqual(7)
    const cold = await cost(edge!, '/v1/demo/files/large/b.bin', range)
    expect([cold.status, cold.body.equals(expected('b'))]).toEqual([206, true])
    expect(cold.cost).toBeLessThanOrEqual(3)
    const small = await cost(edge!, '/v1/demo/files/dir-17/file-2977.bin')
    expect([small.status, small.body.length]).toEqual([200, smallBytes])
    expect(small.cost).toBeLessThanOrEqual(3)
    const warm = await cost(edge!, '/v1/demo/files/large/b.bin', range)
    expect([warm.status, warm.body.equals(expected('b'))]).toEqual([206, true])
    expect(warm.cost).toBeLessThanOrEqual(1)
    const pinned = await cost(edge!, '/v1/demo/@2/large/b.bin', range)
    expect([pinned.status, pinned.body.equals(expected('b')), pinned.cost]).toEqual([206, true, 0])
  })

  test('slices of packs: nothing once their blocks are here; HEAD fetches no body', async () => {
    const [pack] = await edge!.volume.writer().commit([]).then(async () => (await edge!.store.list('demo/data/')).map(({ key }) => key.slice('demo/data/'.length)))
    const slice = `/v1/demo/packs/${pack}/1048000-1150000`
    expect((await cost(edge!, slice, {}, 'HEAD')).cost).toBeLessThanOrEqual(1)
    expect((await cost(edge!, slice)).cost).toBeLessThanOrEqual(1)
    for (const method of ['GET', 'HEAD']) expect((await cost(edge!, slice, {}, method)).cost).toBe(0)
    expect((await cost(edge!, `/v1/demo/packs/${pack}/1048576-2097152`)).cost).toBe(0)
  })

  test('a commit made elsewhere is seen by the next request', async () => {
    for (let round = 0; round < 3; round += 1) {
      await edge!.commit(await fileOperation(edge!.volume, '/news', `round ${round}`, { op: round === 0 ? 'create' : 'write' }))
      const { body, cost: asked } = await cost(edge!, '/v1/demo/files/news')
      expect(body.toString()).toBe(`round ${round}`)
      // Its record, that there is none after it, its pages; the first time the commit before, too.
      expect(asked).toBeLessThanOrEqual(4)
    }
  })

  test('what is not there is asked for each time, and seen as soon as it is', async () => {
    const pack = `d${'0'.repeat(26)}`
    const slice = `/v1/demo/packs/${pack}/0-10`
    for (let round = 0; round < 2; round += 1) expect(await cost(edge!, slice)).toMatchObject({ status: 404, cost: 1 })
    await edge!.store.create(`demo/data/${pack}`, bytes.subarray(0, 100))
    expect((await edge!.raw({ path: slice })).body.equals(bytes.subarray(0, 10))).toBe(true)
  })
})
