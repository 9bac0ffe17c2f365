/**
 * A volume as one commit left it: its names, and the bodies of its files. Immutable; any number may exist side by side.
 */
import { EdgemountError } from '../error.ts'
import type { CommitRecord } from '../format/commit.ts'
import type { Entry } from '../format/entry.ts'
import type { PlacedRun } from '../format/manifest-page.ts'
import { type ByteRange, clampRange } from '../range.ts'
import { type ContentReaderParts, readContent } from './content-reader.ts'
import { runsOf } from './content-runs.ts'
import { SnapshotNames } from './snapshot-names.ts'

export type SnapshotParts = ContentReaderParts

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined
  /** The file's path, for errors. */
  readonly label?: string | undefined
}

export class Snapshot extends SnapshotNames {
  readonly #parts: SnapshotParts

  constructor(record: CommitRecord, parts: SnapshotParts) {
    super(record, parts.pages)
    this.#parts = parts
  }

  /** The bytes of a file, verified; a range is clamped to the file. */
  read(entry: Entry, range: ByteRange = { start: 0, end: entry.size }, options: ReadOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
    const label = options.label ?? `file ${entry.id}`
    if (entry.kind !== 'file') throw new EdgemountError('invalid', `Cannot read "${label}": it is a ${entry.kind}`)
    const { content, size } = entry
    return readContent(this.#parts, { content, size, range: clampRange(range, size), label, signal: options.signal })
  }

  /** As `read`, as a stream; cancelling it ends what is under way. */
  stream(entry: Entry, range?: ByteRange, options?: ReadOptions): ReadableStream<Uint8Array> {
    const pieces = this.read(entry, range, options)
    return new ReadableStream({
      pull: async (controller) => {
        const next = await pieces.next()
        if (next.done === true) controller.close()
        else controller.enqueue(next.value)
      },
      cancel: async () => {
        await pieces.return()
      },
    })
  }

  /** The runs that hold a range of a file, part after part; none for a file whose body is inline. */
  async *runs(entry: Entry, range: ByteRange = { start: 0, end: entry.size }, options: ReadOptions = {}): AsyncGenerator<PlacedRun> {
    if (entry.content.kind === 'inline') return
    for await (const runs of runsOf(this.pages, entry.content, clampRange(range, entry.size), options.signal)) yield* runs
  }
}
