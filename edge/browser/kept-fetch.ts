/**
 * `fetch` for the edge's answers about a volume: what can never change (pages of metadata packs, records, lookups of one commit) is kept in the cache, sealed with a
 * checksum of its own, and small answers are asked for again when the connection failed. Chunks do not come this way: `chunks.ts` keeps them by their hash.
 */
import { concatBytes, equalBytes } from '../../shared/bytes.ts'
import { EdgemountError, messageOf } from '../../shared/error.ts'
import { type HashFunction, hashBytes, hashToBytes } from '../../shared/hash.ts'
import type { Fetch } from '../../shared/wire/connection.ts'
import type { Cache } from './cache.ts'
import { type RetrySettings, retry } from './retry.ts'

export interface KeptFetchParts extends Omit<RetrySettings, 'signal'> {
  readonly fetch: Fetch
  readonly cache: Cache | undefined
  readonly hash: HashFunction
  /** What addresses begin with. */
  readonly base: string
  /** The edge's name for messages. */
  readonly label: string
  /** What answers are kept under; undefined while that is not known, when nothing is. */
  readonly scope: () => string | undefined
  readonly onRequest: () => void
  readonly onBytes: (bytes: number, from: 'cache' | 'network') => void
}

/** Answers to these are the same for ever. */
const immutable = /^\/v1\/[^/]+\/(?:log\/\d+$|packs\/m[^/]*\/|(?:stat|list|manifest)\/.*[?&]seq=\d)/
const chunkSlice = /^\/v1\/[^/]+\/(?:packs\/d|files\/|@\d+\/)/
/** What the edge sends of them. Proxies and networks that answer in its place do it in HTML or plain text, and with a 200 now and then. */
const edgeTypes = /json|octet/
const noFile = { owner: '', version: '' }

export function keptFetch(parts: KeptFetchParts): Fetch {
  return async (url, init) => {
    const path = url.slice(parts.base.length)
    const isStream = new Headers(init.headers).get('accept') === 'text/event-stream'
    if (init.method !== 'GET' || isStream || chunkSlice.test(path)) return await send(parts, url, init)
    const scope = parts.scope()
    const key = scope !== undefined && immutable.test(path) ? `a/${scope}${path}` : undefined
    const kept = key === undefined || init.cache === 'reload' ? undefined : await readKept(parts, key)
    return kept ?? (await retry({ ...parts, signal: init.signal ?? undefined }, () => take(parts, url, init, key)))
  }
}

async function send(parts: KeptFetchParts, url: string, init: RequestInit): Promise<Response> {
  parts.onRequest()
  return await parts.fetch(url, init)
}

/** The whole answer, so that a connection that breaks within it is tried again, too. */
async function take(parts: KeptFetchParts, url: string, init: RequestInit, key: string | undefined): Promise<Response> {
  try {
    const response = await send(parts, url, init)
    const { status, headers } = response
    const isOfEdge = edgeTypes.test(headers.get('content-type') ?? '')
    // A proxy that knows no route there says nothing about what the edge has.
    if (status === 503 || status === 504 || (status === 404 && !isOfEdge)) throw new EdgemountError('unavailable', `Cannot use the edge now: it answered ${status}`)
    const body = new Uint8Array(await response.arrayBuffer())
    parts.onBytes(body.length, 'network')
    if (key !== undefined && status === 200 && isOfEdge) await keep(parts, key, body, headers)
    return new Response(body, { status, headers })
  } catch (error) {
    if (error instanceof EdgemountError || init.signal?.aborted === true) throw error
    throw new EdgemountError('unavailable', `Cannot reach the edge ${parts.label}: ${messageOf(error)}`, { cause: error })
  }
}

/** Checksum, length of the headers in one byte, headers, body. */
async function keep({ cache, hash }: KeptFetchParts, key: string, body: Uint8Array, headers: Headers): Promise<void> {
  if (cache === undefined) return
  const line = new TextEncoder().encode([headers.get('content-type') ?? '', headers.get('edgemount-size') ?? ''].join('\n'))
  if (line.length > 255) return
  const sealed = concatBytes([Uint8Array.of(line.length), line, body])
  cache.keep(key, concatBytes([hashToBytes(await hash(sealed)), sealed]), noFile)
}

async function readKept({ cache, hash, onBytes }: KeptFetchParts, key: string): Promise<Response | undefined> {
  const [bytes] = (await cache?.get([key])) ?? []
  if (cache === undefined || bytes === undefined) return undefined
  const sealed = bytes.subarray(hashBytes)
  if (bytes.length <= hashBytes || !equalBytes(hashToBytes(await hash(sealed)), bytes.subarray(0, hashBytes))) {
    await cache.dropCorrupt(key)
    return undefined
  }
  const bodyStart = 1 + sealed[0]!
  const [contentType = '', size = ''] = new TextDecoder().decode(sealed.subarray(1, bodyStart)).split('\n')
  const body = sealed.slice(bodyStart)
  onBytes(body.length, 'cache')
  return new Response(body, { headers: { 'content-type': contentType, ...(size === '' ? {} : { 'edgemount-size': size }) } })
}
