/**
 * Bodies of a directory store: exact reads at a position, whole or as a stream.
 */
import { abortError, throwIfAborted } from '../../../shared/abort.ts'
import { EdgemountError } from '../../../shared/error.ts'
import { type ByteRange, rangeLength } from '../../../shared/range.ts'
import type { Disk } from './disk.ts'
import { diskError, isErrno } from './disk-error.ts'
import type { OpenFile, OpenFiles } from './open-files.ts'
import { tagOfFile } from './tag.ts'

/** Large enough that a slice's fixed cost (100 µs) is small beside its copying, small enough for many streams at once. */
const sliceBytes = 512 * 1024

export interface FileBody {
  readonly files: OpenFiles
  readonly disk: Disk
  readonly path: string
  /** The tag the object had when it was found; another one now means that it was replaced. */
  readonly etag: string
  readonly range: ByteRange
  /** Completes "Cannot …" in messages. */
  readonly doing: string
  readonly signal: AbortSignal | undefined
}

export async function readBody(body: FileBody): Promise<Uint8Array> {
  const length = rangeLength(body.range)
  if (length === 0) return new Uint8Array(0)
  return orDiskError(body, () =>
    body.files.use(body.path, async (file) => {
      assertSame(body, file)
      return readExactly(body, file, body.range.start, length)
    }),
  )
}

/** Opens the file for each slice (the descriptor is usually still there), so that a stream nobody reads on holds nothing. */
export function streamBody(body: FileBody): ReadableStream<Uint8Array> {
  const { end } = body.range
  let position = body.range.start
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        if (position < end) {
          const slice = await readBody({ ...body, range: { start: position, end: Math.min(position + sliceBytes, end) } })
          position += slice.length
          controller.enqueue(slice)
        }
        if (position >= end) controller.close()
      },
    },
    { highWaterMark: 0 },
  )
}

async function readExactly(body: FileBody, file: OpenFile, position: number, length: number): Promise<Uint8Array> {
  throwIfAborted(body.signal)
  const bytes = new Uint8Array(length)
  const count = await body.disk.read(file.fd, bytes, position)
  if (body.signal?.aborted) throw abortError(body.signal)
  if (count < length) throw new EdgemountError('unavailable', `Cannot ${body.doing}: the file shrank while it was read`)
  return bytes
}

function assertSame(body: FileBody, file: OpenFile): void {
  if (tagOfFile(file.stat) !== body.etag) throw new EdgemountError('unavailable', `Cannot ${body.doing}: it was replaced while it was read; read it again`)
}

async function orDiskError<T>(body: FileBody, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isErrno(error, 'ENOENT')) throw new EdgemountError('not-found', `Cannot ${body.doing}: it was deleted while it was read`, { cause: error })
    throw diskError(body.doing, error)
  }
}
