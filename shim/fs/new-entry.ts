/**
 * The entry of something that is made: owner, mode and access list as Linux gives them (inode_init_owner, posix_acl_create). Pure; called by `namespace.ts`.
 */
import type { Content, Entry, FileId, FileKind, Time } from '../../shared/format/entry.ts'
import type { Caller, NewNode } from '../fuse/handler.ts'
import { accessAclName, decodeAcl, defaultAclName, encodeAcl, inherited } from './acl.ts'

export const setUserIdBit = 0o4000
export const setGroupIdBit = 0o2000
export const groupExecuteBit = 0o010

const noXattrs: ReadonlyMap<string, Uint8Array> = new Map()
const emptyBody: Content = { kind: 'inline', bytes: new Uint8Array(0) }
const emptyTree: Content = { kind: 'tree', root: { pointer: undefined, entryCount: 0, directoryCount: 0 } }

export interface Birth {
  readonly id: FileId
  readonly kind: FileKind
  /** Of the directory it is made in. */
  readonly parent: Entry
  readonly node: NewNode
  readonly caller: Caller
  readonly now: Time
  /** Of symlinks: what they lead to. */
  readonly target?: string | undefined
  /** Of symlinks: bytes of the target. */
  readonly size?: number | undefined
}

export function newEntry({ id, kind, parent, node, caller, now, target, size = 0 }: Birth): Entry {
  const { mode, xattrs } = kind === 'symlink' ? { mode: 0o777, xattrs: noXattrs } : modeOf(kind, parent, node)
  const isGroupInherited = (parent.mode & setGroupIdBit) !== 0
  return {
    kind,
    id,
    // The bit is passed on to directories; the kernel has taken it from files that their maker may not give to the group (mode_strip_sgid).
    mode: isGroupInherited && kind === 'directory' ? mode | setGroupIdBit : mode,
    uid: caller.uid,
    gid: isGroupInherited ? parent.gid : caller.gid,
    mtime: now,
    ctime: now,
    size,
    linkCount: 1,
    xattrs,
    content: contentOf(kind, node.rdev, target),
  }
}

/** The kinds that mknod(2) makes, by their type bits; undefined for others. */
export function kindOfMode(mode: number): FileKind | undefined {
  return kindsOfType.get(mode & 0o170000)
}

const kindsOfType: ReadonlyMap<number, FileKind> = new Map([
  [0, 'file'],
  [0o100000, 'file'],
  [0o010000, 'fifo'],
  [0o140000, 'socket'],
  [0o020000, 'character-device'],
  [0o060000, 'block-device'],
])

/** A directory's default list takes the place of the umask, and goes on to directories below. */
function modeOf(kind: FileKind, parent: Entry, node: NewNode): { readonly mode: number; readonly xattrs: ReadonlyMap<string, Uint8Array> } {
  const bits = node.mode & 0o7777
  const defaults = parent.xattrs.get(defaultAclName)
  const acl = defaults === undefined ? undefined : decodeAcl(defaults)
  if (defaults === undefined || acl === undefined) return { mode: bits & ~node.umask, xattrs: noXattrs }
  const got = inherited(acl, bits)
  const xattrs = new Map<string, Uint8Array>()
  if (got.acl !== undefined) xattrs.set(accessAclName, encodeAcl(got.acl))
  if (kind === 'directory') xattrs.set(defaultAclName, defaults)
  return { mode: got.mode, xattrs }
}

/** Device numbers as the kernel packs them (linux/kdev_t.h, new_decode_dev). */
function contentOf(kind: FileKind, rdev: number, target: string | undefined): Content {
  if (kind === 'directory') return emptyTree
  if (kind === 'file') return emptyBody
  if (kind === 'symlink') return { kind: 'target', target: target ?? '' }
  if (kind === 'fifo' || kind === 'socket') return { kind: 'none' }
  return { kind: 'device', major: (rdev >>> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00) }
}
