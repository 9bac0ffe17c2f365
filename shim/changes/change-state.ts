/**
 * Names and inodes that differ from the snapshot, in memory: what `LocalChanges` shows, batches and journals.
 *
 * Every method is a transition that the journal has a record for, and nothing here depends on time, disk or chance: the same records give the same state.
 * What the batch that is out says of a thing is remembered with it (`taken`), so that the thing can change meanwhile and is still right when the batch
 * has become the snapshot.
 */
import type { Entry, FileId } from '../../shared/format/entry.ts'
import type { Place } from '../../shared/volume/change-set.ts'
import { type ChangedName, ChangedNames } from './changed-names.ts'
import type { Edit, LocalNode, NamePut, NodePut } from './edit.ts'
import { areSameEntries, contentSizeOf } from './entry-merge.ts'

export class NodeState<Body> implements LocalNode<Body> {
  entry: Entry
  base: Entry | undefined
  body: Body | undefined
  changedAt: number
  /** The size of `entry.content`; `entry.size` is the body's where there is one. */
  contentSize: number
  /** What the batch that is out says; undefined: it is not in it. */
  taken: Entry | undefined = undefined
  /** Its last name is gone and nobody has it open. */
  isForgotten = false

  constructor(entry: Entry, base: Entry | undefined, body: Body | undefined, changedAt: number, contentSize: number) {
    this.entry = entry
    this.base = base
    this.body = body
    this.changedAt = changedAt
    this.contentSize = contentSize
  }
}

export class ChangeState<Body> {
  readonly nodes = new Map<FileId, NodeState<Body>>()
  readonly directories = new Map<FileId, ChangedNames>()
  /** Where directories of the snapshot `placesSeq` lie. */
  readonly places = new Map<FileId, Place>()
  /** Counts the changes. */
  counter = 0
  /** The snapshot that the changes lie over. */
  seq: number
  /** The newest snapshot in which all of `places` and of the names that say where an inode stands are true. */
  placesSeq: number
  nameCount = 0
  bodyCount = 0
  /** As far as entries know; a body may have grown since. */
  bodyBytes = 0

  constructor(seq: number) {
    this.seq = seq
    this.placesSeq = seq
  }

  get isEmpty(): boolean {
    return this.nameCount === 0 && this.nodes.size === 0
  }

  name(directoryId: FileId, name: string): ChangedName | undefined {
    return this.directories.get(directoryId)?.get(name)
  }

  apply(edit: Edit<Body>): void {
    this.counter += 1
    for (const place of edit.places ?? []) this.putPlace(place)
    for (const put of edit.nodes ?? []) this.putNode(put)
    for (const put of edit.names ?? []) this.putName(put)
    for (const id of edit.forgets ?? []) this.forget(id)
  }

  /** The body of a file changed without an edit. */
  touch(id: FileId): void {
    this.counter += 1
    const node = this.nodes.get(id)
    if (node !== undefined) node.changedAt = this.counter
  }

  putPlace(place: Place): void {
    if (!this.places.has(place.id)) this.places.set(place.id, place)
  }

  putNode({ entry, base, body }: NodePut<Body>): void {
    const known = this.nodes.get(entry.id)
    if (known === undefined) {
      if (base !== undefined && (body ?? undefined) === undefined && areSameEntries(entry, base)) return
      this.setNode(new NodeState(entry, base, body ?? undefined, this.counter, contentSizeOf(entry, base, undefined)))
      return
    }
    this.#countBody(known, -1)
    known.contentSize = contentSizeOf(entry, known.base, known)
    known.entry = entry
    known.changedAt = this.counter
    known.isForgotten = false
    if (body !== undefined) known.body = body ?? undefined
    this.#countBody(known, 1)
    this.dropIfNothing(known)
  }

  setNode(node: NodeState<Body>): void {
    this.nodes.set(node.entry.id, node)
    this.#countBody(node, 1)
  }

  dropNode(node: NodeState<Body>): void {
    if (this.nodes.delete(node.entry.id)) this.#countBody(node, -1)
  }

  setEntry(node: NodeState<Body>, entry: Entry, contentSize: number): void {
    this.#countBody(node, -1)
    node.entry = entry
    node.contentSize = contentSize
    this.#countBody(node, 1)
  }

  setBody(node: NodeState<Body>, body: Body | undefined): void {
    this.#countBody(node, -1)
    node.body = body
    this.#countBody(node, 1)
  }

  /** True when the node differs from its base in nothing, and is no longer among the changes. */
  dropIfNothing(node: NodeState<Body>): boolean {
    if (node.taken !== undefined || node.body !== undefined || node.base === undefined || !areSameEntries(node.entry, node.base)) return false
    this.dropNode(node)
    return true
  }

  putName({ directoryId, name, to, base }: NamePut): void {
    const names = this.namesOf(directoryId)
    let changed = names.get(name)
    if (changed === undefined) {
      changed = { name, to, base, changedAt: this.counter, taken: undefined }
      this.addName(names, changed)
    } else {
      names.setTo(changed, to)
      changed.changedAt = this.counter
    }
    this.dropNameIfNothing(directoryId, names, changed)
  }

  addName(names: ChangedNames, changed: ChangedName): void {
    names.add(changed)
    this.nameCount += 1
  }

  dropName(directoryId: FileId, names: ChangedNames, changed: ChangedName): void {
    names.drop(changed)
    this.nameCount -= 1
    if (names.size === 0) this.directories.delete(directoryId)
  }

  /** A name that leads where the snapshot's does is kept only to say where a changed inode stands. What a batch has of it must be known until it is settled. */
  dropNameIfNothing(directoryId: FileId, names: ChangedNames, changed: ChangedName): void {
    const { to, base } = changed
    if (changed.taken !== undefined || to?.id !== base?.id) return
    if (to !== undefined && to.kind !== 'directory' && this.nodes.has(to.id)) return
    this.dropName(directoryId, names, changed)
  }

  namesOf(directoryId: FileId): ChangedNames {
    let names = this.directories.get(directoryId)
    if (names === undefined) {
      names = new ChangedNames()
      this.directories.set(directoryId, names)
    }
    return names
  }

  forget(id: FileId): void {
    const node = this.nodes.get(id)
    if (node === undefined) return
    node.changedAt = this.counter
    this.setBody(node, undefined)
    if (node.base === undefined && node.taken === undefined) {
      this.dropNode(node)
      return
    }
    this.setEntry(node, { ...node.entry, linkCount: 0 }, node.contentSize)
    node.isForgotten = true
  }

  #countBody(node: NodeState<Body>, by: number): void {
    if (node.body === undefined) return
    this.bodyCount += by
    this.bodyBytes += by * node.entry.size
  }
}
