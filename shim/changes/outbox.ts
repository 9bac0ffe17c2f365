/**
 * The way of changes into the volume, as the file-system thread sees it: a batch goes out, its bodies are vouched for, and what became of it comes back.
 *
 * Called by `LocalChanges` alone. One batch at a time. INVARIANT: what is out stays in the state, and so in the journal, until it is known that the log has
 * it; a batch of a process that died is in doubt, and nothing else goes out before that is cleared up.
 */
import { toHex } from '../../shared/bytes.ts'
import { decodeEntry } from '../../shared/format/entry-codec.ts'
import type { Entry, FileId } from '../../shared/format/entry.ts'
import { baseName } from '../../shared/path.ts'
import type { Random } from '../../shared/random.ts'
import type { BodyStamp } from '../bodies/local-body.ts'
import { type BodyLooks, type TakenBody, makeBatch } from './batch.ts'
import type { ChangeState, NodeState } from './change-state.ts'
import type { ChangedBody } from './edit.ts'
import type { Batch, Doubt, Published } from './publishing.ts'
import { encodeNotPublished, encodeSettlement, encodeTaken } from './record.ts'
import { type LostName, type Settlement, type StayingBody, settleState } from './settling.ts'
import { markTaken, unmarkTaken } from './taking.ts'

/** What of a batch is in the handler's snapshot now, and no change any more. */
export interface Settled<Body> {
  readonly nodes: readonly SettledNode<Body>[]
  /** Names that lead to another's file now, and where ours is instead. */
  readonly lost: readonly { readonly directoryId: FileId; readonly name: string }[]
  /** Directories that had changed names. */
  readonly directories: readonly FileId[]
  /** Others had changed the same things: not all is as the batch said. */
  readonly isMerged: boolean
}

export interface SettledNode<Body> {
  readonly id: FileId
  /** The id that ours has there; another when theirs kept it. */
  readonly keptId: FileId
  /** Where ours is when its name leads to another's file now. */
  readonly keptAt?: { readonly directoryId: FileId; readonly name: string } | undefined
  /** As it was committed, `encodeEntry`; undefined: it is gone. */
  readonly bytes: Uint8Array | undefined
  /** Its body, when nobody needs it any more: it is the caller's now. */
  readonly body: Body | undefined
  /** The body does not hold what `bytes` say: others have written that. */
  readonly isBodyOld?: boolean | undefined
}

export interface OutboxParts<Body> {
  readonly state: ChangeState<Body>
  /** 0, or a negative errno: then nothing was appended. */
  readonly append: (record: Uint8Array) => number
  readonly looks: BodyLooks<Body>
  readonly random: Random
}

export const nothingSettled: Settled<never> = { nodes: [], lost: [], directories: [], isMerged: false }

export class Outbox<Body extends ChangedBody> {
  readonly #parts: OutboxParts<Body>
  /** Bodies of the batch that is out. */
  #bodies: ReadonlyMap<FileId, TakenBody<Body>> = new Map()
  /** The snapshot that has it is not shown yet. */
  #arrived: Published | undefined
  /** The batch that is out was taken by a process that is no more. */
  #isInherited: boolean

  constructor(parts: OutboxParts<Body>) {
    this.#parts = parts
    this.#isInherited = parts.state.taken !== undefined
  }

  /** Pins the bodies of the batch. Undefined: there is nothing; a negative errno: that cannot be written down. */
  take(): Batch | Doubt | number | undefined {
    const { state, append, looks, random } = this.#parts
    if (state.taken !== undefined) {
      const { counter, nonce, baseSeq } = state.taken
      return { counter, nonce, baseSeq }
    }
    const { changes, bodies, taken, unseen } = makeBatch(state, looks)
    const isNothing = changes.names.length + changes.nodes.length + unseen.length === 0
    if (isNothing && (state.isEmpty || state.bodyCount > 0)) return undefined
    const nonce = toHex(random.bytes(16))
    const { oldestSeq: baseSeq, seq: shownSeq, counter } = state
    const result = append(encodeTaken(nonce))
    if (result < 0) return result
    markTaken(state, nonce)
    if (isNothing) return this.giveUp() || undefined
    for (const { body } of taken.values()) body.pin()
    this.#bodies = taken
    return { counter, nonce, baseSeq, shownSeq, changes, bodies, unseen }
  }

  /** Those whose bodies are as they were taken. */
  verify(ids: readonly FileId[]): FileId[] {
    return ids.filter((id) => this.#isAsTaken(id))
  }

  /** Nothing went out. 0, or a negative errno: then it is still in doubt. */
  giveUp(): number {
    const { state, append } = this.#parts
    if (state.taken === undefined) return 0
    const result = append(encodeNotPublished())
    if (result < 0) return result
    unmarkTaken(state)
    this.#end()
    return 0
  }

  arrive(published: Published): void {
    if (this.#parts.state.taken?.counter === published.counter) this.#arrived = published
  }

  /** The snapshot has the batch. */
  isIn(seq: number): boolean {
    return this.#arrived !== undefined && this.#arrived.seq <= seq
  }

  /** Settles what has arrived, when the snapshot is shown that has it. */
  settle(): Settled<Body> {
    const published = this.#arrived
    const { state, append } = this.#parts
    if (published === undefined || state.seq < published.seq) return nothingSettled
    const { settlement, settled } = this.#plan(published)
    if (append(encodeSettlement(settlement)) < 0) return nothingSettled
    settleState(state, settlement)
    this.#end()
    return settled
  }

  #end(): void {
    for (const { body } of this.#bodies.values()) body.unpin()
    this.#bodies = new Map()
    this.#arrived = undefined
    this.#isInherited = false
  }

  #isAsTaken(id: FileId): boolean {
    const taken = this.#bodies.get(id)
    return taken !== undefined && this.#parts.state.nodes.get(id)?.body === taken.body && taken.body.isAt(taken.stamp)
  }

  #plan(published: Published): { readonly settlement: Settlement; readonly settled: Settled<Body> } {
    const { state } = this.#parts
    const counter = state.taken?.counter ?? 0
    const conflicts = published.conflicts.map((conflict): LostName => {
      const { keptId, keptIn, path, keptAs } = conflict
      // A commit that was found in the log knows an inode of ours by the id that it has there.
      const id = state.nodes.get(keptId)?.taken === undefined ? conflict.id : keptId
      return { id, keptId, keptIn, name: baseName(path), keptName: baseName(keptAs) }
    })
    const merged = new Map(published.merged.map(({ id, into }) => [id, into]))
    const ids = new Map([...merged, ...conflicts.map(({ id, keptId }): [FileId, FileId] => [id, keptId])])
    const keptAt = new Map(conflicts.map(({ id, keptIn, keptName }) => [id, { directoryId: keptIn, name: keptName }]))
    const committed = new Map(published.nodes.map(({ id, entry }) => [id, entry]))
    const contents = new Set(published.bodies.map(({ id }) => id))
    const superseded = new Set(published.superseded)
    const entries = new Map<FileId, Entry>()
    const bodies = new Map<FileId, StayingBody>()
    const nodes: SettledNode<Body>[] = []
    for (const node of state.nodes.values()) {
      if (node.taken === undefined) continue
      const { id } = node.taken
      const keptId = ids.get(id) ?? id
      const bytes = node.taken.linkCount === 0 ? undefined : committed.get(keptId)
      const isBodyOld = superseded.has(id)
      const staying = isBodyOld ? this.#oldBody(node) : this.#stayingBody(node, bytes, contents.has(id) || contents.has(keptId))
      if (staying !== 'none' && staying !== 'free') bodies.set(id, staying)
      if (bytes !== undefined && (node.changedAt > counter || bodies.has(id))) entries.set(keptId, decodeEntry(bytes))
      const body = staying === 'free' ? node.body : undefined
      nodes.push({ id, keptId, keptAt: keptAt.get(id), bytes, body, isBodyOld })
    }
    const lost = this.#lostNames(conflicts)
    const isMerged = conflicts.length + merged.size > 0
    const settled = { nodes, lost, directories: [...state.directories.keys(), ...merged.values()], isMerged }
    return { settlement: { seq: state.seq, committedSeq: published.seq, entries, conflicts, merged, bodies }, settled }
  }

  /** What becomes of the body of a node of the batch. `free`: it holds what was published, and nobody can change it. */
  #stayingBody(node: NodeState<Body>, bytes: Uint8Array | undefined, isPublished: boolean): StayingBody | 'none' | 'free' {
    const { body, entry } = node
    const { state, looks } = this.#parts
    if (body === undefined) return 'none'
    if (!isPublished) return { isPublished, stamp: undefined }
    const taken = this.#bodies.get(entry.id)
    const stamp = taken?.body === body ? taken.stamp : this.#inheritedStamp(node, body, bytes)
    const isSame = stamp !== undefined && body.isAt(stamp)
    if (!isSame) return { isPublished, stamp: undefined }
    const isAlone = looks.isAlone(entry.id, body)
    if (isAlone && node.changedAt <= (state.taken?.counter ?? 0)) return 'free'
    // Of a file that was believed to be closed, and is mapped, a store into a page that was dirty already may have left no trace.
    const isSure = isAlone || taken === undefined || taken.isOpen
    return { isPublished, stamp: isSure ? body.stamp() : undefined }
  }

  /** How the body stood when a process that is no more read it. One that was changed since may be as long and as old as what was read, and another. */
  #inheritedStamp({ changedAt }: NodeState<Body>, { generation }: Body, bytes: Uint8Array | undefined): BodyStamp | undefined {
    const { taken } = this.#parts.state
    if (!this.#isInherited || taken === undefined || changedAt > taken.counter || bytes === undefined) return undefined
    const { size, mtime } = decodeEntry(bytes)
    return { generation, size, mtime }
  }

  /** As above for one that holds what was published before. Who has it open goes on with that, and it is no change until it is written to. */
  #oldBody(node: NodeState<Body>): StayingBody | 'none' | 'free' {
    const { body, entry } = node
    const { state, looks } = this.#parts
    const taken = this.#bodies.get(entry.id)
    if (body === undefined) return 'none'
    if (taken?.body !== body || !body.isAt(taken.stamp)) return { isPublished: false, stamp: undefined }
    if (looks.isAlone(entry.id, body) && node.changedAt <= (state.taken?.counter ?? 0)) return 'free'
    return { isPublished: false, stamp: body.stamp() }
  }

  #lostNames(conflicts: readonly LostName[]): Settled<Body>['lost'] {
    if (conflicts.length === 0) return []
    const lost = new Map(conflicts.map((conflict) => [conflict.id, conflict]))
    const names: { directoryId: FileId; name: string }[] = conflicts.map(({ keptIn, keptName }) => ({ directoryId: keptIn, name: keptName }))
    for (const [directoryId, changed] of this.#parts.state.directories) {
      for (const { name, taken } of changed.all()) if (taken !== undefined && taken !== null && lost.get(taken.id)?.name === name) names.push({ directoryId, name })
    }
    return names
  }
}
