/**
 * What makes a copy of a file or tree, as operations of one commit. Within a volume the copy shares every chunk with the original; into another one
 * bytes are read and stored.
 */
import { EdgemountError } from '../../shared/error.ts'
import type { Entry } from '../../shared/format/entry.ts'
import type { ContentWriter } from '../../shared/volume/content-writer.ts'
import type { ChosenAttributes, Operation } from '../../shared/volume/operation.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'

export interface CopyParts {
  readonly snapshot: Snapshot
  readonly from: string
  readonly to: string
  /** Of the volume that the copy goes to. */
  readonly writer: ContentWriter
  readonly isSameVolume: boolean
  /** Makes missing directories on the way. */
  readonly makesParents: boolean
  readonly signal: AbortSignal
  /** Called with each entry as it is copied. */
  copied(entry: Entry): void
}

/** One commit holds no more than this in memory: about 1 GB. */
const operationsMax = 1_000_000

export async function copyOperations(parts: CopyParts): Promise<Operation[]> {
  const operations: Operation[] = []
  /** Where a file with several names was copied to first. */
  const linked = new Map<number, string>()
  for await (const { path, entry } of parts.snapshot.walk(parts.from, { signal: parts.signal })) {
    const target = path === parts.from ? parts.to : parts.to + path.slice(parts.from === '/' ? 0 : parts.from.length)
    const first = linked.get(entry.id)
    if (first !== undefined) {
      operations.push({ op: 'link', path: first, to: target })
    } else {
      if (entry.linkCount > 1 && entry.kind !== 'directory') linked.set(entry.id, target)
      operations.push(await makingOf(parts, path, entry, target, operations.length === 0))
    }
    parts.copied(entry)
    if (operations.length > operationsMax) {
      throw new EdgemountError('exhausted', `Cannot copy "${parts.from}" in one commit: it has more than ${operationsMax} files and directories; copy its parts`)
    }
  }
  return operations
}

async function makingOf(parts: CopyParts, path: string, entry: Entry, target: string, isTop: boolean): Promise<Operation> {
  const { mode, uid, gid, mtime, atime, xattrs, content, size } = entry
  const attributes: ChosenAttributes = { mode, uid, gid, mtime, atime, xattrs }
  const aimed = { path: target, ...attributes, ...(isTop ? { parents: parts.makesParents, replace: entry.kind !== 'directory' } : {}) }
  switch (content.kind) {
    case 'tree':
      return { op: 'mkdir', ...aimed, parents: isTop && parts.makesParents }
    case 'target':
      return { op: 'symlink', ...aimed, target: content.target }
    case 'device':
      return { op: 'mknod', ...aimed, kind: entry.kind === 'block-device' ? 'block-device' : 'character-device', major: content.major, minor: content.minor }
    case 'none':
      return { op: 'mknod', ...aimed, kind: entry.kind === 'socket' ? 'socket' : 'fifo' }
    case 'inline':
      return { op: 'create', ...aimed, content, size }
    case 'manifest': {
      if (parts.isSameVolume) return { op: 'create', ...aimed, content, size }
      const written = await parts.writer.write(parts.snapshot.read(entry, undefined, { label: path, signal: parts.signal }), { signal: parts.signal })
      return { op: 'create', ...aimed, content: written.content, size: written.size }
    }
    default:
      throw new EdgemountError('internal', `Cannot copy "${path}": its inode was not looked up`)
  }
}
