/**
 * What differs between two snapshots of a volume. Directories that are the same on both sides are skipped unread, so the cost is what changed.
 */
import { decodeEntry } from '../format/entry-codec.ts'
import type { Entry, FileId, Pointer } from '../format/entry.ts'
import { idOfInodeKey } from '../format/inode-key.ts'
import { diffTrees } from '../format/tree-diff.ts'
import { decodeName } from '../name.ts'
import { childPath } from '../path.ts'
import { treeRootOf } from './overlay.ts'
import type { Snapshot } from './snapshot.ts'

export interface NameDifference {
  readonly kind: 'name'
  readonly directoryId: FileId
  readonly directoryPath: string
  readonly name: string
  /** As they stand in the directory: of a file with several names only kind and id. Missing where there is none. */
  readonly before?: Entry
  readonly after?: Entry
}

export interface InodeDifference {
  readonly kind: 'inode'
  readonly id: FileId
  readonly before?: Entry
  readonly after?: Entry
}

/** The root directory's own attributes changed. */
export interface RootDifference {
  readonly kind: 'root'
  readonly before: Entry
  readonly after: Entry
}

export type Difference = NameDifference | InodeDifference | RootDifference

export interface DiffOptions {
  readonly signal?: AbortSignal | undefined
  /** Also tells everything below directories that came or went; else such a directory is one difference. */
  readonly isDeep?: boolean | undefined
}

/**
 * Differences from `a` to `b`: a directory's names in byte order, then those of its changed subdirectories; inodes of the inode tree at the end.
 * A directory that is the same one (by id) on both sides is told when its attributes or content changed, and entered; any other is not.
 */
export async function* diffSnapshots(a: Snapshot, b: Snapshot, options: DiffOptions = {}): AsyncGenerator<Difference> {
  const load = (pages: Snapshot['pages']) => (pointer: Pointer) => pages.load(pointer, options.signal)
  const before = a.root.directory
  const after = b.root.directory
  if (!isSameRoot(before, after)) yield { kind: 'root', before, after }
  const pending: { path: string; before: Entry | undefined; after: Entry | undefined }[] = [{ path: '/', before, after }]
  for (let pair = pending.pop(); pair !== undefined; pair = pending.pop()) {
    const { path: directoryPath } = pair
    const directoryId = (pair.after ?? pair.before)!.id
    const children: typeof pending = []
    for await (const difference of diffTrees(treePointerOf(pair.before), treePointerOf(pair.after), loadOf(load, a, b))) {
      const name = decodeName(difference.key)
      const sides = decodeSides(difference)
      yield { kind: 'name', directoryId, directoryPath, name, ...sides }
      const path = childPath(directoryPath, name)
      children.push(...toEnter(path, sides, options.isDeep === true))
    }
    pending.push(...children.toReversed())
  }
  for await (const difference of diffTrees(a.root.inodes, b.root.inodes, loadOf(load, a, b))) {
    yield { kind: 'inode', id: idOfInodeKey(difference.key), ...decodeSides(difference) }
  }
}

interface Sides {
  readonly before?: Entry
  readonly after?: Entry
}

function toEnter(path: string, { before, after }: Sides, isDeep: boolean): { path: string; before: Entry | undefined; after: Entry | undefined }[] {
  const from = before?.kind === 'directory' ? before : undefined
  const to = after?.kind === 'directory' ? after : undefined
  if (from !== undefined && to !== undefined && from.id === to.id) return [{ path, before: from, after: to }]
  if (!isDeep) return []
  const sides = [
    { path, before: from, after: undefined },
    { path, before: undefined, after: to },
  ]
  return sides.filter((side) => side.before !== undefined || side.after !== undefined)
}

function decodeSides(difference: { readonly before?: Uint8Array; readonly after?: Uint8Array }): Sides {
  return {
    ...(difference.before === undefined ? {} : { before: decodeEntry(difference.before) }),
    ...(difference.after === undefined ? {} : { after: decodeEntry(difference.after) }),
  }
}

/** Both sides are one volume's, so either page store has the pages; the newer one's is asked, since its cache is the warm one. */
function loadOf(
  load: (pages: Snapshot['pages']) => (pointer: Pointer) => Promise<Uint8Array>,
  a: Snapshot,
  b: Snapshot,
): (pointer: Pointer) => Promise<Uint8Array> {
  return load(b.seq >= a.seq ? b.pages : a.pages)
}

function treePointerOf(directory: Entry | undefined): Pointer | undefined {
  return directory === undefined ? undefined : treeRootOf(directory).pointer
}

function isSameRoot(a: Entry, b: Entry): boolean {
  return treePointerOf(a)?.hash === treePointerOf(b)?.hash && JSON.stringify(plain(a)) === JSON.stringify(plain(b))
}

function plain(entry: Entry): unknown {
  const { mode, uid, gid, mtime, ctime, atime = mtime } = entry
  return [mode, uid, gid, mtime, ctime, atime, [...entry.xattrs].map(([name, value]) => [name, [...value]])]
}
