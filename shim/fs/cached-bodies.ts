/**
 * Published bodies through the cache: the bridge from open files and local bodies to `shim/cache/` and `shim/fetch/`.
 */
import { encodeManifestRoot } from '../../shared/format/content-codec.ts'
import type { Entry } from '../../shared/format/entry.ts'
import { errno } from '../../shared/errno.ts'
import type { BodyBase } from '../bodies/body-state.ts'
import type { BaseReader } from '../bodies/mixed-read.ts'
import type { Cache } from '../cache/cache.ts'
import { FileReader, type ReaderContext } from '../fetch/file-reader.ts'
import { type FileSlice, Waiter } from '../fetch/waiter.ts'
import { type Answer, Deferred, type ReadReply } from '../fuse/handler.ts'

/** A body that does not stand in its entry: read through the cache. */
export interface FileBody {
  /** Never more than `length` bytes, fewer only at the end of the file. */
  read(offset: number, length: number): Answer<ReadReply>
  /** A descriptor of the backing file if every byte is in it and nobody writes to it any more, else -1. The caller does not close it. */
  completeFd(): number
  /** Moves the backing file, with every byte in it, out of the cache to `path`. A negative errno when it cannot; there the body is read as before. */
  giveAway(path: string): number
  close(): void
}

export interface BodySource {
  /** `path` is for messages. A negative errno when the cache cannot serve it at all. */
  open(entry: Entry, path: string): FileBody | number
  /** Takes a backing file with every byte of the entry's content, which nobody else has open or mapped, into the cache. */
  adopt(entry: Entry, path: string, diskBytes: number): number
}

/** Reads of open files that were not changed here, by what answered them; what the kernel answers by itself never comes here. */
export interface ReadCounts {
  readonly memory: Counted
  readonly disk: Counted
  /** Something of it had to be fetched first. */
  readonly fetched: Counted
}

interface Counted {
  readonly count: number
  readonly bytes: number
}

export class CachedBodies implements BodySource {
  readonly #reads = { memory: { count: 0, bytes: 0 }, disk: { count: 0, bytes: 0 }, fetched: { count: 0, bytes: 0 } }
  readonly #cache: Cache | undefined
  readonly #context: ReaderContext

  /** Without a cache every byte is fetched anew, but for a few kept in memory. */
  constructor(cache: Cache | undefined, context: ReaderContext) {
    this.#cache = cache
    this.#context = context
  }

  get reads(): ReadCounts {
    const { memory, disk, fetched } = this.#reads
    return { memory: { ...memory }, disk: { ...disk }, fetched: { ...fetched } }
  }

  open(entry: Entry, path: string): FileBody | number {
    const { content, id, size } = entry
    if (content.kind !== 'manifest') return -errno.EIO
    const cached = this.#cache?.acquire(id, content.root.contentId, size)
    const reader = new FileReader(this.#context, { manifest: encodeManifestRoot(content.root), size, label: path, cached })
    return {
      read: (offset, length) => toAnswer(this.#count(reader.read(offset, length), Math.max(0, Math.min(length, size - offset)))),
      completeFd: () => (cached === undefined || cached.writerCount > 0 ? -1 : reader.completeFd()),
      giveAway: (to) => cached?.giveAway(to) ?? -errno.EBUSY,
      close: () => reader.close(),
    }
  }

  adopt({ id, size, content }: Entry, path: string, diskBytes: number): number {
    if (content.kind !== 'manifest' || this.#cache === undefined) return -errno.EINVAL
    return this.#cache.adopt(id, content.root.contentId, size, path, diskBytes)
  }

  #count<Outcome extends FileSlice | number | Waiter>(outcome: Outcome, length: number): Outcome {
    if (typeof outcome === 'number' || length === 0) return outcome
    const counted = this.#reads[tierOf(outcome)]
    counted.count += 1
    counted.bytes += length
    return outcome
  }

  /** What local bodies lie over. */
  openBase({ fileId, root, size }: BodyBase, label: string): BaseReader {
    const cached = this.#cache?.acquire(fileId, root.contentId, size)
    return new FileReader(this.#context, { manifest: encodeManifestRoot(root), size, label, cached })
  }
}

function tierOf(outcome: FileSlice | Waiter): keyof ReadCounts {
  return outcome instanceof Waiter ? 'fetched' : outcome.kind === 'file' ? 'disk' : 'memory'
}

export function toAnswer(outcome: FileSlice | number | Waiter): Answer<ReadReply> {
  if (!(outcome instanceof Waiter)) return outcome
  const deferred = new Deferred<ReadReply>()
  deferred.onInterrupt = () => outcome.cancel()
  outcome.listen((answer) => deferred.settle(answer))
  return deferred
}
