/** Parts of a file as a stream, and ranges as callers give them. Called by `volume.ts`. */
import { throwIfAborted } from '../../shared/abort.ts'
import { EdgemountError } from '../../shared/error.ts'
import { type ByteRange, clampRange } from '../../shared/range.ts'
import type { FileReader } from './file-reader.ts'
import type { ReadableBytes } from './lazy-file.ts'

/** Half-open; the start of the file and its end unless given. */
export interface PartialRange {
  readonly start?: number | undefined
  readonly end?: number | undefined
}

/** A stream reads a little first and more and more then; it holds one part at a time. */
const streamBytesFirst = 256 * 1024
const streamBytesMax = 4 * 1024 * 1024

/** Of one version from its first byte to its last, also when the volume moves on meanwhile. */
export function streamOf(open: () => Promise<FileReader>, range: PartialRange, signal: AbortSignal): ReadableStream<Uint8Array<ArrayBuffer>> {
  const stop = new AbortController()
  const ending = AbortSignal.any([signal, stop.signal])
  let reader: FileReader | undefined
  let at: number | undefined
  let bytesMax = streamBytesFirst
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      pull: async (controller) => {
        throwIfAborted(ending)
        reader ??= await open()
        const { start, end } = within(range, reader.size)
        at ??= start
        const next = Math.min(end, at + bytesMax)
        if (at < next) controller.enqueue(await reader.read({ start: at, end: next }, ending))
        bytesMax = Math.min(streamBytesMax, bytesMax * 2)
        at = next
        if (at >= end) controller.close()
      },
      cancel: () => stop.abort(),
    },
    { highWaterMark: 0 },
  )
}

export function sourceOf(reader: FileReader, signal: AbortSignal): ReadableBytes {
  return { read: (range) => reader.read(range, signal), stream: (range) => streamOf(() => Promise.resolve(reader), range, signal) }
}

/** Throws `invalid` for what is no range; what is beyond the end is left out. */
export function within({ start = 0, end = Number.MAX_SAFE_INTEGER }: PartialRange, size: number): ByteRange {
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start) {
    throw new EdgemountError('invalid', `Cannot read bytes ${start} to ${end}: both count from 0, and the end is not before the start`)
  }
  return clampRange({ start, end }, size)
}
