/**
 * The kernel's end of a mount, as the loop sees it: messages in and out. `shim/sys/fuse-device.ts` is the real one; tests bring their own.
 */
import type { Memory } from '../sys/memory.ts'

export interface Device {
  /** The message that `receive` got. Overwritten by the next. */
  readonly request: Memory
  /** Where an answer is built. */
  readonly reply: Memory
  /** Length of the next message, or a negative errno; -EAGAIN when there is none. Never blocks. */
  receive(): number
  /** Sends the first `length` bytes of `from` as one message. Negative errno: -ENOENT when the kernel no longer wants the answer. */
  send(from: Memory, length: number): number
  /** Reads a part of an open file to byte `at` of `into`; the count (short at the end of the file) or a negative errno. */
  readFile(fd: number, offset: number, length: number, into: Memory, at: number): number
  /** Sleeps until there is a message or a byte on the control pipe (which it takes), or until the time is over. */
  wait(timeoutMs: number): { readonly hasRequest: boolean; readonly hasControl: boolean }
  /** A backing id, or a negative errno. */
  openBacking(fd: number): number
  closeBacking(backingId: number): number
}
