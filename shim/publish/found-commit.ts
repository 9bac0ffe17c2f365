/**
 * What a commit of ours did, read back from the log: for the process that finds it there after another one had made it, or after the answer was lost.
 *
 * INVARIANT: a commit changed what differs between it and the one before it, and nothing else. So a content that differs is one that we brought.
 */
import { EdgemountError, codeOf } from '../../shared/error.ts'
import { type CommitOperation, decodeOperations } from '../../shared/format/commit-operation.ts'
import type { Entry, FileId } from '../../shared/format/entry.ts'
import { parentPath } from '../../shared/path.ts'
import type { ChangeConflict } from '../../shared/volume/change-set.ts'
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
    conflicts: await conflictsOf(commit, signal),
    merged: [],
  }
}

/**
 * As the record tells them, which says by its new id alone what was kept. Where that is a copy, the id at its path is the one it was made from; where it
 * is the file itself, whoever made the batch knows the id.
 */
async function conflictsOf(commit: Snapshot, signal: AbortSignal): Promise<ChangeConflict[]> {
  const conflicts: ChangeConflict[] = []
  for (const { op, path, to: keptAs, id: keptId } of await operationsOf(commit, signal)) {
    if (op !== 'conflict' || keptAs === undefined || keptId === undefined) continue
    const directory = await find(commit, parentPath(keptAs), signal)
    const there = await find(commit, path, signal)
    if (directory !== undefined) conflicts.push({ path, keptAs, keptIn: directory.id, id: there?.id ?? keptId, keptId })
  }
  return conflicts
}

async function find(commit: Snapshot, path: string | undefined, signal: AbortSignal): Promise<Entry | undefined> {
  if (path === undefined) return undefined
  try {
    return await commit.resolve(path, { signal })
  } catch (error) {
    if (codeOf(error) === 'not-found') return undefined
    throw error
  }
}

async function operationsOf({ record, pages }: Snapshot, signal: AbortSignal): Promise<readonly CommitOperation[]> {
  const operations = [...record.operations]
  for (const pointer of record.operationPages ?? []) operations.push(...decodeOperations(await pages.load(pointer, signal)))
  return operations
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
