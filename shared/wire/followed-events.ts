/**
 * An edge's event stream without an end: connects again after every failure, from where it was. `VolumeClient` says what an event is.
 */
import { codeOf } from '../error.ts'
import { withDeadline } from '../lifetime.ts'
import { type Random, randomFraction } from '../random.ts'
import { type EdgeConnection, readPart } from './connection.ts'
import { EventStreamParser, type StreamEvent } from './event-stream.ts'

export interface EventsRequest {
  /** The first record is the one after this seq. */
  readonly after: number
  /** Ends the stream, with the signal's error. */
  readonly signal: AbortSignal
  /** Told whenever the stream begins or ceases to be live: what may be kept without asking depends on it. */
  readonly onConnected?: ((isConnected: boolean) => void) | undefined
}

export interface FollowedParts {
  readonly connection: EdgeConnection
  /** For the waits between connections. */
  readonly random: Random
  /** How long the stream may say nothing. */
  readonly silenceMs: number
  /** The stream's address, from a position on. */
  readonly path: (after: number) => string
}

/** What an event is worth, and the position after it. What it throws ends the connection, and the next one begins at the position before. */
export type ReadEvent<T> = (event: StreamEvent, position: number) => { readonly position: number; readonly value?: T }

const reconnectMs = 250
const reconnectMsMax = 10_000
/** Another try will give the same answer. */
const finalCodes = new Set(['not-found', 'denied', 'unsupported', 'invalid', 'stale'])

/** Throws what another try would not change, and the signal's error. */
export async function* followEvents<T>(parts: FollowedParts, request: EventsRequest, read: ReadEvent<T>): AsyncGenerator<T, never> {
  const { connection, random } = parts
  const { signal, onConnected } = request
  let position = request.after
  let failures = 0
  let isConnected = false
  const tell = (is: boolean): void => {
    if (is !== isConnected) onConnected?.(is)
    isConnected = is
  }
  for (;;) {
    try {
      for await (const event of connect(parts, position, signal)) {
        failures = 0
        tell(true)
        const step = read(event, position)
        position = step.position
        if (step.value !== undefined) yield step.value
      }
    } catch (error) {
      if (signal.aborted || finalCodes.has(codeOf(error))) throw error
    } finally {
      tell(false)
    }
    const waitMs = Math.min(reconnectMs * 2 ** failures, reconnectMsMax)
    failures += 1
    await connection.clock.sleep(waitMs * (0.5 + randomFraction(random)), signal)
  }
}

/** One connection, to its end. */
async function* connect({ connection, silenceMs, path: pathOf }: FollowedParts, position: number, signal: AbortSignal): AsyncGenerator<StreamEvent, void> {
  const path = pathOf(position)
  const request = { method: 'GET', path, headers: { accept: 'text/event-stream' }, signal } as const
  const response = await connection.send(request)
  if (!response.ok) throw await connection.errorOf(response, request)
  if (response.body === null) return
  const reader = response.body.getReader()
  const parser = new EventStreamParser()
  const { clock, label } = connection
  try {
    for (;;) {
      const part = await withDeadline(clock, silenceMs, `follow the events of ${label}`, signal, () => readPart(reader, path, label))
      if (part === undefined) return
      yield* parser.push(part)
    }
  } finally {
    reader.cancel().catch(() => undefined)
  }
}
