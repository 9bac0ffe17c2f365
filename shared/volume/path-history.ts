/**
 * Which commits changed one path: the log read backwards, each commit's entry compared with that of the commit before. Called by the edge's `history`.
 *
 * The trees are compared and not what the records tell of themselves, so that nothing is missed; a record is believed only where it says that a name was another one before,
 * and the file's id says so too. The cost is one record for each commit that is looked at, sixteen at once, and of those whose root is another one the pages on the way to
 * the path, which neighbours mostly share; so a request looks at a bounded number of them and says where to go on.
 */
import { equalBytes } from '../bytes.ts'
import { codeOf } from '../error.ts'
import type { CommitRecord } from '../format/commit.ts'
import { encodeEntry } from '../format/entry-codec.ts'
import type { Entry, FileId } from '../format/entry.ts'
import { isWithin, rootPath } from '../path.ts'
import { entryAt } from './path-diff.ts'
import type { Snapshot } from './snapshot.ts'

export interface PathChange {
  readonly record: CommitRecord
  readonly change: 'added' | 'changed' | 'removed' | 'renamed'
  /** As the commit left it. */
  readonly path: string
  /** Where it was before it was renamed. */
  readonly from?: string
  /** What the commit left there; undefined when it was removed. */
  readonly entry: Entry | undefined
}

export interface PathHistory {
  /** Newest first. */
  readonly items: readonly PathChange[]
  /** Where to go on, and by which name; undefined when the log is at its end. */
  readonly next: { readonly before: number; readonly path: string } | undefined
}

export interface PathHistoryRequest {
  /** Canonical; symlinks are not followed. */
  readonly path: string
  /** The commit to begin with, which is there. */
  readonly newest: Snapshot
  /** What lies outside is not named, and not looked at. */
  readonly within: string
  readonly limit: number
  /** Commits to look at. */
  readonly recordsMax: number
  readonly signal?: AbortSignal | undefined
}

const readAtOnce = 16

export async function historyOf(at: (seq: number) => Promise<Snapshot>, request: PathHistoryRequest): Promise<PathHistory> {
  const { within, limit, recordsMax, signal } = request
  const past = new PastSnapshots(at, Math.max(1, request.newest.seq - recordsMax))
  const items: PathChange[] = []
  let { path, newest: newer } = request
  let entry = await entryAt(newer, path, signal)
  for (let looked = 0; ; looked += 1) {
    if (items.length === limit || looked === recordsMax) return { items, next: { before: newer.seq + 1, path } }
    const older = newer.seq === 1 ? undefined : await past.get(newer.seq - 1)
    let before = older === undefined || isSameRoot(newer, older) ? (older && entry) : await entryAt(older, path, signal)
    if (!isSameEntry(before, entry)) {
      const name = path
      const from = before === undefined && entry !== undefined && older !== undefined ? await nameBefore({ newer, older, path, within, id: entry.id, signal }) : undefined
      if (from !== undefined && older !== undefined) {
        path = from
        before = await entryAt(older, path, signal)
      }
      const change = from !== undefined ? 'renamed' : before === undefined ? 'added' : entry === undefined ? 'removed' : 'changed'
      items.push({ record: newer.record, change, path: name, entry, ...(from === undefined ? {} : { from }) })
    }
    if (older === undefined) return { items, next: undefined }
    newer = older
    entry = before
  }
}

interface Renaming {
  readonly newer: Snapshot
  readonly older: Snapshot
  readonly path: string
  readonly within: string
  readonly id: FileId
  readonly signal: AbortSignal | undefined
}

/** Where the same file or directory was before, as the record tells it: it was renamed itself, or a directory above it. */
async function nameBefore({ newer, older, path, within, id, signal }: Renaming): Promise<string | undefined> {
  for (const { op, path: from, to } of newer.record.operations) {
    if (op !== 'rename' || to === undefined || to === rootPath || !isWithin(path, to)) continue
    const candidate = from + path.slice(to.length)
    if (isWithin(candidate, within) && (await entryAt(older, candidate, signal))?.id === id) return candidate
  }
  return undefined
}

/** Snapshots of ever lower seqs, some of them read ahead. */
class PastSnapshots {
  readonly #at: (seq: number) => Promise<Snapshot>
  readonly #lowest: number
  readonly #reading = new Map<number, Promise<Snapshot | undefined>>()

  constructor(at: (seq: number) => Promise<Snapshot>, lowest: number) {
    this.#at = at
    this.#lowest = lowest
  }

  /** Undefined when the log does not reach back so far. */
  async get(seq: number): Promise<Snapshot | undefined> {
    if (!this.#reading.has(seq)) for (let each = seq; each > seq - readAtOnce && each >= this.#lowest; each -= 1) this.#begin(each)
    const found = this.#reading.get(seq)
    this.#reading.delete(seq)
    return await found
  }

  #begin(seq: number): void {
    const reading = this.#at(seq).catch((error: unknown) => {
      if (codeOf(error) === 'not-found') return undefined
      throw error
    })
    // What nobody comes to ask for may fail unheard.
    reading.catch(() => undefined)
    this.#reading.set(seq, reading)
  }
}

function isSameRoot({ root: a }: Snapshot, { root: b }: Snapshot): boolean {
  return a.inodes?.hash === b.inodes?.hash && equalBytes(encodeEntry(a.directory), encodeEntry(b.directory))
}

function isSameEntry(a: Entry | undefined, b: Entry | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return equalBytes(encodeEntry(a), encodeEntry(b))
}
