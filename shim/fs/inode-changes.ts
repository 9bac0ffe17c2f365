/**
 * Steps that change one inode: its attributes, its size, its xattrs, and what becomes of its body when it is opened for writing or forgotten.
 *
 * Called by `volume-writer.ts`. Each looks at everything first and then makes one edit; see `attempt.ts`.
 */
import { errno } from '../../shared/errno.ts'
import type { Entry, FileId, Time } from '../../shared/format/entry.ts'
import { type Missing, isMissing } from '../../shared/format/page.ts'
import type { LocalBodies } from '../bodies/local-bodies.ts'
import type { LocalBody } from '../bodies/local-body.ts'
import type { LocalChanges } from '../changes/local-changes.ts'
import type { AttributesChange, Caller, OpenReply } from '../fuse/handler.ts'
import { openFlag } from '../sys/constants.ts'
import { hasPrivileges, withAttributes, withoutPrivileges } from './attribute-changes.ts'
import { EditDraft } from './edit-draft.ts'
import type { Row } from './inode-table.ts'
import type { OpenFiles } from './open-files.ts'
import { type VolumeTree, idOf } from './volume-tree.ts'
import { cutBody } from './writable-bodies.ts'

/** Files have no more bytes: ext4 with blocks of 4 KiB has the same limit. */
export const fileBytesMax = 2 ** 44 - 4096

/** How somebody wants to open a file. */
export interface OpenWish {
  /** As in open(2); O_CREAT and O_EXCL have been seen to. */
  readonly flags: number
  readonly caller: Caller
  /** With O_TRUNC: the caller may not keep set-user-id and set-group-id bits. */
  readonly killsPrivileges: boolean
}

export interface InodeChangesParts {
  readonly tree: VolumeTree
  readonly changes: LocalChanges
  readonly files: OpenFiles
  readonly bodies: LocalBodies
  readonly now: () => Time
}

export class InodeChanges {
  readonly #parts: InodeChangesParts

  constructor(parts: InodeChangesParts) {
    this.#parts = parts
  }

  /** 0 when it is done. */
  setAttributes(row: Row, change: AttributesChange, caller: Caller): number | Missing {
    const { tree, changes, files, now } = this.#parts
    const before = tree.entryOf(row)
    if (typeof before === 'number' || isMissing(before)) return before
    const { size } = change
    if (size !== undefined && before.kind !== 'file') return before.kind === 'directory' ? -errno.EISDIR : -errno.EINVAL
    if (size !== undefined && size > fileBytesMax) return -errno.EFBIG
    if (isKillOnly(change)) {
      // The kernel asks so before who is not root writes; also when a stranger says chown(-1, -1), who may not change the file.
      if (!hasPrivileges(before)) return 0
      if (caller.uid !== 0 && caller.uid !== before.uid && !files.isOpenForWriting(row)) return -errno.EPERM
    }
    const time = now()
    const changed = withAttributes(before, change, caller, time)
    // truncate(2) moves the modification time also where the size stays.
    const entry = size === undefined || change.mtime !== undefined ? changed : { ...changed, mtime: time }
    const result = size === undefined || size === before.size ? this.#record(row, entry, before, change.mtime === undefined ? undefined : this.#publishedBody(before)) : this.#resize(row, size, entry, before)
    if (result < 0 || (size === undefined && change.mtime === undefined)) return result
    return changes.node(before.id)?.body?.setMtime(entry.mtime) ?? 0
  }

  /** `changed` gives the new entry, or a negative errno. */
  change(row: Row, changed: (entry: Entry, now: Time) => Entry | number): undefined | number | Missing {
    const before = this.#parts.tree.entryOf(row)
    if (typeof before === 'number' || isMissing(before)) return before
    const entry = changed(before, this.#parts.now())
    if (typeof entry === 'number') return entry
    const result = this.#record(row, entry, before)
    return result < 0 ? result : undefined
  }

  /** One more handle on a regular file, for writing or with O_TRUNC; its body is journaled before the kernel may write into it. */
  open(row: Row, wish: OpenWish): OpenReply | number | Missing {
    const { tree, files } = this.#parts
    const before = tree.entryOf(row)
    if (typeof before === 'number' || isMissing(before)) return before
    if (before.kind !== 'file') return before.kind === 'directory' ? -errno.EISDIR : -errno.EINVAL
    const entry = (wish.flags & openFlag.O_TRUNC) === 0 ? before : this.#emptied(before, wish)
    const record = (put: Entry, body: LocalBody, isClean: boolean): number => this.#record(row, put, before, body, isClean)
    return files.open({ row, flags: wish.flags, entry, path: tree.pathOf(row), record })
  }

  /** The kernel has forgotten a row: what has no name either is gone for good. */
  forgotten(row: Row): void {
    this.#dropNameless(idOf(this.#parts.tree.table, row))
  }

  /** A merge may have taken the last name of what the kernel does not know, or has forgotten before. */
  settled(id: FileId): void {
    const { table } = this.#parts.tree
    const row = table.find(id)
    if (row === 0 || table.lookupCounts[row] === 0) this.#dropNameless(id)
  }

  #dropNameless(id: FileId): void {
    const { changes, bodies } = this.#parts
    const node = changes.node(id)
    if (node === undefined || node.entry.linkCount > 0) return
    const { body } = node
    const result = changes.discard(node.entry.id)
    if (result === 0 && body !== undefined) bodies.discard(body)
  }

  #emptied(entry: Entry, { caller, killsPrivileges }: OpenWish): Entry {
    const now = this.#parts.now()
    const safe = killsPrivileges ? withoutPrivileges(entry, caller) : entry
    return { ...safe, size: 0, mtime: now, ctime: now }
  }

  /** The body of a file that is unchanged since it was published. That is seen by its time of change, so before a program sets the time it is journaled as changed. */
  #publishedBody({ id }: Entry): LocalBody | undefined {
    const node = this.#parts.changes.node(id)
    return node?.published === undefined ? undefined : node.body
  }

  #record(row: Row, entry: Entry, before: Entry, body?: LocalBody, isClean = false): number {
    return new EditDraft(this.#parts.tree, this.#parts.changes).inPlace(row, entry, before, body, isClean).commit()
  }

  #resize(row: Row, size: number, changed: Entry, before: Entry): number {
    const { tree, files, changes } = this.#parts
    const entry = { ...changed, size }
    const path = tree.pathOf(row)
    const record = (body: LocalBody): number => this.#record(row, entry, before, body)
    if (size === 0) {
      const emptied = files.take({ row, entry, path, record: (_put, body) => record(body) }, true)
      return typeof emptied === 'number' ? emptied : 0
    }
    let isRecorded = false
    let isCut = false
    const recordTaken = (_put: Entry, taken: LocalBody): number => {
      // It is in no journal until then, which is to have what is left of it.
      isCut = !taken.isWhole
      const result = isCut ? taken.truncate(size) : 0
      if (result < 0) return result
      isRecorded = true
      return record(taken)
    }
    const body = files.take({ row, entry: before, path, record: recordTaken }, false)
    if (typeof body === 'number') return body
    if (!isRecorded) return cutBody(changes, before.id, body, size, () => record(body))
    return isCut ? 0 : body.truncate(size)
  }
}

/** Only privileges are to go. */
function isKillOnly({ killsPrivileges, ...rest }: AttributesChange): boolean {
  return killsPrivileges && [rest.mode, rest.uid, rest.gid, rest.size, rest.atime, rest.mtime].every((part) => part === undefined)
}
