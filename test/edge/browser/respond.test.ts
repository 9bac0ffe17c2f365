/** Answers made in the page compared with those of the edge itself: the same requests, the same statuses, headers and bytes. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createFetch } from '../../../edge/browser/volume.ts'
import { type OpenedVolume, openInNode } from '../../support/browser-volume.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { type EdgeUnderTest, fileOperation, startEdge, volumeName } from '../edge-under-test.ts'

const big = new SeededRandom(13).bytes(2 * 1024 * 1024 + 5)
const headers = ['content-length', 'content-range', 'content-type', 'etag', 'accept-ranges']

let edge: EdgeUnderTest
let url: string
let opened: OpenedVolume

beforeAll(async () => {
  edge = await startEdge()
  url = `${edge.url}/v1/${volumeName}`
  await edge.commit(await fileOperation(edge.volume, '/a b/big.mp4', big), await fileOperation(edge.volume, '/small.txt', 'hello'), await fileOperation(edge.volume, '/empty', ''))
  opened = await openInNode(url)
})

afterAll(async () => {
  await opened.volume.close()
  await edge.close()
})

test.each<readonly [path: string, init: RequestInit]>([
  ['a%20b/big.mp4', {}],
  ['a%20b/big.mp4', { headers: { range: 'bytes=0-' } }],
  ['a%20b/big.mp4', { headers: { range: 'bytes=1000000-1000009' } }],
  ['a%20b/big.mp4', { headers: { range: 'bytes=-7' } }],
  ['a%20b/big.mp4', { headers: { range: 'bytes=99999999-' } }],
  ['a%20b/big.mp4', { headers: { range: 'lines=1-2' } }],
  ['a%20b/big.mp4', { method: 'HEAD' }],
  ['a%20b/big.mp4', { method: 'HEAD', headers: { range: 'bytes=5-9' } }],
  ['small.txt', { headers: { range: 'bytes=1-2', 'if-range': '"another"' } }],
  ['small.txt', { headers: { 'if-none-match': '*' } }],
  ['small.txt', { headers: { 'if-match': '"another"' } }],
  ['empty', {}],
  ['empty', { headers: { range: 'bytes=0-0' } }],
  ['none', {}],
])('%s %j', async (path, init) => {
  const ours = await createFetch(opened.volume)(`${url}/files/${path}`, init)
  const theirs = await fetch(`${url}/files/${path}`, init)
  expect(ours.status).toBe(theirs.status)
  if (theirs.ok) for (const name of headers) expect([name, ours.headers.get(name)]).toEqual([name, theirs.headers.get(name)])
  else expect(ours.headers.get('content-range')).toBe(theirs.headers.get('content-range'))
  const [own, other] = [await ours.arrayBuffer(), await theirs.arrayBuffer()]
  if (theirs.ok) expect(Buffer.compare(new Uint8Array(own), new Uint8Array(other))).toBe(0)
})

test('several ranges are the whole file; a version that is still here is 304', async () => {
  const fetch = createFetch(opened.volume)
  expect((await fetch(`${url}/files/a%20b/big.mp4`, { headers: { range: 'bytes=0-0,4000-4004' } })).status).toBe(200)
  const etag = (await fetch(`${url}/files/small.txt`)).headers.get('etag')!
  expect((await fetch(`${url}/files/small.txt`, { headers: { 'if-none-match': etag } })).status).toBe(304)
})

test('what is no file of the volume goes elsewhere', async () => {
  const elsewhere: string[] = []
  const fetch = createFetch(opened.volume, async (input) => {
    elsewhere.push(input instanceof Request ? input.url : String(input))
    return new Response()
  })
  const others = [`${url}/list/`, `${url}/files/`, `${url}/files/a%20b/`, `${url}/files/%zz`, `${edge.url}/v1/other/files/small.txt`, 'https://elsewhere.example/files/small.txt']
  for (const address of others) await fetch(address)
  await fetch(`${url}/files/small.txt`, { method: 'DELETE' })
  expect(elsewhere).toEqual([...others, `${url}/files/small.txt`])
})

test('who aborts gets his own reason back', async () => {
  const stop = new AbortController()
  const answer = createFetch((await openInNode(url, { cache: false })).volume)(`${url}/files/a%20b/big.mp4`, { headers: { range: 'bytes=0-99' }, signal: stop.signal })
  stop.abort()
  await expect(answer).rejects.toMatchObject({ name: 'AbortError' })
})

test('files as Blob-like values and as AsyncBuffers', async () => {
  const file = await opened.volume.file('/a b/big.mp4')
  expect({ name: file.name, type: file.type, size: file.size }).toEqual({ name: 'big.mp4', type: 'video/mp4', size: big.length })
  const blob = new Blob([new Uint8Array(big)])
  for (const [start, end] of [[0, 10], [-10, undefined], [5, -5], [100, 50], [2_000_000, 99_999_999]] as const) {
    const [own, other] = [file.slice(start, end), blob.slice(start, end)]
    expect(own.size).toBe(other.size)
    expect(Buffer.compare(await own.bytes(), new Uint8Array(await other.arrayBuffer()))).toBe(0)
  }
  expect(await (await opened.volume.file('/small.txt')).slice(1, 3).text()).toBe('el')
  const buffer = await opened.volume.asyncBuffer('/a b/big.mp4')
  expect(buffer.byteLength).toBe(big.length)
  expect(Buffer.compare(new Uint8Array(await buffer.slice(-4)), big.subarray(-4))).toBe(0)
})
