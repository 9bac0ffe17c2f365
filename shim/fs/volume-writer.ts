/**
 * The changing half of the file system: `WritableHandler` of the drivers. Runs the steps of `namespace.ts` and those that change one inode, makes replies
 * of rows, and hands on what is about bytes to `FileData`.
 *
 * Made by `volume-handler.ts` for mounts that may be written to. Everything a program was told happened is in the journal by then.
 */
import { errno } from '../../shared/error.ts'
import type { Entry, FileId, Time } from '../../shared/format/entry.ts'
import { type Missing, isMissing } from '../../shared/format/page.ts'
import { encodeName } from '../../shared/name.ts'
import type { LocalBodies } from '../bodies/local-bodies.ts'
import type { LocalBody } from '../bodies/local-body.ts'
import type { LocalChanges } from '../changes/local-changes.ts'
import {
  type Answer,
  type AttributesChange,
  type AttributesReply,
  type Caller,
  type CreateReply,
  Deferred,
  type EntryReply,
  type FilePlace,
  type NewNode,
  type NodeId,
  type OpenReply,
  type WritableHandler,
  type WriteContext,
} from '../fuse/handler.ts'
import { openFlag } from '../sys/constants.ts'
import { hasPrivileges, withAttributes, withoutPrivileges } from './attribute-changes.ts'
import type { Attempts, Step } from './attempt.ts'
import { EditDraft } from './edit-draft.ts'
import type { FileData } from './file-data.ts'
import type { Row } from './inode-table.ts'
import { type Making, Namespace, type RowOutcome } from './namespace.ts'
import { kindOfMode } from './new-entry.ts'
import type { OpenFiles } from './open-files.ts'
import { type VolumeTree, idOf } from './volume-tree.ts'
import { type XattrChange, withXattr, withoutXattr } from './xattr-changes.ts'

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

export interface WriterParts {
  readonly tree: VolumeTree
  readonly changes: LocalChanges
  readonly attempts: Attempts
  readonly files: OpenFiles
  readonly bodies: LocalBodies
  readonly data: FileData
  readonly newId: () => FileId
  readonly now: () => Time
  readonly replies: WriterReplies
}

/** Made by the handler, which knows how long the kernel may keep what. */
export interface WriterReplies {
  entryReply(row: Row): EntryReply
  attributesReply(row: Row): AttributesReply
}

export class VolumeWriter implements WritableHandler {
  readonly #tree: VolumeTree
  readonly #changes: LocalChanges
  readonly #attempts: Attempts
  readonly #files: OpenFiles
  readonly #bodies: LocalBodies
  readonly #data: FileData
  readonly #now: () => Time
  readonly #replies: WriterReplies
  readonly #namespace: Namespace

  constructor(parts: WriterParts) {
    this.#tree = parts.tree
    this.#changes = parts.changes
    this.#attempts = parts.attempts
    this.#files = parts.files
    this.#bodies = parts.bodies
    this.#data = parts.data
    this.#now = parts.now
    this.#replies = parts.replies
    this.#namespace = new Namespace(parts)
  }

  setattr(nodeId: NodeId, change: AttributesChange, caller: Caller): Answer<AttributesReply> {
    return this.#run('change', nodeId, () => {
      const before = this.#tree.entryOf(nodeId)
      if (typeof before === 'number' || isMissing(before)) return before
      const outcome = this.#setAttributes(nodeId, before, change, caller)
      return outcome === 0 ? this.#replies.attributesReply(nodeId) : outcome
    })
  }

  symlink(parent: NodeId, name: string, target: string, caller: Caller): Answer<EntryReply> {
    return this.#make(parent, name, { kind: 'symlink', node: { mode: 0o777, umask: 0, rdev: 0 }, caller, target })
  }

  mknod(parent: NodeId, name: string, node: NewNode, caller: Caller): Answer<EntryReply> {
    const kind = kindOfMode(node.mode)
    return kind === undefined ? -errno.EINVAL : this.#make(parent, name, { kind, node, caller })
  }

  mkdir(parent: NodeId, name: string, node: NewNode, caller: Caller): Answer<EntryReply> {
    return this.#make(parent, name, { kind: 'directory', node, caller })
  }

  create(parent: NodeId, name: string, node: NewNode, flags: number, caller: Caller, killsPrivileges = false): Answer<CreateReply> {
    const key = encodeName(name)
    const wish = { flags, caller, killsPrivileges }
    return this.#run<CreateReply>('create', parent, () => {
      const found = this.#tree.find(parent, key, name)
      if (typeof found === 'number' || isMissing(found)) return found
      if (found === undefined) return this.#createOpen(wish, node, (making) => this.#namespace.make(parent, name, making))
      if ((flags & openFlag.O_EXCL) !== 0) return -errno.EEXIST
      const row = this.#tree.rowOf(parent, key, found)
      if (isMissing(row)) return row
      const open = this.open(row, wish)
      return typeof open === 'number' || isMissing(open) ? open : this.#createReply(row, open)
    })
  }

  tmpfile(parent: NodeId, node: NewNode, flags: number, caller: Caller): Answer<CreateReply> {
    const wish = { flags, caller, killsPrivileges: false }
    return this.#run<CreateReply>('make a file in', parent, () => this.#createOpen(wish, node, (making) => this.#namespace.makeNameless(parent, making)))
  }

  unlink(parent: NodeId, name: string): Answer<undefined> {
    return this.#run<undefined>('remove a name from', parent, () => this.#done(this.#namespace.unlink(parent, name)))
  }

  rmdir(parent: NodeId, name: string): Answer<undefined> {
    return this.#run<undefined>('remove a directory from', parent, () => this.#done(this.#namespace.rmdir(parent, name)))
  }

  rename(parent: NodeId, name: string, newParent: NodeId, newName: string, flags: number): Answer<undefined> {
    return this.#run<undefined>('rename in', parent, () => this.#done(this.#namespace.rename(parent, name, newParent, newName, flags)))
  }

  link(nodeId: NodeId, newParent: NodeId, newName: string): Answer<EntryReply> {
    return this.#run<EntryReply>('link', nodeId, () => this.#entered(this.#namespace.link(nodeId, newParent, newName)))
  }

  write(nodeId: NodeId, handle: number, offset: number, bytes: Uint8Array, context: WriteContext): Answer<{ readonly written: number }> {
    return offset + bytes.length > fileBytesMax ? -errno.EFBIG : this.#data.write(nodeId, handle, offset, bytes, context)
  }

  fsync(nodeId: NodeId, handle: number, isDataOnly: boolean): Answer<undefined> {
    return this.#data.fsync(nodeId, handle, isDataOnly)
  }

  fsyncdir(_nodeId: NodeId, _handle: number, _isDataOnly: boolean): Answer<undefined> {
    const deferred = new Deferred<undefined>()
    this.#changes.sync([], (result) => deferred.settle(result < 0 ? result : undefined))
    return deferred
  }

  fallocate(nodeId: NodeId, handle: number, offset: number, length: number, mode: number): Answer<undefined> {
    return offset + length > fileBytesMax ? -errno.EFBIG : this.#data.fallocate(nodeId, handle, offset, length, mode)
  }

  copyFileRange(from: FilePlace, to: FilePlace, length: number, flags: number): Answer<{ readonly copied: number }> {
    return this.#data.copyFileRange(from, to, length, flags)
  }

  setxattr(nodeId: NodeId, name: string, value: Uint8Array, flags: number, killsSetGid: boolean): Answer<undefined> {
    // The bytes are the driver's buffer, and the step may have to wait.
    const change: XattrChange = { name, value: value.slice(), flags, killsSetGid }
    return this.#changeEntry('set an xattr of', nodeId, (entry, now) => withXattr(entry, change, now))
  }

  removexattr(nodeId: NodeId, name: string): Answer<undefined> {
    return this.#changeEntry('remove an xattr of', nodeId, (entry, now) => withoutXattr(entry, name, now))
  }

  /** A step: one more handle on a regular file, for writing or with O_TRUNC; its body is journaled before the kernel may write into it. */
  open(row: Row, wish: OpenWish): OpenReply | number | Missing {
    const before = this.#tree.entryOf(row)
    if (typeof before === 'number' || isMissing(before)) return before
    if (before.kind !== 'file') return before.kind === 'directory' ? -errno.EISDIR : -errno.EINVAL
    const entry = (wish.flags & openFlag.O_TRUNC) === 0 ? before : this.#emptied(before, wish)
    const record = (put: Entry, body: LocalBody, isClean: boolean): number => this.#record(row, put, before, body, isClean)
    return this.#files.open({ row, flags: wish.flags, entry, path: this.#tree.pathOf(row), record })
  }

  /** The kernel has forgotten a row: what has no name either is gone for good. */
  forgotten(row: Row): void {
    const node = this.#changes.node(idOf(this.#tree.table, row))
    if (node === undefined || node.entry.linkCount > 0) return
    const { body } = node
    const result = this.#changes.apply({ forgets: [node.entry.id] })
    if (result === 0 && body !== undefined) this.#bodies.discard(body)
  }

  #emptied(entry: Entry, { caller, killsPrivileges }: OpenWish): Entry {
    const now = this.#now()
    const safe = killsPrivileges ? withoutPrivileges(entry, caller) : entry
    return { ...safe, size: 0, mtime: now, ctime: now }
  }

  #record(row: Row, entry: Entry, before: Entry, body?: LocalBody, isClean = false): number {
    return new EditDraft(this.#tree, this.#changes).inPlace(row, entry, before, body, isClean).commit()
  }

  #setAttributes(row: Row, before: Entry, change: AttributesChange, caller: Caller): number | Missing {
    const now = this.#now()
    const { size } = change
    if (size !== undefined && before.kind !== 'file') return before.kind === 'directory' ? -errno.EISDIR : -errno.EINVAL
    if (size !== undefined && size > fileBytesMax) return -errno.EFBIG
    if (isKillOnly(change)) {
      // The kernel asks so before who is not root writes; also when a stranger says chown(-1, -1), who may not change the file.
      if (!hasPrivileges(before)) return 0
      if (caller.uid !== 0 && caller.uid !== before.uid && !this.#files.isOpenForWriting(row)) return -errno.EPERM
    }
    const changed = withAttributes(before, change, caller, now)
    // truncate(2) moves the modification time also where the size stays.
    const entry = size === undefined || change.mtime !== undefined ? changed : { ...changed, mtime: now }
    const result = size === undefined || size === before.size ? this.#record(row, entry, before) : this.#resize(row, size, entry, before)
    if (result < 0 || (size === undefined && change.mtime === undefined)) return result
    return this.#changes.node(before.id)?.body?.setMtime(entry.mtime) ?? 0
  }

  /** The body first, so that what is journaled is what is on disk; the body of a file that had none is in no journal until then. */
  #resize(row: Row, size: number, changed: Entry, before: Entry): number {
    let isDone = false
    const finish = (body: LocalBody): number => {
      isDone = true
      const result = body.truncate(size)
      return result < 0 ? result : this.#record(row, { ...changed, size }, before, body)
    }
    const isEmptied = size === 0
    const entry = isEmptied ? { ...changed, size } : before
    const body = this.#files.take({ row, entry, path: this.#tree.pathOf(row), record: (_put, taken) => finish(taken) }, isEmptied)
    if (typeof body === 'number') return body
    return isDone ? 0 : finish(body)
  }

  #changeEntry(what: string, nodeId: NodeId, changed: (entry: Entry, now: Time) => Entry | number): Answer<undefined> {
    return this.#run<undefined>(what, nodeId, () => {
      const before = this.#tree.entryOf(nodeId)
      if (typeof before === 'number' || isMissing(before)) return before
      const entry = changed(before, this.#now())
      if (typeof entry === 'number') return entry
      const result = new EditDraft(this.#tree, this.#changes).inPlace(nodeId, entry, before).commit()
      return result < 0 ? result : undefined
    })
  }

  #make(parent: NodeId, name: string, making: Making): Answer<EntryReply> {
    return this.#run<EntryReply>('make something in', parent, () => this.#entered(this.#namespace.make(parent, name, making)))
  }

  /** Makes a file that is open from the beginning. */
  #createOpen(wish: OpenWish, node: NewNode, make: (making: Making) => RowOutcome): CreateReply | number | Missing {
    const body = this.#bodies.create(this.#now())
    if (typeof body === 'number') return body
    const row = make({ kind: 'file', node, caller: wish.caller, body })
    if (typeof row !== 'number' || row < 0) {
      this.#bodies.discard(body)
      return row
    }
    body.label = this.#tree.pathOf(row)
    const { entry } = this.#changes.node(idOf(this.#tree.table, row))!
    return this.#createReply(row, this.#files.openCreated(row, entry, body, wish.flags))
  }

  #createReply(row: Row, open: OpenReply): CreateReply {
    const entry = this.#replies.entryReply(row)
    this.#tree.table.lookupCounts[row]! += 1
    return { entry, open }
  }

  /** A row that the kernel learns of. */
  #entered(row: RowOutcome): EntryReply | number | Missing {
    if (typeof row !== 'number' || row < 0) return row
    const reply = this.#replies.entryReply(row)
    this.#tree.table.lookupCounts[row]! += 1
    return reply
  }

  /** A row that lost a name, or none. */
  #done(row: RowOutcome): undefined | number | Missing {
    if (typeof row !== 'number' || row < 0) return row
    if (row !== 0 && this.#tree.table.lookupCounts[row] === 0) {
      this.forgotten(row)
      this.#tree.freeUnused(row)
    }
    return undefined
  }

  #run<T>(what: string, nodeId: NodeId, step: Step<T>): Answer<T> {
    return this.#attempts.run(what, () => this.#tree.pathOf(nodeId), step)
  }
}

/** Only privileges are to go. */
function isKillOnly({ killsPrivileges, ...rest }: AttributesChange): boolean {
  return killsPrivileges && [rest.mode, rest.uid, rest.gid, rest.size, rest.atime, rest.mtime].every((part) => part === undefined)
}
