/**
 * The tags (etags) of a directory store, and why equal tags mean equal bytes.
 *
 * A small object's tag is the hash of its bytes, so this holds by itself; the objects that are replaced in place (leases, the head) are small.
 * A large object's tag is its inode, size and time of modification. Its bytes never change in place: each version is written to a new file.
 * Two versions of a key could share an inode only when the older was freed before the newer was made, and they then differ in time, because
 * a replacement always gets a later time than the file it replaces (`laterThan`). What remains is a large key deleted and created again within one tick of
 * the kernel's clock, with the same size, on the same inode: keys of large objects are packs, whose random ids are never used twice.
 */
import { createHash } from 'node:crypto'
import type { FileStat } from './disk.ts'

/** Objects up to this size are read whole at once, and tagged by content. */
export const smallBytesMax = 65_536

export function tagOfBytes(bytes: Uint8Array): string {
  return `c${createHash('sha256').update(bytes).digest('hex').slice(0, 40)}`
}

export function tagOfFile(stat: FileStat): string {
  return `f${stat.inode.toString(16)}-${stat.size.toString(16)}-${stat.modifiedNs.toString(16)}`
}

/** The time that a replacement of `old` must get, when its own is not later. Files store whole microseconds for us. */
export function laterThan(old: FileStat, replacement: FileStat): bigint | undefined {
  return replacement.modifiedNs > old.modifiedNs ? undefined : (old.modifiedNs / 1000n + 2n) * 1000n
}

export function toHexDigits(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
