/**
 * The log as events: server-sent ones, each with its seq as id so that a browser resumes by itself, or a long poll for those that cannot stream.
 * An event is a commit record, as `log/{seq}` gives it.
 */
import { codeOf } from '../../shared/error.ts'
import type { CommitRecord } from '../../shared/format/commit.ts'
import { encodeRecord } from '../../shared/format/commit.ts'
import { queryInteger } from '../query.ts'
import { respond } from '../respond.ts'
import { type Exchange, type Route, volumeOf } from '../route.ts'
import type { Follower } from '../follower.ts'

/** Below the idle limits of common proxies (60 s), and a third of what clients take for silence. */
const heartbeatMs = 15_000
const waitMsMax = 60_000
/** What a browser waits before it connects again. */
const retryMs = 1000

const decoder = new TextDecoder()
const encoder = new TextEncoder()

export const eventRoutes: readonly Route[] = [
  {
    method: 'GET',
    template: '/v1/{volume}/events',
    needs: 'read',
    summary: 'Commits as they happen: server-sent events, or one JSON answer with wait',
    parameters: [
      { name: 'after', in: 'query', text: 'The first event is the one after this seq; the newest unless given' },
      { name: 'Last-Event-ID', in: 'header', text: 'As after, and stronger: what a reconnecting browser sends' },
      { name: 'wait', in: 'query', text: `Long poll: milliseconds to wait for an event, 0 to ${waitMsMax}` },
    ],
    responses: { 200: 'text/event-stream, or JSON for a long poll', 404: 'No such volume' },
    handle: async (exchange) => {
      const waitMs = queryInteger(exchange.query, 'wait', { min: 0, max: waitMsMax })
      const after = positionOf(exchange)
      const { follower } = await volumeOf(exchange)
      if (waitMs !== undefined) return await longPoll(exchange, follower, after, waitMs)
      const headers = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store, no-transform', 'x-accel-buffering': 'no' }
      if (exchange.isHead) return respond(200, headers)
      return respond(200, headers, await openEvents(exchange, follower, after))
    },
  },
]

function positionOf({ request, query }: Exchange): number | undefined {
  const lastEventId = request.headers.get('last-event-id')
  if (lastEventId !== null && /^\d{1,15}$/.test(lastEventId)) return Number(lastEventId)
  return queryInteger(query, 'after', { min: 0, max: Number.MAX_SAFE_INTEGER })
}

async function longPoll({ signal, isHead }: Exchange, follower: Follower, asked: number | undefined, waitMs: number): Promise<Response> {
  const leave = await follower.join(signal)
  try {
    const after = asked ?? follower.latestSeq
    const records = isHead ? [] : await follower.next(after, waitMs, signal)
    const body = `{"events":[${records.map(recordText).join(',')}],"position":${records.at(-1)?.seq ?? after}}\n`
    return respond(200, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store, no-transform' }, body)
  } finally {
    await leave()
  }
}

/** Pulled by the client's reading: a slow one costs no memory, one that leaves ends its part of the watch. */
async function openEvents({ edge, signal }: Exchange, follower: Follower, asked: number | undefined): Promise<ReadableStream<Uint8Array>> {
  const leave = await follower.join(signal)
  let position = asked ?? follower.latestSeq
  let isFirst = true
  const gone = new AbortController()
  const ended = AbortSignal.any([signal, gone.signal])
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          if (isFirst) {
            isFirst = false
            controller.enqueue(encoder.encode(`retry: ${retryMs}\n\nid: ${position}\nevent: position\ndata: {"seq":${follower.latestSeq}}\n\n`))
            return
          }
          const records = await follower.next(position, heartbeatMs, ended)
          position = records.at(-1)?.seq ?? position
          controller.enqueue(encoder.encode(records.length === 0 ? ': still here\n\n' : records.map(eventText).join('')))
        } catch (error) {
          await leave()
          if (!['aborted', 'closed'].includes(codeOf(error))) edge.log.warn('an event stream was ended', { error })
          // Ended cleanly, so that the client comes back at once from its position.
          if (!gone.signal.aborted) controller.close()
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

function eventText(record: CommitRecord): string {
  return `id: ${record.seq}\nevent: commit\ndata: ${recordText(record)}\n\n`
}

/** One line: JSON escapes newlines. */
function recordText(record: CommitRecord): string {
  return decoder.decode(encodeRecord(record)).trim()
}
