/**
 * What chmod, chown, utimensat and the change of a body do to an entry, as Linux does it. Pure; called by the steps that change something.
 *
 * Who may do it the kernel has decided (setattr_prepare); it has also dropped the set-group-id bit of a chmod by who is not in the group. What it leaves
 * to the file system is to take privileges away when the owner or the content changes (FUSE_HANDLE_KILLPRIV_V2), and to keep the access list in step.
 */
import type { Entry, Time } from '../../shared/format/entry.ts'
import type { AttributesChange, Caller, TimeChange } from '../fuse/handler.ts'
import { accessAclName, aclWithMode, decodeAcl, encodeAcl } from './acl.ts'
import { groupExecuteBit, setGroupIdBit, setUserIdBit } from './new-entry.ts'

const capabilityName = 'security.capability'

/** chmod, chown and times at once, as SETATTR brings them. The size is not looked at, but for the privileges that go with a change of it. */
export function withAttributes(entry: Entry, change: AttributesChange, caller: Caller, now: Time): Entry {
  const { uid, gid, mode } = change
  const isOwnerChange = uid !== undefined || gid !== undefined
  const owned = isOwnerChange ? withOwner(entry, uid, gid, caller) : entry
  const moded = mode === undefined ? owned : withMode(owned, mode)
  const safe = change.killsPrivileges && !isOwnerChange ? withoutPrivileges(moded, caller) : moded
  return { ...withTimes(safe, change, now), ctime: timeOf(change.ctime, now) ?? now }
}

/** A body that somebody without the right to keep them has changed: set-user-id and set-group-id go, capabilities too. */
export function withoutPrivileges(entry: Entry, caller: Caller): Entry {
  if (entry.kind === 'directory') return entry
  return withoutCapability({ ...entry, mode: withoutSetIds(entry, caller) })
}

/** Whether `withoutPrivileges` would change it. */
export function hasPrivileges(entry: Entry): boolean {
  return entry.kind === 'file' && ((entry.mode & (setUserIdBit | setGroupIdBit)) !== 0 || entry.xattrs.has(capabilityName))
}

function withOwner(entry: Entry, uid: number | undefined, gid: number | undefined, caller: Caller): Entry {
  const owned = { ...entry, uid: uid ?? entry.uid, gid: gid ?? entry.gid }
  return entry.kind === 'directory' ? owned : withoutCapability({ ...owned, mode: withoutSetIds(entry, caller) })
}

function withMode(entry: Entry, mode: number): Entry {
  const bits = mode & 0o7777
  const bytes = entry.xattrs.get(accessAclName)
  const acl = bytes === undefined ? undefined : decodeAcl(bytes)
  if (acl === undefined) return { ...entry, mode: bits }
  return { ...entry, mode: bits, xattrs: new Map(entry.xattrs).set(accessAclName, encodeAcl(aclWithMode(acl, bits))) }
}

/** Set-group-id without group execution marks a file for mandatory locking; it goes only for who is not in the group (setattr_should_drop_sgid). */
function withoutSetIds({ mode, gid }: Entry, caller: Caller): number {
  const isGroupProgram = (mode & groupExecuteBit) !== 0
  const mayKeep = caller.uid === 0 || caller.gid === gid
  return mode & ~setUserIdBit & (isGroupProgram || !mayKeep ? ~setGroupIdBit : ~0)
}

function withoutCapability(entry: Entry): Entry {
  if (!entry.xattrs.has(capabilityName)) return entry
  const xattrs = new Map(entry.xattrs)
  xattrs.delete(capabilityName)
  return { ...entry, xattrs }
}

/** An access time of its own begins to exist when one of the two is set without the other. */
function withTimes(entry: Entry, change: AttributesChange, now: Time): Entry {
  const atime = timeOf(change.atime, now)
  const mtime = timeOf(change.mtime, now)
  if (atime === undefined && mtime === undefined) return entry
  return { ...entry, atime: atime ?? entry.atime ?? entry.mtime, mtime: mtime ?? entry.mtime }
}

function timeOf(change: TimeChange | undefined, now: Time): Time | undefined {
  if (change === undefined) return undefined
  return change === 'now' ? now : { seconds: change.seconds, nanoseconds: change.nanoseconds }
}
