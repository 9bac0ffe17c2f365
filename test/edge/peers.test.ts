/** Peers over HTTP, on each runtime: register, refresh, list, leave; and what is refused. */
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../shared/clock.ts'
import { codeOf } from '../../shared/error.ts'
import { VolumeClient } from '../../shared/wire/client.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import type { EdgeUnderTest } from './edge-under-test.ts'
import { runtimes } from './runtimes.ts'

let edge: EdgeUnderTest

const said = { urls: ['http://10.0.0.7:8788'], zone: 'rack-4', cacheBytes: 10_737_418_240, version: '0.4.0' }

async function put(id: string, body: unknown): Promise<[status: number, answer: Record<string, unknown>]> {
  const response = await edge.fetch(`/v1/demo/peers/${id}`, { method: 'PUT', body: typeof body === 'string' ? body : JSON.stringify(body) })
  return [response.status, await response.json()]
}

async function list(): Promise<{ id: string }[]> {
  const response = await edge.fetch('/v1/demo/peers')
  expect(response.headers.get('cache-control')).toBe('no-store')
  return ((await response.json()) as { items: { id: string }[] }).items
}

describe.each(runtimes)('on %s', (_runtime, start) => {
  beforeEach(async () => {
    edge = await start()
    onTestFinished(() => edge.close())
  })

  it('a peer registers, is listed, refreshes, and leaves', async () => {
    expect(await put('a', said)).toEqual([200, { id: 'a', ...said, leftMs: expect.any(Number) }])
    const { etag } = (await edge.store.get('demo/peers/a'))!
    expect(await put('b', { urls: said.urls })).toMatchObject([200, { zone: '', cacheBytes: 0, version: '' }])
    expect(await (await edge.fetch('/v1')).json()).toEqual({ items: [{ name: 'demo' }], isLast: true })
    expect(await list()).toEqual([{ id: 'a', ...said, leftMs: expect.any(Number) }, expect.objectContaining({ id: 'b' })])
    for (let time = 0; time < 3; time += 1) expect((await put('a', said))[0]).toBe(200)
    expect((await edge.store.get('demo/peers/a'))!.etag).toBe(etag)
    expect(await put('a', { ...said, zone: 'other' })).toMatchObject([429, { error: { code: 'exhausted' } }])
    expect(await (await edge.fetch('/v1/demo/peers/a')).json()).toMatchObject({ id: 'a', zone: 'rack-4' })
    expect((await edge.fetch('/v1/demo/peers/a', { method: 'DELETE' })).status).toBe(204)
    expect((await edge.fetch('/v1/demo/peers/a', { method: 'DELETE' })).status).toBe(204)
    expect((await edge.fetch('/v1/demo/peers/a')).status).toBe(404)
    expect((await list()).map(({ id }) => id)).toEqual(['b'])
  })

  it('what cannot be is refused, and nothing is stored', async () => {
    const bodies = ['', '[]', {}, { urls: [] }, { urls: ['ftp://a'] }, { urls: ['http://user:secret@a'] }, { ...said, more: 1 }, { ...said, cacheBytes: '1' }]
    for (const body of bodies) expect((await put('a', body))[0], JSON.stringify(body)).toBe(400)
    for (const id of ['a%2Fb', '-a', 'x'.repeat(65)]) expect((await put(id, said))[0], id).toBe(400)
    expect((await put('a', 'x'.repeat(9000)))[0]).toBe(413)
    expect((await edge.fetch('/v1/nothing/peers')).status).toBe(404)
    expect(await edge.store.list('demo/peers/')).toEqual([])
  })

  it('the client registers, lists and leaves', async () => {
    const client = new VolumeClient({ url: edge.url, volume: 'demo', fetch, clock: systemClock, random: new SeededRandom(1) })
    const peer = await client.registerPeer('a', said)
    expect(peer).toEqual({ id: 'a', ...said, leftMs: expect.any(Number) })
    expect(await client.peers()).toEqual([{ ...peer, leftMs: expect.any(Number) }])
    expect(await client.registerPeer('a', { urls: ['http://b'] }).catch(codeOf)).toBe('exhausted')
    await client.removePeer('a')
    expect(await client.peers()).toEqual([])
  })
})
