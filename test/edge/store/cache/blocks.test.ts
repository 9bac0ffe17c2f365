/** The places for blocks: what all promise, and what each does when it is full, damaged or broken. */
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { type BlockCache, blockBytes, wholeBlock } from '../../../../edge/store/cache/block-cache.ts'
import { DiskBlocks } from '../../../../edge/store/cache/disk-blocks.ts'
import { MemoryBlocks } from '../../../../edge/store/cache/memory-blocks.ts'
import { RotatedBlocks, type WebCaches } from '../../../../edge/store/cache/rotated-blocks.ts'
import { tieredBlocks } from '../../../../edge/store/cache/tiered-blocks.ts'
import { WebBlocks, type WebCache, addressOf } from '../../../../edge/store/cache/web-blocks.ts'
import { type Disk, nodeDisk } from '../../../../edge/store/directory/disk.ts'
import { systemClock } from '../../../../shared/clock.ts'
import { silentLogger } from '../../../../shared/log.ts'
import { testBlockCache } from '../../../suites/block-cache.ts'
import { scriptedDisk } from '../../../support/scripted-disk.ts'
import { expectBytes, pattern } from '../../../support/store-bytes.ts'
import { randomBytes } from '../../../support/test-volume.ts'
import { tempDirectory } from '../../../support/temp-directory.ts'

const roomy = 64 * blockBytes

/** As Workers and Deno have one, without a network. */
function mapCache(): WebCache & { readonly held: Map<string, Response> } {
  const held = new Map<string, Response>()
  return {
    held,
    match: async ({ url }) => held.get(url)?.clone(),
    put: async (url, response) => void held.set(url, response),
  }
}

/** As Deno's: what is put stays until its cache is deleted. */
function mapCaches(): WebCaches & { bytes(): number } {
  const all = new Map<string, { readonly cache: ReturnType<typeof mapCache>; putBytes: number }>()
  return {
    open: async (name) => {
      const known = all.get(name) ?? { cache: mapCache(), putBytes: 0 }
      all.set(name, known)
      const put = async (url: string, response: Response): Promise<void> => {
        known.putBytes += Number(response.headers.get('content-length'))
        await known.cache.put(url, response)
      }
      return { match: (request) => known.cache.match(request), put }
    },
    delete: async (name) => all.delete(name),
    bytes: () => [...all.values()].reduce((sum, { putBytes }) => sum + putBytes, 0),
  }
}

async function openDisk(directory: string, bytesMax = roomy, disk?: Disk): Promise<DiskBlocks> {
  return await DiskBlocks.open({ directory, bytesMax, clock: systemClock, log: silentLogger, disk })
}

async function bytesOnDisk(directory: string): Promise<number> {
  const sizes = await Promise.all((await readdir(directory)).map(async (name) => (await stat(path.join(directory, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

async function fill(blocks: BlockCache, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) await blocks.put(`k${index}`, { objectBytes: 1000, bytes: randomBytes(index, 1000) })
}

async function kept(blocks: BlockCache, count: number): Promise<number[]> {
  const found: number[] = []
  for (let index = 0; index < count; index += 1) if ((await blocks.get(`k${index}`, { start: 0, end: 0 })) !== undefined) found.push(index)
  return found
}

testBlockCache('memory', async () => new MemoryBlocks({ bytesMax: roomy }))
testBlockCache('disk', async () => await openDisk(await tempDirectory()))
testBlockCache('memory before disk', async () => tieredBlocks(new MemoryBlocks({ bytesMax: 2000 }), await openDisk(await tempDirectory())))
testBlockCache('web', async () => {
  const cache = mapCache()
  return new WebBlocks(async () => cache)
})

testBlockCache('rotated', async () => await RotatedBlocks.open({ caches: mapCaches(), name: 'x', bytesMax: roomy }))

test('rotated: never more than its bytes, also when all come at once; what is read stays', async () => {
  const caches = mapCaches()
  let evicted = 0
  const blocks = await RotatedBlocks.open({ caches, name: 'x', bytesMax: 20 * 5096, onEvict: () => (evicted += 1) })
  for (let index = 0; index < 100; index += 1) {
    await blocks.put(`k${index}`, { objectBytes: 1000, bytes: randomBytes(index, 1000) })
    expect(await blocks.get('k0', wholeBlock)).toBeDefined()
    expect(caches.bytes()).toBeLessThanOrEqual(20_000)
  }
  expect((await kept(blocks, 100)).length).toBeGreaterThan(10)
  expect(evicted).toBeGreaterThan(70)
  await Promise.all(Array.from({ length: 200 }, async (_, index) => await blocks.put(`m${index}`, { objectBytes: 1000, bytes: randomBytes(index, 1000) })))
  expect(caches.bytes()).toBeLessThanOrEqual(20_000)
  await blocks.put('large', { objectBytes: blockBytes, bytes: new Uint8Array(blockBytes) })
  expect(await blocks.get('large', wholeBlock)).toBeUndefined()
  await RotatedBlocks.open({ caches, name: 'x', bytesMax: 20 * 5096 })
  expect(caches.bytes()).toBe(0)
})

test('memory: never more than its bytes; the least recently used leave', async () => {
  let evicted = 0
  const blocks = new MemoryBlocks({ bytesMax: 3 * 1512, onEvict: () => (evicted += 1) })
  await fill(blocks, 3)
  await blocks.get('k0', wholeBlock)
  await blocks.put('k3', { objectBytes: 1000, bytes: pattern(1000) })
  expect([await kept(blocks, 4), evicted]).toEqual([[0, 2, 3], 1])
  await blocks.put('large', { objectBytes: 9000, bytes: pattern(9000) })
  expect([await kept(blocks, 4), blocks.heldBytes]).toEqual([[0, 2, 3], 3 * 1512])
})

test('disk: survives a restart, in order of use, within its bytes', async () => {
  const directory = await tempDirectory()
  const before = await openDisk(directory)
  await fill(before, 5)
  expect(await bytesOnDisk(directory)).toBe(5 * 1040)
  await before.close()
  const after = await openDisk(directory)
  expect(after.heldBytes).toBe(5 * 1040)
  expectBytes((await after.get('k4', wholeBlock))!.bytes, randomBytes(4, 1000))
  const smaller = await openDisk(directory, 2 * 1040 + 100)
  expect(await kept(smaller, 5)).toHaveLength(2)
  await smaller.put('k9', { objectBytes: 1000, bytes: pattern(1000) })
  expect([smaller.heldBytes, await bytesOnDisk(directory)]).toEqual([2 * 1040, 2 * 1040])
  await smaller.put('large', { objectBytes: 9000, bytes: pattern(9000) })
  expect(await bytesOnDisk(directory)).toBe(2 * 1040)
})

test('disk: many at once stay within its bytes', async () => {
  const directory = await tempDirectory()
  const blocks = await openDisk(directory, 4 * 1040)
  await Promise.all(Array.from({ length: 40 }, async (_, index) => await blocks.put(`k${index}`, { objectBytes: 1000, bytes: randomBytes(index, 1000) })))
  expect([blocks.heldBytes, await bytesOnDisk(directory)]).toEqual([4 * 1040, 4 * 1040])
})

test('disk: a file that was damaged, cut, or is another key\'s is a miss, and goes', async () => {
  const directory = await tempDirectory()
  const blocks = await openDisk(directory)
  const damages: readonly ((bytes: Buffer) => Buffer)[] = [
    (bytes) => (bytes.writeUInt8(bytes.readUInt8(500) ^ 1, 500), bytes),
    (bytes) => (bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0), bytes),
    (bytes) => bytes.subarray(0, 700),
    (bytes) => bytes.subarray(0, 20),
    () => Buffer.alloc(0),
  ]
  for (const damage of damages) {
    await blocks.put('k', { objectBytes: 1000, bytes: pattern(1000) })
    const [name] = await readdir(directory)
    await writeFile(path.join(directory, name!), damage(await readFile(path.join(directory, name!))))
    expect(await blocks.get('k', wholeBlock)).toBeUndefined()
    expect([await readdir(directory), blocks.heldBytes]).toEqual([[], 0])
  }
  await fill(blocks, 2)
  const [a, b] = await readdir(directory)
  await writeFile(path.join(directory, a!), await readFile(path.join(directory, b!)))
  expect(await kept(blocks, 2)).toHaveLength(1)
})

test('disk: a full or failing disk is a miss, and nothing stays of what it broke off', async () => {
  const directory = await tempDirectory()
  const script = scriptedDisk()
  const blocks = await openDisk(directory, roomy, script.disk)
  for (const [call, errno] of [['openNew', 'ENOSPC'], ['write', 'ENOSPC'], ['rename', 'EIO']] as const) {
    script.failNext(call, errno)
    await blocks.put('k', { objectBytes: 1000, bytes: pattern(1000) })
    expect([await blocks.get('k', wholeBlock), blocks.heldBytes, await readdir(directory)]).toEqual([undefined, 0, []])
  }
  await blocks.put('k', { objectBytes: 1000, bytes: pattern(1000) })
  script.failNext('read', 'EIO')
  expect(await blocks.get('k', wholeBlock)).toBeUndefined()
  await blocks.put('k', { objectBytes: 1000, bytes: pattern(1000) })
  expectBytes((await blocks.get('k', wholeBlock))!.bytes, pattern(1000))
})

test('disk: a block that leaves while it is read is a miss, and no sign of a disk that fails', async () => {
  const lines: string[] = []
  const note = (message: string): void => void lines.push(message)
  let beforeOpen = (): Promise<void> => Promise.resolve()
  const disk: Disk = { ...nodeDisk, openToRead: (file) => beforeOpen().then(() => nodeDisk.openToRead(file)) }
  const log = { ...silentLogger, warn: note }
  const blocks = await DiskBlocks.open({ directory: await tempDirectory(), bytesMax: 2500, clock: systemClock, log, disk })
  await fill(blocks, 2)
  beforeOpen = async () => {
    beforeOpen = () => Promise.resolve()
    await blocks.put('k2', { objectBytes: 1000, bytes: randomBytes(2, 1000) })
  }
  expect(await blocks.get('k0', wholeBlock)).toBeUndefined()
  expect(await kept(blocks, 3)).toEqual([1, 2])
  expect(lines).toEqual([])
})

test('disk: what a crash left half written goes; other files stay', async () => {
  const directory = await tempDirectory()
  await writeFile(path.join(directory, `${'a'.repeat(64)}.tmp`), 'half')
  await writeFile(path.join(directory, 'notes.txt'), 'mine')
  await openDisk(directory)
  expect(await readdir(directory)).toEqual(['notes.txt'])
})

test('web: stored as a whole 200 with its length, below a name that cannot be asked for', async () => {
  const cache = mapCache()
  await new WebBlocks(async () => cache).put('v/data/x/0', { objectBytes: 5, bytes: Uint8Array.of(1, 2, 3) })
  const [[url, response]] = [...cache.held] as [[string, Response]]
  expect([new URL(url).hostname, response.status, response.headers.get('content-length')]).toEqual(['blocks.edgemount.invalid', 200, '3'])
  expect(response.headers.get('cache-control')).toContain('max-age=')
})

test('web: a cache that fails, or holds what no block is, is a miss', async () => {
  const cache = mapCache()
  const failures: unknown[] = []
  const blocks = new WebBlocks(async () => cache, (error) => failures.push(error))
  const url = addressOf('k')
  const good = { 'content-length': '3', 'edgemount-object-bytes': '3' }
  const others = [
    new Response('abc', { status: 206, headers: good }),
    new Response('abc', { status: 206, headers: { ...good, 'content-range': 'bytes 1-3/900000000' } }),
    new Response('abc', { status: 404, headers: good }),
    new Response('abc', { headers: { 'content-length': '3' } }),
    new Response('abc', { headers: { ...good, 'content-length': '30' } }),
    new Response('abc', { headers: { ...good, 'content-length': '99999999' } }),
    new Response(null, { headers: good }),
  ]
  for (const response of others) {
    cache.held.set(url, response)
    expect(await blocks.get('k', wholeBlock)).toBeUndefined()
  }
  const broken = new WebBlocks(() => Promise.reject(new Error('no cache')), (error) => failures.push(error))
  await broken.put('k', { objectBytes: 1, bytes: Uint8Array.of(1) })
  expect(await broken.get('k', wholeBlock)).toBeUndefined()
  expect(failures).toHaveLength(2)
})
