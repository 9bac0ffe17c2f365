/** How an edge with secrets answers: public volumes, revocation, signed addresses, caches, pages, rates, and what a failing store means. */
import { beforeEach, describe, expect, it } from 'vitest'
import { accessKeptMs } from '../../../edge/access/volume-access.ts'
import { type App, createApp } from '../../../edge/app.ts'
import { nodeHash } from '../../../edge/node.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { ScopedStore } from '../../../edge/store/scoped.ts'
import { encodeAccess } from '../../../shared/format/access.ts'
import type { LogFields, Logger } from '../../../shared/log.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import { KeyRing } from '../../../shared/wire/key-ring.ts'
import { everyVolume, readToken } from '../../../shared/wire/token.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { type SpyStore, spyStore } from '../../support/spy-store.ts'
import { fileOperation } from '../edge-under-test.ts'
import { testKeys, tokenFor } from './tokens.ts'

let clock: ManualClock
let spy: SpyStore
let app: App
let volume: Volume
const logged: string[] = []
const note = (message: string, fields?: LogFields): void => void logged.push(`${message} ${JSON.stringify(fields)}`)
const log: Logger = { debug: note, info: note, warn: note, error: note }
const nowSeconds = (): number => Math.floor(clock.now() / 1000)
const file = '/v1/demo/files/docs/a.txt'

beforeEach(async () => {
  clock = new ManualClock(Date.now())
  spy = spyStore(new MemoryStore())
  const engine = { store: new ScopedStore(spy.store, 'demo'), clock, random: new SeededRandom(1), hash: nodeHash, author: 'test' }
  volume = await Volume.create(engine, { name: 'demo' })
  await volume.writer().commit([await fileOperation(volume, '/docs/a.txt', 'hello'), await fileOperation(volume, '/docs/page.html', '<p>'), { op: 'symlink', path: '/docs/link', target: '/docs/page.html' }])
  app = createApp({ store: spy.store, clock, random: new SeededRandom(2), hash: nodeHash, log, access: { keys: testKeys } })
  logged.length = 0
})

interface Asked {
  readonly method?: string
  readonly token?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly address?: string
}

async function ask(path: string, { method = 'GET', token, headers = {}, body, address }: Asked = {}): Promise<Response> {
  const all = token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` }
  return await app.fetch(new Request(`http://edge.test${path}`, { method, headers: all, ...(body === undefined ? {} : { body }) }), { address })
}

const setAccess = (publicRead: boolean, ...ids: readonly string[]): Promise<void> =>
  spy.store.put('demo/access.json', encodeAccess({ publicRead, revoked: ids.map((id) => ({ id, until: nowSeconds() + 1000 })) }, nowSeconds()))

describe('a public volume', () => {
  it('is read and listed by everybody, mounts that only read included, and written by nobody without a token', async () => {
    await setAccess(true)
    for (const path of [file, '/v1/demo/list/docs', '/v1/demo/log/1', '/v1/demo', '/v1/demo/head']) expect([path, (await ask(path)).status]).toEqual([path, 200])
    expect((await ask(file, { method: 'PUT', body: 'x' })).status).toBe(401)
    for (const path of ['/v1/demo/access', '/v1/demo/peers', '/v1/demo/leases/x']) expect([path, (await ask(path)).status]).toEqual([path, 401])
    expect((await ask('/v1/demo/log/3', { method: 'POST', body: '{}' })).status).toBe(401)
    expect((await ask('/v1')).status).toBe(401)
    expect((await ask('/v1/none/files/x')).status).toBe(401)
  })

  it('tells events for a quarter of an hour at most: then it may be public no more', async () => {
    await setAccess(true)
    const reader = (await ask('/v1/demo/events')).body?.getReader()
    expect(new TextDecoder().decode((await reader?.read())?.value)).toContain('event: position')
    const ended = (async (): Promise<boolean> => {
      for (;;) if ((await reader?.read())?.done !== false) return true
    })()
    for (let minutes = 0; minutes < 16; minutes += 1) await clock.advance(60_000)
    expect(await ended).toBe(true)
  })

  it('may be kept by shared caches; a bad token is told, one for elsewhere takes nothing away', async () => {
    await setAccess(true)
    const pinned = await ask('/v1/demo/@2/docs/a.txt')
    expect(pinned.headers.get('cache-control')).toBe('public, max-age=31536000, immutable, no-transform')
    expect(pinned.headers.get('vary')).toContain('Authorization')
    expect((await ask(file, { token: await tokenFor({ volume: 'other' }) })).status).toBe(200)
    expect((await ask(file, { token: 'em1.bad' })).status).toBe(401)
  })

  it('has no secrets of one that is not there', async () => {
    const one = await ask('/v1/demo/files/none')
    const other = await ask('/v1/none/files/none')
    expect([one.status, (await one.text()).replaceAll('demo', 'none')]).toEqual([other.status, await other.text()])
    const token = await tokenFor({ volume: 'third' })
    expect([(await ask(file, { token })).status, (await ask('/v1/none/files/none', { token })).status]).toEqual([403, 403])
  })
})

describe('revocation', () => {
  it('counts within five seconds, at once where it was made, and costs no request to the store in between', async () => {
    const token = await tokenFor()
    expect((await ask(file, { token })).status).toBe(200)
    await setAccess(false, readToken(token).claims.id)
    spy.calls.length = 0
    expect((await ask(file, { token })).status).toBe(200)
    expect(spy.calls.filter((call) => call.includes('access.json'))).toEqual([])
    await clock.advance(accessKeptMs)
    const refused = await ask(file, { token })
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="edgemount", error="invalid_token"'])
    expect(await refused.text()).toContain('it was revoked; ask for a new one')
    expect(spy.calls.filter((call) => call === 'get demo/access.json')).toHaveLength(1)
  })

  it('is written through the edge by compare-and-set', async () => {
    const token = await tokenFor({ rights: ['admin'] })
    const victim = await tokenFor({ rights: ['read'] })
    const { id } = readToken(victim).claims
    expect((await ask(file, { token: victim })).status).toBe(200)
    const before = await ask('/v1/demo/access', { token })
    const etag = before.headers.get('etag') ?? ''
    const expired = { id: '0'.repeat(24), until: 5 }
    const body = JSON.stringify({ format: 1, publicRead: false, revoked: [{ id, until: nowSeconds() + 9 }, expired] })
    const put = (tag: string | undefined, text = body): Promise<Response> => ask('/v1/demo/access', { token, method: 'PUT', headers: tag === undefined ? {} : { 'if-match': tag }, body: text })
    expect((await put(undefined)).status).toBe(428)
    expect((await put('"s.%"')).status).toBe(412)
    expect((await put(etag, '{"format":1}')).status).toBe(400)
    const done = await put(etag)
    expect(done.status).toBe(204)
    expect((await put(etag)).status).toBe(412)
    expect((await ask(file, { token: victim })).status).toBe(401)
    const after = await ask('/v1/demo/access', { token })
    expect([after.headers.get('etag'), await after.text()]).toEqual([done.headers.get('etag'), JSON.stringify({ format: 1, publicRead: false, revoked: [{ id, until: nowSeconds() + 9 }] })])
    expect((await put(done.headers.get('etag') ?? '')).status).toBe(204)
  })

  it('when the list cannot be read nobody is let in', async () => {
    const token = await tokenFor()
    spy.script.push('unavailable')
    expect((await ask(file, { token })).status).toBe(503)
    expect((await ask(file, { token })).status).toBe(200)
    await spy.store.put('demo/access.json', new TextEncoder().encode('{"format":1,"publicRead":true,"revoked":[],"more":1}'))
    await clock.advance(accessKeptMs)
    expect((await ask(file, { token })).status).toBe(502)
  })

  it('of a token for every volume counts in the volume', async () => {
    const token = await tokenFor({ volume: everyVolume })
    await setAccess(false, readToken(token).claims.id)
    expect((await ask(file, { token })).status).toBe(401)
    expect((await ask('/v1', { token })).status).toBe(200)
  })
})

describe('a signed address', () => {
  it('is for one file, by GET and HEAD, with ranges, and may be cached until it expires', async () => {
    const token = await tokenFor({ prefix: '/docs/a.txt', reach: { kind: 'file', seq: undefined }, rights: ['read'], expiry: nowSeconds() + 100 })
    const part = await ask(`${file}?t=${token}`, { headers: { range: 'bytes=1-2' } })
    expect([part.status, await part.text(), part.headers.get('cache-control')]).toEqual([206, 'el', 'no-cache, no-transform'])
    expect((await ask(`${file}?t=${token}`, { method: 'HEAD' })).status).toBe(200)
    expect((await ask(`/t/${token}${file}`)).status).toBe(200)
    const others = ['/v1/demo/stat/docs/a.txt', '/v1/demo/manifest/docs/a.txt', '/v1/demo/@2/docs/a.txt', '/v1/demo/files/docs/a.txt/x', '/v1/demo/files/docs', '/v1/demo/files/docs/page.html', '/v1/demo/list/docs/a.txt', '/v1/demo']
    for (const path of others) expect([path, (await ask(`${path}?t=${token}`)).status]).toEqual([path, 403])
    expect((await ask(`${file}?t=${token}`, { method: 'PUT', body: 'x' })).status).toBe(403)
    expect((await ask(`${file}?t=${token}`, { method: 'DELETE' })).status).toBe(403)
    await clock.advance(100_000)
    expect((await ask(`${file}?t=${token}`)).status).toBe(401)
  })

  it('of a commit lives in caches no longer than it is good for; through a symlink it leads nowhere', async () => {
    const token = await tokenFor({ prefix: '/docs/a.txt', reach: { kind: 'file', seq: 2 }, rights: ['read'], expiry: nowSeconds() + 100 })
    const answer = await ask(`/v1/demo/@2/docs/a.txt?t=${token}`)
    expect(answer.headers.get('cache-control')).toBe('public, max-age=100, immutable, no-transform')
    expect((await ask(`${file}?t=${token}`)).status).toBe(403)
    expect((await ask('/v1/demo/@2/docs/a.txt', { token })).headers.get('cache-control')).toBe('private, max-age=100, immutable, no-transform')
    const link = await tokenFor({ prefix: '/docs/link', reach: { kind: 'file', seq: undefined }, rights: ['read'] })
    expect((await ask(`/v1/demo/files/docs/link?t=${link}`)).status).toBe(403)
  })
})

describe('answers', () => {
  it('to a token are private, and errors are never kept', async () => {
    const token = await tokenFor({ expiry: nowSeconds() + 50_000_000 })
    for (const [path, cache] of [
      [file, 'private, no-cache, no-transform'],
      ['/v1/demo/@2/docs/a.txt', 'private, max-age=31536000, immutable, no-transform'],
      ['/v1/demo/log/1', 'private, max-age=31536000, immutable, no-transform'],
      ['/v1/demo/list/docs', 'private, no-cache, no-transform'],
      ['/v1/demo/files/none', 'no-store'],
    ] as const) {
      for (const at of [path, `/t/${token}${path}`]) {
        const answer = await ask(at, at === path ? { token } : {})
        expect([answer.headers.get('cache-control'), answer.headers.get('vary')]).toEqual([cache, expect.stringContaining('Authorization, X-API-Key')])
        expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
      }
    }
  })

  it('below a path token stay there: redirects, pages, and where a volume was made', async () => {
    const token = await tokenFor()
    const html = { accept: 'text/html' }
    const redirect = await ask(`/t/${token}/v1/demo/files/docs`, { headers: html })
    expect([redirect.status, redirect.headers.get('location')]).toEqual([302, './docs/'])
    const page = await ask(`/t/${token}/v1/demo/files/docs/`, { headers: html })
    expect(await page.text()).toContain('<a href="a.txt">')
    expect(page.headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
    expect(page.headers.get('permissions-policy')).toContain('camera=()')
    const upload = await ask(`/t/${token}/v1/demo/uploads/docs/x`, { method: 'POST', headers: { 'tus-resumable': '1.0.0', 'upload-length': '5' } })
    expect([upload.status, upload.headers.get('location')]).toEqual([201, expect.stringMatching(`^/t/${token}/v1/demo/uploads/docs/x\\?upload=`)])
    const maker = await tokenFor({ volume: 'fresh', rights: ['admin'] })
    expect((await ask(`/t/${maker}/v1/fresh`, { method: 'PUT' })).headers.get('location')).toBe(`/t/${maker}/v1/fresh`)
  })

  it('a directory is listed for who may list, and read by no more', async () => {
    const token = await tokenFor({ rights: ['read'] })
    expect((await ask('/v1/demo/files/docs/', { token })).status).toBe(403)
    expect((await ask(file, { token })).status).toBe(200)
    expect((await ask('/v1/demo/files/docs/', { token: await tokenFor({ rights: ['read', 'list'] }) })).status).toBe(200)
  })

  it('a lease tells nothing to who may see only a part of the volume', async () => {
    const token = await tokenFor({ prefix: '/docs', rights: ['write'] })
    const answer = await ask('/v1/demo/files/docs/b', { method: 'PUT', body: 'x', token, headers: { 'edgemount-lease': 'writer;1' } })
    expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining('leases are of the whole volume')])
  })

  it('a file that is longer than one request may bring is refused', async () => {
    app = createApp({ store: spy.store, clock, random: new SeededRandom(2), hash: nodeHash, access: { keys: testKeys }, uploadBytesMax: 3 })
    const token = await tokenFor()
    expect((await ask('/v1/demo/files/four', { method: 'PUT', body: 'four', token })).status).toBe(413)
    expect((await ask('/v1/demo/files/two', { method: 'PUT', body: 'two', token })).status).toBe(201)
  })

  it('a page of another origin may write with a token that it was given', async () => {
    const headers = { origin: 'https://page.example' }
    expect((await ask('/v1/demo/files/new', { method: 'PUT', body: 'x', headers, token: await tokenFor() })).status).toBe(201)
  })

  it('and logs hold no token, whatever fails', async () => {
    const token = await tokenFor()
    spy.script.push('ok', 'internal', 'internal', 'internal')
    const texts: string[] = []
    for (const path of [`/t/${token}/v1/demo/files/docs/a.txt`, `/t/${token}/v1/demo/files/%zz`, `/t/${token}/v1/demo/packs/x/1-0?t=${token}`, `/v1/demo/stat/x?seq=${token}`, `/t/${token}/nowhere`]) texts.push(await (await ask(path, { token })).text())
    expect(texts.join('') + logged.join('')).not.toContain(token.slice(0, 40).slice(4, 30))
  })
})

describe('rates', () => {
  it('count what asks much of the store as several requests, and as a second\'s worth at most', async () => {
    await setAccess(true)
    app = createApp({ store: spy.store, clock, random: new SeededRandom(2), hash: nodeHash, access: { keys: testKeys, anonymousRate: 50 } })
    const statusOf = async (path: string, address: string): Promise<number> => (await ask(path, { address })).status
    for (const path of ['/v1/demo/history/docs', '/v1/demo/diff/', '/v1/demo/events?after=0&wait=0', '/v1/demo/zip/docs']) {
      expect([path, await statusOf(path, path), await statusOf(path, path), await statusOf(path, path), await statusOf(file, path)]).toEqual([path, 200, 200, 429, 200])
    }
    app = createApp({ store: spy.store, clock, random: new SeededRandom(2), hash: nodeHash, access: { keys: testKeys, anonymousRate: 2 } })
    expect([await statusOf('/v1/demo/history/docs', 'a'), await statusOf(file, 'a')]).toEqual([200, 429])
    await clock.advance(1000)
    expect(await statusOf('/v1/demo/history/docs', 'a')).toBe(200)
  })

  it('are of a token, or of an address without one that counts; guesses count twice', async () => {
    app = createApp({ store: spy.store, clock, random: new SeededRandom(2), hash: nodeHash, access: { keys: testKeys, tokenRate: 3, anonymousRate: 2 } })
    const [token, other] = [await tokenFor(), await tokenFor()]
    const statuses = async (count: number, asked: Asked): Promise<number[]> => {
      const found: number[] = []
      for (let index = 0; index < count; index += 1) found.push((await ask(file, asked)).status)
      return found
    }
    expect(await statuses(4, { token, address: '10.0.0.1' })).toEqual([200, 200, 200, 429])
    expect(await statuses(1, { token: other, address: '10.0.0.1' })).toEqual([200])
    expect(await statuses(3, { address: '10.0.0.1' })).toEqual([401, 401, 429])
    expect(await statuses(1, { address: '10.0.0.2' })).toEqual([401])
    expect(await statuses(3, { token: 'em1.guess', address: '10.0.0.3' })).toEqual([401, 401, 429])
    const refused = await ask(file, { token })
    expect([refused.headers.get('retry-after'), refused.headers.get('cache-control')]).toEqual(['1', 'no-store'])
    await clock.advance(1000)
    expect(await statuses(4, { token, address: '10.0.0.1' })).toEqual([200, 200, 200, 429])
  })
})

describe('an edge without a key', () => {
  it('answers nobody but who asks how it is', async () => {
    app = createApp({ store: spy.store, clock, random: new SeededRandom(2), hash: nodeHash, access: { keys: new KeyRing() } })
    expect((await ask('/healthz')).status).toBe(200)
    const refused = await ask(file, { token: await tokenFor() })
    expect([refused.status, await refused.text()]).toEqual([401, expect.stringContaining('this edge has no secret')])
  })
})

describe('dedup', () => {
  it('never tells across volumes: a pack, a chunk or a commit of one is nothing in another', async () => {
    const token = await tokenFor({ volume: everyVolume })
    expect((await ask('/v1/other', { method: 'PUT', token })).status).toBe(201)
    const pack = 'd01ARZ3NDEKTSV4RRFFQ69G5FAV'
    const post = async (name: string): Promise<number> => (await ask(`/v1/${name}/packs?pack=${pack}`, { method: 'POST', token, body: 'chunks' })).status
    expect([await post('demo'), await post('other'), await post('demo')]).toEqual([201, 201, 200])
    const foreign = [...(await spy.store.list('demo/meta/'))].map(({ key }) => key.slice('demo/meta/'.length))
    expect(foreign.length).toBeGreaterThan(0)
    for (const id of foreign) expect((await ask(`/v1/other/packs/${id}/0-10`, { token })).status).toBe(404)
    // A record that names another volume's pages is a record whose pages are missing.
    const { root } = (await volume.head()).record
    const first = JSON.parse(await (await ask('/v1/other/log/1', { token })).text())
    const parent = await nodeHash(new Uint8Array(await (await ask('/v1/other/log/1', { token })).arrayBuffer()))
    const theirs = JSON.parse(await (await ask(`/v1/demo/log/2`, { token })).text())
    expect(root.directory.kind).toBe('directory')
    const record = JSON.stringify({ ...theirs, parent, nonce: first.nonce })
    const answer = await ask('/v1/other/log/2', { method: 'POST', token, body: record })
    expect([answer.status, await answer.text()]).toEqual([409, expect.stringContaining('"reason":"packs"')])
  })
})
