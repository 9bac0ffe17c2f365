/**
 * Bodies under trouble: what fails before the first byte has a status, what fails later breaks the connection, and nothing is read that nobody takes.
 */
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createApp } from '../../edge/app.ts'
import { nodeHash } from '../../edge/node.ts'
import { aroundCalls } from '../../edge/store/around.ts'
import { type Fault, faultStore } from '../../edge/store/fault.ts'
import { ScopedStore } from '../../edge/store/scoped.ts'
import { systemClock } from '../../shared/clock.ts'
import type { Hash } from '../../shared/format/entry.ts'
import { rangeLength } from '../../shared/range.ts'
import type { ObjectStore } from '../../shared/store.ts'
import { ReadBudget } from '../../shared/volume/read-budget.ts'
import { Volume } from '../../shared/volume/volume.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { pattern } from '../support/store-bytes.ts'
import { type EdgeUnderTest, fileOperation, startEdge } from './edge-under-test.ts'

/** What the edge asked of its store, and what goes wrong there. */
interface Trouble {
  fault: (key: string) => Fault | undefined
  readonly reads: { readonly key: string; readonly bytes: number }[]
}

async function startTroubled(): Promise<{ edge: EdgeUnderTest; trouble: Trouble }> {
  const trouble: Trouble = { fault: () => undefined, reads: [] }
  const wrap = (store: ObjectStore): ObjectStore => {
    const noted: ObjectStore = Object.assign(Object.create(store), {
      get: async (...[key, options]: Parameters<ObjectStore['get']>) => {
        trouble.reads.push({ key, bytes: options?.range === undefined ? Infinity : rangeLength(options.range) })
        return await store.get(key, options)
      },
    })
    return faultStore(noted, { clock: systemClock, plan: ({ operation, key }) => (operation === 'get' ? trouble.fault(key) : undefined) })
  }
  const edge = await startEdge({ wrap })
  onTestFinished(() => edge.close())
  return { edge, trouble }
}

const body = pattern(24_000_000)

describe('HEAD', () => {
  it('reads no content', async () => {
    const { edge, trouble } = await startTroubled()
    await edge.commit(await fileOperation(edge.volume, '/x', body))
    await edge.raw({ method: 'HEAD', path: '/v1/demo/files/x' })
    await edge.raw({ method: 'HEAD', path: '/v1/demo/files/x', headers: { range: 'bytes=0-99' } })
    await edge.raw({ path: '/v1/demo/files/x', headers: { 'if-none-match': '*' } })
    expect(trouble.reads.filter(({ key }) => key.includes('/data/'))).toEqual([])
  })
})

describe('HEAD of lookups', () => {
  it('finds the path and does nothing else', async () => {
    const { edge, trouble } = await startTroubled()
    const count = 3000
    const files = Array.from({ length: count }, (_, index) => fileOperation(edge.volume, `/many/${index}`, pattern(200).fill(index & 255)))
    await edge.commit(...(await Promise.all(files)), await fileOperation(edge.volume, '/big', body))
    let hashes = 0
    const counting = (bytes: Uint8Array): Promise<Hash> => {
      hashes += 1
      return nodeHash(bytes)
    }
    for (const [path, least] of [['/list/many', 1000], ['/files/many/', 1000], ['/stat/many/7', 1], ['/manifest/many/7', 1]] as const) {
      const app = createApp({ store: edge.store, clock: systemClock, random: new SeededRandom(9), hash: counting })
      const ask = async (method: string): Promise<[Response, number]> => {
        const before = hashes
        const response = await app.fetch(new Request(`http://edge.test/v1/demo${path}`, { method, headers: { accept: 'application/json' } }))
        return [response, hashes - before]
      }
      // Pages that lead there are verified once, and then they are known.
      await ask('GET')
      const [head, headHashes] = await ask('HEAD')
      const [get, getHashes] = await ask('GET')
      expect([head.status, head.headers.get('content-length'), headHashes]).toEqual([200, null, 0])
      expect([get.status, get.headers.get('content-type')]).toEqual([200, head.headers.get('content-type')])
      expect(getHashes).toBeGreaterThanOrEqual(least)
      await app.dispose()
    }
    for (const path of ['/list/none', '/stat/none', '/manifest/none']) expect((await edge.raw({ method: 'HEAD', path: `/v1/demo${path}` })).status).toBe(404)
    for (const path of ['/list/big', '/manifest/many', '/manifest/big?start=9&end=5']) {
      expect((await edge.raw({ method: 'HEAD', path: `/v1/demo${path}` })).status).toBe(400)
    }
    expect(trouble.reads.filter(({ key }) => key.includes('/data/'))).toEqual([])
  })
})

describe('a listing of every name', () => {
  it('is whole, or the connection breaks', async () => {
    const { edge, trouble } = await startTroubled()
    const names = Array.from({ length: 5000 }, (_, index) => `${index}.${'x'.repeat(100)}`)
    await edge.commit(...names.map((name) => ({ op: 'create', path: `/many/${name}`, parents: true }) as const))
    let left = 2
    trouble.fault = (key) => (key.includes('/meta/') && (left -= 1) < 0 ? { kind: 'error' } : undefined)
    const broken = await edge.raw({ path: '/v1/demo/files/many/' })
    expect([broken.status, broken.isCut, left < 0]).toEqual([200, true, true])
    expect(broken.body.toString()).not.toContain('</html>')
    trouble.fault = () => undefined
    const whole = await edge.raw({ path: '/v1/demo/files/many/' })
    expect([whole.status, whole.isCut, whole.body.toString().match(/<tr><td><a href="\d+\./g)?.length]).toEqual([200, false, names.length])
  })
})

describe('memory', () => {
  it('is counted over all readers of all volumes, and no request is larger than the setting', async () => {
    const { edge } = await startTroubled()
    await edge.commit(await fileOperation(edge.volume, '/x', body))
    const other = await Volume.create(
      { store: new ScopedStore(edge.store, 'other'), clock: systemClock, random: new SeededRandom(8), hash: nodeHash },
      { name: 'other' },
    )
    await other.writer().commit([await fileOperation(other, '/x', body)])
    const asked: number[] = []
    const store = Object.assign(aroundCalls(edge.store, (_, run) => run(undefined)), {
      get: async (...[key, options]: Parameters<ObjectStore['get']>) => {
        if (key.includes('/data/')) asked.push(rangeLength(options?.range ?? { start: 0, end: Infinity }))
        return await edge.store.get(key, options)
      },
    })
    const readBudget = new ReadBudget(4 * 1024 * 1024)
    const app = createApp({ store, clock: systemClock, random: new SeededRandom(9), hash: nodeHash, readBytesMax: 1024 * 1024, readBudget })
    onTestFinished(() => app.dispose())
    const readers = await Promise.all(
      ['demo', 'other', 'demo', 'other'].map(async (volume) => {
        const response = await app.fetch(new Request(`http://edge.test/v1/${volume}/files/x`))
        return response.body!.getReader()
      }),
    )
    expect(readBudget.heldBytes).toBeGreaterThan(2 * 1024 * 1024)
    expect(readBudget.heldBytes).toBeLessThanOrEqual(8 * 1024 * 1024)
    for (const reader of readers.slice(0, 2)) {
      let length = 0
      for (let next = await reader.read(); !next.done; next = await reader.read()) length += next.value.length
      expect(length).toBe(body.length)
    }
    expect(Math.max(...asked)).toBeLessThanOrEqual(1024 * 1024)
    await Promise.all(readers.map((reader) => reader.cancel()))
    expect(readBudget.heldBytes).toBe(0)
  })
})

describe('a store that fails', () => {
  it.each<[string, Fault, number]>([
    ['is away', { kind: 'error' }, 503],
    ['cuts the body', { kind: 'cut' }, 503],
    ['gives wrong bytes', { kind: 'flip', bit: 12_345 }, 502],
  ])('%s before the first byte: a status', async (_, fault, status) => {
    const { edge, trouble } = await startTroubled()
    await edge.commit(await fileOperation(edge.volume, '/x', body.subarray(0, 100_000)))
    trouble.fault = (key) => (key.includes('/data/') ? fault : undefined)
    const response = await edge.raw({ path: '/v1/demo/files/x' })
    expect([response.status, response.isCut, response.headers['cache-control']]).toEqual([status, false, 'no-store'])
  })

  it('in the middle breaks the connection, and what came before is right', async () => {
    const { edge, trouble } = await startTroubled()
    await edge.commit(await fileOperation(edge.volume, '/x', body))
    let count = 0
    trouble.fault = (key) => {
      if (!key.includes('/data/')) return undefined
      count += 1
      return count > 2 ? { kind: 'flip', bit: 999 } : undefined
    }
    const response = await edge.raw({ path: '/v1/demo/files/x' })
    expect([response.status, response.isCut]).toEqual([200, true])
    expect(response.body.length).toBeGreaterThan(0)
    expect(response.body.length).toBeLessThan(body.length)
    expect(response.body.equals(body.subarray(0, response.body.length))).toBe(true)
  })

  it('in the middle of several ranges breaks the connection', async () => {
    const { edge, trouble } = await startTroubled()
    await edge.commit(await fileOperation(edge.volume, '/x', body))
    let count = 0
    trouble.fault = (key) => (key.includes('/data/') && (count += 1) > 1 ? { kind: 'error' } : undefined)
    const response = await edge.raw({ path: '/v1/demo/files/x', headers: { range: 'bytes=0-99,20000000-20000099' } })
    expect(response.isCut).toBe(true)
  })

  it('hangs: the deadline ends it', async () => {
    const hanging = await startEdge({
      storeCallMs: 150,
      wrap: (store) => Object.assign(Object.create(store), { get: () => new Promise(() => undefined) }),
    })
    onTestFinished(() => hanging.close())
    const start = performance.now()
    const { status, headers } = await hanging.raw({ path: '/v1/demo/files/x' })
    expect([status, headers['retry-after']]).toEqual([504, '1'])
    expect(performance.now() - start).toBeLessThan(2000)
  })
})

describe('a client that goes away', () => {
  it('ends the reading; one that is slow holds it back', async () => {
    const { edge, trouble } = await startTroubled()
    const big = pattern(96_000_000)
    await edge.commit(await fileOperation(edge.volume, '/x', big))
    const dataBytes = (): number => trouble.reads.filter(({ key }) => key.includes('/data/')).reduce((sum, { bytes }) => sum + bytes, 0)
    const socket = connect({ port: edge.port, host: '127.0.0.1' }, () => socket.write('GET /v1/demo/files/x HTTP/1.1\r\nhost: localhost\r\n\r\n'))
    socket.on('error', () => undefined)
    await new Promise((resolve) => socket.once('readable', resolve))
    await sleep(500)
    const stalledAt = dataBytes()
    expect(stalledAt).toBeLessThan(48_000_000)
    await sleep(200)
    expect(dataBytes()).toBe(stalledAt)
    socket.destroy()
    await sleep(200)
    const goneAt = dataBytes()
    expect(goneAt - stalledAt).toBeLessThanOrEqual(16_000_000)
    await sleep(200)
    expect(dataBytes()).toBe(goneAt)
  })
})
