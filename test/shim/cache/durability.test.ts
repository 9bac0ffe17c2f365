/** What survives a power failure, and what is no longer believed. */
import { beforeEach, expect, test } from 'vitest'
import { errno } from '../../../shared/errno.ts'
import type { Logger } from '../../../shared/log.ts'
import { Cache, type CacheOptions } from '../../../shim/cache/cache.ts'
import type { CachedFile } from '../../../shim/cache/cached-file.ts'
import { FakeSys } from '../../support/fake-sys.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const KiB = 1024
const directory = '/var/cache/edgemount'

let sys: FakeSys
let clock: ManualClock
let warnings: string[]
let log: Logger

beforeEach(() => {
  sys = new FakeSys()
  clock = new ManualClock()
  warnings = []
  log = { debug: () => {}, info: () => {}, warn: (message) => void warnings.push(message), error: (message) => void warnings.push(message) }
})

function open(options: Partial<CacheOptions> = {}): Cache {
  return Cache.open({ directory, bytesMax: 2 ** 40, freeBytesMin: 0, sys, clock, bootId: 'boot-1', log, ...options })
}

function version(id: number): string {
  return id.toString(16).padStart(64, 'a')
}

function fill(file: CachedFile, start: number, end: number, value = 7): void {
  const fd = file.beginWrite()
  expect(fd).toBeGreaterThan(0)
  expect(sys.pwrite(fd, new Uint8Array(end - start).fill(value), start)).toBe(end - start)
  file.markPresent({ start, end })
  file.endWrite()
}

/** A whole file, used and released. */
function addFile(cache: Cache, id: number, size: number): void {
  const file = cache.acquire(id, version(id), size)
  fill(file, 0, size, id)
  file.release()
}

async function run(cache: Cache, seconds: number): Promise<void> {
  for (let index = 0; index < seconds * 50; index += 1) {
    await clock.advance(20)
    cache.tick()
  }
}

test('a file whose sync fails is dropped: what the kernel still shows of it may be gone tomorrow', async () => {
  const cache = open()
  addFile(cache, 1, 4096)
  const file = cache.acquire(2, version(2), 4096)
  fill(file, 0, 4096)
  sys.fail('fdatasync', errno.EIO, { count: 2 })
  await run(cache, 40)
  expect(warnings).toHaveLength(2)
  expect(cache.isComplete(1, version(1))).toBe(false)
  expect(file.isComplete).toBe(false)
  expect(file.fdOf({ start: 0, end: 1 })).toBe(-1)
  file.release()
  expect(cache.stats.fileCount).toBe(0)
})

test('a sync that did not happen is tried again, and nothing is dropped', async () => {
  let result = -errno.EAGAIN
  const cache = open({ sync: (fd, done) => done(result === 0 ? sys.fdatasync(fd) : result) })
  addFile(cache, 1, 4096)
  const file = cache.acquire(2, version(2), 4096)
  fill(file, 0, 4096)
  await run(cache, 40)
  expect(warnings).toEqual([])
  expect([1, 2].map((id) => cache.isComplete(id, version(id)))).toEqual([true, true])
  result = 0
  await run(cache, 80)
  sys.crash()
  const again = open({ bootId: 'boot-2' })
  expect([1, 2].map((id) => again.isComplete(id, version(id)))).toEqual([true, true])
})

test('what is being written when a sync fails may be among what is lost', async () => {
  const cache = open()
  const file = cache.acquire(1, version(1), 2 * 4096)
  fill(file, 0, 4096)
  const since = file.freedCount
  sys.pwrite(file.beginWrite(), new Uint8Array(4096), 4096)
  sys.fail('fdatasync', errno.EIO, { count: 1 })
  await run(cache, 40)
  file.markPresent({ start: 4096, end: 8192 }, false, since)
  file.endWrite()
  expect(file.missing({ start: 0, end: 8192 })).toEqual([{ start: 0, end: 8192 }])
})

test('closing syncs a little, and leaves the rest', async () => {
  const MiB = 1024 * KiB
  const cache = open()
  addFile(cache, 1, 40 * MiB)
  for (let id = 2; id <= 12; id += 1) addFile(cache, id, 5 * MiB)
  cache.close()
  sys.crash()
  const again = open({ bootId: 'boot-2' })
  const kept = Array.from({ length: 12 }, (_, index) => index + 1).filter((id) => again.isComplete(id, version(id)))
  expect(kept).toEqual([2, 3, 4, 5, 6, 7])
})

test('closing does not wait long for a slow disk', () => {
  let nowMs = 0
  const cache = open({ clock: { now: () => nowMs, sleep: (ms) => clock.sleep(ms) } })
  for (let id = 1; id <= 12; id += 1) addFile(cache, id, 4096)
  const fdatasync = sys.fdatasync.bind(sys)
  let syncCount = 0
  sys.fdatasync = (fd) => {
    syncCount += 1
    nowMs += 200
    return fdatasync(fd)
  }
  cache.close()
  // Three files, and the log.
  expect(syncCount).toBeLessThanOrEqual(5)
})

test('what is written while a sync is under way is not taken for synced', async () => {
  const syncs: (() => void)[] = []
  const cache = open({ sync: (fd, done) => syncs.push(() => done(sys.fdatasync(fd))) })
  const file = cache.acquire(1, version(1), 3 * 4096)
  fill(file, 0, 4096)
  await run(cache, 40)
  expect(syncs).toHaveLength(1)
  fill(file, 4096, 8192)
  syncs[0]!()
  await run(cache, 0.1)
  sys.crash()
  const again = open({ bootId: 'boot-2' })
  expect(again.acquire(1, version(1), 3 * 4096).missing({ start: 0, end: 3 * 4096 })).toEqual([{ start: 4096, end: 3 * 4096 }])
})
