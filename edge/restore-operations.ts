/**
 * What brings a path back as an older commit had it, as operations of one commit: the stored chunks are named again, no byte moves. Called by the route `restore`.
 *
 * What stands there now and did not then stays: nothing is removed. Where a directory stands in the way of a file, or a file in the way of a directory, nothing is done at all.
 */
import { equalBytes } from '../shared/bytes.ts'
import { EdgemountError } from '../shared/error.ts'
import { contentVersionOf, encodeEntry } from '../shared/format/entry-codec.ts'
import type { Entry } from '../shared/format/entry.ts'
import type { Expectation, Operation } from '../shared/volume/operation.ts'
import { entryAt } from '../shared/volume/path-diff.ts'
import type { Snapshot } from '../shared/volume/snapshot.ts'

export interface RestoreParts {
  readonly past: Snapshot
  readonly from: string
  readonly now: Snapshot
  readonly to: string
  /** Of what stands at `to`. */
  readonly expected: Expectation | undefined
  /** What is below a directory at `to` is replaced only as it stands in `now`, up to the commit. */
  readonly isAsSeen: boolean
  readonly signal: AbortSignal
}

/** Each is looked up in both trees while somebody waits. */
const entriesMax = 10_000

export async function restoreOperations({ past, from, now, to, expected, isAsSeen, signal }: RestoreParts): Promise<readonly Operation[]> {
  const operations: Operation[] = []
  let count = 0
  for await (const { path, entry } of past.walk(from, { signal })) {
    count += 1
    if (count > entriesMax) throw new EdgemountError('exhausted', `Cannot bring "${from}" back in one request: it has more than ${entriesMax} files and directories; bring its parts back, or use edgemount cp -R`)
    const isTop = path === from
    const target = isTop ? to : (to === '/' ? '' : to) + path.slice(from === '/' ? 0 : from.length)
    const current = await entryAt(now, target, signal)
    if (current !== undefined && (current.kind === 'directory') !== (entry.kind === 'directory')) {
      throw new EdgemountError('conflict', `Cannot bring "${path}" back: at "${target}" is a ${current.kind} now, and it was a ${entry.kind}; choose another place`)
    }
    if (entry.kind === 'directory' ? current !== undefined : current !== undefined && isSame(current, entry)) continue
    operations.push(makingOf(entry, { path: target, parents: isTop, replace: entry.kind !== 'directory', expected: isTop ? expected : isAsSeen ? await seenAs(current) : undefined }))
  }
  return operations
}

async function seenAs(current: Entry | undefined): Promise<Expectation> {
  return current === undefined ? 'absent' : { id: current.id, version: await contentVersionOf(current) }
}

/** Bytes, attributes and all. */
function isSame(a: Entry, b: Entry): boolean {
  const { id, ctime, linkCount } = a
  return equalBytes(encodeEntry(a), encodeEntry({ ...b, id, ctime, linkCount }))
}

type Aim = Pick<Extract<Operation, { op: 'create' }>, 'path' | 'parents' | 'replace' | 'expected'>

/** A file that had several names comes back with one. */
function makingOf({ kind, mode, uid, gid, mtime, atime, xattrs, content, size }: Entry, aim: Aim): Operation {
  const aimed = { ...aim, mode, uid, gid, mtime, atime, xattrs }
  switch (content.kind) {
    case 'tree':
      return { op: 'mkdir', ...aimed }
    case 'target':
      return { op: 'symlink', ...aimed, target: content.target }
    case 'device':
      return { op: 'mknod', ...aimed, kind: kind === 'block-device' ? 'block-device' : 'character-device', major: content.major, minor: content.minor }
    case 'none':
      return { op: 'mknod', ...aimed, kind: kind === 'socket' ? 'socket' : 'fifo' }
    case 'inline':
    case 'manifest':
      return { op: 'create', ...aimed, content, size }
    default:
      throw new EdgemountError('internal', `Cannot bring "${aim.path}" back: its inode was not looked up`)
  }
}
