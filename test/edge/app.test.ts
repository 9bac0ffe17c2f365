/** What every address has in common: methods, CORS, errors, documents, health. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../edge/app.ts'
import { aroundCalls } from '../../edge/store/around.ts'
import { MemoryStore } from '../../edge/store/memory.ts'
import { systemClock } from '../../shared/clock.ts'
import { encodeVolumeConfig } from '../../shared/format/commit.ts'
import type { Logger } from '../../shared/log.ts'
import type { ObjectStore } from '../../shared/store.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { type EdgeUnderTest, fileOperation, startEdge } from './edge-under-test.ts'

let edge: EdgeUnderTest

beforeAll(async () => {
  edge = await startEdge()
  await edge.commit(await fileOperation(edge.volume, '/x.txt', 'hello'))
})

afterAll(() => edge.close())

const app = createApp({ store: new MemoryStore(), clock: systemClock, random: new SeededRandom(3) })
const json = async (response: Response): Promise<Record<string, unknown>> => JSON.parse(await response.text())

interface DescribedOperation {
  readonly operationId: string
  readonly parameters: readonly { readonly name: string; readonly in: string }[]
}

describe('/openapi.json', () => {
  it('has every route that is registered, and no other', async () => {
    const document = await json(await edge.fetch('/openapi.json'))
    const described: string[] = []
    for (const [template, operations] of Object.entries(document['paths'] ?? {})) {
      for (const method of Object.keys(operations)) if (method !== 'head') described.push(`${method.toUpperCase()} ${template}`)
    }
    expect(described.toSorted()).toEqual(app.routes.map(({ method, pattern }) => `${method} ${pattern}`).toSorted())
  })

  it('names each operation once, and each parameter of its path', async () => {
    const document = await json(await edge.fetch('/openapi.json'))
    const ids: string[] = []
    const paths: Record<string, Record<string, DescribedOperation>> = Object.assign({}, document['paths'])
    for (const [template, operations] of Object.entries(paths)) {
      for (const operation of Object.values(operations)) {
        ids.push(operation.operationId)
        const inPath = operation.parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => `{${name}}`)
        expect(inPath).toEqual(template.match(/\{\w+\}/g) ?? [])
      }
    }
    expect(new Set(ids).size).toBe(ids.length)
  })
})

describe('methods', () => {
  it.each([
    ['POST', '/v1/demo/files/x.txt', 'GET, HEAD, PUT, DELETE, OPTIONS'],
    ['PATCH', '/v1/demo/files/x.txt', 'GET, HEAD, PUT, DELETE, OPTIONS'],
    ['DELETE', '/v1/demo/stat/x.txt', 'GET, HEAD, OPTIONS'],
    ['PUT', '/v1/demo/@1/x.txt', 'GET, HEAD, OPTIONS'],
    ['PUT', '/v1/demo/log/1', 'GET, HEAD, POST, OPTIONS'],
    ['GET', '/v1/demo/packs', 'POST, OPTIONS'],
    ['DELETE', '/v1/demo', 'GET, HEAD, PUT, OPTIONS'],
    ['POST', '/healthz', 'GET, HEAD, OPTIONS'],
    ['PROPFIND', '/v1/demo/files/', 'GET, HEAD, PUT, DELETE, OPTIONS'],
  ])('%s %s is 405 with what is allowed', async (method, path, allow) => {
    const response = await edge.raw({ method, path })
    expect(response.status).toBe(405)
    expect(response.headers['allow']).toBe(allow)
  })

  it.each(['/', '/healthz', '/metrics', '/openapi.json', '/v1', '/v1/demo', '/v1/demo/head', '/v1/demo/log', '/v1/demo/log/1', '/v1/demo/stat/x.txt', '/v1/demo/list/', '/v1/demo/manifest/x.txt', '/v1/demo/files/', '/v1/demo/events?wait=0'])(
    'HEAD %s answers like GET, without a body',
    async (path) => {
      const head = await edge.raw({ method: 'HEAD', path })
      const get = await edge.raw({ path })
      expect([head.status, head.body.length]).toEqual([get.status, 0])
      expect(head.headers['content-type']).toBe(get.headers['content-type'])
    },
  )
})

describe('CORS', () => {
  it('lets a page of any origin read, ranges included', async () => {
    const preflight = await edge.raw({
      method: 'OPTIONS',
      path: '/v1/demo/files/x.txt',
      headers: { origin: 'https://page.example', 'access-control-request-method': 'GET', 'access-control-request-headers': 'range, if-none-match' },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-headers': 'range, if-none-match',
      'access-control-allow-methods': 'GET, HEAD, PUT, DELETE, OPTIONS',
    })
    for (const [path, status] of [['/v1/demo/files/x.txt', 200], ['/v1/demo/files/none', 404]] as const) {
      const response = await edge.raw({ path, headers: { origin: 'https://page.example' } })
      expect(response.status).toBe(status)
      expect(response.headers['access-control-allow-origin']).toBe('*')
      const exposed = response.headers['access-control-expose-headers']?.split(', ')
      expect(exposed).toEqual(expect.arrayContaining(['Content-Range', 'Accept-Ranges', 'Content-Length', 'ETag', 'Last-Modified']))
    }
  })

  it.each(['PUT', 'DELETE'])('does not let a page of another origin %s', async (method) => {
    const foreign = await edge.raw({ method, path: '/v1/demo/files/x.txt', headers: { origin: 'https://page.example' }, body: 'x' })
    expect(foreign.status).toBe(403)
    const opaque = await edge.raw({ method, path: '/v1/demo/files/x.txt', headers: { origin: 'null' }, body: 'x' })
    expect(opaque.status).toBe(403)
  })

  it('lets its own pages write', async () => {
    const response = await edge.raw({ method: 'PUT', path: '/v1/demo/files/own', headers: { origin: 'http://localhost' }, body: 'x' })
    expect(response.status).toBe(201)
  })
})

describe('volumes', () => {
  it('made by engines elsewhere, too, are refused by a store that cannot hold them', async () => {
    const inner = new MemoryStore()
    const store: ObjectStore = {
      ...aroundCalls(inner, (_, run) => run(undefined)),
      create: (key, body) => inner.put(key, body).then(() => true),
    }
    const own = createApp({ store, clock: systemClock, random: new SeededRandom(4) })
    const whole = Buffer.from(encodeVolumeConfig({ ...edge.volume.config, name: 'far', capabilities: [] }))
    const asked = (): Promise<Response> => own.fetch(new Request('http://localhost/v1/far', { method: 'PUT', body: whole }))
    const response = await asked()
    expect([response.status, await response.text()]).toEqual([501, expect.stringContaining('creates of one key 4 were told that they were first')])
    expect(await inner.list('')).toEqual([])
    await inner.put('far/volume.json', whole)
    expect((await asked()).status).toBe(409)
  })

  it('are made, listed and described', async () => {
    expect((await edge.fetch('/v1/zebra', { method: 'PUT' })).status).toBe(201)
    expect((await edge.fetch('/v1/zebra', { method: 'PUT' })).status).toBe(409)
    expect((await edge.fetch('/v1/fixed', { method: 'PUT', body: '{"chunking":{"kind":"fixed","bytes":131072}}' })).status).toBe(201)
    expect(await json(await edge.fetch('/v1'))).toEqual({ items: [{ name: 'demo' }, { name: 'fixed' }, { name: 'zebra' }], isLast: true })
    expect(await json(await edge.fetch('/v1?limit=1'))).toEqual({ items: [{ name: 'demo' }], isLast: false })
    expect(await json(await edge.fetch('/v1?after=demo&limit=1'))).toMatchObject({ items: [{ name: 'fixed' }] })
    expect(await json(await edge.fetch('/v1/fixed'))).toMatchObject({ name: 'fixed', chunking: { kind: 'fixed', bytes: 131_072 } })
    expect((await edge.fetch('/v1/none')).status).toBe(404)
  })

  it.each([
    ['/v1/-x', ''],
    ['/v1/.x', ''],
    [`/v1/${'x'.repeat(64)}`, ''],
    ['/v1/a%20b', ''],
    ['/v1/new', '{'],
    ['/v1/new', '{"chunking":{"kind":"fixed"}}'],
    ['/v1/new', '{"chunking":{"kind":"fixed","bytes":3}}'],
    ['/v1/new', '{"format":1,"id":"x","name":"other"}'],
  ])('PUT %s %s is refused', async (path, body) => {
    expect((await edge.fetch(path, { method: 'PUT', body })).status).toBe(400)
  })
})

describe('health and metrics', () => {
  it('say how it is', async () => {
    expect(await json(await edge.fetch('/healthz'))).toEqual({ status: 'ok' })
    expect(await json(await edge.fetch('/healthz?deep=1'))).toEqual({ status: 'ok' })
    const metrics = await (await edge.fetch('/metrics')).text()
    expect(metrics.split('\n').filter((line) => /^edgemount_edge_requests_total\{method="GET",route="\/healthz",status="200"\} [23]$/.test(line))).toHaveLength(1)
  })

  it('/ says what this is, to people and programs', async () => {
    expect(await (await edge.fetch('/')).text()).toContain('GET    /v1/{volume}/files/{path}')
    const page = await edge.fetch('/', { headers: { accept: 'text/html' } })
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(await page.text()).toContain('<a href="./openapi.json">')
  })
})

describe('errors', () => {
  it('of the edge itself are logged once and say nothing of their inside', async () => {
    const lines: string[] = []
    const note = (message: string, fields?: object): void => void lines.push(`${message} ${JSON.stringify(fields)}`)
    const log: Logger = { debug: note, info: note, warn: note, error: note }
    const broken = new MemoryStore()
    broken.get = () => Promise.reject(new TypeError('secret of /home/somebody'))
    const failing = createApp({ store: broken, clock: systemClock, random: new SeededRandom(4), log })
    const response = await failing.fetch(new Request('http://edge.test/v1/demo/files/x'))
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain('secret')
    expect(lines).toHaveLength(1)
  })

  it('of what this edge cannot do are those of its clients, and are not logged', async () => {
    const lines: string[] = []
    const note = (message: string): void => void lines.push(message)
    const app = createApp({ store: new MemoryStore(), clock: systemClock, random: new SeededRandom(4), log: { debug: note, info: note, warn: note, error: note } })
    const response = await app.fetch(new Request('http://edge.test/v1/demo/share/x', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"seconds":60}' }))
    expect([response.status, lines]).toEqual([501, []])
  })

  it('name their code, and are never stored', async () => {
    const response = await edge.fetch('/v1/demo/files/none')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await json(response)).toEqual({ error: { code: 'not-found', message: 'Cannot open "/none": it does not exist' } })
  })
})

describe('an edge that only reads', () => {
  const reading = createApp({ store: new MemoryStore(), clock: systemClock, random: new SeededRandom(4), isReadOnly: true })
  it.each([
    ['PUT', '/v1/v/files/x'],
    ['DELETE', '/v1/v/files/x'],
    ['PUT', '/v1/v'],
    ['POST', '/v1/v/packs'],
    ['POST', '/v1/v/log/2'],
  ])('refuses %s %s', async (method, path) => {
    const response = await reading.fetch(new Request(`http://localhost${path}`, { method, ...(method === 'DELETE' ? {} : { body: 'x' }) }))
    expect(response.status).toBe(403)
    expect(await response.text()).toContain('this edge only reads')
  })
})
