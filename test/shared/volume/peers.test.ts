/** Peers over a store: what a refresh costs, however often and through however many edges; who is listed; what cannot be. */
import { beforeEach, describe, expect, test } from 'vitest'
import { faultStore, seededFaults } from '../../../edge/store/fault.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { silentLogger } from '../../../shared/log.ts'
import type { ObjectStore } from '../../../shared/store.ts'
import { JsonFields } from '../../../shared/format/json-fields.ts'
import { type Peer, decodePeer, encodePeer, peerLifeMs, readPeer } from '../../../shared/volume/peer.ts'
import { Peers } from '../../../shared/volume/peers.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { type SpyStore, spyStore } from '../../support/spy-store.ts'
import { failureOf, text } from '../../support/store-bytes.ts'

const minuteMs = 60_000
const said: Peer = { urls: ['http://10.0.0.7:8788'], zone: 'rack-4', cacheBytes: 10, version: '0.4.0' }

let clock: ManualClock
let memory: MemoryStore
let spy: SpyStore

beforeEach(() => {
  clock = new ManualClock()
  memory = new MemoryStore()
  spy = spyStore(memory)
})

/** As an edge has them whose clock is so far off. */
function peersAt(skewMs = 0, store: ObjectStore = spy.store): Peers {
  const own = { now: () => clock.now() + skewMs, sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms, signal) }
  return new Peers({ store, clock: own, random: new SeededRandom(skewMs + 1), log: silentLogger })
}

const writes = (): string[] => spy.calls.filter((call) => /^(put|create|replace|delete) /.test(call))
const idsOf = async (peers: Peers): Promise<string[]> => (await peers.list()).map(({ id }) => id)

describe('a refresh', () => {
  test('every 10 s through four edges, whose clocks differ, is one write in 5 minutes', async () => {
    const edges = [0, -15_000, 10_000, 15_000].map((skewMs) => peersAt(skewMs))
    const times: number[] = []
    for (let round = 0; round < 360; round += 1) {
      const before = writes().length
      await edges[round % edges.length]!.put('p', said)
      if (writes().length > before) times.push(clock.now())
      await clock.advance(10_000)
    }
    expect(times.length).toBeGreaterThan(9)
    expect(times.length).toBeLessThanOrEqual(12)
    for (const [index, time] of times.entries()) if (index > 0) expect(time - times[index - 1]!).toBeGreaterThanOrEqual(5 * minuteMs)
    // All it costs otherwise is one GET.
    spy.calls.length = 0
    await edges[0]!.put('p', said)
    expect(spy.calls).toEqual(['get peers/p', 'body peers/p'])
  })

  test('through 16 edges at once is stored once, the first and the one when half of its life is over', async () => {
    for (const ms of [0, peerLifeMs / 2 + 1]) {
      await clock.advance(ms)
      const tag = async (): Promise<string | undefined> => (await memory.get('peers/p'))?.etag
      const before = await tag()
      const all = Promise.all(Array.from({ length: 16 }, (_, index) => peersAt(index).put('p', said)))
      await clock.runUntil(all)
      expect(await tag()).not.toBe(before)
    }
    // The tag of the store in memory counts what was written.
    expect((await memory.get('peers/p'))?.etag).toBe('v2')
  })

  test('with other words has to wait, and is stored when its time has come', async () => {
    const peers = peersAt()
    await peers.put('p', said)
    await clock.advance(minuteMs)
    await expect(peers.put('p', { ...said, zone: 'b' })).rejects.toThrow('Cannot change the peer "p": what it says is stored once in five minutes; try again in 271 s, or register under another id')
    await clock.advance(271_000)
    expect(await peers.put('p', { ...said, zone: 'b' })).toMatchObject({ zone: 'b', leftMs: peerLifeMs })
    expect(writes()).toEqual(['create peers/p', 'replace peers/p'])
  })

  test('whose answers are lost is stored once', async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      memory = new MemoryStore()
      const store = faultStore(memory, { clock, plan: seededFaults(new SeededRandom(seed), { error: 0.15, lost: 0.15, cut: 0.05 }) })
      await clock.runUntil(peersAt(0, store).put('p', said)).catch(() => undefined)
      expect(['v1', undefined], `seed ${seed}`).toContain((await memory.get('peers/p'))?.etag)
    }
  })
})

describe('the list', () => {
  test('has those that are alive, by id, and costs a LIST and a GET each once in 5 s', async () => {
    const peers = peersAt()
    for (const id of ['c', 'a', 'b']) await peers.put(id, said)
    spy.calls.length = 0
    expect(await peers.list()).toEqual(['a', 'b', 'c'].map((id) => ({ id, ...said, leftMs: peerLifeMs })))
    expect(spy.calls.filter((call) => !call.startsWith('body'))).toEqual(['list peers/', 'get peers/a', 'get peers/b', 'get peers/c'])
    spy.calls.length = 0
    for (let time = 0; time < 10; time += 1) await peers.list()
    expect(spy.calls).toEqual([])
    await clock.advance(5001)
    await Promise.all(Array.from({ length: 10 }, () => peers.list()))
    expect(spy.calls.filter((call) => call.startsWith('list'))).toHaveLength(1)
  })

  test('forgets who left at once, and who says nothing after 11 minutes; the dead are removed, some each time', async () => {
    const peers = peersAt()
    for (let index = 0; index < 40; index += 1) await peers.put(`p${index}`, said)
    expect(await idsOf(peers)).toHaveLength(40)
    await peers.remove('p1')
    await peers.remove('never')
    expect(await idsOf(peers)).toHaveLength(39)
    await clock.advance(peerLifeMs)
    expect(await idsOf(peers)).toEqual([])
    expect(await peers.get('p2')).toBeUndefined()
    expect(await memory.list('peers/')).toHaveLength(39)
    await peers.put('p2', said)
    const left: number[] = []
    for (let time = 0; time < 4; time += 1) {
      await clock.advance(time === 0 ? peerLifeMs - 1000 : 6000)
      await peers.put('p2', said)
      expect(await idsOf(peers)).toEqual(['p2'])
      left.push((await memory.list('peers/')).length)
    }
    expect(left).toEqual([39, 23, 7, 1])
  })

  test('leaves out what is garbage, of a newer format, or from a clock that is far off', async () => {
    const peers = peersAt()
    await peers.put('good', said)
    await memory.put('peers/garbage', text('{}'))
    await memory.put('peers/newer', text('{"format":2}'))
    await memory.put('peers/bad/id', encodePeer({ ...said, expires: clock.now() + 1000 }))
    await memory.put('peers/future', encodePeer({ ...said, expires: clock.now() + 86_400_000 }))
    expect(await idsOf(peers)).toEqual(['good'])
    expect(await failureOf(peers.put('garbage', said))).toBe('corrupt')
  })

  test('has 256 at most; when that many are dead there is room again', async () => {
    const peers = peersAt()
    for (let index = 0; index < 256; index += 1) await memory.put(`peers/p${index}`, encodePeer({ ...said, expires: clock.now() + peerLifeMs }))
    await expect(peers.put('x', said)).rejects.toThrow('Cannot register the peer "x": the volume has 256; try again when some have left')
    await clock.advance(2 * peerLifeMs + 1)
    expect(await peers.put('x', said)).toMatchObject({ id: 'x' })
  })
})

describe('what a peer says', () => {
  const read = (value: object): Peer => readPeer(new JsonFields(value, 'peer'))

  test('reads as it was written', () => {
    const stored = '{"format":1,"urls":["http://10.0.0.7:8788"],"zone":"rack-4","cacheBytes":10,"version":"0.4.0","expires":1763724030000}'
    expect(new TextDecoder().decode(encodePeer({ ...said, expires: 1_763_724_030_000 }))).toBe(stored)
    expect(decodePeer(text(stored))).toEqual({ ...said, expires: 1_763_724_030_000 })
    expect(read({ urls: ['https://peer.example/edgemount', 'http://[fd00::7]:8788/'] })).toEqual({
      urls: ['https://peer.example/edgemount', 'http://[fd00::7]:8788/'],
      zone: '',
      cacheBytes: 0,
      version: '',
    })
  })

  test.each([
    'ftp://a',
    'file:///etc/passwd',
    'http://user@a',
    'http://user:secret@a',
    'http://a?x',
    'http://a#x',
    'http://',
    'http://a b',
    'HTTP://a',
    'http://A',
    'http://a/../b',
    'http://0x7f.1',
    'http://a:80',
    'javascript:alert(1)',
    `http://${'a'.repeat(260)}`,
    'http://ü',
    7,
    null,
  ])('does not lie at %j', (url) => {
    expect(() => read({ urls: [url] })).toThrow(/^Cannot read a peer: its url/)
  })

  test.each([{ urls: [] }, { urls: 'http://a' }, { urls: Array.from({ length: 9 }, () => 'http://a') }, { ...said, zone: 'x'.repeat(65) }, { ...said, zone: 'ü' }, { ...said, cacheBytes: -1 }, { ...said, cacheBytes: 1.5 }, { ...said, version: 1 }])(
    'is not %j',
    (value) => {
      expect(() => read(value)).toThrow(/^Cannot read a peer: /)
    },
  )

  test.each(['', '.', '..', 'a/b', '-a', 'ü', 'x'.repeat(65)])('is not of the id %j', async (id) => {
    expect(await failureOf(peersAt().put(id, said))).toBe('invalid')
    expect(await failureOf(peersAt().remove(id))).toBe('invalid')
    expect(spy.calls).toEqual([])
  })
})
