/** What an edge does on every runtime over every store: through its socket alone, with a volume that it makes itself. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nodeHash } from '../../edge/node.ts'
import { systemClock } from '../../shared/clock.ts'
import { Volume } from '../../shared/volume/volume.ts'
import { VolumeClient } from '../../shared/wire/client.ts'
import { EdgeStore } from '../../shared/wire/edge-store.ts'
import { type RawRequest, type RawResponse, rawRequest } from '../support/raw-http.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { randomBytes } from '../support/test-volume.ts'

export interface RunningEdge {
  readonly port: number
  stop(): Promise<void>
}

const MiB = 1024 * 1024
const body = Buffer.from(randomBytes(1, 5_000_000))
const file = '/v1/demo/files/dir/big.bin'

export function testRuntime(name: string, start: () => Promise<RunningEdge>): void {
  describe(`the edge on ${name}`, () => {
    let edge: RunningEdge | undefined
    const ask = (path: string, more: Omit<RawRequest, 'path'> = {}): Promise<RawResponse> => rawRequest(edge!.port, { path, ...more })
    const url = (): string => `http://127.0.0.1:${edge!.port}`

    beforeAll(async () => {
      edge = await start()
    })

    afterAll(() => edge?.stop())

    test('a volume is made, takes a file, and gives it back whole, in ranges and on conditions', async () => {
      const made = await ask('/v1/demo', { method: 'PUT' })
      expect([made.status, made.body.toString().slice(0, 500)]).toEqual([201, expect.anything()])
      expect((await ask('/v1/demo', { method: 'PUT' })).status).toBe(409)
      expect((await ask(file, { method: 'PUT', body })).status).toBe(201)
      const whole = await ask(file, { headers: { 'accept-encoding': 'gzip, br' } })
      expect([whole.status, whole.isCut, whole.headers['content-length'], whole.body.equals(body)]).toEqual([200, false, '5000000', true])
      expect(whole.headers).not.toHaveProperty('content-encoding')
      const tag = whole.headers['etag'] ?? ''
      const part = await ask(file, { headers: { range: 'bytes=1000000-3999999', 'if-range': tag } })
      expect([part.status, part.headers['content-range'], part.headers['etag'], part.body.equals(body.subarray(1_000_000, 4_000_000))]).toEqual([206, 'bytes 1000000-3999999/5000000', tag, true])
      const several = await ask(file, { headers: { range: 'bytes=0-9,4000000-4000009,-5' } })
      expect([several.status, several.isCut]).toEqual([206, false])
      for (const [from, to] of [[0, 10], [4_000_000, 4_000_010], [4_999_995, 5_000_000]] as const) expect(several.body.includes(body.subarray(from, to))).toBe(true)
      expect((await ask(file, { headers: { range: 'bytes=5000000-' } })).headers['content-range']).toBe('bytes */5000000')
      expect((await ask(file, { headers: { 'if-none-match': tag } })).status).toBe(304)
      expect((await ask(file, { headers: { 'if-match': '"other"' } })).status).toBe(412)
      const head = await ask(file, { method: 'HEAD' })
      expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, '5000000', 0])
    })

    test('what is not there is 404, kept by nobody, and there as soon as it is written', async () => {
      const path = '/v1/demo/files/later.txt'
      const absent = await ask(path)
      expect([absent.status, absent.headers['cache-control']]).toEqual([404, expect.stringContaining('no-store')])
      expect((await ask(path, { method: 'PUT', body: 'one' })).status).toBe(201)
      expect((await ask(path)).body.toString()).toBe('one')
      expect((await ask(path, { method: 'PUT', body: 'two' })).status).toBe(204)
      expect((await ask(path)).body.toString()).toBe('two')
      const listed: unknown = JSON.parse((await ask('/v1/demo/list/')).body.toString())
      expect(listed).toMatchObject({ items: [{ name: 'dir' }, { name: 'later.txt', size: 3 }], isLast: true })
      expect((await ask(path, { method: 'DELETE' })).status).toBe(204)
      expect((await ask(path)).status).toBe(404)
    })

    test('a commit by another request ends a long poll, within a second', async () => {
      const { seq } = JSON.parse((await ask('/v1/demo/head')).body.toString()) as { seq: number }
      const waiting = ask(`/v1/demo/events?after=${seq}&wait=9000`)
      await sleep(100)
      await ask('/v1/demo/files/news', { method: 'PUT', body: 'news' })
      const writtenMs = performance.now()
      const events = await waiting
      expect([events.status, events.body.toString()]).toEqual([200, expect.stringContaining('/news')])
      // Half a second between two looks at the log, and a slow machine.
      expect(performance.now() - writtenMs).toBeLessThan(2500)
    })

    test('what a mount publishes by packs and records is served; its slices ask the store once', async () => {
      const connection = { url: url(), fetch, clock: systemClock }
      const volume = await Volume.open({ store: new EdgeStore({ ...connection, volume: 'demo' }), clock: systemClock, random: new SeededRandom(7), hash: nodeHash, author: 'mount' })
      const writer = volume.writer()
      const bytes = Buffer.from(randomBytes(2, 2_500_000))
      await writer.commit([{ op: 'create', path: '/published', ...(await writer.write([bytes])) }])
      expect((await ask('/v1/demo/files/published')).body.equals(bytes)).toBe(true)
      const client = new VolumeClient({ ...connection, random: new SeededRandom(8), volume: 'demo' })
      const { runs } = await client.manifest('/published')
      const { pack, offset, length } = runs[0] as { pack: string; offset: number; length: number }
      const slice = `/v1/demo/packs/${pack}/${offset}-${offset + length}`
      expect((await ask(slice)).body.equals(bytes.subarray(0, length))).toBe(true)
      const before = await storeGets()
      for (let round = 0; round < 3; round += 1) expect((await ask(slice)).body.equals(bytes.subarray(0, length))).toBe(true)
      const around = await ask(`/v1/demo/packs/${pack}/10-${Math.min(MiB, offset + length)}`)
      expect([around.status, around.headers['cache-control']]).toEqual([200, expect.stringContaining('immutable')])
      expect((await storeGets()) - before).toBe(0)
      await volume.close()
    })

    async function storeGets(): Promise<number> {
      const text = (await ask('/metrics')).body.toString()
      return [...text.matchAll(/^edgemount_store_calls_total\{operation="get"[^}]*\} (\d+)/gm)].reduce((sum, [, count]) => sum + Number(count), 0)
    }
  })
}
