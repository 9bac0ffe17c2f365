/**
 * What happened to a path: which commits changed it, and what differs between two of them. Both compare trees; `path-history.ts` and `path-diff.ts` say what that costs.
 */
import type { Entry } from '../../shared/format/entry.ts'
import { rootPath } from '../../shared/path.ts'
import { diffPaths } from '../../shared/volume/path-diff.ts'
import { type PathChange, historyOf } from '../../shared/volume/path-history.ts'
import { type DiffMessage, type DifferenceMessage, type HistoryMessage, type PathChangeMessage, type SideMessage, formatTime } from '../../shared/wire/messages.ts'
import { EdgemountError } from '../../shared/error.ts'
import { isWithin } from '../../shared/path.ts'
import { queryInteger, queryPath } from '../http/query.ts'
import { immutableCache, jsonType, respond, respondJson, revalidateCache } from '../http/respond.ts'
import { type Exchange, type Route, pathOf, volumeOf } from '../route.ts'
import { versionOf } from './lookup.ts'

const historyLimitMax = 100
const historyLimitDefault = 20
/** A store request each, sixteen at once: some three seconds of a slow store. */
const recordsMax = 200
const diffLimitMax = 1000
const seqBounds = { min: 1, max: Number.MAX_SAFE_INTEGER }

export const historyRoutes: readonly Route[] = [
  {
    method: 'GET',
    template: '/v1/{volume}/history/{path}',
    needs: 'read',
    weight: 20,
    summary: 'The commits that changed a path, newest first; renames are followed',
    parameters: [
      { name: 'before', in: 'query', text: 'Only commits below this one' },
      { name: 'limit', in: 'query', text: `At most so many changes, 1 to ${historyLimitMax}; ${historyLimitDefault} unless given` },
    ],
    responses: { 200: `Changes among ${recordsMax} commits at most, and where to go on`, 400: 'The path or a parameter cannot be', 404: 'No such volume' },
    handle: tellHistory,
  },
  {
    method: 'GET',
    template: '/v1/{volume}/diff/{path}',
    needs: 'list',
    weight: 20,
    summary: 'What differs at and below a path between two commits',
    parameters: [
      { name: 'from', in: 'query', text: 'A commit; the one before `to` unless given' },
      { name: 'to', in: 'query', text: 'Another one; the newest unless given' },
      { name: 'after', in: 'query', text: 'Only what comes after this path; percent-encoded' },
      { name: 'limit', in: 'query', text: `At most so many, 1 to ${diffLimitMax}` },
    ],
    responses: { 200: 'A page of differences, in the order of the paths', 400: 'The path or a parameter cannot be', 404: 'No such volume or commit, or neither commit has the path' },
    handle: tellDiff,
  },
]

async function tellHistory(exchange: Exchange): Promise<Response> {
  const { query, signal, grant } = exchange
  const limit = queryInteger(query, 'limit', { min: 1, max: historyLimitMax }) ?? historyLimitDefault
  const before = queryInteger(query, 'before', seqBounds)
  const { path } = pathOf(exchange)
  const { volume } = await volumeOf(exchange)
  const head = await volume.head({ signal })
  if (exchange.isHead) return respond(200, { 'cache-control': revalidateCache, 'content-type': jsonType })
  if (before === 1) return respondJson(200, { items: [], next: null } satisfies HistoryMessage)
  const at = (seq: number): ReturnType<typeof volume.at> => volume.at(seq, { signal })
  const newest = before === undefined || before > head.seq ? head : await at(before - 1)
  const { items, next } = await historyOf(at, { path, newest, within: grant.prefix, limit, recordsMax, signal })
  const messages: PathChangeMessage[] = []
  for (const item of items) messages.push(await changeMessage(exchange, item))
  const message: HistoryMessage = { items: messages, next: next ?? null }
  // What lies below a commit never changes.
  return respondJson(200, message, { 'cache-control': newest === head ? revalidateCache : immutableCache })
}

async function changeMessage(exchange: Exchange, { record, change, path, from, entry }: PathChange): Promise<PathChangeMessage> {
  const { seq, time, author, message } = record
  return {
    seq,
    time,
    author,
    ...(message === undefined || exchange.grant.prefix !== rootPath ? {} : { message }),
    change,
    path,
    ...(from === undefined ? {} : { from }),
    ...(entry === undefined ? {} : { entry: await sideOf(exchange, entry) }),
  }
}

async function tellDiff(exchange: Exchange): Promise<Response> {
  const { query, signal } = exchange
  const limit = queryInteger(query, 'limit', { min: 1, max: diffLimitMax }) ?? diffLimitMax
  const askedTo = queryInteger(query, 'to', seqBounds)
  const askedFrom = queryInteger(query, 'from', seqBounds)
  const after = queryPath(query, 'after')
  const { path } = pathOf(exchange)
  if (after !== undefined && (after === path || !isWithin(after, path))) throw new EdgemountError('invalid', `Cannot go on after "${after}": it is not below "${path}"`)
  const { volume } = await volumeOf(exchange)
  const to = askedTo === undefined ? await volume.head({ signal }) : await volume.at(askedTo, { signal })
  const from = await volume.at(askedFrom ?? Math.max(1, to.seq - 1), { signal })
  const headers = { 'cache-control': askedTo === undefined || askedFrom === undefined ? revalidateCache : immutableCache }
  if (exchange.isHead) return respond(200, { ...headers, 'content-type': jsonType })
  const items: DifferenceMessage[] = []
  let isLast = true
  for await (const { path: at, before, after: now } of diffPaths(from, to, { path, after, signal })) {
    if (items.length === limit) {
      isLast = false
      break
    }
    const sides = { ...(before === undefined ? {} : { before: await sideOf(exchange, before) }), ...(now === undefined ? {} : { after: await sideOf(exchange, now) }) }
    items.push({ path: at, change: before === undefined ? 'added' : now === undefined ? 'removed' : 'changed', ...sides })
  }
  const message: DiffMessage = { from: from.seq, to: to.seq, items, isLast, hasLinkedChanges: from.root.inodes?.hash !== to.root.inodes?.hash }
  return respondJson(200, message, headers)
}

async function sideOf({ edge }: Exchange, entry: Entry): Promise<SideMessage> {
  const version = await versionOf(entry, edge.hash)
  return { kind: entry.kind, size: entry.size, mtime: formatTime(entry.mtime), ...(version === undefined ? {} : { version }) }
}
