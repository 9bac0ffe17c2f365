import { readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test, vi } from 'vitest'
import { faultStore } from '../../../edge/store/fault.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { systemClock } from '../../../shared/clock.ts'
import { encodeRecord, encodeVolumeConfig } from '../../../shared/format/commit.ts'
import { silentLogger } from '../../../shared/log.ts'
import type { ObjectStore } from '../../../shared/store.ts'
import { MetadataCache } from '../../../shim/volume/metadata-cache.ts'
import { tempDirectory } from '../../support/temp-directory.ts'
import { newVolume, randomBytes, utf8 } from '../../support/test-volume.ts'

const volume = await newVolume()
const record = encodeRecord((await volume.head()).record)
const config = encodeVolumeConfig(volume.config)

interface Bed {
  readonly store: MemoryStore
  readonly faulty: ObjectStore
  readonly directory: string
  isAway: boolean
  getCount: number
  open(bytesMax?: number): Promise<MetadataCache>
}

async function made(): Promise<Bed> {
  const store = new MemoryStore()
  const directory = path.join(await tempDirectory(), 'metadata')
  const plan = (): { kind: 'error' } | undefined => {
    bed.getCount += 1
    return bed.isAway ? { kind: 'error' } : undefined
  }
  const faulty = faultStore(store, { clock: systemClock, plan })
  const bed: Bed = {
    store,
    faulty,
    directory,
    isAway: false,
    getCount: 0,
    open: (bytesMax = 1e9) => MetadataCache.open(faulty, { directory, bytesMax, clock: systemClock, log: silentLogger }),
  }
  return bed
}

const read = async (store: ObjectStore, key: string, range?: { start: number; end: number }): Promise<{ size: number; bytes: Uint8Array } | undefined> => {
  const found = await store.get(key, { range })
  return found === undefined ? undefined : { size: found.size, bytes: await found.bytes() }
}

test('what never changes is asked for once, also after a restart and while the store is away', async () => {
  const bed = await made()
  const pack = randomBytes(1, 500_000)
  await bed.store.create('meta/m1', pack)
  await bed.store.create('log/00000000000000000001', record)
  const first = await bed.open()
  const range = { start: 262_144, end: 524_288 }
  const expected = { size: 500_000, bytes: pack.slice(262_144) }
  for (let round = 0; round < 2; round += 1) {
    expect(await read(first, 'meta/m1', range)).toEqual(expected)
    await first.close()
  }
  await read(first, 'log/00000000000000000001')
  expect(bed.getCount).toBe(2)
  await first.close()
  bed.isAway = true
  const second = await bed.open()
  expect(await read(second, 'meta/m1', range)).toEqual(expected)
  expect(await read(second, 'log/00000000000000000001')).toEqual({ size: record.length, bytes: record })
  await expect(read(second, 'meta/m1', { start: 0, end: 262_144 })).rejects.toMatchObject({ code: 'unavailable' })
  expect(second.stats).toMatchObject({ fileCount: 2, hitCount: 2, missCount: 1 })
})

test('what is not there is asked for again, and so is what may change', async () => {
  const bed = await made()
  const cache = await bed.open()
  expect(await read(cache, 'log/00000000000000000002')).toBeUndefined()
  await bed.store.create('log/00000000000000000002', record)
  expect((await read(cache, 'log/00000000000000000002'))?.bytes).toEqual(record)
  await bed.store.put('head', utf8('1'))
  expect((await read(cache, 'head'))?.bytes).toEqual(utf8('1'))
  await bed.store.put('head', utf8('2'))
  expect((await read(cache, 'head'))?.bytes).toEqual(utf8('2'))
})

test('the configuration is the store’s while that answers, and the kept one while it does not', async () => {
  const bed = await made()
  await bed.store.create('volume.json', config)
  const cache = await bed.open()
  await read(cache, 'volume.json')
  await cache.close()
  bed.isAway = true
  expect((await read(cache, 'volume.json'))?.bytes).toEqual(config)
  bed.isAway = false
  await bed.store.delete('volume.json')
  expect(await read(cache, 'volume.json')).toBeUndefined()
})

test('a damaged or cut file is dropped and fetched again', async () => {
  const bed = await made()
  await bed.store.create('meta/m1', utf8('page'))
  await bed.store.create('meta/m2', utf8('page'))
  const first = await bed.open()
  for (const key of ['meta/m1', 'meta/m2']) await read(first, key)
  await first.close()
  const names = readdirSync(bed.directory).toSorted()
  expect(names).toEqual(['meta-m1', 'meta-m2'])
  const bytes = readFileSync(path.join(bed.directory, 'meta-m1'))
  bytes[bytes.length - 1]! ^= 1
  writeFileSync(path.join(bed.directory, 'meta-m1'), bytes)
  writeFileSync(path.join(bed.directory, 'meta-m2'), 'cut')
  for (const name of ['meta-m3.tmp', 'meta-m4.tmp']) writeFileSync(path.join(bed.directory, name), 'left by a crash, or under way')
  utimesSync(path.join(bed.directory, 'meta-m3.tmp'), 1, 1)
  const second = await bed.open()
  for (const key of ['meta/m1', 'meta/m2']) expect((await read(second, key))?.bytes).toEqual(utf8('page'))
  await second.close()
  expect(readdirSync(bed.directory).toSorted()).toEqual(['meta-m1', 'meta-m2', 'meta-m4.tmp'])
})

test('two mounts of one volume do not get into each other’s way', async () => {
  const bed = await made()
  const keys = Array.from({ length: 200 }, (_, index) => `meta/m${index}`)
  for (const [index, key] of keys.entries()) await bed.store.create(key, randomBytes(index, 3000))
  const [first, second] = [await bed.open(), await bed.open()]
  await Promise.all([first, second].map((cache) => Promise.all(keys.map((key) => read(cache, key)))))
  await Promise.all([first.close(), second.close()])
  expect([first, second].map(({ stats }) => stats.fileCount)).toEqual([200, 200])
  expect(readdirSync(bed.directory)).toHaveLength(200)
  // One of them lost sight of a file for a moment, as when the other evicts it and fetches it again.
  const file = path.join(bed.directory, 'meta-m1')
  const bytes = readFileSync(file)
  rmSync(file)
  const reading = read(first, 'meta/m1')
  bed.isAway = true
  await expect(reading).rejects.toMatchObject({ code: 'unavailable' })
  bed.isAway = false
  writeFileSync(file, bytes)
  await first.close()
  expect(readFileSync(file)).toEqual(bytes)
  expect((await read(second, 'meta/m1'))?.bytes).toEqual(randomBytes(1, 3000))
})

test('files leave in order of their last use when they are too many', async () => {
  const bed = await made()
  const bytesMax = 5 * 4608
  const cache = await bed.open(bytesMax)
  for (const index of [1, 2, 3, 4]) await bed.store.create(`meta/m${index}`, randomBytes(index, 1000))
  for (const index of [1, 2, 3, 4]) {
    await read(cache, `meta/m${index}`)
    await cache.close()
  }
  await read(cache, 'meta/m1')
  for (const index of [5, 6]) {
    await bed.store.create(`meta/m${index}`, randomBytes(index, 1000))
    await read(cache, `meta/m${index}`)
    await cache.close()
  }
  // Small files take whole blocks.
  expect(cache.stats).toMatchObject({ fileCount: 4, bytes: 4 * 4608 })
  bed.getCount = 0
  await read(cache, 'meta/m1')
  expect(bed.getCount).toBe(0)
  await read(cache, 'meta/m2')
  expect(bed.getCount).toBe(1)
})

test('files are bounded in number, and log records are few', async () => {
  const bed = await made()
  const cache = await MetadataCache.open(bed.faulty, { directory: bed.directory, bytesMax: 1e9, fileCountMax: 400, clock: systemClock, log: silentLogger })
  for (let index = 0; index < 300; index += 1) {
    await bed.store.create(`log/${index}`, record)
    await read(cache, `log/${index}`)
  }
  await cache.close()
  expect(cache.stats.fileCount).toBe(256)
  for (let index = 0; index < 300; index += 1) {
    await bed.store.create(`meta/m${index}`, utf8('page'))
    await read(cache, `meta/m${index}`)
  }
  await cache.close()
  expect(cache.stats.fileCount).toBeLessThanOrEqual(400)
  bed.getCount = 0
  await read(cache, 'meta/m299')
  expect(bed.getCount).toBe(0)
})

test('a start does not wait for a list of all files, and yet finds each', async () => {
  const bed = await made()
  const keys = Array.from({ length: 500 }, (_, index) => `meta/m${index}`)
  const first = await bed.open()
  for (const key of keys) {
    await bed.store.create(key, utf8(key))
    await read(first, key)
  }
  await first.close()
  bed.isAway = true
  const second = await bed.open()
  expect(second.stats.fileCount).toBe(0)
  expect((await read(second, 'meta/m7'))?.bytes).toEqual(utf8('meta/m7'))
  await vi.waitFor(() => expect(second.stats.fileCount).toBe(500))
  expect(second.stats.bytes).toBe(500 * 4608)
  expect((await read(second, 'meta/m499'))?.bytes).toEqual(utf8('meta/m499'))
})

test('a directory that cannot be used costs speed and nothing else', async () => {
  const bed = await made()
  writeFileSync(bed.directory, 'a file')
  await bed.store.create('meta/m1', utf8('page'))
  const cache = await bed.open()
  for (let round = 0; round < 2; round += 1) expect((await read(cache, 'meta/m1'))?.bytes).toEqual(utf8('page'))
  expect(bed.getCount).toBe(2)
})

test('who says that the bytes are damaged gets fresh ones, and so does everybody after', async () => {
  const bed = await made()
  await bed.store.put('meta/m1', utf8('dAmaged'))
  const cache = await bed.open()
  await read(cache, 'meta/m1')
  await cache.close()
  await bed.store.put('meta/m1', utf8('right'))
  expect((await read(cache, 'meta/m1'))?.bytes).toEqual(utf8('dAmaged'))
  const fresh = await cache.get('meta/m1', { isFresh: true })
  expect(await fresh?.bytes()).toEqual(utf8('right'))
  await cache.close()
  expect((await read(cache, 'meta/m1'))?.bytes).toEqual(utf8('right'))
  expect(cache.stats).toMatchObject({ fileCount: 1, bytes: 4096 + 512 })
})

test('a document that came damaged is not kept', async () => {
  const bed = await made()
  await bed.store.put('log/00000000000000000003', utf8('{"format":1'))
  await bed.store.put('volume.json', utf8('nonsense'))
  const cache = await bed.open()
  for (const key of ['log/00000000000000000003', 'volume.json']) await read(cache, key)
  await cache.close()
  expect(cache.stats.fileCount).toBe(0)
})
