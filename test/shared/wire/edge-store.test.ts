/**
 * The promises of `shared/store.ts` that an edge keeps, for the keys that a volume has, and the engine over it. What `test/suites/store.ts` asks beyond
 * that (any key, `replace`, `delete`, lists of packs) an edge does not offer, and says so.
 */
import { createServer } from 'node:http'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { nodeHash } from '../../../edge/node.ts'
import { faultStore, seededFaults } from '../../../edge/store/fault.ts'
import { systemClock } from '../../../shared/clock.ts'
import { encodeRecord } from '../../../shared/format/commit.ts'
import { newPackId } from '../../../shared/format/pack-id.ts'
import type { ObjectStore } from '../../../shared/store.ts'
import { configKey, headKey, logKey, logPrefix, packKey } from '../../../shared/volume/keys.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import type { Fetch } from '../../../shared/wire/connection.ts'
import { EdgeStore } from '../../../shared/wire/edge-store.ts'
import { type EdgeUnderTest, fileOperation, startEdge } from '../../edge/edge-under-test.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { bytesAt, collect, expectBytes, failureOf, pattern, text } from '../../support/store-bytes.ts'

let edge: EdgeUnderTest
let store: ObjectStore
const requests: string[] = []
const random = new SeededRandom(11)
const countingFetch: Fetch = (url, init) => {
  requests.push(`${init.method} ${url.replace(/^https?:\/\/[^/]+/, '')}`)
  return fetch(url, init)
}
const newKey = (): string => packKey(newPackId('data', systemClock, random))
const storeOf = (url: string, callMs?: number, volume = 'demo'): EdgeStore => new EdgeStore({ url, volume, fetch: countingFetch, clock: systemClock, callMs })

beforeEach(async () => {
  edge = await startEdge()
  onTestFinished(() => edge.close())
  store = storeOf(edge.url)
  requests.length = 0
})

describe('packs', () => {
  it.each([1, 4096, 65_537, 3_000_000])('of %i bytes come back, whole and as a stream, one request each', async (length) => {
    const key = newKey()
    const body = pattern(length)
    expect(await store.create(key, body)).toBe(true)
    requests.length = 0
    expectBytes(await bytesAt(store, key), body)
    const found = await store.get(key)
    expect(found?.size).toBe(length)
    expectBytes(await collect(found!.stream()), body)
    expect(requests).toHaveLength(2)
  })

  it('come in ranges that are clamped to the end', async () => {
    const key = newKey()
    const body = pattern(200_000)
    await store.create(key, body)
    const ranges = [[0, 1], [0, 200_000], [5, 5], [199_999, 200_000], [199_999, 300_000], [200_000, 200_001], [200_007, 200_009], [0, 2 ** 52], [3, 700]] as const
    for (const [start, end] of ranges) {
      expectBytes(await bytesAt(store, key, { start, end }), body.slice(start, end), `${start}-${end}`)
      const streamed = await store.get(key, { range: { start, end } })
      expect(streamed?.size).toBe(200_000)
      expectBytes(await collect(streamed!.stream()), body.slice(start, end), `${start}-${end} streamed`)
    }
  })

  it('are created once, of 32 at once by one', async () => {
    const key = newKey()
    const won = await Promise.all(Array.from({ length: 32 }, (_, index) => store.create(key, text(`body ${index}`))))
    expect(won.filter(Boolean)).toHaveLength(1)
    expectBytes(await bytesAt(store, key), text(`body ${won.indexOf(true)}`))
  })

  it('that are not there are undefined', async () => {
    expect(await store.get(newKey())).toBeUndefined()
    expect(await store.get(newKey(), { range: { start: 0, end: 0 } })).toBeUndefined()
    expect(await store.get(newKey(), { range: { start: 0, end: 5 } })).toBeUndefined()
  })

  it('a stream that is cancelled half-way leaves them readable', async () => {
    const key = newKey()
    const body = pattern(3_000_000)
    await store.create(key, body)
    const reader = (await store.get(key))!.stream().getReader()
    expect((await reader.read()).done).toBe(false)
    await reader.cancel()
    expectBytes(await bytesAt(store, key), body)
  })
})

describe('the log, the head and the config', () => {
  it('are the same bytes that the store has', async () => {
    await edge.commit({ op: 'mkdir', path: '/a' })
    const { record } = await edge.volume.head()
    expectBytes(await bytesAt(store, logKey(2)), encodeRecord(record))
    expectBytes(await bytesAt(store, logKey(2), { start: 1, end: 4 }), encodeRecord(record).slice(1, 4))
    expect(await store.get(logKey(3))).toBeUndefined()
    expectBytes(await bytesAt(store, headKey), text('2'))
    expectBytes(await bytesAt(store, configKey), (await bytesAt(edge.store, `demo/${configKey}`))!)
    expect(await storeOf(edge.url, undefined, 'none').get(configKey)).toBeUndefined()
    expect(await storeOf(edge.url, undefined, 'none').get(headKey)).toBeUndefined()
  })

  it('a taken slot is false, a record that cannot be is an error', async () => {
    const { record } = await edge.volume.head()
    const bytes = encodeRecord(record)
    expect(await store.create(logKey(1), bytes)).toBe(false)
    expect(await failureOf(store.create(logKey(2), bytes))).toBe('invalid')
    expect(await failureOf(store.create(logKey(2), encodeRecord({ ...record, seq: 2, parent: await nodeHash(text('x')) })))).toBe('conflict')
    expect(await store.create(configKey, (await bytesAt(store, configKey))!)).toBe(false)
  })

  it('lists are those of the store', async () => {
    for (const name of ['a', 'b', 'c']) await edge.commit({ op: 'mkdir', path: `/${name}` })
    const keys = async (options: { after?: string; limit?: number }): Promise<string[]> => (await store.list(logPrefix, options)).map(({ key }) => key)
    expect(await keys({})).toEqual([4, 3, 2, 1].map(logKey))
    expect(await keys({ limit: 1 })).toEqual([logKey(4)])
    expect(await keys({ after: logKey(3) })).toEqual([logKey(2), logKey(1)])
    expect(await keys({ after: logKey(1) })).toEqual([])
  })
})

describe('what edges do not offer', () => {
  it.each<[string, () => Promise<unknown>]>([
    ['replace', () => store.replace(headKey, text('1'), 'x')],
    ['delete', () => store.delete(logKey(1))],
    ['other keys', () => store.get('peers/x')],
    ['keys outside', () => store.get('data/../volume.json')],
    ['lists of packs', () => store.list('data/')],
    ['put of a pack', () => store.put(newKey(), text('x'))],
  ])('%s is unsupported', async (_, run) => {
    const failure = await failureOf((async () => await run())())
    expect(failure).toBe('unsupported')
  })

  it('the hint is the edge\'s: put does nothing', async () => {
    await store.put(headKey, text('9'))
    expect(requests).toEqual([])
  })
})

describe('the engine over an edge', () => {
  const open = (over: EdgeStore, seed: number): Promise<Volume> =>
    Volume.open({ store: over, clock: systemClock, random: new SeededRandom(seed), hash: nodeHash, author: 'far' })

  it('makes a volume, commits to it, and reads what others commit', async () => {
    const far = await Volume.create({ store: storeOf(edge.url, undefined, 'made'), clock: systemClock, random, hash: nodeHash }, { name: 'made' })
    const body = pattern(2_000_000)
    await far.writer().commit([await fileOperation(far, '/dir/x', body)])
    const served = await edge.fetch('/v1/made/files/dir/x')
    expectBytes(new Uint8Array(await served.arrayBuffer()), body)
    await edge.fetch('/v1/made/files/y', { method: 'PUT', body: 'from elsewhere' })
    const snapshot = await far.head()
    expectBytes(await collect(snapshot.stream(await snapshot.resolve('/y'))), text('from elsewhere'))
  })

  it('loses nothing when several commit at once, here and through the edge', async () => {
    const far = await Promise.all([1, 2, 3].map((seed) => open(storeOf(edge.url), seed)))
    const writers = [edge.volume, ...far]
    await Promise.all(writers.map(async (volume, writer) => {
      for (let index = 0; index < 5; index += 1) await volume.writer().commit([{ op: 'mkdir', path: `/d${writer}-${index}` }])
    }))
    const head = await edge.volume.head()
    expect(head.seq).toBe(21)
    expect((await head.list('/')).items).toHaveLength(20)
  })

  it('comes through a storm of lost answers', async () => {
    const stormy = faultStore(storeOf(edge.url), { clock: systemClock, plan: seededFaults(new SeededRandom(5), { error: 0.1, lost: 0.15 }) })
    const volume = await open(storeOf(edge.url), 9)
    const far = await Volume.open({ store: { ...stormy, get: (key, options) => retried(() => stormy.get(key, options)) }, clock: systemClock, random, hash: nodeHash })
    for (let index = 0; index < 10; index += 1) await far.writer().commit([await fileOperation(far, `/f${index}`, pattern(10_000 + index))])
    expect((await (await volume.head()).list('/')).items).toHaveLength(10)
  })
})

/** What stands before an edge, and cannot reach it: a page of its own instead of the answer. `isHeard` says whether the edge got the request. */
function proxied(isBroken: (init: RequestInit, url: string) => boolean, status: number, isHeard = true): Fetch {
  return async (url, init) => {
    if (!isBroken(init, url)) return fetch(url, init)
    if (isHeard) await (await fetch(url, init)).arrayBuffer()
    return new Response('<html>nginx</html>', { status, headers: { 'content-type': 'text/html' } })
  }
}

describe('a proxy before the edge', () => {
  const engineWith = (through: Fetch, seed: number, volume = 'demo'): Parameters<typeof Volume.open>[0] => {
    const far = new EdgeStore({ url: edge.url, volume, fetch: through, clock: systemClock })
    return { store: far, clock: systemClock, random: new SeededRandom(seed), hash: nodeHash, author: `far${seed}` }
  }

  it.each([500, 501, 502, 503, 504])('that answers %i for a commit that happened does not make it fail, nor a lost pack', async (status) => {
    const broken = new Set(['log', 'packs'])
    const through = proxied(({ method }, url) => method === 'POST' && broken.delete(/\/v1\/demo\/(\w+)/.exec(url)?.[1] ?? ''), status)
    const far = await Volume.open(engineWith(through, 3))
    const { seq } = await far.writer().commit([await fileOperation(far, '/x', pattern(100_000))])
    expect(broken).toEqual(new Set())
    expect((await edge.volume.head()).seq).toBe(seq)
  })

  it.each([true, false])('loses and doubles nothing of racers for one path (requests come through: %s)', async (isHeard) => {
    const broken = new Set<string>()
    const isFirst = (url: string): boolean => !broken.has(url) && broken.add(url).size > 0
    const through = proxied(({ method }, url) => method === 'POST' && isFirst(url), 502, isHeard)
    const racers = await Promise.all([1, 2, 3].map((seed) => Volume.open(engineWith(through, seed))))
    const bodies = racers.flatMap((_, racer) => Array.from({ length: 4 }, (_each, index) => `${racer} ${index}`))
    const results = await Promise.all(racers.map(async (volume, racer) => {
      const seqs: number[] = []
      for (let index = 0; index < 4; index += 1) {
        seqs.push((await volume.writer().commit([await fileOperation(volume, '/same', text(`${racer} ${index}`), { replace: true })])).seq)
      }
      return seqs
    }))
    const head = await edge.volume.head()
    const seqs = results.flat()
    expect(new Set(seqs).size).toBe(bodies.length)
    expect(head.seq).toBe(bodies.length + 1)
    const { items } = await head.list('/')
    const kept = await Promise.all(items.map(async ({ entry }) => new TextDecoder().decode(await collect(head.stream(entry)))))
    expect(new Set(kept).size).toBe(kept.length)
    expect(bodies).toEqual(expect.arrayContaining(kept))
  })
})

async function retried<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 0; attempt < 10; attempt += 1) {
    if ((await failureOf(run())) === undefined) return await run().catch(() => retried(run))
  }
  return await run()
}

describe('trouble on the way', () => {
  /** A server that is no edge, or a bad one. */
  async function serverThat(answer: Parameters<typeof createServer>[1]): Promise<string> {
    const server = createServer(answer)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.closeAllConnections()
      return new Promise<void>((resolve) => server.close(() => resolve()))
    })
    const address = server.address()
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
  }

  it('nobody there is unavailable, and says so', async () => {
    const away = storeOf('http://127.0.0.1:9')
    expect(await failureOf(away.get(configKey))).toBe('unavailable')
    await expect(away.get(configKey)).rejects.toThrow(/Cannot reach the edge http:\/\/127\.0\.0\.1:9: .+/)
  })

  it('a hanging edge is unavailable within the deadline', async () => {
    const url = await serverThat(() => undefined)
    const start = performance.now()
    expect(await failureOf(storeOf(url, 100).get(configKey))).toBe('unavailable')
    expect(performance.now() - start).toBeLessThan(1500)
  })

  it('a body that stalls is unavailable within the deadline', async () => {
    const url = await serverThat((_, outgoing) => {
      outgoing.writeHead(200, { 'content-length': '100', 'edgemount-size': '100' })
      outgoing.write('x')
    })
    const found = await storeOf(url, 1000).get(newKey())
    expect(await failureOf(found!.bytes())).toBe('unavailable')
    const again = await storeOf(url, 1000).get(newKey())
    expect(await failureOf(collect(again!.stream()))).toBe('unavailable')
  })

  it('a body that is cut is unavailable', async () => {
    const url = await serverThat((_, outgoing) => {
      outgoing.writeHead(200, { 'content-length': '100', 'edgemount-size': '100' })
      outgoing.write('x'.repeat(50), () => outgoing.destroy())
    })
    expect(await failureOf((await storeOf(url).get(newKey()))!.bytes())).toBe('unavailable')
    expect(await failureOf(collect((await storeOf(url).get(newKey()))!.stream()))).toBe('unavailable')
  })

  it('a body that is too short without a length is unavailable', async () => {
    const url = await serverThat((_, outgoing) => {
      outgoing.writeHead(200, { 'edgemount-size': '100' })
      outgoing.end('x'.repeat(50))
    })
    expect(await failureOf((await storeOf(url).get(newKey()))!.bytes())).toBe('unavailable')
    expect(await failureOf(collect((await storeOf(url).get(newKey()))!.stream()))).toBe('unavailable')
  })

  it.each([
    [404, 'invalid'],
    [401, 'denied'],
    [429, 'exhausted'],
    [500, 'unavailable'],
    [502, 'unavailable'],
    [503, 'unavailable'],
    [504, 'unavailable'],
  ])('a %i of something else is %s, never an absent object', async (status, code) => {
    const url = await serverThat((_, outgoing) => outgoing.writeHead(status, { 'content-type': 'text/html' }).end('<h1>no</h1>'))
    expect(await failureOf(storeOf(url).get(configKey))).toBe(code)
  })

  /** Sends for ever, until nobody takes it. `sent` is how much. */
  async function endless(headers: Record<string, string>): Promise<{ readonly url: string; readonly sent: () => number }> {
    let sent = 0
    const url = await serverThat((_, outgoing) => {
      outgoing.writeHead(200, headers)
      const more = (): void => {
        sent += 65_536
        if (!outgoing.destroyed) outgoing.write(Buffer.alloc(65_536, 0x20), () => setImmediate(more))
      }
      more()
    })
    return { url, sent: () => sent }
  }

  it.each<[string, Record<string, string>, (far: EdgeStore) => Promise<unknown>]>([
    ['volume.json', {}, (far) => far.get(configKey)],
    ['head', {}, (far) => far.get(headKey)],
    ['record', {}, (far) => far.get(logKey(1))],
    ['record with a length', { 'content-length': String(2 ** 40) }, (far) => far.get(logKey(1))],
    ['log', {}, (far) => far.list(logPrefix)],
    ['slice', { 'edgemount-size': '1000' }, async (far) => (await far.get(newKey(), { range: { start: 0, end: 100 } }))!.bytes()],
    ['pack', { 'edgemount-size': String(2 ** 40) }, async (far) => (await far.get(newKey()))!.bytes()],
  ])('a %s without end is not taken into memory', async (_, headers, run) => {
    const { url, sent } = await endless(headers)
    expect(await failureOf(run(storeOf(url, 5000)))).toBe('unavailable')
    expect(sent()).toBeLessThan(32 * 2 ** 20)
  })

  it('the caller may give up', async () => {
    const url = await serverThat(() => undefined)
    const stop = new AbortController()
    const pending = failureOf(storeOf(url).get(configKey, { signal: stop.signal }))
    stop.abort()
    expect(await pending).toBe('aborted')
  })

  it('an address that is none is refused', () => {
    expect(() => storeOf('edge.example')).toThrow(/Cannot use the edge "edge\.example"/)
  })
})
