/**
 * What is mounted where, from `/proc/self/mountinfo` (proc_pid_mountinfo(5)). Reading it never touches a mount, so a dead one cannot make
 * us wait.
 */
import { readFileSync } from 'node:fs'
import { decodeName } from '../../shared/name.ts'

export interface MountEntry {
  readonly id: number
  /** Minor number of the mount's device; the kernel names FUSE connections by it. */
  readonly deviceMinor: number
  readonly mountPoint: string
  readonly type: string
  readonly source: string
}

export function readMountTable(): MountEntry[] {
  return parseMountTable(readFileSync('/proc/self/mountinfo', 'latin1'))
}

/** `text` has one character a byte. Lines of an unknown form are left out. */
export function parseMountTable(text: string): MountEntry[] {
  const entries: MountEntry[] = []
  for (const line of text.split('\n')) {
    const [before, after] = line.split(' - ')
    const [id, , device, , mountPoint] = (before ?? '').split(' ')
    const [type, source] = (after ?? '').split(' ')
    if (id === undefined || device === undefined || mountPoint === undefined || type === undefined || source === undefined) continue
    entries.push({
      id: Number(id),
      deviceMinor: Number(device.split(':')[1]),
      mountPoint: unescape(mountPoint),
      type,
      source: unescape(source),
    })
  }
  return entries
}

/** The mount that is seen at a path: the last one made there. */
export function findMount(table: readonly MountEntry[], mountPoint: string): MountEntry | undefined {
  return table.findLast((entry) => entry.mountPoint === mountPoint)
}

export function isFuse(entry: MountEntry): boolean {
  return entry.type === 'fuse' || entry.type.startsWith('fuse.')
}

/** Made by edgemount, whichever driver: libfuse writes the subtype into the source where the kernel knows none. */
export function isEdgemount({ type, source }: MountEntry): boolean {
  return type === 'fuse.edgemount' || (type === 'fuse' && source.startsWith('edgemount#'))
}

/** Space, tab, newline and backslash stand as three octal digits. */
function unescape(text: string): string {
  const bytes = text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
  return decodeName(Uint8Array.from(bytes, (character) => character.charCodeAt(0)))
}
