/** What many clients at once may cost: places for bodies, their line, and the pace at which bodies must come. */
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { type App, createApp } from '../../../edge/app.ts'
import { nodeHash } from '../../../edge/node.ts'
import { aroundCalls } from '../../../edge/store/around.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { ScopedStore } from '../../../edge/store/scoped.ts'
import { systemClock } from '../../../shared/clock.ts'
import { newPackId } from '../../../shared/format/pack-id.ts'
import type { ObjectStore } from '../../../shared/store.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import { routes } from '../../../shared/wire/routes.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { pattern } from '../../support/store-bytes.ts'

const random = new SeededRandom(3)
let clock: ManualClock
let store: ObjectStore
let app: App

beforeEach(async () => {
  clock = new ManualClock()
  store = new MemoryStore()
  await Volume.create({ store: new ScopedStore(store, 'demo'), clock: systemClock, random, hash: nodeHash }, { name: 'demo' })
  app = createApp({ store, clock, random, hash: nodeHash })
  onTestFinished(() => app.dispose())
})

type Init = RequestInit & { duplex: 'half' }

const ask = (path: string, method: string, body: BodyInit | undefined, of: App = app): Promise<Response> => {
  const init: Init = body === undefined ? { method, duplex: 'half' } : { method, body, duplex: 'half' }
  return of.fetch(new Request(`http://edge.test${path}`, init))
}
const put = (name: string, body: BodyInit): Promise<Response> => ask(`/v1/demo/files/${name}`, 'PUT', body)

/** A body of which nothing ever comes. */
function silent(): ReadableStream<Uint8Array> {
  return new ReadableStream({ pull: () => new Promise(() => undefined) }, { highWaterMark: 0 })
}

/** A body that comes piece by piece, each after so many milliseconds. */
function paced(pieces: number, bytes: number, everyMs: number): ReadableStream<Uint8Array> {
  let count = 0
  return new ReadableStream(
    {
      pull: async (controller) => {
        await clock.sleep(everyMs)
        controller.enqueue(new Uint8Array(bytes).fill(count))
        count += 1
        if (count === pieces) controller.close()
      },
    },
    { highWaterMark: 0 },
  )
}

describe('a body that comes too slowly', () => {
  it('of none at all for half a minute is given up', async () => {
    const answer = put('x', silent())
    await clock.advance(29_000)
    expect(clock.sleeperCount).toBeGreaterThan(0)
    await clock.advance(2000)
    const response = await answer
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await response.text()).toContain('fewer than 65536 bytes a second')
  })

  it('of a few bytes now and then is given up too, for files, packs and records', async () => {
    const addresses = [
      ['/v1/demo/files/x', 'PUT'],
      [routes.packs('demo', newPackId('data', systemClock, random)), 'POST'],
      ['/v1/demo/log/2', 'POST'],
    ] as const
    for (const [path, method] of addresses) {
      const answer = ask(path, method, paced(1000, 100, 5000))
      await clock.advance(40_000)
      expect((await answer).status).toBe(503)
    }
  })

  it('of a steady 64 KiB a second is taken, however long it lasts', async () => {
    const response = await clock.runUntil(put('x', paced(60, 5 * 65_536, 5000)))
    expect(response.status).toBe(201)
    expect((await ask('/v1/demo/stat/x', 'GET', undefined)).status).toBe(200)
  })

  it('is not one that waits for our own store', async () => {
    const slow = aroundCalls(store, async ({ operation, key }, run) => {
      if (operation === 'create' && key.includes('/data/')) await clock.sleep(45_000)
      return await run(undefined)
    })
    const other = createApp({ store: slow, clock, random, hash: nodeHash })
    onTestFinished(() => other.dispose())
    const body = pattern(100_000)
    expect((await clock.runUntil(ask('/v1/demo/files/x', 'PUT', new Uint8Array(body), other))).status).toBe(201)
  })
})

describe('eight clients that send nothing', () => {
  it('keep neither packs waiting nor, for long, other files', async () => {
    const stuck = Array.from({ length: 8 }, (_, index) => put(`stuck-${index}`, silent()))
    await clock.advance(10)
    const pack = await ask(routes.packs('demo', newPackId('data', systemClock, random)), 'POST', new Uint8Array(pattern(1000)))
    expect(pack.status).toBe(201)
    let isAnswered = false
    const behind = put('behind', 'x').finally(() => (isAnswered = true))
    await clock.advance(20_000)
    expect(isAnswered).toBe(false)
    await clock.advance(15_000)
    expect((await behind).status).toBe(201)
    expect((await Promise.all(stuck)).map(({ status }) => status)).toEqual(stuck.map(() => 503))
  })

  it('that go on for long enough: who waits behind them is told to come again', async () => {
    const stuck = Array.from({ length: 8 }, (_, index) => put(`stuck-${index}`, paced(1000, 65_536, 1000)))
    await clock.advance(10)
    const behind = put('behind', 'x')
    await clock.advance(41_000)
    const response = await behind
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await response.text()).toContain('find a place among the uploads')
    void Promise.all(stuck)
  })
})

describe('memory', () => {
  it('is held for eight uploads at once, also while they are being stored', async () => {
    let storing = 0
    let most = 0
    const slow = aroundCalls(store, async ({ operation, key }, run) => {
      if (operation !== 'create' || !key.includes('/data/')) return await run(undefined)
      storing += 1
      most = Math.max(most, storing)
      await systemClock.sleep(30)
      storing -= 1
      return await run(undefined)
    })
    const other = createApp({ store: slow, clock: systemClock, random, hash: nodeHash })
    onTestFinished(() => other.dispose())
    const answers = await Promise.all(
      Array.from({ length: 24 }, (_, index) => ask(`/v1/demo/files/${index}`, 'PUT', new Uint8Array(pattern(100_000)).fill(index, 0, 50_000), other)),
    )
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 201))
    expect(most).toBe(8)
  })
})
