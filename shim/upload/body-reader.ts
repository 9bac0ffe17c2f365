/**
 * Brings one local file's content into the store: reads it, again when it changed under the reading, and says how well that went.
 */
import type { Content, Time } from '../../shared/format/entry.ts'
import type { Body } from './change.ts'
import { LocalFile, type Steadiness } from './local-file.ts'
import type { LocalPath } from './local-path.ts'
import type { ImportReport } from './report.ts'
import type { Turns } from './turns.ts'

/** Large enough that a read costs nothing beside its bytes; one buffer for each job. */
const bufferBytes = 1024 * 1024
/** A file that changes each time it is read is a database or a log; three tries find a quiet moment if there is one. */
const readTriesMax = 3

export interface BodyWritten extends Body {
  /** Bytes that the store did not have. */
  readonly newBytes: number
}

/** As much of the engine's content writer as is needed here. */
export interface BodyTarget {
  write(source: AsyncIterable<Uint8Array>, options: { readonly previous?: Content }): Promise<BodyWritten>
}

export interface BodyRead {
  readonly body: BodyWritten
  /** Of the file when it was opened: should it have changed since, the next import sees another time and reads it again. */
  readonly mtime: Time
  readonly steadiness: Steadiness
}

export class BodyReader {
  readonly #target: BodyTarget
  readonly #report: ImportReport
  readonly #signal: AbortSignal
  readonly #buffers: Uint8Array[] = []
  readonly #turns: Turns

  constructor(target: BodyTarget, report: ImportReport, turns: Turns, signal: AbortSignal) {
    this.#target = target
    this.#report = report
    this.#turns = turns
    this.#signal = signal
  }

  /** Throws `LocalFileError` when the file cannot be read; anything else is the store's failure. */
  async read(path: LocalPath, previous: Content | undefined): Promise<BodyRead> {
    const buffer = this.#buffers.pop() ?? new Uint8Array(bufferBytes)
    try {
      for (let tries = 1; ; tries += 1) {
        const read = await this.#readOnce(path, buffer, previous)
        if (read.steadiness !== 'changed' || tries === readTriesMax) return read
      }
    } finally {
      this.#buffers.push(buffer)
    }
  }

  async #readOnce(path: LocalPath, buffer: Uint8Array, previous: Content | undefined): Promise<BodyRead> {
    const file = LocalFile.open(path)
    try {
      const body = await this.#target.write(this.#counted(file, buffer), previous === undefined ? {} : { previous })
      return { body, mtime: file.mtime, steadiness: file.steadiness() }
    } finally {
      file.close()
    }
  }

  async *#counted(file: LocalFile, buffer: Uint8Array): AsyncGenerator<Uint8Array> {
    for await (const bytes of file.read(buffer, this.#signal)) {
      this.#report.readBytes += bytes.length
      yield bytes
      await this.#turns.due()
    }
  }
}
