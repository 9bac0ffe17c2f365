/**
 * What making files and directories takes that Node has no calls for: times to the nanosecond, extended attributes, fifos and devices. Paths are bytes with a
 * NUL at the end; links are not followed. Gives 0 or a negative errno.
 */
import { encodeName } from '../../shared/name.ts'
import { libc, result } from './libc.ts'

/** linux/fcntl.h. */
const AT_FDCWD = -100
const AT_SYMLINK_NOFOLLOW = 0x100
/** linux/stat.h. */
const typeBits = { fifo: 0o010000, socket: 0o140000, 'character-device': 0o020000, 'block-device': 0o060000 } as const

export interface Timespec {
  readonly seconds: number
  readonly nanoseconds: number
}

export function setTimes(path: Uint8Array, atime: Timespec, mtime: Timespec): number {
  const times = new Uint8Array(32)
  const view = new DataView(times.buffer)
  for (const [index, { seconds, nanoseconds }] of [atime, mtime].entries()) {
    view.setBigInt64(index * 16, BigInt(seconds), true)
    view.setBigInt64(index * 16 + 8, BigInt(nanoseconds), true)
  }
  return result(libc.utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW))
}

export function setXattr(path: Uint8Array, name: string, value: Uint8Array): number {
  return result(libc.lsetxattr(path, encodeName(`${name}\0`), value, value.length, 0))
}

/** Mode 0600: what it is to be is set when it stands. */
export function makeNode(path: Uint8Array, kind: keyof typeof typeBits, major: number, minor: number): number {
  return result(libc.mknod(path, typeBits[kind] | 0o600, deviceNumber(major, minor)))
}

/** gnu_dev_makedev of glibc's sys/sysmacros.h, as far as the kernel has it: 12 bits and 20. */
function deviceNumber(major: number, minor: number): number {
  return ((major & 0xfff) << 8) + (minor & 0xff) + (minor >>> 8) * 0x10_0000
}
