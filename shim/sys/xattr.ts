/**
 * Extended attributes of local files, which Node has no calls for. Paths and names are bytes with a NUL at the end; links are not followed.
 */
import { errno } from '../../shared/errno.ts'
import { EdgemountError } from '../../shared/error.ts'
import { decodeName, encodeName } from '../../shared/name.ts'
import { libc, result } from './libc.ts'

/** XATTR_LIST_MAX and XATTR_SIZE_MAX of linux/limits.h. */
const bytesMax = 65_536

let buffer: Uint8Array | undefined

export type Xattrs = ReadonlyMap<string, Uint8Array>

export const noXattrs: Xattrs = new Map()

/**
 * All attributes of a file that belong to it rather than to this machine: `user.*`, `trusted.*` (root only), ACLs and capabilities, not the labels of
 * security modules. Throws `denied` or `unavailable`; a file system without attributes has none.
 */
export function readXattrs(path: Uint8Array): Xattrs {
  buffer ??= new Uint8Array(bytesMax)
  const length = result(libc.llistxattr(path, buffer, bytesMax))
  if (length === 0 || length === -errno.EOPNOTSUPP || length === -errno.ENOSYS) return noXattrs
  if (length < 0) throw xattrError(length)
  const names = decodeName(buffer.subarray(0, length)).split('\0').slice(0, -1)
  const found = new Map<string, Uint8Array>()
  for (const name of names.filter(isKept)) {
    const size = result(libc.lgetxattr(path, encodeName(`${name}\0`), buffer, bytesMax))
    // Removed meanwhile, or not ours to read: what cannot be read is not there.
    if (size >= 0) found.set(name, buffer.slice(0, size))
  }
  return found
}

function isKept(name: string): boolean {
  return name.startsWith('user.') || name.startsWith('trusted.') || name.startsWith('system.posix_acl_') || name === 'security.capability'
}

function xattrError(code: number): EdgemountError {
  const kind = code === -errno.EACCES || code === -errno.EPERM ? 'denied' : code === -errno.ENOENT ? 'not-found' : 'unavailable'
  return new EdgemountError(kind, `Cannot read extended attributes: errno ${-code}`)
}
