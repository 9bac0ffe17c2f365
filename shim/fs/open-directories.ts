/**
 * The directories that are open, by the handle that the kernel has of each. The handler's `opendir`, `readdir` and `releasedir` are these, as steps that may lack a
 * page.
 */
import { errno } from '../../shared/errno.ts'
import { type Missing, isMissing } from '../../shared/format/page.ts'
import type { DirectorySink, OpenReply } from '../fuse/handler.ts'
import type { LocalChanges } from '../changes/local-changes.ts'
import { DirectoryHandle } from './directory-handle.ts'
import { type Row, rowFlag } from './inode-table.ts'
import type { Replies } from './replies.ts'
import type { VolumeTree } from './volume-tree.ts'

export class OpenDirectories {
  readonly #tree: VolumeTree
  readonly #changes: LocalChanges | undefined
  readonly #replies: Replies
  readonly #handles = new Map<number, DirectoryHandle>()
  #lastHandle = 0
  readonly #reply: OpenReply = { handle: 0, keepCache: true, directIo: false, cacheDirectory: true, noFlush: true, backingId: 0 }

  constructor(tree: VolumeTree, changes: LocalChanges | undefined, replies: Replies) {
    this.#tree = tree
    this.#changes = changes
    this.#replies = replies
  }

  open(row: Row): OpenReply | number | Missing {
    const root = this.#tree.directoryRoot(row)
    if (typeof root === 'number' || isMissing(root)) return root
    this.#lastHandle += 1
    this.#handles.set(this.#lastHandle, new DirectoryHandle(row, this.#tree, this.#changes, this.#replies))
    this.#reply.handle = this.#lastHandle
    // Offsets count the names of one listing; the kernel would read the rest of another by them when names changed meanwhile.
    this.#reply.cacheDirectory = (this.#tree.table.flags[row]! & rowFlag.isLocal) === 0
    return this.#reply
  }

  /** The step that reads, to be run until nothing is lacking; -EIO for a handle that is none. */
  reading(handle: number, offset: number, sink: DirectorySink): (() => undefined | number | Missing) | number {
    const directory = this.#handles.get(handle)
    if (directory === undefined) return -errno.EIO
    let isFirst = true
    return () => {
      // The driver asks again, with a fresh sink, once the page is here.
      if (!isFirst) return undefined
      const outcome = directory.read(offset, sink)
      isFirst = false
      return outcome
    }
  }

  close(handle: number): void {
    this.#handles.delete(handle)
  }

  closeAll(): void {
    this.#handles.clear()
  }
}
