/** Leases over HTTP, on each runtime: one holder, epochs, and writes that are refused when theirs is not the current one. */
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { createApp } from '../../edge/app.ts'
import { MemoryStore } from '../../edge/store/memory.ts'
import { systemClock } from '../../shared/clock.ts'
import { codeOf } from '../../shared/error.ts'
import { encodeRecord } from '../../shared/format/commit.ts'
import { VolumeClient } from '../../shared/wire/client.ts'
import { hashOf } from '../support/hash-of.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { type EdgeUnderTest, startEdge } from './edge-under-test.ts'
import { runtimes } from './runtimes.ts'

let edge: EdgeUnderTest

async function ask(body: unknown, name = 'writer'): Promise<[status: number, answer: Record<string, unknown>]> {
  const response = await edge.fetch(`/v1/demo/leases/${name}`, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) })
  return [response.status, await response.json()]
}

const acquire = (holder: string) => ({ action: 'acquire', holder, nonce: `nonce of ${holder}`, leaseMs: 30_000 })

describe.each(runtimes)('on %s', (_runtime, start) => {
  beforeEach(async () => {
    edge = await start()
    onTestFinished(() => edge.close())
  })

  it('a lease is acquired, refused, renewed, fenced, released and read', async () => {
    expect(await ask(acquire('a'))).toEqual([200, { name: 'writer', epoch: 1, holder: 'a', isReleased: false, leaseMs: 30_000, leftMs: expect.any(Number) }])
    expect(await ask(acquire('b'))).toMatchObject([409, { error: { code: 'conflict' } }])
    expect(await ask(acquire('a'))).toMatchObject([200, { epoch: 1 }])
    expect(await ask({ action: 'renew', holder: 'a', epoch: 1, leaseMs: 60_000 })).toMatchObject([200, { leaseMs: 60_000 }])
    expect(await ask({ action: 'renew', holder: 'b', epoch: 1, leaseMs: 60_000 })).toMatchObject([412, { error: { code: 'stale' } }])
    expect(await ask({ action: 'fence', epoch: 1 })).toMatchObject([200, { holder: 'a' }])
    expect(await ask({ action: 'release', holder: 'a', epoch: 1 })).toMatchObject([200, { isReleased: true, leftMs: 0 }])
    expect(await ask(acquire('b'))).toMatchObject([200, { epoch: 2, holder: 'b' }])
    expect(await ask({ action: 'fence', epoch: 1 })).toMatchObject([412, { error: { code: 'stale' } }])
    const read = await edge.fetch('/v1/demo/leases/writer')
    expect([read.headers.get('cache-control'), await read.json()]).toMatchObject(['no-store', { epoch: 2, holder: 'b' }])
    expect((await edge.fetch('/v1/demo/leases/other')).status).toBe(404)
    expect(await ask({ action: 'fence', epoch: 1 }, 'other')).toMatchObject([404, { error: { code: 'not-found' } }])
  })

  it('of 64 who ask at once one has it', async () => {
    const answers = await Promise.all(Array.from({ length: 64 }, (_, index) => ask(acquire(`racer ${index}`))))
    expect(answers.filter(([status]) => status === 200)).toHaveLength(1)
    expect(answers.filter(([status]) => status === 409)).toHaveLength(63)
  })

  it('what cannot be is 400', async () => {
    const bodies = [
      '',
      '{',
      '[]',
      {},
      { action: 'steal', epoch: 1 },
      { ...acquire('a'), leaseMs: 999 },
      { ...acquire('a'), leaseMs: '30000' },
      { ...acquire('a'), holder: 'x'.repeat(256) },
      { ...acquire('a'), more: 1 },
      { action: 'acquire', holder: 'a', leaseMs: 30_000 },
      { action: 'fence', epoch: 0 },
    ]
    for (const body of bodies) expect((await ask(body))[0], JSON.stringify(body)).toBe(400)
    for (const name of ['%41', 'a%2Fb', '-a', 'x'.repeat(129)]) expect((await ask(acquire('a'), name))[0], name).toBe(400)
    expect((await ask('x'.repeat(9000)))[0]).toBe(413)
    expect(await edge.store.list('demo/leases/')).toEqual([])
  })

  it('writes under an epoch go through while it is the current one', async () => {
    await ask(acquire('a'))
    const put = (lease: string): Promise<Response> => edge.fetch('/v1/demo/files/f', { method: 'PUT', body: lease, headers: { 'edgemount-lease': lease } })
    expect((await put('writer;1')).status).toBe(201)
    expect((await put('writer; 1')).status).toBe(204)
    for (const lease of ['writer', 'writer;', ';1', 'writer;x', 'a/b;1']) expect((await put(lease)).status, lease).toBe(400)
    await ask({ action: 'release', holder: 'a', epoch: 1 })
    await ask(acquire('b'))
    for (const lease of ['writer;1', 'writer;3', 'other;1']) {
      const refused = await put(lease)
      expect([refused.status, await refused.json()]).toMatchObject([409, { error: { code: 'conflict', reason: 'lease' } }])
    }
    expect((await edge.fetch('/v1/demo/files/f', { method: 'DELETE', headers: { 'edgemount-lease': 'writer;1' } })).status).toBe(409)
    expect(await (await edge.fetch('/v1/demo/files/f')).text()).toBe('writer; 1')
    expect((await edge.fetch('/v1/demo/files/f', { method: 'DELETE', headers: { 'edgemount-lease': 'writer;2' } })).status).toBe(204)
    const { record } = await edge.volume.head()
    const next = encodeRecord({ ...record, seq: record.seq + 1, parent: hashOf(encodeRecord(record)), nonce: 'n', operations: [] })
    const publish = (lease: string): Promise<Response> =>
      edge.fetch(`/v1/demo/log/${record.seq + 1}`, { method: 'POST', body: new Uint8Array(next), headers: { 'edgemount-lease': lease } })
    expect([(await publish('writer;1')).status, (await publish('writer;2')).status]).toEqual([409, 201])
  })

  it('the client asks for leases', async () => {
    const client = new VolumeClient({ url: edge.url, volume: 'demo', fetch, clock: systemClock, random: new SeededRandom(1) })
    const request = { action: 'acquire', holder: 'a', nonce: 'n', leaseMs: 30_000 } as const
    const lease = await client.askLease('writer', request)
    expect(lease).toEqual({ name: 'writer', epoch: 1, holder: 'a', isReleased: false, leaseMs: 30_000, leftMs: expect.any(Number) })
    expect(await client.askLease('writer', { ...request, holder: 'b' }).catch(codeOf)).toBe('conflict')
    expect(await client.askLease('writer', { action: 'fence', epoch: 2 }).catch(codeOf)).toBe('stale')
  })
})

it('two edges over one store give one lease', async () => {
  const store = new MemoryStore()
  edge = await startEdge({ store })
  onTestFinished(() => edge.close())
  const other = createApp({ store, clock: systemClock, random: new SeededRandom(3) })
  onTestFinished(() => other.dispose())
  const statuses = await Promise.all(Array.from({ length: 64 }, async (_, index) => {
    const init = { method: 'POST', body: JSON.stringify(acquire(`racer ${index}`)) }
    const path = '/v1/demo/leases/writer'
    return (await (index % 2 === 0 ? edge.fetch(path, init) : other.fetch(new Request(`http://edge.test${path}`, init)))).status
  }))
  expect(statuses.filter((status) => status === 200)).toHaveLength(1)
})
