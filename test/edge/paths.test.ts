/** Addresses: names of any bytes, symlinks, directories as JSON and HTML, snapshots, and what is refused. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeName } from '../../shared/name.ts'
import type { RawResponse } from '../support/raw-http.ts'
import { type EdgeUnderTest, fileOperation } from './edge-under-test.ts'
import { runtimes } from './runtimes.ts'

let edge: EdgeUnderTest
let firstSeq: number

const strange: readonly (readonly [string, string])[] = [
  ['a b', 'a%20b'],
  ['ü', '%C3%BC'],
  ['100%', '100%25'],
  ['q?x#y', 'q%3Fx%23y'],
  ['plus+and&', 'plus+and&'],
  ['new\nline', 'new%0Aline'],
  ['tab\t"quote"', 'tab%09%22quote%22'],
  ['<b>&', '%3Cb%3E&'],
  [decodeName(Uint8Array.of(0x66, 0xff, 0x80)), 'f%FF%80'],
  ['@1', '@1'],
  ['..x', '..x'],
  ['back\\slash', 'back%5Cslash'],
  ['emoji 🦔', 'emoji%20%F0%9F%A6%94'],
  ['x'.repeat(255), 'x'.repeat(255)],
]

const get = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<RawResponse> => edge.raw({ method, path, headers })
const html = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }

function errorOf(response: RawResponse): unknown {
  return JSON.parse(response.body.toString()).error.code
}

describe.each(runtimes)('on %s', (_runtime, start) => {
  beforeAll(async () => {
    edge = await start()
    const files = [
      fileOperation(edge.volume, '/dir/a.html', '<p>a</p>'),
      fileOperation(edge.volume, '/dir/b/c.txt', 'c'),
      fileOperation(edge.volume, '/@1/inside', 'a directory that looks like a snapshot'),
      ...strange.filter(([name]) => name !== '@1').map(([name]) => fileOperation(edge.volume, `/strange/${name}`, name)),
      fileOperation(edge.volume, '/strange/@1', '@1'),
    ]
    firstSeq = await edge.commit(
      ...(await Promise.all(files)),
      { op: 'symlink', path: '/to-file', target: 'dir/b/c.txt' },
      { op: 'symlink', path: '/to-dir', target: '/dir' },
      { op: 'symlink', path: '/dir/up', target: '../../..' },
      { op: 'symlink', path: '/dangling', target: 'nowhere' },
      { op: 'symlink', path: '/loop', target: 'loop' },
      { op: 'mknod', path: '/fifo', kind: 'fifo' },
      { op: 'mkdir', path: '/void' },
    )
    await edge.commit(await fileOperation(edge.volume, '/dir/b/c.txt', 'changed', { replace: true }))
  })

  afterAll(() => edge.close())

  describe('names', () => {
    it.each(strange)('%j is at %s', async (name, encoded) => {
      const response = await get(`/v1/demo/files/strange/${encoded}`)
      expect(response.status).toBe(200)
      expect(response.body.equals(Buffer.from(new TextEncoder().encode(name)))).toBe(true)
    })

    it.each([
      ['/v1/demo/files/strange/new%0aline', 200, undefined],
      ['/v1/demo/files/strange/%75nknown', 404, 'not-found'],
      ['/v1/demo/files/dir%2Fa.html', 400, 'invalid'],
      ['/v1/demo/files/dir/%00', 400, 'invalid'],
      ['/v1/demo/files/dir/%zz', 400, 'invalid'],
      ['/v1/demo/files/dir/%', 400, 'invalid'],
      ['/v1/demo/files/dir//a.html', 400, 'invalid'],
      [`/v1/demo/files/${'x'.repeat(256)}`, 400, 'invalid'],
      [`/v1/demo/files${`/${'%C3%BC'.repeat(127)}`.repeat(16)}`, 404, 'not-found'],
      ['/v1/demo/files/dir/a.html/', 404, 'not-found'],
      ['/v1/demo/files/dir/a.html/x', 404, 'not-found'],
      ['/v1/demo/files/nothing', 404, 'not-found'],
      ['/v1/nothing/files/', 404, 'not-found'],
      ['/v1/.hidden/files/', 400, 'invalid'],
      ['/v1/a%2Fb/files/', 400, 'invalid'],
      ['/v1/demo/nothing/', 404, 'not-found'],
      ['/v2/demo', 404, 'not-found'],
    ])('%s answers %d', async (path, status, code) => {
      const response = await get(path)
      expect(response.status).toBe(status)
      expect(status === 200 ? undefined : errorOf(response)).toBe(code)
      expect(response.headers['cache-control']).toBe(status === 200 ? 'no-cache, no-transform' : 'no-store')
    })

    it.each(['/v1/demo/files/../../../etc/passwd', '/v1/demo/files/dir/../../secret', '/v1/demo/files/dir/%2e%2e/%2e%2e/%2e%2e/x', '/v1/demo/files/%2e%2e%2fx', '/v1/demo/../demo2/files/'])(
      '%s leads nowhere outside',
      async (path) => {
        expect([400, 404]).toContain((await get(path)).status)
      },
    )
  })

  describe('symlinks', () => {
    it.each([
      ['/to-file', 200, 'changed'],
      ['/to-dir/a.html', 200, '<p>a</p>'],
      ['/dir/up/dir/b/c.txt', 200, 'changed'],
      ['/dangling', 404, undefined],
      ['/loop', 400, undefined],
      ['/fifo', 501, undefined],
    ])('%s: %d', async (path, status, body) => {
      const response = await get(`/v1/demo/files${path}`)
      expect(response.status).toBe(status)
      expect(status === 200 ? response.body.toString() : undefined).toBe(body)
    })
  })

  describe('snapshots', () => {
    it('a pinned file is immutable, keeps its bytes, and has the same tag as those bytes have anywhere', async () => {
      const pinned = await get(`/v1/demo/@${firstSeq}/dir/b/c.txt`)
      expect(pinned.status).toBe(200)
      expect(pinned.body.toString()).toBe('c')
      expect(pinned.headers['cache-control']).toBe('public, max-age=31536000, immutable, no-transform')
      expect(pinned.headers['edgemount-seq']).toBe(String(firstSeq))
      const live = await get('/v1/demo/files/dir/b/c.txt')
      expect(live.headers['etag']).not.toBe(pinned.headers['etag'])
      const later = await get(`/v1/demo/@${firstSeq + 1}/dir/b/c.txt`, { range: 'bytes=0-1' })
      expect(later.status).toBe(206)
      expect(later.headers['etag']).toBe(live.headers['etag'])
    })

    it('a name that begins with @ is only a name below files/', async () => {
      expect((await get('/v1/demo/files/@1/inside')).body.toString()).toBe('a directory that looks like a snapshot')
      expect((await get('/v1/demo/@1/inside')).status).toBe(404)
      expect((await get(`/v1/demo/@${firstSeq}/@1/inside`)).status).toBe(200)
    })

    it.each([
      ['/v1/demo/@999/dir/a.html', 404],
      ['/v1/demo/@0/dir/a.html', 400],
      ['/v1/demo/@99999999999999999999/x', 400],
      ['/v1/demo/@x/dir', 404],
      ['/v1/demo/@-1/dir', 404],
    ])('%s: %d, not to be stored', async (path, status) => {
      const response = await get(path)
      expect(response.status).toBe(status)
      expect(response.headers['cache-control']).toBe('no-store')
    })
  })

  describe('directories', () => {
    it('are JSON for programs, with and without the slash', async () => {
      for (const path of ['/v1/demo/files/dir', '/v1/demo/files/dir/']) {
        const response = await get(path, { accept: '*/*' })
        expect(response.status).toBe(200)
        expect(response.headers['content-type']).toBe('application/json; charset=utf-8')
        const listing = JSON.parse(response.body.toString())
        expect(listing).toMatchObject({ path: '/dir', isLast: true })
        expect(listing.items.map((item: { name: string; kind: string }) => [item.name, item.kind])).toEqual([
          ['a.html', 'file'],
          ['b', 'directory'],
          ['up', 'symlink'],
        ])
      }
    })

    it('are HTML for browsers, after a redirect to the slash', async () => {
      const bare = await get('/v1/demo/files/dir?x=1', html)
      expect(bare.status).toBe(302)
      expect(bare.headers['location']).toBe('./dir/?x=1')
      const page = await get('/v1/demo/files/dir/', html)
      expect(page.status).toBe(200)
      expect(page.headers).toMatchObject({ 'content-type': 'text/html; charset=utf-8', vary: 'Accept' })
      expect(page.headers['content-security-policy']).toContain("default-src 'none'")
      expect(page.body.toString()).toContain('<a href="a.html">a.html</a>')
      expect(page.body.toString()).toContain('<a href="b/">b/</a>')
      expect((await get('/v1/demo/files', html)).headers['location']).toBe('./files/')
      expect((await get(`/v1/demo/@${firstSeq}`, html)).headers['location']).toBe(`./@${firstSeq}/`)
    })

    it('escape what names contain, and link to their bytes', async () => {
      const page = (await get('/v1/demo/files/strange/', html)).body.toString()
      expect(page).toContain('<a href="%3Cb%3E%26">&lt;b&gt;&amp;</a>')
      expect(page).toContain('<a href="new%0Aline">new\u240aline</a>')
      expect(page).toContain('<a href="f%FF%80">f\ufffd\ufffd</a>')
      expect(page).toContain('<a href="tab%09%22quote%22">tab\u2409&quot;quote&quot;</a>')
      expect(page).not.toContain('<b>&')
    })

    it('come in pages whose parts are the whole', async () => {
      const names: string[] = []
      let after = ''
      for (;;) {
        const listing = JSON.parse((await get(`/v1/demo/files/strange/?limit=4${after}`)).body.toString())
        names.push(...listing.items.map((item: { name: string }) => item.name))
        if (listing.isLast) break
        expect(listing.items).toHaveLength(4)
        const last = strange.find(([name]) => name === names.at(-1))
        after = `&after=${last?.[1].replaceAll('+', '%2B').replaceAll('&', '%26')}`
      }
      expect(names.length).toBe(strange.length)
      expect(new Set(names)).toEqual(new Set(strange.map(([name]) => name)))
      expect((await get('/v1/demo/files/strange/?limit=4', html)).body.toString()).toMatch(/<a href="\?after=[^"]+">more<\/a>/)
    })

    it.each(['limit=0', 'limit=1001', 'limit=x', 'after=%2F'])('%s is refused', async (query) => {
      expect((await get(`/v1/demo/files/dir/?${query}`)).status).toBe(400)
    })

    it('have tags that change with what is in them', async () => {
      const before = await get('/v1/demo/files/void/')
      expect((await get('/v1/demo/files/void/', { 'if-none-match': before.headers['etag'] ?? '' })).status).toBe(304)
      expect((await get('/v1/demo/files/void/', { ...html, 'if-none-match': before.headers['etag'] ?? '' })).status).toBe(200)
      await edge.commit({ op: 'mkdir', path: '/void/new' })
      expect((await get('/v1/demo/files/void/', { 'if-none-match': before.headers['etag'] ?? '' })).status).toBe(200)
    })

    it('HEAD has the headers and no body', async () => {
      const response = await get('/v1/demo/files/dir/', {}, 'HEAD')
      expect(response.status).toBe(200)
      expect(response.body.length).toBe(0)
      expect(response.headers['etag']).toBeDefined()
    })
  })

  describe('downloads', () => {
    it('have a name', async () => {
      const response = await get('/v1/demo/files/strange/%C3%BC?download')
      expect(response.headers['content-disposition']).toBe(`attachment; filename="_"; filename*=UTF-8''%C3%BC`)
      expect((await get('/v1/demo/files/strange/%C3%BC')).headers).not.toHaveProperty('content-disposition')
    })
  })
})
