/**
 * What programs do with the bytes of open files, but for reading: writing, allocating, copying, syncing.
 *
 * Obeys `FileData` for `volume-writer.ts`. Files whose every byte is in one backing file are written by the kernel itself, without coming here (see
 * `open-files.ts`); their sizes and times are looked up where they are asked for.
 */
import { errno } from '../../shared/errno.ts'
import type { Entry } from '../../shared/format/entry.ts'
import { type Missing, isMissing } from '../../shared/format/page.ts'
import type { LocalBody } from '../bodies/local-body.ts'
import type { LocalChanges } from '../changes/local-changes.ts'
import { type Answer, Deferred, type FilePlace, type NodeId, type WriteContext } from '../fuse/handler.ts'
import { hasPrivileges, withoutPrivileges } from './attribute-changes.ts'
import type { Attempts } from './attempt.ts'
import { EditDraft } from './edit-draft.ts'
import type { FileData } from './file-data.ts'
import type { Row } from './inode-table.ts'
import type { OpenFiles } from './open-files.ts'
import { type VolumeTree, idOf } from './volume-tree.ts'
import { waitOn } from './waiting.ts'

/** One call holds the thread; 64 MiB take some 30 ms. */
const bytesPerCopy = 64 * 1024 * 1024

export interface DataParts {
  readonly tree: VolumeTree
  readonly changes: LocalChanges
  readonly files: OpenFiles
  readonly attempts: Attempts
}

export class DataOperations implements FileData {
  readonly #parts: DataParts

  constructor(parts: DataParts) {
    this.#parts = parts
  }

  write(nodeId: NodeId, handle: number, offset: number, bytes: Uint8Array, context: WriteContext): Answer<{ readonly written: number }> {
    const { files, changes } = this.#parts
    const body = files.bodyOf(handle)
    if (body === undefined || (!files.isWriting(handle) && !context.isFromCache)) return -errno.EBADF
    const safe = context.killsPrivileges ? this.#withoutPrivileges(nodeId, context) : 0
    if (safe < 0) return safe
    const wasPartial = !body.isWhole
    const written = context.isFromCache ? writeKeepingTime(body, offset, bytes) : body.write(offset, bytes)
    if (written < 0) return written
    const noted = changes.noteWritten(idOf(this.#parts.tree.table, nodeId), offset, offset + written, wasPartial)
    return noted < 0 ? noted : { written }
  }

  fsync(_nodeId: NodeId, handle: number, _isDataOnly: boolean): Answer<undefined> {
    const body = this.#parts.files.bodyOf(handle)
    const deferred = new Deferred<undefined>()
    // A local disk is waited for, signals or not: programs take any failure of fsync for lost data (PostgreSQL ends).
    deferred.onInterrupt = waitOn
    this.#parts.changes.sync(body === undefined ? [] : [body], (result) => deferred.settle(result < 0 ? result : undefined))
    return deferred
  }

  fallocate(nodeId: NodeId, handle: number, offset: number, length: number, mode: number): Answer<undefined> {
    const body = this.#parts.files.bodyOf(handle)
    if (body === undefined || !this.#parts.files.isWriting(handle)) return -errno.EBADF
    const result = body.fallocate(mode, offset, length)
    if (result < 0) return result
    return this.#parts.attempts.run<undefined>('allocate in', () => this.#parts.tree.pathOf(nodeId), () => this.#noteChanged(nodeId, body))
  }

  /**
   * Between two files whose bytes are all on this machine the kernel copies them from one backing file to the other, by reference where the disk can. A file that is
   * copied whole into an empty one shares its published content, and not a byte moves, unless the kernel has the empty file's backing file
   * itself. Anything else is EOPNOTSUPP: the kernel reads and writes.
   */
  copyFileRange(from: FilePlace, to: FilePlace, length: number, flags: number): Answer<{ readonly copied: number }> {
    if (flags !== 0) return -errno.EINVAL
    const { files, changes } = this.#parts
    const target = files.bodyOf(to.handle)
    if (target === undefined || !files.isWriting(to.handle)) return -errno.EBADF
    const size = files.sizeOf(from.handle)
    if (size < 0) return size
    const end = Math.min(size, from.offset + Math.min(length, bytesPerCopy))
    if (end <= from.offset) return { copied: 0 }
    const fd = files.fdOf(from.handle, from.offset, end)
    if (fd < 0) return this.#copyByReference(from, to, target, Math.min(size, from.offset + length))
    const wasPartial = !target.isWhole
    const copied = target.copyFrom(fd, from.offset, to.offset, end - from.offset)
    if (copied < 0) return copied
    const noted = changes.noteWritten(idOf(this.#parts.tree.table, to.nodeId), to.offset, to.offset + copied, wasPartial)
    if (noted < 0) return noted
    // Holes may have come along.
    const changed = target.isWhole ? undefined : this.#noteChanged(to.nodeId, target)
    return changed === undefined ? { copied } : typeof changed === 'number' ? changed : -errno.EIO
  }

  #copyByReference(from: FilePlace, to: FilePlace, target: LocalBody, end: number): Answer<{ readonly copied: number }> {
    const { files } = this.#parts
    const { id, size, content } = files.entryOf(from.handle)!
    const isShareable = content.kind === 'manifest' && files.bodyOf(from.handle) === undefined && from.offset === to.offset && !files.isPassthrough(to.handle)
    if (!isShareable) return -errno.EOPNOTSUPP
    const stat = target.fstat()
    if (typeof stat === 'number') return stat
    if (stat.size !== to.offset) return -errno.EOPNOTSUPP
    const result = target.appendBase({ fileId: id, root: content.root, size }, end)
    if (result < 0) return result
    const noted = this.#noteChanged(to.nodeId, target)
    return noted === undefined ? { copied: end - from.offset } : typeof noted === 'number' ? noted : -errno.EIO
  }

  #record(row: Row, entry: Entry, body: LocalBody): number {
    return new EditDraft(this.#parts.tree, this.#parts.changes).inPlace(row, entry, entry, body).commit()
  }

  /** What is local of a body changed, or only its size and times. */
  #noteChanged(row: Row, body: LocalBody): undefined | number | Missing {
    const entry = this.#parts.tree.entryOf(row)
    if (typeof entry === 'number' || isMissing(entry)) return entry
    const result = this.#record(row, entry, body)
    if (result === 0) return undefined
    this.#parts.changes.noteUnrecorded(entry.id)
    return result
  }

  #withoutPrivileges(row: Row, { caller }: WriteContext): number {
    const { changes } = this.#parts
    const node = changes.node(idOf(this.#parts.tree.table, row))
    if (node?.body === undefined || !hasPrivileges(node.entry)) return 0
    return this.#record(row, withoutPrivileges(node.entry, caller), node.body)
  }
}

/** The kernel wrote it down late: when the file was changed it has noted itself, and says so when that is news. */
function writeKeepingTime(body: LocalBody, offset: number, bytes: Uint8Array): number {
  const before = body.fstat()
  const written = body.write(offset, bytes)
  if (written < 0 || typeof before === 'number') return written
  const kept = body.setMtime({ seconds: before.mtimeSeconds, nanoseconds: before.mtimeNanoseconds })
  return kept < 0 ? kept : written
}
