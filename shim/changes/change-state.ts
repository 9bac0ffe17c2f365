/**
 * Names and inodes that differ from the snapshot, in memory: what `LocalChanges` shows, batches and journals.
 *
 * Every method is a transition that the journal has a record for, and nothing here depends on time, disk or chance: the same records give the same state.
 * What the batch that is out says of a thing is remembered with it (`taken`), so that the thing can change meanwhile and is still right when the batch
 * has become the snapshot.
 */
import type { Entry, FileId } from '../../shared/format/entry.ts'
import type { Place } from '../../shared/volume/change-set.ts'
import { type ChangedName, ChangedNames, NameCounts } from './changed-names.ts'
import type { BodyStamp } from '../bodies/local-body.ts'
import type { Edit, LocalNode, NamePut, NameTarget, NodePut } from './edit.ts'
import { areSameEntries, contentSizeOf } from './entry-merge.ts'

export class NodeState<Body> implements LocalNode<Body> {
  entry: Entry
  base: Entry | undefined
  body: Body | undefined
  changedAt: number
  /** The size of `entry.content`; `entry.size` is the body's where there is one. */
  contentSize: number
  /** Of the body, as counted in `bodyBytes`. */
  bodyBytes = 0
  published: BodyStamp | undefined = undefined
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

/** The batch that is out. */
export interface Taken {
  readonly nonce: string
  readonly counter: number
  /** The oldest snapshot that one of its changes was made from. */
  readonly baseSeq: number
  /** The snapshot that was shown when it was taken. */
  readonly shownSeq: number
}

export class ChangeState<Body> {
  readonly nodes = new Map<FileId, NodeState<Body>>()
  readonly directories = new Map<FileId, ChangedNames>()
  /** Of those names, how many lead where. */
  nameCounts = new NameCounts()
  /** Where directories of the snapshot lie in it. */
  readonly places = new Map<FileId, Place>()
  /** Where the batch that is out has put directories, once the snapshot has it and until it is settled. */
  readonly shownPlaces = new Map<FileId, Place>()
  /** Counts the changes. */
  counter = 0
  /** The snapshot that the changes lie over. */
  seq: number
  /** The oldest snapshot that one of the changes was made from. */
  oldestSeq: number
  taken: Taken | undefined
  nameCount = 0
  bodyCount = 0
  /** As far as we were told; the kernel may have written since. */
  bodyBytes = 0

  constructor(seq: number) {
    this.seq = seq
    this.oldestSeq = seq
  }

  get isEmpty(): boolean {
    return this.nameCount === 0 && this.nodes.size === 0
  }

  /** As new, but for the snapshot. */
  clear(): void {
    this.nodes.clear()
    this.directories.clear()
    this.nameCounts = new NameCounts()
    this.places.clear()
    this.taken = undefined
    this.nameCount = 0
    this.bodyCount = 0
    this.bodyBytes = 0
  }

  /** Names that lead elsewhere than in the snapshot. */
  get movedCount(): number {
    let count = 0
    for (const names of this.directories.values()) count += names.movedCount
    return count
  }

  /** Made here, and not settled. */
  isNew(id: FileId): boolean {
    const node = this.nodes.get(id)
    return node !== undefined && node.base === undefined
  }

  name(directoryId: FileId, name: string): ChangedName | undefined {
    return this.directories.get(directoryId)?.get(name)
  }

  /** `stampOf`: of the body of a node that is put as clean. */
  apply(edit: Edit<Body>, stampOf: (put: NodePut<Body>) => BodyStamp | undefined): void {
    this.startEdit()
    for (const place of edit.places ?? []) this.putPlace(place)
    const { nodes = [], names = [], forgets = [] } = edit
    for (const put of nodes) this.putNode(put, stampOf(put))
    for (const put of names) this.putName(put)
    for (const { entry } of nodes) this.endPut(entry.id, names)
    for (const id of forgets) this.forget(id)
  }

  /** An inode that was put as the snapshot has it is no change, unless one of the `names` that came with it leads to it and did not. */
  endPut(id: FileId, names: readonly NamePut[]): void {
    const node = this.nodes.get(id)
    if (node === undefined || !isNothing(node)) return
    if (!names.some(({ directoryId, name, to }) => to?.id === id && this.name(directoryId, name)?.base?.id !== id)) this.dropNode(node)
  }

  startEdit(): void {
    this.counter += 1
    if (this.isEmpty) this.oldestSeq = this.seq
  }

  /** The body of a file changed without an edit. */
  touch(id: FileId): void {
    this.counter += 1
    const node = this.nodes.get(id)
    if (node === undefined) return
    node.changedAt = this.counter
    node.published = undefined
  }

  putPlace(place: Place): void {
    if (!this.places.has(place.id)) this.places.set(place.id, place)
  }

  /** `contentSize`: of `entry.content`, by who knows. */
  putNode({ entry, base, body }: NodePut<Body>, stamp: BodyStamp | undefined, contentSize?: number): void {
    const known = this.nodes.get(entry.id)
    if (known === undefined) {
      const fresh = new NodeState(entry, base, body ?? undefined, this.counter, contentSize ?? contentSizeOf(entry, base, undefined))
      fresh.published = stamp
      this.setNode(fresh)
      return
    }
    this.#countBody(known, -1)
    known.contentSize = contentSize ?? contentSizeOf(entry, known.base, known)
    known.entry = entry
    known.changedAt = this.counter
    known.isForgotten = false
    if (body !== undefined) {
      known.body = body ?? undefined
      known.published = stamp
    }
    this.#countBody(known, 1)
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

  noteBodyBytes(node: NodeState<Body>, bytes: number): void {
    this.bodyBytes += bytes - node.bodyBytes
    node.bodyBytes = bytes
  }

  setBody(node: NodeState<Body>, body: Body | undefined): void {
    this.#countBody(node, -1)
    node.body = body
    this.#countBody(node, 1)
  }

  dropIfNothing(node: NodeState<Body>): void {
    if (isNothing(node)) this.dropNode(node)
  }

  putName({ directoryId, name, to, base }: NamePut): void {
    const names = this.namesOf(directoryId)
    let changed = names.get(name)
    if (changed === undefined) {
      changed = { name, to, base, shown: undefined, changedAt: this.counter, taken: undefined }
      this.addName(directoryId, changed)
    } else {
      names.setTo(changed, to)
      changed.changedAt = this.counter
    }
    this.dropNameIfNothing(directoryId, names, changed)
  }

  addName(directoryId: FileId, changed: ChangedName): void {
    this.namesOf(directoryId).add(changed)
    this.nameCount += 1
  }

  dropName(directoryId: FileId, names: ChangedNames, changed: ChangedName): void {
    names.drop(changed)
    this.nameCount -= 1
    if (names.size === 0) this.directories.delete(directoryId)
  }

  /** A name that leads where the snapshot's does is kept only to say where a changed inode stands. */
  dropNameIfNothing(directoryId: FileId, names: ChangedNames, changed: ChangedName): void {
    const { to, base } = changed
    if (changed.taken !== undefined || to?.id !== base?.id) return
    if (to !== undefined && to.kind !== 'directory' && this.nodes.has(to.id)) return
    this.dropName(directoryId, names, changed)
  }

  namesOf(directoryId: FileId): ChangedNames {
    let names = this.directories.get(directoryId)
    if (names === undefined) {
      names = new ChangedNames(this.nameCounts)
      this.directories.set(directoryId, names)
    }
    return names
  }

  /** The same with bodies of another kind; those that `make` has none for are none. This one is not to be used any more. */
  withBodies<Other>(make: (body: Body, node: NodeState<Body>) => Other | undefined): ChangeState<Other> {
    const other = new ChangeState<Other>(this.seq)
    for (const [id, names] of this.directories) other.directories.set(id, names)
    other.nameCounts = this.nameCounts
    for (const [id, place] of this.places) other.places.set(id, place)
    for (const node of this.nodes.values()) {
      const body = node.body === undefined ? undefined : make(node.body, node)
      const copy = new NodeState(node.entry, node.base, body, node.changedAt, node.contentSize)
      copy.taken = node.taken
      copy.published = node.published
      copy.isForgotten = node.isForgotten
      other.setNode(copy)
    }
    other.counter = this.counter
    other.oldestSeq = this.oldestSeq
    other.taken = this.taken
    other.nameCount = this.nameCount
    other.noteShownPlaces()
    return other
  }

  /** A directory made here has become another's, which may have changed names already: ours that lost theirs. */
  renameDirectory(id: FileId, into: FileId): void {
    if (id === into) return
    const own = this.places.get(id)
    this.places.delete(id)
    if (own !== undefined && !this.places.has(into)) this.places.set(into, { ...own, id: into })
    for (const place of this.places.values()) if (place.parentId === id) this.places.set(place.id, { ...place, parentId: into })
    const names = this.directories.get(id)
    if (names === undefined) return
    for (const changed of names.all()) {
      this.dropName(id, names, changed)
      if (this.name(into, changed.name) === undefined) this.addName(into, changed)
    }
  }

  /** The snapshot has it there. */
  notePlace(parentId: FileId, name: string, { id, kind }: NameTarget): void {
    if (kind === 'directory') this.places.set(id, { id, parentId, name })
  }

  /** Where the snapshot lies that has the batch, below directories that are new in it too. */
  noteShownPlaces(): void {
    this.shownPlaces.clear()
    if (this.taken === undefined) return
    const found: FileId[] = []
    const note = (directoryId: FileId, { name, taken, base, shown = base }: ChangedName, isIn: boolean): void => {
      if (taken?.kind !== 'directory' || (!isIn && (shown?.id !== taken.id || base?.id === taken.id))) return
      this.shownPlaces.set(taken.id, { id: taken.id, parentId: directoryId, name })
      found.push(taken.id)
    }
    for (const [id, names] of this.directories) if (!this.isNew(id)) for (const changed of names.all()) note(id, changed, false)
    for (let id = found.pop(); id !== undefined; id = found.pop()) {
      if (this.isNew(id)) for (const changed of this.directories.get(id)?.all() ?? []) note(id, changed, true)
    }
  }

  /** Places of the directories that changes speak of, and of all above them. */
  usedPlaces(): Map<FileId, Place> {
    const used = new Map<FileId, Place>()
    const use = (id: FileId): void => {
      for (let place = this.places.get(id); place !== undefined && !used.has(place.id); place = this.places.get(place.parentId)) used.set(place.id, place)
    }
    for (const [directoryId, names] of this.directories) {
      use(directoryId)
      for (const { to, base } of names.all()) {
        if (to?.kind === 'directory') use(to.id)
        if (base?.kind === 'directory') use(base.id)
      }
    }
    for (const { entry } of this.nodes.values()) if (entry.kind === 'directory') use(entry.id)
    return used
  }

  dropUnusedPlaces(): void {
    const used = this.usedPlaces()
    for (const id of this.places.keys()) if (!used.has(id)) this.places.delete(id)
  }

  forget(id: FileId): void {
    const node = this.nodes.get(id)
    if (node === undefined) return
    node.changedAt = this.counter
    this.setBody(node, undefined)
    node.isForgotten = true
    // Others may have given it another name meanwhile: by that it is read as it was published.
    node.entry = { ...node.entry, size: node.contentSize, linkCount: 0 }
    this.dropIfNothing(node)
  }

  #countBody(node: NodeState<Body>, by: number): void {
    if (node.body === undefined) return
    this.bodyCount += by
    if (by > 0) node.bodyBytes = node.entry.size
    this.bodyBytes += by * node.bodyBytes
  }
}

/**
 * It differs from its base in nothing, or was never in the volume and is gone. Then it is to be dropped, unless a name leads to it that did not. What a
 * batch has of it must be known until it is settled.
 */
export function isNothing<Body>({ entry, base, body, taken, isForgotten }: NodeState<Body>): boolean {
  if (taken !== undefined) return false
  return base === undefined ? isForgotten : body === undefined && areSameEntries(entry, base)
}
