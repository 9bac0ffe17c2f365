/** The cache on a real file system, with real leases, locks and holes. */
import { open as openFile, readdir } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { systemClock } from '../../../shared/clock.ts'
import { silentLogger } from '../../../shared/log.ts'
import { Cache } from '../../../shim/cache/cache.ts'
import { linuxSys } from '../../../shim/sys/linux-sys.ts'
import { tempDirectory } from '../../support/temp-directory.ts'

const MiB = 1024 * 1024
const version = 'c'.repeat(64)

function open(directory: string, bytesMax = 2 ** 40, bootId = 'boot'): Cache {
  return Cache.open({ directory, bytesMax, freeBytesMin: 0, sys: linuxSys, clock: systemClock, bootId, log: silentLogger })
}

function add(cache: Cache, id: number, size: number): void {
  const file = cache.acquire(id, version, size)
  const bytes = new Uint8Array(size).fill(id)
  expect(linuxSys.pwrite(file.beginWrite(), bytes, 0)).toBe(size)
  file.markPresent({ start: 0, end: size })
  file.endWrite()
  file.release()
}

async function tickUntil(cache: Cache, isDone: () => boolean): Promise<void> {
  for (let count = 0; count < 500 && !isDone(); count += 1) {
    cache.tick()
    await systemClock.sleep(21)
  }
  expect(isDone()).toBe(true)
}

test('a sparse file takes what was written, and is found again', async () => {
  const directory = `${await tempDirectory()}/deep/cache`
  const cache = open(directory)
  const file = cache.acquire(1, version, 64 * MiB)
  const fd = file.beginWrite()
  linuxSys.pwrite(fd, new Uint8Array(MiB).fill(3), 32 * MiB)
  file.markPresent({ start: 32 * MiB, end: 33 * MiB })
  file.endWrite()
  expect(linuxSys.fstat(fd)).toMatchObject({ size: 64 * MiB, blocks: expect.toSatisfy((blocks: number) => blocks * 512 < 2 * MiB) })
  expect(() => open(directory)).toThrow(expect.objectContaining({ code: 'conflict' }))
  file.release()
  cache.close()
  const again = open(directory, 2 ** 40, 'another boot') // closing synced it
  const found = again.acquire(1, version, 64 * MiB)
  const slice = new Uint8Array(10)
  expect(linuxSys.pread(found.fdOf({ start: 32 * MiB, end: 33 * MiB }), slice, 32 * MiB)).toBe(10)
  expect(slice).toEqual(new Uint8Array(10).fill(3))
  expect(found.fdOf({ start: 0, end: MiB })).toBe(-1)
  found.release()
  again.close()
})

test('a file that is open elsewhere is not evicted while it is', async () => {
  const directory = `${await tempDirectory()}/cache`
  const first = open(directory)
  add(first, 1, MiB)
  first.close()
  const folder = `${directory}/files/${(1).toString(16).padStart(2, '0')}`
  const holder = await openFile(`${folder}/${(await readdir(folder))[0]}`, 'r')
  const cache = open(directory, 4 * MiB)
  try {
    for (let id = 2; id <= 6; id += 1) add(cache, id, MiB)
    await tickUntil(cache, () => cache.stats.bytes <= 3.6 * MiB)
    expect(cache.isComplete(1, version)).toBe(true)
    expect(cache.isComplete(2, version)).toBe(false)
  } finally {
    await holder.close()
  }
  for (let id = 7; id <= 12; id += 1) add(cache, id, MiB)
  await tickUntil(cache, () => !cache.isComplete(1, version))
  expect(await readdir(folder)).toEqual([])
  cache.close()
})
