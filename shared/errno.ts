/** The errno numbers of Linux, and which a mount answers for each code of `error.ts`. */
import type { ErrorCode } from './error.ts'

/** Linux errno numbers (asm-generic/errno-base.h, asm-generic/errno.h) that edgemount answers with. */
export const errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  EMLINK: 31,
  ERANGE: 34,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ENODATA: 61,
  EOPNOTSUPP: 95,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ESTALE: 116,
  EDQUOT: 122,
} as const

/** The errno a mount answers for each code. */
export const errnoOfCode: Readonly<Record<ErrorCode, number>> = {
  'not-found': errno.ENOENT,
  conflict: errno.EBUSY,
  stale: errno.ESTALE,
  invalid: errno.EINVAL,
  denied: errno.EACCES,
  unsupported: errno.EOPNOTSUPP,
  exhausted: errno.ENOSPC,
  unavailable: errno.EIO,
  corrupt: errno.EIO,
  aborted: errno.EINTR,
  closed: errno.EIO,
  internal: errno.EIO,
}
