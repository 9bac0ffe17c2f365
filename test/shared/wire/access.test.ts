/** Who may, from the client's side: `access.json` over an edge as in a store, and where a token is sent. */
import { createServer } from 'node:http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { systemClock } from '../../../shared/clock.ts'
import { codeOf } from '../../../shared/error.ts'
import { closedAccess, decodeAccess, encodeAccess } from '../../../shared/format/access.ts'
import { accessKey } from '../../../shared/volume/keys.ts'
import { RemoteError } from '../../../shared/wire/connection.ts'
import { EdgeStore } from '../../../shared/wire/edge-store.ts'
import { testKeys, tokenFor } from '../../edge/access/tokens.ts'
import { type EdgeUnderTest, startEdge } from '../../edge/edge-under-test.ts'

let edge: EdgeUnderTest

beforeAll(async () => {
  edge = await startEdge({ access: { keys: testKeys } })
})

afterAll(() => edge.close())

const storeWith = (token: string, url = edge.url): EdgeStore => new EdgeStore({ url, volume: 'demo', fetch, clock: systemClock, headers: { authorization: `Bearer ${token}` } })

it('access.json is created, read and replaced as in a store', async () => {
  const store = storeWith(await tokenFor({ rights: ['admin'] }))
  expect(await store.get(accessKey)).toBeUndefined()
  expect(await store.create(accessKey, encodeAccess(closedAccess, 0))).toBe(true)
  expect(await store.create(accessKey, encodeAccess(closedAccess, 0))).toBe(false)
  const found = await store.get(accessKey)
  const next = await store.replace(accessKey, encodeAccess({ ...closedAccess, publicRead: true }, 0), found?.etag ?? '')
  expect(next).toBeDefined()
  expect(await store.replace(accessKey, encodeAccess(closedAccess, 0), found?.etag ?? '')).toBeUndefined()
  const now = await store.get(accessKey)
  expect([decodeAccess((await now?.bytes()) ?? new Uint8Array()).publicRead, now?.etag]).toEqual([true, next])
  expect(await store.replace(accessKey, encodeAccess(closedAccess, 0), next ?? '')).toBeDefined()
})

it('a token that does not count is told with its status', async () => {
  const refused = await storeWith('em1.bad').get('head').catch((error: unknown) => error)
  expect(refused).toBeInstanceOf(RemoteError)
  expect([refused instanceof RemoteError && refused.status, codeOf(refused)]).toEqual([401, 'denied'])
})

it('no redirect carries a token elsewhere', async () => {
  const seen: (string | undefined)[] = []
  const elsewhere = createServer((request, response) => {
    seen.push(request.headers.authorization)
    response.end('{}')
  })
  const here = createServer((_, response) => response.writeHead(302, { location: `http://127.0.0.1:${portOf(elsewhere)}/v1/demo/head` }).end())
  await Promise.all([elsewhere, here].map((server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))))
  try {
    await expect(storeWith('em1.secret', `http://127.0.0.1:${portOf(here)}`).get('head')).rejects.toThrow('Cannot reach the edge')
    expect(seen).toEqual([])
  } finally {
    elsewhere.close()
    here.close()
  }
})

function portOf(server: ReturnType<typeof createServer>): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
