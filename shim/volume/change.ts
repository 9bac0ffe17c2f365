/**
 * What changed between two snapshots, as the file system wants it: names with their new entries, bounded.
 */
import { encodeEntry, encodeRoot } from '../../shared/format/entry-codec.ts'
import { diffSnapshots } from '../../shared/volume/diff.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import type { Change, ChangedName } from '../fs/backend.ts'

/** More than this is cheaper to forget and look up again: about 3 MB of entries, and as many notifications to the kernel. */
export const changedNamesMax = 20_000

export async function changeBetween(before: Snapshot, after: Snapshot, signal?: AbortSignal): Promise<Change> {
  const names: ChangedName[] = []
  const inodes: { id: number; entry: Uint8Array | undefined }[] = []
  const head = { seq: after.seq, nonce: after.record.nonce, root: encodeRoot(after.root) }
  for await (const difference of diffSnapshots(before, after, { signal })) {
    if (names.length + inodes.length >= changedNamesMax) return { ...head, names: undefined, inodes: [] }
    const entry = difference.after === undefined ? undefined : encodeEntry(difference.after)
    if (difference.kind === 'name') {
      const { directoryId, name } = difference
      names.push({ directoryId, name, entry, beforeId: difference.before?.id, wasDirectory: difference.before?.kind === 'directory' })
    } else if (difference.kind === 'inode') {
      inodes.push({ id: difference.id, entry })
    }
  }
  return { ...head, names, inodes }
}
