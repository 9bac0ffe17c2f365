/**
 * The volume, as the publisher writes to it: one writing session for as long as the mount stands, so that chunks that were stored once are known.
 */
import type { ChangeSet } from '../../shared/volume/change-set.ts'
import type { ContentWriter, WriteOptions, Written } from '../../shared/volume/content-writer.ts'
import type { RewriteRequest } from '../../shared/volume/rewrite-request.ts'
import type { Volume } from '../../shared/volume/volume.ts'
import type { ClaimRequest } from '../changes/publishing.ts'
import type { Commit } from './batch-commit.ts'
import type { ContentTarget } from './body-reader.ts'
import { whatCommitDid } from './found-commit.ts'
import type { CommitName } from './publisher.ts'

export class VolumeTarget implements ContentTarget {
  readonly #volume: Volume
  readonly #author: string
  #writer: ContentWriter

  constructor(volume: Volume, author: string) {
    this.#volume = volume
    this.#author = author
    this.#writer = volume.writer()
  }

  write(source: AsyncIterable<Uint8Array>, options: WriteOptions): Promise<Written> {
    return this.#writer.write(source, options)
  }

  rewrite(request: RewriteRequest): Promise<Written> {
    return this.#writer.rewrite(request)
  }

  async commit(set: ChangeSet, { baseSeq, shownSeq, nonce, signal }: CommitName & { readonly shownSeq: number; readonly signal: AbortSignal }): Promise<Commit> {
    const base = await this.#volume.at(baseSeq, { signal })
    const shown = await this.#volume.at(shownSeq, { signal })
    return await this.#writer.commitChanges(set, { base, shown, nonce, author: this.#author, signal })
  }

  async find({ baseSeq, nonce }: CommitName, signal: AbortSignal): Promise<Commit | undefined> {
    const head = await this.#volume.head({ signal })
    for (let seq = baseSeq + 1; seq <= head.seq; seq += 1) {
      const snapshot = await this.#volume.at(seq, { signal })
      if (snapshot.record.nonce !== nonce) continue
      return await whatCommitDid(await this.#volume.at(seq - 1, { signal }), snapshot, signal)
    }
    return undefined
  }

  /** Makes an empty file where nothing is in the newest commit; the commit's seq. Throws `stale` when something is. */
  async claim({ path, id, mode, uid, gid }: ClaimRequest, signal: AbortSignal): Promise<number> {
    const operation = { op: 'create', path, id, mode, uid, gid, expected: 'absent' } as const
    const { seq } = await this.#volume.writer().commit([operation], { author: this.#author, onConflict: 'refuse', signal })
    return seq
  }

  /** A session that has failed stays so: what it had not committed has to be written again, by another one. True when it was so. */
  startOver(): boolean {
    if (!this.#writer.hasFailed) return false
    this.#writer = this.#volume.writer()
    return true
  }
}
