/**
 * File bodies through the cache: the bridge from open files to `shim/cache/` and `shim/fetch/`.
 */
import { encodeManifestRoot } from '../../shared/format/content-codec.ts'
import type { Entry } from '../../shared/format/entry.ts'
import { errno } from '../../shared/error.ts'
import type { Cache } from '../cache/cache.ts'
import { FileReader, type ReaderContext } from '../fetch/file-reader.ts'
import { Waiter } from '../fetch/waiter.ts'
import { type Answer, Deferred, type ReadReply } from '../fuse/handler.ts'
import type { BodySource, FileBody } from './open-files.ts'

export class CachedBodies implements BodySource {
  readonly #cache: Cache | undefined
  readonly #context: ReaderContext

  /** Without a cache every byte is fetched anew, but for a few kept in memory. */
  constructor(cache: Cache | undefined, context: ReaderContext) {
    this.#cache = cache
    this.#context = context
  }

  open(entry: Entry, path: string): FileBody | number {
    const { content, id, size } = entry
    if (content.kind !== 'manifest') return -errno.EIO
    const cached = this.#cache?.acquire(id, content.root.contentId, size)
    const reader = new FileReader(this.#context, { manifest: encodeManifestRoot(content.root), size, label: path, cached })
    return {
      read: (offset, length) => toAnswer(reader.read(offset, length)),
      completeFd: () => reader.completeFd(),
      close: () => reader.close(),
    }
  }
}

function toAnswer(outcome: ReadReply | number | Waiter): Answer<ReadReply> {
  if (!(outcome instanceof Waiter)) return outcome
  const deferred = new Deferred<ReadReply>()
  deferred.onInterrupt = () => outcome.cancel()
  outcome.listen((answer) => deferred.settle(answer))
  return deferred
}
