/**
 * What must happen so that a name in the volume becomes what it is in the folder: pure comparisons of a local entry with the one that is there.
 */
import { equalBytes } from '../../shared/bytes.ts'
import type { Entry, Time } from '../../shared/format/entry.ts'
import type { Xattrs } from '../sys/xattr.ts'
import type { LocalEntry } from './local-entry.ts'

/**
 * `keep`: nothing. `attributes`: mode, owner, time or extended attributes only. `read`: a file whose content may have changed. `make`: nothing is
 * there, or something that is simply replaced. `clear`: a directory gives way to something else, or the other way round.
 */
export type Decision = 'keep' | 'attributes' | 'read' | 'make' | 'clear'

export function decide(local: LocalEntry, existing: Entry | undefined, isChecksum: boolean): Decision {
  if (existing === undefined) return local.kind === 'file' ? 'read' : 'make'
  if (existing.kind !== local.kind) {
    if (existing.kind === 'directory' || local.kind === 'directory') return 'clear'
    return local.kind === 'file' ? 'read' : 'make'
  }
  if (local.kind === 'file' && (isChecksum || existing.size !== local.size || !isSameTime(existing.mtime, local.mtime))) return 'read'
  if (local.kind === 'symlink' && !(existing.content.kind === 'target' && existing.content.target === local.target)) return 'make'
  if (existing.content.kind === 'device' && (existing.content.major !== local.major || existing.content.minor !== local.minor)) return 'make'
  return hasSameAttributes(local, existing) ? 'keep' : 'attributes'
}

/** Everything but content. */
export function hasSameAttributes(local: LocalEntry, existing: Entry): boolean {
  return (
    local.mode === existing.mode &&
    local.uid === existing.uid &&
    local.gid === existing.gid &&
    isSameTime(local.mtime, existing.mtime) &&
    isSameXattrs(local.xattrs, existing.xattrs)
  )
}

export function isSameTime(a: Time, b: Time): boolean {
  return a.seconds === b.seconds && a.nanoseconds === b.nanoseconds
}

function isSameXattrs(a: Xattrs, b: Xattrs): boolean {
  if (a.size !== b.size) return false
  for (const [name, value] of a) {
    const other = b.get(name)
    if (other === undefined || !equalBytes(value, other)) return false
  }
  return true
}
