/**
 * `Sys` on Linux. Structs are read at the offsets of the 64-bit kernel interface (linux/stat.h, glibc's bits/statvfs.h).
 */
import { readdirSync } from 'node:fs'
import { constants as osConstants } from 'node:os'
import { errno } from '../../shared/errno.ts'
import { allocateMode, fcntlCommand, leaseKind, lockOperation, openFlag, seekFrom } from './constants.ts'
import { libc, result } from './libc.ts'
import type { DiskSpace, FileStat, Sys } from './sys.ts'

const currentDirectory = -100 // AT_FDCWD
const followNoLink = 0x100 // AT_SYMLINK_NOFOLLOW
const emptyPath = 0x1000 // AT_EMPTY_PATH
const basicStats = 0x7ff // STATX_BASIC_STATS

const omitTime = 2 ** 30 - 2 // UTIME_OMIT
const presentTime = 2 ** 30 - 1 // UTIME_NOW

const errnoByName = new Map<string, number>(Object.entries(osConstants.errno))

const statxBuffer = new Uint8Array(256)
const statxView = new DataView(statxBuffer.buffer)
const statvfsBuffer = new Uint8Array(128)
const statvfsView = new DataView(statvfsBuffer.buffer)

export const linuxSys: Sys = {
  open: (path, flags, mode) => result(libc.open(path, flags | openFlag.O_CLOEXEC, mode)),
  close: (fd) => result(libc.close(fd)),
  pread: (fd, into, offset) => result(libc.pread(fd, into, into.length, offset)),
  pwrite: (fd, from, offset) => result(libc.pwrite(fd, from, from.length, offset)),
  ftruncate: (fd, size) => result(libc.ftruncate(fd, size)),
  fdatasync: (fd) => result(libc.fdatasync(fd)),
  fsync: (fd) => result(libc.fsync(fd)),
  unlink: (path) => result(libc.unlink(path)),
  rename: (from, to) => result(libc.rename(from, to)),
  mkdir: (path, mode) => result(libc.mkdir(path, mode)),
  rmdir: (path) => result(libc.rmdir(path)),
  fstat: (fd) => statx(fd, '', emptyPath),
  stat: (path) => statx(currentDirectory, path, followNoLink),
  list,
  statvfs,
  seekData: (fd, offset) => result(libc.lseek(fd, offset, seekFrom.SEEK_DATA)),
  seekHole: (fd, offset) => result(libc.lseek(fd, offset, seekFrom.SEEK_HOLE)),
  punch: (fd, offset, length) =>
    result(libc.fallocate(fd, allocateMode.FALLOC_FL_PUNCH_HOLE | allocateMode.FALLOC_FL_KEEP_SIZE, offset, length)),
  allocate: (fd, offset, length) => result(libc.fallocate(fd, allocateMode.FALLOC_FL_KEEP_SIZE, offset, length)),
  fallocate: (fd, mode, offset, length) => result(libc.fallocate(fd, mode, offset, length)),
  copyRange,
  setMtime,
  takeLease: (fd) => result(libc.fcntl(fd, fcntlCommand.F_SETLEASE, leaseKind.F_WRLCK)),
  lock: (fd) => result(libc.flock(fd, lockOperation.LOCK_EX | lockOperation.LOCK_NB)),
  dropLease: (fd) => result(libc.fcntl(fd, fcntlCommand.F_SETLEASE, leaseKind.F_UNLCK)),
}

const timesBuffer = new Uint8Array(32) // struct timespec: access, modification
const timesView = new DataView(timesBuffer.buffer)
timesView.setBigInt64(8, BigInt(omitTime), true)

function setMtime(fd: number, mtime: { readonly seconds: number; readonly nanoseconds: number } | undefined): number {
  timesView.setBigInt64(16, BigInt(mtime?.seconds ?? 0), true)
  timesView.setBigInt64(24, BigInt(mtime?.nanoseconds ?? presentTime), true)
  return result(libc.futimens(fd, timesBuffer))
}

const fromOffsetBuffer = new Uint8Array(8)
const fromOffsetView = new DataView(fromOffsetBuffer.buffer)
const toOffsetBuffer = new Uint8Array(8)
const toOffsetView = new DataView(toOffsetBuffer.buffer)

function copyRange(from: number, fromOffset: number, to: number, toOffset: number, length: number): number {
  fromOffsetView.setBigInt64(0, BigInt(fromOffset), true)
  toOffsetView.setBigInt64(0, BigInt(toOffset), true)
  return result(libc.copy_file_range(from, fromOffsetBuffer, to, toOffsetBuffer, length, 0))
}

function statx(directory: number, path: string, flags: number): FileStat | number {
  const code = result(libc.statx(directory, path, flags, basicStats, statxBuffer))
  if (code < 0) return code
  return {
    linkCount: statxView.getUint32(16, true),
    mode: statxView.getUint16(28, true),
    ino: Number(statxView.getBigUint64(32, true)),
    size: Number(statxView.getBigUint64(40, true)),
    blocks: Number(statxView.getBigUint64(48, true)),
    ctimeMs: Number(statxView.getBigInt64(96, true)) * 1000 + statxView.getUint32(104, true) / 1e6,
    mtimeSeconds: Number(statxView.getBigInt64(112, true)),
    mtimeNanoseconds: statxView.getUint32(120, true),
  }
}

function statvfs(path: string): DiskSpace | number {
  const code = result(libc.statvfs(path, statvfsBuffer))
  if (code < 0) return code
  return {
    blockBytes: statvfsField(8), // f_frsize: the unit of the counts
    blocks: statvfsField(16),
    blocksFree: statvfsField(24),
    blocksAvailable: statvfsField(32),
    files: statvfsField(40),
    filesFree: statvfsField(48),
  }
}

function statvfsField(offset: number): number {
  return Number(statvfsView.getBigUint64(offset, true))
}

/** Node's own readdir: it is called at start-up only. */
function list(path: string): string[] | number {
  try {
    return readdirSync(path)
  } catch (error) {
    const name = error instanceof Error && 'code' in error ? String(error.code) : ''
    return -(errnoByName.get(name) ?? errno.EIO)
  }
}
