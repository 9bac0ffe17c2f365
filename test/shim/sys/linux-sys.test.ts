import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { errno } from '../../../shared/errno.ts'
import { openFlag } from '../../../shim/sys/constants.ts'
import { linuxSys as sys } from '../../../shim/sys/linux-sys.ts'
import type { DiskSpace, FileStat } from '../../../shim/sys/sys.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'edgemount-sys-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function opened(name: string): number {
  const fd = sys.open(join(directory, name), openFlag.O_RDWR | openFlag.O_CREAT, 0o600)
  expect(fd).toBeGreaterThan(2)
  return fd
}

function present<T extends FileStat | DiskSpace>(answer: T | number): T {
  if (typeof answer === 'number') throw new Error(`errno ${answer}`)
  return answer
}

test('reads and writes parts of arrays at offsets', () => {
  const fd = opened('f')
  const bytes = Uint8Array.from([0, 1, 2, 3, 4, 5, 6, 7])
  expect(sys.pwrite(fd, bytes.subarray(2, 6), 5_000_000_000)).toBe(4)
  const into = new Uint8Array(10)
  expect(sys.pread(fd, into.subarray(3, 8), 5_000_000_000)).toBe(4)
  expect([...into]).toEqual([0, 0, 0, 2, 3, 4, 5, 0, 0, 0])
  expect(present(sys.fstat(fd)).size).toBe(5_000_000_004)
  expect(sys.fdatasync(fd)).toBe(0)
  expect(sys.close(fd)).toBe(0)
})

test('answers failures as negative errnos', () => {
  expect(sys.open(join(directory, 'absent'), openFlag.O_RDONLY, 0)).toBe(-errno.ENOENT)
  expect(sys.close(1_000_000)).toBe(-9)
  expect(sys.pread(1_000_000, new Uint8Array(1), 0)).toBe(-9)
  expect(sys.unlink(join(directory, 'absent'))).toBe(-errno.ENOENT)
  expect(sys.stat(join(directory, 'absent'))).toBe(-errno.ENOENT)
  expect(sys.list(join(directory, 'absent'))).toBe(-errno.ENOENT)
  expect(sys.mkdir(directory, 0o700)).toBe(-errno.EEXIST)
})

test('stat agrees with the platform', () => {
  writeFileSync(join(directory, 'f'), 'hello')
  const mine = present(sys.stat(join(directory, 'f')))
  const theirs = statSync(join(directory, 'f'), { bigint: true })
  expect(BigInt(mine.ino)).toBe(theirs.ino)
  expect(mine.mode).toBe(Number(theirs.mode))
  expect(mine.linkCount).toBe(1)
  expect(mine.blocks).toBe(Number(theirs.blocks))
  expect(BigInt(mine.mtimeSeconds) * 1_000_000_000n + BigInt(mine.mtimeNanoseconds)).toBe(theirs.mtimeNs)
})

test('finds data and holes, and punches', () => {
  const fd = opened('sparse')
  expect(sys.pwrite(fd, new Uint8Array(8192).fill(1), 1 << 20)).toBe(8192)
  expect(sys.ftruncate(fd, 4 << 20)).toBe(0)
  expect(sys.seekData(fd, 0)).toBe(1 << 20)
  expect(sys.seekHole(fd, 1 << 20)).toBe((1 << 20) + 8192)
  expect(sys.seekData(fd, 2 << 20)).toBe(-errno.ENXIO)
  const before = present(sys.fstat(fd)).blocks
  expect(sys.punch(fd, 0, 4 << 20)).toBe(0)
  expect(present(sys.fstat(fd)).blocks).toBeLessThan(before)
  expect(present(sys.fstat(fd)).size).toBe(4 << 20)
  expect(sys.allocate(fd, 0, 65536)).toBe(0)
  expect(present(sys.fstat(fd)).blocks).toBeGreaterThanOrEqual(128)
  sys.close(fd)
})

test('a lease is refused while somebody else has the file open', () => {
  const fd = opened('leased')
  const other = opened('leased')
  expect(sys.takeLease(fd)).toBe(-errno.EAGAIN)
  sys.close(other)
  expect(sys.takeLease(fd)).toBe(0)
  expect(sys.dropLease(fd)).toBe(0)
  sys.close(fd)
})

test('renames, lists and measures a directory', () => {
  sys.close(opened('a'))
  expect(sys.rename(join(directory, 'a'), join(directory, 'b'))).toBe(0)
  expect(sys.list(directory)).toEqual(['b'])
  const fd = sys.open(directory, openFlag.O_RDONLY, 0)
  expect(sys.fsync(fd)).toBe(0)
  sys.close(fd)
  const space = present(sys.statvfs(directory))
  expect(space.blockBytes * space.blocks).toBeGreaterThan(1 << 20)
  expect(space.blocksFree).toBeGreaterThanOrEqual(space.blocksAvailable)
  expect(space.blocksAvailable).toBeGreaterThan(0)
  expect(sys.rmdir(directory)).toBe(-errno.ENOTEMPTY)
})
