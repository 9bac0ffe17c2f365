/**
 * Bodies, both ways: what is read from a volume becomes a response's body, and a request's body becomes what the engine reads. Memory stays
 * bounded, whoever goes away ends the other side's work, and a body that cannot be finished breaks the connection.
 */
import type { Clock } from '../../shared/clock.ts'
import { EdgemountError } from '../../shared/error.ts'
import type { Body } from './respond.ts'

/** A client that sends more slowly for so long, half a megabit a second, holds a place that others wait for. */
const receiveRateMin = 64 * 1024
const receivePatienceMs = 30_000

/** Gives bytes to a `Response` the way that copies them least. */
export type BytesBody = (bytes: Uint8Array) => Body

export interface SentBody {
  /** Exactly so many bytes come, or the stream fails. */
  readonly length: number
  readonly pieces: AsyncIterable<Uint8Array>
  /** How the platform takes a body that is one piece. */
  readonly bytesBody: BytesBody
  /** The error that broke the connection; called at most once. */
  readonly onFailure: (error: unknown) => void
}

/**
 * The body as bytes when it is one piece, else as a stream. The first piece is read before this resolves, so that what fails at once still gets an
 * error status. INVARIANT: the stream closes only after `length` bytes.
 */
export async function openBody({ length, pieces, bytesBody, onFailure }: SentBody): Promise<Body> {
  if (length === 0) return null
  const iterator = pieces[Symbol.asyncIterator]()
  const first = await nextPiece(iterator, length)
  if (first.length === length) {
    await iterator.return?.()
    return bytesBody(first)
  }
  let held: Uint8Array | undefined = first
  let left = length
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const piece = held ?? (await nextPiece(iterator, left))
          held = undefined
          left -= piece.length
          controller.enqueue(piece)
          if (left > 0) return
          controller.close()
          await iterator.return?.()
        } catch (error) {
          onFailure(error)
          controller.error(error)
        }
      },
      cancel: async () => {
        await iterator.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}

/** A body whose length is known at its end only; a connection that breaks before that shows that it is not whole. */
export function openEndedBody({ pieces, onFailure }: Pick<SentBody, 'pieces' | 'onFailure'>): Body {
  const iterator = pieces[Symbol.asyncIterator]()
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const next = await iterator.next()
          if (next.done === true) controller.close()
          else controller.enqueue(next.value)
        } catch (error) {
          onFailure(error)
          controller.error(error)
        }
      },
      cancel: async () => {
        await iterator.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}

async function nextPiece(iterator: AsyncIterator<Uint8Array>, left: number): Promise<Uint8Array> {
  for (;;) {
    const next = await iterator.next()
    if (next.done === true) throw new EdgemountError('unavailable', `Cannot finish the body: it ended ${left} bytes early`)
    if (next.value.length > left) throw new EdgemountError('internal', `Cannot finish the body: ${next.value.length} bytes came where ${left} were left`)
    if (next.value.length > 0) return next.value
  }
}

/** The pieces of a stream; leaving the loop early cancels it. `wait` may give up waiting for a piece, by throwing. */
export async function* piecesOf(
  stream: ReadableStream<Uint8Array>,
  wait: <T>(read: Promise<T>) => Promise<T> = (read) => read,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = stream.getReader()
  let isDone = false
  let isStuck = true
  try {
    for (;;) {
      isStuck = true
      const next = await wait(reader.read())
      isStuck = false
      isDone = next.done
      if (next.done) return
      yield next.value
    }
  } finally {
    const cancelled = isDone ? undefined : reader.cancel().catch(() => undefined)
    // A stream that gives nothing may not end, either.
    if (!isStuck) await cancelled
  }
}

/** The pieces of a request's body; throws `aborted` when it was cut, `exhausted` beyond `bytesMax`, `unavailable` when they come too slowly. */
export async function* receivedPieces(request: Request, bytesMax: number, clock: Clock): AsyncGenerator<Uint8Array, void, undefined> {
  const declared = declaredLength(request)
  if (declared !== undefined && declared > bytesMax) throw tooLarge(bytesMax)
  let received = 0
  if (request.body !== null) {
    try {
      const pace = new Pace(clock)
      for await (const piece of piecesOf(request.body, (read) => pace.wait(read))) {
        received += piece.length
        pace.earn(piece.length)
        if (received > bytesMax) throw tooLarge(bytesMax)
        yield piece
      }
    } catch (error) {
      if (error instanceof EdgemountError) throw error
      throw new EdgemountError('aborted', 'Cannot read the request: its body was cut', { cause: error })
    }
  }
  if (declared !== undefined && received !== declared) {
    throw new EdgemountError('aborted', `Cannot read the request: ${received} of ${declared} bytes came`)
  }
}

/** How long a client may still keep us waiting; what it sends earns it time. What we do with its bytes meanwhile does not count. */
class Pace {
  readonly #clock: Clock
  #leftMs = receivePatienceMs

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async wait<T>(read: Promise<T>): Promise<T> {
    const sinceMs = this.#clock.now()
    const over = new AbortController()
    const late = this.#clock.sleep(this.#leftMs, over.signal).then((): never => {
      throw new EdgemountError('unavailable', `Cannot read the request: fewer than ${receiveRateMin} bytes a second came`)
    })
    try {
      return await Promise.race([read, late])
    } finally {
      over.abort(pieceIsThere)
      // The clock may jump.
      this.#leftMs -= Math.min(Math.max(0, this.#clock.now() - sinceMs), this.#leftMs)
    }
  }

  earn(bytes: number): void {
    this.#leftMs = Math.min(receivePatienceMs, this.#leftMs + (bytes / receiveRateMin) * 1000)
  }
}

/** Made once: a reason for each piece would cost more than its timer. Nobody sees it. */
const pieceIsThere = new EdgemountError('closed', 'Cannot wait for a piece: it is there')

/** A request's body, whole. */
export async function receiveBytes(request: Request, bytesMax: number, clock: Clock): Promise<Uint8Array> {
  const declared = declaredLength(request)
  if (declared !== undefined && declared > bytesMax) throw tooLarge(bytesMax)
  let bytes = new Uint8Array(declared ?? 64 * 1024)
  let length = 0
  for await (const piece of receivedPieces(request, bytesMax, clock)) {
    if (length + piece.length > bytes.length) {
      const grown = new Uint8Array(Math.min(bytesMax, Math.max(bytes.length * 2, length + piece.length)))
      grown.set(bytes.subarray(0, length))
      bytes = grown
    }
    bytes.set(piece, length)
    length += piece.length
  }
  return bytes.subarray(0, length)
}

/** A request larger than its route takes: 413. */
export class BodyTooLarge extends EdgemountError {}

function tooLarge(bytesMax: number): EdgemountError {
  return new BodyTooLarge('exhausted', `Cannot take the request: its body is longer than ${bytesMax} bytes`)
}

function declaredLength(request: Request): number | undefined {
  const text = request.headers.get('content-length')
  return text !== null && /^\d+$/.test(text) ? Number(text) : undefined
}
