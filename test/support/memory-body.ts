/**
 * Contents of files for `writable-memory-handler.ts`: in memory, or in a file of the real disk, which the kernel may then write itself.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import type { ReadReply } from '../../shim/fuse/handler.ts'

export interface Body {
  readonly size: number
  /** When it was last written, in milliseconds, where the body knows better than its node. */
  readonly writtenMs: number | undefined
  /** A descriptor that the kernel may take as backing file. */
  readonly fd: number | undefined
  read(offset: number, length: number): ReadReply
  copy(offset: number, length: number): Uint8Array
  write(bytes: Uint8Array, offset: number): void
  truncate(size: number): void
  close(): void
}

export class MemoryBody implements Body {
  readonly writtenMs = undefined
  readonly fd = undefined
  size = 0
  #bytes = new Uint8Array(0)

  read(offset: number, length: number): ReadReply {
    return { kind: 'bytes', bytes: this.#bytes.subarray(offset, Math.min(this.size, offset + length)) }
  }

  copy(offset: number, length: number): Uint8Array {
    return this.#bytes.slice(offset, Math.min(this.size, offset + length))
  }

  write(bytes: Uint8Array, offset: number): void {
    this.#grow(offset + bytes.length)
    this.#bytes.set(bytes, offset)
    this.size = Math.max(this.size, offset + bytes.length)
  }

  truncate(size: number): void {
    this.#grow(size)
    if (size < this.size) this.#bytes.fill(0, size, this.size)
    this.size = size
  }

  close(): void {
    this.#bytes = new Uint8Array(0)
  }

  #grow(size: number): void {
    if (size <= this.#bytes.length) return
    const bytes = new Uint8Array(Math.max(size, this.#bytes.length * 2))
    bytes.set(this.#bytes)
    this.#bytes = bytes
  }
}

/** A file without a name. */
export class FileBody implements Body {
  readonly fd: number

  constructor(path: string) {
    this.fd = openSync(path, 'wx+')
    unlinkSync(path)
  }

  get size(): number {
    return fstatSync(this.fd).size
  }

  get writtenMs(): number {
    return fstatSync(this.fd).mtimeMs
  }

  read(offset: number, length: number): ReadReply {
    return { kind: 'file', fd: this.fd, offset, length }
  }

  copy(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    return bytes.subarray(0, readSync(this.fd, bytes, 0, length, offset))
  }

  write(bytes: Uint8Array, offset: number): void {
    writeSync(this.fd, bytes, 0, bytes.length, offset)
  }

  truncate(size: number): void {
    ftruncateSync(this.fd, size)
  }

  close(): void {
    closeSync(this.fd)
  }
}
