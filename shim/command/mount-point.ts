/** Mount points as people name them, found without ever touching what is mounted there: a dead mount would keep us waiting. */
import { realpath } from 'node:fs/promises'
import path from 'node:path'
import { findMount, isFuse, type MountEntry, readMountTable } from '../fuse/mount-table.ts'

export interface FoundMount {
  readonly directory: string
  /** Undefined when no FUSE file system is mounted there. */
  readonly mounted: MountEntry | undefined
}

export async function findMountPoint(text: string): Promise<FoundMount> {
  const table = readMountTable()
  const plain = path.resolve(text)
  for (const candidate of [plain, path.join(await realpath(path.dirname(plain)).catch(() => path.dirname(plain)), path.basename(plain))]) {
    const mounted = findMount(table, candidate)
    if (mounted !== undefined && isFuse(mounted)) return { directory: candidate, mounted }
  }
  const real = await realpath(plain).catch(() => plain)
  const mounted = findMount(table, real)
  return { directory: real, mounted: mounted !== undefined && isFuse(mounted) ? mounted : undefined }
}
