/** The budget when files in use are all that is left, and their disk does not play along. */
import { beforeEach, expect, test, vi } from 'vitest'
import { errno } from '../../../shared/errno.ts'
import { silentLogger } from '../../../shared/log.ts'
import { Cache } from '../../../shim/cache/cache.ts'
import type { CachedFile } from '../../../shim/cache/cached-file.ts'
import { FakeSys } from '../../support/fake-sys.ts'
import { ManualClock } from '../../support/manual-clock.ts'

let sys: FakeSys
let clock: ManualClock

beforeEach(() => {
  sys = new FakeSys()
  clock = new ManualClock()
})

function open({ bytesMax }: { bytesMax: number }): Cache {
  return Cache.open({ directory: '/cache', bytesMax, freeBytesMin: 0, sys, clock, bootId: 'boot-1', log: silentLogger })
}

function version(id: number): string {
  return id.toString(16).padStart(64, 'a')
}

function fill(file: CachedFile, start: number, end: number): void {
  expect(sys.pwrite(file.beginWrite(), new Uint8Array(end - start).fill(7), start)).toBe(end - start)
  file.markPresent({ start, end })
  file.endWrite()
}

async function run(cache: Cache, seconds: number): Promise<void> {
  for (let index = 0; index < seconds * 50; index += 1) {
    await clock.advance(20)
    cache.tick()
  }
}

/** Writes pages as long as they are taken, some for each step; gives how many were. */
async function fillWhileTaken(cache: Cache, file: CachedFile, pages: number): Promise<number> {
  for (let page = 0; page < pages; page += 1) {
    if (!file.canStore) return page
    fill(file, page * 4096, (page + 1) * 4096)
    if (page % 4 === 0) await run(cache, 0.1)
  }
  return pages
}

test('the budget is kept on a file system without leases, too', async () => {
  const cache = open({ bytesMax: 20 * 4096 })
  vi.spyOn(sys, 'takeLease').mockReturnValue(-errno.EINVAL)
  const file = cache.acquire(1, version(1), 200 * 4096)
  expect(await fillWhileTaken(cache, file, 200)).toBe(200)
  await run(cache, 1)
  expect(cache.stats.bytes).toBeLessThan(25 * 4096)
  expect(sys.usedBytes).toBeLessThan(25 * 4096 + 100_000)
})

test.each([
  ['takeLease', errno.EAGAIN],
  ['punch', errno.EOPNOTSUPP],
  ['open', errno.EIO],
] as const)('the budget is not passed by a file that cannot be punched: %s', async (call, code) => {
  const cache = open({ bytesMax: 20 * 4096 })
  const file = cache.acquire(1, version(1), 200 * 4096)
  fill(file, 0, 20 * 4096)
  file.closeDescriptor()
  const failing = vi.spyOn(sys, call).mockReturnValue(-code)
  await run(cache, 0.1)
  expect([file.canStore, cache.stats.bytes]).toEqual([false, 20 * 4096])
  failing.mockRestore()
  await run(cache, 1)
  expect(file.canStore).toBe(true)
  expect(cache.stats.bytes).toBeLessThan(20 * 4096)
})

test('room is made in one file while another one is held', async () => {
  const cache = open({ bytesMax: 40 * 4096 })
  const [first, second] = [cache.acquire(1, version(1), 200 * 4096), cache.acquire(2, version(2), 200 * 4096)]
  fill(first, 0, 30 * 4096)
  sys.heldPaths.add(cache.files.path(cache.files.table.serials[first.row]!))
  fill(second, 0, 10 * 4096)
  sys.heldPaths.add(cache.files.path(cache.files.table.serials[first.row]!))
  await run(cache, 0.2)
  expect([file(first), file(second)]).toEqual([30, 10])
  sys.heldPaths.clear()
  await run(cache, 0.5)
  expect(file(first)).toBeLessThan(30)
  expect(cache.canStore).toBe(true)

  function file({ row }: CachedFile): number {
    return cache.files.table.bytes[row]! / 4096
  }
})

test('making room is tried again when a file cannot get a new name, and what came first goes first then', async () => {
  const cache = open({ bytesMax: 20 * 4096 })
  const file = cache.acquire(1, version(1), 200 * 4096)
  sys.fail('rename', errno.EIO)
  fill(file, 0, 20 * 4096)
  expect(file.presentBytes).toBe(20 * 4096)
  fill(file, 20 * 4096, 21 * 4096)
  await run(cache, 1)
  expect(file.has({ start: 0, end: 4096 })).toBe(false)
  expect(file.has({ start: 10 * 4096, end: 21 * 4096 })).toBe(true)
})

test('what came while room was being made is seen to in the same step', async () => {
  const cache = open({ bytesMax: 20 * 4096 })
  const file = cache.acquire(1, version(1), 200 * 4096)
  fill(file, 0, 20 * 4096)
  fill(file, 20 * 4096, 25 * 4096)
  await run(cache, 0.02)
  expect(file.canStore).toBe(true)
})
