/**
 * A volume's tree with changes on top, in memory: what a commit is made of before it is written. It knows directories, names and inodes and keeps
 * their counts right; what may be done to them is `transaction.ts`'s business.
 *
 * INVARIANT: a directory that differs from the base, and every directory above it, is dirty; only dirty directories are written.
 */
import { EdgemountError, codeOf, messageOf } from '../error.ts'
import { decodeEntry, encodeEntry } from '../format/entry-codec.ts'
import type { Entry, FileId, Pointer, Root, Time, TreeRoot } from '../format/entry.ts'
import type { PageIo } from '../format/page.ts'
import { inodeKey } from '../format/inode-key.ts'
import { type TreeEdit, editTree } from '../format/tree-edit.ts'
import { findInTree, listTree } from '../format/tree-page.ts'
import { compareBytes, compareNames, decodeName, encodeName } from '../name.ts'
import { childPath } from '../path.ts'
import { readPages } from './page-loop.ts'
import type { PageStore } from './page-store.ts'

export class DirectoryNode {
  /** The directory's own attributes. Its content is what it was at the base, until it is written; the counts here are current. */
  entry: Entry
  parent: DirectoryNode | undefined
  readonly base: Pointer | undefined
  /** What differs from the base (`null`: the name is gone), and subdirectories that were opened, changed or not. */
  readonly slots = new Map<string, Entry | DirectoryNode | null>()
  entryCount: number
  directoryCount: number
  isDirty = false

  constructor(entry: Entry, parent: DirectoryNode | undefined) {
    const root = treeRootOf(entry)
    this.entry = entry
    this.parent = parent
    this.base = root.pointer
    this.entryCount = root.entryCount
    this.directoryCount = root.directoryCount
  }

  get isEmpty(): boolean {
    return this.entryCount === 0
  }

  markDirty(): void {
    if (this.isDirty) return
    this.isDirty = true
    this.parent?.markDirty()
  }

  /** What adding and removing names does to the directory itself (POSIX: mtime and ctime). */
  touch(time: Time): void {
    this.entry = { ...this.entry, mtime: time, ctime: time }
    this.markDirty()
  }

  isWithin(ancestor: DirectoryNode): boolean {
    return this === ancestor || (this.parent?.isWithin(ancestor) ?? false)
  }
}

/** What stands under a name: a directory, or the entry of anything else. */
export type Found = Entry | DirectoryNode

export class Overlay {
  readonly root: DirectoryNode
  readonly #baseInodes: Pointer | undefined
  readonly #pages: PageStore
  /** Changed inodes; `null` for one whose last name is gone. */
  readonly #inodes = new Map<FileId, Entry | null>()

  constructor(root: Root, pages: PageStore) {
    this.root = new DirectoryNode(root.directory, undefined)
    this.#baseInodes = root.inodes
    this.#pages = pages
  }

  /** False while no file of the volume has several names. */
  get hasInodes(): boolean {
    return this.#baseInodes !== undefined || this.#inodes.size > 0
  }

  async find(directory: DirectoryNode, name: string): Promise<Found | undefined> {
    const slot = directory.slots.get(name)
    if (slot !== undefined) return slot ?? undefined
    if (directory.base === undefined) return undefined
    const { base } = directory
    const key = encodeName(name)
    const value = await readPages(this.#pages, (source) => findInTree(base, key, source))
    if (value === undefined) return undefined
    const entry = decodeEntry(value)
    if (entry.kind !== 'directory') return entry
    // Another look may have opened it meanwhile: a directory has one node only.
    const opened = directory.slots.get(name)
    if (opened !== undefined) return opened ?? undefined
    const node = new DirectoryNode(entry, directory)
    directory.slots.set(name, node)
    return node
  }

  /** Puts a name; `before` is what `find` gave for it. */
  put(directory: DirectoryNode, name: string, found: Found, before: Found | undefined): void {
    directory.slots.set(name, found)
    if (before === undefined) directory.entryCount += 1
    directory.directoryCount += countDirectory(found) - countDirectory(before)
    directory.markDirty()
    if (found instanceof DirectoryNode) {
      found.parent = directory
      found.isDirty = true
    }
  }

  remove(directory: DirectoryNode, name: string, before: Found): void {
    directory.slots.set(name, null)
    directory.entryCount -= 1
    directory.directoryCount -= countDirectory(before)
    directory.markDirty()
  }

  /** The whole entry of a file, also when it has several names. */
  async whole(entry: Entry): Promise<Entry> {
    if (entry.content.kind !== 'link') return entry
    const inode = await this.inode(entry.id)
    if (inode !== undefined) return inode
    throw new EdgemountError('corrupt', `Cannot find inode ${entry.id}: a name links to it, the inode tree does not have it`)
  }

  async inode(id: FileId): Promise<Entry | undefined> {
    const changed = this.#inodes.get(id)
    if (changed !== undefined) return changed ?? undefined
    const value = await readPages(this.#pages, (source) => findInTree(this.#baseInodes, inodeKey(id), source))
    return value === undefined ? undefined : decodeEntry(value)
  }

  setInode(id: FileId, entry: Entry | null): void {
    this.#inodes.set(id, entry)
  }

  /** The names of a directory, with what changed. Reads the whole directory: for removing it. */
  async names(directory: DirectoryNode): Promise<string[]> {
    const names = new Set<string>()
    let after: Uint8Array | undefined
    for (let isDone = directory.base === undefined; !isDone; ) {
      const from = after
      const listing = await readPages(this.#pages, (source) => listTree(directory.base, from, 1000, source))
      for (const { key } of listing.items) names.add(decodeName(key))
      after = listing.items.at(-1)?.key.slice()
      isDone = listing.done
    }
    for (const [name, slot] of directory.slots) {
      if (slot === null) names.delete(name)
      else names.add(name)
    }
    return [...names]
  }

  /** Writes what is dirty, deepest directories first in the order of names, and gives the new root. */
  async flush(io: PageIo): Promise<Root> {
    const directory = await this.#flushDirectory(this.root, '/', io)
    const edits = [...this.#inodes].map(([id, entry]) => ({ key: inodeKey(id), value: entry === null ? undefined : encodeEntry(entry) }))
    const inodes = await editTree(this.#baseInodes, edits.toSorted((a, b) => compareBytes(a.key, b.key)), io)
    return { directory, inodes }
  }

  async #flushDirectory(node: DirectoryNode, path: string, io: PageIo): Promise<Entry> {
    if (!node.isDirty) return node.entry
    const names = Array.from(node.slots.keys()).toSorted(compareNames)
    const directories = new Map<string, Entry>()
    for (const name of names) {
      const slot = node.slots.get(name)
      if (slot instanceof DirectoryNode && slot.isDirty) directories.set(name, await this.#flushDirectory(slot, childPath(path, name), io))
    }
    const pointer = await editTree(node.base, editsOf(node, path, names, directories), io)
    const root: TreeRoot = { pointer, entryCount: node.entryCount, directoryCount: node.directoryCount }
    node.entry = { ...node.entry, content: { kind: 'tree', root } }
    return node.entry
  }
}

/** Encoded one by one as the tree takes them: a directory may have a million new entries. */
function* editsOf(node: DirectoryNode, path: string, names: readonly string[], directories: ReadonlyMap<string, Entry>): Generator<TreeEdit> {
  for (const name of names) {
    const slot = node.slots.get(name)
    const entry = slot instanceof DirectoryNode ? directories.get(name) : slot
    // An opened directory that did not change has no edit.
    if (entry !== undefined) yield { key: encodeName(name), value: entry === null ? undefined : encodeNamed(entry, path, name) }
  }
}

export function treeRootOf(directory: Entry): TreeRoot {
  if (directory.content.kind === 'tree') return directory.content.root
  throw new EdgemountError('corrupt', `Cannot open directory ${directory.id}: its content is ${directory.content.kind}, not a tree`)
}

function countDirectory(found: Found | undefined): number {
  return found instanceof DirectoryNode ? 1 : 0
}

/** What cannot be stored (attributes that are too large, an impossible mode) is told by its path. */
function encodeNamed(entry: Entry, directoryPath: string, name: string): Uint8Array {
  try {
    return encodeEntry(entry)
  } catch (error) {
    throw new EdgemountError(codeOf(error), `Cannot store "${childPath(directoryPath, name)}": ${messageOf(error)}`, { cause: error })
  }
}
