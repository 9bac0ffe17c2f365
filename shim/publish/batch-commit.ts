/**
 * One batch on its way into the volume: its bodies become contents, those that held still go into the change set, and that becomes one commit.
 */
import { getSystemErrorName } from 'node:util'
import { encodeEntry } from '../../shared/format/entry-codec.ts'
import type { FileId, Time } from '../../shared/format/entry.ts'
import type { ChangeSet, CommittedChanges } from '../../shared/volume/change-set.ts'
import { isSameBody } from '../../shared/volume/entry-merge.ts'
import { entryOfBody } from '../changes/body-times.ts'
import type { Batch, Doubt, Published, ToChanges, Verified } from '../changes/publishing.ts'
import type { BodyContents, ReadBody, Unread } from './body-contents.ts'

/** What the file system is told of. */
export interface Commit extends Pick<CommittedChanges, 'seq' | 'conflicts' | 'merged' | 'nodes'> {
  /** Of one that was found in the log: the files whose content it brought, and the modification time that this had. */
  readonly contents?: readonly { readonly id: FileId; readonly mtime: Time }[] | undefined
}

/** The other thread, asked. */
export interface ChangesLink {
  takeBatch(isEverything: boolean): Promise<Batch | Doubt | undefined>
  verify(ids: readonly FileId[]): Promise<Verified>
  tell(message: ToChanges): void
}

/** A batch that is ready to be committed. */
export interface PreparedBatch {
  readonly batch: Batch
  readonly set: ChangeSet
  /** Whose contents are in the set. */
  readonly bodies: readonly ReadBody[]
  readonly unread: readonly Unread[]
}

export interface Preparing {
  readonly contents: BodyContents
  readonly link: ChangesLink
  /**
   * Somebody waits in fsync or close for these, and others write to them all the time. They are published as they are read: what was synced is in that, and
   * of what came since as much as a power failure would leave. They stay dirty.
   */
  readonly restless: ReadonlySet<FileId>
}

export async function prepareBatch(batch: Batch, { contents, link, restless }: Preparing, signal: AbortSignal): Promise<PreparedBatch> {
  const { read, unread } = await contents.read(batch.bodies, { restless, signal })
  const verified = read.length === 0 ? [] : (await link.verify(read.map(({ id }) => id))).unchanged
  const unchanged = new Set([...verified, ...restless])
  const bodies = read.filter(({ id }) => unchanged.has(id))
  const changed = new Set(read.filter(({ id }) => !unchanged.has(id)).map(({ id }) => id))
  contents.forget(changed)
  const moved = batch.bodies.filter(({ id }) => changed.has(id)).map((body) => ({ body, why: undefined }))
  const unseen = batch.unseen.map((body) => ({ body, why: `Cannot look at its local body: ${getSystemErrorName(body.result)}` }))
  return { batch, set: withContents(batch.changes, bodies), bodies, unread: [...unseen, ...unread, ...moved] }
}

/** INVARIANT: an entry's size is that of its content, and both are of the same moment. */
function withContents(changes: ChangeSet, bodies: readonly ReadBody[]): ChangeSet {
  const contents = new Map(bodies.map((body) => [body.id, body]))
  const nodes = changes.nodes.map((node) => {
    const read = contents.get(node.id)
    if (read === undefined || node.after === undefined) return node
    const { size, mtime, content } = read
    return { ...node, after: { ...entryOfBody(node.after, size, mtime), content } }
  })
  return { ...changes, nodes }
}

/** `taken`: the batch; or a doubt, which has no changes. */
export function publishedOf(taken: Pick<Batch, 'counter'> & Partial<Pick<Batch, 'changes'>>, bodies: readonly ReadBody[], committed: Commit): Published {
  const { seq, nodes, contents = [], conflicts, merged } = committed
  const isThere = hasContent(committed)
  const went = bodies.filter((body) => isThere(body)).map(({ id, generation, mtime }) => ({ id, generation, mtime }))
  const isUnedited = wasUnedited(taken.changes)
  return {
    counter: taken.counter,
    seq,
    nodes: nodes.map(({ id, entry }) => ({ id, entry: encodeEntry(entry) })),
    bodies: [...went, ...contents.map(({ id, mtime }) => ({ id, generation: 0, mtime }))],
    superseded: bodies.filter((body) => !isThere(body) && isUnedited(body)).map(({ id }) => id),
    conflicts,
    merged,
  }
}

/** Whether the commit has a body's content, wherever the file is now. It has another when ours was as it had been published, and others have changed it. */
function hasContent({ nodes, conflicts, merged }: Commit): (body: ReadBody) => boolean {
  const entries = new Map(nodes.map(({ id, entry }) => [id, entry]))
  const ids = new Map([...merged.map(({ id, into }): [FileId, FileId] => [id, into]), ...conflicts.map(({ id, keptId }): [FileId, FileId] => [id, keptId])])
  return ({ id, size, content }) => {
    const entry = entries.get(ids.get(id) ?? id)
    return entry !== undefined && isSameBody(entry, { ...entry, size, content })
  }
}

/** What was written here is never taken for superseded, whatever became of it in the commit. */
function wasUnedited(changes: ChangeSet | undefined): (body: ReadBody) => boolean {
  const nodes = new Map(changes?.nodes.map((node) => [node.id, node.before]))
  return ({ id, size, content }) => {
    const before = nodes.get(id)
    return before !== undefined && isSameBody(before, { ...before, size, content })
  }
}
