/**
 * Reads the backing file of one changed body. Programs may be writing it: what was read counts only when the file is afterwards as it was before, and the
 * file system says the same of it (`verify`).
 */
import { closeSync, constants, fchmod, fdatasync, fstatSync, openSync, read, type BigIntStats } from 'node:fs'
import { throwIfAborted } from '../../shared/abort.ts'
import { errno } from '../../shared/errno.ts'
import { EdgemountError } from '../../shared/error.ts'
import type { Time } from '../../shared/format/entry.ts'
import type { ByteRange } from '../../shared/range.ts'
import { seekFrom } from '../sys/constants.ts'
import { failure } from '../sys/failure.ts'
import { libc, runOffThread } from '../sys/libc.ts'
import { readNow } from '../sys/read-now.ts'

/** NOFOLLOW: it is a file of our own folder, so a link there is somebody's trap. */
const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW

/** The disk here fails: about that one file, never about the store. */
export class BodyFileError extends EdgemountError {
  constructor(what: string, label: string, error: unknown) {
    const { code, message } = failure(`${what} the local body of "${label}"`, error)
    super(code, message, { cause: error })
    this.name = 'BodyFileError'
  }
}

export class BodyFile {
  readonly #fd: number
  readonly #label: string
  #stat: BigIntStats

  /** Throws what the disk says; `label` is the file's name in the mount. */
  static open(path: string, label: string): BodyFile {
    try {
      return new BodyFile(openSync(path, openFlags), label)
    } catch (error) {
      throw new BodyFileError('open', label, error)
    }
  }

  private constructor(fd: number, label: string) {
    this.#fd = fd
    this.#label = label
    this.#stat = fstatSync(fd, { bigint: true })
  }

  get size(): number {
    return Number(this.#stat.size)
  }

  /** What it takes on the disk. */
  get diskBytes(): number {
    return Number(this.#stat.blocks) * 512
  }

  get mtime(): Time {
    return timeOf(this.#stat.mtimeNs)
  }

  /**
   * Until the write has ended that is under way: its time of change is that of its beginning, so what comes of it later would leave no trace. Setting a mode
   * waits for the inode's lock, which a write holds to its end, and a thread waits with it.
   */
  endWrite(): Promise<void> {
    const mode = Number(this.#stat.mode) & 0o7777
    return new Promise((resolve, reject) => {
      fchmod(this.#fd, mode, (error) => {
        if (error === null) resolve()
        else reject(new BodyFileError('wait for writes to', this.#label, error))
      })
    })
  }

  /**
   * Writes dirty pages out. After it, a program that has the file mapped makes its time of change move with its next store; before it, a page that was
   * dirty already is written to without a trace.
   */
  settle(): Promise<void> {
    return new Promise((resolve, reject) => {
      fdatasync(this.#fd, (error) => {
        if (error !== null) reject(new BodyFileError('write out', this.#label, error))
        else {
          this.#stat = fstatSync(this.#fd, { bigint: true })
          resolve()
        }
      })
    })
  }

  /**
   * Where it has data, in order; a disk that does not tell has it everywhere. Asked off this thread: the answer waits for the inode's lock, and who writes with
   * it may wait for a page of this very mount, which this thread fetches.
   */
  async data(signal: AbortSignal): Promise<readonly ByteRange[]> {
    const { size } = this
    const found: ByteRange[] = []
    for (let at = 0; at < size; at = found.at(-1)!.end) {
      throwIfAborted(signal)
      const start = await runOffThread(libc.lseek, this.#fd, at, seekFrom.SEEK_DATA)
      if (start === -errno.ENXIO || start >= size) break
      const end = start < 0 ? start : await runOffThread(libc.lseek, this.#fd, start, seekFrom.SEEK_HOLE)
      found.push({ start: Math.max(at, start), end: end < 0 ? size : Math.min(size, end) })
    }
    return found
  }

  /** All of a small file, when its bytes are in memory. */
  readAllNow(): Uint8Array | undefined {
    const { size } = this
    const bytes = new Uint8Array(size)
    return size === 0 || readNow(this.#fd, bytes, size, 0) === size ? bytes : undefined
  }

  /** The bytes of a range, in views of `buffer`: each is good until the next one is asked for. Ends early where the file does. */
  async *read(start: number, end: number, buffer: Uint8Array, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    for (let offset = start; offset < end; ) {
      throwIfAborted(signal)
      const count = await this.#readInto(buffer, Math.min(buffer.length, end - offset), offset)
      if (count === 0) return
      offset += count
      yield buffer.subarray(0, count)
    }
  }

  /** The file is as it was when it was opened. */
  isSteady(): boolean {
    const now = fstatSync(this.#fd, { bigint: true })
    return now.size === this.#stat.size && now.mtimeNs === this.#stat.mtimeNs
  }

  close(): void {
    closeSync(this.#fd)
  }

  #readInto(buffer: Uint8Array, length: number, offset: number): Promise<number> {
    const count = readNow(this.#fd, buffer, length, offset)
    if (count > 0) return Promise.resolve(count)
    return new Promise((resolve, reject) => {
      read(this.#fd, buffer, 0, length, offset, (error, readCount) => {
        if (error === null) resolve(readCount)
        else reject(new BodyFileError('read', this.#label, error))
      })
    })
  }
}

const nanosecondsPerSecond = 1_000_000_000n

function timeOf(nanoseconds: bigint): Time {
  const rest = ((nanoseconds % nanosecondsPerSecond) + nanosecondsPerSecond) % nanosecondsPerSecond
  return { seconds: Number((nanoseconds - rest) / nanosecondsPerSecond), nanoseconds: Number(rest) }
}
