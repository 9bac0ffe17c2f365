/**
 * A step of a read as a stream: its chunks as they come in one long answer, each verified before it is given out. For readers that must hold little: whatever the
 * length of the answer, it is one chunk, where `content-reader.ts` holds the whole answer.
 *
 * An answer that breaks off is asked for again from the chunk where it broke, as long as each brings one chunk at least.
 */
import { throwIfAborted } from '../abort.ts'
import type { Clock } from '../clock.ts'
import { EdgemountError, codeOf, messageOf } from '../error.ts'
import type { HashFunction } from '../hash.ts'
import { isLate, withDeadline } from '../lifetime.ts'
import type { ObjectStore } from '../store.ts'
import { packKey } from './keys.ts'
import type { ReadBudget } from './read-budget.ts'
import type { ChunkSlice, ReadStep } from './read-plan.ts'
import { StreamBytes } from './stream-bytes.ts'

type GetStep = Extract<ReadStep, { kind: 'get' }>

export interface ChunkStreamParts {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly hash: HashFunction
  /** The longest that one chunk of an answer may take. */
  readonly waitMs: number
  readonly readBudget: ReadBudget
}

/** One request gives as much as a pack has: `packBytesMax`. */
export const streamBytesMax = 64 * 1024 * 1024
/** Answers that bring nothing, one after the other. */
const triesMax = 2

export interface StreamedRequest {
  readonly label: string
  readonly signal?: AbortSignal | undefined
}

/** Throws `corrupt` for a chunk that does not match its hash, also when it is read again by itself. */
export async function* streamChunks(parts: ChunkStreamParts, request: StreamedRequest, step: GetStep): AsyncGenerator<Uint8Array> {
  for (const chunks of inSequence(step.chunks)) {
    for (let next = 0, failureCount = 0; next < chunks.length; ) {
      const before = next
      try {
        for await (const piece of answerOf(parts, request, step, chunks.slice(next))) {
          next += 1
          yield piece
        }
      } catch (error) {
        throwIfAborted(request.signal)
        failureCount = next > before ? 1 : failureCount + 1
        if (failureCount >= triesMax || codeOf(error) !== 'unavailable' || isLate(error)) throw error
      }
    }
  }
}

/** Chunks that follow each other without a gap can come in one stream. Content that repeats goes back. */
function inSequence(chunks: readonly ChunkSlice[]): ChunkSlice[][] {
  const sequences: ChunkSlice[][] = []
  let end = -1
  for (const chunk of chunks) {
    if (chunk.pointer.offset === end) sequences.at(-1)!.push(chunk)
    else sequences.push([chunk])
    end = chunk.pointer.offset + chunk.pointer.length
  }
  return sequences
}

async function* answerOf(parts: ChunkStreamParts, request: StreamedRequest, { pack }: GetStep, chunks: readonly ChunkSlice[]): AsyncGenerator<Uint8Array> {
  const last = chunks.at(-1)!.pointer
  const range = { start: chunks[0]!.pointer.offset, end: last.offset + last.length }
  const found = await parts.store.get(packKey(pack), { range, signal: request.signal })
  if (found === undefined) throw damaged(request, `"${packKey(pack)}" is missing in ${parts.store.label}`)
  if (found.size < range.end) throw damaged(request, `"${packKey(pack)}" has ${found.size} bytes, ${range.end} are needed`)
  const bytes = new StreamBytes(found.stream())
  try {
    for (const chunk of chunks) {
      const { length } = chunk.pointer
      parts.readBudget.take(length)
      try {
        const read = await readChunk(parts, bytes, request, { pack, length })
        const isRight = (await parts.hash(read)) === chunk.pointer.hash
        const right = isRight ? read : await readFresh(parts, request, pack, chunk)
        yield right.subarray(chunk.slice.start, chunk.slice.end)
      } finally {
        parts.readBudget.release(length)
      }
    }
  } finally {
    bytes.stop()
  }
}

async function readChunk({ clock, waitMs }: ChunkStreamParts, bytes: StreamBytes, request: StreamedRequest, { pack, length }: { readonly pack: string; readonly length: number }): Promise<Uint8Array> {
  let read: Uint8Array
  try {
    read = await withDeadline(clock, waitMs, `read a chunk of the pack ${pack}`, request.signal, () => bytes.take(length))
  } catch (cause) {
    throwIfAborted(request.signal)
    throw new EdgemountError('unavailable', `Cannot read "${request.label}": the pack ${pack} broke off: ${messageOf(cause)}`, { cause })
  }
  if (read.length === length) return read
  throw new EdgemountError('unavailable', `Cannot read "${request.label}": the pack ${pack} ended ${length - read.length} bytes early`)
}

/** Bytes that were damaged on the way are right the second time, bytes damaged at rest are not. */
async function readFresh(parts: ChunkStreamParts, request: StreamedRequest, pack: GetStep['pack'], { pointer }: ChunkSlice): Promise<Uint8Array> {
  const range = { start: pointer.offset, end: pointer.offset + pointer.length }
  const found = await parts.store.get(packKey(pack), { range, signal: request.signal, isFresh: true })
  const read = await found?.bytes()
  if (read !== undefined && (await parts.hash(read)) === pointer.hash) return read
  throw damaged(request, `bytes ${range.start} to ${range.end} of "${packKey(pack)}" do not match their hash`)
}

function damaged({ label }: StreamedRequest, why: string): EdgemountError {
  return new EdgemountError('corrupt', `Cannot read "${label}": ${why}`)
}
