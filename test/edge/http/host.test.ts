/** Which names an edge answers to, so that no page can reach one on the machine of its reader under its own name. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { refuseForeignAddress, refuseForeignHost } from '../../../edge/http/host.ts'
import { serveNode } from '../../../edge/node.ts'
import { rawRequest } from '../../support/raw-http.ts'
import { type EdgeUnderTest, startEdge } from '../edge-under-test.ts'

describe('refuseForeignHost', () => {
  it.each([
    ['localhost', '127.0.0.1', true],
    ['localhost:8787', '127.0.0.1', true],
    ['LocalHost.:8787', '127.0.0.1', true],
    ['127.0.0.1:8787', '127.0.0.1', true],
    ['127.0.0.2', 'localhost', true],
    ['[::1]:8787', '::1', true],
    ['[::1]', '127.0.0.1', true],
    [null, '127.0.0.1', true],
    ['evil.example', '127.0.0.1', false],
    ['evil.example:8787', '::1', false],
    ['evil.example', '127.3.2.1', false],
    ['evil.example', 'LOCALHOST', false],
    ['localhost.evil.example', '127.0.0.1', false],
    ['127.0.0.1.evil.example', '127.0.0.1', false],
    ['192.168.0.7', '127.0.0.1', false],
    ['evil.example', '0.0.0.0', true],
    ['edge.example', '192.168.0.7', true],
    ['edge.example', '::', true],
  ])('%s at %s: %s', (host, listening, isAnswered) => {
    expect(refuseForeignHost(host, listening)?.status).toBe(isAnswered ? undefined : 403)
  })

  it.each(['', 'evil.example@localhost:1', 'localhost, evil.example', 'localhost/x', 'local host', 'localhost:x', '[::1', '::1'])('"%s" is no host, wherever it listens', (host) => {
    expect([refuseForeignHost(host, '127.0.0.1')?.status, refuseForeignHost(host, '0.0.0.0')?.status]).toEqual([400, 400])
  })

  it('takes the host of a target in absolute form before that of the header', () => {
    const status = (url: string): number | undefined => refuseForeignAddress({ url, headers: new Headers({ host: 'localhost' }) }, '127.0.0.1')?.status
    expect(['http://localhost:1/x', 'https://127.0.0.1/x', 'http://evil.example/x', 'http://localhost@evil.example/x'].map(status)).toEqual([undefined, undefined, 403, 400])
  })

  it('lets names through that were configured', () => {
    expect(refuseForeignHost('Photos.Example:443', '127.0.0.1', ['photos.example'])).toBeUndefined()
    expect(refuseForeignHost('other.example', '127.0.0.1', ['photos.example'])?.status).toBe(403)
  })
})

describe('an edge on 127.0.0.1', () => {
  let edge: EdgeUnderTest

  beforeAll(async () => {
    edge = await startEdge()
  })

  afterAll(() => edge.close())

  it('refuses other hosts, whatever is asked, and changes nothing', async () => {
    for (const [method, path] of [['GET', '/v1/demo/files/'], ['PUT', '/v1/demo/files/x'], ['GET', '/healthz'], ['OPTIONS', '/v1/demo/files/x']] as const) {
      const response = await edge.raw({ method, path, headers: { host: `evil.example:${edge.port}`, origin: `http://evil.example:${edge.port}` } })
      expect([response.status, response.headers['cache-control']]).toEqual([403, 'no-store'])
      expect(response.body.toString()).toContain('"code":"denied"')
    }
    expect((await edge.volume.head()).seq).toBe(1)
    expect((await edge.raw({ path: '/v1/demo/files/', headers: { host: `localhost:${edge.port}` } })).status).toBe(200)
  })

  it('on all addresses answers to every name', async () => {
    const server = await serveNode({ app: { fetch: () => Promise.resolve(new Response('x')), dispose: () => Promise.resolve() }, port: 0, host: '0.0.0.0' })
    onTestFinished(() => server.close())
    expect((await rawRequest(server.port, { path: '/', headers: { host: 'edge.example' } })).status).toBe(200)
  })
})
