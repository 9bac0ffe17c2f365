/**
 * The volume as rows of the inode table: the newest snapshot, with what was changed here over it. Names resolve to rows through the changes and the
 * pages of the tree, rows lead back to entries.
 *
 * Called by the handler's parts. Everything is synchronous: a walk gives its result, or the page it lacks; a negative number is an errno.
 * Rows are brought up to date in two ways: `apply-change.ts` writes those that a commit changed, and after a change too big to list the epoch
 * moves on, and a row of an older epoch is looked up again, through its parent, when it is next used.
 *
 * INVARIANT: a row with `isLocal` mirrors the entry that `changes` has for its id. Of a directory the row keeps the snapshot's entry all the same, since its
 * tree is what the changed names lie over; one that was made here has none, and no tree.
 */
import { equalBytes } from '../../shared/bytes.ts'
import { errno } from '../../shared/errno.ts'
import { EdgemountError } from '../../shared/error.ts'
import { decodeEntry, encodeEntry } from '../../shared/format/entry-codec.ts'
import { type Entry, type FileId, type Root, type TreeRoot, isFileId } from '../../shared/format/entry.ts'
import { inodeKey } from '../../shared/format/inode-key.ts'
import { type Missing, isMissing } from '../../shared/format/page.ts'
import { findInTree } from '../../shared/format/tree-page.ts'
import { decodeName, encodeName } from '../../shared/name.ts'
import type { NameTarget } from '../changes/edit.ts'
import { contentTagOf } from './attributes.ts'
import { type ChangedNode, type ChangedTree, presentEntry } from './changed-tree.ts'
import { directoryByPlace } from './directory-place.ts'
import { InodeTable, type Row, type Shown, rootRow, rowFlag } from './inode-table.ts'
import type { TreePages } from './tree-pages.ts'

/** Entries up to this many bytes are kept in the arena; longer ones (bodies, manifests, xattrs) are found again by name. Directories always are kept. */
const keptEntryBytesMax = 128

/** Decoded roots of directories in use. */
const directoryRootCountMax = 4096

const noBytes = new Uint8Array(0)

export interface TreeWatcher {
  /** A file has handles or mappings: its row must keep the version they opened. */
  isOpen(row: Row): boolean
  /** The row's attributes changed, and its data if `isDataToo`. */
  nodeChanged(row: Row, isDataToo: boolean): void
  /** The name now leads elsewhere than the kernel believes. */
  nameChanged(parent: Row, name: string): void
  /** Names of this file lead to another row than the kernel believes; not all of its names are known. */
  linksChanged(): void
}

/** What a name leads to: the snapshot's entry, or what was put there since. */
export type Found = Uint8Array | NameTarget

export class VolumeTree {
  readonly table = new InodeTable()
  readonly pages: TreePages
  readonly #changes: ChangedTree | undefined
  readonly #watcher: TreeWatcher
  readonly #directoryRoots = new Map<Row, TreeRoot>()
  #root: Root
  #epoch = 1

  constructor(pages: TreePages, root: Root, rootBytes: Uint8Array, watcher: TreeWatcher, changes?: ChangedTree) {
    this.pages = pages
    this.#changes = changes
    this.#watcher = watcher
    this.#root = root
    const row = this.table.allocate(root.directory.id)
    // The kernel holds the root without ever having looked it up.
    this.table.lookupCounts[row] = 1
    this.write(rootRow, rootRow, noBytes, root.directory, rootBytes, false)
  }

  get root(): Root {
    return this.#root
  }

  get epoch(): number {
    return this.#epoch
  }

  /** A newer snapshot. `rootBytes` encode its root directory's entry. */
  setRoot(root: Root, rootBytes: Uint8Array): void {
    this.#root = root
    this.write(rootRow, rootRow, noBytes, root.directory, rootBytes, false)
    this.#watcher.nodeChanged(rootRow, false)
  }

  /** Every row but the root is to be looked up again before it is used. */
  startEpoch(): void {
    this.#epoch += 1
    this.table.epochs[rootRow] = this.#epoch
    this.#directoryRoots.clear()
  }

  /** What stands under a name; undefined when nothing does. `text` is the name again, for who has it. */
  find(parent: Row, name: Uint8Array, text?: string): Found | undefined | number | Missing {
    const root = this.directoryRoot(parent)
    if (typeof root === 'number' || isMissing(root)) return root
    const id = idOf(this.table, parent)
    if (this.#changes?.hasNames(id) === true) {
      if (this.table.linkCountOf(parent) === 0) return undefined
      const target = this.#changes.target(id, text ?? decodeName(name))
      if (target === null) return undefined
      if (target !== undefined && this.#changes.node(target.id) !== undefined) return target
    }
    return findInTree(root.pointer, name, this.pages.find)
  }

  /** The root of a directory's tree. A directory that is gone is empty. */
  directoryRoot(row: Row): TreeRoot | number | Missing {
    const state = this.refresh(row)
    if (state !== 0) return state
    if (!isDirectory(this.table.modes[row]!)) return -errno.ENOTDIR
    if ((this.table.flags[row]! & rowFlag.isGone) !== 0) return emptyDirectory
    const known = this.#directoryRoots.get(row)
    if (known !== undefined) return known
    const root = this.#keptRoot(row)
    if (this.#directoryRoots.size >= directoryRootCountMax) this.#directoryRoots.clear()
    this.#directoryRoots.set(row, root)
    return root
  }

  #keptRoot(row: Row): TreeRoot {
    const bytes = this.table.entry(row)
    if (bytes.length === 0 && (this.table.flags[row]! & rowFlag.isLocal) !== 0) return emptyDirectory
    const { content } = decodeEntry(bytes.slice())
    if (content.kind !== 'tree') throw new EdgemountError('internal', `Cannot list "${this.pathOf(row)}": its row holds no tree`)
    return content.root
  }

  /** The row for what was found under a name. One that nobody looks up in the end is given back with `freeUnused`. */
  rowOf(parent: Row, name: Uint8Array, found: Found): Row | Missing {
    if (!(found instanceof Uint8Array)) return this.#localRow(parent, name, found)
    const resolved = this.resolve(found)
    if (isMissing(resolved)) return resolved
    return this.adopt(parent, name, resolved)
  }

  #localRow(parent: Row, name: Uint8Array, { id }: NameTarget): Row | Missing {
    const { table } = this
    const node = this.#changes?.node(id)
    if (node === undefined) return this.#settledRow(parent, name, id)
    const known = table.find(id)
    if (known !== 0 && (table.flags[known]! & rowFlag.isLocal) !== 0) {
      this.#foundAt(known, parent, name)
      return known
    }
    const bytes = this.#treeBytes(id, node)
    if (isMissing(bytes)) return bytes
    const row = known === 0 ? table.allocate(id) : known
    table.place(row, parent, name, bytes)
    table.epochs[row] = this.#epoch
    this.mirror(row, presentEntry(node))
    return row
  }

  /** The name that is remembered may lead elsewhere by now. */
  #foundAt(row: Row, parent: Row, name: Uint8Array): void {
    const { table } = this
    if (table.parentOf(row) === parent && equalBytes(table.name(row), name)) return
    table.place(row, parent, name, table.entry(row).slice())
  }

  /** It was a change when its name was found, and is none any more. */
  #settledRow(parent: Row, name: Uint8Array, id: FileId): Row | Missing {
    const found = this.find(parent, name)
    if (isMissing(found)) return found
    if (found instanceof Uint8Array) return this.rowOf(parent, name, found)
    throw new EdgemountError('internal', `Cannot find "${decodeName(name)}": a changed name leads to file ${id}, which is not among the changes`)
  }

  /** What the row of a changed inode keeps: of a directory the snapshot's entry, of others nothing. One that is not where it was has the tree it had. */
  #treeBytes(id: FileId, { entry, base }: ChangedNode): Uint8Array | Missing {
    if (entry.kind !== 'directory' || base === undefined) return noBytes
    const bytes = directoryByPlace(this.#root, id, (each) => this.#changes?.place(each), this.pages.find)
    return bytes ?? encodeEntry(base)
  }

  /** Writes what `changes` has for an inode into its row. */
  mirror(row: Row, entry: Entry): void {
    const { table } = this
    table.write(row, entry)
    table.flags[row]! |= rowFlag.isLocal
    if (entry.kind === 'directory') table.setLinkCount(row, entry.linkCount === 0 ? 0 : this.#directoryLinkCount(row, this.#keptRoot(row)))
  }

  /** The link count of a directory that is itself as it was; row 0 is none. True when it is another one now. */
  recount(row: Row): boolean {
    const { table } = this
    const before = table.linkCountOf(row)
    if (row === 0 || this.#isLocal(row) || !isDirectory(table.modes[row]!) || before === 0) return false
    const count = this.#directoryLinkCount(row, this.#keptRoot(row))
    table.setLinkCount(row, count)
    return count !== before
  }

  /** A row that was changed again since it was settled. A directory that was made here has a tree in the snapshot now, as `bytes` say if nobody said so before. */
  goOn(row: Row, bytes: Uint8Array | undefined): void {
    const node = this.#changes?.node(idOf(this.table, row))
    if (node === undefined) return
    if (bytes !== undefined && node.entry.kind === 'directory' && this.table.entry(row).length === 0) this.#placeTree(row, bytes)
    this.mirror(row, presentEntry(node))
  }

  /**
   * A row of what was changed here becomes one of the snapshot, which has it as `bytes`. `isOurs`: with the content that is shown; otherwise that is compared.
   * `isOld`: the snapshot may have it otherwise by now.
   */
  settle(row: Row, bytes: Uint8Array, { isOurs, isOld }: { readonly isOurs: boolean; readonly isOld: boolean }): void {
    const { table } = this
    const kept = table.entry(row)
    // The row of a directory has the newest tree already, if the change that brought it was listed.
    const newest = isDirectory(table.modes[row]!) && kept.length > 0 && (!isOld || row === rootRow) ? kept.slice() : bytes
    const entry = decodeEntry(newest)
    const isLinked = entry.linkCount > 1 || (table.flags[row]! & rowFlag.isLinked) !== 0
    const [parent, name] = [row === rootRow ? rootRow : table.parentOf(row), table.name(row).slice()]
    const isShown = isOurs || isDirectory(table.modes[row]!) || (table.contentTags[row] === contentTagOf(entry) && table.sizes[row] === entry.size)
    table.flags[row]! &= ~rowFlag.isLocal
    if (isShown) this.write(row, parent, name, entry, newest, isLinked)
    else this.update(row, parent, name, { entry, bytes: newest, isLinked })
    // The root is brought by every change.
    if (isOld && row !== rootRow) table.epochs[row] = 0
  }

  /** The file of a row has another id now. Gives the row of the id. */
  renumber(row: Row, id: FileId): Row {
    const { table } = this
    const other = table.find(id)
    // Whoever has ours open goes on with it; the other was found by the name that ours has got.
    if (other !== 0) table.detach(this.#watcher.isOpen(row) ? other : row)
    if (table.find(id) !== 0) return other
    table.renumber(row, id)
    return row
  }

  /** The name under which a row was found leads elsewhere now, and this one to the row. `bytes`: its entry in the snapshot. */
  moveTo(row: Row, directoryId: FileId, name: string, bytes: Uint8Array | undefined): void {
    const { table } = this
    const parent = table.find(directoryId)
    const kept = table.entry(row).slice()
    // Where the directory is not known, what the row is must be kept here.
    const isNeeded = parent === 0 && kept.length === 0 && bytes !== undefined && !this.#isLocal(row)
    table.place(row, parent, encodeName(name), isNeeded ? bytes : kept)
  }

  /** Every directory in it has a name for it: "..". All that is in one that was made here counts as changed until it is settled. */
  #directoryLinkCount(row: Row, root: TreeRoot): number {
    const id = idOf(this.table, row)
    const node = this.#changes?.node(id)
    const below = node !== undefined && node.base === undefined ? 0 : root.directoryCount
    return Math.max(2, 2 + below + (this.#changes?.counts(id).directories ?? 0))
  }

  /** Sees through a link into the inode tree. */
  resolve(bytes: Uint8Array): ResolvedEntry | Missing {
    const entry = decodeEntry(bytes)
    if (entry.content.kind !== 'link') return { entry, bytes, isLinked: false }
    const inode = this.inodeBytes(entry.id)
    if (isMissing(inode)) return inode
    if (inode === undefined) throw new EdgemountError('corrupt', `Cannot find inode ${entry.id}: a name links to it, the inode tree lacks it`)
    return { entry: decodeEntry(inode), bytes: inode, isLinked: true }
  }

  inodeBytes(id: FileId): Uint8Array | undefined | Missing {
    return findInTree(this.#root.inodes, inodeKey(id), this.pages.find)
  }

  adopt(parent: Row, name: Uint8Array, found: ResolvedEntry): Row {
    const row = this.table.find(found.entry.id)
    if (row === 0) {
      const fresh = this.table.allocate(found.entry.id)
      this.write(fresh, parent, name, found.entry, found.bytes, found.isLinked)
      return fresh
    }
    if (this.#isLocal(row)) {
      this.#foundAt(row, parent, name)
      return row
    }
    if (this.table.epochs[row] === this.#epoch && (this.table.flags[row]! & rowFlag.isGone) === 0) {
      if (this.table.parentOf(row) === 0) this.write(row, parent, name, found.entry, found.bytes, found.isLinked)
      else this.#foundAt(row, parent, name)
      return row
    }
    return this.update(row, parent, name, found)
  }

  /**
   * Writes a newer version of a known row. A file whose content changed while it is open keeps its row for its handles, and its id goes to
   * a fresh row, which new lookups find: so a handle reads one version for as long as it lives. Gives the row that now stands for the id.
   * What is changed here stays as it is, but for the tree that a directory's changes lie over.
   */
  update(row: Row, parent: Row, name: Uint8Array, found: ResolvedEntry): Row {
    const { table } = this
    if (this.#isLocal(row)) {
      if (found.entry.kind === 'directory') this.#placeTree(row, found.bytes)
      return row
    }
    const hadTag = table.contentTags[row]!
    const hadMode = table.modes[row]!
    const isNewData = hadTag !== contentTagOf(found.entry) || table.sizes[row] !== found.entry.size
    if (isNewData && isRegular(hadMode) && this.#watcher.isOpen(row)) {
      const oldParent = table.parentOf(row)
      const oldName = decodeName(table.name(row))
      const wasLinked = (table.flags[row]! & rowFlag.isLinked) !== 0
      table.detach(row)
      const fresh = table.allocate(found.entry.id)
      this.write(fresh, parent, name, found.entry, found.bytes, found.isLinked)
      if (wasLinked || found.isLinked) this.#watcher.linksChanged()
      if (oldParent !== 0) this.#watcher.nameChanged(oldParent, oldName)
      return fresh
    }
    // A directory's listing is dropped by name, when a name in it changed; its tree alone is nothing that the kernel sees.
    const isOtherData = isNewData && found.entry.kind !== 'directory'
    const shown = isOtherData ? undefined : table.shownOf(row)
    this.write(row, parent, name, found.entry, found.bytes, found.isLinked)
    if (shown !== undefined && isSame(shown, table.shownOf(row))) return row
    if (isOtherData) table.flags[row]! |= rowFlag.hasStalePages
    this.#watcher.nodeChanged(row, isOtherData)
    return row
  }

  #isLocal(row: Row): boolean {
    return (this.table.flags[row]! & rowFlag.isLocal) !== 0
  }

  /** A newer tree below a directory's changes. */
  #placeTree(row: Row, bytes: Uint8Array): void {
    const { table } = this
    table.place(row, table.parentOf(row), table.name(row).slice(), bytes)
    table.epochs[row] = this.#epoch
    this.#directoryRoots.delete(row)
    table.setLinkCount(row, table.linkCountOf(row) === 0 ? 0 : this.#directoryLinkCount(row, this.#keptRoot(row)))
  }

  /** Fills a row from an entry. `parent` 0: where it lies now is not known, so what it is must be kept here. */
  write(row: Row, parent: Row, name: Uint8Array, entry: Entry, bytes: Uint8Array, isLinked: boolean): void {
    const { table } = this
    const isKept = parent === 0 || entry.kind === 'directory' || bytes.length <= keptEntryBytesMax
    table.place(row, parent, name, isKept ? bytes : noBytes)
    table.write(row, entry)
    table.epochs[row] = this.#epoch
    table.flags[row]! &= ~(rowFlag.isLinked | rowFlag.isLocal)
    if (isLinked) table.flags[row]! |= rowFlag.isLinked
    if (entry.content.kind === 'tree') this.#directoryRoots.delete(row)
    const node = this.#changes?.node(entry.id)
    if (node !== undefined) this.mirror(row, presentEntry(node))
    // Names may be changed in a directory that is itself as it was: all of it in one tick of the clock.
    else if (entry.content.kind === 'tree' && this.#changes?.hasNames(entry.id) === true) table.setLinkCount(row, this.#directoryLinkCount(row, entry.content.root))
  }

  /** The file id of a row has left the volume. */
  markGone(row: Row): void {
    this.table.flags[row]! &= ~rowFlag.isLocal
    this.table.flags[row]! |= rowFlag.isGone
    this.table.epochs[row] = this.#epoch
    this.table.setLinkCount(row, 0)
    this.#directoryRoots.delete(row)
    this.#watcher.nodeChanged(row, false)
  }

  /** The kernel let go of a row `count` times. */
  forget(row: Row, count: number): void {
    if (!this.table.isKnown(row) || row === rootRow) return
    const left = this.table.lookupCounts[row]! - count
    this.table.lookupCounts[row] = Math.max(0, left)
    if (left <= 0) this.freeUnused(row)
  }

  /** Frees a row that the kernel does not hold. */
  freeUnused(row: Row): void {
    if (this.table.lookupCounts[row] !== 0 || row === rootRow) return
    this.#directoryRoots.delete(row)
    this.table.free(row)
  }

  /** Brings a row of an older epoch up to date; 0 when it is, an errno when it cannot be. */
  refresh(row: Row): number | Missing {
    const { table } = this
    if (!table.isKnown(row)) return -errno.ESTALE
    if (table.epochs[row] === this.#epoch || (table.flags[row]! & (rowFlag.isDetached | rowFlag.isGone)) !== 0) return 0
    const node = this.#isLocal(row) ? this.#changes?.node(idOf(table, row)) : undefined
    if (node !== undefined) {
      const bytes = this.#treeBytes(idOf(table, row), node)
      if (isMissing(bytes)) return bytes
      if (node.entry.kind === 'directory') this.#placeTree(row, bytes)
      table.epochs[row] = this.#epoch
      return 0
    }
    const found = this.#findAgain(row)
    if (isMissing(found)) return found
    // The name under which it was known leads elsewhere. Whoever comes by another one looks that up then.
    if (typeof found === 'number' && this.#isUnplaced(row)) return -errno.ESTALE
    if (typeof found === 'number') this.markGone(row)
    else this.update(row, table.parentOf(row), table.name(row).slice(), found)
    return 0
  }

  /** As `refresh`; a file that is somewhere, but not known where, is as it was. */
  refreshKnown(row: Row): number | Missing {
    const state = this.refresh(row)
    return state === -errno.ESTALE && this.table.isKnown(row) && this.#isUnplaced(row) ? 0 : state
  }

  #isUnplaced(row: Row): boolean {
    const { table } = this
    return table.parentOf(row) === 0 && !isDirectory(table.modes[row]!)
  }

  /** The entry of a row as it is now, whole. -ESTALE when the row stands for nothing any more. */
  entryOf(row: Row): Entry | number | Missing {
    const state = this.refresh(row)
    if (state !== 0) return state
    if ((this.table.flags[row]! & (rowFlag.isGone | rowFlag.isDetached)) !== 0) return -errno.ESTALE
    if (this.#isLocal(row)) {
      const node = this.#changes?.node(idOf(this.table, row))
      if (node !== undefined) return presentEntry(node)
    }
    const kept = this.table.entry(row)
    if (kept.length > 0) return decodeEntry(kept.slice())
    const found = this.#findAgain(row)
    return typeof found === 'number' || isMissing(found) ? found : found.entry
  }

  /** For messages: the path by which the row was last found. */
  pathOf(row: Row): string {
    const parts: string[] = []
    for (let at = row; at !== rootRow && parts.length < pathDepthMax && this.table.isKnown(at); at = this.table.parentOf(at)) {
      parts.push(decodeName(this.table.name(at)))
    }
    return `/${parts.toReversed().join('/')}`
  }

  #findInSnapshot(parent: Row, name: Uint8Array): Uint8Array | undefined | number | Missing {
    const root = this.directoryRoot(parent)
    return typeof root === 'number' || isMissing(root) ? root : findInTree(root.pointer, name, this.pages.find)
  }

  #findAgain(row: Row): ResolvedEntry | number | Missing {
    const { table } = this
    const id = idOf(table, row)
    // One that is not known to stand anywhere may have got a second name meanwhile.
    if ((table.flags[row]! & rowFlag.isLinked) !== 0 || this.#isUnplaced(row)) {
      const bytes = this.inodeBytes(id)
      if (isMissing(bytes)) return bytes
      if (bytes !== undefined) return { entry: decodeEntry(bytes), bytes, isLinked: true }
    }
    const parent = table.parentOf(row)
    if (parent === 0) return -errno.ESTALE
    const bytes = this.#findInSnapshot(parent, table.name(row).slice())
    if (typeof bytes === 'number' || isMissing(bytes)) return bytes
    if (bytes === undefined) return -errno.ESTALE
    const found = this.resolve(bytes)
    return isMissing(found) || found.entry.id === id ? found : -errno.ESTALE
  }
}

export interface ResolvedEntry {
  readonly entry: Entry
  /** Of the inode tree's entry when `isLinked`. */
  readonly bytes: Uint8Array
  readonly isLinked: boolean
}

export function idOf(table: InodeTable, row: Row): FileId {
  const id = table.ids[row]!
  if (isFileId(id)) return id
  throw new EdgemountError('internal', `Cannot use row ${row}: ${id} is no file id`)
}

function isSame(a: Shown, b: Shown): boolean {
  return a.owner === b.owner && a.times === b.times
}

/** A path in a message is no deeper; a cycle of rows cannot happen, but a message must not hang on it. */
const pathDepthMax = 256

const emptyDirectory: TreeRoot = { pointer: undefined, entryCount: 0, directoryCount: 0 }

export function isDirectory(mode: number): boolean {
  return (mode & 0o170000) === 0o040000
}

export function isRegular(mode: number): boolean {
  return (mode & 0o170000) === 0o100000
}
