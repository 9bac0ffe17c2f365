/**
 * Reads one local file so that what comes out was in it at one moment, or says that it was not.
 *
 * Only as many bytes are read as the file had when it was opened: of a file that only grows, as logs do, that is a state it really had. A file that
 * shrank or was written to meanwhile gives `changed`, and the caller reads it again.
 */
import { closeSync, constants, fstatSync, openSync, read, type BigIntStats } from 'node:fs'
import { throwIfAborted } from '../../shared/abort.ts'
import type { Time } from '../../shared/format/entry.ts'
import { EdgemountError } from '../../shared/error.ts'
import { failure, failureName, reasonOf } from '../sys/failure.ts'
import { readNow } from '../sys/read-now.ts'
import { timeOf } from './local-entry.ts'
import { diskPath, type LocalPath } from './local-path.ts'

/** NONBLOCK, so that a fifo put in the file's place cannot hang us; NOFOLLOW, so that a link put there cannot lead elsewhere. */
const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

export type Steadiness = 'steady' | 'grew' | 'changed'

/** The local file could not be read: about that one file, never about the volume. */
export class LocalFileError extends EdgemountError {
  /** Somebody removed or replaced it meanwhile. */
  readonly isGone: boolean

  constructor(error: unknown) {
    const { code } = failure('read it', error)
    super(code, reasonOf(error), { cause: error })
    this.name = 'LocalFileError'
    this.isGone = code === 'not-found' || code === 'stale' || failureName(error) === 'ENOTDIR'
  }
}

export class LocalFile {
  readonly #fd: number
  readonly #stat: BigIntStats
  #readBytes = 0

  /** Synchronous: whoever opens a file has just asked for its attributes, so its inode is in memory. */
  static open(path: LocalPath): LocalFile {
    const fd = orLocalFileError(() => openSync(diskPath(path), openFlags))
    const stat = fstatSync(fd, { bigint: true })
    if (stat.isFile()) return new LocalFile(fd, stat)
    closeSync(fd)
    throw new LocalFileError(new EdgemountError('stale', 'something else took its place'))
  }

  private constructor(fd: number, stat: BigIntStats) {
    this.#fd = fd
    this.#stat = stat
  }

  /** When it was opened. */
  get size(): number {
    return Number(this.#stat.size)
  }

  get mtime(): Time {
    return timeOf(this.#stat.mtimeNs)
  }

  /** The bytes, in views of `buffer`: each is good until the next one is asked for. */
  async *read(buffer: Uint8Array, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    while (this.#readBytes < this.size) {
      throwIfAborted(signal)
      const length = Math.min(buffer.length, this.size - this.#readBytes)
      const count = readNow(this.#fd, buffer, length, this.#readBytes) || (await readInto(this.#fd, buffer, length, this.#readBytes))
      if (count === 0) return
      this.#readBytes += count
      yield buffer.subarray(0, count)
    }
  }

  /** After reading: was it the same file all the time? */
  steadiness(): Steadiness {
    const now = fstatSync(this.#fd, { bigint: true })
    if (this.#readBytes < this.size || now.size < this.#stat.size) return 'changed'
    if (now.size > this.#stat.size) return 'grew'
    return now.mtimeNs === this.#stat.mtimeNs && now.ctimeNs === this.#stat.ctimeNs ? 'steady' : 'changed'
  }

  close(): void {
    closeSync(this.#fd)
  }
}

function orLocalFileError<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw new LocalFileError(error)
  }
}

function readInto(fd: number, buffer: Uint8Array, length: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, buffer, 0, length, position, (error, count) => (error === null ? resolve(count) : reject(new LocalFileError(error))))
  })
}
