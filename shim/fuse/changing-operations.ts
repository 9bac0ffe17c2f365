/**
 * What each request means that changes something. The loop has these where the handler has a changing half; elsewhere they are refused.
 *
 * A WRITE is hot: its bytes go to the handler as a view of the message, the same view for as long as writes have the same length, and the
 * call itself is the context. Other requests make the few objects that their methods take.
 */
import type { Memory } from '../sys/memory.ts'
import type { Answer, AttributesChange, AttributesReply, CreateReply, EntryReply, TimeChange, WritableHandler } from './handler.ts'
import { bodyWord } from './operation.ts'
import type { Call, Operation } from './operation.ts'
import { writeAttributesAnswer, writeEntry, writeOffset, writeOpen, writeSize } from './protocol/answer.ts'
import {
  copyFileRangeRequest,
  createRequest,
  entry,
  fallocateRequest,
  fsyncIsDataOnly,
  fsyncRequest,
  linkRequest,
  mkdirRequest,
  mknodRequest,
  namedRequest,
  openKillsPrivileges,
  readSignedWide,
  readWide,
  rename2Request,
  renameRequest,
  setattrRequest,
  setattrValid,
  setxattrKillsSetGid,
  setxattrRequest,
  writeFlag,
  writeRequest,
} from './protocol/layout.ts'
import { readName } from './protocol/names.ts'
import { opcode } from './protocol/opcode.ts'

/** As `Operation`, asking the changing half. */
interface ChangingOperation<T> extends Omit<Operation<T>, 'ask'> {
  ask(writable: WritableHandler, call: Call): Answer<T>
}

/** Each opcode with its operation. `hasLongSetxattr`: INIT's SETXATTR_EXT. */
export function changingOperations(writable: WritableHandler, hasLongSetxattr: boolean): { number: number; operation: Operation<unknown> }[] {
  const bind = <T>(number: number, changing: ChangingOperation<T>): { number: number; operation: Operation<unknown> } => {
    const operation: Operation<T> = { ...changing, ask: (_handler, call) => changing.ask(writable, call) }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- encode and undo get what the same entry's ask gave
    return { number, operation: operation as Operation<unknown> }
  }
  return [
    bind(opcode.SETATTR, setattr),
    bind(opcode.SYMLINK, symlink),
    bind(opcode.MKNOD, mknod),
    bind(opcode.MKDIR, mkdir),
    bind(opcode.CREATE, create),
    bind(opcode.TMPFILE, tmpfile),
    bind(opcode.UNLINK, unlink),
    bind(opcode.RMDIR, rmdir),
    bind(opcode.RENAME, rename),
    bind(opcode.RENAME2, rename2),
    bind(opcode.LINK, link),
    bind(opcode.WRITE, write),
    bind(opcode.FSYNC, fsync),
    bind(opcode.FSYNCDIR, fsyncdir),
    bind(opcode.FALLOCATE, fallocate),
    bind(opcode.COPY_FILE_RANGE, copyFileRange),
    bind(opcode.COPY_FILE_RANGE_64, { ...copyFileRange, encode: (desk, value) => writeOffset(desk.memory.words, bodyWord, value.copied) }),
    bind(opcode.SETXATTR, hasLongSetxattr ? setxattr : shortSetxattr),
    bind(opcode.REMOVEXATTR, removexattr),
  ]
}

const setattr: ChangingOperation<AttributesReply> = {
  decode: (call, { words }) => {
    call.change = readChange(words)
  },
  ask: (writable, call) => writable.setattr(call.nodeId, call.change, call.caller),
  encode: (desk, value) => writeAttributesAnswer(desk.memory.words, bodyWord, value),
}

/** What gives a name to a new node, or one more name to a node: one lookup for the kernel. */
const newEntry: Pick<Operation<EntryReply>, 'encode' | 'undo'> = {
  encode: (desk, value) => writeEntry(desk.memory.words, bodyWord, value),
  undo: (handler, value) => handler.forget(value.nodeId, 1),
}

const symlink: ChangingOperation<EntryReply> = {
  ...newEntry,
  decode: (call, message, byteCount) => readNames(call, message, namedRequest.nameByte, byteCount),
  ask: (writable, call) => writable.symlink(call.nodeId, call.name, call.toName, call.caller),
}

const mknod: ChangingOperation<EntryReply> = {
  ...newEntry,
  decode: (call, { words, bytes }, byteCount) => {
    call.node = { mode: words[mknodRequest.mode]!, umask: words[mknodRequest.umask]!, rdev: words[mknodRequest.rdev]! }
    call.name = readName(bytes, mknodRequest.nameByte, byteCount)
  },
  ask: (writable, call) => writable.mknod(call.nodeId, call.name, call.node, call.caller),
}

const mkdir: ChangingOperation<EntryReply> = {
  ...newEntry,
  decode: (call, { words, bytes }, byteCount) => {
    call.node = { mode: words[mkdirRequest.mode]! | directoryType, umask: words[mkdirRequest.umask]!, rdev: 0 }
    call.name = readName(bytes, mkdirRequest.nameByte, byteCount)
  },
  ask: (writable, call) => writable.mkdir(call.nodeId, call.name, call.node, call.caller),
}

/** S_IFDIR: the kernel leaves it out of a MKDIR. */
const directoryType = 0o040000

/** One lookup and one open file: both go when nobody takes the answer. */
const newFile: Pick<Operation<CreateReply>, 'decode' | 'encode' | 'undo'> = {
  decode: (call, { words, bytes }, byteCount) => {
    call.flags = words[createRequest.flags]!
    call.node = { mode: words[createRequest.mode]!, umask: words[createRequest.umask]!, rdev: 0 }
    call.killsPrivileges = (words[createRequest.openFlags]! & openKillsPrivileges) !== 0
    call.name = readName(bytes, createRequest.nameByte, byteCount)
  },
  encode: (desk, value) => {
    const { words } = desk.memory
    return writeEntry(words, bodyWord, value.entry) + writeOpen(words, bodyWord + entry.words, value.open, desk.mayKeepCache)
  },
  undo: (handler, value) => {
    handler.release(value.entry.nodeId, value.open.handle)
    handler.forget(value.entry.nodeId, 1)
  },
}

const create: ChangingOperation<CreateReply> = {
  ...newFile,
  ask: (writable, call) => writable.create(call.nodeId, call.name, call.node, call.flags, call.caller, call.killsPrivileges),
}

const tmpfile: ChangingOperation<CreateReply> = {
  ...newFile,
  ask: (writable, call) => writable.tmpfile(call.nodeId, call.node, call.flags, call.caller),
}

const unlink: ChangingOperation<undefined> = {
  decode: decodeNamed,
  ask: (writable, call) => writable.unlink(call.nodeId, call.name),
}

const rmdir: ChangingOperation<undefined> = {
  decode: decodeNamed,
  ask: (writable, call) => writable.rmdir(call.nodeId, call.name),
}

const rename: ChangingOperation<undefined> = {
  decode: (call, message, byteCount) => {
    call.toNodeId = readWide(message.words, renameRequest.newParent)
    call.flags = 0
    readNames(call, message, renameRequest.nameByte, byteCount)
  },
  ask: (writable, call) => writable.rename(call.nodeId, call.name, call.toNodeId, call.toName, call.flags),
}

const rename2: ChangingOperation<undefined> = {
  ...rename,
  decode: (call, message, byteCount) => {
    call.toNodeId = readWide(message.words, rename2Request.newParent)
    call.flags = message.words[rename2Request.flags]!
    readNames(call, message, rename2Request.nameByte, byteCount)
  },
}

const link: ChangingOperation<EntryReply> = {
  ...newEntry,
  decode: (call, { words, bytes }, byteCount) => {
    call.toNodeId = call.nodeId
    call.nodeId = readWide(words, linkRequest.nodeId)
    call.toName = readName(bytes, linkRequest.nameByte, byteCount)
  },
  ask: (writable, call) => writable.link(call.nodeId, call.toNodeId, call.toName),
}

const write: ChangingOperation<{ readonly written: number }> = {
  decode: (call, { words, bytes }, byteCount) => {
    call.handle = readWide(words, writeRequest.handle)
    call.offset = readWide(words, writeRequest.offset)
    const flags = words[writeRequest.flags]!
    call.isFromCache = (flags & writeFlag.FUSE_WRITE_CACHE) !== 0
    call.killsPrivileges = (flags & writeFlag.FUSE_WRITE_KILL_SUIDGID) !== 0
    const size = Math.min(words[writeRequest.size]!, byteCount - writeRequest.dataByte)
    if (call.bytes.length === size && call.bytes.buffer === bytes.buffer) return
    call.bytes = bytes.subarray(writeRequest.dataByte, writeRequest.dataByte + size)
  },
  ask: (writable, call) => writable.write(call.nodeId, call.handle, call.offset, call.bytes, call),
  encode: (desk, value) => writeSize(desk.memory.words, bodyWord, value.written),
}

const fsync: ChangingOperation<undefined> = {
  decode: (call, { words }) => {
    call.handle = readWide(words, fsyncRequest.handle)
    call.flags = words[fsyncRequest.flags]!
  },
  ask: (writable, call) => writable.fsync(call.nodeId, call.handle, (call.flags & fsyncIsDataOnly) !== 0),
}

const fsyncdir: ChangingOperation<undefined> = {
  ...fsync,
  ask: (writable, call) => writable.fsyncdir(call.nodeId, call.handle, (call.flags & fsyncIsDataOnly) !== 0),
}

const fallocate: ChangingOperation<undefined> = {
  decode: (call, { words }) => {
    call.handle = readWide(words, fallocateRequest.handle)
    call.offset = readWide(words, fallocateRequest.offset)
    call.size = readWide(words, fallocateRequest.length)
    call.flags = words[fallocateRequest.mode]!
  },
  ask: (writable, call) => writable.fallocate(call.nodeId, call.handle, call.offset, call.size, call.flags),
}

const copyFileRange: ChangingOperation<{ readonly copied: number }> = {
  decode: (call, { words }) => {
    call.handle = readWide(words, copyFileRangeRequest.handle)
    call.offset = readWide(words, copyFileRangeRequest.offset)
    call.toNodeId = readWide(words, copyFileRangeRequest.toNodeId)
    call.toHandle = readWide(words, copyFileRangeRequest.toHandle)
    call.toOffset = readWide(words, copyFileRangeRequest.toOffset)
    call.size = readWide(words, copyFileRangeRequest.length)
    call.flags = words[copyFileRangeRequest.flags]!
  },
  ask: (writable, { nodeId, handle, offset, toNodeId, toHandle, toOffset, size, flags }) =>
    writable.copyFileRange({ nodeId, handle, offset }, { nodeId: toNodeId, handle: toHandle, offset: toOffset }, size, flags),
  encode: (desk, value) => writeSize(desk.memory.words, bodyWord, value.copied),
}

const setxattr: ChangingOperation<undefined> = {
  decode: (call, message, byteCount) => {
    readXattr(call, message, setxattrRequest.nameByte, byteCount)
    call.killsPrivileges = (message.words[setxattrRequest.setxattrFlags]! & setxattrKillsSetGid) !== 0
  },
  ask: (writable, call) => writable.setxattr(call.nodeId, call.name, call.bytes, call.flags, call.killsPrivileges),
}

const shortSetxattr: ChangingOperation<undefined> = {
  ...setxattr,
  decode: (call, message, byteCount) => {
    readXattr(call, message, setxattrRequest.shortNameByte, byteCount)
    call.killsPrivileges = false
  },
}

const removexattr: ChangingOperation<undefined> = {
  decode: decodeNamed,
  ask: (writable, call) => writable.removexattr(call.nodeId, call.name),
}

function decodeNamed(call: Call, { bytes }: Memory, byteCount: number): void {
  call.name = readName(bytes, namedRequest.nameByte, byteCount)
}

/** Two names with a NUL each. */
function readNames(call: Call, { bytes }: Memory, at: number, byteCount: number): void {
  call.name = readName(bytes, at, byteCount)
  call.toName = readName(bytes, bytes.indexOf(0, at) + 1, byteCount)
}

/** The value is copied: the handler may keep it. */
function readXattr(call: Call, { words, bytes }: Memory, nameByte: number, byteCount: number): void {
  const valueByte = bytes.indexOf(0, nameByte) + 1
  call.name = readName(bytes, nameByte, byteCount)
  call.flags = words[setxattrRequest.flags]!
  call.bytes = bytes.slice(valueByte, Math.min(valueByte + words[setxattrRequest.size]!, byteCount))
}

/** What a SETATTR sets; the rest of its bits are about the request. */
const changingBits = ~(setattrValid.FATTR_FH | setattrValid.FATTR_LOCKOWNER | setattrValid.FATTR_KILL_SUIDGID)

function readChange(words: Uint32Array): AttributesChange {
  const { FATTR_MODE, FATTR_UID, FATTR_GID, FATTR_SIZE, FATTR_FH, FATTR_ATIME, FATTR_ATIME_NOW, FATTR_MTIME, FATTR_MTIME_NOW } = setattrValid
  const valid = words[setattrRequest.valid]!
  const has = (bit: number): boolean => (valid & bit) !== 0
  const time = (bit: number, nowBit: number, at: number, atNanoseconds: number): TimeChange | undefined => {
    if (has(nowBit)) return 'now'
    return has(bit) ? { seconds: readSignedWide(words, at), nanoseconds: words[atNanoseconds]! } : undefined
  }
  return {
    mode: has(FATTR_MODE) ? words[setattrRequest.mode]! & 0o7777 : undefined,
    uid: has(FATTR_UID) ? words[setattrRequest.uid]! : undefined,
    gid: has(FATTR_GID) ? words[setattrRequest.gid]! : undefined,
    size: has(FATTR_SIZE) ? readWide(words, setattrRequest.size) : undefined,
    atime: time(FATTR_ATIME, FATTR_ATIME_NOW, setattrRequest.atime, setattrRequest.atimeNanoseconds),
    mtime: time(FATTR_MTIME, FATTR_MTIME_NOW, setattrRequest.mtime, setattrRequest.mtimeNanoseconds),
    ctime: time(setattrValid.FATTR_CTIME, 0, setattrRequest.ctime, setattrRequest.ctimeNanoseconds),
    // Before a write, the kernel says that the bits have to go by asking for nothing at all.
    killsPrivileges: has(setattrValid.FATTR_KILL_SUIDGID) || !has(changingBits),
    handle: has(FATTR_FH) ? readWide(words, setattrRequest.handle) : undefined,
  }
}
