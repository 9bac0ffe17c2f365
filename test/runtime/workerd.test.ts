/** The edge inside workerd, over R2: a volume is made, written, listed and read by range. */
import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, beforeAll, expect, test } from 'vitest'

let miniflare: Miniflare

beforeAll(async () => {
  const bundle = await build({
    entryPoints: [resolve(import.meta.dirname, '../../edge/worker.ts')],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    conditions: ['worker', 'browser'],
    target: 'es2024',
  })
  const script = bundle.outputFiles[0]!.text
  miniflare = new Miniflare(convertV4MiniflareOptions({ modules: true, script, r2Buckets: ['VOLUMES'], bindings: { EDGEMOUNT_OPEN: '1' }, compatibilityDate: '2026-10-01' }))
  await miniflare.ready
})

afterAll(() => miniflare?.dispose())

const body = Uint8Array.from({ length: 3_000_000 }, (_, index) => (index * 7 + (index >> 9)) & 255)

async function ask(path: string, init?: Parameters<Miniflare['dispatchFetch']>[1]): Promise<Awaited<ReturnType<Miniflare['dispatchFetch']>>> {
  return await miniflare.dispatchFetch(`http://edge.test${path}`, init)
}

test('a volume is created, written, listed and read by range', async () => {
  expect((await ask('/v1/work', { method: 'PUT' })).status).toBe(201)
  expect((await ask('/v1/work/files/folder/a%20file.bin', { method: 'PUT', body })).status).toBe(201)
  const whole = await ask('/v1/work/files/folder/a%20file.bin')
  expect(whole.status).toBe(200)
  expect(new Uint8Array(await whole.arrayBuffer())).toEqual(body)
  const part = await ask('/v1/work/files/folder/a%20file.bin', { headers: { range: 'bytes=1000000-1999999' } })
  expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 1000000-1999999/${body.length}`])
  expect([whole.headers.get('content-length'), part.headers.get('content-length')]).toEqual([String(body.length), '1000000'])
  expect(new Uint8Array(await part.arrayBuffer())).toEqual(body.subarray(1_000_000, 2_000_000))
  const listing: unknown = await (await ask('/v1/work/list/folder')).json()
  expect(JSON.stringify(listing)).toContain('a file.bin')
})

test('a digest is compared with what comes', async () => {
  const digest = (algorithm: string, bytes: Uint8Array): string => createHash(algorithm).update(bytes).digest('base64')
  const put = (headers: Record<string, string>): ReturnType<typeof ask> => ask('/v1/work/files/checked', { method: 'PUT', body, headers })
  const right = { 'content-md5': digest('md5', body), 'repr-digest': `sha-256=:${digest('sha256', body)}:, sha-512=:${digest('sha512', body)}:, sha=:${digest('sha1', body)}:` }
  expect((await put(right)).status).toBe(201)
  for (const name of ['content-md5', 'repr-digest']) {
    const wrong = name === 'content-md5' ? digest('md5', body.subarray(1)) : `sha-256=:${digest('sha256', body.subarray(1))}:`
    const refused = await put({ [name]: wrong })
    expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining('Cannot take the body')])
  }
})

test('what is not there is 404 and never stored', async () => {
  const absent = await ask('/v1/work/files/nothing')
  expect([absent.status, absent.headers.get('cache-control')]).toEqual([404, 'no-store'])
  await absent.arrayBuffer()
})

test('a commit made by another request ends a long poll', async () => {
  const head = (await (await ask('/v1/work/head')).json()) as { seq: number }
  const waiting = ask(`/v1/work/events?after=${head.seq}&wait=10000`)
  expect((await ask('/v1/work/files/news', { method: 'PUT', body: 'news' })).status).toBe(201)
  const events = await waiting
  expect(events.status).toBe(200)
  expect(await events.text()).toContain('/news')
})
