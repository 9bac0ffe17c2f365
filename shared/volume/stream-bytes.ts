/**
 * A stream of bytes, read in portions of any size. Where the platform's stream can fill a buffer that it is given it does, so that nothing is copied and nothing but
 * the portion is held.
 */

export class StreamBytes {
  readonly #source: ByobSource | PieceSource

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#source = byobSource(stream) ?? new PieceSource(stream.getReader())
  }

  /** Exactly so many bytes; fewer when the stream ends before. */
  async take(length: number): Promise<Uint8Array> {
    return await this.#source.take(length)
  }

  /** Ends it; nobody waits for that. */
  stop(): void {
    this.#source.stop()
  }
}

/** Undefined for a stream that has no such reader. */
function byobSource(stream: ReadableStream<Uint8Array>): ByobSource | undefined {
  try {
    return new ByobSource(stream.getReader({ mode: 'byob' }))
  } catch {
    return undefined
  }
}

class ByobSource {
  readonly #reader: ReadableStreamBYOBReader

  constructor(reader: ReadableStreamBYOBReader) {
    this.#reader = reader
  }

  async take(length: number): Promise<Uint8Array> {
    let buffer = new ArrayBuffer(length)
    for (let filled = 0; filled < length; ) {
      // The buffer goes with the call and comes back with the answer.
      const { done, value } = await this.#reader.read(new Uint8Array(buffer, filled))
      if (value !== undefined) buffer = value.buffer
      filled += value?.length ?? 0
      if (done) return value === undefined ? new Uint8Array() : new Uint8Array(buffer, 0, filled)
    }
    return new Uint8Array(buffer)
  }

  stop(): void {
    this.#reader.cancel().catch(() => undefined)
  }
}

class PieceSource {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  #rest: Uint8Array = new Uint8Array()

  constructor(reader: ReadableStreamDefaultReader<Uint8Array>) {
    this.#reader = reader
  }

  async take(length: number): Promise<Uint8Array> {
    const taken = new Uint8Array(length)
    for (let filled = 0; filled < length; ) {
      if (this.#rest.length === 0) {
        const { done, value } = await this.#reader.read()
        if (done) return taken.subarray(0, filled)
        this.#rest = value
      }
      const part = this.#rest.subarray(0, length - filled)
      taken.set(part, filled)
      filled += part.length
      this.#rest = this.#rest.subarray(part.length)
    }
    return taken
  }

  stop(): void {
    this.#reader.cancel().catch(() => undefined)
  }
}
