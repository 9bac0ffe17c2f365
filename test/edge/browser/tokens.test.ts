/** The engine of pages at an edge that wants tokens: where they stand, what one for a part of a volume can do, and what is said when one does not do. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nodeHash } from '../../../edge/node.ts'
import { systemClock } from '../../../shared/clock.ts'
import { CountedFetch, openInNode } from '../../support/browser-volume.ts'
import { ask, away, newDevice, pinServed, readServed, startServed } from '../../support/device.ts'
import { MemoryTable } from '../../support/memory-table.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { testKeys, tokenFor } from '../access/tokens.ts'
import { type EdgeUnderTest, fileOperation, startEdge, volumeName } from '../edge-under-test.ts'

const big = new SeededRandom(12).bytes(3 * 1024 * 1024)

let edge: EdgeUnderTest
let url: string

beforeAll(async () => {
  edge = await startEdge({ access: { keys: testKeys } })
  url = `${edge.url}/v1/${volumeName}`
  await edge.commit(
    await fileOperation(edge.volume, '/part/big.bin', big),
    await fileOperation(edge.volume, '/part/small.txt', 'hello'),
    await fileOperation(edge.volume, '/secret.txt', 'no'),
  )
})

afterAll(async () => {
  await edge.close()
})

test('without a token nothing opens, and the edge says why', async () => {
  await expect(openInNode(url)).rejects.toMatchObject({ code: 'denied', message: expect.stringContaining('a token is needed') })
})

test('a token stands in the address for an edge elsewhere, and in a header for the page’s own; in no message and no key', async () => {
  const token = await tokenFor({ rights: ['read', 'list'] })
  const elsewhere = await openInNode(url, { token })
  expect((await elsewhere.volume.list('/')).items).toHaveLength(2)
  expect(elsewhere.network.take().every((asked) => asked.startsWith(`${edge.url}/t/${token}/v1/`))).toBe(true)
  await expect(elsewhere.volume.stat('/none')).rejects.toThrow(/^(?!.*em1)/)
  await elsewhere.volume.close()
  expect([...elsewhere.table.bodies.keys()].join(' ')).not.toContain('em1.')

  const own = await openInNode(url, { token, world: { origin: edge.url } })
  expect(Buffer.compare(await own.volume.read('/part/big.bin'), big)).toBe(0)
  expect(own.network.take().some((asked) => asked.includes('em1.'))).toBe(false)

  const inAddress = await openInNode(`${edge.url}/t/${token}/v1/${volumeName}`)
  expect(await inAddress.volume.stat('/secret.txt')).toMatchObject({ size: 2 })
  expect(inAddress.volume.edge).toBe(edge.url)
  expect(inAddress.volume.pathOf(`${edge.url}/t/${token}/v1/${volumeName}/files/a%20b`)).toBe('/a b')
})

test('one for a part of a volume reads that part: verified chunks by ranges of files, since packs are refused to it', async () => {
  const token = await tokenFor({ prefix: '/part', rights: ['read', 'list'] })
  const table = new MemoryTable()
  const { volume, network } = await openInNode(url, { token, table })
  expect(volume.prefix).toBe('/part')
  expect((await volume.list('/part')).items.map(({ name }) => name)).toEqual(['big.bin', 'small.txt'])
  expect(Buffer.compare(await volume.read('/part/big.bin', { start: 100_000, end: 2_500_000 }), big.subarray(100_000, 2_500_000))).toBe(0)
  expect(new TextDecoder().decode(await volume.read('/part/small.txt'))).toBe('hello')
  expect(network.take().some((asked) => /\/packs\/|\/log\//.test(asked))).toBe(false)
  await expect(volume.stat('/secret.txt')).rejects.toMatchObject({ code: 'denied' })
  await expect(volume.list('/')).rejects.toMatchObject({ code: 'denied' })
  await volume.close()

  // What it has read is there again, without a request but for the newest commit.
  const again = await openInNode(url, { token, table })
  network.take()
  expect(Buffer.compare(await again.volume.read('/part/big.bin', { start: 100_000, end: 2_500_000 }), big.subarray(100_000, 2_500_000))).toBe(0)
  expect(again.network.take().map((asked) => asked.replace(/.*em1[^/]*/, ''))).toEqual([`/v1/${volumeName}/stat/part`])
})

test('what one of them has seen is not for one for another part, though the cache has it', async () => {
  const table = new MemoryTable()
  const wide = await openInNode(url, { token: await tokenFor({ prefix: '/part', rights: ['read', 'list'] }), table })
  expect(await wide.volume.stat('/part/big.bin')).toMatchObject({ size: big.length })
  await wide.volume.close()
  const narrow = await openInNode(url, { token: await tokenFor({ prefix: '/part/small.txt', rights: ['read', 'list'] }), table })
  expect(new TextDecoder().decode(await narrow.volume.read('/part/small.txt'))).toBe('hello')
  await expect(narrow.volume.stat('/part/big.bin')).rejects.toMatchObject({ code: 'denied' })
})

test('it is told of commits that touch its part', async () => {
  const token = await tokenFor({ prefix: '/part', rights: ['read', 'list'] })
  const { volume } = await openInNode(url, { token })
  const stop = new AbortController()
  const told: string[] = []
  const following = volume.follow(({ operations }) => {
    told.push(...operations.map(({ op, path }) => `${op} ${path}`))
    stop.abort()
  }, stop)
  await edge.commit(await fileOperation(edge.volume, '/other.txt', 'not seen'))
  await edge.commit(await fileOperation(edge.volume, '/part/new.txt', 'seen'))
  await following
  expect(told).toEqual(['create /part/new.txt'])
  expect(await volume.stat('/part/new.txt')).toMatchObject({ size: 4 })
})

test('bytes of a file that are not what the manifest says are not given out, whatever the edge answers', async () => {
  const token = await tokenFor({ prefix: '/part', rights: ['read'] })
  const { volume, network } = await openInNode(url, { token })
  network.answer = (asked, init) =>
    asked.includes('/@')
      ? fetch(asked, init).then(async (response) => {
          const bytes = new Uint8Array(await response.arrayBuffer())
          bytes[0]! ^= 1
          return new Response(bytes, { status: 206, headers: response.headers })
        })
      : undefined
  await expect(volume.read('/part/big.bin', { start: 0, end: 10 })).rejects.toMatchObject({ code: 'corrupt' })
})

test('one that has expired ends reading with the sentence of the edge', async () => {
  const soon = Math.floor(systemClock.now() / 1000) + 2
  const token = await tokenFor({ rights: ['read'], expiry: soon })
  const { volume } = await openInNode(url, { token, cache: false })
  await volume.read('/part/big.bin', { start: 0, end: 10 })
  while (systemClock.now() / 1000 < soon) await systemClock.sleep(100)
  await expect(volume.read('/part/big.bin', { start: 2_900_000 })).rejects.toMatchObject({ code: 'denied', message: expect.stringMatching(/^Cannot accept the token: it expired on .*; ask for a new one$/) })
})

test('one for a single address, and one that is cut, are refused before anything is asked', async () => {
  const token = await tokenFor({ prefix: '/part/small.txt', rights: ['read'], reach: { kind: 'file', seq: undefined } })
  await expect(openInNode(url, { token })).rejects.toThrow('it is for one address alone')
  await expect(openInNode(url, { token: token.slice(0, 60) })).rejects.toMatchObject({ code: 'invalid', message: expect.stringContaining('Cannot read the token') })
})

test('one for a part of a volume pins it: files and folders are there without the edge, and not for a token for more', async () => {
  await edge.commit(await fileOperation(edge.volume, '/part/sub/deep/file.txt', 'deep '.repeat(2000)))
  const device = newDevice()
  const token = await tokenFor({ prefix: '/part', rights: ['read', 'list'] })
  await pinServed(startServed(device, { url }, { token }), '/part/sub')
  device.network.answer = away
  const served = startServed(device, { url }, { token })
  expect(await readServed(served, '/part/sub/deep/file.txt')).toMatch(/^[0-9a-f]{64}$/)
  for (const folder of ['/part/sub', '/part/sub/deep']) {
    for (const isSlashed of [true, false]) expect((await served.answer(folder, isSlashed, ask(folder))).status, `${folder} ${isSlashed}`).toBe(200)
  }
  expect(await readServed(startServed(device, { url }, { token: await tokenFor({ rights: ['read', 'list'] }) }), '/part/sub/deep/file.txt')).toMatch(/^503 /)
})

test('what something on the way says in the place of the edge is kept for no later reading, and unpins nothing', async () => {
  const token = await tokenFor({ prefix: '/part', rights: ['read', 'list'] })
  const table = new MemoryTable()
  const network = new CountedFetch()
  const { volume } = await openInNode(url, { token, table, network })
  network.answer = (asked) => (/\/list\//.test(asked) ? Promise.resolve(new Response('<h1>Sign in to this network</h1>', { headers: { 'content-type': 'text/html' } })) : undefined)
  await expect(volume.list('/part')).rejects.toMatchObject({ code: 'unavailable' })
  network.answer = () => undefined
  expect((await volume.list('/part')).items.length).toBeGreaterThan(1)

  const device = newDevice()
  const served = startServed(device, { url }, { token })
  await pinServed(served, '/part/small.txt')
  // A proxy that knows no route there for a moment.
  device.network.answer = (asked) => (/\/stat\/part\/small/.test(asked) ? Promise.resolve(new Response('default backend - 404', { status: 404 })) : undefined)
  await edge.commit(await fileOperation(edge.volume, '/part/more.txt', 'more'))
  device.aheadMs += 60_000
  await served.answer('/part', true, ask('/part/'))
  await served.settle()
  expect(await served.pins()).toMatchObject([{ path: '/part/small.txt' }])  // Nor is the edge there for as long as it knows no route at all: what is pinned is read, with a token for a part and for all.
  const whole = newDevice()
  const wholeToken = await tokenFor({ rights: ['read', 'list'] })
  await pinServed(startServed(whole, { url }, { token: wholeToken }), '/part/small.txt')
  for (const [own, ownToken] of [[device, token], [whole, wholeToken]] as const) {
    own.network.answer = () => Promise.resolve(new Response('default backend - 404', { status: 404 }))
    const hash = await readServed(startServed(own, { url }, { token: ownToken }), '/part/small.txt')
    expect(hash).toBe(await nodeHash(new TextEncoder().encode('hello')))
  }
})
