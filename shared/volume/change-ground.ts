/**
 * Where the things that a change set speaks of are in the head: directories and files by id, names as slots. It reads and remembers; `change-plan.ts`
 * decides what becomes of them.
 *
 * Something is found by the name it had when that still leads to it, else by `Whereabouts`; a directory of which no name is known is searched for. A directory
 * that we moved and others removed is brought back with what it held, so that it counts as found.
 */
import type { Entry, FileId } from '../format/entry.ts'
import { splitPath } from '../path.ts'
import type { ChangeIndex } from './change-index.ts'
import type { DirectorySearch } from './directory-search.ts'
import type { Whereabouts } from './moves.ts'
import { DirectoryNode, type Found, type Overlay } from './overlay.ts'
import { bringBack } from './restore.ts'

/** A name in a directory of the head (or of one that is made), and what becomes of it. */
export class Slot {
  readonly directory: DirectoryNode
  readonly name: string
  readonly held: Found | undefined
  /** We take away what is there. */
  isVacated = false
  put: DirectoryNode | FileState | undefined

  constructor(directory: DirectoryNode, name: string, held: Found | undefined) {
    this.directory = directory
    this.name = name
    this.held = held
  }

  get heldId(): FileId | undefined {
    return this.held === undefined ? undefined : idOf(this.held)
  }

  /** What stands there as far as it is decided. */
  get occupant(): Found | FileState | undefined {
    return this.put ?? (this.isVacated ? undefined : this.held)
  }
}

/** Anything but a directory. */
export class FileState {
  readonly id: FileId
  /** Whole, in the head; undefined: it is new, or gone there. */
  readonly held: Entry | undefined
  /** It stands in the inode tree, or has to when it comes back. */
  readonly isLink: boolean
  /** A name that leads to it in the head, when one was found. */
  readonly seen: Slot | undefined
  readonly vacated: Slot[] = []
  readonly puts: Slot[] = []
  /** What it becomes; undefined: as it is. */
  entry: Entry | undefined

  constructor(id: FileId, held: Entry | undefined, seen: Slot | undefined, isLink: boolean) {
    this.id = id
    this.held = held
    this.seen = seen
    this.isLink = isLink
  }

  /** The only name of one that does not stand in the inode tree. */
  get place(): Slot | undefined {
    return this.isLink ? undefined : this.seen
  }

  /** How many names lead to it then. */
  get nameCount(): number {
    const heldCount = this.held === undefined ? 0 : this.isLink ? this.held.linkCount : 1
    return heldCount - this.vacated.length + this.puts.length
  }
}

export class Ground {
  readonly overlay: Overlay
  readonly #index: ChangeIndex
  /** Undefined while the head is what all changes were made from. */
  readonly #moves: Whereabouts | undefined
  readonly #search: DirectorySearch
  readonly #slots = new Map<DirectoryNode, Map<string, Slot>>()
  readonly #homes = new Map<FileId, DirectoryNode | undefined>()
  readonly #files = new Map<FileId, FileState>()
  readonly #names = new Map<DirectoryNode, string>()
  /** Directories that were gone, brought back. They have no name yet. */
  readonly restored = new Set<DirectoryNode>()

  constructor(index: ChangeIndex, overlay: Overlay, moves: Whereabouts | undefined, search: DirectorySearch) {
    this.#index = index
    this.overlay = overlay
    this.#moves = moves
    this.#search = search
  }

  slots(): Slot[] {
    return Array.from(this.#slots.values(), (slots) => Array.from(slots.values())).flat()
  }

  files(): IterableIterator<FileState> {
    return this.#files.values()
  }

  /** The name under which the head has a directory. */
  nameOf(directory: DirectoryNode): string | undefined {
    return this.#names.get(directory)
  }

  async slot(directory: DirectoryNode, name: string): Promise<Slot> {
    let slots = this.#slots.get(directory)
    if (slots === undefined) this.#slots.set(directory, (slots = new Map()))
    let slot = slots.get(name)
    if (slot === undefined) slots.set(name, (slot = new Slot(directory, name, await this.#child(directory, name))))
    return slot
  }

  /** A directory, wherever it is; undefined when it is new, or gone. */
  async home(id: FileId): Promise<DirectoryNode | undefined> {
    if (id === this.overlay.root.entry.id) return this.overlay.root
    if (this.#homes.has(id)) return this.#homes.get(id)
    // A place that leads back to itself leads nowhere.
    this.#homes.set(id, undefined)
    const home = (await this.#atPlace(id)) ?? (await this.#whereMoved(id)) ?? (await this.#restore(id)) ?? (await this.#searched(id))
    this.#homes.set(id, home)
    return home
  }

  /** What `home` found, if it was asked. */
  knownHome(id: FileId): DirectoryNode | undefined {
    return id === this.overlay.root.entry.id ? this.overlay.root : this.#homes.get(id)
  }

  async file(id: FileId): Promise<FileState> {
    let state = this.#files.get(id)
    if (state === undefined) this.#files.set(id, (state = await this.#find(id)))
    return state
  }

  /** What was found of a file that was asked for before. */
  known(id: FileId): FileState | undefined {
    return this.#files.get(id)
  }

  /** A file that is made: what `file` finds under its id from then on. */
  make(id: FileId, entry: Entry): FileState {
    const state = new FileState(id, undefined, undefined, false)
    state.entry = entry
    this.#files.set(id, state)
    return state
  }

  /** As the changes say, or as a directory was in the base that others moved there before it was changed here. */
  async entryBefore(id: FileId): Promise<Entry | undefined> {
    return (await this.#index.entryBefore(id)) ?? (await this.#moves?.directoryBefore(id))
  }

  /** False when something may be in the head and not be found. */
  async isExact(): Promise<boolean> {
    return this.#moves === undefined || this.#moves.isExact()
  }

  async #child(directory: DirectoryNode, name: string): Promise<Found | undefined> {
    const found = await this.overlay.find(directory, name)
    if (found instanceof DirectoryNode) this.#names.set(found, name)
    return found
  }

  async #atPlace(id: FileId): Promise<DirectoryNode | undefined> {
    const place = this.#index.places.get(id)
    const parent = place === undefined ? undefined : await this.home(place.parentId)
    const found = parent === undefined ? undefined : await this.#child(parent, place!.name)
    return found instanceof DirectoryNode && found.entry.id === id ? found : undefined
  }

  async #whereMoved(id: FileId): Promise<DirectoryNode | undefined> {
    const slot = await this.#slotWhereMoved(id)
    return slot?.held instanceof DirectoryNode ? slot.held : undefined
  }

  /** Neither new nor where anything says, and not known to be gone: a merge brought something of ours into a directory of theirs, say. */
  async #searched(id: FileId): Promise<DirectoryNode | undefined> {
    const node = this.#index.nodes.get(id)
    const isNew = node !== undefined && node.before === undefined && !this.#index.places.has(id)
    const isGone = this.#index.places.has(id) && this.#moves !== undefined && (await this.#moves.isExact())
    if (isNew || isGone) return undefined
    const slot = await this.#slotAt(await this.#search.pathOf(id), id)
    return slot?.held instanceof DirectoryNode ? slot.held : undefined
  }

  async #slotWhereMoved(id: FileId): Promise<Slot | undefined> {
    return this.#slotAt(await this.#moves?.pathOf(id), id)
  }

  async #slotAt(path: string | undefined, id: FileId): Promise<Slot | undefined> {
    if (path === undefined) return undefined
    const names = splitPath(path)
    let directory = this.overlay.root
    for (const name of names.slice(0, -1)) {
      const found = await this.#child(directory, name)
      if (!(found instanceof DirectoryNode)) return undefined
      directory = found
    }
    const slot = await this.slot(directory, names.at(-1)!)
    return slot.heldId === id ? slot : undefined
  }

  async #restore(id: FileId): Promise<DirectoryNode | undefined> {
    if (!this.#isMovedDirectory(id)) return undefined
    const before = await this.entryBefore(id)
    // It may be there and not be found: then what it holds is not gone either.
    if (before === undefined || (await this.#moves?.isKnown()) === false) return undefined
    const top = new DirectoryNode(before, undefined)
    this.restored.add(top)
    await bringBack(this.overlay, top, {
      inode: (inodeId) => this.#index.base.inode(inodeId),
      // A directory in it that we moved too comes back where we moved it.
      isElsewhere: async (each) => this.#isMovedDirectory(each) || (await this.#moves?.pathOf(each)) !== undefined,
    })
    return top
  }

  #isMovedDirectory(id: FileId): boolean {
    return this.#index.places.has(id) && this.#index.names(id).put.length > 0
  }

  async #find(id: FileId): Promise<FileState> {
    const slot = await this.#slotOf(id)
    const found = slot?.held
    if (found !== undefined && !(found instanceof DirectoryNode)) {
      const isLink = found.content.kind === 'link'
      return new FileState(id, isLink ? await this.overlay.whole(found) : found, slot, isLink)
    }
    // A file with several names is changed without any of them, once the name was removed that had told where it is.
    const mayBeLink = this.#moves !== undefined || this.#index.nodes.get(id)?.before !== undefined
    const inode = mayBeLink && this.overlay.hasInodes ? await this.overlay.inode(id) : undefined
    return new FileState(id, inode, undefined, inode !== undefined)
  }

  async #slotOf(id: FileId): Promise<Slot | undefined> {
    const { vacated, same, put } = this.#index.names(id)
    for (const change of [...vacated, ...same, ...put]) {
      const directory = await this.home(change.directoryId)
      const slot = directory === undefined ? undefined : await this.slot(directory, change.name)
      if (slot?.heldId === id && !(slot.held instanceof DirectoryNode)) return slot
    }
    const slot = await this.#slotWhereMoved(id)
    return slot?.held instanceof DirectoryNode ? undefined : slot
  }
}

export function idOf(found: Found | FileState): FileId {
  return found instanceof DirectoryNode ? found.entry.id : found.id
}
