import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import type { Operation } from '../../../shared/volume/operation.ts'
import type { Snapshot } from '../../../shared/volume/snapshot.ts'
import type { Volume } from '../../../shared/volume/volume.ts'
import { Deferred } from '../../../shim/fuse/handler.ts'
import { HandlerBed, ListSink, file } from '../../support/handler-bed.ts'
import { newVolume } from '../../support/test-volume.ts'

const count = 5000
const names = Array.from({ length: count }, (_, index) => `entry-${String(index).padStart(5, '0')}-with-a-name-of-usual-length`)
let volume: Volume
let snapshot: Snapshot

beforeAll(async () => {
  volume = await newVolume()
  const operations: Operation[] = [{ op: 'mkdir', path: '/d' }, { op: 'mkdir', path: '/empty' }, { op: 'mkdir', path: '/d/sub' }]
  await volume.writer().commit([...operations, ...names.map((name) => file(`/d/${name}`, name))])
  snapshot = await volume.head()
})

/** A reply may end early where a page has to be waited for. */
async function readUpTo(bed: HandlerBed, from: { node: number; handle: number; offset: number; limit: number }): Promise<string[]> {
  const read: string[] = []
  while (read.length < from.limit) {
    const part = await bed.read(from.node, from.handle, from.offset + read.length, { limit: from.limit - read.length })
    if (typeof part === 'number') throw new Error(`readdir: ${part}`)
    if (part.length === 0) break
    read.push(...part.map(({ name }) => name))
  }
  return read
}

const whole = ['.', '..', ...names, 'sub']

test.each([
  { isPlus: false, limit: 100 },
  { isPlus: true, limit: 100 },
  { isPlus: true, limit: 1 },
  { isPlus: false, limit: 10_000 },
])('lists every name once, in order, by replies of any size: %o', async ({ isPlus, limit }) => {
  // So little memory that pages leave while the listing goes on.
  const bed = new HandlerBed(volume, snapshot, { pageBytesMax: 400_000 })
  const path = limit === 1 ? '/empty' : '/d'
  const listed = await bed.list(path, { isPlus, limit })
  expect(listed.map(({ name }) => name)).toEqual(path === '/d' ? whole : ['.', '..'])
  expect(listed.map(({ offset }) => offset)).toEqual(listed.map((_, index) => index + 1))
})

test('every entry that READDIRPLUS gave counts as one lookup, and none that did not fit', async () => {
  const bed = new HandlerBed(volume, snapshot, {})
  const node = await bed.node('/d')
  const listed = await bed.list('/d', { isPlus: true, limit: 77 })
  expect(bed.handler.status.inodeCount).toBe(2 + count + 1)
  for (const { nodeId } of listed) if (nodeId !== 0) bed.handler.forget(nodeId, 1)
  expect(bed.handler.status.inodeCount).toBe(2)
  expect(listed.slice(0, 2)).toMatchObject([{ name: '.', nodeId: 0 }, { name: '..', nodeId: 0, ino: 1 }])
  bed.handler.forget(node, 1)
})

test('a directory can be read from any offset that was given, in any order', async () => {
  const bed = new HandlerBed(volume, snapshot, {})
  const node = await bed.node('/d')
  const handle = await bed.openDirectory(node)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.integer({ min: 0, max: count + 4 }), fc.integer({ min: 1, max: 600 })), { maxLength: 12 }), async (reads) => {
      for (const [offset, limit] of reads) {
        const part = await readUpTo(bed, { node, handle, offset, limit })
        expect(part).toEqual(whole.slice(offset, offset + limit))
      }
    }),
    { numRuns: 30 },
  )
})

test('a seek in a directory larger than the memory for pages comes to an end, each page being asked for once', async () => {
  const bed = new HandlerBed(volume, snapshot, { pageBytesMax: 250_000 })
  const node = await bed.node('/d')
  const handle = await bed.openDirectory(node)
  const before = bed.handler.status.pageMissCount
  expect(await readUpTo(bed, { node, handle, offset: 4990, limit: 5 })).toEqual(whole.slice(4990, 4995))
  expect(bed.handler.status.pageMissCount - before).toBeLessThan(30)
})

test('a seek lets others have their turn', async () => {
  const own = await newVolume()
  const many = Array.from({ length: 20_000 }, (_, index) => String(index).padStart(6, '0'))
  await own.writer().commit([{ op: 'mkdir', path: '/d' }, ...many.map((name) => file(`/d/${name}`, ''))])
  const bed = new HandlerBed(own, await own.head(), {})
  const node = await bed.node('/d')
  await bed.list('/d')
  const handle = await bed.openDirectory(node)
  const sink = new ListSink(false, 2)
  // Everything is in memory, and yet it does not answer at once.
  expect(bed.handler.readdir(node, handle, 19_000, sink)).toBeInstanceOf(Deferred)
  expect(sink.entries).toEqual([])
  expect(await readUpTo(bed, { node, handle, offset: 19_002, limit: 2 })).toEqual(many.slice(19_000, 19_002))
})

test('a listing under way sees the directory as it was; a rewind sees it as it is', async () => {
  const own = await newVolume()
  await own.writer().commit([{ op: 'mkdir', path: '/d' }, ...names.slice(0, 50).map((name) => file(`/d/${name}`, name))])
  const bed = new HandlerBed(own, await own.head(), {})
  const node = await bed.node('/d')
  const handle = await bed.openDirectory(node)
  // The dots come before the first page is there.
  const dots = await bed.read(node, handle, 0, { isPlus: true, limit: 2 })
  const first = await bed.read(node, handle, 2, { isPlus: true, limit: 10 })
  await bed.commit([file('/d/aaa', 'new'), { op: 'unlink', path: `/d/${names[40]!}` }])
  await bed.follow()
  const rest = await bed.read(node, handle, 12, { isPlus: true })
  const seen = [dots, first, rest].flatMap((part) => (Array.isArray(part) ? part : []))
  expect(seen.map(({ name }) => name)).toEqual(['.', '..', ...names.slice(0, 50)])
  // What is listed from the past is not given to the kernel to keep.
  expect(seen.slice(12).every(({ nodeId }) => nodeId === 0)).toBe(true)
  expect(await bed.read(node, handle, 0, { isPlus: true, limit: 2 })).toHaveLength(2)
  const again = await bed.read(node, handle, 2, { isPlus: true })
  expect(Array.isArray(again) ? again.map(({ name }) => name) : again).toEqual(['aaa', ...names.slice(0, 40), ...names.slice(41, 50)])
  expect(Array.isArray(again) && again.every(({ nodeId }) => nodeId !== 0)).toBe(true)
})

test('many places are remembered without growing for ever', async () => {
  const bed = new HandlerBed(volume, snapshot, {})
  const node = await bed.node('/d')
  const handle = await bed.openDirectory(node)
  for (let offset = 0; offset < whole.length; offset += 2) await bed.read(node, handle, offset, { limit: 2 })
  for (const offset of [4999, 3, 2500, 0]) {
    expect(await readUpTo(bed, { node, handle, offset, limit: 3 })).toEqual(whole.slice(offset, offset + 3))
  }
})
