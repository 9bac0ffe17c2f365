/**
 * The volume, as the publisher writes to it: one writing session for as long as the mount stands, so that chunks that were stored once are known.
 */
import { EdgemountError } from '../../shared/error.ts'
import type { Entry, FileId, ManifestRoot } from '../../shared/format/entry.ts'
import type { ByteRange } from '../../shared/range.ts'
import type { ChangeSet } from '../../shared/volume/change-set.ts'
import type { ContentWriter, WriteOptions, Written } from '../../shared/volume/content-writer.ts'
import { diffSnapshots } from '../../shared/volume/diff.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import type { Volume } from '../../shared/volume/volume.ts'
import type { Commit } from './batch-commit.ts'
import type { ContentTarget } from './body-contents.ts'
import type { CommitName } from './publisher.ts'

export class VolumeTarget implements ContentTarget {
  readonly #volume: Volume
  readonly #author: string
  #writer: ContentWriter
  /** Reads bodies by their manifests; any will do. */
  readonly #reader: Snapshot

  constructor(volume: Volume, reader: Snapshot, author: string) {
    this.#volume = volume
    this.#reader = reader
    this.#author = author
    this.#writer = volume.writer()
  }

  write(source: AsyncIterable<Uint8Array>, options: WriteOptions): Promise<Written> {
    return this.#writer.write(source, options)
  }

  async commit(set: ChangeSet, { baseSeq, nonce, signal }: CommitName & { readonly signal: AbortSignal }): Promise<Commit> {
    const base = await this.#volume.at(baseSeq, { signal })
    return await this.#writer.commitChanges(set, { base, nonce, author: this.#author, signal })
  }

  /** INVARIANT: our commit changed what differs between it and the one before it, and nothing else. */
  async find({ baseSeq, nonce }: CommitName, signal: AbortSignal): Promise<Commit | undefined> {
    const head = await this.#volume.head({ signal })
    for (let seq = baseSeq + 1; seq <= head.seq; seq += 1) {
      const snapshot = await this.#volume.at(seq, { signal })
      if (snapshot.record.nonce !== nonce) continue
      return { seq, conflicts: [], merged: [], nodes: await changedNodes(await this.#volume.at(seq - 1, { signal }), snapshot, signal) }
    }
    return undefined
  }

  /** A session that has failed stays so: what it had not committed has to be written again. */
  startOver(): void {
    this.#writer = this.#volume.writer()
  }

  readBase(root: ManifestRoot, range: ByteRange, label: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const time = { seconds: 0, nanoseconds: 0 }
    const entry: Entry = {
      ...{ kind: 'file', id: this.#reader.root.directory.id, mode: 0, uid: 0, gid: 0, mtime: time, ctime: time, linkCount: 1, xattrs: new Map() },
      size: range.end,
      content: { kind: 'manifest', root },
    }
    return this.#reader.read(entry, range, { label, signal })
  }
}

async function changedNodes(before: Snapshot, after: Snapshot, signal: AbortSignal): Promise<Commit['nodes']> {
  const nodes = new Map<FileId, Entry>()
  for await (const difference of diffSnapshots(before, after, { signal, isDeep: true })) {
    const entry = difference.after
    if (entry === undefined) continue
    if (entry.content.kind !== 'link') nodes.set(entry.id, entry)
    else if (!nodes.has(entry.id)) {
      const inode = await after.inode(entry.id, { signal })
      if (inode === undefined) throw new EdgemountError('corrupt', `Cannot read commit ${after.seq}: inode ${entry.id} is missing`)
      nodes.set(entry.id, inode)
    }
  }
  return [...nodes].map(([id, entry]) => ({ id, entry }))
}
