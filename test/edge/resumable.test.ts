/** Uploads in parts, by tus 1.0.0: each row of the protocol, on each runtime. */
import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { randomBelow } from '../../shared/random.ts'
import { pattern } from '../support/store-bytes.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import type { EdgeUnderTest } from './edge-under-test.ts'
import { runtimes } from './runtimes.ts'

const tus = { 'tus-resumable': '1.0.0' }
const part = { ...tus, 'content-type': 'application/offset+octet-stream' }
const base64 = (text: string): string => Buffer.from(text).toString('base64')
const digest = (algorithm: string, body: Uint8Array | string): string => createHash(algorithm).update(body).digest('base64')

describe.each(runtimes)('on %s', (_runtime, start) => {
  let edge: EdgeUnderTest
  beforeAll(async () => {
    edge = await start()
  }, 60_000)
  afterAll(() => edge.close())

  const ask = (method: string, address: string, headers: Record<string, string>, body?: Uint8Array | string): Promise<Response> =>
    edge.fetch(address, { method, headers, ...(body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) }) })
  const create = (path: string, length: number, headers: Record<string, string> = {}, body?: string): Promise<Response> =>
    ask('POST', `/v1/demo/uploads${path}`, { ...tus, 'upload-length': String(length), ...headers }, body)
  const begin = async (path: string, length: number, headers: Record<string, string> = {}): Promise<string> => {
    const response = await create(path, length, headers)
    expect(response.status).toBe(201)
    return response.headers.get('location') ?? ''
  }
  const send = (address: string, offset: number, body: Uint8Array | string, headers: Record<string, string> = {}): Promise<Response> =>
    ask('PATCH', address, { ...part, 'upload-offset': String(offset), ...headers }, body)
  const offsetOf = async (address: string): Promise<string | null> => (await ask('HEAD', address, tus)).headers.get('upload-offset')
  const textAt = async (path: string): Promise<string> => await (await edge.fetch(`/v1/demo/files${path}`)).text()
  const statusAt = async (path: string): Promise<number> => (await edge.fetch(`/v1/demo/files${path}`, { method: 'HEAD' })).status
  const seq = async (): Promise<number> => (await edge.volume.head()).seq

  it('says what it speaks, also to a page of another origin', async () => {
    const response = await ask('OPTIONS', '/v1/demo/uploads/x', { origin: 'https://page.example', 'access-control-request-method': 'PATCH', 'access-control-request-headers': 'tus-resumable, upload-offset' })
    expect(response.status).toBe(204)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'tus-version': '1.0.0',
      'tus-extension': 'creation,creation-with-upload,expiration,checksum,termination',
      'tus-checksum-algorithm': 'sha1,md5,sha256,sha512',
      'access-control-allow-methods': 'POST, GET, HEAD, PATCH, DELETE, OPTIONS',
      'access-control-allow-headers': 'tus-resumable, upload-offset',
    })
    for (const name of ['Tus-Resumable', 'Upload-Offset', 'Upload-Length', 'Upload-Expires', 'Location']) {
      expect(response.headers.get('access-control-expose-headers')).toContain(name)
    }
  })

  it('makes a file of two parts in one commit, and nothing is visible before', async () => {
    const before = await seq()
    const created = await create('/new/two.txt', 11, { 'upload-metadata': `filename ${base64('two.txt')},mtime ${base64('1700000000.5')},is_private`, 'edgemount-mode': '600' })
    expect(created.status).toBe(201)
    expect(Object.fromEntries(created.headers)).toMatchObject({ 'tus-resumable': '1.0.0', 'upload-offset': '0', 'cache-control': 'no-store' })
    const address = created.headers.get('location') ?? ''
    expect(address).toMatch(/^\/v1\/demo\/uploads\/new\/two\.txt\?upload=[0-9a-f]{44}$/)
    const expires = Date.parse(created.headers.get('upload-expires') ?? '')
    expect(Math.abs(expires - Date.now() - 7 * 86_400_000)).toBeLessThan(60_000)
    const first = await send(address, 0, 'hello ')
    expect([first.status, first.headers.get('upload-offset'), first.headers.get('tus-resumable')]).toEqual([204, '6', '1.0.0'])
    expect([await seq(), await statusAt('/new/two.txt')]).toEqual([before, 404])
    const asked = await ask('HEAD', address, tus)
    expect(Object.fromEntries(asked.headers)).toMatchObject({ 'upload-offset': '6', 'upload-length': '11', 'cache-control': 'no-store' })
    expect(asked.headers.get('upload-metadata')).toContain(',is_private')
    expect(await (await ask('GET', address, {})).json()).toMatchObject({ path: '/new/two.txt', offset: 6, length: 11, isFinished: false })
    const last = await send(address, 6, 'world')
    expect([last.status, last.headers.get('upload-offset'), last.headers.get('edgemount-seq')]).toEqual([204, '11', String(before + 1)])
    expect(await textAt('/new/two.txt')).toBe('hello world')
    expect((await edge.fetch('/v1/demo/files/new/two.txt')).headers.get('etag')).toBe(last.headers.get('etag'))
    expect(await (await edge.volume.head()).resolve('/new/two.txt')).toMatchObject({ mode: 0o600, mtime: { seconds: 1_700_000_000, nanoseconds: 500_000_000 } })
    // The answer was lost: asked again, it is the same; the file is not made again.
    expect(await offsetOf(address)).toBe('11')
    expect((await ask('GET', address, {})).headers.get('edgemount-seq')).toBe(String(before + 1))
    expect((await send(address, 11, '')).status).toBe(204)
    expect(await seq()).toBe(before + 1)
    expect((await ask('DELETE', address, tus)).status).toBe(204)
    expect([(await ask('HEAD', address, tus)).status, await statusAt('/new/two.txt')]).toEqual([404, 200])
  })

  it('takes bytes with the creation, all of them too, and none', async () => {
    const some = await create('/with/some', 10, { 'content-type': part['content-type'] }, 'hello')
    expect([some.status, some.headers.get('upload-offset')]).toEqual([201, '5'])
    expect((await send(some.headers.get('location') ?? '', 5, 'world')).status).toBe(204)
    const all = await create('/with/all', 5, { 'content-type': part['content-type'], 'upload-checksum': `sha256 ${digest('sha256', 'whole')}` }, 'whole')
    expect([all.status, all.headers.get('upload-offset'), all.headers.has('etag')]).toEqual([201, '5', true])
    const none = await create('/with/none', 0)
    expect([none.status, none.headers.get('upload-offset')]).toEqual([201, '0'])
    expect([await textAt('/with/some'), await textAt('/with/all'), await textAt('/with/none')]).toEqual(['helloworld', 'whole', ''])
  })

  it('random parts of a large body are what one PUT would be', async () => {
    const random = new SeededRandom(7)
    const body = random.bytes(5_000_000)
    body.fill(0, 1_000_000, 2_600_000)
    const address = await begin('/parts', body.length)
    for (let at = 0; at < body.length; ) {
      const end = Math.min(body.length, at + randomBelow(random, 1_500_000))
      expect((await send(address, at, body.subarray(at, end))).status).toBe(204)
      at = end
    }
    const put = await ask('PUT', '/v1/demo/files/whole', {}, body)
    expect((await edge.fetch('/v1/demo/files/parts', { method: 'HEAD' })).headers.get('etag')).toBe(put.headers.get('etag'))
    expect(Buffer.compare(Buffer.from(await (await edge.fetch('/v1/demo/files/parts')).arrayBuffer()), body)).toBe(0)
  })

  it.each<[string, Record<string, string>, number]>([
    ['/x', { 'tus-resumable': '0.2.2' }, 412],
    ['/x', { 'upload-length': '-1' }, 400],
    ['/x', { 'upload-length': '1e3' }, 400],
    ['/x', { 'upload-length': '99999999999999999999' }, 413],
    ['/x', { 'upload-metadata': 'name nobase64!' }, 400],
    ['/x', { 'upload-metadata': `a ${base64('1')},a ${base64('2')}` }, 400],
    ['/x', { 'upload-metadata': `a ${base64('x'.repeat(4096))}` }, 400],
    ['/x', { 'upload-metadata': `mtime ${base64('yesterday')}` }, 400],
    ['/x', { 'edgemount-mode': '9' }, 400],
    ['/x', { 'if-match': '*' }, 412],
    ['/dir/file', { 'if-none-match': '*' }, 412],
    ['/dir', {}, 409],
    ['/dir/', {}, 400],
    ['/x', { 'x-http-method-override': 'PATCH' }, 415],
    ['/x', { origin: 'https://elsewhere.example' }, 403],
  ])('begun at %s with %j is refused: %d', async (path, headers, status) => {
    await ask('PUT', '/v1/demo/files/dir/file', {}, 'file')
    const response = await create(path, 5, headers)
    expect(response.status).toBe(status)
    expect(response.headers.get('tus-resumable')).toBe('1.0.0')
    if (headers['tus-resumable'] !== undefined) expect(response.headers.get('tus-version')).toBe('1.0.0')
  })

  it('without a length is refused', async () => {
    expect((await ask('POST', '/v1/demo/uploads/x', { ...tus, 'upload-defer-length': '1' })).status).toBe(400)
  })

  it('each part that cannot be is refused, and moves nothing', async () => {
    const address = await begin('/refused', 10)
    await send(address, 0, 'abc')
    const id = address.split('=')[1] ?? ''
    const rows: [status: number, address: string, headers: Record<string, string>, body: string][] = [
      [409, address, { 'upload-offset': '0' }, 'abc'],
      [409, address, { 'upload-offset': '4' }, 'abc'],
      [400, address, { 'upload-offset': '' }, 'abc'],
      [400, address, { 'upload-offset': '-3' }, 'abc'],
      [413, address, {}, 'abcdefgh'],
      [415, address, { 'content-type': 'application/octet-stream' }, 'abc'],
      [412, address, { 'tus-resumable': '2.0.0' }, 'abc'],
      [400, address, { 'upload-checksum': `crc32 ${base64('abcd')}` }, 'abc'],
      [400, address, { 'upload-checksum': 'md5 nonsense' }, 'abc'],
      [460, address, { 'upload-checksum': `md5 ${digest('md5', 'abd')}` }, 'abc'],
      [400, '/v1/demo/uploads/refused', {}, 'abc'],
      [400, `/v1/demo/uploads/refused?upload=${id.slice(1)}`, {}, 'abc'],
      [404, `/v1/demo/uploads/another?upload=${id}`, {}, 'abc'],
      [404, `/v1/demo/uploads/refused?upload=${id.slice(0, -1)}${id.endsWith('0') ? '1' : '0'}`, {}, 'abc'],
      [410, `/v1/demo/uploads/refused?upload=${'0'.repeat(44)}`, {}, 'abc'],
      [404, `/v1/other/uploads/refused?upload=${id}`, {}, 'abc'],
    ]
    for (const [status, where, headers, body] of rows) {
      const response = await send(where, 3, body, headers)
      expect([response.status, response.headers.get('tus-resumable')], `${where} ${JSON.stringify(headers)}`).toEqual([status, '1.0.0'])
      expect((await response.json()) as object).toHaveProperty('error.message')
    }
    expect(await offsetOf(address)).toBe('3')
    const rest = await ask('POST', address, { ...part, 'x-http-method-override': 'PATCH', 'upload-offset': '3', 'upload-checksum': `sha1 ${digest('sha1', 'defghij')}` }, 'defghij')
    expect([rest.status, await textAt('/refused')]).toEqual([204, 'abcdefghij'])
  })

  it('a precondition of the creation holds up to the commit', async () => {
    const put = await ask('PUT', '/v1/demo/files/guarded', {}, 'one')
    const replacing = await begin('/guarded', 3, { 'if-match': put.headers.get('etag') ?? '' })
    const making = await begin('/fresh', 3, { 'if-none-match': '*' })
    await ask('PUT', '/v1/demo/files/guarded', {}, 'two')
    await ask('PUT', '/v1/demo/files/fresh', {}, 'two')
    const before = await seq()
    for (const address of [replacing, making]) {
      expect((await send(address, 0, 'new')).status).toBe(412)
      expect((await ask('HEAD', address, tus)).status).toBe(404)
    }
    expect([await seq(), await textAt('/guarded'), await textAt('/fresh')]).toEqual([before, 'two', 'two'])
  })

  it('what is in the way at the end can be taken away', async () => {
    const address = await begin('/blocked', 3)
    await ask('PUT', '/v1/demo/files/blocked/file', {}, 'x')
    expect((await send(address, 0, 'new')).status).toBe(409)
    await ask('DELETE', '/v1/demo/files/blocked?recursive=1', {})
    expect((await send(address, 0, 'new')).status).toBe(204)
    expect(await textAt('/blocked')).toBe('new')
  })

  it('of parts that race at one offset one wins', async () => {
    const address = await begin('/raced', 300_000)
    const bodies = [1, 2, 3, 4].map((value) => pattern(100_000).fill(value, 0, 10))
    const answers = await Promise.all(bodies.map((body) => send(address, 0, body)))
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([204, 409, 409, 409])
    const winner = answers.findIndex(({ status }) => status === 204)
    const before = await seq()
    const last = await Promise.all([1, 2, 3].map(() => send(address, 100_000, pattern(200_000))))
    expect(last.filter(({ status }) => status === 204).length).toBeGreaterThan(0)
    expect(await seq()).toBe(before + 1)
    const served = new Uint8Array(await (await edge.fetch('/v1/demo/files/raced')).arrayBuffer())
    expect([served.length, served[0]]).toEqual([300_000, winner + 1])
  })

  it('what came before a connection broke is kept', async () => {
    const address = await begin('/broken', 1_000_000)
    const body = pattern(1_000_000)
    const head = Object.entries({ ...part, 'upload-offset': '0', 'content-length': '1000000', host: 'localhost' }).map(([name, value]) => `${name}: ${value}\r\n`)
    await new Promise<void>((resolve) => {
      const socket = connect({ port: edge.port, host: '127.0.0.1' }, () => {
        socket.write(`PATCH ${address} HTTP/1.1\r\n${head.join('')}\r\n`)
        socket.write(body.subarray(0, 300_000), () => setTimeout(() => socket.destroy(), 100))
      })
      socket.once('close', () => resolve())
    })
    let offset = 0
    for (let count = 0; count < 50 && offset === 0; count += 1) {
      await sleep(20)
      offset = Number(await offsetOf(address))
    }
    expect(offset).toBe(300_000)
    expect(await statusAt('/broken')).toBe(404)
    expect((await send(address, offset, body.subarray(offset))).status).toBe(204)
    expect(Buffer.compare(Buffer.from(await (await edge.fetch('/v1/demo/files/broken')).arrayBuffer()), body)).toBe(0)
  })

  it('an upload that was ended is gone', async () => {
    const address = await begin('/ended', 10)
    await send(address, 0, 'abc')
    expect((await ask('DELETE', address, tus)).status).toBe(204)
    expect([(await ask('HEAD', address, tus)).status, (await send(address, 3, 'abc')).status, await statusAt('/ended')]).toEqual([404, 404, 404])
  })
})
