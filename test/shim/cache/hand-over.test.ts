import { beforeEach, expect, test } from 'vitest'
import { errno } from '../../../shared/errno.ts'
import { silentLogger } from '../../../shared/log.ts'
import { Cache, type CacheOptions } from '../../../shim/cache/cache.ts'
import type { CachedFile } from '../../../shim/cache/cached-file.ts'
import { openFlag } from '../../../shim/sys/constants.ts'
import { FakeSys } from '../../support/fake-sys.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

const directory = '/cache'
const size = 20_000
const elsewhere = '/cache/elsewhere'

let sys: FakeSys
let clock: ManualClock

beforeEach(() => {
  sys = new FakeSys()
  clock = new ManualClock()
})

function open(options: Partial<CacheOptions> = {}): Cache {
  return Cache.open({ directory, bytesMax: 2 ** 40, freeBytesMin: 0, sys, clock, bootId: 'boot-1', log: silentLogger, ...options })
}

function version(id: number): string {
  return id.toString(16).padStart(64, 'a')
}

function fill(file: CachedFile, value: number): void {
  const fd = file.beginWrite()
  sys.pwrite(fd, new Uint8Array(size).fill(value), 0)
  file.markPresent({ start: 0, end: size })
  file.endWrite()
}

function filled(cache: Cache, id: number): CachedFile {
  const file = cache.acquire(id, version(id), size)
  fill(file, id)
  return file
}

async function run(cache: Cache, seconds: number): Promise<void> {
  for (let index = 0; index < seconds * 50; index += 1) {
    await clock.advance(20)
    cache.tick()
  }
}

test('a whole file is given away where it lies, and who still reads it from the cache begins anew', () => {
  const cache = open()
  const file = filled(cache, 1)
  const reader = cache.acquire(1, version(1), size)
  expect(file.giveAway(elsewhere)).toBe(0)
  expect(sys.readFile(elsewhere)).toEqual(new Uint8Array(size).fill(1))
  expect(reader.isComplete).toBe(false)
  expect(reader.completeFd()).toBe(-1)
  fill(reader, 1)
  expect(sys.readFile(elsewhere)).toEqual(new Uint8Array(size).fill(1))
  file.release()
  reader.release()
  expect(cache.stats).toMatchObject({ fileCount: 1, openCount: 0 })
})

test('what is given away is forgotten when it is released', () => {
  const cache = open()
  const file = filled(cache, 1)
  file.giveAway(elsewhere)
  file.release()
  expect(cache.stats).toMatchObject({ fileCount: 0, bytes: 0, openCount: 0 })
})

test('a file that is not whole, or being written to, is kept', () => {
  const cache = open()
  const part = cache.acquire(1, version(1), size)
  expect(part.giveAway(elsewhere)).toBe(-errno.EBUSY)
  const file = filled(cache, 2)
  file.beginWrite()
  expect(file.giveAway(elsewhere)).toBe(-errno.EBUSY)
  file.endWrite()
  expect(file.isComplete).toBe(true)
  expect(sys.paths()).not.toContain(elsewhere)
})

test('no power failure makes the cache serve what was written to a file that it gave away', async () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    sys = new FakeSys()
    const random = new SeededRandom(seed)
    const cache = open()
    filled(cache, 1).release()
    // Long enough for it to be synced, and known to be.
    await run(cache, 80)
    const file = cache.acquire(1, version(1), size)
    expect(file.giveAway(elsewhere)).toBe(0)
    const fd = sys.open(elsewhere, openFlag.O_RDWR, 0)
    sys.pwrite(fd, new Uint8Array(4096).fill(9), 4096)
    if (seed % 2 === 0) sys.fdatasync(fd)
    sys.losePower(random)
    const again = open({ bootId: 'boot-2' })
    const found = again.acquire(1, version(1), size)
    const bytes = new Uint8Array(size)
    if (found.isComplete && found.completeFd() >= 0) {
      sys.pread(found.fd, bytes, 0)
      expect(new Set(bytes), `seed ${seed}`).toEqual(new Set([1]))
    }
  }
})

test('a file whose going cannot be written down is not given away', async () => {
  const cache = open()
  filled(cache, 1).release()
  await run(cache, 80)
  const file = cache.acquire(1, version(1), size)
  sys.fail('fdatasync', errno.EIO)
  expect(file.giveAway(elsewhere)).toBe(-errno.EIO)
  expect(file.isComplete).toBe(true)
  expect(sys.paths()).not.toContain(elsewhere)
})

test('a file is taken in, and found again', () => {
  const cache = open()
  sys.writeFile(elsewhere, new Uint8Array(size).fill(3))
  expect(cache.adopt(3, version(3), size, elsewhere, 20_480)).toBe(0)
  expect(sys.paths()).not.toContain(elsewhere)
  expect(cache.stats).toMatchObject({ fileCount: 1, bytes: 20_480 })
  cache.close()
  const file = open().acquire(3, version(3), size)
  expect(file.isComplete).toBe(true)
  expect(sys.pread(file.fd, new Uint8Array(1), 7)).toBe(1)
})

test('of a version that is here already nothing is taken in, and in place of a part the whole is', () => {
  const cache = open()
  sys.writeFile(elsewhere, new Uint8Array(size).fill(3))
  filled(cache, 3).release()
  expect(cache.adopt(3, version(3), size, elsewhere, 20_480)).toBe(-errno.EEXIST)
  const part = cache.acquire(4, version(4), size)
  part.beginWrite()
  part.markPresent({ start: 0, end: 10 })
  part.endWrite()
  expect(cache.adopt(4, version(4), size, elsewhere, 20_480)).toBe(-errno.EEXIST)
  part.release()
  expect(cache.adopt(4, version(4), size, elsewhere, 20_480)).toBe(0)
  expect(cache.isComplete(4, version(4))).toBe(true)
  expect(cache.adopt(5, version(5), size, elsewhere, 20_480)).toBe(-errno.ENOENT)
  expect(cache.stats.fileCount).toBe(2)
})

test('what is written here takes of the budget, and the cache makes way', async () => {
  const cache = open({ bytesMax: 10 * 20_480 })
  for (let id = 1; id <= 9; id += 1) filled(cache, id).release()
  await run(cache, 1)
  expect(cache.stats.fileCount).toBe(9)
  cache.reserve(5 * 20_480)
  await run(cache, 1)
  expect(cache.stats.fileCount).toBeLessThanOrEqual(5)
  cache.reserve(100 * 20_480)
  await run(cache, 1)
  expect(cache.stats.fileCount).toBe(0)
  expect(cache.canStore).toBe(false)
  cache.reserve(0)
  expect(cache.canStore).toBe(true)
})

test('who writes fast has the disk looked at before the second is over', async () => {
  const cache = open({ freeBytesMin: 20 * 20_480 })
  for (let id = 1; id <= 9; id += 1) filled(cache, id).release()
  await run(cache, 2)
  sys.capacityBytes = sys.usedBytes + 15 * 20_480
  cache.reserve(70 * 2 ** 20)
  await clock.advance(20)
  cache.tick()
  expect(cache.stats.fileCount).toBeLessThan(9)
})

test('room is made for who cannot do without, as long as there is any', () => {
  const cache = open()
  for (let id = 1; id <= 3; id += 1) filled(cache, id).release()
  for (let count = 0; count < 3; count += 1) expect(cache.makeRoom()).toBe(true)
  expect(cache.makeRoom()).toBe(false)
  expect(cache.stats.fileCount).toBe(0)
})
