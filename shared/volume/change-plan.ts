/**
 * What becomes of each name and file of a change set on a head that others may have changed: the rules of conflict, for states. It decides and writes
 * nothing; `change-apply.ts` obeys.
 *
 * A name goes where we put it when the head has there what we saw there. Where it does not, theirs keeps the name: directories that both made become one,
 * equal files are one, everything else of ours goes beside it. What we took away and they changed stays (`kept`). Since that can get in the way of
 * what was decided before, a plan of which `plan-faults.ts` finds something to keep is made again with the longer list.
 *
 * INVARIANT: no content that either side made is without a name afterwards, but what the side itself took away.
 */
import type { Entry, FileId } from '../format/entry.ts'
import { listTree } from '../format/tree-page.ts'
import { decodeName, encodeName } from '../name.ts'
import { decodeEntry } from '../format/entry-codec.ts'
import { FileState, type Ground, type Slot } from './change-ground.ts'
import { type ChangeIndex, contradiction } from './change-index.ts'
import type { NameChange, NodeChange } from './change-set.ts'
import { isSameBody, mergeEntry } from './entry-merge.ts'
import { rootFileId } from './file-id.ts'
import { conflictName, conflictNamesOf } from './merge.ts'
import { DirectoryNode } from './overlay.ts'
import { readPages } from './page-loop.ts'
import type { PageStore } from './page-store.ts'

export interface PlanContext {
  readonly author: string
  /** The slot of the log that this try is for. */
  readonly seq: number
  readonly pages: PageStore
  readonly newFileId: () => FileId
  /** Ids of what stays where the head has it although we took it away. */
  readonly kept: ReadonlySet<FileId>
  /** Directories that go to the top, because where they should be leads round to themselves. */
  readonly lifted: ReadonlySet<FileId>
}

/** A conflict, by slots: paths are known only when everything has its place. */
export interface PlannedConflict {
  readonly wanted: Slot
  readonly keptAs: Slot
  readonly id: FileId
  readonly keptId: FileId
}

export class ChangePlan {
  readonly index: ChangeIndex
  readonly ground: Ground
  readonly conflicts: PlannedConflict[] = []
  /** Ours that are theirs now: as theirs are in the head. */
  readonly merged = new Map<FileId, Entry>()
  /** Directories that are made, or merged into one of theirs, by our id. */
  readonly made = new Map<FileId, DirectoryNode>()
  /** Where directories go that have no name in the head, or another one. */
  readonly placed = new Map<DirectoryNode, Slot>()
  /** Conflict copies of the content of files, by the id that theirs keeps. */
  readonly copies = new Map<FileId, Entry>()
  /** Directories that we removed or moved, by where the head has them. */
  readonly vacated = new Map<DirectoryNode, Slot>()
  readonly #making = new Set<FileId>()
  readonly #context: PlanContext

  constructor(index: ChangeIndex, ground: Ground, context: PlanContext) {
    this.index = index
    this.ground = ground
    this.#context = context
  }

  async decide(): Promise<void> {
    const { names, nodes } = this.index.set
    for (const id of this.index.movedDirectories()) await this.ground.home(id)
    for (const change of names) if (change.before !== undefined && change.before !== change.after) await this.#vacate(change, change.before)
    for (const change of names) if (change.after !== undefined && change.before !== change.after) await this.#put(change, change.after)
    for (const node of nodes) {
      if (node.after?.kind === 'directory') await this.ground.home(node.id)
      else if (node.after !== undefined) await this.#decideFile(node, node.after)
    }
  }

  /** The directory of a name, wherever it is now; made when it is new, or gone and needed. */
  async directory(id: FileId): Promise<DirectoryNode> {
    return (await this.ground.home(id)) ?? this.made.get(id) ?? this.#makeDirectory(id)
  }

  /** The directory of an id as far as it has one now. */
  nodeOf(id: FileId): DirectoryNode | undefined {
    return this.ground.knownHome(id) ?? this.made.get(id)
  }

  async #vacate(change: NameChange, id: FileId): Promise<void> {
    const directory = await this.ground.home(change.directoryId)
    const slot = directory === undefined ? undefined : await this.ground.slot(directory, change.name)
    if (slot?.held === undefined || slot.heldId !== id) return
    const isRemoved = this.index.names(id).put.length === 0
    if (this.#context.kept.has(id)) {
      if (isRemoved && change.after === undefined) this.#conflict(slot, slot, id, id)
      return
    }
    slot.isVacated = true
    if (!(slot.held instanceof DirectoryNode)) (await this.ground.file(id)).vacated.push(slot)
    else this.vacated.set(slot.held, slot)
  }

  async #put(change: NameChange, id: FileId): Promise<void> {
    if ((await this.index.kindOf(id)) !== 'directory') return this.#putFile(change, id)
    const home = await this.ground.home(id)
    if (home === undefined) {
      await this.directory(id)
      return
    }
    const slot = await this.ground.slot(await this.#parentFor(id, change.directoryId), change.name)
    if (slot.held === home && slot.put === undefined) {
      slot.isVacated = false
      return
    }
    // A mount that shows what others moved may have moved it by two names: one is enough.
    const isHere = !this.placed.has(home) && (this.ground.restored.has(home) || (await this.#isWhereItWas(id)))
    if (isHere && !this.#context.kept.has(id)) await this.#place(slot, home)
    // Of two moves of one directory the first holds.
    else this.#conflict(slot, this.placed.get(home) ?? (await this.#slotOfHome(home)), id, id)
  }

  async #putFile(change: NameChange, id: FileId): Promise<void> {
    const state = await this.ground.file(id)
    const { place } = state
    const hasMoved = this.index.names(id).vacated.length > 0 || (await this.#isNew(id))
    if (place !== undefined && !place.isVacated && hasMoved) {
      const home = (await this.ground.home(change.directoryId)) ?? this.made.get(change.directoryId)
      const wanted = home === undefined ? place : await this.ground.slot(home, change.name)
      if (wanted !== place) this.#conflict(wanted, place, id, id)
      return
    }
    const slot = await this.ground.slot(await this.directory(change.directoryId), change.name)
    if (slot.heldId === id && slot.put === undefined) {
      // Where it was, by another way: the directory that we put it in is theirs, where it is already.
      if (slot.isVacated) state.vacated.splice(state.vacated.indexOf(slot), 1)
      slot.isVacated = false
      return
    }
    if (state.held === undefined && state.entry === undefined) state.entry = await this.#entryOf(id)
    const into = state.held === undefined ? await this.#alike(slot, id, state.entry!) : undefined
    if (into !== undefined) {
      this.merged.set(id, into)
      return
    }
    const isFree = slot.occupant === undefined
    const isIt = (entry: Entry): boolean => (state.held === undefined ? isSameBody(entry, state.entry!) : entry.id === id)
    const mayBe = !isFree && (state.held !== undefined || !(await this.#isNew(id)))
    const known = !mayBe ? undefined : await this.#knownBeside(slot, isIt)
    if (known !== undefined) {
      if (state.held === undefined) this.copies.set(id, known.entry)
      this.#conflict(slot, known.slot, id, known.entry.id)
      return
    }
    const free = isFree ? slot : await this.#besides(slot)
    free.put = state
    state.puts.push(free)
    const keptId = state.entry?.id ?? id
    if (free !== slot || keptId !== id) this.#conflict(slot, free, id, keptId)
  }

  /** The content and attributes of a file; a file that others removed comes back when we changed its content. */
  async #decideFile(node: NodeChange, after: Entry): Promise<void> {
    const { id, before } = node
    if (this.merged.has(id)) return
    const state = await this.ground.file(id)
    if (state.held === undefined) {
      if (before === undefined || isSameBody(before, after)) return
      const { same, put, vacated } = this.index.names(id)
      for (const change of same) await this.#putFile(change, id)
      // It had more names than those that we know of: one that we took away is better than none.
      if (same.length + put.length === 0) await this.#putFile(vacated[0] ?? topName(id), id)
      const kept = state.puts[0]
      // Nobody knows of that name.
      if (same.length + put.length + vacated.length === 0 && kept !== undefined) this.#conflict(kept, kept, id, state.entry?.id ?? id)
      return
    }
    const { entry, isContested } = mergeEntry(before, after, state.held)
    state.entry = entry
    if (isContested) await this.#copy(state, after)
  }

  /** A new directory of ours, or one that is gone, where it is to be; the directory that others made there when there is one. */
  async #makeDirectory(id: FileId): Promise<DirectoryNode> {
    // Named by a mount that shows what others moved, directories may lie in each other: one of them comes to the top.
    if (this.#making.has(id)) return this.ground.overlay.root
    this.#making.add(id)
    const place = this.index.places.get(id)
    // One that is gone, and of which nothing says where it was, is made again at the top.
    const change = this.index.names(id).put[0] ?? (place === undefined ? { directoryId: rootFileId, name: `directory-${id}` } : { directoryId: place.parentId, name: place.name })
    const parent = await this.#parentFor(id, change.directoryId)
    const slot = await this.ground.slot(parent, change.name)
    const { occupant } = slot
    let node: DirectoryNode
    const theirs = occupant instanceof DirectoryNode ? occupant : await this.#madeBefore(slot, id)
    if (theirs !== undefined) {
      node = theirs
      this.merged.set(id, theirs.entry)
    } else {
      const entry = await this.#entryOf(id, { ...parent.entry, id, xattrs: new Map() })
      node = new DirectoryNode({ ...entry, size: 0, linkCount: 1, content: emptyTree }, undefined)
      await this.#place(slot, node, id)
    }
    this.made.set(id, node)
    return node
  }

  #parentFor(id: FileId, directoryId: FileId): Promise<DirectoryNode> {
    return this.#context.lifted.has(id) ? Promise.resolve(this.ground.overlay.root) : this.directory(directoryId)
  }

  /** What an earlier commit of the same changes made again for a directory that is gone, where its name was taken. */
  async #madeBefore(slot: Slot, id: FileId): Promise<DirectoryNode | undefined> {
    if (slot.occupant === undefined || (await this.#isNew(id))) return undefined
    const isIt = (entry: Entry): boolean => entry.kind === 'directory' && !this.index.places.has(entry.id) && !this.index.nodes.has(entry.id)
    const known = await this.#knownBeside(slot, isIt)
    return known?.slot.held instanceof DirectoryNode ? known.slot.held : undefined
  }

  async #place(slot: Slot, node: DirectoryNode, id: FileId = node.entry.id): Promise<void> {
    const free = slot.occupant === undefined ? slot : await this.#besides(slot)
    free.put = node
    this.placed.set(node, free)
    if (free !== slot || node.entry.id !== id) this.#conflict(slot, free, id, node.entry.id)
  }

  /**
   * What is made, or made again, by what is known of it or else by the default. Under a fresh id when the old one may be in use where it could not be
   * looked for.
   */
  async #entryOf(id: FileId, byDefault?: Entry): Promise<Entry> {
    const entry = this.index.nodes.get(id)?.after ?? (await this.ground.entryBefore(id)) ?? byDefault
    if (entry === undefined) throw contradiction(`a name leads to ${id}, and nothing says what that is`)
    const isSafe = (await this.#isNew(id)) || (await this.ground.isExact())
    return isSafe ? entry : { ...entry, id: this.#context.newFileId() }
  }

  async #isNew(id: FileId): Promise<boolean> {
    const { vacated, same } = this.index.names(id)
    return vacated.length + same.length === 0 && this.index.nodes.get(id)?.before === undefined && !this.index.places.has(id)
  }

  /** The directory still has the name that we took from it. */
  async #isWhereItWas(id: FileId): Promise<boolean> {
    for (const change of this.index.names(id).vacated) {
      const directory = await this.ground.home(change.directoryId)
      if (directory !== undefined && (await this.ground.slot(directory, change.name)).heldId === id) return true
    }
    return false
  }

  async #slotOfHome(home: DirectoryNode): Promise<Slot> {
    return this.ground.slot(home.parent!, this.ground.nameOf(home)!)
  }

  /** What stands at a slot when ours is the same. */
  async #alike(slot: Slot, id: FileId, ours: Entry): Promise<Entry | undefined> {
    const { occupant } = slot
    if (occupant === undefined || occupant instanceof DirectoryNode || occupant instanceof FileState) return undefined
    const { put, same } = this.index.names(id)
    // Several names of a new file stay together.
    if (put.length + same.length > 1 && occupant.content.kind !== 'link' && (await this.#isNew(id))) return undefined
    const theirs = await this.ground.overlay.whole(occupant)
    return isSameBody(ours, theirs) ? theirs : undefined
  }

  /** Our version of a file whose content both sides changed. One that is there already, because the set comes again, will do. */
  async #copy(state: FileState, ours: Entry): Promise<void> {
    const beside = await this.#nameOf(state)
    const known = await this.#knownBeside(beside, (entry) => isSameBody(entry, ours))
    if (known !== undefined) {
      this.copies.set(state.id, known.entry)
      this.#conflict(beside, known.slot, state.id, known.entry.id)
      return
    }
    const slot = await this.#besides(beside)
    const copy = this.ground.make(this.#context.newFileId(), { ...ours, linkCount: 1 })
    copy.entry = { ...ours, id: copy.id, linkCount: 1 }
    slot.put = copy
    copy.puts.push(slot)
    this.copies.set(state.id, copy.entry)
    this.#conflict(beside, slot, state.id, copy.id)
  }

  /**
   * Our name of a file: the same one when the set comes again, wherever theirs is by then. A file with several names may be changed without any of them,
   * since the one that had told where it is was removed by an earlier set: ours then comes to the top.
   */
  async #nameOf({ id, seen }: FileState): Promise<Slot> {
    const { put, same, vacated } = this.index.names(id)
    const change = put[0] ?? same[0] ?? vacated[0]
    if (change !== undefined) return this.ground.slot(await this.directory(change.directoryId), change.name)
    return seen ?? this.ground.slot(this.ground.overlay.root, topName(id).name)
  }

  /** What an earlier commit of the same changes has put beside a name. */
  async #knownBeside({ directory, name }: Slot, isIt: (entry: Entry) => boolean): Promise<{ readonly slot: Slot; readonly entry: Entry } | undefined> {
    const { stem, isOne } = conflictNamesOf(name, this.#context.author)
    const { base } = directory
    let after = encodeName(stem)
    for (let isLast = base === undefined; !isLast; ) {
      const from = after
      const { items, done } = await readPages(this.#context.pages, (source) => listTree(base, from, 100, source))
      for (const { key, value } of items) {
        const candidate = decodeName(key)
        if (!candidate.startsWith(stem)) return undefined
        if (!isOne(candidate)) continue
        const entry = await this.ground.overlay.whole(decodeEntry(value))
        if (!isIt(entry)) continue
        const slot = await this.ground.slot(directory, candidate)
        if (slot.heldId === entry.id && !slot.isVacated) return { slot, entry }
      }
      isLast = done
      after = items.at(-1)?.key.slice() ?? after
    }
    return undefined
  }

  /** A free name beside one that is taken. */
  async #besides(slot: Slot): Promise<Slot> {
    const { author, seq } = this.#context
    for (let count = 0; ; count += 1) {
      const candidate = await this.ground.slot(slot.directory, conflictName(slot.name, author, seq, count))
      if (candidate.held === undefined && candidate.put === undefined) return candidate
    }
  }

  #conflict(wanted: Slot, keptAs: Slot, id: FileId, keptId: FileId): void {
    this.conflicts.push({ wanted, keptAs, id, keptId })
  }

  /** Where a directory is in the end. */
  parentOf(node: DirectoryNode): DirectoryNode | undefined {
    return this.placed.get(node)?.directory ?? node.parent
  }
}

const emptyTree = { kind: 'tree', root: { pointer: undefined, entryCount: 0, directoryCount: 0 } } as const

/** For a file of which no name is known any more. */
function topName(id: FileId): NameChange {
  return { directoryId: rootFileId, name: `file-${id}`, before: id, after: id }
}
