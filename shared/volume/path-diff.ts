/**
 * What differs between two snapshots at and below one path, name by name in the order of paths, so that who shows it can stop anywhere and go on from there. Called by the
 * edge's `diff`; `diff.ts` tells the same by ids, for mounts.
 *
 * Directories that are the same on both sides are skipped unread, so the cost is what changed. A file with several names is told where a name came or went; that its
 * content is another one stands in the inode tree alone, which knows no names.
 */
import { equalBytes } from '../bytes.ts'
import { EdgemountError, codeOf } from '../error.ts'
import { decodeEntry, encodeEntry } from '../format/entry-codec.ts'
import type { Entry, Pointer } from '../format/entry.ts'
import { type TreeDifference, diffTrees } from '../format/tree-diff.ts'
import { compareBytes, decodeName, encodeName } from '../name.ts'
import { childPath, splitPath } from '../path.ts'
import { areSameXattrs } from './entry-merge.ts'
import { treeRootOf } from './overlay.ts'
import type { SnapshotNames } from './snapshot-names.ts'

/** Whole entries; a missing side means that there was nothing. */
export interface PathDifference {
  readonly path: string
  readonly before: Entry | undefined
  readonly after: Entry | undefined
}

export interface PathDiffRequest {
  /** Canonical; what is at it and below. */
  readonly path: string
  /** Only what comes after this path, which is below the other. */
  readonly after?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** A directory that is looked at. */
interface Level {
  readonly path: string
  readonly differences: AsyncGenerator<TreeDifference>
  /** Where to go on: the names from here to it. */
  readonly from: readonly string[] | undefined
}

/** Throws `not-found` when neither has the path. */
export async function* diffPaths(a: SnapshotNames, b: SnapshotNames, { path: top, after, signal }: PathDiffRequest): AsyncGenerator<PathDifference> {
  const { pages } = b.seq >= a.seq ? b : a
  const load = (pointer: Pointer): Promise<Uint8Array> => pages.load(pointer, signal)
  const levelOf = (path: string, before: Entry | undefined, now: Entry | undefined, from: Level['from']): Level => {
    return { path, differences: diffTrees(treeOf(before), treeOf(now), load), from }
  }
  const sides = { before: await entryAt(a, top, signal), after: await entryAt(b, top, signal) }
  if (sides.before === undefined && sides.after === undefined) throw new EdgemountError('not-found', `Cannot compare "${top}": neither commit has it`)
  if (after === undefined && differ(sides.before, sides.after)) yield { path: top, ...sides }
  const open = [levelOf(top, sides.before, sides.after, after === undefined ? undefined : splitPath(after).slice(splitPath(top).length))]
  for (let level = open.at(-1); level !== undefined; level = open.at(-1)) {
    const next = await level.differences.next()
    if (next.done === true) {
      open.pop()
      continue
    }
    const { key } = next.value
    const order = level.from?.[0] === undefined ? 1 : compareBytes(key, encodeName(level.from[0]))
    if (order < 0) continue
    const path = childPath(level.path, decodeName(key))
    const before = await wholeEntry(a, next.value.before, signal)
    const now = await wholeEntry(b, next.value.after, signal)
    if (order > 0 && differ(before, now)) yield { path, before, after: now }
    if (before?.kind !== 'directory' && now?.kind !== 'directory') continue
    const rest = order === 0 ? level.from?.slice(1) : undefined
    open.push(levelOf(path, before, now, rest?.length === 0 ? undefined : rest))
  }
}

/** Of a directory on both sides what is in it is told by itself. */
function differ(before: Entry | undefined, after: Entry | undefined): boolean {
  if (before === undefined || after === undefined) return before !== after
  if (before.kind !== 'directory' || after.kind !== 'directory') return !isSameFile(before, after)
  if (treeOf(before)?.hash === treeOf(after)?.hash) return !isSameFile(before, after)
  return before.mode !== after.mode || before.uid !== after.uid || before.gid !== after.gid || !areSameXattrs(before.xattrs, after.xattrs)
}

function isSameFile(before: Entry, after: Entry): boolean {
  return before === after || equalBytes(encodeEntry(before), encodeEntry(after))
}

async function wholeEntry(snapshot: SnapshotNames, bytes: Uint8Array | undefined, signal: AbortSignal | undefined): Promise<Entry | undefined> {
  if (bytes === undefined) return undefined
  const entry = decodeEntry(bytes)
  return entry.content.kind === 'link' ? ((await snapshot.inode(entry.id, { signal })) ?? entry) : entry
}

/** What stands at a path, symlinks not followed; undefined when nothing does. */
export async function entryAt(snapshot: SnapshotNames, path: string, signal: AbortSignal | undefined): Promise<Entry | undefined> {
  try {
    return await snapshot.resolve(path, { signal })
  } catch (error) {
    if (codeOf(error) === 'not-found') return undefined
    throw error
  }
}

function treeOf(entry: Entry | undefined): Pointer | undefined {
  return entry?.kind === 'directory' ? treeRootOf(entry).pointer : undefined
}
