/** Addresses to give away: never worth more than the token that asked for them, and pages in them can do nothing. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { documentPolicy } from '../../edge/http/document-policy.ts'
import { type Claims, type Right, readToken, rights as allRights } from '../../shared/wire/token.ts'
import { startGuardedEdge } from './access/guarded-edge.ts'
import { tokenFor } from './access/tokens.ts'
import { type EdgeUnderTest, fileOperation, startEdge } from './edge-under-test.ts'

let edge: EdgeUnderTest
const hour = 3600
const nowSeconds = (): number => Math.floor(Date.now() / 1000)

beforeAll(async () => {
  edge = await startGuardedEdge()
  await edge.commit(
    await fileOperation(edge.volume, '/docs/a.txt', 'one'),
    await fileOperation(edge.volume, '/docs/page.html', '<script>1</script>'),
    await fileOperation(edge.volume, '/private.txt', 'private'),
    { op: 'symlink', path: '/docs/link.txt', target: 'a.txt' },
    { op: 'symlink', path: '/docs/out.txt', target: '../private.txt' },
  )
})

afterAll(() => edge.close())

interface Shared {
  readonly status: number
  readonly body: { readonly url: string; readonly token: string; readonly id: string; readonly expires: string; readonly rights: readonly string[]; readonly error?: { readonly message: string } }
}

async function share(path: string, request: object, token: Partial<Claims> | null = {}): Promise<Shared> {
  const response = await edge.fetch(`/v1/demo/share${path}`, { method: 'POST', body: JSON.stringify(request), headers: token === null ? {} : { authorization: `Bearer ${await tokenFor(token)}` } })
  return { status: response.status, body: (await response.json()) as Shared['body'] }
}

describe('share', () => {
  it('of a file is a signed address of that file, symlinks followed, and of nothing else', async () => {
    const { status, body } = await share('/docs/link.txt', { seconds: hour / 2 })
    expect([status, body.rights]).toEqual([201, ['read']])
    expect(await (await edge.fetch(body.url)).text()).toBe('one')
    expect(body.url).toMatch(/^\/v1\/demo\/files\/docs\/a\.txt\?t=em1\./)
    for (const path of ['files/docs/page.html', 'stat/docs/a.txt', 'list/docs', 'files/private.txt']) {
      expect([path, (await edge.fetch(`/v1/demo/${path}?t=${body.token}`)).status]).toEqual([path, 403])
    }
    const claims = readToken(body.token).claims
    expect([claims.id, claims.reach, Math.abs(claims.expiry - nowSeconds() - hour / 2) < 10]).toEqual([body.id, { kind: 'file', seq: undefined }, true])
    const old = await share('/docs/a.txt', { seconds: 60, seq: 2 })
    expect(await (await edge.fetch(old.body.url)).text()).toBe('one')
    expect((await edge.fetch(`/v1/demo/files/docs/a.txt?t=${old.body.token}`)).status).toBe(403)
  })

  it('of a folder is a listing, or its files alone', async () => {
    const { body } = await share('/docs', { seconds: hour / 2 })
    expect([body.rights, body.url]).toEqual([['read', 'list'], `/t/${body.token}/v1/demo/files/docs/`])
    expect(await (await edge.fetch(body.url, { headers: { accept: 'text/html' } })).text()).toContain('a.txt')
    expect((await edge.fetch(`/v1/demo/files/private.txt?t=${body.token}`)).status).toBe(403)
    expect((await edge.fetch(`/v1/demo/files/docs/new.txt?t=${body.token}`, { method: 'PUT', body: 'x' })).status).toBe(403)
    const files = await share('/docs', { seconds: 60, rights: 'read' })
    expect((await edge.fetch(files.body.url)).status).toBe(403)
    expect(await (await edge.fetch(`${files.body.url}a.txt`)).text()).toBe('one')
  })

  it('is never more than its maker has: rights, prefix, and time', async () => {
    expect((await share('/docs', { seconds: 60 }, { rights: ['read'] })).status).toBe(403)
    expect((await share('/docs', { seconds: 60, rights: 'read' }, { rights: ['read'] })).status).toBe(201)
    expect((await share('/docs', { seconds: 60 }, { rights: ['list', 'write', 'publish', 'admin'] })).status).toBe(403)
    expect((await share('/', { seconds: 60 }, { prefix: '/docs' })).status).toBe(403)
    expect((await share('/private.txt', { seconds: 60 }, { prefix: '/docs' })).status).toBe(403)
    expect((await share('/docs/out.txt', { seconds: 60 }, { prefix: '/docs' })).status).toBe(403)
    const expiry = nowSeconds() + 600
    const { body } = await share('/docs/a.txt', { seconds: 10 * hour }, { expiry })
    expect([body.expires, readToken(body.token).claims.expiry]).toEqual([new Date(expiry * 1000).toISOString(), expiry])
    // One that was shared can be shared on, within itself.
    const folder = await share('/docs', { seconds: 300 })
    const on = await edge.fetch(`/v1/demo/share/docs/a.txt?t=${folder.body.token}`, { method: 'POST', body: '{"seconds":100000}' })
    expect((await on.json() as Shared['body']).expires <= folder.body.expires).toBe(true)
  })

  it('is worth nothing when what it was shared from is revoked; and what was shared on is not shared again', async () => {
    const own = await startGuardedEdge()
    try {
      await own.commit(await fileOperation(own.volume, '/docs/a.txt', 'one'))
      const on = async (token: string): Promise<Shared['body']> =>
        (await (await own.fetch(`/v1/demo/share/docs?t=${token}`, { method: 'POST', body: '{"seconds":300}' })).json()) as Shared['body']
      const tokens = [await tokenFor({ rights: ['read', 'list'] })]
      for (let count = 0; count < 2; count += 1) tokens.push((await on(tokens[count]!)).token)
      expect((await on(tokens[2]!)).error?.message).toContain('shared on already')
      const sibling = (await on(tokens[0]!)).token
      const statusesAfter = async (revoked: string): Promise<number[]> => {
        const headers = { 'x-api-key': await tokenFor({ rights: ['admin'] }) }
        const etag = (await own.fetch('/v1/demo/access', { headers })).headers.get('etag') ?? ''
        const body = JSON.stringify({ format: 1, publicRead: false, revoked: [{ id: readToken(revoked).claims.id, until: nowSeconds() + hour }] })
        expect((await own.fetch('/v1/demo/access', { method: 'PUT', headers: { ...headers, 'if-match': etag }, body })).status).toBe(204)
        const found: number[] = []
        for (const token of [...tokens, sibling]) found.push((await own.fetch(`/v1/demo/files/docs/a.txt?t=${token}`)).status)
        return found
      }
      expect(await statusesAfter(tokens[2]!)).toEqual([200, 200, 401, 200])
      expect(await statusesAfter(tokens[1]!)).toEqual([200, 401, 401, 200])
      expect(await statusesAfter(tokens[0]!)).toEqual([401, 401, 401, 401])
    } finally {
      await own.close()
    }
  })

  it.each([
    ['without a time', '/docs/a.txt', {}, 400],
    ['for a moment', '/docs/a.txt', { seconds: 59 }, 400],
    ['for ever', '/docs/a.txt', { seconds: 1e12 }, 400],
    ['of more than can be shared', '/docs', { seconds: 60, rights: 'read,write' }, 400],
    ['of a list of a file', '/docs/a.txt', { seconds: 60, rights: 'list' }, 400],
    ['of a folder of a commit', '/docs', { seconds: 60, seq: 2 }, 501],
    ['of nothing', '/docs/never', { seconds: 60 }, 404],
    ['with a field that is none', '/docs', { seconds: 60, all: true }, 400],
  ])('%s is refused', async (_, path, request, status) => {
    expect((await share(path, request)).status).toBe(status)
  })

  it('needs a secret, and says so', async () => {
    const plain = await startEdge()
    try {
      await plain.commit(await fileOperation(plain.volume, '/a.txt', 'one'))
      const response = await plain.fetch('/v1/demo/share/a.txt', { method: 'POST', body: '{"seconds":60}' })
      expect([response.status, await response.text()]).toEqual([501, expect.stringContaining('has no secret to sign with')])
    } finally {
      await plain.close()
    }
  })
})

describe('pages of a volume', () => {
  it('opened with a token have no scripts, also where none is needed; and a public volume lets nobody sign', async () => {
    const token = await tokenFor()
    const policyOf = async (path: string): Promise<string | null> => {
      const response = await edge.fetch(path)
      expect([path, response.status]).toEqual([path, 200])
      return response.headers.get('content-security-policy')
    }
    const page = '/v1/demo/files/docs/page.html'
    const still = /^sandbox (?!.*(scripts|same-origin))/
    for (const path of [`${page}?t=${token}`, `/t/${token}${page}`, `/t/${token}/v1/demo/@2/docs/page.html`]) expect(await policyOf(path)).toMatch(still)
    expect(await policyOf(`/v1/demo/files/docs/a.txt?t=${token}`)).toBeNull()
    expect((await share('/docs/a.txt', { seconds: 60 }, null)).status).toBe(401)
    const made = await edge.fetch('/v1/demo/access', { method: 'PUT', body: '{"format":1,"publicRead":true,"revoked":[]}', headers: { 'x-api-key': token, 'if-match': '"absent"' } })
    expect(made.status).toBe(204)
    expect(await policyOf(page)).toBeNull()
    const withConsole = await startGuardedEdge({ console: { page: '', files: {} } })
    try {
      await withConsole.commit(await fileOperation(withConsole.volume, '/page.html', '<script>1</script>'))
      await withConsole.fetch('/v1/demo/access', { method: 'PUT', body: '{"format":1,"publicRead":true,"revoked":[]}', headers: { 'x-api-key': token, 'if-match': '"absent"' } })
      expect((await withConsole.fetch('/v1/demo/files/page.html')).headers.get('content-security-policy')).toMatch(/^sandbox (?!.*same-origin)/)
    } finally {
      await withConsole.close()
    }
    for (const path of [`${page}?t=${token}`, `/t/${token}${page}`]) expect(await policyOf(path)).toMatch(still)
    expect((await share('/docs/a.txt', { seconds: 60 }, null)).status).toBe(401)
  })

  it.each([
    ['text/html; charset=utf-8', true],
    ['image/svg+xml', true],
    ['text/xml; charset=utf-8', true],
    ['application/xhtml+xml', true],
    ['application/dash+xml', true],
    ['text/plain; charset=utf-8', false],
    ['application/pdf', false],
    ['image/png', false],
  ])('%s can hold scripts: %s', (type, isPage) => {
    const of = (hasToken: boolean, rights: readonly Right[], hasConsole: boolean): string | undefined => documentPolicy(type, { hasToken, rights, hasConsole })
    expect(of(true, ['read'], false)?.includes('allow-scripts')).toBe(isPage ? false : undefined)
    expect(of(false, ['read', 'list'], true)?.includes('allow-scripts')).toBe(isPage ? true : undefined)
    expect(of(false, allRights, false)?.includes('allow-scripts')).toBe(isPage ? true : undefined)
    expect(of(true, allRights, true)?.includes('allow-same-origin') ?? false).toBe(false)
    expect(of(false, ['read', 'list'], false)).toBeUndefined()
  })
})
