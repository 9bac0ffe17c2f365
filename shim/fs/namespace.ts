/**
 * Names: making, linking, renaming and removing. Each method is one step of the file system (see `attempt.ts`): it looks at everything first, then changes
 * all of it by one edit, and gives the rows concerned, a negative errno, or the page it lacks.
 *
 * Called by `volume-writer.ts`. What the kernel has checked under its locks (permissions, sticky directories, whether a rename is of like to like) is
 * checked again only where another machine's commit may have changed it meanwhile.
 */
import { errno } from '../../shared/errno.ts'
import type { Entry, FileId, FileKind, Time } from '../../shared/format/entry.ts'
import { type Missing, isMissing } from '../../shared/format/page.ts'
import { compareBytes, encodeName, nameBytesMax } from '../../shared/name.ts'
import { toFileId } from '../../shared/volume/file-id.ts'
import type { LocalBody } from '../bodies/local-body.ts'
import type { LocalChanges } from '../changes/local-changes.ts'
import { type Caller, type NewNode, renameFlag } from '../fuse/handler.ts'
import { EditDraft, targetOf } from './edit-draft.ts'
import { type Row, rootRow } from './inode-table.ts'
import { isEmptyDirectory } from './merged-listing.ts'
import { newEntry } from './new-entry.ts'
import type { Found, VolumeTree } from './volume-tree.ts'

/** As ext4 has it, so that programs meet a number they have met before. Directories have no limit. */
export const linkCountMax = 65_000

/** linux/limits.h, PATH_MAX without its NUL. */
const targetBytesMax = 4095

export interface NamespaceParts {
  readonly tree: VolumeTree
  readonly changes: LocalChanges
  readonly newId: () => FileId
  readonly now: () => Time
}

/** A row (0: none), a negative errno, or the page that is lacking. */
export type RowOutcome = number | Missing

export interface Making {
  readonly kind: FileKind
  readonly node: NewNode
  readonly caller: Caller
  /** Of symlinks. */
  readonly target?: string | undefined
  /** Of files that are open from the beginning. */
  readonly body?: LocalBody | undefined
  /** When, if that is known already: the body has been stamped with it. */
  readonly at?: Time | undefined
}

/** A name, with all that is known of it now. */
interface Spot {
  readonly directory: Row
  readonly name: string
  readonly key: Uint8Array
  /** The directory's entry. */
  readonly parent: Entry
  /** What stands there, and its row and entry. */
  readonly found: Found | undefined
  readonly row: Row
  readonly entry: Entry | undefined
}

interface TakenSpot extends Spot {
  readonly found: Found
  readonly entry: Entry
}

export class Namespace {
  readonly #tree: VolumeTree
  readonly #changes: LocalChanges
  readonly #newId: () => FileId
  readonly #now: () => Time

  constructor(parts: NamespaceParts) {
    this.#tree = parts.tree
    this.#changes = parts.changes
    this.#newId = parts.newId
    this.#now = parts.now
  }

  /** What would be made. */
  plan(directory: Row, name: string, making: Making): Entry | number | Missing {
    const spot = this.#freeSpot(directory, name)
    return typeof spot === 'number' || isMissing(spot) ? spot : newEntry({ ...making, id: this.#newId(), parent: spot.parent, now: this.#now() })
  }

  /** Makes something under a free name; its row. */
  make(directory: Row, name: string, making: Making): RowOutcome {
    const spot = this.#freeSpot(directory, name)
    if (typeof spot === 'number' || isMissing(spot)) return spot
    const size = making.target === undefined ? 0 : encodeName(making.target).length
    if (size > targetBytesMax) return -errno.ENAMETOOLONG
    const now = making.at ?? this.#now()
    const entry = newEntry({ ...making, id: this.#newId(), parent: spot.parent, now, size })
    const result = this.#draft()
      .name(directory, name, undefined, { id: entry.id, kind: entry.kind })
      .directory(directory, touched(spot.parent, now), spot.parent)
      .born(entry, making.body)
      .commit()
    return result < 0 ? result : this.#newRow(entry, directory, spot.key)
  }

  /** Makes a file without a name; its row. */
  makeNameless(directory: Row, making: Making): RowOutcome {
    const parent = this.#directory(directory)
    if (typeof parent === 'number' || isMissing(parent)) return parent
    const entry = { ...newEntry({ ...making, id: this.#newId(), parent, now: making.at ?? this.#now() }), linkCount: 0 }
    const result = this.#draft().born(entry, making.body).commit()
    return result < 0 ? result : this.#newRow(entry, 0, new Uint8Array(0))
  }

  /** Gives the row that lost the name. */
  unlink(directory: Row, name: string): RowOutcome {
    const spot = this.#takenSpot(directory, name)
    if (typeof spot === 'number' || isMissing(spot)) return spot
    return spot.entry.kind === 'directory' ? -errno.EISDIR : this.#remove(spot)
  }

  rmdir(directory: Row, name: string): RowOutcome {
    const spot = this.#takenSpot(directory, name)
    if (typeof spot === 'number' || isMissing(spot)) return spot
    if (spot.entry.kind !== 'directory') return -errno.ENOTDIR
    const isEmpty = isEmptyDirectory(this.#tree, this.#changes, spot.row)
    if (typeof isEmpty !== 'boolean') return isEmpty
    return isEmpty ? this.#remove(spot) : -errno.ENOTEMPTY
  }

  /** One more name for an inode that is no directory. */
  link(row: Row, directory: Row, name: string): RowOutcome {
    const { table } = this.#tree
    const entry = this.#tree.entryOf(row)
    if (typeof entry === 'number' || isMissing(entry)) return entry
    const spot = this.#freeSpot(directory, name)
    if (typeof spot === 'number' || isMissing(spot)) return spot
    if (entry.kind === 'directory') return -errno.EPERM
    if (entry.linkCount >= linkCountMax) return -errno.EMLINK
    const now = this.#now()
    const draft = this.#draft().name(directory, name, undefined, { id: entry.id, kind: entry.kind })
    // The first name becomes a link into the inode tree.
    if (entry.linkCount === 1 && (this.#changes.node(entry.id) === undefined || table.parentOf(row) !== 0)) draft.mark(row, entry)
    const linked = { ...entry, linkCount: entry.linkCount + 1, ctime: now }
    const result = draft.inPlace(row, linked, entry).directory(directory, touched(spot.parent, now), spot.parent).commit()
    if (result < 0) return result
    if (table.parentOf(row) === 0) table.place(row, directory, spot.key, table.entry(row).slice())
    return row
  }

  /** Gives the row that lost its name to another, or 0. */
  rename(directory: Row, name: string, newDirectory: Row, newName: string, flags: number): RowOutcome {
    if ((flags & ~(renameFlag.noReplace | renameFlag.exchange | renameFlag.whiteout)) !== 0) return -errno.EINVAL
    const from = this.#takenSpot(directory, name)
    if (typeof from === 'number' || isMissing(from)) return from
    const to = this.#spot(newDirectory, newName)
    if (typeof to === 'number' || isMissing(to)) return to
    const isExchange = (flags & renameFlag.exchange) !== 0
    if ((flags & renameFlag.noReplace) !== 0 && to.found !== undefined) return -errno.EEXIST
    if (isExchange && to.found === undefined) return -errno.ENOENT
    if (from.entry.id === to.entry?.id) return noRow
    if (this.#isWithin(newDirectory, from.row) || (isExchange && this.#isWithin(directory, to.row))) return -errno.EINVAL
    if (isExchange) return this.#exchange(from, { ...to, found: to.found!, entry: to.entry! })
    if (to.entry !== undefined) {
      const refusal = this.#replaceable(from.entry, to.row, to.entry)
      if (refusal !== 0) return refusal
    }
    return this.#move(from, to, (flags & renameFlag.whiteout) !== 0)
  }

  /** 0 when one may take the place of the other. */
  #replaceable(entry: Entry, replacedRow: Row, replaced: Entry): number | Missing {
    if (replaced.kind !== 'directory') return entry.kind === 'directory' ? -errno.ENOTDIR : 0
    if (entry.kind !== 'directory') return -errno.EISDIR
    const isEmpty = isEmptyDirectory(this.#tree, this.#changes, replacedRow)
    if (typeof isEmpty !== 'boolean') return isEmpty
    return isEmpty ? 0 : -errno.ENOTEMPTY
  }

  #move(from: TakenSpot, to: Spot, leavesWhiteout: boolean): RowOutcome {
    const now = this.#now()
    const draft = this.#draft()
    const whiteout = leavesWhiteout ? this.#whiteout(from, now) : undefined
    draft.name(from.directory, from.name, from.found, whiteout && { id: whiteout.id, kind: whiteout.kind })
    draft.name(to.directory, to.name, to.found, targetOf(from.found))
    if (whiteout !== undefined) draft.born(whiteout, undefined)
    this.#touchBoth(draft, from, to, now)
    this.#moved(draft, from, now)
    if (to.entry !== undefined) this.#lost(draft, to, to.entry, now)
    const result = draft.commit()
    if (result < 0) return result
    const { table } = this.#tree
    table.place(from.row, to.directory, to.key, table.entry(from.row).slice())
    if (to.entry !== undefined) this.#forgetPlace(to)
    return to.row
  }

  #exchange(from: TakenSpot, to: TakenSpot): RowOutcome {
    const now = this.#now()
    const draft = this.#draft()
    draft.name(from.directory, from.name, from.found, targetOf(to.found))
    draft.name(to.directory, to.name, to.found, targetOf(from.found))
    this.#touchBoth(draft, from, to, now)
    this.#moved(draft, from, now)
    this.#moved(draft, to, now)
    const result = draft.commit()
    if (result < 0) return result
    const { table } = this.#tree
    table.place(from.row, to.directory, to.key, table.entry(from.row).slice())
    table.place(to.row, from.directory, from.key, table.entry(to.row).slice())
    return noRow
  }

  #remove(spot: TakenSpot): RowOutcome {
    const now = this.#now()
    const draft = this.#draft().name(spot.directory, spot.name, spot.found, undefined)
    draft.directory(spot.directory, touched(spot.parent, now), spot.parent)
    this.#lost(draft, spot, spot.entry, now)
    const result = draft.commit()
    if (result < 0) return result
    this.#forgetPlace(spot)
    return spot.row
  }

  #touchBoth(draft: EditDraft, from: Spot, to: Spot, now: Time): void {
    draft.directory(from.directory, touched(from.parent, now), from.parent)
    if (to.directory !== from.directory) draft.directory(to.directory, touched(to.parent, now), to.parent)
  }

  #moved(draft: EditDraft, { row, entry }: TakenSpot, now: Time): void {
    const moved = { ...entry, ctime: now }
    if (entry.kind === 'directory') draft.directory(row, moved, entry)
    else draft.named(moved, entry)
  }

  /** An inode with one name less. */
  #lost(draft: EditDraft, { row, directory, name }: Spot, entry: Entry, now: Time): void {
    if (entry.kind === 'directory') {
      draft.directory(row, { ...entry, linkCount: 0, ctime: now }, entry)
      return
    }
    // What is shown under another name is not gone with this one, whatever others have done to it.
    const otherCount = this.#changes.otherNameCount(entry.id, toFileId(this.#tree.table.ids[directory]!), name)
    draft.named({ ...entry, linkCount: Math.max(entry.linkCount - 1, otherCount), ctime: now }, entry)
  }

  /** What is found by a name that it has no more is looked for under that name no more. */
  #forgetPlace({ row, directory, key }: Spot): void {
    const { table } = this.#tree
    if (table.linkCountOf(row) === 0 || table.parentOf(row) !== directory || compareBytes(table.name(row), key) !== 0) return
    table.place(row, 0, key, table.entry(row).slice())
  }

  /** What an overlay leaves where something was: a character device of number 0 (RENAME_WHITEOUT, renameat2(2)). */
  #whiteout({ parent }: Spot, now: Time): Entry {
    const node = { mode: 0o020000, umask: 0, rdev: 0 }
    return newEntry({ id: this.#newId(), kind: 'character-device', parent, node, caller: { uid: 0, gid: 0, pid: 0 }, now })
  }

  #newRow(entry: Entry, directory: Row, key: Uint8Array): Row {
    const { table, epoch } = this.#tree
    const row = table.allocate(entry.id)
    table.place(row, directory, key, new Uint8Array(0))
    table.epochs[row] = epoch
    this.#tree.mirror(row, entry)
    return row
  }

  /** The entry of a directory in which something is to be changed. */
  #directory(row: Row): Entry | number | Missing {
    const entry = this.#tree.entryOf(row)
    if (entry === -errno.ESTALE) return -errno.ENOENT
    if (typeof entry === 'number' || isMissing(entry)) return entry
    if (entry.kind !== 'directory') return -errno.ENOTDIR
    return entry.linkCount === 0 ? -errno.ENOENT : entry
  }

  #spot(directory: Row, name: string): Spot | number | Missing {
    const key = encodeName(name)
    if (key.length > nameBytesMax) return -errno.ENAMETOOLONG
    const parent = this.#directory(directory)
    if (typeof parent === 'number' || isMissing(parent)) return parent
    const found = this.#tree.find(directory, key, name)
    if (typeof found === 'number' || isMissing(found)) return found
    if (found === undefined) return { directory, name, key, parent, found, row: noRow, entry: undefined }
    const row = this.#tree.rowOf(directory, key, found)
    if (isMissing(row)) return row
    const entry = this.#tree.entryOf(row)
    if (typeof entry === 'number' || isMissing(entry)) return entry
    return { directory, name, key, parent, found, row, entry }
  }

  #freeSpot(directory: Row, name: string): Spot | number | Missing {
    const spot = this.#spot(directory, name)
    if (typeof spot === 'number' || isMissing(spot)) return spot
    return spot.found === undefined ? spot : -errno.EEXIST
  }

  #takenSpot(directory: Row, name: string): TakenSpot | number | Missing {
    const spot = this.#spot(directory, name)
    if (typeof spot === 'number' || isMissing(spot)) return spot
    return spot.found === undefined || spot.entry === undefined ? -errno.ENOENT : { ...spot, found: spot.found, entry: spot.entry }
  }

  /** Whether a directory is `row` or lies below it. */
  #isWithin(directory: Row, row: Row): boolean {
    const { table } = this.#tree
    for (let at = directory; at !== 0; at = at === rootRow ? 0 : table.parentOf(at)) if (at === row) return true
    return false
  }

  #draft(): EditDraft {
    return new EditDraft(this.#tree, this.#changes)
  }
}

const noRow: Row = 0

/** A directory whose names change now. */
function touched(entry: Entry, now: Time): Entry {
  return { ...entry, mtime: now, ctime: now }
}
