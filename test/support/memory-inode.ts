/**
 * The inodes of `writable-memory-handler.ts`: what they hold, and how their attributes change.
 */
import type { Attributes, AttributesChange, NewNode, TimeChange } from '../../shim/fuse/handler.ts'
import { fileType } from '../../shim/sys/constants.ts'
import type { Body } from './memory-body.ts'

export interface Child {
  readonly inode: Inode
  /** READDIR goes on after this one; never used again in its directory. */
  readonly cookie: number
}

export interface Inode {
  readonly id: number
  generation: number
  mode: number
  uid: number
  gid: number
  readonly rdev: number
  linkCount: number
  atimeMs: number
  mtimeMs: number
  /** Parts of a millisecond of the two above, in nanoseconds. */
  atimeRest: number
  mtimeRest: number
  ctimeMs: number
  /** What the body said of its last write when the time was set here: another answer counts more. */
  writtenMs: number | undefined
  children: Map<string, Child> | undefined
  body: Body | undefined
  target: string
  readonly xattrs: Map<string, Uint8Array>
  lookupCount: number
  openCount: number
  backing: { readonly id: number; count: number } | undefined
}

export function newInode(id: number, node: NewNode, owner: { readonly uid: number; readonly gid: number }): Inode {
  const nowMs = Date.now()
  return {
    id,
    generation: 0,
    mode: node.mode & ~node.umask,
    uid: owner.uid,
    gid: owner.gid,
    rdev: node.rdev,
    linkCount: 1,
    atimeMs: nowMs,
    mtimeMs: nowMs,
    atimeRest: 0,
    mtimeRest: 0,
    ctimeMs: nowMs,
    writtenMs: undefined,
    children: undefined,
    body: undefined,
    target: '',
    xattrs: new Map(),
    lookupCount: 0,
    openCount: 0,
    backing: undefined,
  }
}

/** As chmod, chown and utimensat do; the size is not its business. */
export function changeInode(inode: Inode, change: AttributesChange): void {
  if (change.killsPrivileges) killPrivileges(inode)
  if (change.mode !== undefined) inode.mode = (inode.mode & fileType.S_IFMT) | change.mode
  inode.uid = change.uid ?? inode.uid
  inode.gid = change.gid ?? inode.gid
  if (change.atime !== undefined) {
    inode.atimeMs = millisecondsOf(change.atime)
    inode.atimeRest = restOf(change.atime)
  }
  if (change.mtime !== undefined) {
    inode.mtimeMs = millisecondsOf(change.mtime)
    inode.mtimeRest = restOf(change.mtime)
    inode.writtenMs = inode.body?.writtenMs
  }
  inode.ctimeMs = Date.now()
}

export function killPrivileges(inode: Inode): void {
  const hasGroupExecute = (inode.mode & 0o010) !== 0
  inode.mode &= hasGroupExecute ? ~0o6000 : ~0o4000
}

/** An access list sets the permission bits; it is kept when it says more than they do. Tags: owner 1, group 4, mask 16, other 32. */
export function setAccessList(inode: Inode, list: Uint8Array): void {
  const view = new DataView(list.buffer, list.byteOffset, list.byteLength)
  const permissions = new Map<number, number>()
  for (let at = 4; at + 8 <= list.length; at += 8) permissions.set(view.getUint16(at, true), view.getUint16(at + 2, true))
  const of = (tag: number): number => permissions.get(tag) ?? 0
  inode.mode = (inode.mode & ~0o777) | (of(1) << 6) | ((permissions.get(16) ?? of(4)) << 3) | of(32)
  if (permissions.size > 3) inode.xattrs.set(accessListName, list)
  else inode.xattrs.delete(accessListName)
}

export const accessListName = 'system.posix_acl_access'

/** Content changed. */
export function touch(inode: Inode): void {
  inode.mtimeMs = Date.now()
  inode.mtimeRest = 0
  inode.ctimeMs = inode.mtimeMs
}

export function attributesOf(inode: Inode): Attributes {
  const size = inode.body?.size ?? inode.target.length
  const writtenMs = inode.body?.writtenMs
  const isSet = writtenMs === undefined || writtenMs === inode.writtenMs
  const mtimeMs = isSet ? inode.mtimeMs : Math.floor(writtenMs)
  return {
    ino: inode.id,
    size,
    blocks: Math.ceil(size / 512),
    atimeSeconds: Math.floor(inode.atimeMs / 1000),
    atimeNanoseconds: nanosecondsOf(inode.atimeMs, inode.atimeRest),
    mtimeSeconds: Math.floor(mtimeMs / 1000),
    mtimeNanoseconds: nanosecondsOf(mtimeMs, isSet ? inode.mtimeRest : 0),
    ctimeSeconds: Math.floor(inode.ctimeMs / 1000),
    ctimeNanoseconds: nanosecondsOf(inode.ctimeMs, 0),
    mode: inode.mode,
    linkCount: inode.linkCount,
    uid: inode.uid,
    gid: inode.gid,
    rdev: inode.rdev,
    blockBytes: 4096,
  }
}

function millisecondsOf(time: TimeChange): number {
  return time === 'now' ? Date.now() : time.seconds * 1000 + Math.floor(time.nanoseconds / 1e6)
}

function restOf(time: TimeChange): number {
  return time === 'now' ? 0 : time.nanoseconds % 1e6
}

function nanosecondsOf(ms: number, rest: number): number {
  return (ms - Math.floor(ms / 1000) * 1000) * 1e6 + rest
}
