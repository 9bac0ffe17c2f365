/**
 * An upload that is larger than memory, through a real server: its bytes are made as they are sent, no two chunks are alike, and the store counts packs of chunks and
 * lets them go. What the process grew by meanwhile, client and all, is the measure.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createApp } from '../../edge/app.ts'
import { nodeDigest } from '../../edge/http/node-digest.ts'
import { nodeBytesBody, nodeHash, serveNode } from '../../edge/node.ts'
import { aroundCalls } from '../../edge/store/around.ts'
import { MemoryStore } from '../../edge/store/memory.ts'
import { ScopedStore } from '../../edge/store/scoped.ts'
import { systemClock } from '../../shared/clock.ts'
import type { ByteRange } from '../../shared/range.ts'
import type { ObjectStore } from '../../shared/store.ts'
import { Volume } from '../../shared/volume/volume.ts'
import { SeededRandom } from './seeded-random.ts'

export interface LargeUpload {
  readonly bytes: number
  readonly packBytesMax?: number
  /** By tus, so many bytes a request. */
  readonly partBytes?: number
}

export interface LargeUploadOutcome {
  /** Of the answers, in order. */
  readonly statuses: readonly number[]
  /** What the file has. */
  readonly size: number
  /** Of packs of chunks that the store was given. */
  readonly storedBytes: number
  /** What the process took at most beyond what it had before. */
  readonly grownBytes: number
  readonly seconds: number
}

const pieceBytes = 256 * 1024
/** So many bytes apart something is written that stands nowhere else: a quarter of the shortest chunk. */
const markEveryBytes = 16 * 1024

export async function uploadLarge({ bytes, packBytesMax, partBytes }: LargeUpload): Promise<LargeUploadOutcome> {
  const counted = { bytes: 0 }
  const memory = new MemoryStore()
  const random = new SeededRandom(1)
  const volume = await Volume.create({ store: new ScopedStore(memory, 'demo'), clock: systemClock, random, hash: nodeHash }, { name: 'demo' })
  const app = createApp({ store: lettingGo(memory, counted), clock: systemClock, random, hash: nodeHash, startDigest: nodeDigest, bytesBody: nodeBytesBody, uploadPackBytesMax: packBytesMax })
  const server = await serveNode({ app, port: 0 })
  const digest = createHash('sha256')
  for (const piece of piecesOf(0, bytes)) digest.update(piece)
  const reprDigest = `sha-256=:${digest.digest('base64')}:`
  const beforeBytes = process.memoryUsage.rss()
  let peakBytes = beforeBytes
  const watch = setInterval(() => (peakBytes = Math.max(peakBytes, process.memoryUsage.rss())), 10)
  const startMs = performance.now()
  try {
    const statuses = partBytes === undefined ? [await put(`${server.url}/v1/demo/files/large`, bytes, reprDigest)] : await sendParts(server.url, bytes, partBytes)
    const seconds = (performance.now() - startMs) / 1000
    const { size } = await (await volume.head()).resolve('/large')
    return { statuses, size, storedBytes: counted.bytes, grownBytes: peakBytes - beforeBytes, seconds }
  } finally {
    clearInterval(watch)
    await server.close()
    await volume.close()
  }
}

async function put(url: string, bytes: number, reprDigest: string): Promise<number> {
  return await send(url, 'PUT', { 'repr-digest': reprDigest }, { start: 0, end: bytes })
}

async function sendParts(url: string, bytes: number, partBytes: number): Promise<number[]> {
  const tus = { 'tus-resumable': '1.0.0' }
  const begun = await fetch(`${url}/v1/demo/uploads/large`, { method: 'POST', headers: { ...tus, 'upload-length': String(bytes) } })
  const statuses = [begun.status]
  for (let start = 0; start < bytes; start += partBytes) {
    const headers = { ...tus, 'upload-offset': String(start), 'content-type': 'application/offset+octet-stream' }
    statuses.push(await send(url + (begun.headers.get('location') ?? ''), 'PATCH', headers, { start, end: Math.min(bytes, start + partBytes) }))
  }
  return statuses
}

/** Not by `fetch`, which keeps what it has sent. */
async function send(url: string, method: string, headers: Record<string, string>, { start, end }: ByteRange): Promise<number> {
  const sending = request(url, { method, headers: { ...headers, 'content-length': end - start } })
  const answered = once(sending, 'response')
  await pipeline(Readable.from(copiesOf(piecesOf(start, end)), { objectMode: true, highWaterMark: 2 }), sending)
  const [response]: IncomingMessage[] = await answered
  response!.resume()
  return response!.statusCode ?? 0
}

function* copiesOf(pieces: Iterable<Uint8Array>): Generator<Uint8Array> {
  for (const piece of pieces) yield piece.slice()
}

/** The bytes of the file from `start` on. A piece holds until the next. */
function* piecesOf(start: number, end: number): Generator<Uint8Array, undefined> {
  const piece = new SeededRandom(2).bytes(pieceBytes)
  const view = new DataView(piece.buffer)
  for (let at = start; at < end; at += pieceBytes) {
    for (let offset = 0; offset < pieceBytes; offset += markEveryBytes) view.setFloat64(offset, at + offset)
    yield piece.subarray(0, Math.min(pieceBytes, end - at))
  }
  return undefined
}

/** What is in data packs is gone, but for the last chunk of a step, which the next one reads: the newest pack stays. */
function lettingGo(store: MemoryStore, counted: { bytes: number }): ObjectStore {
  let newest: string | undefined
  return aroundCalls(store, async (call, run) => {
    const answer = await run(call.signal)
    if (call.operation === 'create' && call.key.includes('/data/')) {
      counted.bytes += call.sentBytes
      if (newest !== undefined) await store.delete(newest)
      newest = call.key
    }
    return answer
  })
}
