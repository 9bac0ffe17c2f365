/**
 * Numbers of the Linux user-space interface (x86-64 and arm64 agree on all of them but `O_DIRECT`, which is not used).
 * Sources: asm-generic/fcntl.h, linux/falloc.h, linux/fs.h, linux/mount.h, linux/poll.h, linux/stat.h.
 */

export const openFlag = {
  O_RDONLY: 0,
  O_WRONLY: 1,
  O_RDWR: 2,
  /** Mask of the three above. */
  O_ACCMODE: 3,
  O_CREAT: 0o100,
  O_EXCL: 0o200,
  O_TRUNC: 0o1000,
  O_APPEND: 0o2000,
  O_NONBLOCK: 0o4000,
  O_CLOEXEC: 0o2000000,
} as const

export const fcntlCommand = {
  F_SETFD: 2,
  F_GETFL: 3,
  F_SETFL: 4,
  F_SETLEASE: 1024,
  F_DUPFD_CLOEXEC: 1030,
  F_SETPIPE_SZ: 1031,
} as const

export const leaseKind = { F_RDLCK: 0, F_WRLCK: 1, F_UNLCK: 2 } as const

export const lockOperation = { LOCK_EX: 2, LOCK_NB: 4 } as const

export const seekFrom = { SEEK_SET: 0, SEEK_CUR: 1, SEEK_END: 2, SEEK_DATA: 3, SEEK_HOLE: 4 } as const

export const allocateMode = { FALLOC_FL_KEEP_SIZE: 1, FALLOC_FL_PUNCH_HOLE: 2, FALLOC_FL_ZERO_RANGE: 16 } as const

export const pollEvent = { POLLIN: 1, POLLERR: 8, POLLHUP: 16, POLLNVAL: 32 } as const

export const mountFlag = { MS_RDONLY: 1, MS_NOSUID: 2, MS_NODEV: 4 } as const

export const unmountFlag = { MNT_FORCE: 1, MNT_DETACH: 2 } as const

/** Errnos that only a driver meets; the ones a handler answers with are in shared/error.ts. */
export const connectionErrno = { EBADF: 9, EPROTO: 71, ECONNABORTED: 103 } as const

/** File type bits of a mode. */
export const fileType = {
  S_IFMT: 0o170000,
  S_IFSOCK: 0o140000,
  S_IFLNK: 0o120000,
  S_IFREG: 0o100000,
  S_IFBLK: 0o060000,
  S_IFDIR: 0o040000,
  S_IFCHR: 0o020000,
  S_IFIFO: 0o010000,
} as const
