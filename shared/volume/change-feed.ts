/**
 * What a plan does, told by paths: the operations of the commit's record, and the conflicts for whoever committed. To be asked before the plan is carried
 * out, while directories know where they were.
 */
import type { CommitOperation } from '../format/commit-operation.ts'
import type { Entry } from '../format/entry.ts'
import { childPath, rootPath } from '../path.ts'
import { directoryEntries, finalEntry } from './change-apply.ts'
import type { FileState, Slot } from './change-ground.ts'
import type { ChangePlan } from './change-plan.ts'
import type { ChangeConflict } from './change-set.ts'
import { areSameXattrs, isSameBody, isSameEntry } from './entry-merge.ts'
import { DirectoryNode } from './overlay.ts'
import { Performed } from './performed.ts'

export interface ChangeFeed {
  readonly performed: readonly CommitOperation[]
  readonly conflicts: readonly ChangeConflict[]
}

export function tellPlan(plan: ChangePlan): ChangeFeed {
  const feed = new Feed(plan)
  for (const slot of plan.ground.slots()) feed.tellSlot(slot)
  for (const state of plan.ground.files()) feed.tellFile(state)
  feed.tellDirectories()
  const conflicts = plan.conflicts.map(({ wanted, keptAs, id, keptId }) => {
    return { path: feed.pathOf(wanted), keptAs: feed.pathOf(keptAs), keptIn: keptAs.directory.entry.id, id, keptId }
  })
  for (const { path, keptAs, keptId } of conflicts) feed.performed.tell({ op: 'conflict', path, to: keptAs, id: keptId })
  return { performed: feed.performed.operations, conflicts }
}

class Feed {
  readonly performed = new Performed()
  readonly #plan: ChangePlan
  /** Of directories, in the end and in the head. */
  readonly #paths = new Map<DirectoryNode, string>()
  readonly #headPaths = new Map<DirectoryNode, string>()
  readonly #changedDirectories = new Set<DirectoryNode>()

  constructor(plan: ChangePlan) {
    this.#plan = plan
  }

  tellSlot(slot: Slot): void {
    const { put, held } = slot
    if (put === undefined && !slot.isVacated) return
    this.#changedDirectories.add(slot.directory)
    const path = this.pathOf(slot)
    if (put instanceof DirectoryNode) this.#tellDirectory(put, path)
    else if (put !== undefined) this.#tellName(put, slot, path)
    else if (held instanceof DirectoryNode) {
      if (!this.#plan.placed.has(held)) this.performed.tell({ op: 'rmdir', path, id: held.entry.id })
    } else this.#tellRemoval(slot, path)
  }

  /** New content or attributes of a file that the head has. */
  tellFile(state: FileState): void {
    const entry = finalEntry(state)
    const { held, id } = state
    if (entry === undefined || held === undefined || state.entry === undefined) return
    if (isSameEntry(entry, { ...held, linkCount: entry.linkCount })) return
    const slot = state.puts[0] ?? (state.seen?.isVacated === false ? state.seen : undefined)
    // A file with several names, none of which the change set speaks of.
    if (slot === undefined) this.performed.tell({ op: 'subtree', path: rootPath })
    else if (!isSameBody(entry, held)) this.performed.tell({ op: 'write', path: this.pathOf(slot), id })
    else this.#tellAttributes(held, entry, this.pathOf(slot))
  }

  tellDirectories(): void {
    for (const [node, entry] of directoryEntries(this.#plan)) {
      const { mode, uid, gid, xattrs } = node.entry
      const isOwn = mode !== entry.mode || uid !== entry.uid || gid !== entry.gid || !areSameXattrs(xattrs, entry.xattrs)
      // Its times say that names came or went, which was told.
      if (isOwn || !this.#changedDirectories.has(node)) this.#tellAttributes(node.entry, entry, this.#pathOfDirectory(node))
    }
  }

  pathOf(slot: Slot): string {
    return childPath(this.#pathOfDirectory(slot.directory), slot.name)
  }

  #tellAttributes(before: Entry, after: Entry, path: string): void {
    this.performed.tell({ op: areSameXattrs(before.xattrs, after.xattrs) ? 'setattr' : 'setxattr', path, id: after.id })
  }

  #tellDirectory(node: DirectoryNode, path: string): void {
    const { id } = node.entry
    if (this.#plan.ground.restored.has(node)) this.performed.tell({ op: 'subtree', path })
    else if (node.parent === undefined) this.performed.tell({ op: 'mkdir', path, id })
    else this.performed.tell({ op: 'rename', path: this.#headPath(node), to: path, id })
  }

  /** The first new name replaces the first old one. */
  #tellName(state: FileState, slot: Slot, path: string): void {
    const index = state.puts.indexOf(slot)
    const from = state.vacated[index]
    const { id, kind } = finalEntry(state)!
    const other = state.seen?.isVacated === false ? state.seen : state.puts[0]!
    if (from !== undefined) this.performed.tell({ op: 'rename', path: this.#headPathOf(from), to: path, id })
    else if (state.held !== undefined || index > 0) this.performed.tell({ op: 'link', path: this.pathOf(other), to: path, id })
    else this.performed.tell({ op: kind === 'file' ? 'create' : kind === 'symlink' ? 'symlink' : 'mknod', path, id })
  }

  #tellRemoval(slot: Slot, path: string): void {
    const id = slot.heldId!
    const state = this.#plan.ground.known(id)
    const index = state?.vacated.indexOf(slot) ?? 0
    if (state === undefined || index >= state.puts.length) this.performed.tell({ op: 'unlink', path, id })
  }

  #pathOfDirectory(node: DirectoryNode): string {
    let path = this.#paths.get(node)
    if (path !== undefined) return path
    const slot = this.#plan.placed.get(node)
    path = slot === undefined ? this.#under(node, (parent) => this.#pathOfDirectory(parent)) : this.pathOf(slot)
    this.#paths.set(node, path)
    return path
  }

  #headPathOf(slot: Slot): string {
    return childPath(this.#headPath(slot.directory), slot.name)
  }

  #headPath(node: DirectoryNode): string {
    let path = this.#headPaths.get(node)
    // What was brought back was nowhere.
    if (path === undefined && node.parent === undefined && this.#plan.placed.has(node)) path = this.#pathOfDirectory(node)
    path ??= this.#under(node, (parent) => this.#headPath(parent))
    this.#headPaths.set(node, path)
    return path
  }

  #under(node: DirectoryNode, pathOfParent: (parent: DirectoryNode) => string): string {
    const name = this.#plan.ground.nameOf(node)
    return node.parent === undefined || name === undefined ? rootPath : childPath(pathOfParent(node.parent), name)
  }
}
