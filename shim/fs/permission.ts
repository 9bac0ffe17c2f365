/** What the permission bits of a file let a caller do, for drivers whose kernel does not look itself. Pure. */
import type { Attributes, Caller } from '../fuse/handler.ts'

/** access(2) for a caller with one group, as drivers know them. */
export function mayAccess(attributes: Attributes, mask: number, caller: Caller): boolean {
  const { mode } = attributes
  if (caller.uid === 0) return (mask & 1) === 0 || (mode & 0o170000) === 0o040000 || (mode & 0o111) !== 0
  const shift = caller.uid === attributes.uid ? 6 : caller.gid === attributes.gid ? 3 : 0
  return ((mode >> shift) & mask & 7) === (mask & 7)
}
