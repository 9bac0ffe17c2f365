/**
 * What reading a file gives: bytes at once, or a waiter that gets them later. Called by the file system.
 */
import { errno, errnoOfCode } from '../../shared/errno.ts'
import { type ErrorCode } from '../../shared/error.ts'
import type { ByteRange } from '../../shared/range.ts'

/** The bytes of a read: in memory, or in an open backing file (valid until control returns to the thread's loop). */
export type FileSlice =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'file'; readonly fd: number; readonly offset: number; readonly length: number }

/** Somebody waits for a range. Settled once, with a slice or a negative errno. */
export class Waiter {
  readonly range: ByteRange
  readonly #onCancel: (waiter: Waiter) => void
  #answer: FileSlice | number | undefined
  #listener: ((answer: FileSlice | number) => void) | undefined
  /** How often the fetch was begun anew because its bytes were taken away before they were read. */
  attemptCount = 0

  constructor(range: ByteRange, onCancel: (waiter: Waiter) => void) {
    this.range = range
    this.#onCancel = onCancel
  }

  get answer(): FileSlice | number | undefined {
    return this.#answer
  }

  /** Called once by whoever waits. The slice must be used before the listener returns. */
  listen(listener: (answer: FileSlice | number) => void): void {
    this.#listener = listener
    if (this.#answer !== undefined) listener(this.#answer)
  }

  /** The program was interrupted: settles with -EINTR, and stops the fetch if nobody else waits for it. */
  cancel(): void {
    if (this.#answer !== undefined) return
    this.#onCancel(this)
    this.settle(-errno.EINTR)
  }

  settle(answer: FileSlice | number): void {
    if (this.#answer !== undefined) return
    this.#answer = answer
    this.#listener?.(answer)
  }
}

/** What a program that reads a file is told. The file is there, so a part of it that is not found, or refused for its size, is an I/O error. */
export function errnoOfRead(code: ErrorCode): number {
  switch (code) {
    case 'aborted':
    case 'denied':
    case 'stale':
      return errnoOfCode[code]
    default:
      return errno.EIO
  }
}
