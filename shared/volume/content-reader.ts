/**
 * The bytes of a body, in order, every chunk verified before any of it is given out. Two requests are under way at a time, so memory stays
 * below three of the largest requests whatever the body's size; over the budget that all readers share it is one small request. Where even that is
 * too much (Workers), long ranges are streamed: `chunk-stream.ts`.
 */
import { throwIfAborted } from '../abort.ts'
import type { Clock } from '../clock.ts'
import { EdgemountError } from '../error.ts'
import type { Content, Hash } from '../format/entry.ts'
import type { HashFunction } from '../hash.ts'
import type { ByteRange } from '../range.ts'
import type { ObjectStore } from '../store.ts'
import type { ChunkCache } from './chunk-cache.ts'
import { streamBytesMax, streamChunks } from './chunk-stream.ts'
import { runsOf } from './content-runs.ts'
import { packKey } from './keys.ts'
import type { PageStore } from './page-store.ts'
import type { ReadBudget } from './read-budget.ts'
import { type ReadStep, planRead } from './read-plan.ts'
import { zeroPieces } from './zeros.ts'

type GetStep = Extract<ReadStep, { kind: 'get' }>
/** What it holds of the budget from its beginning until its last byte is given out. */
type HeldStep = ReadStep & { readonly heldBytes: number }

const getsAtOnce = 2
/** The first request is small, so that the first byte comes early; each next one may be twice as large, unless the budget is used up. */
const smallGetBytes = 1024 * 1024
/** A range that is no longer is one request with the whole chunks at its ends: another one costs more than it saves. */
const wholeRangeBytes = 1024 * 1024

export interface ContentReaderParts {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly hash: HashFunction
  readonly pages: PageStore
  /** The largest request, unless one chunk is larger. */
  readonly readBytesMax: number
  readonly readBudget: ReadBudget
  /** What is longer than a small request is read as a stream, chunk by chunk. */
  readonly isStreaming: boolean
  readonly waitMs: number
  readonly chunks: ChunkCache
}

export interface ReadRequest {
  readonly content: Content
  readonly size: number
  /** Clamped to the body by the caller. */
  readonly range: ByteRange
  /** The file's path, or what else names it in errors. */
  readonly label: string
  readonly signal?: AbortSignal | undefined
}

/** Throws `corrupt`, naming file and pack, for bytes that do not match their hash, also when read again; `invalid` for what has no body. */
export async function* readContent(parts: ContentReaderParts, request: ReadRequest): AsyncGenerator<Uint8Array, void, undefined> {
  const { content, range } = request
  throwIfAborted(request.signal)
  if (range.start >= range.end) return
  if (content.kind === 'inline') {
    yield content.bytes.slice(range.start, range.end)
    return
  }
  const stop = new AbortController()
  const signal = request.signal === undefined ? stop.signal : AbortSignal.any([request.signal, stop.signal])
  const isLong = range.end - range.start > smallGetBytes
  yield* parts.isStreaming && isLong ? streamSteps(parts, { ...request, signal }, stop) : readSteps(parts, { ...request, signal }, stop)
}

async function* streamSteps(parts: ContentReaderParts, request: ReadRequest, stop: AbortController): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const runs of runsOf(parts.pages, request.content, request.range, request.signal)) {
      for (const step of planRead(runs, request.range, streamBytesMax)) {
        if (step.kind === 'hole') yield* zeroPieces(step.length)
        else if (step.kind === 'memory') yield step.bytes
        else yield* streamChunks(parts, request, step)
      }
    }
  } finally {
    stop.abort()
  }
}

interface UnderWay {
  readonly step: HeldStep
  readonly pieces: Promise<Iterable<Uint8Array>>
}

async function* readSteps(parts: ContentReaderParts, request: ReadRequest, stop: AbortController): AsyncGenerator<Uint8Array, void, undefined> {
  const underWay: UnderWay[] = []
  const steps = stepsOf(parts, request, () => underWay.length > 0)
  try {
    for (let isEnd = false; ; ) {
      while (!isEnd && underWay.length < getsAtOnce) {
        const next = await steps.next()
        if (next.done === true) isEnd = true
        else if (next.value === 'later') break
        else underWay.push({ step: next.value, pieces: start(parts, request, next.value) })
      }
      const first = underWay[0]
      if (first === undefined) return
      yield* await first.pieces
      underWay.shift()
      parts.readBudget.release(first.step.heldBytes)
    }
  } finally {
    stop.abort()
    await Promise.allSettled(underWay.map(({ pieces }) => pieces))
    for (const { step } of underWay) parts.readBudget.release(step.heldBytes)
  }
}

/** The next steps, their bytes taken from the budget; `later` while there is no room for another beside what is under way. */
async function* stepsOf(parts: ContentReaderParts, request: ReadRequest, isBusy: () => boolean): AsyncGenerator<HeldStep | 'later'> {
  const smallBytes = Math.min(smallGetBytes, parts.readBytesMax)
  const held = (hash: Hash): Uint8Array | undefined => parts.chunks.get(hash)
  let at = request.range.start
  const isShort = request.range.end - request.range.start <= wholeRangeBytes
  let getBytes = isShort ? Math.min(3 * wholeRangeBytes, Math.max(parts.readBytesMax, smallBytes)) : smallBytes
  for await (const runs of runsOf(parts.pages, request.content, request.range, request.signal)) {
    for (let rest = runs; rest.length > 0; ) {
      // One request at a time is planned, since its limit grows from request to request, and shrinks when others hold the memory.
      const plan = (bytesMax: number): ReadStep | undefined => planRead(rest, { start: at, end: request.range.end }, bytesMax, held)[0]
      let step = plan(getBytes)
      if (step === undefined) break
      while (!parts.readBudget.tryTake(bytesOf(step))) {
        if (isBusy()) {
          yield 'later'
          continue
        }
        getBytes = 0
        step = plan(smallBytes)!
        parts.readBudget.take(bytesOf(step))
        break
      }
      yield { ...step, heldBytes: bytesOf(step) }
      const taken = step.kind === 'get' ? step.chunks.length : 1
      const skipped = rest.findIndex(({ start, run }) => start + run.length > at)
      const last = rest[skipped + taken - 1]!
      at = last.start + last.run.length
      rest = rest.slice(skipped + taken)
      if (step.kind === 'get') getBytes = Math.min(Math.max(getBytes * 2, smallBytes), parts.readBytesMax)
    }
  }
}

/** What a step adds to memory. The zeros of holes are shared. */
function bytesOf(step: ReadStep): number {
  return step.kind === 'get' ? step.range.end - step.range.start : 0
}

function start(parts: ContentReaderParts, request: ReadRequest, step: ReadStep): Promise<Iterable<Uint8Array>> {
  if (step.kind === 'hole') return Promise.resolve(zeroPieces(step.length))
  // A copy: what callers get is theirs.
  if (step.kind === 'memory') return Promise.resolve([step.bytes.slice()])
  const pieces = fetchChunks(parts, request, step)
  // Whoever waits for it hears the error; a reader that stops early does not wait.
  pieces.catch(() => undefined)
  return pieces
}

async function fetchChunks(parts: ContentReaderParts, request: ReadRequest, step: GetStep): Promise<Uint8Array[]> {
  // Twice: bytes that were damaged on the way are right the second time, bytes damaged at rest are not.
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const bytes = await fetchRange(parts, request, step, attempt > 0)
    const cuts = step.chunks.map(({ pointer }) => bytes.subarray(pointer.offset - step.range.start, pointer.offset - step.range.start + pointer.length))
    const hashes = await Promise.all(cuts.map((cut) => parts.hash(cut)))
    if (step.chunks.every(({ pointer }, index) => hashes[index] === pointer.hash)) {
      return step.chunks.map(({ pointer, slice }, index) => {
        const cut = cuts[index]!
        if (slice.end - slice.start < cut.length) parts.chunks.keep(pointer.hash, cut)
        return cut.subarray(slice.start, slice.end)
      })
    }
  }
  const where = `bytes ${step.range.start} to ${step.range.end} of "${packKey(step.pack)}"`
  throw new EdgemountError('corrupt', `Cannot read "${request.label}": ${where} do not match their hashes`)
}

async function fetchRange(parts: ContentReaderParts, request: ReadRequest, step: GetStep, isFresh: boolean): Promise<Uint8Array> {
  const found = await parts.store.get(packKey(step.pack), { range: step.range, signal: request.signal, isFresh })
  if (found === undefined) {
    throw new EdgemountError('corrupt', `Cannot read "${request.label}": "${packKey(step.pack)}" is missing in ${parts.store.label}`)
  }
  const bytes = await found.bytes()
  const length = step.range.end - step.range.start
  if (bytes.length === length) return bytes
  if (found.size < step.range.end) {
    throw new EdgemountError('corrupt', `Cannot read "${request.label}": "${packKey(step.pack)}" has ${found.size} bytes, ${step.range.end} are needed`)
  }
  throw new EdgemountError('unavailable', `Cannot read "${request.label}": got ${bytes.length} of ${length} bytes of "${packKey(step.pack)}"`)
}
