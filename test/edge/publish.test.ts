/** What mounts use: lookups, packs, the log. Commits made through these routes are commits like any other. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { createApp } from '../../edge/app.ts'
import { nodeHash } from '../../edge/node.ts'
import { aroundCalls } from '../../edge/store/around.ts'
import { contentVersionOf } from '../../shared/format/entry-codec.ts'
import { type CommitRecord, encodeRecord } from '../../shared/format/commit.ts'
import type { Entry, Hash, PackId, Pointer } from '../../shared/format/entry.ts'
import { newPackId, packBytesMax } from '../../shared/format/pack-id.ts'
import { systemClock } from '../../shared/clock.ts'
import { entryOfMessage } from '../../shared/wire/messages.ts'
import { routes } from '../../shared/wire/routes.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { pattern } from '../support/store-bytes.ts'
import { type EdgeUnderTest, fileOperation } from './edge-under-test.ts'
import { quickRuntimes } from './runtimes.ts'

let edge: EdgeUnderTest
const random = new SeededRandom(7)

const json = async (path: string): Promise<Record<string, unknown>> => {
  const response = await edge.fetch(path)
  expect(response.status).toBe(200)
  return JSON.parse(await response.text())
}
const post = (path: string, body: Uint8Array): Promise<Response> => edge.fetch(path, { method: 'POST', body: new Uint8Array(body) })
const newPack = (kind: 'data' | 'meta' = 'data'): PackId => newPackId(kind, systemClock, random)
const reasonOf = async (response: Response): Promise<string> => JSON.parse(await response.text()).error.reason

async function hashOfRecord(under: EdgeUnderTest, seq: number): Promise<Hash> {
  const bytes = encodeRecord((await under.volume.at(seq)).record)
  return await nodeHash(bytes)
}

describe.each(quickRuntimes)('on %s', (_runtime, start) => {
  beforeEach(async () => {
    edge = await start()
    onTestFinished(() => edge.close())
  })

  describe('lookups', () => {
    it('stat gives the entry, as fields and as its bytes', async () => {
      await edge.commit(await fileOperation(edge.volume, '/dir/x.txt', 'hello', { mode: 0o600 }), { op: 'symlink', path: '/link', target: 'dir/x.txt' })
      const entry = await (await edge.volume.head()).resolve('/dir/x.txt')
      const message = await json('/v1/demo/stat/link')
      expect(message).toMatchObject({ path: '/dir/x.txt', seq: 2, entry: { kind: 'file', size: 5, mode: 0o600, version: await contentVersionOf(entry) } })
      expect(entryOfMessage(message['entry'])).toEqual(entry)
      expect(await json('/v1/demo/stat/link?follow=0')).toMatchObject({ path: '/link', entry: { kind: 'symlink', target: 'dir/x.txt' } })
      expect(await json('/v1/demo/stat/')).toMatchObject({ path: '/', entry: { kind: 'directory' } })
      expect(await json('/v1/demo/stat')).toMatchObject({ path: '/' })
    })

    it('a seq pins them, and then they never change', async () => {
      await edge.commit(await fileOperation(edge.volume, '/x', 'one'))
      await edge.commit(await fileOperation(edge.volume, '/x', 'three', { replace: true }))
      const pinned = await edge.fetch('/v1/demo/stat/x?seq=2')
      expect(pinned.headers.get('cache-control')).toContain('immutable')
      expect(JSON.parse(await pinned.text())).toMatchObject({ seq: 2, entry: { size: 3 } })
      expect(await json('/v1/demo/stat/x')).toMatchObject({ seq: 3, entry: { size: 5 } })
      expect(await json('/v1/demo/list/?seq=1')).toMatchObject({ items: [], isLast: true })
      expect((await edge.fetch('/v1/demo/stat/x?seq=9')).status).toBe(404)
    })

    it('list pages are ordered by bytes and add up', async () => {
      const names = ['a', 'b', 'B', 'é', 'z', '\udcff']
      await edge.commit(...(await Promise.all(names.map((name) => fileOperation(edge.volume, `/d/${name}`, name)))))
      const first = await json('/v1/demo/list/d?limit=4')
      expect(first).toMatchObject({ isLast: false, items: [{ name: 'B' }, { name: 'a' }, { name: 'b' }, { name: 'z' }] })
      expect(await json('/v1/demo/list/d?limit=4&after=z')).toMatchObject({ isLast: true, items: [{ name: 'é' }, { name: '\udcff' }] })
      expect(await json('/v1/demo/list/d?after=%C3%A9')).toMatchObject({ items: [{ name: '\udcff' }] })
      expect((await edge.fetch('/v1/demo/list/d/a')).status).toBe(400)
    })

    it('manifest gives the runs of a range, and inline bodies themselves', async () => {
      const body = pattern(3_000_000)
      await edge.commit(await fileOperation(edge.volume, '/big', body), await fileOperation(edge.volume, '/small', 'abc'))
      const whole = await json('/v1/demo/manifest/big')
      expect(whole).toMatchObject({ size: 3_000_000, nextStart: null })
      const runs = whole['runs'] as { start: number; length: number; pack: PackId; offset: number; hash: Hash }[]
      expect(runs.reduce((sum, run) => sum + run.length, 0)).toBe(3_000_000)
      const middle = runs[1]
      const part = await json(`/v1/demo/manifest/big?start=${middle?.start}&end=${(middle?.start ?? 0) + 1}`)
      expect(part['runs']).toEqual([middle])
      const { pack, offset, length, start } = middle ?? { pack: '' as PackId, offset: 0, length: 0, start: 0 }
      const slice = await edge.fetch(routes.slice('demo', pack, { start: offset, end: offset + length }))
      expect(Buffer.compare(Buffer.from(await slice.arrayBuffer()), body.subarray(start, start + length))).toBe(0)
      expect(await json('/v1/demo/manifest/small')).toMatchObject({ inline: Buffer.from('abc').toString('base64'), runs: [] })
      expect((await edge.fetch('/v1/demo/manifest/big?start=5&end=4')).status).toBe(400)
      expect((await edge.fetch('/v1/demo/manifest/')).status).toBe(400)
    })
  })

  describe('packs', () => {
    it('are stored once, and served in slices that never change', async () => {
      const pack = newPack()
      const body = pattern(100_000)
      expect((await post(routes.packs('demo', pack), body)).status).toBe(201)
      expect((await post(routes.packs('demo', pack), pattern(5))).status).toBe(200)
      for (const [start, end] of [[0, 100_000], [5, 6], [99_999, 100_000], [50_000, 200_000], [0, 0], [100_000, 100_001], [500_000, 600_000]] as const) {
        const response = await edge.fetch(routes.slice('demo', pack, { start, end }))
        expect(response.status).toBe(200)
        expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable, no-transform')
        expect(response.headers.get('edgemount-size')).toBe('100000')
        expect(response.headers.get('content-range')).toBeNull()
        expect(Buffer.compare(Buffer.from(await response.arrayBuffer()), body.subarray(start, end))).toBe(0)
      }
      const whole = await edge.fetch(routes.pack('demo', pack))
      expect((await whole.arrayBuffer()).byteLength).toBe(100_000)
      const head = await edge.fetch(routes.slice('demo', pack, { start: 10, end: 30 }), { method: 'HEAD' })
      expect([head.status, head.headers.get('content-length'), head.headers.get('edgemount-size')]).toEqual([200, '20', '100000'])
    })

    it('a Range header changes nothing: the range is in the path', async () => {
      const pack = newPack()
      await post(routes.packs('demo', pack), pattern(100))
      const response = await edge.fetch(routes.slice('demo', pack, { start: 0, end: 50 }), { headers: { range: 'bytes=0-1' } })
      expect([response.status, (await response.arrayBuffer()).byteLength]).toEqual([200, 50])
    })

    it.each([
      ['GET', '/v1/demo/packs/nothing/0-1', 400],
      ['GET', '/v1/demo/packs/d01ARZ3NDEKTSV4RRFFQ69G5FAV/0-1', 404],
      ['GET', '/v1/demo/packs/d01ARZ3NDEKTSV4RRFFQ69G5FAV', 404],
      ['GET', '/v1/demo/packs/d01ARZ3NDEKTSV4RRFFQ69G5FAV/5-1', 400],
      ['GET', '/v1/demo/packs/d01ARZ3NDEKTSV4RRFFQ69G5FAV/x-1', 400],
      ['GET', '/v1/demo/packs/d01ARZ3NDEKTSV4RRFFQ69G5FAV/1', 400],
      ['GET', '/v1/demo/packs/..%2Fvolume.json/0-1', 400],
      ['POST', '/v1/demo/packs', 400],
      ['POST', '/v1/demo/packs?pack=d1', 400],
      ['POST', '/v1/demo/packs?pack=d01ARZ3NDEKTSV4RRFFQ69G5FAV', 400],
      ['POST', '/v1/nothing/packs?pack=d01ARZ3NDEKTSV4RRFFQ69G5FAV', 404],
      ['GET', '/v1/demo/packs', 405],
    ])('%s %s: %d', async (method, path, status) => {
      expect((await edge.fetch(path, { method })).status).toBe(status)
    })

    it('are refused before they are read when they say that they are too long', async () => {
      // By a socket: Deno answers at once too, but then keeps the connection for the body that never comes.
      const socket = connect({ port: edge.port, host: '127.0.0.1' })
      onTestFinished(() => void socket.destroy())
      socket.write(`POST ${routes.packs('demo', newPack())} HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${packBytesMax + 1}\r\n\r\n`)
      const [answer] = (await once(socket, 'data')) as [Buffer]
      expect(answer.toString()).toMatch(/^HTTP\/1\.1 413 /)
    })
  })

  describe('the log', () => {
    it('head, records and the list of seqs agree with the volume', async () => {
      await edge.commit({ op: 'mkdir', path: '/a' })
      await edge.commit({ op: 'mkdir', path: '/b' })
      expect(await json('/v1/demo/head')).toMatchObject({ seq: 3, author: 'test' })
      const { record } = await edge.volume.head()
      const response = await edge.fetch('/v1/demo/log/3')
      expect(Buffer.compare(Buffer.from(await response.arrayBuffer()), encodeRecord(record))).toBe(0)
      expect(response.headers.get('cache-control')).toContain('immutable')
      const free = await edge.fetch('/v1/demo/log/4')
      expect([free.status, free.headers.get('cache-control')]).toEqual([404, 'no-store'])
      expect(await json('/v1/demo/log')).toMatchObject({ items: [{ seq: 3 }, { seq: 2 }, { seq: 1 }], isLast: true })
      expect(await json('/v1/demo/log?limit=1')).toMatchObject({ items: [{ seq: 3 }], isLast: false })
      expect(await json('/v1/demo/log?before=3&limit=1')).toMatchObject({ items: [{ seq: 2 }] })
    })

    it('a record is published once; the slot is then taken', async () => {
      const { record } = await edge.volume.head()
      const next = { ...record, seq: 2, parent: await hashOfRecord(edge, 1), nonce: 'mine' }
      expect((await post('/v1/demo/log/2', encodeRecord(next))).status).toBe(201)
      expect((await edge.volume.head()).seq).toBe(2)
      const again = await post('/v1/demo/log/2', encodeRecord({ ...next, nonce: 'other' }))
      expect([again.status, again.headers.get('cache-control'), await reasonOf(again)]).toEqual([409, 'no-store', 'taken'])
      expect((await edge.volume.at(2)).record.nonce).toBe('mine')
    })

    it('a record must be whole, of its seq, follow its parent, and name what is stored', async () => {
      await edge.commit(await fileOperation(edge.volume, '/x', 'x'))
      const { record } = await edge.volume.head()
      const good = { ...record, seq: 3, parent: await hashOfRecord(edge, 2), nonce: 'n' }
      const bytes = encodeRecord(good)
      expect((await post('/v1/demo/log/4', bytes)).status).toBe(400)
      expect((await post('/v1/demo/log/3', bytes.subarray(0, -3))).status).toBe(400)
      expect((await post('/v1/demo/log/3', Buffer.concat([Buffer.from(' '), bytes]))).status).toBe(400)
      expect((await post('/v1/demo/log/0', bytes)).status).toBe(400)
      expect((await post('/v1/demo/log/x', bytes)).status).toBe(400)
      const orphan = await post('/v1/demo/log/3', encodeRecord({ ...good, parent: await hashOfRecord(edge, 1) }))
      expect([orphan.status, await reasonOf(orphan)]).toEqual([409, 'parent'])
      const early = await post('/v1/demo/log/9', encodeRecord({ ...good, seq: 9 }))
      expect([early.status, await reasonOf(early)]).toEqual([409, 'parent'])
      const pointer = { hash: 'a'.repeat(64) as Hash, pack: newPack('meta'), offset: 0, length: 10 }
      const dangling = await post('/v1/demo/log/3', encodeRecord({ ...good, root: { ...good.root, inodes: pointer } }))
      expect([dangling.status, await reasonOf(dangling)]).toEqual([409, 'packs'])
      expect((await edge.volume.head()).seq).toBe(2)
      expect((await post('/v1/demo/log/3', bytes)).status).toBe(201)
    })
  })

  describe('a record whose pages cannot be read', () => {
    it('is refused, and the volume stays readable', async () => {
      await edge.commit(await fileOperation(edge.volume, '/x', 'x'))
      const { record } = await edge.volume.head()
      const pack = newPack('meta')
      const garbage = new Uint8Array(pattern(1000))
      expect((await post(routes.packs('demo', pack), garbage)).status).toBe(201)
      const at = async (offset: number, length: number, hash?: Hash): Promise<Pointer> => ({
        hash: hash ?? (await nodeHash(garbage.subarray(offset, offset + length))),
        pack,
        offset,
        length,
      })
      const next = { ...record, seq: 3, parent: await hashOfRecord(edge, 2), nonce: 'n' }
      const directoryAt = (pointer: Pointer): Entry => ({ ...record.root.directory, content: { kind: 'tree', root: { pointer, entryCount: 1, directoryCount: 0 } } })
      const wrong = 'ab'.repeat(32) as Hash
      const roots: CommitRecord['root'][] = [
        { ...record.root, directory: directoryAt(await at(0, 100, wrong)) },
        { ...record.root, directory: directoryAt(await at(0, 100)) },
        { ...record.root, directory: directoryAt(await at(900, 200, wrong)) },
        { ...record.root, directory: directoryAt(await at(0, 2 ** 20, wrong)) },
        { ...record.root, inodes: await at(100, 100, wrong) },
        { ...record.root, inodes: await at(100, 100) },
      ]
      for (const root of roots) {
        const answer = await post('/v1/demo/log/3', encodeRecord({ ...next, root }))
        expect([answer.status, await reasonOf(answer)]).toEqual([409, 'packs'])
      }
      for (const pointer of [await at(0, 50, wrong), await at(0, 50)]) {
        const answer = await post('/v1/demo/log/3', encodeRecord({ ...next, operations: [], operationPages: [pointer] }))
        expect([answer.status, await reasonOf(answer)]).toEqual([409, 'packs'])
      }
      expect((await edge.fetch('/v1/demo/list/')).status).toBe(200)
      expect((await post('/v1/demo/log/3', encodeRecord(next))).status).toBe(201)
    })
  })

  describe('the head hint', () => {
    it('keeps no acknowledgement waiting, and is written before the edge ends', async () => {
      let isWritten = false
      let write = (): void => undefined
      const mayWrite = new Promise<void>((resolve) => (write = resolve))
      const store = aroundCalls(edge.store, async ({ operation, key }, run) => {
        if (operation !== 'put' || !key.endsWith('/head')) return await run(undefined)
        await mayWrite
        const done = await run(undefined)
        isWritten = true
        return done
      })
      const app = createApp({ store, clock: systemClock, random, hash: nodeHash })
      const { record } = await edge.volume.head()
      const next = encodeRecord({ ...record, seq: 2, parent: await hashOfRecord(edge, 1), nonce: 'mine' })
      const answer = await app.fetch(new Request('http://edge.test/v1/demo/log/2', { method: 'POST', body: new Uint8Array(next) }))
      expect([answer.status, isWritten]).toEqual([201, false])
      const disposal = app.dispose()
      write()
      await disposal
      expect(isWritten).toBe(true)
    })

    it('does not keep an edge from ending when the store hangs', async () => {
      const store = aroundCalls(edge.store, async ({ operation }, run) => (operation === 'put' ? await new Promise(() => undefined) : await run(undefined)))
      const app = createApp({ store, clock: systemClock, random, hash: nodeHash })
      expect((await app.fetch(new Request('http://edge.test/v1/demo/files/x', { method: 'PUT', body: 'x' }))).status).toBe(201)
      const start = performance.now()
      await app.dispose()
      expect(performance.now() - start).toBeLessThan(4000)
    })
  })
})
