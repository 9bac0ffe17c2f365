/**
 * An edit in the making: names and inodes that one operation changes, with what `LocalChanges` has to be told of those it sees for the first time (what
 * the snapshot has, and where directories lie in it). Called by the steps that change something; `commit` journals it and brings the rows up to date.
 *
 * INVARIANT: until `commit` nothing is changed, so a step that lacks a page can be run again from its beginning.
 */
import { errno } from '../../shared/errno.ts'
import { decodeEntryHead } from '../../shared/format/entry-codec.ts'
import type { Entry } from '../../shared/format/entry.ts'
import { decodeName } from '../../shared/name.ts'
import type { Place } from '../../shared/volume/change-set.ts'
import type { LocalBody } from '../bodies/local-body.ts'
import type { NamePut, NameTarget, NodePut } from '../changes/edit.ts'
import type { LocalChanges } from '../changes/local-changes.ts'
import { type Row, rootRow } from './inode-table.ts'
import { type Found, type VolumeTree, idOf } from './volume-tree.ts'

/** Paths are no deeper (PATH_MAX / 2); a cycle of rows cannot be, but may not hang the thread. */
const depthMax = 4096

export class EditDraft {
  readonly #tree: VolumeTree
  readonly #changes: LocalChanges
  readonly #names: NamePut[] = []
  readonly #nodes: NodePut[] = []
  readonly #places: Place[] = []
  #failure = 0

  constructor(tree: VolumeTree, changes: LocalChanges) {
    this.#tree = tree
    this.#changes = changes
  }

  /** A name leads to `to` from now on. `found`: what `tree.find` gives for it now. */
  name(directory: Row, name: string, found: Found | undefined, to: NameTarget | undefined): this {
    this.#names.push({ directoryId: idOf(this.#tree.table, directory), name, to, base: found === undefined ? undefined : targetOf(found) })
    return this
  }

  /** A directory whose names change. `before`: its entry now. */
  directory(row: Row, entry: Entry, before: Entry): this {
    if (this.#changes.node(before.id) === undefined) this.#place(row)
    return this.#put(entry, before)
  }

  /** An inode that stays where it is, whatever it is. `isClean`: the body holds what the entry's content says. */
  inPlace(row: Row, entry: Entry, before: Entry, body?: LocalBody | null, isClean = false): this {
    if (entry.kind === 'directory') return this.directory(row, entry, before)
    if (this.#changes.node(before.id) === undefined) this.mark(row, before)
    return this.#put(entry, before, body, isClean)
  }

  /** An inode that is no directory and of which the draft has a name, so that it can be found. */
  named(entry: Entry, before: Entry, body?: LocalBody | null): this {
    return this.#put(entry, before, body)
  }

  /** One that is made. */
  born(entry: Entry, body: LocalBody | undefined): this {
    this.#nodes.push({ entry, base: undefined, body })
    return this
  }

  /** Says by which name an inode of the snapshot is found in it. */
  mark(row: Row, { id, kind }: Entry): this {
    const { table } = this.#tree
    const parent = table.parentOf(row)
    if (parent === 0) {
      this.#failure = -errno.ESTALE
      return this
    }
    const name = decodeName(table.name(row))
    const directoryId = idOf(table, parent)
    const isSaid = this.#names.some((put) => put.directoryId === directoryId && put.name === name)
    if (isSaid || this.#changes.target(directoryId, name) !== undefined) return this
    this.#names.push({ directoryId, name, to: { id, kind }, base: { id, kind } })
    this.#place(parent)
    return this
  }

  /** 0, or a negative errno: then nothing is changed. */
  commit(): number {
    if (this.#failure !== 0) return this.#failure
    const result = this.#changes.apply({ names: this.#names, nodes: this.#nodes, places: this.#places })
    if (result < 0) return result
    for (const { entry } of this.#nodes) {
      const row = this.#tree.table.find(entry.id)
      if (row !== 0) this.#tree.mirror(row, entry)
    }
    return 0
  }

  #put(entry: Entry, before: Entry, body?: LocalBody | null, isClean = false): this {
    const isKnown = this.#changes.node(entry.id) !== undefined
    this.#nodes.push({ entry, base: isKnown ? undefined : before, body, isClean })
    return this
  }

  /** Of a directory and all above it, up to those that the changes know. */
  #place(directory: Row): void {
    const { table } = this.#tree
    for (let row = directory, depth = 0; row !== rootRow; depth += 1) {
      const id = idOf(table, row)
      // One that was made here is in no snapshot; of one that was moved here the changes know where it was.
      if (this.#changes.hasPlace(id) || this.#changes.node(id) !== undefined) return
      const parent = table.parentOf(row)
      if (parent === 0 || depth > depthMax) {
        this.#failure = -errno.ESTALE
        return
      }
      this.#places.push({ id, parentId: idOf(table, parent), name: decodeName(table.name(row)) })
      row = parent
    }
  }
}

export function targetOf(found: Found): NameTarget {
  if (!(found instanceof Uint8Array)) return found
  const { id, kind } = decodeEntryHead(found)
  return { id, kind }
}
