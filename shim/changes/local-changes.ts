/**
 * What was changed on this machine and is not in the volume yet: which names lead elsewhere than in the snapshot, and which inodes are different.
 *
 * Lives on the file-system thread; the handler asks it before it asks the tree, and gives it an `Edit` for everything that a program changes. An edit is
 * journaled before it is shown, so what a program was told happened is found again after the process died. The publisher takes it from here in
 * batches, and what a batch has brought into the volume is dropped when the handler's snapshot has it too.
 *
 * INVARIANT: memory is what the journal's records give; whatever changes the state is a record first, or, when it is so already, a record before any other.
 * INVARIANT (ordering law): nothing leaves the journal before the log record exists that has it.
 */
import type { Clock } from '../../shared/clock.ts'
import { Writer } from '../../shared/codec.ts'
import { errno } from '../../shared/errno.ts'
import { EdgemountError } from '../../shared/error.ts'
import type { Entry, FileId } from '../../shared/format/entry.ts'
import { decodeName, encodeName } from '../../shared/name.ts'
import type { Random } from '../../shared/random.ts'
import type { Place } from '../../shared/volume/change-set.ts'
import type { SyncFile } from '../bodies/body-file.ts'
import type { BodyStamp, LocalBody } from '../bodies/local-body.ts'
import { type NewerSnapshot, moveBase, planMove } from './base-move.ts'
import { BodySync } from './body-sync.ts'
import { BodyUses } from './body-uses.ts'
import { ChangeState } from './change-state.ts'
import { dumpState } from './dump.ts'
import type { ChangedBody, Edit, LocalNode, NameTarget, NodePut } from './edit.ts'
import { writeEdit } from './edit-record.ts'
import { releaseClean } from './releasing.ts'
import { Outbox, type Settled, type SettledNode, nothingSettled } from './outbox.ts'
import { type PendingTimes, pendingOf, waitingOf, type WaitingFile } from './pending.ts'
import type { Batch, Doubt, Pending, Published } from './publishing.ts'
import { encodeBaseMove, encodeWritten, recordKind } from './record.ts'
import { ToldJournal } from './told-journal.ts'

/** The journal, as changes need it. `shim/journal/` has it. */
export interface ChangeJournal {
  /**
   * 0: the record survives the end of the process. A negative errno: nothing was appended. `isDependent`: after a loss of power it counts only once
   * `LocalChanges.syncDependent` has made durable what it speaks of, and so does what comes after it. The bytes are the caller's again when it returns.
   */
  append(record: Uint8Array, isDependent?: boolean): number
  /** `done(0)`: all that was appended before the call survives a power failure. */
  sync(done: (result: number) => void): void
  /** It has grown so much that a checkpoint is due. */
  readonly isLong: boolean
  /** Goes on with `records` in place of all that was appended; a negative errno: as before. */
  checkpoint(records: Iterable<Uint8Array>): number
}

export interface LocalChangesParts {
  readonly journal: ChangeJournal
  /** The snapshot that the handler shows. */
  readonly seq: number
  readonly clock: Clock
  readonly random: Random
  readonly sync: SyncFile
  /** The file is open for writing. */
  readonly isOpen: (id: FileId) => boolean
}

/** A name of a directory as it is here; `to` is null where it was removed. */
export interface ListedName {
  readonly bytes: Uint8Array
  readonly name: string
  readonly to: NameTarget | null
}

export interface CountDeltas {
  readonly entries: number
  readonly directories: number
}

const noCounts: CountDeltas = { entries: 0, directories: 0 }

export class LocalChanges<Body extends ChangedBody = LocalBody> {
  readonly #parts: LocalChangesParts
  readonly #journal: ToldJournal
  readonly #state: ChangeState<Body>
  readonly #syncs: BodySync<Body>
  readonly #uses: BodyUses<Body>
  readonly #outbox: Outbox<Body>
  /** Bodies that were emptied, until the last handle on their file is closed. */
  readonly #emptied = new WeakSet<Body>()
  /** The journal could not take down how far their bodies are local: it has to have all of that before it has anything more. */
  readonly #owed = new Set<FileId>()
  /** Of one edit at a time. */
  readonly #record = new Writer()
  readonly #times: PendingTimes = { oldestMs: undefined, newestMs: undefined, takenMs: undefined }
  /** The snapshot that the journal names. */
  #journaledSeq: number

  /** `recovered`: what the journal gave, see `recoverChanges`. Without it there is nothing in the journal. */
  constructor(parts: LocalChangesParts, recovered?: ChangeState<Body>) {
    const state = recovered ?? new ChangeState<Body>(parts.seq)
    this.#parts = parts
    this.#journal = new ToldJournal(parts.journal)
    this.#state = state
    this.#journaledSeq = recovered?.seq ?? 0
    this.#syncs = new BodySync(parts.sync, (id) => this.#state.nodes.get(id)?.body)
    this.#uses = new BodyUses(parts.isOpen, () => parts.clock.now())
    this.#outbox = new Outbox({ state, append: (record) => this.#journal.append(record), looks: this.#uses, random: parts.random })
    if (!state.isEmpty) this.#noteChange()
    if (state.seq !== parts.seq) this.baseMoved({ seq: parts.seq })
  }

  /** The snapshot that the changes lie over. */
  get seq(): number {
    return this.#state.seq
  }

  /** Counts the changes; see `Pending`. */
  get counter(): number {
    return this.#state.counter
  }

  /** Everything is as in the snapshot. */
  get isEmpty(): boolean {
    return this.#state.isEmpty
  }

  /** An inode that is changed here, also one whose last name is gone (link count 0). Undefined: it is as in the snapshot. */
  node(id: FileId): LocalNode<Body> | undefined {
    return this.#state.nodes.get(id)
  }

  /** Where a name leads here; null: it was removed; undefined: as in the snapshot. */
  target(directoryId: FileId, name: string): NameTarget | null | undefined {
    const changed = this.#state.name(directoryId, name)
    return changed === undefined ? undefined : (changed.to ?? null)
  }

  /** How many names lead to a file here, but for this one. Others may have moved it: then it is shown at their name, too, and its link count knows of neither. */
  otherNameCount(id: FileId, directoryId: FileId, name: string): number {
    return this.#state.nameCounts.of(id) - (this.#state.name(directoryId, name)?.to?.id === id ? 1 : 0)
  }

  /** The changed names of a directory in the order of their bytes, from the first behind `after`. Valid until the next edit. */
  *namesAfter(directoryId: FileId, after: Uint8Array | undefined): Generator<ListedName> {
    const names = this.#state.directories.get(directoryId)
    if (names === undefined) return
    for (const { name, to } of names.from(after === undefined ? undefined : decodeName(after))) {
      yield { bytes: encodeName(name), name, to: to ?? null }
    }
  }

  /** Whether any name of the directory is changed here. */
  hasNames(directoryId: FileId): boolean {
    return this.#state.directories.has(directoryId)
  }

  /** What to add to the snapshot's counts of a directory. */
  counts(directoryId: FileId): CountDeltas {
    return this.#state.directories.get(directoryId) ?? noCounts
  }

  /** Where a directory lies in the snapshot, of those that edits gave places of. */
  place(directoryId: FileId): Place | undefined {
    return this.#state.shownPlaces.get(directoryId) ?? this.#state.places.get(directoryId)
  }

  /** Edits need not give the place of this directory any more. */
  hasPlace(directoryId: FileId): boolean {
    return this.#state.places.has(directoryId)
  }

  /**
   * Journals an edit as one record, then shows it. 0, or a negative errno (-ENOSPC, -EIO …): then nothing changed. No name and no inode may be in it
   * twice.
   */
  apply(edit: Edit<Body>): number {
    const stamps = new Map<NodePut<Body>, BodyStamp | undefined>()
    for (const put of edit.nodes ?? []) if (put.isClean === true) stamps.set(put, put.body?.stamp())
    const stampOf = (put: NodePut<Body>): BodyStamp | undefined => stamps.get(put)
    const writer = this.#record
    writer.clear()
    writer.u8(recordKind.edit)
    try {
      writeEdit(writer, edit, this.#state, { stateOf: (body) => body.state(), stampOf })
    } catch (cause) {
      // Extended attributes beyond what an entry can hold; nothing else is to be expected of an edit.
      if (cause instanceof EdgemountError && cause.code === 'exhausted') return -errno.ENOSPC
      throw cause
    }
    const dependent = this.#dependentOf(edit)
    const result = this.#journalSeq() || this.#journal.append(writer.view(), dependent.length > 0)
    if (result < 0) return result
    this.#state.apply(edit, stampOf)
    for (const id of dependent) this.#syncs.add(id)
    this.#noteChange()
    return 0
  }

  /** Nothing is left of an inode whose last name is gone: its last handle is closed. */
  discard(id: FileId): number {
    this.#owed.delete(id)
    return this.apply({ forgets: [id] })
  }

  /**
   * A local body got bytes. Only what is not in the backing file alone has to be journaled, and that a body is not what was published or taken any more.
   * `wasPartial`: before; bytes that make it whole are the last that the journal must know of.
   */
  noteWritten(id: FileId, start: number, end: number, wasPartial: boolean): number {
    const node = this.#state.nodes.get(id)
    const isNews = node?.published !== undefined || (node?.taken !== undefined && node.changedAt <= (this.#state.taken?.counter ?? 0))
    if (node?.body !== undefined && (wasPartial || isNews || this.#owed.has(id))) {
      // Where bytes were before, they may be lost with the power and leave no hole that says so.
      const result = this.#owed.has(id) ? this.recordOwed(id) : this.#journal.append(encodeWritten(id, start, end), true)
      // What comes next is not to be lost with what the journal did not take.
      if (result < 0) this.#owed.add(id)
      if (result < 0) return result
      this.#syncs.add(id)
    }
    this.#state.touch(id)
    this.#noteChange()
    return 0
  }

  /** How a body stands could not be journaled: whoever changed it was told so, and what is written to it from now on must not be lost with that. */
  noteUnrecorded(id: FileId): void {
    this.#owed.add(id)
  }

  /** Journals what could not be journaled of how a file's body stands, before the kernel writes into it by itself. 0, or a negative errno. */
  recordOwed(id: FileId): number {
    const node = this.#state.nodes.get(id)
    if (node?.body === undefined || !this.#owed.has(id)) return 0
    const result = this.apply({ nodes: [{ entry: node.entry, base: undefined, body: node.body }] })
    if (result === 0) this.#owed.delete(id)
    return result
  }

  /**
   * The last handle on a file is closed: what the kernel wrote of it counts from now on. When it was emptied and written anew, what comes after this is not
   * there after a loss of power without those bytes; the record says nothing else, and has them synced soon.
   */
  noteClosed(id: FileId): void {
    const node = this.#state.nodes.get(id)
    const stat = node?.body?.fstat()
    if (node?.body === undefined || typeof stat !== 'object') return
    this.#state.noteBodyBytes(node, stat.size)
    if (!this.#emptied.delete(node.body) || stat.size === 0) return
    this.#syncs.add(id)
    this.#journal.tell(this.#seqRecord(), { isDependent: true })
  }

  /** fsync: the bytes of `bodies`, then the journal up to now. `done` gets 0 or a negative errno, once. */
  sync(bodies: readonly Body[], done: (result: number) => void): void {
    this.#syncs.sync(bodies, (result) => {
      if (result < 0) done(result)
      else this.#parts.journal.sync(done)
    })
  }

  /** `beforeSync` of the journal: bodies that took the place of others are durable before the names that say so. */
  syncDependent(done: (result: number) => void): void {
    this.#syncs.syncAdded(done)
  }

  /** The process before ended without having synced what its last records speak of. */
  noteUnsynced(): void {
    for (const id of this.#state.nodes.keys()) this.#syncs.add(id)
  }

  /** A newer snapshot is about to be shown: counts and places are those over it from now on. `settleShown` is to be called when it is shown. */
  baseMoved(change: NewerSnapshot): void {
    const move = planMove(this.#state, change, this.#outbox.isIn(change.seq))
    moveBase(this.#state, move)
    if (this.#state.isEmpty) return
    // When it cannot be written now, a restart from the older snapshot comes to this one again.
    this.#journal.tell(encodeBaseMove(move), { isBare: !move.hasBatch && move.places.length + move.shown.length === 0 })
    this.#journaledSeq = move.seq
  }

  /**
   * Others have put a name to a file whose last name was removed here, and that nobody here has: it is there under that one. `entry`: as they have it,
   * where that is known. False when it is not such a file.
   */
  bringBack(directoryId: FileId, name: string, { id, kind }: NameTarget, entry: Entry | undefined): boolean {
    const node = this.#state.nodes.get(id)
    const isDead = node?.isForgotten === true && node.entry.linkCount === 0 && node.taken === undefined && node.base !== undefined
    if (!isDead || this.#state.name(directoryId, name) !== undefined) return false
    const target = { id, kind }
    const back = { ...(entry ?? node.base!), linkCount: 1 }
    return this.apply({ names: [{ directoryId, name, to: target, base: target }], nodes: [{ entry: back, base: undefined, body: null }] }) === 0
  }

  /** What of a batch is in the snapshot that is shown, and no change any more. */
  settleShown(): Settled<Body> {
    const settled = this.#outbox.settle()
    if (settled !== nothingSettled) this.#times.oldestMs = this.#state.isEmpty ? undefined : this.#times.takenMs
    return settled
  }

  /**
   * Everything that differs, as one state; a batch whose fate is not known, or undefined when there is nothing. Bodies of files that are open for writing are
   * left out when they were in a batch less than 30 s ago, unless `isEverything`: their files then have what they had. A negative errno: the journal cannot
   * take down what goes out.
   */
  takeBatch({ isEverything }: { readonly isEverything: boolean }): Batch | Doubt | number | undefined {
    this.#uses.isEverything = isEverything
    const batch = this.#outbox.take()
    this.#times.takenMs = this.#parts.clock.now()
    if (typeof batch === 'object' && 'bodies' in batch) for (const { id, isOpen } of batch.bodies) if (isOpen) this.#uses.noteTried(id)
    return batch
  }

  /** Those of the batch whose bodies are as they were when it was taken. */
  verify(ids: readonly FileId[]): FileId[] {
    return this.#outbox.verify(ids)
  }

  /** The batch is a commit. Gives what `settleShown` does, which has nothing while the commit is not shown. */
  settle(published: Published): Settled<Body> {
    this.#outbox.arrive(published)
    return this.settleShown()
  }

  /** Nothing of the batch went out. */
  notPublished(): void {
    this.#outbox.giveUp()
  }

  /**
   * Bodies that hold what is published, and that nobody has open or mapped any more: they are the caller's, `limit` of them at most. To be called when a
   * file was closed (`id`), and now and then for those that were mapped.
   */
  releaseClean(limit: number, id?: FileId): readonly SettledNode<Body>[] {
    return releaseClean(this.#state, this.#uses, limit, id, (edit) => this.apply(edit))
  }

  /** To be called every second or so: what failed before is tried again, and a journal that has grown long is begun anew. */
  tick(): Settled<Body> {
    const settled = this.settleShown()
    const { journal } = this.#parts
    if (this.#journal.pay() === 0 && journal.isLong) journal.checkpoint(dumpState(this.#state, (body) => body.state()))
    return settled
  }

  pending(): Pending {
    return pendingOf(this.#state, this.#times)
  }

  /** Files whose bodies wait to be published, the first `limit`. */
  waiting(limit: number): readonly WaitingFile[] {
    return waitingOf(this.#state, this.#uses, limit)
  }

  /** An edit is the first after a time without any: the journal says over which snapshot. */
  #journalSeq(): number {
    const { seq } = this.#state
    if (this.#journaledSeq === seq) return 0
    const result = this.#journal.append(this.#seqRecord())
    if (result === 0) this.#journaledSeq = seq
    return result
  }

  #seqRecord(): Uint8Array {
    return encodeBaseMove({ seq: this.#state.seq, places: [], hasBatch: false, shown: [] })
  }

  /**
   * Files whose bodies have to be durable for the edit to be true: one that takes the place of another, one that is emptied, one that holds what is published,
   * and one of which the record says what is local. Call it before the edit is applied: what the names led to is asked for.
   */
  #dependentOf({ names = [], nodes = [] }: Edit<Body>): FileId[] {
    const ids: FileId[] = []
    for (const { entry, base, body, isClean = false } of nodes) {
      if (body === undefined || body === null) continue
      const isEmptied = !isClean && entry.size === 0 && (this.#state.nodes.has(entry.id) || (base !== undefined && base.size > 0))
      if (isEmptied) this.#emptied.add(body)
      if (isClean || isEmptied || body.base !== undefined || this.#owed.has(entry.id)) ids.push(entry.id)
    }
    for (const { directoryId, name, to, base } of names) {
      if (to === undefined || to.kind !== 'file') continue
      const changed = this.#state.name(directoryId, name)
      const before = changed === undefined ? base : changed.to
      if (before === undefined || before.id === to.id) continue
      const hasBody = nodes.some(({ entry, body }) => entry.id === to.id && body !== undefined && body !== null) || this.#state.nodes.get(to.id)?.body !== undefined
      if (hasBody) ids.push(to.id)
    }
    return ids
  }

  #noteChange(): void {
    const now = this.#parts.clock.now()
    this.#times.oldestMs ??= now
    this.#times.newestMs = now
  }
}
