/**
 * The log: reading records, and publishing one, which is the commit itself. The edge checks what it can see (that the record is whole, follows its parent
 * and names pages that are there); the slot is won by create-if-absent in the store and nowhere else.
 */
import { equalBytes } from '../../shared/bytes.ts'
import { EdgemountError, codeOf, messageOf } from '../../shared/error.ts'
import type { CommitRecord } from '../../shared/format/commit.ts'
import { decodeRecord, encodeRecord, recordBytesMax } from '../../shared/format/commit.ts'
import { decodeOperations, operationPageBytesMax } from '../../shared/format/commit-operation.ts'
import type { Pointer } from '../../shared/format/entry.ts'
import { inodeKey } from '../../shared/format/inode-key.ts'
import { pageBytesMax } from '../../shared/format/page.ts'
import { findInTree } from '../../shared/format/tree-page.ts'
import type { ObjectStore } from '../../shared/store.ts'
import { rootFileId } from '../../shared/volume/file-id.ts'
import { logKey, logPrefix, seqOfLogKey } from '../../shared/volume/keys.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import type { HeadMessage, LogMessage } from '../../shared/wire/messages.ts'
import { receiveBytes } from '../http/body.ts'
import { leaseParameter, refuseLostLease } from '../lease-fence.ts'
import { parseInteger, queryInteger } from '../http/query.ts'
import { refusalOfPosted } from '../http/refusal.ts'
import { immutableCache, respond, respondError, respondJson, revalidateCache } from '../http/respond.ts'
import { type Exchange, type Route, volumeOf } from '../route.ts'

const logLimitMax = 1000
const seqBounds = { min: 1, max: Number.MAX_SAFE_INTEGER }

export const logRoutes: readonly Route[] = [
  {
    method: 'GET',
    template: '/v1/{volume}/head',
    needs: 'read',
    summary: 'The newest commit: its seq, time and author',
    responses: { 200: 'At least as new as every commit acknowledged before', 404: 'No such volume' },
    handle: async (exchange) => {
      const { volume } = await volumeOf(exchange)
      const { record } = await volume.head({ signal: exchange.signal })
      const message: HeadMessage = { seq: record.seq, time: record.time, author: record.author, volume: volume.config.id }
      return respondJson(200, message, { 'cache-control': revalidateCache, etag: `"${record.seq}"` })
    },
  },
  {
    method: 'GET',
    template: '/v1/{volume}/log',
    needs: 'read',
    summary: 'Seqs of commits, newest first',
    parameters: [
      { name: 'before', in: 'query', text: 'Only seqs below this one' },
      { name: 'limit', in: 'query', text: `At most so many, 1 to ${logLimitMax}` },
    ],
    responses: { 200: 'A page of seqs', 404: 'No such volume' },
    handle: listLog,
  },
  {
    method: 'GET',
    template: '/v1/{volume}/log/{seq}',
    needs: 'read',
    summary: 'A commit record, byte for byte; never changes',
    responses: { 200: 'The record', 404: 'No such volume, or the slot is free' },
    handle: readRecord,
  },
  {
    method: 'POST',
    template: '/v1/{volume}/log/{seq}',
    needs: 'publish',
    summary: 'Publishes a commit: takes the slot, if it is free',
    parameters: [leaseParameter],
    requestType: 'application/json',
    responses: {
      201: 'The commit has happened',
      400: 'The body is no record of this seq',
      409: 'reason says why: the slot is taken, the parent is not the record before, a page that is named is not there, or the lease is lost',
      413: `More than ${recordBytesMax} bytes`,
    },
    handle: postRecord,
  },
]

async function listLog(exchange: Exchange): Promise<Response> {
  const { query, signal } = exchange
  const before = queryInteger(query, 'before', seqBounds)
  const limit = queryInteger(query, 'limit', { min: 1, max: logLimitMax }) ?? logLimitMax
  const { store } = await volumeOf(exchange)
  const found = await store.list(logPrefix, { limit, after: before === undefined ? undefined : logKey(before), signal })
  const items = found.map(({ key, size }) => ({ seq: seqOfLogKey(key), size }))
  const message: LogMessage = { items, isLast: found.length < limit }
  return respondJson(200, message)
}

async function readRecord(exchange: Exchange): Promise<Response> {
  const { signal, isHead } = exchange
  const seq = seqOf(exchange)
  const { store } = await volumeOf(exchange)
  const found = await store.get(logKey(seq), { signal, range: isHead ? { start: 0, end: 0 } : undefined })
  if (found === undefined) throw new EdgemountError('not-found', `Cannot read commit ${seq}: there is none`)
  const headers = { 'content-type': 'application/json; charset=utf-8', 'content-length': String(found.size), 'cache-control': immutableCache, etag: `"${seq}"` }
  return respond(200, headers, isHead ? null : await found.bytes())
}

async function postRecord(exchange: Exchange): Promise<Response> {
  const { request, signal } = exchange
  const seq = seqOf(exchange)
  const opened = await volumeOf(exchange)
  const { store, volume } = opened
  const body = await receiveBytes(request, recordBytesMax, exchange.edge.clock)
  const record = readPosted(body, seq)
  const refusal = (reason: string, why: string): Response => respondError(409, 'conflict', `Cannot publish commit ${seq}: ${why}`, {}, { reason })
  if (!(await isParentThere(exchange, store, record))) return refusal('parent', 'its parent is not the record before it')
  const fault = await faultOfPages(volume.snapshotOf(record), signal)
  if (fault !== undefined) return refusal('packs', fault)
  const lost = await refuseLostLease(exchange, store)
  if (lost !== undefined) return lost
  if (!(await store.create(logKey(seq), body, { signal }))) return refusal('taken', 'the slot is taken')
  opened.noteCommit(seq)
  return respondJson(201, { seq }, { 'cache-control': 'no-store' })
}

function seqOf({ parameters }: Exchange): number {
  return parseInteger(parameters['seq'] ?? '', 'seq', seqBounds)
}

/** INVARIANT: a record's bytes are those that `encodeRecord` gives, so that everybody who writes it again gets the hash that the next one names. */
function readPosted(body: Uint8Array, seq: number): CommitRecord {
  let record: CommitRecord
  try {
    record = decodeRecord(body)
  } catch (error) {
    throw refusalOfPosted(error, `publish commit ${seq}`)
  }
  if (record.seq !== seq) throw new EdgemountError('invalid', `Cannot publish commit ${seq}: the record is of seq ${record.seq}`)
  if (!equalBytes(encodeRecord(record), body)) throw new EdgemountError('invalid', `Cannot publish commit ${seq}: the record is not in its canonical form`)
  return record
}

async function isParentThere({ edge, signal }: Exchange, store: ObjectStore, record: CommitRecord): Promise<boolean> {
  if (record.seq === 1) return true
  const parent = await store.get(logKey(record.seq - 1), { signal })
  return parent !== undefined && (await edge.hash(await parent.bytes())) === record.parent
}

/**
 * Why the pages that a record names itself cannot be read, or undefined. A record whose pages are not there would make the volume unreadable, for ever
 * and for everybody. The pages below them were stored before them by the ordering law.
 */
async function faultOfPages(snapshot: Snapshot, signal: AbortSignal): Promise<string | undefined> {
  const { root, operationPages = [] } = snapshot.record
  const { content, kind } = root.directory
  if (kind !== 'directory' || content.kind !== 'tree') return 'its root is not a directory'
  try {
    for (const pointer of [content.root.pointer, root.inodes]) {
      if (pointer === undefined) continue
      const page = await loadPage(snapshot, pointer, pageBytesMax, signal)
      // Any key will do: it is looked for in this page alone.
      findInTree(pointer, inodeKey(rootFileId), (wanted) => (wanted === pointer ? page : undefined))
    }
    for (const pointer of operationPages) decodeOperations(await loadPage(snapshot, pointer, operationPageBytesMax, signal))
    return undefined
  } catch (error) {
    if (codeOf(error) === 'corrupt') return messageOf(error)
    throw error
  }
}

async function loadPage({ pages }: Snapshot, pointer: Pointer, bytesMax: number, signal: AbortSignal): Promise<Uint8Array> {
  if (pointer.length <= bytesMax) return await pages.load(pointer, signal)
  throw new EdgemountError('corrupt', `a page of ${pointer.length} bytes is longer than ${bytesMax}`)
}
