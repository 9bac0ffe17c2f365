/**
 * What each request means that changes nothing, and the table of all. INIT, FORGET, BATCH_FORGET, INTERRUPT and DESTROY are the loop's own.
 */
import { errno } from '../../shared/errno.ts'
import { encodeName } from '../../shared/name.ts'
import { seekFrom } from '../sys/constants.ts'
import type { Memory } from '../sys/memory.ts'
import { changingOperations } from './changing-operations.ts'
import type { AttributesReply, EntryReply, Handler, OpenReply, ReadReply, StatfsReply } from './handler.ts'
import { bodyByte, bodyWord } from './operation.ts'
import type { Call, Desk, Operation } from './operation.ts'
import { writeAttributesAnswer, writeEntry, writeOffset, writeOpen, writeSize, writeStatfs, writeStatx } from './protocol/answer.ts'
import { transferBytesMax } from './protocol/init.ts'
import {
  accessRequest,
  getattrHasHandle,
  getattrRequest,
  getxattrRequest,
  header,
  lseekRequest,
  openKillsPrivileges,
  openRequest,
  readRequest,
  readWide,
  releaseRequest,
  statxRequest,
} from './protocol/layout.ts'
import { readName, writeName } from './protocol/names.ts'
import { opcode, opcodeCount } from './protocol/opcode.ts'

const lookup: Operation<EntryReply> = {
  decode: (call, message, byteCount) => {
    call.name = readName(message.bytes, header.bytes, byteCount)
  },
  ask: (handler, call) => handler.lookup(call.nodeId, call.name, call.caller),
  encode: (desk, value) => writeEntry(desk.memory.words, bodyWord, value),
  undo: (handler, value) => {
    if (value.nodeId !== 0) handler.forget(value.nodeId, 1)
  },
}

const getattr: Operation<AttributesReply> = {
  decode: (call, { words }) => {
    const hasHandle = (words[getattrRequest.flags]! & getattrHasHandle) !== 0
    call.handle = hasHandle ? readWide(words, getattrRequest.handle) : -1
  },
  ask: (handler, call) => handler.getattr(call.nodeId, call.handle < 0 ? undefined : call.handle),
  encode: (desk, value) => writeAttributesAnswer(desk.memory.words, bodyWord, value),
}

const statx: Operation<AttributesReply> = {
  decode: (call, { words }) => {
    const hasHandle = (words[statxRequest.getattrFlags]! & getattrHasHandle) !== 0
    call.handle = hasHandle ? readWide(words, statxRequest.handle) : -1
  },
  ask: (handler, call) => handler.getattr(call.nodeId, call.handle < 0 ? undefined : call.handle),
  encode: (desk, value) => writeStatx(desk.memory.words, bodyWord, value),
}

const readlink: Operation<string> = {
  ask: (handler, call) => handler.readlink(call.nodeId),
  encode: (desk, value) => {
    // The kernel gives targets one page, and cuts what is longer.
    const length = writeName(desk.memory.bytes, bodyByte, bodyByte + 4095, value)
    return length < 0 ? -errno.ENAMETOOLONG : length
  },
}

const open: Operation<OpenReply> = {
  decode: (call, { words }) => {
    call.flags = words[openRequest.flags]!
    call.killsPrivileges = (words[openRequest.openFlags]! & openKillsPrivileges) !== 0
  },
  ask: (handler, call) => handler.open(call.nodeId, call.flags, call.caller, call.killsPrivileges),
  encode: (desk, value) => writeOpen(desk.memory.words, bodyWord, value, desk.mayKeepCache),
  undo: (handler, value, call) => handler.release(call.nodeId, value.handle),
}

const opendir: Operation<OpenReply> = {
  ask: (handler, call) => handler.opendir(call.nodeId, call.caller),
  encode: (desk, value) => writeOpen(desk.memory.words, bodyWord, value, desk.mayKeepCache),
  undo: (handler, value, call) => handler.releasedir(call.nodeId, value.handle),
}

const read: Operation<ReadReply> = {
  decode: decodeRead,
  ask: (handler, call) => handler.read(call.nodeId, call.handle, call.offset, call.size),
  encode: (desk, value, call) => {
    if (value.kind === 'file') {
      return desk.device.readFile(value.fd, value.offset, Math.min(value.length, call.size), desk.memory, bodyByte)
    }
    // More than was asked for would make the kernel refuse the whole answer.
    const bytes = value.bytes.length > call.size ? value.bytes.subarray(0, call.size) : value.bytes
    desk.memory.bytes.set(bytes, bodyByte)
    return bytes.length
  },
}

/** Entries are packed straight into the desk's memory, which is therefore the packer's too. */
const readdir: Operation<undefined> = {
  decode: decodeRead,
  ask: (handler, call, packer) => {
    packer.begin(call.opcode === opcode.READDIRPLUS, call.size)
    return handler.readdir(call.nodeId, call.handle, call.offset, packer)
  },
  encode: (desk) => desk.packer.byteCount,
  undo: (handler, _value, _call, packer) => {
    for (const nodeId of packer.lookups) handler.forget(nodeId, 1)
  },
}

const statfs: Operation<StatfsReply> = {
  ask: (handler, call) => handler.statfs(call.nodeId),
  encode: (desk, value) => writeStatfs(desk.memory.words, bodyWord, value),
}

const access: Operation<undefined> = {
  decode: (call, { words }) => {
    call.flags = words[accessRequest.mask]!
  },
  ask: (handler, call) => handler.access(call.nodeId, call.flags, call.caller),
}

const flush: Operation<undefined> = {
  decode: decodeHandle,
  ask: (handler, call) => handler.flush(call.nodeId, call.handle),
}

const release: Operation<undefined> = {
  decode: decodeHandle,
  ask: (handler, call) => {
    handler.release(call.nodeId, call.handle)
    return undefined
  },
}

const releasedir: Operation<undefined> = {
  decode: decodeHandle,
  ask: (handler, call) => {
    handler.releasedir(call.nodeId, call.handle)
    return undefined
  },
}

const getxattr: Operation<Uint8Array> = {
  decode: (call, message, byteCount) => {
    call.size = message.words[getxattrRequest.size]!
    call.name = readName(message.bytes, getxattrRequest.nameByte, byteCount)
  },
  ask: (handler, call) => handler.getxattr(call.nodeId, call.name),
  encode: encodeSized,
}

const listxattr: Operation<readonly string[]> = {
  decode: (call, { words }) => {
    call.size = words[getxattrRequest.size]!
  },
  ask: (handler, call) => handler.listxattr(call.nodeId),
  encode: (desk, names, call) => encodeSized(desk, encodeName(names.map((name) => `${name}\0`).join('')), call),
}

const lseek: Operation<{ readonly offset: number }> = {
  decode: (call, { words }) => {
    call.handle = readWide(words, lseekRequest.handle)
    call.offset = readWide(words, lseekRequest.offset)
    call.flags = words[lseekRequest.whence]!
  },
  ask: (handler, call) => {
    if (call.flags !== seekFrom.SEEK_DATA && call.flags !== seekFrom.SEEK_HOLE) return -errno.EINVAL
    return handler.lseek(call.nodeId, call.handle, call.offset, call.flags)
  },
  encode: (desk, value) => writeOffset(desk.memory.words, bodyWord, value.offset),
}

/** A size of 0 asks how large the value is. */
function encodeSized(desk: Desk, bytes: Uint8Array, call: Call): number {
  if (call.size === 0) return writeSize(desk.memory.words, bodyWord, bytes.length)
  if (bytes.length > call.size) return -errno.ERANGE
  desk.memory.bytes.set(bytes, bodyByte)
  return bytes.length
}

function decodeRead(call: Call, { words }: Memory): void {
  call.handle = readWide(words, readRequest.handle)
  call.offset = readWide(words, readRequest.offset)
  call.size = Math.min(words[readRequest.size]!, transferBytesMax)
}

function decodeHandle(call: Call, { words }: Memory): void {
  call.handle = readWide(words, releaseRequest.handle)
}

export interface OperationTableParts {
  readonly handler: Handler
  /** INIT's SETXATTR_EXT: SETXATTR says whether the set-group-id bit goes. */
  readonly hasLongSetxattr: boolean
}

/** By opcode; what is absent here and not the loop's own is refused. */
export function operationTable({ handler, hasLongSetxattr }: OperationTableParts): readonly (Operation<unknown> | undefined)[] {
  const table = Array.from<Operation<unknown> | undefined>({ length: opcodeCount }).fill(undefined)
  const add = <T>(number: number, operation: Operation<T>): void => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- encode and undo get what the same entry's ask gave
    table[number] = operation as Operation<unknown>
  }
  add(opcode.LOOKUP, lookup)
  add(opcode.GETATTR, getattr)
  add(opcode.STATX, statx)
  add(opcode.READLINK, readlink)
  add(opcode.OPEN, open)
  add(opcode.READ, read)
  add(opcode.RELEASE, release)
  add(opcode.FLUSH, flush)
  add(opcode.OPENDIR, opendir)
  add(opcode.READDIR, readdir)
  add(opcode.READDIRPLUS, readdir)
  add(opcode.RELEASEDIR, releasedir)
  add(opcode.STATFS, statfs)
  add(opcode.ACCESS, access)
  add(opcode.GETXATTR, getxattr)
  add(opcode.LISTXATTR, listxattr)
  add(opcode.LSEEK, lseek)
  if (handler.writable === undefined) return table
  for (const { number, operation } of changingOperations(handler.writable, hasLongSetxattr)) table[number] = operation
  return table
}
