/** What a service worker answers and keeps, without a browser: over a real edge, with a table in memory and a network that fails when told to. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Pins } from '../../../../edge/browser/service-worker/pins.ts'
import { ServedVolume } from '../../../../edge/browser/service-worker/served-volume.ts'
import { markOf, ownerWithin } from '../../../../edge/browser/service-worker/pin-table.ts'
import type { BrowserVolume } from '../../../../edge/browser/volume.ts'
import type { ServedSettings } from '../../../../edge/browser/service-worker/worker-book.ts'
import { nodeHash } from '../../../../edge/node.ts'
import { systemClock } from '../../../../shared/clock.ts'
import { type Device, ask, away, newDevice, pinServed, readServed, startServed } from '../../../support/device.ts'
import { parseMultipart } from '../../../support/multipart-parser.ts'
import { SeededRandom } from '../../../support/seeded-random.ts'
import { type EdgeUnderTest, fileOperation, startEdge, volumeName } from '../../edge-under-test.ts'

const MiB = 1024 * 1024
const random = new SeededRandom(51)
const first = random.bytes(2 * MiB)
const second = random.bytes(2 * MiB)

let edge: EdgeUnderTest

beforeAll(async () => {
  edge = await startEdge()
})
afterAll(async () => await edge?.close())

function start(device: Device, settings: Partial<ServedSettings> = {}): ServedVolume {
  return startServed(device, { url: `${edge.url}/v1/${volumeName}`, ...settings })
}

async function hashOf(body: Uint8Array | string): Promise<string> {
  return await nodeHash(typeof body === 'string' ? new TextEncoder().encode(body) : body)
}

describe('a pin', () => {
  test('stays whole as it was until all of the newer commit is kept; then it is that, and the older one can go', async () => {
    const seq = await edge.commit(await fileOperation(edge.volume, '/a/one', first), await fileOperation(edge.volume, '/a/two', 'two '.repeat(5000)))
    const device = newDevice()
    await pinServed(start(device), '/a')
    await edge.commit(await fileOperation(edge.volume, '/a/one', second, { replace: true }), await fileOperation(edge.volume, '/a/two', 'three '.repeat(5000), { replace: true }))
    // The edge goes away when half of the newer one has come.
    let packCount = 0
    device.network.answer = (url) => (url.includes('/packs/d') && (packCount += 1) > 1 ? away() : undefined)
    const served = start(device)
    await expect(pinServed(served, '/a')).rejects.toMatchObject({ code: 'unavailable' })
    expect(await served.pins()).toMatchObject([{ path: '/a', seq, nextSeq: seq + 1 }])
    device.network.answer = away
    expect(await readServed(start(device), '/a/one')).toBe(await hashOf(first))
    expect(await readServed(start(device), '/a/two')).toBe(await hashOf('two '.repeat(5000)))

    device.network.answer = () => undefined
    const online = start(device)
    await readServed(online, '/a/two')
    await online.settle()
    expect(await online.pins()).toMatchObject([{ path: '/a', seq: seq + 1, nextSeq: undefined }])
    expect(await device.table.pins()).toHaveLength(1)
    await device.table.evict(0)
    expect((await device.table.size()).bytes).toBeLessThan(first.length * 1.2)
    device.network.answer = away
    expect(await readServed(start(device), '/a/one')).toBe(await hashOf(second))
  })

  test('keeps what it has in common with another that is unpinned', async () => {
    await edge.commit(await fileOperation(edge.volume, '/x/same', first), await fileOperation(edge.volume, '/y/same', first))
    const device = newDevice()
    const served = start(device)
    await pinServed(served, '/x')
    await pinServed(served, '/y')
    await served.unpin('/y')
    await served.settle()
    await device.table.evict(0)
    device.network.answer = away
    expect(await readServed(start(device), '/x/same')).toBe(await hashOf(first))
    expect(await readServed(start(device), '/y/same')).toMatch(/^503 .*Cannot send \\"\/y\/same\\" without the edge/)
  })

  test('of what is not there, of a link and of too much is none', async () => {
    await edge.commit(await fileOperation(edge.volume, '/big/file', first), { op: 'symlink', path: '/link', target: 'big' })
    const device = newDevice()
    const served = start(device, { pinBytes: MiB })
    await expect(pinServed(served, '/nothing')).rejects.toMatchObject({ code: 'not-found' })
    await expect(pinServed(served, '/link')).rejects.toMatchObject({ code: 'invalid', message: 'Cannot pin "/link": it leads to "/big"; pin that' })
    device.network.take()
    await expect(pinServed(served, '/big')).rejects.toMatchObject({ code: 'exhausted' })
    expect(device.network.take().filter((url) => url.includes('/packs/d'))).toEqual([])
    expect(await served.pins()).toEqual([])
    expect(await device.table.pins()).toEqual([])
  })

  test('that was given up before it was whole is none; one that failed waits', async () => {
    await edge.commit(await fileOperation(edge.volume, '/half/1', second), await fileOperation(edge.volume, '/half/2', first))
    const device = newDevice()
    const served = start(device)
    const giving = new AbortController()
    await expect(served.pin('/half', { signal: giving.signal, onProgress: () => giving.abort() })).rejects.toMatchObject({ code: 'aborted' })
    expect(await served.pins()).toMatchObject([{ path: '/half', seq: undefined }])
    await served.giveUpPin('/half')
    expect(await served.pins()).toEqual([])
    expect(await device.table.pins()).toEqual([])
    device.network.answer = (url) => (url.includes('/packs/d') ? away() : undefined)
    await expect(pinServed(served, '/half')).rejects.toMatchObject({ code: 'unavailable' })
    device.network.answer = () => undefined
    device.aheadMs += 60_000
    await served.settle()
    expect(await served.pins()).toMatchObject([{ path: '/half', nextSeq: undefined, files: 2 }])
  })

  test('comes back after everything that is kept was cleared, by the volume or past it', async () => {
    await edge.commit(await fileOperation(edge.volume, '/again/file', first))
    const device = newDevice()
    const served = start(device)
    await pinServed(served, '/again')
    for (const clear of [() => served.clear(), () => device.table.clear()]) {
      await clear()
      device.aheadMs += 60_000
      await served.settle()
      device.network.answer = away
      expect(await readServed(start(device), '/again/file')).toBe(await hashOf(first))
      device.network.answer = () => undefined
    }
  })

  test('of a volume that was made anew under its name is not served in its place', async () => {
    const other = await startEdge({ seed: 2 })
    const seq = await edge.commit(await fileOperation(edge.volume, '/anew/file', first))
    while ((await other.commit(await fileOperation(other.volume, '/anew/file', second, { replace: true }))) < seq);
    const device = newDevice()
    const served = start(device)
    await pinServed(served, '/anew')
    device.network.answer = away
    expect(await readServed(start(device), '/anew/file')).toBe(await hashOf(first))
    device.network.answer = (url, init) => fetch(url.replace(edge.url, other.url), init)
    const later = start(device)
    expect(await readServed(later, '/anew/none')).toMatch(/^404 /)
    device.network.answer = away
    device.aheadMs += 10_000
    for (const each of [served, later, start(device)]) expect(await readServed(each, '/anew/file')).toMatch(/^503 /)
    device.network.answer = (url, init) => fetch(url.replace(edge.url, other.url), init)
    await pinServed(start(device), '/anew')
    await other.close()
    device.network.answer = away
    expect(await readServed(start(device), '/anew/file')).toBe(await hashOf(second))
    expect(await device.table.pins()).toHaveLength(1)
  })

  test('that is unpinned while it is being fetched stays unpinned', async () => {
    await edge.commit(await fileOperation(edge.volume, '/slow/file', first))
    const device = newDevice()
    const served = start(device)
    const isAsked = Promise.withResolvers<void>()
    device.network.answer = (url) => (url.includes('/packs/d') ? (isAsked.resolve(), new Promise(() => undefined)) : undefined)
    const pinning = pinServed(served, '/slow').then(() => 'pinned', String)
    await isAsked.promise
    await served.unpin('/slow')
    expect(await pinning).toMatch(/it was unpinned/)
    expect([await served.pins(), await device.table.pins()]).toEqual([[], []])
  })

  test('holds a chunk again that was damaged and fetched for somebody else', async () => {
    await edge.commit(await fileOperation(edge.volume, '/kept/same', second), await fileOperation(edge.volume, '/elsewhere/same', second))
    const device = newDevice()
    await pinServed(start(device), '/kept')
    for (const [key, body] of device.table.bodies) if (key.startsWith('c/')) device.table.bodies.set(key, body.slice().fill(0, 0, 100))
    const served = start(device, { cacheBytes: 100 * MiB })
    expect(await readServed(served, '/elsewhere/same')).toBe(await hashOf(second))
    await served.settle()
    await device.table.evict(0)
    device.network.answer = away
    expect(await readServed(start(device), '/kept/same')).toBe(await hashOf(second))
  })

  test('that was found damaged without the edge is whole again when there is one, also for a worker that was started anew', async () => {
    // It is read at once, and so all of it is found.
    const small = second.subarray(0, 600_000)
    await edge.commit(await fileOperation(edge.volume, '/hurt/file', small), await fileOperation(edge.volume, '/hurt/other', 'other '.repeat(2000)))
    const device = newDevice()
    await pinServed(start(device), '/hurt')
    for (const [key, body] of device.table.bodies) if (key.startsWith('c/')) device.table.bodies.set(key, body.slice().fill(0, 0, 100))
    device.network.answer = away
    expect(await readServed(start(device), '/hurt/file')).toMatch(/^503 /)
    device.network.answer = () => undefined
    const served = start(device)
    await readServed(served, '/hurt/other')
    await served.settle()
    device.network.answer = away
    expect(await readServed(start(device), '/hurt/file')).toBe(await hashOf(small))
  })

  test('is taken up again by the same worker after a storage that failed', async () => {
    await edge.commit(await fileOperation(edge.volume, '/once/file', 'once'))
    const device = newDevice()
    const served = start(device)
    // Of an earlier worker, which was ended.
    await device.table.pin(markOf({ prefix: '/files/', seq: 1, generation: 'x', owner: `${edge.url}/gone` }), true)
    await served.pins()
    device.table.failure = new Error('the disk is on fire')
    await expect(pinServed(served, '/once')).rejects.toThrow('the disk is on fire')
    device.table.failure = undefined
    await pinServed(served, '/once')
    expect(await device.table.pins()).toHaveLength(1)
  })

  test('goes when its folder does', async () => {
    await edge.commit(await fileOperation(edge.volume, '/short/file', 'short'))
    const device = newDevice()
    const served = start(device)
    await pinServed(served, '/short')
    await edge.commit({ op: 'unlink', path: '/short/file' }, { op: 'rmdir', path: '/short' })
    device.aheadMs += 60_000
    await served.answer('/x/same', false, ask('/x/same'))
    await served.settle()
    expect(await served.pins()).toEqual([])
    expect(await device.table.pins()).toEqual([])
  })
})

describe('the newest commit', () => {
  test('is looked for once a second, however many ask; an edge that hangs is not waited for', async () => {
    const device = newDevice()
    await edge.commit(await fileOperation(edge.volume, '/n', 'first'))
    const served = start(device)
    await Promise.all([readServed(served, '/n'), readServed(served, '/n'), readServed(served, '/n')])
    expect(device.network.take().filter((url) => url.endsWith('/head'))).toHaveLength(1)
    await edge.commit(await fileOperation(edge.volume, '/n', 'second', { replace: true }))
    device.aheadMs += 2000
    const seen = await hashOf('second')
    expect(await Promise.all([readServed(served, '/n'), readServed(served, '/n')])).toEqual([seen, seen])
    expect(device.network.take().filter((url) => url.endsWith('/head'))).toHaveLength(1)
    device.network.answer = () => new Promise(() => undefined)
    device.aheadMs += 2000
    const startMs = systemClock.now()
    expect(await readServed(served, '/n')).toBe(await hashOf('second'))
    expect(systemClock.now() - startMs).toBeLessThan(2500)
  })

  test('nothing is known of it without the edge and without a pin', async () => {
    const device = newDevice()
    device.network.answer = away
    const answer = await start(device).answer('/n', false, ask('/n'))
    expect(answer.status).toBe(503)
    expect(await answer.text()).toContain('Cannot reach the edge')
  })
})

describe('answers', () => {
  test('several ranges are parts, each read when its turn comes; a page that goes away ends them', async () => {
    await edge.commit(await fileOperation(edge.volume, '/long', first))
    const served = start(newDevice())
    const several = await served.answer('/long', false, ask('/long', { range: 'bytes=0-1,1000000-1500000' }))
    expect(several.status).toBe(206)
    const body = Buffer.from(await several.arrayBuffer())
    expect(body.length).toBe(Number(several.headers.get('content-length')))
    const parts = parseMultipart(several.headers.get('content-type') ?? '', body)
    expect(parts.map(({ contentRange }) => contentRange)).toEqual([`bytes 0-1/${first.length}`, `bytes 1000000-1500000/${first.length}`])
    expect(parts.map((part) => Buffer.compare(part.body, [first.subarray(0, 2), first.subarray(1_000_000, 1_500_001)][parts.indexOf(part)]!))).toEqual([0, 0])
    const gone = new AbortController()
    const request = new Request('http://app.example/files/long', { signal: gone.signal })
    const reader = (await served.answer('/long', false, request)).body!.getReader()
    await reader.read()
    gone.abort()
    await expect(reader.read().then(() => reader.read()).then(() => reader.read())).rejects.toMatchObject({ code: 'aborted' })
  })

  test('a folder is its names, a file with a slash is none', async () => {
    await edge.commit(await fileOperation(edge.volume, '/dir/b', 'b'), await fileOperation(edge.volume, '/dir/a', 'a'))
    const served = start(newDevice())
    const listing = (await (await served.answer('/dir', false, ask('/dir?limit=1'))).json()) as { readonly items: readonly { readonly name: string }[]; readonly isLast: boolean }
    expect(listing).toMatchObject({ path: '/dir', items: [{ name: 'a', kind: 'file', size: 1 }], isLast: false })
    expect((await served.answer('/dir/a', true, ask('/dir/a/'))).status).toBe(404)
  })
})

test('what holds a pinned commit tells what it is of, to its own prefix', () => {
  const owner = 'https://files.example/photos/a//b'
  const mark = markOf({ prefix: '/photos/', seq: 12, generation: '3f0c', owner })
  expect(ownerWithin(mark, '/photos/')).toBe(owner)
  expect(ownerWithin(mark, '/')).toBeUndefined()
  expect(ownerWithin(owner, '/photos/')).toBeUndefined()
})

test('of folders that are pinned as many commits left them a few are open at once', async () => {
  const device = newDevice()
  const commits = Array.from({ length: 6 }, (_, index) => index + 1)
  for (const seq of commits) await device.book.write({ path: `/${seq}`, seq, version: 'v', generation: 'g', nextSeq: undefined, files: 1, bytes: 1, totalFiles: 1, totalBytes: 1 })
  const opened: number[] = []
  const open = (seq: number): Promise<BrowserVolume> => Promise.resolve({ generation: 'g', seq: opened.push(seq) && seq } as BrowserVolume)
  const pins = new Pins({ prefix: '/files/', book: device.book, table: device.table, clock: systemClock, open, bytesMax: () => MiB })
  const seqAt = async (seq: number): Promise<number | undefined> => (await pins.view(`/${seq}/file`, 'g'))?.seq
  for (const seq of [...commits, 6, 5, 1]) expect(await seqAt(seq)).toBe(seq)
  expect(opened).toEqual([...commits, 1])
})

test('a token goes to the edge that it was told for, and to no other', async () => {
  const device = newDevice()
  device.network.answer = away
  const told = Promise.withResolvers<string>()
  const settings = { prefix: '/files/', url: 'http://old.example/v1/demo', seq: undefined, cacheBytes: MiB, pinBytes: MiB, keepsToken: false }
  const world = { fetch: device.network.fetch, clock: systemClock, random, hash: nodeHash, origin: undefined }
  const served = new ServedVolume(settings, { token: () => told.promise, book: device.book, table: device.table, clock: systemClock, random, world })
  const answer = served.answer('/one', false, ask('/one'))
  await served.change({ ...settings, url: 'http://new.example/v1/demo' }, 'new', () => told.resolve('new'))
  expect((await answer).status).toBe(503)
  expect([...new Set(device.network.take().map((url) => url.replace(/\/v1.*/, '')))]).toEqual(['http://new.example/t/new'])
})
