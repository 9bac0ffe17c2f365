/**
 * The operations that carry a local entry into the volume. They are committed on the snapshot that was compared with, so what somebody else changes
 * meanwhile is a conflict, and both versions are kept.
 */
import { equalBytes } from '../../shared/bytes.ts'
import type { Content, Entry } from '../../shared/format/entry.ts'
import type { ChosenAttributes, Operation } from '../../shared/volume/operation.ts'
import type { LocalEntry } from './local-entry.ts'

export interface Body {
  readonly content: Content
  readonly size: number
}

/** Makes the entry, in place of what is there (never a directory). `body` for files only. */
export function making(local: LocalEntry, path: string, isThere: boolean, body?: Body): Operation {
  const made = { path, replace: isThere, ...attributesOf(local) }
  switch (local.kind) {
    case 'file':
      return { op: 'create', ...made, content: body?.content, size: body?.size }
    case 'directory':
      return { op: 'mkdir', path, ...attributesOf(local) }
    case 'symlink':
      return { op: 'symlink', target: local.target ?? '', ...made }
    default:
      return { op: 'mknod', kind: local.kind, major: local.major, minor: local.minor, ...made }
  }
}

/** Takes away what is in the way of another kind of entry, or what is to be deleted. */
export function removing(existing: Entry, path: string): Operation {
  return existing.kind === 'directory' ? { op: 'rmdir', path, recursive: true } : { op: 'unlink', path }
}

/** Gives an entry that stays the local one's attributes: only those that differ. */
export function adjusting(local: LocalEntry, path: string, existing: Entry): Operation[] {
  const operations: Operation[] = []
  for (const [name, value] of local.xattrs) {
    const old = existing.xattrs.get(name)
    if (old === undefined || !equalBytes(old, value)) operations.push({ op: 'setxattr', path, name, value })
  }
  for (const name of existing.xattrs.keys()) {
    if (!local.xattrs.has(name)) operations.push({ op: 'setxattr', path, name })
  }
  operations.push({ op: 'setattr', path, mode: local.mode, uid: local.uid, gid: local.gid, mtime: local.mtime })
  return operations
}

/** A directory's own time, set last: whatever was done to its names has moved it. */
export function timing(local: LocalEntry, path: string): Operation {
  return { op: 'setattr', path, mtime: local.mtime }
}

function attributesOf(local: LocalEntry): ChosenAttributes {
  return { mode: local.mode, uid: local.uid, gid: local.gid, mtime: local.mtime, xattrs: local.xattrs }
}
