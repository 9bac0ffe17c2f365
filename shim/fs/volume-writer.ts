/**
 * The changing half of the file system: `WritableHandler` of the drivers. Runs the steps of `namespace.ts` and `inode-changes.ts`, makes replies of rows,
 * and hands on what is about bytes to `FileData`.
 *
 * Made by `volume-handler.ts` for mounts that may be written to. Everything a program was told happened is in the journal by then.
 */
import { errno } from '../../shared/errno.ts'
import type { FileId, Time } from '../../shared/format/entry.ts'
import { type Missing, isMissing } from '../../shared/format/page.ts'
import { encodeName } from '../../shared/name.ts'
import { childPath } from '../../shared/path.ts'
import type { LocalBodies } from '../bodies/local-bodies.ts'
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
import type { Attempts, Step } from './attempt.ts'
import type { FileData } from './file-data.ts'
import { InodeChanges, type OpenWish, fileBytesMax } from './inode-changes.ts'
import type { Row } from './inode-table.ts'
import { type Making, Namespace, type RowOutcome } from './namespace.ts'
import { kindOfMode } from './new-entry.ts'
import type { OpenFiles } from './open-files.ts'
import { type VolumeTree, idOf } from './volume-tree.ts'
import { settledBy, waitOn } from './waiting.ts'
import type { WriteGate } from './write-gate.ts'
import type { WritePromises } from './write-promises.ts'
import { type XattrChange, withXattr, withoutXattr } from './xattr-changes.ts'

export interface WriterParts {
  readonly tree: VolumeTree
  readonly changes: LocalChanges
  readonly attempts: Attempts
  readonly files: OpenFiles
  readonly bodies: LocalBodies
  readonly data: FileData
  readonly gate: WriteGate
  readonly promises: WritePromises
  readonly newId: () => FileId
  readonly now: () => Time
  readonly replies: WriterReplies
}

/** Made by the handler, which knows how long the kernel may keep what. */
export interface WriterReplies {
  entryReply(row: Row, isNew?: boolean): EntryReply
  attributesReply(row: Row, isLooked?: boolean): AttributesReply
}

export class VolumeWriter implements WritableHandler {
  readonly #parts: WriterParts
  readonly #namespace: Namespace
  readonly #inodes: InodeChanges

  constructor(parts: WriterParts) {
    this.#parts = parts
    this.#namespace = new Namespace(parts)
    this.#inodes = new InodeChanges(parts)
  }

  setattr(nodeId: NodeId, change: AttributesChange, caller: Caller): Answer<AttributesReply> {
    return this.#run('change', nodeId, () => {
      const outcome = this.#inodes.setAttributes(nodeId, change, caller)
      // What a body has it was asked before, and neither bytes nor times of it were changed.
      const isLooked = change.size === undefined && change.mtime === undefined
      return outcome === 0 ? this.#parts.replies.attributesReply(nodeId, isLooked) : outcome
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
    const { gate, promises } = this.#parts
    const wish = { flags, caller, killsPrivileges }
    const isExclusive = (flags & openFlag.O_EXCL) !== 0
    return gate.pass(() => {
      if (!promises.isStrict) return this.#create(parent, name, node, wish, isExclusive)
      if (!isExclusive) return promises.fresh(undefined, () => this.#create(parent, name, node, wish, false))
      return this.#createClaimed(parent, name, node, wish)
    })
  }

  tmpfile(parent: NodeId, node: NewNode, flags: number, caller: Caller): Answer<CreateReply> {
    const wish = { flags, caller, killsPrivileges: false }
    const step = (): CreateReply | number | Missing => this.#createOpen(wish, node, (making) => this.#namespace.makeNameless(parent, making))
    return this.#parts.gate.pass(() => this.#run<CreateReply>('make a file in', parent, step))
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
    const { gate, data } = this.#parts
    // POSIX: what fits is written.
    const room = fileBytesMax - offset
    if (room <= 0) return -errno.EFBIG
    const fitting = bytes.length > room ? bytes.subarray(0, room) : bytes
    if (!gate.isShut) return data.write(nodeId, handle, offset, fitting, context)
    const kept = fitting.slice()
    const { isFromCache, killsPrivileges, caller } = context
    return gate.pass(() => data.write(nodeId, handle, offset, kept, { isFromCache, killsPrivileges, caller: { ...caller } }))
  }

  fsync(nodeId: NodeId, handle: number, isDataOnly: boolean): Answer<undefined> {
    return this.#parts.promises.published(idOf(this.#parts.tree.table, nodeId), this.#parts.data.fsync(nodeId, handle, isDataOnly))
  }

  fsyncdir(nodeId: NodeId, _handle: number, _isDataOnly: boolean): Answer<undefined> {
    const { changes, promises, tree } = this.#parts
    const synced = new Deferred<undefined>()
    synced.onInterrupt = waitOn
    changes.sync([], (result) => synced.settle(result < 0 ? result : undefined))
    return promises.published(idOf(tree.table, nodeId), synced)
  }

  fallocate(nodeId: NodeId, handle: number, offset: number, length: number, mode: number): Answer<undefined> {
    const { gate, data } = this.#parts
    return offset + length > fileBytesMax ? -errno.EFBIG : gate.pass(() => data.fallocate(nodeId, handle, offset, length, mode))
  }

  copyFileRange(from: FilePlace, to: FilePlace, length: number, flags: number): Answer<{ readonly copied: number }> {
    return this.#parts.gate.pass(() => this.#parts.data.copyFileRange(from, to, length, flags))
  }

  setxattr(nodeId: NodeId, name: string, value: Uint8Array, flags: number, killsSetGid: boolean): Answer<undefined> {
    // The bytes are the driver's buffer, and the step may have to wait.
    const change: XattrChange = { name, value: value.slice(), flags, killsSetGid }
    return this.#run<undefined>('set an xattr of', nodeId, () => this.#inodes.change(nodeId, (entry, now) => withXattr(entry, change, now)))
  }

  removexattr(nodeId: NodeId, name: string): Answer<undefined> {
    return this.#run<undefined>('remove an xattr of', nodeId, () => this.#inodes.change(nodeId, (entry, now) => withoutXattr(entry, name, now)))
  }

  /** One more handle on a regular file, for writing or with O_TRUNC. */
  open(row: Row, wish: OpenWish): Answer<OpenReply> {
    return this.#parts.gate.pass(() => this.#run('open', row, () => this.#inodes.open(row, wish)))
  }

  /** The kernel has forgotten a row. */
  forgotten(row: Row): void {
    this.#inodes.forgotten(row)
  }

  /** A batch that had this inode is in the snapshot that is shown. */
  settled(id: FileId): void {
    this.#inodes.settled(id)
  }

  #create(parent: NodeId, name: string, node: NewNode, wish: OpenWish, isExclusive: boolean): Answer<CreateReply> {
    const { tree } = this.#parts
    const key = encodeName(name)
    return this.#run<CreateReply>('create', parent, () => {
      const found = tree.find(parent, key, name)
      if (typeof found === 'number' || isMissing(found)) return found
      if (found === undefined) return this.#createOpen(wish, node, (making) => this.#namespace.make(parent, name, making))
      if (isExclusive) return -errno.EEXIST
      const row = tree.rowOf(parent, key, found)
      if (isMissing(row)) return row
      const open = this.#inodes.open(row, wish)
      return typeof open === 'number' || isMissing(open) ? open : { entry: this.#known(row), open }
    })
  }

  /** The name is made in the newest commit first, where one mount alone can make it. */
  #createClaimed(parent: NodeId, name: string, node: NewNode, wish: OpenWish): Answer<CreateReply> {
    const { tree, promises } = this.#parts
    const plan = this.#run('create', parent, () => this.#namespace.plan(parent, name, { kind: 'file', node, caller: wish.caller }))
    return settledBy(plan, (entry) => {
      const open = (): Answer<CreateReply> => this.#create(parent, name, node, wish, false)
      return promises.claimed(childPath(tree.pathOf(parent), name), entry, open)
    })
  }

  #make(parent: NodeId, name: string, making: Making): Answer<EntryReply> {
    const step = (): EntryReply | number | Missing => this.#entered(this.#namespace.make(parent, name, making))
    return this.#parts.gate.pass(() => this.#run('make something in', parent, step))
  }

  /** Makes a file that is open from the beginning. */
  #createOpen(wish: OpenWish, node: NewNode, make: (making: Making) => RowOutcome): CreateReply | number | Missing {
    const { bodies, changes, files, tree, now } = this.#parts
    // One moment for both: what the disk says of the body is shown from its first write on.
    const at = now()
    const body = bodies.create(at)
    if (typeof body === 'number') return body
    const row = make({ kind: 'file', node, caller: wish.caller, body, at })
    if (typeof row !== 'number' || row < 0) {
      bodies.discard(body)
      return row
    }
    body.label = tree.pathOf(row)
    const { entry } = changes.node(idOf(tree.table, row))!
    const open = files.openCreated(row, entry, body, wish.flags)
    return { entry: this.#known(row, true), open }
  }

  /** A row that the kernel learns of. */
  #entered(row: RowOutcome): EntryReply | number | Missing {
    return typeof row !== 'number' || row < 0 ? row : this.#known(row)
  }

  #known(row: Row, isNew = false): EntryReply {
    const { replies, tree } = this.#parts
    const reply = replies.entryReply(row, isNew)
    tree.table.lookupCounts[row]! += 1
    return reply
  }

  /** A row that lost a name, or none. */
  #done(row: RowOutcome): undefined | number | Missing {
    if (typeof row !== 'number' || row < 0) return row
    const { tree } = this.#parts
    if (row !== 0 && tree.table.lookupCounts[row] === 0) {
      this.forgotten(row)
      tree.freeUnused(row)
    }
    return undefined
  }

  #run<T>(what: string, nodeId: NodeId, step: Step<T>): Answer<T> {
    return this.#parts.attempts.run(what, () => this.#parts.tree.pathOf(nodeId), step)
  }
}
