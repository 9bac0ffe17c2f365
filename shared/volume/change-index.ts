/**
 * A change set by ids: what the parts of its merge look up, and what the snapshot had that it was made from. Made once for a batch; nothing here knows
 * the head.
 */
import { EdgemountError } from '../error.ts'
import type { Entry, FileId, FileKind } from '../format/entry.ts'
import { checkName } from '../path.ts'
import type { ChangeSet, NameChange, NodeChange, Place } from './change-set.ts'
import type { Snapshot } from './snapshot.ts'

/** The names that lead, or led, to one id. */
export interface NamesOf {
  /** They led to it before and do not now. */
  readonly vacated: NameChange[]
  /** They lead to it now and did not before. */
  readonly put: NameChange[]
  /** They say where it stands. */
  readonly same: NameChange[]
}

const noNames: NamesOf = { vacated: [], put: [], same: [] }

export class ChangeIndex {
  readonly set: ChangeSet
  readonly base: Snapshot
  readonly nodes = new Map<FileId, NodeChange>()
  readonly places = new Map<FileId, Place>()
  readonly #names = new Map<FileId, NamesOf>()
  readonly #directories = new Map<FileId, Entry | undefined>()

  /** Throws `invalid` for a set that contradicts itself. */
  constructor(set: ChangeSet, base: Snapshot) {
    this.set = set
    this.base = base
    for (const node of set.nodes) this.nodes.set(node.id, node)
    for (const place of set.places) this.places.set(place.id, place)
    const known = new Set<string>()
    for (const change of set.names) {
      checkName(change.name)
      const key = `${change.directoryId}/${change.name}`
      if (known.has(key)) throw contradiction(`the name "${change.name}" in directory ${change.directoryId} is changed twice`)
      known.add(key)
      const { before, after } = change
      if (before !== undefined && before === after) this.#open(before).same.push(change)
      else {
        if (before !== undefined) this.#open(before).vacated.push(change)
        if (after !== undefined) this.#open(after).put.push(change)
      }
    }
  }

  names(id: FileId): NamesOf {
    return this.#names.get(id) ?? noNames
  }

  /** Directories of the base that have another name now. */
  movedDirectories(): FileId[] {
    return Array.from(this.places.keys()).filter((id) => this.names(id).put.length > 0)
  }

  /** The kind of something that a name leads to. Throws `invalid` when nothing says what it is. */
  async kindOf(id: FileId): Promise<FileKind> {
    if (this.places.has(id)) return 'directory'
    const entry = this.nodes.get(id)?.after ?? (await this.entryBefore(id))
    if (entry !== undefined) return entry.kind
    throw contradiction(`a name leads to ${id}, and nothing says what that is`)
  }

  /** As it was when it was changed, or in the base when that has it where a place or name says; whole. */
  async entryBefore(id: FileId): Promise<Entry | undefined> {
    const node = this.nodes.get(id)
    if (node !== undefined && (node.before !== undefined || !this.places.has(id))) return node.before
    if (this.places.has(id) || id === this.base.root.directory.id) return this.#directoryBefore(id)
    const { vacated, same } = this.names(id)
    for (const change of [...vacated, ...same]) {
      const directory = await this.#directoryBefore(change.directoryId)
      const entry = directory === undefined ? undefined : await this.base.child(directory, change.name)
      if (entry?.id === id) return entry
    }
    return undefined
  }

  /** A directory of the base; undefined when it does not lie where its place says. */
  async #directoryBefore(id: FileId): Promise<Entry | undefined> {
    if (id === this.base.root.directory.id) return this.base.root.directory
    if (this.#directories.has(id)) return this.#directories.get(id)
    // A place that leads back to itself leads nowhere.
    this.#directories.set(id, undefined)
    const place = this.places.get(id)
    const parent = place === undefined ? undefined : await this.#directoryBefore(place.parentId)
    const found = parent === undefined ? undefined : await this.base.child(parent, place!.name)
    const entry = found?.id === id && found.kind === 'directory' ? found : undefined
    this.#directories.set(id, entry)
    return entry
  }

  #open(id: FileId): NamesOf {
    let names = this.#names.get(id)
    if (names === undefined) this.#names.set(id, (names = { vacated: [], put: [], same: [] }))
    return names
  }
}

export function contradiction(why: string): EdgemountError {
  return new EdgemountError('invalid', `Cannot commit changes: ${why}`)
}
