/** Upload and delete: one commit each, preconditions that hold, and nothing visible of what broke off. */
import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { type App, createApp } from '../../edge/app.ts'
import { nodeHash } from '../../edge/node.ts'
import { aroundCalls } from '../../edge/store/around.ts'
import { systemClock } from '../../shared/clock.ts'
import type { Operation } from '../../shared/volume/operation.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { pattern } from '../support/store-bytes.ts'
import { type EdgeUnderTest, fileOperation } from './edge-under-test.ts'
import { quickRuntimes } from './runtimes.ts'

let edge: EdgeUnderTest

const put = (path: string, body: Uint8Array | string, headers: Record<string, string> = {}): Promise<Response> =>
  edge.fetch(`/v1/demo/files${path}`, { method: 'PUT', body: typeof body === 'string' ? body : new Uint8Array(body), headers })
const remove = (path: string, headers: Record<string, string> = {}): Promise<Response> => edge.fetch(`/v1/demo/files${path}`, { method: 'DELETE', headers })
const text = async (path: string): Promise<string> => await (await edge.fetch(`/v1/demo/files${path}`)).text()
const seq = async (): Promise<number> => (await edge.volume.head()).seq

describe.each(quickRuntimes)('on %s', (_runtime, start) => {
  beforeEach(async () => {
    edge = await start()
    onTestFinished(() => edge.close())
  })

  describe('PUT', () => {
    it('makes a file and its directories in one commit, then replaces it', async () => {
      const before = await seq()
      const made = await put('/a/b/c.txt', 'hello')
      expect(made.status).toBe(201)
      expect(made.headers.get('etag')).toBe(`"${createHash('sha256').update('hello').digest('hex')}"`)
      expect(made.headers.get('edgemount-seq')).toBe(String(before + 1))
      expect(await seq()).toBe(before + 1)
      expect(await text('/a/b/c.txt')).toBe('hello')
      const replaced = await put('/a/b/c.txt', 'bye')
      expect(replaced.status).toBe(204)
      expect(await text('/a/b/c.txt')).toBe('bye')
      const served = await edge.fetch('/v1/demo/files/a/b/c.txt')
      expect(served.headers.get('etag')).toBe(replaced.headers.get('etag'))
    })

    it.each([0, 1, 4096, 4097, 1_000_000, 9_000_000])('%i bytes come back', async (length) => {
      const body = pattern(length)
      expect((await put('/x', body)).status).toBe(201)
      const served = new Uint8Array(await (await edge.fetch('/v1/demo/files/x')).arrayBuffer())
      expect(Buffer.compare(served, body)).toBe(0)
    })

    it('takes a stream of unknown length', async () => {
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => {
          for (let index = 0; index < 50; index += 1) controller.enqueue(new Uint8Array(10_000).fill(index))
          controller.close()
        },
      })
      const init: RequestInit & { duplex: 'half' } = { method: 'PUT', body, duplex: 'half' }
      expect((await edge.fetch('/v1/demo/files/streamed', init)).status).toBe(201)
      expect((await edge.fetch('/v1/demo/files/streamed', { method: 'HEAD' })).headers.get('content-length')).toBe('500000')
    })

    it('stores the times and mode it is given', async () => {
      await put('/x', 'x', { 'edgemount-mtime': '1700000000.123456789', 'edgemount-mode': '750' })
      const entry = await (await edge.volume.head()).resolve('/x')
      expect(entry).toMatchObject({ mode: 0o750, mtime: { seconds: 1_700_000_000, nanoseconds: 123_456_789 } })
      await put('/y', 'y', { 'edgemount-mtime': '-1.25' })
      expect((await (await edge.volume.head()).resolve('/y')).mtime).toEqual({ seconds: -2, nanoseconds: 750_000_000 })
    })

    it('writes through symlinks, where GET reads', async () => {
      await put('/dir/real', 'old')
      await edge.commit({ op: 'symlink', path: '/to-file', target: 'dir/real' }, { op: 'symlink', path: '/to-dir', target: '/dir' })
      expect((await put('/to-file', 'new')).status).toBe(204)
      expect(await text('/dir/real')).toBe('new')
      expect((await put('/to-dir/other', 'other')).status).toBe(201)
      expect(await text('/dir/other')).toBe('other')
      expect((await (await edge.volume.head()).resolve('/to-file')).kind).toBe('symlink')
    })

    it.each<[string, Record<string, string>, number]>([
      ['/', {}, 400],
      ['/dir/', {}, 400],
      ['/dir', {}, 409],
      ['/dir/file/below', {}, 400],
      ['/a%2Fb', {}, 400],
      ['/x', { 'content-range': 'bytes 0-0/2' }, 400],
      ['/x', { 'content-encoding': 'gzip' }, 415],
      ['/x', { 'edgemount-mtime': 'now' }, 400],
      ['/x', { 'edgemount-mode': '9' }, 400],
      ['/x', { origin: 'https://elsewhere.example' }, 403],
      ['/x', { 'if-match': '*' }, 412],
      ['/dir/file', { 'if-none-match': '*' }, 412],
      ['/dir/file', { 'if-match': '"other"' }, 412],
      ['/dir/file', { 'if-unmodified-since': 'Thu, 01 Jan 1970 00:00:00 GMT' }, 412],
    ])('%s with %j is refused: %d', async (path, headers, status) => {
      await put('/dir/file', 'file')
      const before = await seq()
      const response = await put(path, 'body', headers)
      expect(response.status).toBe(status)
      expect(response.headers.get('cache-control')).toBe('no-store')
      expect(await seq()).toBe(before)
    })

    it('of many racing If-None-Match: * exactly one wins', async () => {
      const answers = await Promise.all(Array.from({ length: 12 }, (_, index) => put('/once', `body ${index}`, { 'if-none-match': '*' })))
      expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, ...Array.from({ length: 11 }, () => 412)])
      expect(await text('/once')).toBe(`body ${answers.findIndex(({ status }) => status === 201)}`)
    })

    it('of many racing If-Match exactly one wins, and nothing is left beside it', async () => {
      const etag = (await put('/once', 'first')).headers.get('etag') ?? ''
      const answers = await Promise.all(Array.from({ length: 12 }, (_, index) => put('/once', `body ${index}`, { 'if-match': etag })))
      expect(answers.filter(({ status }) => status === 204)).toHaveLength(1)
      expect(answers.filter(({ status }) => status === 412)).toHaveLength(11)
      expect((await (await edge.volume.head()).list('/')).items.map(({ name }) => name)).toEqual(['once'])
    })

    it('a file that is made once can be a lock, also between edges and with the same body', async () => {
      const app = (seed: number): App => createApp({ store: edge.store, clock: systemClock, random: new SeededRandom(seed), hash: nodeHash })
      const apps = [app(11), app(12), app(13)]
      const init: RequestInit = { method: 'PUT', body: 'mine', headers: { 'if-none-match': '*' } }
      for (let round = 0; round < 10; round += 1) {
        const answers = await Promise.all(apps.map((one) => one.fetch(new Request(`http://edge.test/v1/demo/files/lock-${round}`, init))))
        expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 412, 412])
      }
      const held = await put('/held', 'x')
      const release: RequestInit = { method: 'DELETE', headers: { 'if-match': held.headers.get('etag') ?? '' } }
      const released = await Promise.all(apps.map((one) => one.fetch(new Request('http://edge.test/v1/demo/files/held', release))))
      expect(released.filter(({ status }) => status === 204)).toHaveLength(1)
      await Promise.all(apps.map((one) => one.dispose()))
    })

    it('racing writers of different files all get through', async () => {
      const answers = await Promise.all(Array.from({ length: 30 }, (_, index) => put(`/many/${index}`, `body ${index}`)))
      expect(answers.every(({ status }) => status === 201)).toBe(true)
      expect((await (await edge.volume.head()).list('/many')).items).toHaveLength(30)
    })

    it.each([
      ['with a length', 'content-length: 1000000\r\n', ''],
      ['in chunks', 'transfer-encoding: chunked\r\n', '10000\r\n'],
    ])('a body that breaks off (%s) leaves nothing', async (_, framing, lead) => {
      const before = await seq()
      await new Promise<void>((resolve) => {
        const socket = connect({ port: edge.port, host: '127.0.0.1' }, () => {
          socket.write(`PUT /v1/demo/files/broken HTTP/1.1\r\nhost: localhost\r\n${framing}\r\n${lead}`)
          socket.write(pattern(60_000), () => setTimeout(() => socket.destroy(), 50))
        })
        socket.on('error', () => undefined)
        socket.on('close', () => resolve())
      })
      await sleep(150)
      expect(await seq()).toBe(before)
      expect((await edge.fetch('/v1/demo/files/broken')).status).toBe(404)
    })
  })

  describe('a commit that comes in between', () => {
    /** An edge whose next commit loses its slot to these operations. */
    async function overtaken(...operations: Operation[]): Promise<App> {
      let isFirst = true
      const store = aroundCalls(edge.store, async ({ operation, key }, run) => {
        if (isFirst && operation === 'create' && key.includes('/log/')) {
          isFirst = false
          await edge.commit(...operations)
        }
        return await run(undefined)
      })
      const app = createApp({ store, clock: systemClock, random: new SeededRandom(21), hash: nodeHash })
      onTestFinished(() => app.dispose())
      return app
    }
    const ask = (app: App, path: string, init: RequestInit): Promise<Response> => app.fetch(new Request(`http://edge.test/v1/demo/files${path}`, init))

    it('and renames the directory: a PUT is refused and writes nowhere', async () => {
      await put('/dir/old', 'old')
      const app = await overtaken({ op: 'rename', path: '/dir', to: '/moved' })
      const before = await seq()
      expect((await ask(app, '/dir/new', { method: 'PUT', body: 'new' })).status).toBe(412)
      expect(await seq()).toBe(before + 1)
      expect((await (await edge.volume.head()).list('/moved')).items.map(({ name }) => name)).toEqual(['old'])
    })

    it('and has nothing to do with it: a PUT is done and says what was written', async () => {
      const app = await overtaken({ op: 'mkdir', path: '/else' })
      for (const body of ['small', new Uint8Array(pattern(100_000))]) {
        const done = await ask(app, '/dir/new', { method: 'PUT', body })
        expect([201, 204]).toContain(done.status)
        expect((await edge.fetch('/v1/demo/files/dir/new')).headers.get('etag')).toBe(done.headers.get('etag'))
      }
    })

    it('and adds a file: removing the directory with all of it is refused and removes nothing', async () => {
      await put('/dir/a', 'a')
      await put('/dir/b', 'b')
      const app = await overtaken(await fileOperation(edge.volume, '/dir/c', 'c'))
      const refused = await ask(app, '/dir?recursive=1', { method: 'DELETE' })
      expect([refused.status, await refused.text()]).toEqual([412, expect.stringMatching(/"code":"stale".*another commit changed it meanwhile/)])
      expect((await (await edge.volume.head()).list('/dir')).items.map(({ name }) => name)).toEqual(['a', 'b', 'c'])
    })
  })

  describe('DELETE', () => {
    it('removes a file in one commit', async () => {
      await put('/dir/x', 'x')
      const before = await seq()
      expect((await remove('/dir/x')).status).toBe(204)
      expect(await seq()).toBe(before + 1)
      expect((await edge.fetch('/v1/demo/files/dir/x')).status).toBe(404)
      expect((await remove('/dir/x')).status).toBe(404)
      expect((await remove('/dir')).status).toBe(204)
    })

    it('removes a directory with what is in it only when that is said', async () => {
      await put('/dir/a/b', 'x')
      expect((await remove('/dir')).status).toBe(409)
      expect((await remove('/dir?recursive=1')).status).toBe(204)
      expect((await remove('/')).status).toBe(400)
    })

    it('removes a symlink and not what it leads to', async () => {
      await put('/dir/real', 'x')
      await edge.commit({ op: 'symlink', path: '/link', target: 'dir/real' }, { op: 'symlink', path: '/to-dir', target: 'dir' })
      expect((await remove('/link')).status).toBe(204)
      expect(await text('/dir/real')).toBe('x')
      expect((await remove('/to-dir/real')).status).toBe(204)
      expect((await edge.fetch('/v1/demo/files/dir/real')).status).toBe(404)
    })

    it('heeds preconditions', async () => {
      const etag = (await put('/x', 'x')).headers.get('etag') ?? ''
      expect((await remove('/x', { 'if-match': '"other"' })).status).toBe(412)
      expect((await remove('/x', { 'if-match': etag })).status).toBe(204)
    })
  })
})
