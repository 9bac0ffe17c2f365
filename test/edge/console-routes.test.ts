/** The console's page and files: who gets them, from where, and what stands where somebody has no token. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildConsole } from '../../edge/bundle.ts'
import type { ConsoleFiles } from '../../edge/console-files.ts'
import { EdgemountError } from '../../shared/error.ts'
import { testKeys, tokenFor } from './access/tokens.ts'
import { type EdgeUnderTest, startEdge } from './edge-under-test.ts'

const html = { accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.8' }
let files: ConsoleFiles
let open: EdgeUnderTest
let closed: EdgeUnderTest
let unbuilt: EdgeUnderTest

beforeAll(async () => {
  files = await buildConsole()
  open = await startEdge({ console: files })
  closed = await startEdge({ console: files, access: { keys: testKeys } })
  unbuilt = await startEdge()
})

afterAll(() => Promise.all([open.close(), closed.close(), unbuilt.close()]))

describe('the page', () => {
  test('is for who names HTML; programs get the plain list, and so does everybody where it was not built', async () => {
    const page = await open.raw({ path: '/', headers: html })
    expect(page.headers).toMatchObject({ 'content-type': 'text/html; charset=utf-8', vary: 'Accept', 'cache-control': 'no-cache', 'referrer-policy': 'no-referrer' })
    expect(page.headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self'; .*frame-ancestors 'none'/)
    expect(page.body.toString()).toBe(files.page)
    expect((await open.raw({ path: '/', headers: { accept: '*/*' } })).body.toString()).toMatch(/^This is an edgemount edge/)
    expect((await unbuilt.raw({ path: '/', headers: html })).body.toString()).toContain('<td><code>/v1/{volume}/files/{path}</code></td>')
    expect((await unbuilt.raw({ path: `/console/${Object.keys(files.files)[0]}` })).status).toBe(404)
  })

  test('addresses everything relative to itself, and what it addresses is there, for ever', async () => {
    const addresses = [...files.page.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, address]) => address!)
    expect(addresses.filter((address) => !address.startsWith('./'))).toEqual([])
    const assets = addresses.filter((address) => address.startsWith('./console/'))
    expect(assets).toHaveLength(3)
    for (const name of [...assets.map((address) => address.slice(2)), ...Object.keys(files.files).map((file) => `console/${file}`)]) {
      const response = await open.raw({ path: `/${name}` })
      expect([response.status, response.headers['cache-control']]).toEqual([200, 'public, max-age=31536000, immutable, no-transform'])
      expect(response.headers['content-type']).toMatch(/^(text\/(javascript|css); charset=utf-8|image\/svg\+xml)$/)
    }
    for (const name of ['constructor', '__proto__', 'toString']) expect((await open.raw({ path: `/console/${name}` })).status).toBe(404)
  })

  test('is the same bytes each time it is built', async () => {
    expect(await buildConsole()).toEqual(files)
  })
})

describe('an edge with secrets', () => {
  test('tells people no more of a failure than programs', async () => {
    const broken = await startEdge({
      console: files,
      access: { keys: testKeys },
      wrap: (store) => ({ ...store, label: store.label, list: () => Promise.resolve([]), get: () => Promise.reject(new TypeError('a secret of the store')) }),
    })
    try {
      const page = await broken.raw({ path: `/t/${await tokenFor()}/`, headers: html })
      expect([page.status, page.body.toString().includes('a secret'), page.body.toString().includes('its log says why')]).toEqual([500, false, true])
    } finally {
      await broken.close()
    }
  })

  test('whose store is away says so in a page that tries again by itself', async () => {
    const away = await startEdge({
      console: files,
      access: { keys: testKeys },
      wrap: (store) => ({ ...store, label: store.label, list: () => Promise.resolve([]), get: () => Promise.reject(new EdgemountError('unavailable', 'Cannot reach the store')) }),
    })
    try {
      const page = await away.raw({ path: `/t/${await tokenFor()}/`, headers: html })
      expect([page.status, page.headers['refresh']]).toEqual([503, '5'])
      expect(page.body.toString()).toMatch(/<h1>Not now<\/h1>.*This page tries again by itself/s)
    } finally {
      await away.close()
    }
  })

  test('shows a form and why to who has no token that counts, and the page to who has one for anything', async () => {
    const refused = await closed.raw({ path: '/', headers: html })
    expect(refused.headers).toMatchObject({ 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store', 'www-authenticate': 'Bearer realm="edgemount"' })
    expect(refused.status).toBe(401)
    expect(refused.body.toString()).toContain('<form action="./" method="get">')
    // The console itself: a public volume stands in the fragment, which the edge does not see.
    expect(refused.body.toString()).toContain('<html lang="en" data-refusal="Cannot GET &quot;/&quot;: a token is needed">')
    expect(refused.body.toString()).toContain(files.page.match(/<script[^>]*>/)?.[0])
    expect(refused.headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'self'; /)
    const expired = await tokenFor({ expiry: 1000 })
    const late = await closed.raw({ path: `/t/${expired}/`, headers: html })
    expect([late.status, late.body.toString().includes(expired)]).toEqual([401, false])
    expect(late.body.toString()).toMatch(/Cannot accept the token: it expired on 1970.*action="\.\.\/\.\.\/"/s)
    const part = await tokenFor({ volume: 'demo', prefix: '/docs', rights: ['read'] })
    const page = await closed.raw({ path: `/t/${part}/`, headers: html })
    expect([page.status, page.body.toString(), page.headers['cache-control']]).toEqual([200, files.page, 'private, no-cache'])
    const script = await closed.raw({ path: `/t/${part}/console/${Object.keys(files.files)[0]}` })
    expect([script.status, script.headers['cache-control']]).toEqual([200, 'public, max-age=31536000, immutable, no-transform'])
    expect((await closed.raw({ path: `/console/${Object.keys(files.files)[0]}` })).status).toBe(200)
    expect((await closed.raw({ path: '/console/none' })).status).toBe(404)
  })

  test('leads from the form to the address that holds the token', async () => {
    const token = await tokenFor()
    const response = await closed.raw({ path: `/?t=${token}`, headers: html })
    expect([response.status, response.headers['location'], response.headers['cache-control']]).toEqual([302, `./t/${token}/`, 'no-store'])
    expect((await closed.raw({ path: '/?t=%3Cscript%3E', headers: html })).body.toString()).not.toContain('<script>')
  })

  test('tells programs in JSON, as ever', async () => {
    const response = await closed.raw({ path: '/' })
    expect([response.status, response.headers['content-type']]).toEqual([401, 'application/json; charset=utf-8'])
  })
})
