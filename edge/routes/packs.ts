/**
 * Chunk serving, and packs that mounts publish. A slice has its range in its path and is always 200: shared caches do not store 206, and browsers
 * ask for one range of an address at a time.
 */
import { EdgemountError } from '../../shared/error.ts'
import type { PackId } from '../../shared/format/entry.ts'
import { isPackId, packBytesMax } from '../../shared/format/pack-id.ts'
import { withDeadline } from '../../shared/lifetime.ts'
import { type ByteRange, clampRange, rangeLength } from '../../shared/range.ts'
import type { StoredObject } from '../../shared/store.ts'
import { packKey } from '../../shared/volume/keys.ts'
import { freshHeader } from '../../shared/wire/routes.ts'
import { openBody, piecesOf, receiveBytes } from '../http/body.ts'
import { parseInteger, queryValue } from '../http/query.ts'
import { immutableCache, respond, respondJson } from '../http/respond.ts'
import { type Exchange, type Route, volumeOf } from '../route.ts'
import { SliceHold } from '../http/slice-hold.ts'

/** Below this a slice is one piece in memory, which every runtime sends fastest; the engine asks for 1 to 8 MiB. Where memory is short it is less. */
const wholeBytesMax = 8 * 1024 * 1024
/** What every answer may hold, whoever reads it and however slowly; longer pieces count, and beyond `edge.slices` there are none. */
const shortBytesMax = 1024 * 1024

const freshParameter = { name: 'Edgemount-Fresh', in: 'header', text: 'With any value: what came before did not match its hashes; the store is asked again' } as const
const readResponses = { 200: 'The bytes; fewer where the pack ends', 404: 'No such volume or pack' }

export const packRoutes: readonly Route[] = [
  {
    method: 'GET',
    template: '/v1/{volume}/packs/{pack}/{start}-{end}',
    needs: 'read',
    summary: 'A slice of a pack: bytes start (included) to end (excluded); never changes',
    parameters: [freshParameter],
    responses: readResponses,
    handle: async (exchange) => {
      const bounds = { min: 0, max: Number.MAX_SAFE_INTEGER }
      const start = parseInteger(exchange.parameters['start'] ?? '', 'start', bounds)
      const end = parseInteger(exchange.parameters['end'] ?? '', 'end', bounds)
      if (start > end) throw new EdgemountError('invalid', `Cannot read the slice ${start}-${end}: it ends before it begins`)
      return await sendPack(exchange, { start, end })
    },
  },
  {
    method: 'GET',
    template: '/v1/{volume}/packs/{pack}',
    needs: 'read',
    summary: 'A whole pack; never changes',
    parameters: [freshParameter],
    responses: readResponses,
    handle: async (exchange) => await sendPack(exchange, undefined),
  },
  {
    method: 'POST',
    template: '/v1/{volume}/packs',
    needs: 'publish',
    summary: 'Stores a pack under an id that its writer drew; once',
    parameters: [{ name: 'pack', in: 'query', text: 'The pack id: d or m and a ULID' }],
    requestType: 'application/octet-stream',
    responses: { 201: 'Stored', 200: 'A pack with this id was there already', 400: 'No pack id', 413: `More than ${packBytesMax} bytes` },
    handle: postPack,
  },
]

async function sendPack(exchange: Exchange, range: ByteRange | undefined): Promise<Response> {
  const hold = holdFor(exchange, range)
  try {
    return await answerPack(exchange, range, hold)
  } finally {
    hold?.settle()
  }
}

/** Undefined for who needs none, and where there is no room. */
function holdFor({ edge: { slices, isStreaming }, isHead }: Exchange, range: ByteRange | undefined): SliceHold | undefined {
  const bytes = range === undefined ? 0 : rangeLength(range)
  return isHead || isStreaming || bytes <= shortBytesMax || bytes > wholeBytesMax ? undefined : SliceHold.take(slices, bytes)
}

async function answerPack(exchange: Exchange, range: ByteRange | undefined, hold: SliceHold | undefined): Promise<Response> {
  const { edge, signal, isHead, parameters } = exchange
  const pack = packIdOf(parameters['pack'])
  const { store } = await volumeOf(exchange)
  const firstMax = firstBytesMax(exchange, range, hold)
  const read = (part: ByteRange | undefined): Promise<StoredObject | undefined> => store.get(packKey(pack), { range: part, signal, isFresh: exchange.request.headers.has(freshHeader) })
  const found = await read(isHead ? { start: 0, end: 0 } : range && { start: range.start, end: Math.min(range.end, range.start + firstMax) })
  if (found === undefined) throw new EdgemountError('not-found', `Cannot read the pack "${pack}": there is none in the volume`)
  const { start, end } = clampRange(range ?? { start: 0, end: found.size }, found.size)
  const length = end - start
  const headers = {
    'content-type': 'application/octet-stream',
    'content-length': String(length),
    'cache-control': immutableCache,
    etag: `"${pack}-${start}-${end}"`,
    'edgemount-size': String(found.size),
  }
  if (isHead) return respond(200, headers)
  const onFailure = (error: unknown): void => {
    if (!signal.aborted) edge.log.error('a pack was broken off', { pack, error })
  }
  const pieces = slicePieces(exchange, { found, read, slice: { start, end }, isWhole: length <= firstMax })
  return respond(200, headers, await openBody({ length, pieces, bytesBody: hold === undefined ? edge.bytesBody : (bytes) => hold.body(bytes), onFailure }))
}

/** How much of a slice the first request to the store may ask for. */
function firstBytesMax({ edge }: Exchange, range: ByteRange | undefined, hold: SliceHold | undefined): number {
  if (range === undefined || hold !== undefined || rangeLength(range) > wholeBytesMax || edge.isStreaming) return Infinity
  return shortBytesMax
}

interface Slice {
  readonly found: StoredObject
  readonly read: (part: ByteRange) => Promise<StoredObject | undefined>
  readonly slice: ByteRange
  /** `found` is all of it. */
  readonly isWhole: boolean
}

async function* slicePieces({ edge, signal }: Exchange, { found, read, slice, isWhole }: Slice): AsyncGenerator<Uint8Array> {
  const { clock, isStreaming, storeCallMs } = edge
  if (!isWhole) {
    yield await found.bytes()
    for (let at = slice.start + shortBytesMax; at < slice.end; at += shortBytesMax) {
      const next = await read({ start: at, end: Math.min(at + shortBytesMax, slice.end) })
      if (next === undefined) throw new EdgemountError('unavailable', 'Cannot finish the slice: its pack was deleted while it was read')
      yield await next.bytes()
    }
  } else if (rangeLength(slice) <= (isStreaming ? shortBytesMax : wholeBytesMax)) yield await found.bytes()
  else yield* piecesOf(found.stream(), (waiting) => withDeadline(clock, storeCallMs, 'read a pack from the store', signal, () => waiting))
}

async function postPack(exchange: Exchange): Promise<Response> {
  const { edge, request, query, signal } = exchange
  const pack = packIdOf(queryValue(query, 'pack'))
  const { store } = await volumeOf(exchange)
  const isNew = await edge.packs.run(async () => {
    const body = await receiveBytes(request, packBytesMax, edge.clock)
    if (body.length === 0) throw new EdgemountError('invalid', `Cannot store the pack "${pack}": it is empty`)
    return await store.create(packKey(pack), body, { signal })
  }, signal)
  return respondJson(isNew ? 201 : 200, { pack, isNew }, { 'cache-control': 'no-store' })
}

function packIdOf(text: string | undefined): PackId {
  if (isPackId(text)) return text
  throw new EdgemountError('invalid', `Cannot use the pack id "${text ?? ''}": it must be d or m and a ULID of 26 characters`)
}

