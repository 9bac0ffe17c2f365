/**
 * The form in which the driver knows a request: how it is decoded, which method of the handler it asks, how the answer is encoded, and what
 * is to be taken back when the kernel did not take the answer. The tables are in `operations.ts` and `changing-operations.ts`.
 */
import type { Memory } from '../sys/memory.ts'
import type { Device } from './device.ts'
import type { Answer, AttributesChange, Caller, Handler, NewNode, NodeId, WriteContext } from './handler.ts'
import type { DirectoryPacker } from './protocol/directory.ts'
import { answerHeader } from './protocol/layout.ts'

/** Where the body of an answer begins. */
export const bodyWord = answerHeader.words
export const bodyByte = answerHeader.bytes

/**
 * One request, decoded. The loop uses one object for all; a deferred request keeps a copy, whose `bytes` mean nothing any more. It is the
 * context of a WRITE as it is.
 */
export interface Call extends WriteContext {
  opcode: number
  uniqueLow: number
  uniqueHigh: number
  nodeId: NodeId
  caller: Caller
  /** -1 where there is none. */
  handle: number
  offset: number
  size: number
  /** Open flags, access mask, whence, or what else the request calls flags or mode. */
  flags: number
  name: string
  /** LINK, RENAME, COPY_FILE_RANGE: where it leads to. */
  toNodeId: NodeId
  toHandle: number
  toOffset: number
  /** The new name; of a SYMLINK its target. */
  toName: string
  node: NewNode
  change: AttributesChange
  bytes: Uint8Array
  isFromCache: boolean
  killsPrivileges: boolean
}

const noNode: NewNode = { mode: 0, umask: 0, rdev: 0 }
const noChange: AttributesChange = {
  mode: undefined,
  uid: undefined,
  gid: undefined,
  size: undefined,
  atime: undefined,
  mtime: undefined,
  ctime: undefined,
  killsPrivileges: false,
  handle: undefined,
}

export function emptyCall(): Call {
  return {
    opcode: 0,
    uniqueLow: 0,
    uniqueHigh: 0,
    nodeId: 0,
    caller: { uid: 0, gid: 0, pid: 0 },
    handle: -1,
    offset: 0,
    size: 0,
    flags: 0,
    name: '',
    toNodeId: 0,
    toHandle: -1,
    toOffset: 0,
    toName: '',
    node: noNode,
    change: noChange,
    bytes: new Uint8Array(0),
    isFromCache: false,
    killsPrivileges: false,
  }
}

/** Where an answer is built, and what is needed to build it. */
export interface Desk {
  readonly memory: Memory
  readonly device: Device
  readonly packer: DirectoryPacker
  /** False once invalidations were lost: from then on nothing may be promised about cached data. */
  readonly mayKeepCache: boolean
}

export interface Operation<T> {
  decode?(call: Call, message: Memory, byteCount: number): void
  ask(handler: Handler, call: Call, packer: DirectoryPacker): Answer<T>
  /** Writes the body after the header; its length, or a negative errno. */
  encode?(desk: Desk, value: T, call: Call): number
  undo?(handler: Handler, value: T, call: Call, packer: DirectoryPacker): void
}

