/**
 * What a commit of ours did, read back from the log: for the process that finds it there after another one had made it, or after the answer was lost.
 *
 * INVARIANT: a commit changed what differs between it and the one before it, and nothing else. So a content that differs is one that we brought.
 */
import { EdgemountError } from '../../shared/error.ts'
import type { Entry, FileId } from '../../shared/format/entry.ts'
import { diffSnapshots } from '../../shared/volume/diff.ts'
import { isSameBody } from '../../shared/volume/entry-merge.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import type { Commit } from './batch-commit.ts'

export async function whatCommitDid(before: Snapshot, commit: Snapshot, signal: AbortSignal): Promise<Commit> {
  const had = new Map<FileId, Entry>()
  const has = new Map<FileId, Entry>()
  for await (const difference of diffSnapshots(before, commit, { signal, isDeep: true })) {
    if (difference.before !== undefined) await note(had, difference.before, before, signal)
    if (difference.after !== undefined) await note(has, difference.after, commit, signal)
  }
  const contents = [...has.values()].filter((entry) => {
    const old = had.get(entry.id)
    return entry.kind === 'file' && (old === undefined || !isSameBody(old, entry))
  })
  return {
    seq: commit.seq,
    nodes: Array.from(has, ([id, entry]) => ({ id, entry })),
    contents: contents.map(({ id, mtime }) => ({ id, mtime })),
    conflicts: [],
    merged: [],
  }
}

/** Whole, also of a file with several names. */
async function note(entries: Map<FileId, Entry>, entry: Entry, snapshot: Snapshot, signal: AbortSignal): Promise<void> {
  const { id, content } = entry
  if (content.kind !== 'link') {
    entries.set(id, entry)
    return
  }
  if (entries.has(id)) return
  const inode = await snapshot.inode(id, { signal })
  if (inode === undefined) throw new EdgemountError('corrupt', `Cannot read commit ${snapshot.seq}: inode ${id} is missing`)
  entries.set(id, inode)
}
