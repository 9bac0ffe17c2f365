/**
 * The log as events: server-sent ones, each with its seq as id so that a browser resumes by itself, or a long poll for those that cannot stream.
 * An event is a commit record, as `log/{seq}` gives it, or, for those who ask about one path or may see no other, what shows of it below that path.
 */
import { EdgemountError, codeOf } from '../../shared/error.ts'
import { isWithin, percentDecodePath, rootPath } from '../../shared/path.ts'
import { fullGrant, requireRight } from '../access/grant.ts'
import { EventReader, type EventText } from '../events/event-reader.ts'
import { queryInteger, queryValue } from '../http/query.ts'
import { respond } from '../http/respond.ts'
import { type Exchange, type Route, volumeOf } from '../route.ts'
import type { OpenVolume } from '../volumes.ts'

/** Below the idle limits of common proxies (60 s), and a third of what clients take for silence. */
const heartbeatMs = 15_000
const waitMsMax = 60_000
/** What a browser waits before it connects again. */
const retryMs = 1000
/** Where not everybody may everything a stream ends now and then, and with its token: who connects again is looked at again. */
const grantedStreamMs = 900_000

const encoder = new TextEncoder()

export const eventRoutes: readonly Route[] = [
  {
    method: 'GET',
    template: '/v1/{volume}/events',
    needs: 'read',
    isFiltered: true,
    weight: 20,
    summary: 'Commits as they happen: server-sent events, or one JSON answer with wait',
    parameters: [
      { name: 'after', in: 'query', text: 'The first event is the one after this seq; the newest unless given' },
      { name: 'Last-Event-ID', in: 'header', text: 'As after, and stronger: what a reconnecting browser sends' },
      { name: 'wait', in: 'query', text: `Long poll: milliseconds to wait for an event, 0 to ${waitMsMax}` },
      { name: 'prefix', in: 'query', text: 'Only what changed at or below this path: seq, time, author and operations' },
    ],
    responses: {
      200: 'text/event-stream, or JSON for a long poll',
      403: 'The path is not within what the token reaches',
      404: 'No such volume',
      412: 'The volume never had a commit of this seq',
      429: 'Too many listen already',
    },
    handle: async (exchange) => {
      const waitMs = queryInteger(exchange.query, 'wait', { min: 0, max: waitMsMax })
      const start = { after: positionOf(exchange), prefix: prefixOf(exchange) }
      const opened = await volumeOf(exchange)
      const isPoll = waitMs !== undefined
      const type = isPoll ? 'application/json; charset=utf-8' : 'text/event-stream; charset=utf-8'
      const headers = { 'content-type': type, 'cache-control': 'no-store, no-transform', ...(isPoll ? {} : { 'x-accel-buffering': 'no' }) }
      if (exchange.isHead) return respond(200, headers)
      const { volumes, listenersMax } = exchange.edge
      if (volumes.listenerCount >= listenersMax) throw new EdgemountError('exhausted', `Cannot follow "${opened.name}": ${listenersMax} listen to this edge already; try again, or another edge`)
      return respond(200, headers, isPoll ? await longPoll(exchange, opened, start, waitMs) : await openEvents(exchange, opened, start))
    },
  },
]

type Start = Parameters<typeof EventReader.open>[1]

function positionOf({ request, query }: Exchange): number | undefined {
  const lastEventId = request.headers.get('last-event-id')
  if (lastEventId !== null && /^\d{1,15}$/.test(lastEventId)) return Number(lastEventId)
  return queryInteger(query, 'after', { min: 0, max: Number.MAX_SAFE_INTEGER })
}

/** Who may see only a part of the volume hears of that part, unless he asks for less. */
function prefixOf({ query, grant }: Exchange): string {
  const asked = queryValue(query, 'prefix')
  // In a query slashes may be escaped: no name has one.
  const prefix = asked === undefined ? grant.prefix : percentDecodePath(asked.replaceAll(/%2f/gi, '/'))
  if (!isWithin(prefix, grant.prefix)) throw new EdgemountError('denied', `Cannot follow "${prefix}": the token reaches "${grant.prefix}" alone`)
  // Events name what changed.
  if (grant.prefix !== rootPath) requireRight(grant, 'list', prefix)
  return prefix
}

async function longPoll({ edge, signal }: Exchange, opened: OpenVolume, start: Start, waitMs: number): Promise<string> {
  const leave = await opened.follower.join(signal)
  try {
    const reader = await EventReader.open(opened, start, signal)
    const untilMs = edge.clock.now() + waitMs
    for (;;) {
      const leftMs = Math.min(waitMs, Math.max(0, untilMs - edge.clock.now()))
      const events = await reader.next(leftMs, signal)
      if (events.length === 0 && edge.clock.now() < untilMs) continue
      return `{"events":[${events.map(({ text }) => text).join(',')}],"position":${reader.position}}\n`
    }
  } finally {
    await leave()
  }
}

/** Pulled by the client's reading: a slow one costs no memory, one that leaves ends its part of the watch. */
async function openEvents(exchange: Exchange, opened: OpenVolume, start: Start): Promise<ReadableStream<Uint8Array>> {
  const { edge, signal, grant } = exchange
  const leave = await opened.follower.join(signal)
  const reader = await EventReader.open(opened, start, signal).catch(async (error: unknown) => {
    await leave()
    throw error
  })
  const { clock } = edge
  const endMs = grant === fullGrant ? Infinity : Math.min(clock.now() + grantedStreamMs, (grant.expiry ?? Infinity) * 1000)
  let isFirst = true
  const gone = new AbortController()
  const ended = AbortSignal.any([signal, gone.signal])
  const end = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    await leave()
    // Ended cleanly, so that the client comes back at once from its position.
    if (!gone.signal.aborted) controller.close()
  }
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          if (clock.now() >= endMs) return await end(controller)
          const text = isFirst ? `retry: ${retryMs}\n\n${positionText(reader)}` : await nextText(exchange, reader, endMs, ended)
          isFirst = false
          controller.enqueue(encoder.encode(text))
        } catch (error) {
          if (!['aborted', 'closed'].includes(codeOf(error))) edge.log.warn('an event stream was ended', { error })
          await end(controller)
        }
      },
      cancel: async () => {
        gone.abort()
        await leave()
      },
    },
    { highWaterMark: 0 },
  )
}

/** What comes next, a heartbeat at the latest. Commits of which nothing is told move the position, and are told of in bulk, so that a resume need not read them again. */
async function nextText({ edge: { clock } }: Exchange, reader: EventReader, endMs: number, signal: AbortSignal): Promise<string> {
  const before = reader.position
  const untilMs = Math.min(clock.now() + heartbeatMs, endMs)
  for (;;) {
    const leftMs = Math.min(heartbeatMs, Math.max(0, untilMs - clock.now()))
    const events = await reader.next(leftMs, signal)
    if (events.length > 0) return events.map(eventText).join('')
    if (reader.isBehind || clock.now() >= untilMs) return reader.position === before ? ': still here\n\n' : positionText(reader)
  }
}

function positionText(reader: EventReader): string {
  return `id: ${reader.position}\nevent: position\ndata: {"seq":${reader.latestSeq}}\n\n`
}

function eventText({ seq, text }: EventText): string {
  return `id: ${seq}\nevent: commit\ndata: ${text}\n\n`
}
