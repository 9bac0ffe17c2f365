import { beforeEach, describe, expect, test } from 'vitest'
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

describe('a cached file', () => {
  test('says what it has, and has its exact size from the beginning', () => {
    const cache = open()
    const file = cache.acquire(1, version(1), 100_000)
    expect(file.isComplete).toBe(false)
    expect(file.fdOf({ start: 0, end: 1 })).toBe(-1)
    expect(file.completeFd()).toBe(-1)
    fill(file, 10_000, 20_000)
    expect(file.missing({ start: 0, end: 30_000 })).toEqual([
      { start: 0, end: 10_000 },
      { start: 20_000, end: 30_000 },
    ])
    expect(file.has({ start: 10_000, end: 20_000 })).toBe(true)
    expect(sys.fstat(file.fd)).toMatchObject({ size: 100_000 })
    file.markPresent({ start: 0, end: 10_000 }, true)
    file.markPresent({ start: 20_000, end: 100_000 }, true)
    expect(file.completeFd()).toBe(file.fd)
    expect(cache.stats.bytes).toBe(12 * KiB) // holes cost nothing
  })

  test('is one object for everybody who uses it, until the last releases it', () => {
    const cache = open()
    const file = cache.acquire(1, version(1), 8192)
    expect(cache.acquire(1, version(1), 8192)).toBe(file)
    expect(cache.acquire(1, version(2), 8192)).not.toBe(file)
    expect(cache.acquire(2, version(1), 8192)).not.toBe(file)
    fill(file, 0, 8192)
    file.release()
    expect(file.fd).toBeGreaterThan(0)
    file.release()
    expect(cache.stats.openCount).toBe(0)
    expect(cache.isComplete(1, version(1))).toBe(true)
    expect(cache.isComplete(1, version(2))).toBe(false)
  })

  test('of which nothing came leaves nothing behind', () => {
    const cache = open()
    const file = cache.acquire(1, version(1), 8192)
    expect(file.fd).toBeGreaterThan(0)
    file.release()
    cache.acquire(2, version(2), 8192).release()
    expect(cache.stats).toMatchObject({ fileCount: 0, bytes: 0, openCount: 0 })
    expect(sys.paths().filter((path) => path.includes('/files/'))).toEqual([])
  })

  test('of no bytes is complete at once', () => {
    const cache = open()
    const file = cache.acquire(1, version(1), 0)
    expect(file.isComplete).toBe(true)
    expect(file.completeFd()).toBeGreaterThan(0)
    file.release()
    expect(open({ directory: '/var/cache/other' }).acquire(1, version(1), 0).isComplete).toBe(true)
  })

  test('begins anew when its backing file is gone or has another size', () => {
    const cache = open()
    addFile(cache, 1, 8192)
    addFile(cache, 2, 8192)
    const paths = sys.paths().filter((path) => path.includes('/files/'))
    sys.unlink(paths[0]!)
    sys.writeFile(paths[1]!, new Uint8Array(100))
    for (const id of [1, 2]) {
      const file = cache.acquire(id, version(id), 8192)
      expect(file.fdOf({ start: 0, end: 1 })).toBe(-1)
      expect(file.missing({ start: 0, end: 8192 })).toEqual([{ start: 0, end: 8192 }])
      fill(file, 0, 8192, 9)
      expect(file.completeFd()).toBeGreaterThan(0)
      expect(sys.fstat(file.fd)).toMatchObject({ size: 8192 })
    }
  })

  test('keeps a descriptor that somebody writes to, whatever the limit', () => {
    const cache = open({ openFilesMax: 2 })
    const files = [1, 2, 3, 4, 5].map((id) => cache.acquire(id, version(id), 8192))
    const held = files[0]!.beginWrite()
    for (const file of files) expect(file.fd).toBeGreaterThan(0)
    expect(cache.stats.openCount).toBeLessThanOrEqual(3)
    expect(files[0]!.fd).toBe(held)
    files[0]!.endWrite()
    for (const file of files) {
      fill(file, 0, 8192)
      file.release()
    }
    expect(cache.stats.openCount).toBe(0)
  })
})

describe('the budget', () => {
  test('is held by evicting what was used longest ago, down to nine tenths', () => {
    const cache = open({ bytesMax: 100 * 4096 })
    for (let id = 1; id <= 100; id += 1) addFile(cache, id, 4096)
    expect(cache.stats.bytes).toBe(100 * 4096)
    cache.acquire(1, version(1), 4096).release() // used just now
    addFile(cache, 101, 4096)
    for (let tick = 0; tick < 3; tick += 1) cache.tick()
    expect(cache.stats.bytes).toBeLessThanOrEqual(100 * 4096)
    return run(cache, 1).then(() => {
      expect(cache.stats.bytes).toBe(90 * 4096)
      expect(cache.isComplete(1, version(1))).toBe(true)
      expect(cache.isComplete(2, version(2))).toBe(false)
      expect(cache.isComplete(101, version(101))).toBe(true)
      expect(sys.usedBytes).toBeLessThan(92 * 4096 + 64 * KiB)
    })
  })

  test('does not count what is pinned as something to evict', async () => {
    const cache = open({ bytesMax: 10 * 4096 })
    const pinned = Array.from({ length: 12 }, (_, index) => cache.acquire(index, version(index), 4096))
    for (const file of pinned) if (file.canStore) fill(file, 0, 4096)
    await run(cache, 1)
    expect(cache.stats.fileCount).toBe(12)
    expect(pinned[0]!.isComplete).toBe(true)
    expect(cache.canStore).toBe(false)
    for (const file of pinned) file.release()
    expect(cache.canStore).toBe(true)
  })

  test('spares files that somebody else holds or maps', async () => {
    const cache = open({ bytesMax: 10 * 4096 })
    addFile(cache, 1, 4096)
    sys.heldPaths.add(sys.paths().find((path) => path.includes('/files/'))!)
    for (let id = 2; id <= 20; id += 1) addFile(cache, id, 4096)
    await run(cache, 1)
    expect(cache.isComplete(1, version(1))).toBe(true)
    expect(cache.isComplete(2, version(2))).toBe(false)
    sys.heldPaths.clear()
    for (let id = 21; id <= 60; id += 1) addFile(cache, id, 4096)
    await run(cache, 1)
    expect(cache.isComplete(1, version(1))).toBe(false)
  })

  test.each([1, 50])('is held although %i of its files cannot go', async (heldCount) => {
    const bytesMax = 100 * 4096
    const cache = open({ bytesMax })
    for (let id = 1; id <= heldCount; id += 1) addFile(cache, id, 4096)
    for (const path of sys.paths()) if (path.includes('/files/')) sys.heldPaths.add(path)
    const whole = cache.acquire(1000, version(1000), 40 * 4096)
    fill(whole, 0, 40 * 4096)
    const file = cache.acquire(1001, version(1001), 1000 * 4096)
    let most = 0
    for (let page = 0; page < 1000; page += 1) {
      if (file.canStore) fill(file, page * 4096, (page + 1) * 4096)
      if (page % 10 === 0) await run(cache, 0.2)
      most = Math.max(most, cache.stats.bytes)
    }
    // The steps before it is known that they are held.
    expect(most).toBeLessThanOrEqual(bytesMax + 12 * 4096)
    await run(cache, 3)
    expect(cache.stats.bytes).toBeLessThanOrEqual(bytesMax + 4096)
    sys.heldPaths.clear()
    whole.release()
    file.release()
    for (let id = 2000; id < 2200; id += 1) {
      addFile(cache, id, 4096)
      if (id === 2050) await run(cache, 3)
    }
    await run(cache, 3)
    expect(cache.isComplete(1, version(1))).toBe(false)
    expect(cache.isComplete(2199, version(2199))).toBe(true)
  })

  test('is held by a single file that is larger, too: what came first goes first, and what is being read stays', async () => {
    const bytesMax = 100 * 4096
    const cache = open({ bytesMax })
    const file = cache.acquire(1, version(1), 1000 * 4096)
    for (let page = 0; page < 1000; page += 1) {
      expect(file.canStore).toBe(true)
      fill(file, page * 4096, (page + 1) * 4096, 1 + (page % 255))
      if (page % 10 === 0) await run(cache, 0.1)
      expect(file.has({ start: Math.max(0, page - 40) * 4096, end: (page + 1) * 4096 })).toBe(true)
    }
    await run(cache, 1)
    expect(cache.stats.bytes).toBeLessThanOrEqual(bytesMax)
    expect(sys.usedBytes).toBeLessThanOrEqual(bytesMax + 100_000)
    expect(file.has({ start: 0, end: 1 })).toBe(false)
    sys.crash()
    const again = open({ bytesMax }).acquire(1, version(1), 1000 * 4096)
    const bytes = new Uint8Array(4096)
    for (let page = 0; page < 1000; page += 1) {
      const fd = again.fdOf({ start: page * 4096, end: (page + 1) * 4096 })
      if (fd < 0) continue
      sys.pread(fd, bytes, page * 4096)
      expect(bytes[0]).toBe(1 + (page % 255))
    }
    expect(again.presentBytes).toBeGreaterThan(bytesMax / 2)
  })

  test('does not take a write for present that was punched out before it was told of', async () => {
    const cache = open({ bytesMax: 20 * 4096 })
    const file = cache.acquire(1, version(1), 100 * 4096)
    fill(file, 0, 20 * 4096)
    const since = file.freedCount
    file.beginWrite()
    fill(file, 20 * 4096, 24 * 4096) // passes the budget: the first pages are forgotten
    expect(file.has({ start: 0, end: 4096 })).toBe(false)
    sys.pwrite(file.fd, new Uint8Array(4096).fill(5), 0) // and fetched again
    await run(cache, 1) // and punched out
    file.markPresent({ start: 0, end: 4096 }, false, since)
    expect(file.has({ start: 0, end: 4096 })).toBe(false)
    file.endWrite()
    fill(file, 0, 4096)
    expect(file.has({ start: 0, end: 4096 })).toBe(true)
  })

  test('spares what came again before it was punched out', async () => {
    const cache = open({ bytesMax: 20 * 4096 })
    const file = cache.acquire(1, version(1), 100 * 4096)
    fill(file, 0, 24 * 4096)
    expect(file.has({ start: 0, end: 4096 })).toBe(false)
    fill(file, 0, 4096, 9)
    await run(cache, 1)
    const bytes = new Uint8Array(4096)
    sys.pread(file.fdOf({ start: 0, end: 4096 }), bytes, 0)
    expect(bytes).toEqual(new Uint8Array(4096).fill(9))
  })

  test('leaves the floor of free space to others', async () => {
    sys.capacityBytes = 100 * 4096
    const cache = open({ freeBytesMin: 40 * 4096 })
    for (let id = 1; id <= 65; id += 1) addFile(cache, id, 4096)
    await run(cache, 3)
    expect(sys.statvfs('')).toMatchObject({ blocksAvailable: expect.toSatisfy((free: number) => free >= 40) })
    expect(cache.isComplete(65, version(65))).toBe(true)
    expect(cache.isComplete(1, version(1))).toBe(false)
  })
})

describe('a full disk', () => {
  test('makes room, says so once, and takes new files again later', async () => {
    const cache = open()
    for (let id = 1; id <= 50; id += 1) addFile(cache, id, 4096)
    const file = cache.acquire(99, version(99), 4096)
    file.noteDiskFull()
    file.noteDiskFull()
    expect(warnings).toHaveLength(1)
    expect(cache.stats.bytes).toBeLessThanOrEqual(45 * 4096)
    expect(file.canStore).toBe(false)
    await clock.advance(1001)
    expect(file.canStore).toBe(true)
  })

  test('that does not even take an empty file gives an errno, and nothing is held', () => {
    const cache = open()
    const file = cache.acquire(1, version(1), 4096)
    sys.fail('open', errno.ENOSPC, { count: 2 })
    expect(file.beginWrite()).toBe(-errno.ENOSPC)
    sys.fail('ftruncate', errno.ENOSPC, { count: 2 })
    expect(file.fd).toBe(-errno.ENOSPC)
    expect(file.fd).toBeGreaterThan(0)
    file.release()
    expect(cache.stats.openCount).toBe(0)
  })

  test('under the log costs nothing but what is known after a restart', async () => {
    const cache = open()
    addFile(cache, 1, 4096)
    await run(cache, 1)
    sys.fail('pwrite', errno.ENOSPC, { skip: 1, count: 1 })
    addFile(cache, 2, 4096)
    await run(cache, 1)
    expect(warnings.join()).toContain('cache log')
    await run(cache, 40)
    addFile(cache, 3, 4096)
    await run(cache, 1)
    sys.crash()
    const again = open()
    expect([1, 2, 3].map((id) => again.isComplete(id, version(id)))).toEqual([true, true, true])
  })
})

describe('a restart', () => {
  test('finds everything again within one boot, even after kill -9', async () => {
    const cache = open()
    addFile(cache, 1, 8192)
    const file = cache.acquire(2, version(2), 100_000)
    fill(file, 4096, 8192)
    file.markPresent({ start: 50_000, end: 60_000 }, true)
    await run(cache, 0.1)
    sys.crash()
    const again = open()
    expect(again.isComplete(1, version(1))).toBe(true)
    const found = again.acquire(2, version(2), 100_000)
    expect(found.missing({ start: 0, end: 100_000 })).toEqual([
      { start: 0, end: 4096 },
      { start: 8192, end: 50_000 },
      { start: 60_000, end: 100_000 },
    ])
    expect(found.fdOf({ start: 4096, end: 8192 })).toBeGreaterThan(0)
  })

  test('after another boot believes what was synced, and nothing else', async () => {
    const cache = open()
    addFile(cache, 1, 8192)
    const file = cache.acquire(2, version(2), 100_000)
    fill(file, 0, 4096)
    await run(cache, 80) // two sweeps
    fill(file, 4096, 8192)
    addFile(cache, 3, 8192)
    await run(cache, 1)
    sys.crash()
    const again = open({ bootId: 'boot-2' })
    expect(again.isComplete(1, version(1))).toBe(true)
    expect(again.isComplete(3, version(3))).toBe(false)
    expect(again.acquire(2, version(2), 100_000).missing({ start: 0, end: 8192 })).toEqual([{ start: 4096, end: 8192 }])
  })

  test('keeps the order of use', async () => {
    const cache = open()
    for (let id = 1; id <= 20; id += 1) addFile(cache, id, 4096)
    cache.acquire(1, version(1), 4096).release()
    for (let session = 0; session < 10; session += 1) {
      await run(cache, 1)
      sys.crash()
      open().close() // eight logs make a snapshot due
    }
    const again = open()
    await run(again, 2)
    again.close()
    const small = open({ bytesMax: 10 * 4096 })
    await run(small, 1)
    expect(small.stats.bytes).toBeLessThanOrEqual(9 * 4096)
    expect(small.isComplete(20, version(20))).toBe(true)
    expect(small.isComplete(2, version(2))).toBe(false)
  })

  test('removes files that nobody knows, forgets those that are gone, drops those of another size', async () => {
    const cache = open()
    for (let id = 1; id <= 5; id += 1) addFile(cache, id, 8192)
    cache.close()
    const paths = sys.paths().filter((path) => path.includes('/files/'))
    sys.unlink(paths[0]!)
    sys.writeFile(paths[1]!, new Uint8Array(1))
    sys.writeFile(`${directory}/files/00/stranger`, new Uint8Array(10_000))
    sys.writeFile(`${directory}/files/07/zzzz`, new Uint8Array(10_000))
    sys.writeFile(`${directory}/notes.txt`, new Uint8Array(10))
    const again = open()
    addFile(again, 6, 4096)
    await run(again, 6)
    expect(again.stats).toMatchObject({ fileCount: 4, bytes: 3 * 8192 + 4096 })
    const left = sys.paths().filter((path) => path.includes('/files/'))
    expect(left).toHaveLength(4)
    expect(left).toEqual(expect.arrayContaining(paths.slice(2)))
    expect(sys.paths()).toContain(`${directory}/notes.txt`)
  })

  test('cuts a log at its first damaged record, and says so', async () => {
    const cache = open()
    addFile(cache, 1, 4096)
    await run(cache, 0.1)
    const path = sys.paths().find((name) => name.endsWith('.log'))!
    const goodBytes = sys.readFile(path).length
    addFile(cache, 2, 4096)
    addFile(cache, 3, 4096)
    await run(cache, 0.1)
    sys.crash()
    const bytes = sys.readFile(path)
    bytes[goodBytes + 70]! ^= 0x10
    sys.writeFile(path, bytes)
    const again = open()
    expect([1, 2, 3].map((id) => again.isComplete(id, version(id)))).toEqual([true, false, false])
    expect(warnings.join()).toMatch(/Cannot read the cache log .* to its end: \d+ bytes after byte \d+ are torn or damaged, and dropped/)
    const file = again.acquire(2, version(2), 4096)
    fill(file, 0, 4096) // its serial is taken by the file that was forgotten
    expect(file.isComplete).toBe(true)
    await run(again, 6)
    expect(sys.paths().filter((name) => name.includes('/files/'))).toHaveLength(2)
  })
})

test('a directory has one owner', () => {
  const first = open()
  expect(() => open()).toThrow(expect.objectContaining({ code: 'conflict', message: expect.stringContaining('another edgemount uses it') }))
  first.close()
  open().close()
})

test('a directory that cannot be made is said to be unavailable', () => {
  sys.fail('mkdir', errno.EACCES, { count: 100 })
  expect(() => open()).toThrow(expect.objectContaining({ code: 'unavailable', message: expect.stringContaining(directory) }))
})
