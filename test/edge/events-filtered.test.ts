/** Events of one path: what is told, how the position moves over the rest, and who hears of no more. */
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { createApp } from '../../edge/app.ts'
import { nodeHash } from '../../edge/node.ts'
import { MemoryStore } from '../../edge/store/memory.ts'
import { ScopedStore } from '../../edge/store/scoped.ts'
import { systemClock } from '../../shared/clock.ts'
import { codeOf } from '../../shared/error.ts'
import { Volume } from '../../shared/volume/volume.ts'
import { VolumeClient } from '../../shared/wire/client.ts'
import { EventStreamParser, type StreamEvent } from '../../shared/wire/event-stream.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { testKeys, tokenFor } from './access/tokens.ts'
import type { EdgeUnderTest } from './edge-under-test.ts'
import { runtimes } from './runtimes.ts'

let edge: EdgeUnderTest

/** The events of a stream until one of them is what is waited for; then it is left. */
async function eventsUntil(response: Response, isLast: (event: StreamEvent) => boolean): Promise<StreamEvent[]> {
  const events: StreamEvent[] = []
  const parser = new EventStreamParser()
  for await (const bytes of response.body ?? []) {
    events.push(...parser.push(bytes))
    if (events.some(isLast)) break
  }
  return events
}

const mkdir = (path: string) => ({ op: 'mkdir', path }) as const

describe.each(runtimes)('on %s', (_runtime, start) => {
  beforeEach(async () => {
    edge = await start()
    onTestFinished(() => edge.close())
  })

  it('a stream tells what is below the path, as it is seen from there, and nothing else', async () => {
    await edge.commit(mkdir('/a'), mkdir('/secret'))
    await edge.commit(mkdir('/secret/1'))
    await edge.commit(mkdir('/a/1'))
    const response = await edge.fetch('/v1/demo/events?after=0&prefix=/a')
    setTimeout(() => void edge.commit({ op: 'rename', path: '/secret', to: '/a/2' }), 50)
    const events = await eventsUntil(response, ({ id }) => id === '5')
    const told = events.filter(({ type }) => type === 'commit').map(({ id, data }) => ({ id, ...(JSON.parse(data) as object) }))
    const event = (seq: number, ...operations: object[]) => ({ id: String(seq), seq, time: expect.any(Number), author: 'test', operations })
    expect(told).toEqual([
      event(2, { op: 'mkdir', path: '/a', id: expect.any(Number) }),
      event(4, { op: 'mkdir', path: '/a/1', id: expect.any(Number) }),
      event(5, { op: 'subtree', path: '/a/2' }),
    ])
    expect(JSON.stringify(events)).not.toContain('secret')
  })

  it('a long poll moves on over what is not told, and waits for what is', async () => {
    const poll = async (query: string): Promise<{ events: { seq: number }[]; position: number }> => (await edge.fetch(`/v1/demo/events${query}`)).json()
    for (const name of ['x', 'y']) await edge.commit(mkdir(`/${name}`))
    expect(await poll('?after=0&wait=0&prefix=%2Fa%2F')).toEqual({ events: [], position: 3 })
    expect(await poll('?after=0&wait=0&prefix=/y')).toMatchObject({ events: [{ seq: 3 }], position: 3 })
    const waiting = poll('?after=3&wait=8000&prefix=/a')
    await sleep(50)
    await edge.commit(mkdir('/z'))
    await edge.commit(mkdir('/a'))
    expect(await waiting).toMatchObject({ events: [{ seq: 5 }], position: 5 })
  })

  it('a position that the volume never had is 412, a path that cannot be 400', async () => {
    for (const query of ['?after=2', '?after=2&wait=0', '?after=900719925474099']) {
      const response = await edge.fetch(`/v1/demo/events${query}`)
      expect([response.status, await response.json()], query).toMatchObject([412, { error: { code: 'stale' } }])
    }
    expect((await edge.fetch('/v1/demo/events', { headers: { 'last-event-id': '7' } })).status).toBe(412)
    for (const prefix of ['a//b', '/a/../b', '%2', '/a%2F%2Fb', '/a%00']) expect((await edge.fetch(`/v1/demo/events?wait=0&prefix=${prefix}`)).status, prefix).toBe(400)
  })

  it('the client follows a path, and gives up where there is nothing to follow', async () => {
    const client = new VolumeClient({ url: edge.url, volume: 'demo', fetch, clock: systemClock, random: new SeededRandom(1) })
    const stop = new AbortController()
    onTestFinished(() => stop.abort())
    const events = client.eventsWithin('/a b/ü', { after: 1, signal: stop.signal })
    for (const path of ['/a b', '/x', '/a b/ü', '/a b/ü/c']) await edge.commit(mkdir(path))
    // What is made above may have come with something in it.
    const told = [await events.next(), await events.next(), await events.next()].map(({ value }) => value)
    expect(told.map(({ seq, operations }) => [seq, operations[0]?.op, operations[0]?.path])).toEqual([
      [2, 'subtree', '/a b/ü'],
      [4, 'mkdir', '/a b/ü'],
      [5, 'mkdir', '/a b/ü/c'],
    ])
    stop.abort()
    await events.return(undefined as never).catch(() => undefined)
    const signal = AbortSignal.timeout(5000)
    expect(await client.events({ after: 99, signal }).next().catch(codeOf)).toBe('stale')
  })
})

/** An app that nothing but the test drives. */
async function appBed(clock: ManualClock | undefined, commitCount = 0): Promise<{ volume: Volume; ask: (path: string, token?: string) => Promise<Response> }> {
  const store = new MemoryStore()
  const engine = { clock: systemClock, random: new SeededRandom(1), hash: nodeHash }
  const volume = await Volume.create({ ...engine, store: new ScopedStore(store, 'demo') }, { name: 'demo' })
  for (let index = 0; index < commitCount; index += 1) await volume.writer().commit([mkdir(`/d${index}`)])
  const access = clock === undefined ? { access: { keys: testKeys } } : {}
  const app = createApp({ ...engine, store, clock: clock ?? systemClock, pollMs: 20, ...access })
  onTestFinished(() => app.dispose())
  return {
    volume,
    ask: async (path, token) => await app.fetch(new Request(`http://edge.test/v1/demo/events${path}`, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } })),
  }
}

it('a stream that catches up tells its position now and then, so that a resume need not read all again', async () => {
  const { ask } = await appBed(new ManualClock(), 250)
  const events = await eventsUntil(await ask('?after=0&prefix=/d249'), ({ type }) => type === 'commit')
  expect(events.map(({ id, type }) => [id, type])).toEqual([['0', 'position'], ['100', 'position'], ['200', 'position'], ['251', 'commit']])
})

it('a silent stream beats every 15 s, and then tells how far it is', async () => {
  const clock = new ManualClock()
  const { ask, volume } = await appBed(clock)
  const reader = (await ask('?prefix=/a')).body!.getReader()
  const next = async (): Promise<string> => new TextDecoder().decode((await clock.runUntil(reader.read())).value)
  expect(await next()).toBe('retry: 1000\n\nid: 1\nevent: position\ndata: {"seq":1}\n\n')
  const since = clock.now()
  expect(await next()).toBe(': still here\n\n')
  expect(clock.now() - since).toBe(15_000)
  await volume.writer().commit([mkdir('/other')])
  expect(await next()).toBe('id: 2\nevent: position\ndata: {"seq":2}\n\n')
  expect(clock.now() - since).toBe(30_000)
  await reader.cancel()
})

describe('by a token', () => {
  const limited = { prefix: '/a', rights: ['read', 'list'] } as const

  it('that reaches a part of the volume that part is told, and no other', async () => {
    const { ask, volume } = await appBed(undefined)
    await volume.writer().commit([mkdir('/a'), mkdir('/secret')])
    const token = await tokenFor(limited)
    const answer = await (await ask('?after=0&wait=0', token)).text()
    expect(answer).toContain('"path":"/a"')
    expect(answer).not.toContain('secret')
    const statusOf = async (query: string, by: string): Promise<number> => (await ask(`?wait=0${query}`, by)).status
    expect(await statusOf('&prefix=/a/b', token)).toBe(200)
    for (const prefix of ['/', '/b', '/ab']) expect(await statusOf(`&prefix=${prefix}`, token), prefix).toBe(403)
    expect(await statusOf('', await tokenFor({ ...limited, rights: ['read'] }))).toBe(403)
    expect(await statusOf('', await tokenFor({ ...limited, volume: 'other' }))).toBe(403)
    expect(await statusOf('', await tokenFor({ ...limited, rights: ['read'], reach: { kind: 'file', seq: undefined } }))).toBe(403)
    expect((await ask('?wait=0')).status).toBe(401)
  })

  it('a stream ends with the token', async () => {
    const { ask } = await appBed(undefined)
    const response = await ask('', await tokenFor({ ...limited, expiry: Math.floor(systemClock.now() / 1000) + 2 }))
    expect(response.status).toBe(200)
    const start = systemClock.now()
    await response.text()
    expect(systemClock.now() - start).toBeLessThan(3500)
  })
})
