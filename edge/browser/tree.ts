/**
 * The names of a volume as one commit left them, in two ways. `PagesTree` walks the pages itself and verifies each by its hash, from the commit's record down: who may
 * read the whole volume gets that. `LookupTree` asks the edge, which walks for it: that is all that a token for a part of a volume can do, and the edge is believed.
 */
import { EdgemountError } from '../../shared/error.ts'
import type { PackId, Entry } from '../../shared/format/entry.ts'
import type { PlacedRun } from '../../shared/format/manifest-page.ts'
import { isPackId } from '../../shared/format/pack-id.ts'
import { isHash } from '../../shared/hash.ts'
import type { ByteRange } from '../../shared/range.ts'
import { runsOf } from '../../shared/volume/content-runs.ts'
import type { SnapshotNames } from '../../shared/volume/snapshot-names.ts'
import type { VolumeClient } from '../../shared/wire/client.ts'
import { fieldOf } from '../../shared/wire/messages.ts'

export interface FoundEntry {
  /** Where symlinks led. */
  readonly path: string
  readonly entry: Entry
}

export interface EntryPage {
  readonly path: string
  readonly items: readonly { readonly name: string; readonly entry: Entry }[]
  readonly isLast: boolean
}

export interface PageRequest {
  readonly after?: string | undefined
  readonly limit?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Tree {
  readonly seq: number
  /** Symlinks are followed. Throws `not-found`. */
  stat(path: string, signal: AbortSignal | undefined): Promise<FoundEntry>
  list(path: string, request: PageRequest): Promise<EntryPage>
  /** The runs that share bytes with a range, whole, in order. */
  runs(found: FoundEntry, range: ByteRange, signal: AbortSignal | undefined): Promise<readonly PlacedRun[]>
}

export class PagesTree implements Tree {
  readonly #snapshot: SnapshotNames

  constructor(snapshot: SnapshotNames) {
    this.#snapshot = snapshot
  }

  get seq(): number {
    return this.#snapshot.seq
  }

  async stat(path: string, signal: AbortSignal | undefined): Promise<FoundEntry> {
    return await this.#snapshot.follow(path, { signal })
  }

  async list(path: string, request: PageRequest): Promise<EntryPage> {
    const found = await this.#snapshot.follow(path, { signal: request.signal })
    if (found.entry.kind !== 'directory') throw new EdgemountError('invalid', `Cannot list "${path}": it is a ${found.entry.kind}`)
    return { path: found.path, ...(await this.#snapshot.list(found.entry, request)) }
  }

  async runs({ entry }: FoundEntry, range: ByteRange, signal: AbortSignal | undefined): Promise<readonly PlacedRun[]> {
    const runs: PlacedRun[] = []
    if (entry.content.kind === 'inline') return runs
    for await (const part of runsOf(this.#snapshot.pages, entry.content, range, signal)) runs.push(...part)
    return runs
  }
}

export class LookupTree implements Tree {
  readonly seq: number
  readonly #client: VolumeClient

  constructor(client: VolumeClient, seq: number) {
    this.#client = client
    this.seq = seq
  }

  async stat(path: string, signal: AbortSignal | undefined): Promise<FoundEntry> {
    return await this.#client.stat(path, { seq: this.seq, signal })
  }

  async list(path: string, { after, limit, signal }: PageRequest): Promise<EntryPage> {
    const page = await this.#client.list(path, { seq: this.seq, signal, ...(after === undefined ? {} : { after }), ...(limit === undefined ? {} : { limit }) })
    return { path, items: page.items, isLast: page.isLast }
  }

  async runs({ path, entry }: FoundEntry, range: ByteRange, signal: AbortSignal | undefined): Promise<readonly PlacedRun[]> {
    const runs: PlacedRun[] = []
    if (entry.content.kind === 'inline') return runs
    for (let start: number | undefined = range.start; start !== undefined; ) {
      const manifest = await this.#client.manifest(path, { seq: this.seq, range: { start, end: range.end }, ...(signal === undefined ? {} : { signal }) })
      for (const run of manifest.runs) runs.push(placedRunOf(run, path))
      start = manifest.nextStart
    }
    return runs
  }
}

/** A `RunMessage`. */
function placedRunOf(message: unknown, path: string): PlacedRun {
  const start = fieldOf(message, 'start')
  const length = fieldOf(message, 'length')
  if (typeof start !== 'number' || typeof length !== 'number') throw broken(path)
  if (fieldOf(message, 'kind') === 'hole') return { start, run: { kind: 'hole', length } }
  const hash = fieldOf(message, 'hash')
  const pack = fieldOf(message, 'pack')
  const offset = fieldOf(message, 'offset')
  if (!isHash(hash) || !isPack(pack) || typeof offset !== 'number') throw broken(path)
  return { start, run: { kind: 'chunk', length, pointer: { hash, pack, offset, length } } }
}

function isPack(value: unknown): value is PackId {
  return typeof value === 'string' && isPackId(value)
}

function broken(path: string): EdgemountError {
  return new EdgemountError('unavailable', `Cannot read the manifest of "${path}": the edge's answer has a run of an unknown kind`)
}
