/**
 * A volume, a mount over it and a program, all in plain maps: what `LocalChanges` is compared with.
 *
 * `tree` is what the program must see. `snapshots` are the commits: a batch must fit the newest one exactly (its `before`s are what stands there, its link
 * counts are the names that lead there), and make of it what the program saw when the batch was taken.
 */
import { errno } from '../../shared/errno.ts'
import { EdgemountError } from '../../shared/error.ts'
import { encodeEntry } from '../../shared/format/entry-codec.ts'
import type { Entry, FileId, FileKind } from '../../shared/format/entry.ts'
import { fileIdsFrom, rootFileId } from '../../shared/volume/file-id.ts'
import type { ChangeSet, Place } from '../../shared/volume/change-set.ts'
import type { Edit, NamePut, NameTarget, NodePut } from '../../shim/changes/edit.ts'
import { areSameEntries } from '../../shim/changes/entry-merge.ts'
import { LocalChanges, type LocalChangesParts } from '../../shim/changes/local-changes.ts'
import type { Settled } from '../../shim/changes/outbox.ts'
import type { Batch, Published } from '../../shim/changes/publishing.ts'
import { type Recovered, recoverChanges, replayChanges } from '../../shim/changes/recover.ts'
import type { ChangedName } from '../../shim/fs/backend.ts'
import { FakeBody, FakeDisk } from './fake-body.ts'
import { ManualClock } from './manual-clock.ts'
import { MemoryJournal } from './memory-journal.ts'
import { SeededRandom } from './seeded-random.ts'

export interface Tree {
  readonly names: Map<FileId, Map<string, FileId>>
  readonly nodes: Map<FileId, Entry>
}

export interface Commit {
  readonly seq: number
  readonly tree: Tree
  readonly nonce: string | undefined
  readonly published: Published | undefined
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export class ChangesWorld {
  readonly random: SeededRandom
  readonly clock = new ManualClock(1_700_000_000_000)
  readonly disk = new FakeDisk()
  journal = new MemoryJournal()
  /** What a program sees; entries without the content of files, which is in `bytes`. */
  readonly tree: Tree = emptyTree()
  readonly bytes = new Map<FileId, string>()
  readonly commits: Commit[] = [{ seq: 1, tree: emptyTree(), nonce: undefined, published: undefined }]
  readonly open = new Set<FileId>()
  changes: LocalChanges<FakeBody>
  shownSeq = 1
  /** All that is done falls into one tick of the disk's clock. */
  isClockStill = false
  readonly newId: () => FileId
  #now = 0
  /** There was no room for a record of what happened anyway, so a new process may come back before it. */
  #isFull = false

  constructor(seed: number) {
    this.random = new SeededRandom(seed)
    this.newId = fileIdsFrom(this.random)
    this.changes = new LocalChanges<FakeBody>(this.#parts())
  }

  get shown(): Tree {
    return this.commits[this.shownSeq - 1]!.tree
  }

  get head(): Commit {
    return this.commits.at(-1)!
  }

  below(count: number): number {
    return this.random.next() % count
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[this.below(Math.max(1, items.length))]
  }

  directories(): FileId[] {
    return Array.from(this.tree.nodes.values()).flatMap(({ id, kind, linkCount }) => (kind === 'directory' && linkCount > 0 ? [id] : []))
  }

  /** Named inodes that are no directories. */
  files(): FileId[] {
    return Array.from(this.tree.nodes.values()).flatMap(({ id, kind, linkCount }) => (kind === 'file' && linkCount > 0 ? [id] : []))
  }

  placesOf(id: FileId): { directoryId: FileId; name: string }[] {
    return Array.from(this.tree.names).flatMap(([directoryId, names]) => Array.from(names).flatMap(([name, to]) => (to === id ? [{ directoryId, name }] : [])))
  }

  create(directoryId: FileId, name: string, data: string): void {
    const id = this.newId()
    const body = new FakeBody(this.disk, this.disk.create(data))
    this.#apply([{ directoryId, name, to: { id, kind: 'file' } }], [{ entry: this.#entry(id, 'file', data.length), body }, this.#moved(directoryId)])
    this.bytes.set(id, data)
  }

  makeDirectory(directoryId: FileId, name: string): void {
    const id = this.newId()
    this.#apply([{ directoryId, name, to: { id, kind: 'directory' } }], [{ entry: this.#entry(id, 'directory', 0) }, this.#moved(directoryId)])
    this.tree.names.set(id, new Map())
  }

  link(id: FileId, directoryId: FileId, name: string): void {
    const entry = this.tree.nodes.get(id)!
    const kind = entry.kind
    const first = this.placesOf(id)[0]!
    const names = [{ directoryId, name, to: { id, kind } }, { ...first, to: { id, kind } }]
    this.#apply(names, [{ entry: { ...entry, linkCount: entry.linkCount + 1, ctime: this.#time() } }, this.#moved(directoryId)])
  }

  /** Unlink or rmdir. */
  remove(directoryId: FileId, name: string): void {
    const id = this.tree.names.get(directoryId)!.get(name)!
    const gone = this.#oneLess(id)
    const isGone = gone.entry.linkCount === 0 && !this.open.has(id)
    this.#apply([{ directoryId, name, to: undefined }], [gone, this.#moved(directoryId)])
    if (isGone) this.#forget(id)
  }

  rename(directoryId: FileId, name: string, toDirectoryId: FileId, toName: string): void {
    const id = this.tree.names.get(directoryId)!.get(name)!
    const entry = this.tree.nodes.get(id)!
    const replaced = this.tree.names.get(toDirectoryId)?.get(toName)
    if (replaced === id) return
    const names = [
      { directoryId, name, to: undefined },
      { directoryId: toDirectoryId, name: toName, to: { id, kind: entry.kind } },
    ]
    const nodes = [{ entry: { ...entry, ctime: this.#time() } }, this.#moved(directoryId)]
    if (toDirectoryId !== directoryId) nodes.push(this.#moved(toDirectoryId))
    if (replaced !== undefined) nodes.push(this.#oneLess(replaced))
    this.#apply(names, nodes)
    if (replaced !== undefined && this.tree.nodes.get(replaced)!.linkCount === 0 && !this.open.has(replaced)) this.#forget(replaced)
  }

  setMode(id: FileId, mode: number): void {
    this.#apply([], [{ entry: { ...this.tree.nodes.get(id)!, mode, ctime: this.#time() } }])
  }

  setXattr(id: FileId, name: string, value: string): void {
    const entry = this.tree.nodes.get(id)!
    this.#apply([], [{ entry: { ...entry, xattrs: new Map([...entry.xattrs, [name, encoder.encode(value)]]), ctime: this.#time() } }])
  }

  /** Opens for writing: from now on the file has a body. */
  openForWriting(id: FileId): void {
    this.open.add(id)
    const node = this.changes.node(id)
    if (node?.body !== undefined) return
    const entry = node?.entry ?? this.shown.nodes.get(id)!
    const body = new FakeBody(this.disk, this.disk.create(this.bytes.get(id)!))
    this.#apply([], [{ entry, body, isClean: true }])
  }

  /** As a passthrough write does: nobody is told. */
  write(id: FileId, data: string): void {
    this.changes.node(id)!.body!.write(data)
    this.bytes.set(id, data)
  }

  close(id: FileId): void {
    this.open.delete(id)
    const entry = this.tree.nodes.get(id)!
    if (entry.linkCount === 0) this.#forget(id)
    else this.#takeReleased(this.changes.releaseClean(1, id))
  }

  /** Somebody else commits something that has nothing to do with us. */
  commitRemote(): void {
    const tree = copyTree(this.head.tree)
    const id = this.newId()
    const name = `remote-${this.commits.length}`
    tree.nodes.set(id, this.#entry(id, 'file', 0))
    tree.names.get(rootFileId)!.set(name, id)
    this.commits.push({ seq: this.commits.length + 1, tree, nonce: undefined, published: undefined })
  }

  /** The handler comes to the newest commit. */
  show(): void {
    const before = this.shown
    this.shownSeq = this.head.seq
    for (const [name, id] of this.shown.names.get(rootFileId)!) {
      if (!name.startsWith('remote-') || before.names.get(rootFileId)!.has(name) || this.tree.nodes.has(id)) continue
      this.tree.names.get(rootFileId)!.set(name, id)
      this.tree.nodes.set(id, this.shown.nodes.get(id)!)
      this.bytes.set(id, '')
    }
    this.changes.baseMoved({ seq: this.shownSeq, names: changedNames(before, this.shown) })
    this.take(this.changes.settleShown())
  }

  /** As `show`, with no room for the journal's record of it. */
  showFull(): void {
    this.journal.failure = -errno.ENOSPC
    this.show()
    this.journal.failure = 0
    this.#isFull = true
  }

  /** Makes a commit of a batch. `changed`: files whose bodies could not be vouched for. */
  commit(batch: Batch, changed: ReadonlySet<FileId>): Published {
    const tree = copyTree(this.head.tree)
    const bodies = batch.bodies.filter(({ id }) => !changed.has(id))
    const contents = new Map(bodies.map(({ id, path, mtime }) => [id, { data: this.disk.read(path), mtime }]))
    applySet(tree, batch.changes, (after) => {
      const read = contents.get(after.id)
      if (read === undefined) return after
      return { ...after, size: read.data.length, mtime: read.mtime, content: { kind: 'inline', bytes: encoder.encode(read.data) } }
    })
    const seq = this.commits.length + 1
    const nodes = batch.changes.nodes.flatMap(({ id, after }) => (after === undefined ? [] : [{ id, entry: encodeEntry(tree.nodes.get(id)!) }]))
    const done = bodies.map(({ id, generation, mtime }) => ({ id, generation, mtime }))
    const published = { counter: batch.counter, seq, nodes, bodies: done, superseded: [], conflicts: [], merged: [] }
    this.commits.push({ seq, tree, nonce: batch.nonce, published })
    return published
  }

  release(): void {
    this.#takeReleased(this.changes.releaseClean(10))
  }

  take(settled: Settled<FakeBody>): void {
    this.#takeReleased(settled.nodes)
  }

  /** The process ends; the next one has the journal, the disk and the volume. Files that had no name are gone. `failure`: of its journal's appends. */
  crash({ failure = 0, makeRoom }: { readonly failure?: number; readonly makeRoom?: () => boolean } = {}): Recovered<FakeBody> {
    this.open.clear()
    this.disk.mapped.clear()
    for (const [id, { linkCount }] of this.tree.nodes) if (linkCount === 0) this.tree.nodes.delete(id)
    const records = this.journal.records.map((record) => record.slice())
    this.journal = new MemoryJournal()
    this.journal.records = [...records]
    this.journal.failure = failure
    const replayed = replayChanges((visit) => records.forEach((record) => visit(record)))
    const { seq = this.shownSeq } = replayed
    const isOld = this.#isFull && seq < this.shownSeq
    if (seq !== this.shownSeq && !isOld) throw new EdgemountError('internal', `The journal is over snapshot ${seq}`)
    if (isOld) this.shownSeq = seq
    const recovered = recoverChanges<FakeBody>({ ...this.#parts(), makeRoom }, replayed, (state, noted) => FakeBody.restore(this.disk, state, noted))
    this.changes = recovered.changes
    this.#isFull = false
    // It follows to what it showed.
    if (isOld) this.show()
    return recovered
  }

  /** What differs between what is shown and what a program must see, as sentences. */
  faults(): string[] {
    const faults: string[] = []
    for (const [directoryId, names] of this.tree.names) {
      if (!this.tree.nodes.has(directoryId)) continue
      let shown = this.shown.names.get(directoryId) ?? new Map<string, FileId>()
      const local = new Map([...this.changes.namesAfter(directoryId, undefined)].map(({ name, to }) => [name, to]))
      for (const name of new Set([...names.keys(), ...shown.keys(), ...local.keys()])) {
        const target = this.changes.target(directoryId, name)
        if (target !== undefined && local.get(name) !== target) faults.push(`${directoryId}/${name} is listed otherwise`)
        const id = target === undefined ? shown.get(name) : target?.id
        if (id !== names.get(name)) faults.push(`${directoryId}/${name} leads to ${id}, not to ${names.get(name)}`)
      }
      const { entries, directories } = this.changes.counts(directoryId)
      // To the handler a directory that was made here has nothing but changes until it is settled.
      const node = this.changes.node(directoryId)
      if (node !== undefined && node.base === undefined) shown = new Map()
      if (shown.size + entries !== names.size) faults.push(`${directoryId} has ${shown.size + entries} entries, not ${names.size}`)
      const count = (tree: Tree, of: Map<string, FileId>): number => [...of.values()].filter((id) => tree.nodes.get(id)?.kind === 'directory').length
      if (count(this.shown, shown) + directories !== count(this.tree, names)) faults.push(`${directoryId} counts ${directories} directories more`)
    }
    for (const entry of this.tree.nodes.values()) faults.push(...this.#nodeFaults(entry))
    return faults
  }

  #nodeFaults(entry: Entry): string[] {
    const { id } = entry
    const node = this.changes.node(id)
    const found = node?.entry ?? this.shown.nodes.get(id)
    if (found === undefined) return [`${id} is gone`]
    const faults: string[] = []
    // Sizes and times of a file with a body are the body's.
    const asFile = (one: Entry): Entry => (one.kind === 'file' ? { ...one, size: 0, mtime: entry.mtime, content: { kind: 'inline', bytes: new Uint8Array(0) } } : one)
    if (!areSameEntries(asFile(found), asFile(entry))) faults.push(`${id} is ${JSON.stringify(found)}, not ${JSON.stringify(entry)}`)
    if (entry.kind !== 'file' || entry.linkCount === 0) return faults
    const data = node?.body === undefined ? textOf(found) : node.body.read()
    if (data !== this.bytes.get(id)) faults.push(`${id} holds "${data}", not "${this.bytes.get(id)}"`)
    return faults
  }

  #parts(): LocalChangesParts {
    return {
      journal: this.journal,
      seq: this.shownSeq,
      clock: this.clock,
      random: this.random,
      sync: (_fd, done) => done(0),
      isOpen: (id) => this.open.has(id),
    }
  }

  #apply(names: readonly Omit<NamePut, 'base'>[], puts: readonly Omit<NodePut<FakeBody>, 'base'>[]): void {
    const { shown } = this
    const places: Place[] = []
    const edit: Edit<FakeBody> = { names: names.map((put) => ({ ...put, base: this.#baseAt(put.directoryId, put.name) })), nodes: [], places }
    const put = { names: [...edit.names!], nodes: [] as NodePut<FakeBody>[] }
    for (const { directoryId } of names) this.#place(directoryId, places)
    for (const one of puts) {
      const { id, kind } = one.entry
      const base = shown.nodes.get(id)
      const known = this.changes.node(id)?.entry ?? base ?? one.entry
      put.nodes.push({ ...one, entry: { ...one.entry, content: known.content, size: known.size }, base })
      if (base === undefined || this.changes.node(id) !== undefined) continue
      if (kind === 'directory') this.#place(id, places)
      else if (!put.names.some((name) => name.base?.id === id)) this.#anchor(id, put.names, places)
    }
    const result = this.changes.apply({ ...put, places })
    if (result !== 0) throw new EdgemountError('internal', `Cannot apply: ${result}`)
    for (const { directoryId, name, to } of names) {
      const map = this.tree.names.get(directoryId)!
      if (to === undefined) map.delete(name)
      else map.set(name, to.id)
    }
    for (const { entry } of puts) this.tree.nodes.set(entry.id, entry)
  }

  #anchor(id: FileId, names: NamePut[], places: Place[]): void {
    for (const [directoryId, shown] of this.shown.names) {
      for (const [name, to] of shown) {
        if (to !== id) continue
        const target = { id, kind: this.shown.nodes.get(id)!.kind }
        names.push({ directoryId, name, to: target, base: target })
        this.#place(directoryId, places)
        return
      }
    }
  }

  #place(id: FileId, places: Place[]): void {
    for (const [parentId, names] of this.shown.names) {
      for (const [name, to] of names) {
        if (to !== id || this.changes.hasPlace(id) || places.some((place) => place.id === id)) continue
        places.push({ id, parentId, name })
        this.#place(parentId, places)
      }
    }
  }

  #baseAt(directoryId: FileId, name: string): NameTarget | undefined {
    const id = this.shown.names.get(directoryId)?.get(name)
    return id === undefined ? undefined : { id, kind: this.shown.nodes.get(id)!.kind }
  }

  #forget(id: FileId): void {
    this.changes.discard(id)
    this.tree.nodes.delete(id)
  }

  #moved(directoryId: FileId): { entry: Entry } {
    const time = this.#time()
    return { entry: { ...this.tree.nodes.get(directoryId)!, mtime: time, ctime: time } }
  }

  #oneLess(id: FileId): { entry: Entry } {
    const entry = this.tree.nodes.get(id)!
    return { entry: { ...entry, linkCount: entry.linkCount - 1, ctime: this.#time() } }
  }

  /** The test's handler has no cache: what was given back is shown from the volume. */
  #takeReleased(nodes: Settled<FakeBody>['nodes']): void {
    for (const { body } of nodes) if (body !== undefined) this.disk.remove(body.path)
  }

  #time(): { seconds: number; nanoseconds: number } {
    if (!this.isClockStill) this.#now += 1
    return { seconds: 1_700_000_000 + this.#now, nanoseconds: this.#now }
  }

  #entry(id: FileId, kind: FileKind, size: number): Entry {
    const time = this.#time()
    const content: Entry['content'] = kind === 'directory' ? emptyDirectory : { kind: 'inline', bytes: new Uint8Array(0) }
    return { kind, id, mode: 0o644, uid: 0, gid: 0, mtime: time, ctime: time, size, linkCount: 1, xattrs: noXattrs, content }
  }
}

const noXattrs: Entry['xattrs'] = new Map()
const emptyDirectory: Entry['content'] = { kind: 'tree', root: { pointer: undefined, entryCount: 0, directoryCount: 0 } }
const startTime = { seconds: 1, nanoseconds: 0 }

function emptyTree(): Tree {
  const root: Entry = {
    kind: 'directory',
    id: rootFileId,
    mode: 0o755,
    uid: 0,
    gid: 0,
    mtime: startTime,
    ctime: startTime,
    size: 0,
    linkCount: 1,
    xattrs: noXattrs,
    content: emptyDirectory,
  }
  return { names: new Map([[rootFileId, new Map()]]), nodes: new Map([[rootFileId, root]]) }
}

function changedNames(before: Tree, after: Tree): ChangedName[] {
  const changed: ChangedName[] = []
  // As the engine tells it: what is in a directory that came or went is not listed.
  for (const directoryId of before.names.keys()) {
    if (!after.names.has(directoryId)) continue
    const had = before.names.get(directoryId)
    const has = after.names.get(directoryId)
    for (const name of new Set([...(had?.keys() ?? []), ...(has?.keys() ?? [])])) {
      const [beforeId, id] = [had?.get(name), has?.get(name)]
      if (beforeId !== id) changed.push({ directoryId, name, entry: id === undefined ? undefined : encodeEntry(after.nodes.get(id)!), beforeId })
    }
  }
  return changed
}

function copyTree({ names, nodes }: Tree): Tree {
  return { names: new Map(Array.from(names, ([id, map]) => [id, new Map(map)])), nodes: new Map(nodes) }
}

function textOf({ content }: Entry): string {
  return content.kind === 'inline' ? decoder.decode(content.bytes) : ''
}

/** Throws when the set does not fit. */
export function applySet(tree: Tree, { names, nodes, places }: ChangeSet, withContent: (after: Entry) => Entry): void {
  const fail = (why: string): never => {
    throw new EdgemountError('internal', `Cannot apply a change set: ${why}`)
  }
  const isNew = new Set(nodes.flatMap(({ id, before }) => (before === undefined ? [id] : [])))
  const isPlaced = new Set([rootFileId, ...places.map(({ id }) => id)])
  for (const { directoryId } of names) if (!isPlaced.has(directoryId) && !isNew.has(directoryId)) fail(`nothing says where directory ${directoryId} is`)
  for (const { id, parentId, name } of places) if (tree.names.get(parentId)?.get(name) !== id) fail(`directory ${id} is not at ${parentId}/${name}`)
  for (const { id, before, after } of nodes) {
    const held = tree.nodes.get(id)
    const isSame = held === undefined || before === undefined ? held === before : areSameEntries(held, before)
    if (!isSame) fail(`inode ${id} is ${JSON.stringify(held)}, not ${JSON.stringify(before)}`)
    if (after === undefined) tree.nodes.delete(id)
    else tree.nodes.set(id, withContent(after))
    if (after?.kind === 'directory' && !tree.names.has(id)) tree.names.set(id, new Map())
  }
  const removed = new Set<FileId>()
  for (const { directoryId, name, before, after } of names) {
    const map = tree.names.get(directoryId) ?? fail(`there is no directory ${directoryId}`)
    if (map.get(name) !== before) fail(`${directoryId}/${name} leads to ${map.get(name)}, not to ${before}`)
    if (before === after && before === undefined) fail(`${directoryId}/${name} is no change`)
    if (after === undefined) map.delete(name)
    else map.set(name, after)
    if (before !== undefined) removed.add(before)
  }
  for (const id of removed) if (!tree.nodes.has(id)) tree.names.delete(id)
  const counts = new Map<FileId, number>()
  for (const map of tree.names.values()) for (const id of map.values()) counts.set(id, (counts.get(id) ?? 0) + 1)
  for (const { id, linkCount } of tree.nodes.values()) {
    if (id !== rootFileId && (counts.get(id) ?? 0) !== linkCount) fail(`inode ${id} has ${counts.get(id) ?? 0} names and counts ${linkCount}`)
  }
  for (const id of counts.keys()) if (!tree.nodes.has(id)) fail(`a name leads to ${id}, which is not there`)
}
