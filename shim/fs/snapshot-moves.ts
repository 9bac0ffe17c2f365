/**
 * The way from one snapshot to the next: commits that come are applied, and what was published of our changes is shown by the snapshot from then on.
 *
 * Called by the handler, which the network thread feeds. A commit of ours comes here twice, in any order: as a `Change` when the mount follows to it, and as
 * `Published` from the publisher; `LocalChanges` gives its inodes free when both are here, in the same step in which rows are brought to it.
 */
import { errno } from '../../shared/errno.ts'
import { messageOf } from '../../shared/error.ts'
import { decodeEntry, decodeEntryHead, encodeEntry } from '../../shared/format/entry-codec.ts'
import type { FileId } from '../../shared/format/entry.ts'
import { toFileId } from '../../shared/volume/file-id.ts'
import type { Logger } from '../../shared/log.ts'
import type { LocalBody } from '../bodies/local-body.ts'
import type { LocalChanges } from '../changes/local-changes.ts'
import type { Settled, SettledNode } from '../changes/outbox.ts'
import type { Published } from '../changes/publishing.ts'
import { type Kernel, type Ours, applyChange } from './apply-change.ts'
import type { Change } from './backend.ts'
import { HiddenChanges } from './hidden-changes.ts'
import type { Row } from './inode-table.ts'
import { showSettled } from './settled-rows.ts'
import type { VolumeTree } from './volume-tree.ts'

export interface MoveParts {
  readonly tree: VolumeTree
  readonly changes: LocalChanges | undefined
  readonly seq: number
  readonly kernel: Kernel
  /** Attributes of a node, not its data. */
  readonly nodeChanged: (row: Row) => void
  /** Bodies that are nobody's any more. */
  readonly keep: (nodes: readonly SettledNode<LocalBody>[]) => void
  /** A batch that had this inode is in the snapshot that is shown. */
  readonly settled: (id: FileId) => void
  readonly log: Logger
}

export class SnapshotMoves {
  readonly #parts: MoveParts
  readonly #hidden = new HiddenChanges()
  #seq: number
  /** The newest commit of ours. */
  #publishedSeq = 0
  #waiting: { readonly seq: number; readonly done: (result: number) => void }[] = []

  constructor(parts: MoveParts) {
    this.#parts = parts
    this.#seq = parts.seq
  }

  get seq(): number {
    return this.#seq
  }

  /** A newer commit is there. */
  apply(change: Change): void {
    if (change.seq <= this.#seq) return
    const { tree, changes, kernel, log } = this.#parts
    this.#seq = change.seq
    changes?.baseMoved(change)
    this.#bringBack(change)
    try {
      applyChange(tree, change, this.#ours(), kernel)
    } catch (error) {
      // What was written is right, what was not is looked up again.
      log.error(`Cannot apply commit ${change.seq} name by name: ${messageOf(error)}`)
      this.#lookAgain()
    }
    if (changes !== undefined) this.settle(changes.settleShown())
    const ready = this.#waiting.filter(({ seq }) => seq <= change.seq)
    this.#waiting = this.#waiting.filter(({ seq }) => seq > change.seq)
    for (const { done } of ready) done(0)
  }

  /** Of what was removed here, what others have moved or linked to elsewhere. */
  #bringBack({ names = [] }: Change): void {
    const { tree, changes } = this.#parts
    if (changes === undefined || changes.isEmpty) return
    for (const { directoryId, name, entry: bytes } of names) {
      if (bytes === undefined) continue
      const { id, kind, isLink } = decodeEntryHead(bytes)
      const before = changes.node(id)
      if (before === undefined || !changes.bringBack(toFileId(directoryId), name, { id, kind }, isLink ? undefined : decodeEntry(bytes))) continue
      const row = tree.table.find(id)
      if (row === 0) continue
      if (changes.node(id) !== undefined) tree.goOn(row, undefined)
      else tree.settle(row, isLink ? encodeEntry(before.base!) : bytes, { isOurs: false, isOld: true })
    }
  }

  /** Calls back with 0 once a commit is shown, with a negative errno when the mount is over before. */
  whenShown(seq: number, done: (result: number) => void): void {
    if (seq <= this.#seq) done(0)
    else this.#waiting.push({ seq, done })
  }

  stop(): void {
    for (const { done } of this.#waiting.splice(0)) done(-errno.EIO)
  }

  /** A batch of ours has become a commit. */
  published(published: Published): void {
    this.#publishedSeq = Math.max(this.#publishedSeq, published.seq)
    const { changes } = this.#parts
    if (changes !== undefined) this.settle(changes.settle(published))
  }

  settle(settled: Settled<LocalBody>): void {
    if (settled.nodes.length + settled.lost.length === 0) return
    this.#parts.keep(settled.nodes)
    this.showSettled(settled)
    for (const { keptId } of settled.nodes) this.#parts.settled(keptId)
  }

  /** These are as the snapshot has them from now on. */
  showSettled(settled: Settled<LocalBody>): void {
    const { tree, changes, kernel, nodeChanged } = this.#parts
    if (changes === undefined) return
    const isBeyond = this.#seq > this.#publishedSeq
    const isSure = showSettled({ tree, changes, hidden: this.#hidden, isBeyond, nodeChanged, nameChanged: (row, name) => kernel.nameChanged(row, name) }, settled)
    // A merge has put things where nobody here did.
    if (!isSure || settled.isMerged) this.#lookAgain()
    if (changes.isEmpty) this.#hidden.clear()
  }

  #lookAgain(): void {
    this.#hidden.noteUnlisted()
    this.#parts.tree.startEpoch()
    this.#parts.kernel.everythingChanged()
  }

  #ours(): Ours {
    const { changes } = this.#parts
    return {
      isEmpty: changes?.isEmpty ?? true,
      target: (directoryId, name) => {
        const target = changes?.target(toFileId(directoryId), name)
        return target === undefined || target === null ? target : target.id
      },
      hasNode: (id) => changes?.node(toFileId(id)) !== undefined,
      hidden: this.#hidden,
    }
  }
}
