/**
 * A file as values that other code takes: something like a `Blob` that reads when it is asked, and an `AsyncBuffer` as hyparquet and its like want one.
 */
import type { ByteRange } from '../../shared/range.ts'

/** What reads a file's bytes. */
export interface ReadableBytes {
  read(range: ByteRange): Promise<Uint8Array<ArrayBuffer>>
  stream(range: ByteRange): ReadableStream<Uint8Array<ArrayBuffer>>
}

/** `Blob`'s interface over a range of a file. Nothing is read before it is asked for. */
export class LazyFile {
  readonly name: string
  readonly type: string
  /** Milliseconds since 1970. */
  readonly lastModified: number
  readonly #source: ReadableBytes
  readonly #range: ByteRange

  constructor(source: ReadableBytes, range: ByteRange, facts: { readonly name: string; readonly type: string; readonly lastModified: number }) {
    this.#source = source
    this.#range = range
    this.name = facts.name
    this.type = facts.type
    this.lastModified = facts.lastModified
  }

  get size(): number {
    return this.#range.end - this.#range.start
  }

  /** As `Blob.slice`: negative positions count from the end, and what is beyond it is left out. */
  slice(start = 0, end: number = this.size, type = ''): LazyFile {
    const from = position(start, this.size)
    const to = Math.max(from, position(end, this.size))
    const range = { start: this.#range.start + from, end: this.#range.start + to }
    return new LazyFile(this.#source, range, { name: this.name, type, lastModified: this.lastModified })
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).buffer
  }

  bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#source.read(this.#range)
  }

  async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes())
  }

  stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#source.stream(this.#range)
  }
}

export interface AsyncBuffer {
  readonly byteLength: number
  slice(start: number, end?: number): Promise<ArrayBuffer>
}

export function asyncBufferOf(file: LazyFile): AsyncBuffer {
  return { byteLength: file.size, slice: (start, end) => file.slice(start, end).arrayBuffer() }
}

function position(at: number, size: number): number {
  return Math.trunc(at < 0 ? Math.max(0, size + at) : Math.min(at, size))
}
