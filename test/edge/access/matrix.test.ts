/**
 * Every route of the app × every kind of token × the four places where one can stand. The routes come from the app itself, so that none is forgotten.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApp } from '../../../edge/app.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { systemClock } from '../../../shared/clock.ts'
import { closedAccess, encodeAccess, withRevoked } from '../../../shared/format/access.ts'
import { type Claims, everyVolume, readToken, rights } from '../../../shared/wire/token.ts'
import type { RawRequest } from '../../support/raw-http.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { type EdgeUnderTest, fileOperation } from '../edge-under-test.ts'
import { closedRuntimes } from '../runtimes.ts'
import { otherSecret, ringOf, tokenFor } from './tokens.ts'

const { routes } = createApp({ store: new MemoryStore(), clock: systemClock, random: new SeededRandom(1) })

/** What stands for each parameter of a template; `x` for others. */
const values: Readonly<Record<string, string>> = { volume: 'demo', path: 'docs/hello.txt', seq: '2', pack: 'd01ARZ3NDEKTSV4RRFFQ69G5FAV', start: '0', end: '1' }

function pathOf(template: string): string {
  // A directory where the others look for a file would need other rights.
  const path = template.replace('mkdir/{path}', 'mkdir/docs/made').replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? 'x')
  return path.endsWith('/events') ? `${path}?wait=0` : path
}

type Route = (typeof routes)[number]

/** The four places. */
const places: readonly (readonly [string, (path: string, token: string) => Pick<RawRequest, 'path' | 'headers'>])[] = [
  ['Authorization', (path, token) => ({ path, headers: { authorization: `Bearer ${token}` } })],
  ['X-API-Key', (path, token) => ({ path, headers: { 'x-api-key': token } })],
  ['?t=', (path, token) => ({ path: `${path}${path.includes('?') ? '&' : '?'}t=${token}` })],
  ['/t/', (path, token) => ({ path: `/t/${token}${path}` })],
]

/** What a route needs and no more. */
function fitting({ pattern, needs }: Route): Partial<Claims> {
  return { volume: pattern.includes('{volume}') ? 'demo' : everyVolume, rights: needs === undefined ? ['read'] : [needs] }
}

const hour = 3600
const nowSeconds = (): number => Math.floor(systemClock.now() / 1000)

const refusedUnlessForAll = ({ isForEveryToken }: Route): number | undefined => (isForEveryToken ? undefined : 403)

/** Each kind of token, and the status that it gets; undefined where the request is let in. */
const kinds: readonly (readonly [string, (route: Route) => Promise<string>, (route: Route) => number | undefined])[] = [
  ['a wrong volume', (route) => tokenFor({ ...fitting(route), volume: 'other' }), refusedUnlessForAll],
  ['a wrong prefix', (route) => tokenFor({ ...fitting(route), volume: 'demo', prefix: '/elsewhere' }), refusedUnlessForAll],
  ['a right prefix', (route) => tokenFor({ ...fitting(route), volume: 'demo', prefix: '/docs' }), (route) => (route.pattern.endsWith('/{path}') ? undefined : refusedUnlessForAll(route))],
  ['an expired token', (route) => tokenFor({ ...fitting(route), expiry: nowSeconds() - 1 }), () => 401],
  ['a wrong key', (route) => tokenFor(fitting(route), ringOf(`k1:${otherSecret}`)), () => 401],
  ['an unknown key', (route) => tokenFor(fitting(route), ringOf(`k9:${otherSecret}`)), () => 401],
  ['no token at all', () => Promise.resolve('em1.nonsense'), () => 401],
  ['every right but that', (route) => tokenFor({ ...fitting(route), rights: rights.filter((right) => right !== route.needs) }), refusedUnlessForAll],
  ['just that', (route) => tokenFor(fitting(route)), () => undefined],
]

describe.each(closedRuntimes)('on %s', (_, start) => {
  let edge: EdgeUnderTest
  let revoked: string

  beforeAll(async () => {
    edge = await start()
    await edge.commit(await fileOperation(edge.volume, '/docs/hello.txt', 'hello'), await fileOperation(edge.volume, '/docs/kept.txt', 'kept'))
    revoked = await tokenFor()
    const { id } = readToken(revoked).claims
    await edge.store.put('demo/access.json', encodeAccess(withRevoked(closedAccess, { id, until: nowSeconds() + hour }), nowSeconds()))
  })

  afterAll(() => edge.close())

  const ask = async (method: string, request: Pick<RawRequest, 'path' | 'headers'>): Promise<{ status: number; challenge: string | undefined }> => {
    const response = await edge.raw({ method, ...request, ...(method === 'PUT' || method === 'POST' ? { body: '{' } : {}) })
    expect(response.headers['cache-control'] ?? '').not.toContain('public')
    return { status: response.status, challenge: response.headers['www-authenticate'] }
  }

  it.each(routes.map((route) => [route.method, route.pattern, route] as const))('%s %s', async (method, pattern, route) => {
    const path = pathOf(pattern)
    const bare = await ask(method, { path })
    if (route.needs === undefined) {
      expect([['/healthz', 200], ['/console/{name}', 404]]).toContainEqual([pattern, bare.status])
      return
    }
    expect(bare).toEqual({ status: 401, challenge: 'Bearer realm="edgemount"' })
    if (method === 'GET') expect((await ask('HEAD', { path })).status).toBe(401)
    const wrong: string[] = []
    const note = (what: string, status: number, expected: number | undefined): void => {
      const isFine = expected === undefined ? status !== 401 && status !== 403 && status < 500 : status === expected
      if (!isFine) wrong.push(`${what}: ${status}, not ${expected ?? 'let in'}`)
    }
    for (const [place, at] of places) {
      for (const [kind, make, expected] of kinds) note(`${kind} in ${place}`, (await ask(method, at(path, await make(route)))).status, expected(route))
      if (pattern.includes('{volume}')) note(`a revoked token in ${place}`, (await ask(method, at(path, revoked))).status, 401)
    }
    expect(wrong).toEqual([])
  })

  it('a preflight, an unknown address and another method tell what everybody knows, and never a token', async () => {
    const token = await tokenFor()
    expect((await edge.raw({ method: 'OPTIONS', path: '/v1/demo/files/docs/hello.txt' })).status).toBe(204)
    for (const [method, path, status] of [['GET', `/t/${token}/v2/x`, 404], ['GET', `/t/${token}`, 404], ['GET', `/t/a/t/${token}/v1`, 404], ['PATCH', `/t/${token}/v1/demo/files/x`, 405]] as const) {
      const response = await edge.raw({ method, path })
      expect([response.status, response.body.toString().includes(token)]).toEqual([status, false])
    }
  })

  it('two tokens that differ are 400, one in several places is one', async () => {
    const [one, two] = [await tokenFor(), await tokenFor()]
    const path = '/v1/demo/files/docs/kept.txt'
    const statusOf = async (request: Pick<RawRequest, 'path' | 'headers'>): Promise<number> => (await edge.raw(request)).status
    expect(await statusOf({ path: `/t/${one}${path}?t=${one}`, headers: { authorization: `bearer ${one}`, 'x-api-key': one } })).toBe(200)
    expect(await statusOf({ path: `/t/${one}${path}?t=${two}` })).toBe(400)
    expect(await statusOf({ path: `${path}?t=${one}&t=${two}` })).toBe(400)
    expect(await statusOf({ path, headers: { authorization: `Bearer ${one}`, 'x-api-key': two } })).toBe(400)
    expect(await statusOf({ path: `${path}?t=${one}`, headers: { authorization: 'Basic abc' } })).toBe(200)
    expect(await statusOf({ path, headers: { authorization: 'Basic abc' } })).toBe(401)
  })
})
