/**
 * A writing session: bodies become chunks in packs, operations become commits. Chunks that the session has seen, or was told of, are not stored
 * again. Any number of bodies may be written at once; what they may hold in memory is bounded.
 */
import { throwIfAborted, untilAborted } from '../abort.ts'
import { concatBytes } from '../bytes.ts'
import { Chunker } from '../chunker.ts'
import { type Content, type FileId, type Hash, type Pointer, type Run, inlineBytesMax } from '../format/entry.ts'
import { ManifestBuilder } from '../format/manifest-build.ts'
import { openManifest } from '../format/manifest-page.ts'
import { Limiter } from '../lifetime.ts'
import { BodyWriter, type OpenBody, type RunSink, StagingPool } from './body-writer.ts'
import type { ChangeSet, CommitChangesOptions, CommittedChanges } from './change-set.ts'
import { commitChangeSet } from './commit-changes.ts'
import { type CommitOptions, type CommitResult, type CommitSession, commitOperations } from './commit.ts'
import type { LoggedRecord } from './commit-log.ts'
import { runsOf } from './content-runs.ts'
import { DedupIndex } from './dedup-index.ts'
import { fileIdsFrom } from './file-id.ts'
import type { Operation } from './operation.ts'
import { PackUploads, PackWriter, type UploadOptions } from './pack-writer.ts'
import { readPages } from './page-loop.ts'
import type { VolumeParts } from './parts.ts'
import { type RewriteRequest, rewriteWith } from './rewrite-request.ts'

/** Each has up to two staging buffers of 4 MiB. */
const bodiesAtOnce = 8
const stagingBytes = 4 * 1024 * 1024
const bodiesWaitingMax = 100_000

export interface WriterOptions extends UploadOptions {
  /** The most that one pack holds; smaller where memory is scarce. The format's limit of 64 MiB unless given. */
  readonly packBytesMax?: number | undefined
  /** How many chunks are remembered; a million unless given. */
  readonly rememberedChunksMax?: number | undefined
}

export interface WriteOptions {
  readonly signal?: AbortSignal | undefined
  /** What the file held before: its chunks are remembered first. */
  readonly previous?: Content | undefined
}

export interface Written {
  readonly content: Content
  readonly size: number
  /** Bytes of chunks that were not known before. */
  readonly newBytes: number
}

export class ContentWriter implements CommitSession {
  /** An id that no other file has, with probability as `FileId` says. */
  readonly newFileId: () => FileId
  readonly #parts: VolumeParts
  readonly #readHead: (signal?: AbortSignal) => Promise<LoggedRecord>
  readonly #uploads: PackUploads
  readonly #data: PackWriter
  readonly #meta: PackWriter
  readonly #known: DedupIndex
  readonly #staging: StagingPool
  readonly #bodies = new Limiter('bodies being written', { limit: bodiesAtOnce, queueMax: bodiesWaitingMax })

  constructor(parts: VolumeParts, readHead: (signal?: AbortSignal) => Promise<LoggedRecord>, options: WriterOptions = {}) {
    const { chunking } = parts.config
    const { packBytesMax: bytesMax } = options
    this.#parts = parts
    this.#readHead = readHead
    this.#uploads = new PackUploads(parts, options)
    this.#data = new PackWriter({ ...packParts(parts), kind: 'data', bytesMax, uploads: this.#uploads })
    this.#meta = new PackWriter({
      ...packParts(parts),
      kind: 'meta',
      bytesMax,
      uploads: this.#uploads,
      beforeUpload: () => this.#storeData(),
      onFull: (id, bytes) => parts.pages.seed(id, bytes),
    })
    this.#known = new DedupIndex(options.rememberedChunksMax)
    this.#staging = new StagingPool(Math.max(stagingBytes, 4 * (chunking.kind === 'fixed' ? chunking.bytes : chunking.maxBytes)))
    this.newFileId = fileIdsFrom(parts.random)
  }

  /** Something could not be stored: every further call throws, and nothing that was not committed counts. */
  get hasFailed(): boolean {
    return this.#uploads.hasFailed
  }

  /** Where a chunk lies, if it is known. */
  known(hash: Hash): Pointer | undefined {
    return this.#known.find(hash)
  }

  /** Makes a stored chunk known. */
  remember(run: Run): void {
    if (run.kind === 'chunk') this.#known.add(run.pointer)
  }

  /** The content of a body: inline, or chunks in packs that are durable after the next `commit` or `flush`. Pieces may be reused once asked for the next. */
  async write(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, options: WriteOptions = {}): Promise<Written> {
    const { signal } = options
    this.#uploads.throwIfFailed()
    const head: Uint8Array[] = []
    let headBytes = 0
    const manifest = this.#newManifest()
    let body: OpenBody | undefined
    try {
      for await (const bytes of source) {
        throwIfAborted(signal)
        if (body === undefined && headBytes + bytes.length <= inlineBytesMax) {
          head.push(bytes.slice())
          headBytes += bytes.length
          continue
        }
        if (body === undefined) {
          body = await this.#openBody(manifest, options)
          for (const early of head) await body.writer.push(early)
        }
        await body.writer.push(bytes)
      }
      throwIfAborted(signal)
      if (body === undefined) return { content: { kind: 'inline', bytes: concatBytes(head) }, size: headBytes, newBytes: headBytes }
      await body.writer.finish()
      const root = await manifest.finish()
      return { content: { kind: 'manifest', root }, size: body.writer.size, newBytes: body.writer.newBytes }
    } finally {
      await body?.close()
    }
  }

  /**
   * The content of a body of which little changed: reads and stores the chunks around the changes alone (one changed byte: less than two of the longest
   * chunks), and the pages of the manifest that lead to them. See `RewriteRequest`. Durable after the next `commit` or `flush`. Throws `invalid` for
   * ranges that are not as they should be, and whatever the readers throw.
   */
  async rewrite(request: RewriteRequest): Promise<Written> {
    this.#uploads.throwIfFailed()
    return rewriteWith(this.#parts, request, {
      io: { load: (pointer) => this.#parts.pages.load(pointer, request.signal), store: (page) => this.storePage(page), hash: this.#parts.hash },
      openBody: (manifest) => this.#openBody(manifest, { signal: request.signal }),
      remember: (run) => this.remember(run),
    })
  }

  /** The content of a body whose chunks are stored already: a copy, or parts of other files put together. */
  async assemble(runs: AsyncIterable<Run> | Iterable<Run>): Promise<Written> {
    const builder = this.#newManifest()
    for await (const run of runs) await builder.add(run)
    return { content: { kind: 'manifest', root: await builder.finish() }, size: builder.length, newBytes: 0 }
  }

  /** Applies the operations to the volume, all or none, and makes everything written so far durable. See `Operation` and `CommitOptions`. */
  commit(operations: readonly Operation[], options: CommitOptions = {}): Promise<CommitResult> {
    return commitOperations(this.#parts, this, operations, options, () => this.#readHead(options.signal))
  }

  /** Commits what a mount changed, all or none, and makes everything written so far durable. See `ChangeSet` and `CommittedChanges`. */
  commitChanges(set: ChangeSet, options: CommitChangesOptions): Promise<CommittedChanges> {
    return commitChangeSet(this.#parts, this, set, options, () => this.#readHead(options.signal))
  }

  async storePage(bytes: Uint8Array): Promise<Pointer> {
    const [pointer] = await this.#meta.append([{ bytes, hash: await this.#parts.hash(bytes) }])
    return pointer!
  }

  /** The signal ends the waiting; uploads go on. */
  async flush(signal?: AbortSignal): Promise<void> {
    await untilAborted(this.#flushAll(), signal)
  }

  async #flushAll(): Promise<void> {
    await this.#data.flush()
    await this.#meta.flush()
    await this.#uploads.drain()
  }

  async #storeData(): Promise<void> {
    await this.#data.flush()
    await this.#uploads.drain()
  }

  async #openBody(manifest: RunSink, options: WriteOptions): Promise<OpenBody> {
    const release = await this.#bodies.acquire(options.signal)
    try {
      if (options.previous !== undefined) await this.#rememberAll(options.previous, options.signal)
    } catch (error) {
      release()
      throw error
    }
    const writer = new BodyWriter({
      chunker: new Chunker(this.#parts.config.chunking),
      hash: this.#parts.hash,
      known: this.#known,
      data: this.#data,
      manifest,
      staging: this.#staging,
    })
    const close = async (): Promise<void> => {
      await writer.dispose()
      release()
    }
    return { writer, close }
  }

  async #rememberAll(content: Content, signal: AbortSignal | undefined): Promise<void> {
    if (content.kind !== 'manifest') return
    const { pages } = this.#parts
    const { length } = await readPages(pages, (source) => openManifest(content.root, source), signal)
    for await (const runs of runsOf(pages, content, { start: 0, end: length }, signal)) {
      for (const { run } of runs) this.remember(run)
    }
  }

  #newManifest(): ManifestBuilder {
    return new ManifestBuilder({ store: (page) => this.storePage(page), hash: this.#parts.hash })
  }
}

function packParts({ store, clock, random }: VolumeParts): Pick<VolumeParts, 'store' | 'clock' | 'random'> {
  return { store, clock, random }
}
