/**
 * What setxattr and removexattr do to an entry, access lists included. Pure: gives the new entry, or a negative errno.
 *
 * The kernel has checked the name's length, who may set it, and that `user.` names stand on files and directories only (xattr_permission).
 */
import { errno } from '../../shared/errno.ts'
import { entryBytesMax } from '../../shared/format/entry-codec.ts'
import type { Entry, Time } from '../../shared/format/entry.ts'
import { encodeName } from '../../shared/name.ts'
import { accessAclName, decodeAcl, defaultAclName, isPlain, modeWithAcl } from './acl.ts'
import { setGroupIdBit } from './new-entry.ts'

/** Flags of setxattr(2). */
const createFlag = 1
const replaceFlag = 2

/** XATTR_SIZE_MAX, linux/limits.h: the kernel refuses what is longer by itself. */
const valueBytesMax = 65_536

/**
 * All attributes of one file, names and lengths included: they stand in its entry, beside at most `inlineBytesMax` of body. ext4 with blocks and inodes
 * of usual size has room for 4 KiB.
 */
const xattrBytesMax = entryBytesMax - 8 * 1024

const keptPrefixes = ['user.', 'trusted.', 'security.']

const noAttribute = -errno.ENODATA

export interface XattrChange {
  readonly name: string
  readonly value: Uint8Array
  readonly flags: number
  /** The caller may not keep the set-group-id bit when this is an access list. */
  readonly killsSetGid: boolean
}

export function withXattr(entry: Entry, { name, value, flags, killsSetGid }: XattrChange, now: Time): Entry | number {
  const refusal = refusalOf(name)
  if (refusal !== 0) return refusal
  const has = entry.xattrs.has(name)
  if ((flags & createFlag) !== 0 && has) return -errno.EEXIST
  if ((flags & replaceFlag) !== 0 && !has) return noAttribute
  if (value.length > valueBytesMax) return -errno.E2BIG
  if (name === accessAclName) return withAccessAcl(entry, value, killsSetGid, now)
  if (name === defaultAclName) return withDefaultAcl(entry, value, now)
  return withValue(entry, name, value, now)
}

export function withoutXattr(entry: Entry, name: string, now: Time): Entry | number {
  const refusal = refusalOf(name)
  if (refusal !== 0) return refusal
  if (!entry.xattrs.has(name)) return noAttribute
  const xattrs = new Map(entry.xattrs)
  xattrs.delete(name)
  return { ...entry, xattrs, ctime: now }
}

/** 0 for names that a volume keeps: those of ext4. Of `system.`, which is the kernel's own, access lists alone. */
export function refusalOf(name: string): number {
  if (name === accessAclName || name === defaultAclName) return 0
  const prefix = keptPrefixes.find((start) => name.startsWith(start))
  if (prefix === undefined) return -errno.EOPNOTSUPP
  return name === prefix ? -errno.EINVAL : 0
}

function withAccessAcl(entry: Entry, value: Uint8Array, killsSetGid: boolean, now: Time): Entry | number {
  const acl = decodeAcl(value)
  if (acl === undefined || entry.kind === 'symlink') return acl === undefined ? -errno.EINVAL : -errno.EOPNOTSUPP
  if (acl.length === 0) return withoutAcl(entry, accessAclName, now)
  const mode = modeWithAcl(entry.mode, acl) & (killsSetGid ? ~setGroupIdBit : ~0)
  if (isPlain(acl)) return { ...withoutAcl(entry, accessAclName, now), mode }
  const changed = withValue(entry, accessAclName, value, now)
  return typeof changed === 'number' ? changed : { ...changed, mode }
}

function withDefaultAcl(entry: Entry, value: Uint8Array, now: Time): Entry | number {
  const acl = decodeAcl(value)
  if (acl === undefined) return -errno.EINVAL
  if (acl.length === 0) return withoutAcl(entry, defaultAclName, now)
  return entry.kind === 'directory' ? withValue(entry, defaultAclName, value, now) : -errno.EACCES
}

function withoutAcl(entry: Entry, name: string, now: Time): Entry {
  const xattrs = new Map(entry.xattrs)
  xattrs.delete(name)
  return { ...entry, xattrs, ctime: now }
}

function withValue(entry: Entry, name: string, value: Uint8Array, now: Time): Entry | number {
  const xattrs = new Map(entry.xattrs).set(name, value)
  let bytes = 0
  for (const [key, kept] of xattrs) bytes += encodeName(key).length + kept.length + 8
  return bytes > xattrBytesMax ? -errno.ENOSPC : { ...entry, xattrs, ctime: now }
}
