/**
 * What the namespace half of the changing operations asks of the half that has the bytes: a contract, types alone. `data-operations.ts` obeys it,
 * `volume-writer.ts` calls it.
 *
 * Methods that look at a file are steps (see `attempt.ts`): they give what they lack, and change nothing before they have it. Whoever gives a file a body, or
 * lets the kernel write into one, makes the edit that says so (`EditDraft.inPlace`) before the kernel is answered.
 */
import type { Entry, Time } from '../../shared/format/entry.ts'
import type { Missing } from '../../shared/format/page.ts'
import type { LocalBody } from '../bodies/local-body.ts'
import type { Answer, Caller, FilePlace, NodeId, OpenReply, WriteContext } from '../fuse/handler.ts'
import type { Row } from './inode-table.ts'

export interface OpenWish {
  /** As in open(2); O_TRUNC counts, O_CREAT and O_EXCL do not. */
  readonly flags: number
  readonly caller: Caller
  /** With O_TRUNC: the caller may not keep set-user-id and set-group-id bits. */
  readonly killsPrivileges: boolean
}

export interface FileData {
  /** An empty body with this modification time, for a file that is about to be made. */
  newBody(mtime: Time): LocalBody | number
  /** It was not made after all. */
  discardBody(body: LocalBody): void
  /** The first handle on a file that was just made with this body. */
  openMade(row: Row, body: LocalBody, wish: OpenWish): OpenReply | number
  /** One more handle on a regular file. With O_TRUNC the file is emptied, its times and privileges change. */
  open(row: Row, wish: OpenWish): OpenReply | number | Missing
  /**
   * Gives a regular file another size, by a body that has it. `body` is to go into the edit that the caller makes, `mtime` is the body's now. The size differs
   * from the one it has.
   */
  resize(row: Row, entry: Entry, size: number): { readonly body: LocalBody; readonly mtime: Time } | number | Missing
  write(nodeId: NodeId, handle: number, offset: number, bytes: Uint8Array, context: WriteContext): Answer<{ readonly written: number }>
  fsync(nodeId: NodeId, handle: number, isDataOnly: boolean): Answer<undefined>
  fallocate(nodeId: NodeId, handle: number, offset: number, length: number, mode: number): Answer<undefined>
  copyFileRange(from: FilePlace, to: FilePlace, length: number, flags: number): Answer<{ readonly copied: number }>
  /** The row has handles. */
  isOpen(row: Row): boolean
}
