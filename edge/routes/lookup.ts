/**
 * Manifest lookup: the edge walks the tree beside the storage, so that a mount or script learns in one round trip what a path, a directory or a file's
 * chunks are. Always of one snapshot, whose seq the answer names; `seq` in the query pins it.
 */
import { toBase64 } from '../../shared/bytes.ts'
import { EdgemountError } from '../../shared/error.ts'
import { contentVersionOf } from '../../shared/format/entry-codec.ts'
import type { Entry, Hash } from '../../shared/format/entry.ts'
import type { PlacedRun } from '../../shared/format/manifest-page.ts'
import type { HashFunction } from '../../shared/hash.ts'
import type { ByteRange } from '../../shared/range.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import type { ListMessage, ManifestMessage, NamedEntryMessage, RunMessage, StatMessage } from '../../shared/wire/messages.ts'
import { entryMessage } from '../../shared/wire/messages.ts'
import { requireWithin } from '../access/grant.ts'
import { queryInteger, queryName, queryValue } from '../http/query.ts'
import { immutableCache, jsonType, respond, respondJson, revalidateCache } from '../http/respond.ts'
import { type Exchange, type Route, type RouteParameter, pathOf, volumeOf } from '../route.ts'

export const listLimitMax = 1000
/** About a megabyte of JSON, and the chunks of 1 GiB. */
const runsMax = 5000

const pin: RouteParameter = { name: 'seq', in: 'query', text: 'The snapshot to look at; the newest unless given' }
const errors = { 400: 'The path or a parameter cannot be', 404: 'No such volume, snapshot or path' }

export const lookupRoutes: readonly Route[] = [
  {
    method: 'GET',
    template: '/v1/{volume}/stat/{path}',
    needs: 'read',
    summary: 'The entry at a path',
    parameters: [pin, { name: 'follow', in: 'query', text: '0: no symlink is followed' }],
    responses: { 200: 'The entry', ...errors },
    handle: async (exchange) => {
      const snapshot = await snapshotOf(exchange)
      const { path, entry } = await lookUp(exchange, snapshot)
      if (exchange.isHead) return respondHead(exchange)
      const message: StatMessage = { seq: snapshot.seq, path, entry: entryMessage(entry, await contentVersionOf(entry, exchange.edge.hash)) }
      return respondJson(200, message, cacheOf(exchange))
    },
  },
  {
    method: 'GET',
    template: '/v1/{volume}/list/{path}',
    needs: 'list',
    summary: 'The entries of a directory, ordered by the bytes of their names',
    parameters: [
      pin,
      { name: 'after', in: 'query', text: 'Only names after this one; percent-encoded bytes' },
      { name: 'limit', in: 'query', text: `At most so many, 1 to ${listLimitMax}` },
    ],
    responses: { 200: 'A page of entries', ...errors },
    handle: async (exchange) => {
      const { query, signal, edge } = exchange
      const limit = queryInteger(query, 'limit', { min: 1, max: listLimitMax }) ?? listLimitMax
      const after = queryName(query, 'after')
      const snapshot = await snapshotOf(exchange)
      const { path, entry } = await lookUp(exchange, snapshot)
      if (entry.kind !== 'directory') throw new EdgemountError('invalid', `Cannot list "${path}": it is a ${entry.kind}`)
      if (exchange.isHead) return respondHead(exchange)
      const { items, isLast } = await snapshot.list(entry, { after, limit, signal })
      const message: ListMessage = { seq: snapshot.seq, path, items: await listItems(items, edge.hash), isLast }
      return respondJson(200, message, cacheOf(exchange))
    },
  },
  {
    method: 'GET',
    template: '/v1/{volume}/manifest/{path}',
    needs: 'read',
    summary: "Where a file's chunks are: runs in order, those that overlap the range",
    parameters: [
      pin,
      { name: 'start', in: 'query', text: 'First byte of the range; 0 unless given' },
      { name: 'end', in: 'query', text: 'The byte after the range; the end of the file unless given' },
    ],
    responses: { 200: 'Runs of chunks and holes', ...errors },
    handle: async (exchange) => {
      const snapshot = await snapshotOf(exchange)
      const { path, entry } = await lookUp(exchange, snapshot)
      if (entry.kind !== 'file') throw new EdgemountError('invalid', `Cannot read the manifest of "${path}": it is a ${entry.kind}`)
      const range = rangeOf(exchange, path, entry)
      if (exchange.isHead) return respondHead(exchange)
      return respondJson(200, await manifestOf(exchange, { snapshot, path, entry, range }), cacheOf(exchange))
    },
  },
]

export async function listItems(items: readonly { name: string; entry: Entry }[], hash: HashFunction): Promise<NamedEntryMessage[]> {
  const messages: NamedEntryMessage[] = []
  for (const { name, entry } of items) messages.push({ name, ...entryMessage(entry, await versionOf(entry, hash)) })
  return messages
}

export async function versionOf(entry: Entry, hash: HashFunction): Promise<Hash | undefined> {
  return entry.kind === 'file' ? await contentVersionOf(entry, hash) : undefined
}

/** What GET says without its content: whether there is such a path is known, what a body would hold is not read. So its length is left out, too. */
export function respondHead(exchange: Exchange): Response {
  return respond(200, { ...cacheOf(exchange), 'content-type': jsonType })
}

function rangeOf({ query }: Exchange, path: string, entry: Entry): ByteRange {
  const bounds = { min: 0, max: Number.MAX_SAFE_INTEGER }
  const start = Math.min(queryInteger(query, 'start', bounds) ?? 0, entry.size)
  const end = Math.min(queryInteger(query, 'end', bounds) ?? entry.size, entry.size)
  if (start > end) throw new EdgemountError('invalid', `Cannot read the manifest of "${path}": start ${start} is after end ${end}`)
  return { start, end }
}

interface ManifestLookup {
  readonly snapshot: Snapshot
  readonly path: string
  readonly entry: Entry
  readonly range: ByteRange
}

async function manifestOf({ signal, edge }: Exchange, { snapshot, path, entry, range }: ManifestLookup): Promise<ManifestMessage> {
  const head = { seq: snapshot.seq, path, size: entry.size, version: await contentVersionOf(entry, edge.hash) }
  if (entry.content.kind === 'inline') return { ...head, inline: toBase64(entry.content.bytes), runs: [], nextStart: null }
  const runs: RunMessage[] = []
  if (range.start < range.end) {
    for await (const placed of snapshot.runs(entry, range, { signal, label: path })) {
      if (runs.length === runsMax) return { ...head, runs, nextStart: placed.start }
      runs.push(runMessage(placed))
    }
  }
  return { ...head, runs, nextStart: null }
}

function runMessage({ start, run }: PlacedRun): RunMessage {
  if (run.kind === 'hole') return { kind: 'hole', start, length: run.length }
  const { hash, pack, offset } = run.pointer
  return { kind: 'chunk', start, length: run.length, hash, pack, offset }
}

async function snapshotOf(exchange: Exchange): Promise<Snapshot> {
  const { query, signal } = exchange
  const seq = queryInteger(query, 'seq', { min: 1, max: Number.MAX_SAFE_INTEGER })
  const { volume } = await volumeOf(exchange)
  return seq === undefined ? await volume.head({ signal }) : await volume.at(seq, { signal })
}

async function lookUp(exchange: Exchange, snapshot: Snapshot): Promise<{ path: string; entry: Entry }> {
  const { path } = pathOf(exchange)
  const { signal } = exchange
  if (queryValue(exchange.query, 'follow') === '0') return { path, entry: await snapshot.resolve(path, { signal }) }
  const found = await snapshot.follow(path, { signal, within: exchange.grant.prefix })
  requireWithin(exchange.grant, found.path, path)
  return found
}

function cacheOf({ query }: Exchange): { 'cache-control': string } {
  return { 'cache-control': queryValue(query, 'seq') === undefined ? revalidateCache : immutableCache }
}
