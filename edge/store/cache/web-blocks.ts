/**
 * Blocks in a `Cache` of the platform: `caches.default` on Workers, one of our own on Deno.
 *
 * A block is stored as a whole 200 below an address that nobody can ask for: neither cache stores 206. A part of one is asked for by a range of our own, which
 * Workers heed and Deno does not. INVARIANT: no header of a client reaches a cache.
 */
import { type ByteRange, clampRange, rangeLength } from '../../../shared/range.ts'
import { type BlockCache, type BlockPart, blockBytes } from './block-cache.ts'

/** The part of a platform's `Cache` that is used here. */
export interface WebCache {
  match(request: Request): Promise<Response | undefined>
  put(url: string, response: Response): Promise<void>
}

/** No name ends so (RFC 6761): nothing on the network leads here, and no route of a Worker can have it. */
const origin = 'https://blocks.edgemount.invalid/'
/** A month: caches evict what nobody asks for by themselves, and what a pack holds never changes. */
const keptSeconds = 30 * 24 * 3600
const sizeHeader = 'edgemount-object-bytes'

export class WebBlocks implements BlockCache {
  readonly #open: () => Promise<WebCache>
  readonly #onFailure: (error: unknown) => void

  /** `open` is asked each time: a cache belongs to the request that opened it. */
  constructor(open: () => Promise<WebCache>, onFailure: (error: unknown) => void = () => undefined) {
    this.#open = open
    this.#onFailure = onFailure
  }

  async get(key: string, part: ByteRange): Promise<BlockPart | undefined> {
    try {
      const cache = await this.#open()
      const response = await cache.match(new Request(addressOf(key), { headers: headersFor(part) }))
      if (response === undefined) return undefined
      const objectBytes = numberOf(response, sizeHeader)
      const held = heldRange(response)
      if (objectBytes === undefined || held === undefined || response.body === null) {
        response.body?.cancel().catch(() => undefined)
        return undefined
      }
      const wanted = clampRange(part, held.blockBytes)
      const bytes = await cutStream(response.body, { start: wanted.start - held.start, end: wanted.end - held.start })
      return bytes === undefined ? undefined : { objectBytes, bytes }
    } catch (error) {
      this.#onFailure(error)
      return undefined
    }
  }

  async put(key: string, { objectBytes, bytes }: BlockPart): Promise<void> {
    try {
      const headers = {
        'content-type': 'application/octet-stream',
        'content-length': String(bytes.length),
        'cache-control': `public, max-age=${keptSeconds}, immutable`,
        [sizeHeader]: String(objectBytes),
      }
      const cache = await this.#open()
      await cache.put(addressOf(key), new Response(new Uint8Array(bytes), { headers }))
    } catch (error) {
      this.#onFailure(error)
    }
  }
}

export function addressOf(key: string): string {
  return origin + encodeURIComponent(key)
}

/** Our own range, of one kind alone, where it saves reading most of a block. Who does not know it gives the whole block. */
function headersFor({ start, end }: ByteRange): Record<string, string> {
  return start < end && (start > 0 || end < blockBytes) ? { range: `bytes=${start}-${end - 1}` } : {}
}

/** Where in the block the body begins, and how long the block is; undefined for what is no block. */
function heldRange(response: Response): { readonly start: number; readonly blockBytes: number } | undefined {
  const length = numberOf(response, 'content-length')
  const part = /^bytes (\d{1,8})-(\d{1,8})\/(\d{1,8})$/.exec(response.headers.get('content-range') ?? '')
  if (response.status === 206 && part !== null) return { start: Number(part[1]), blockBytes: Number(part[3]) }
  return response.status === 200 && length !== undefined && length <= blockBytes ? { start: 0, blockBytes: length } : undefined
}

function numberOf(response: Response, header: string): number | undefined {
  const text = response.headers.get(header)
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

/** Only what is wanted is held; undefined when the stream ends before it. */
async function cutStream(stream: ReadableStream<Uint8Array>, range: ByteRange): Promise<Uint8Array | undefined> {
  const wanted = new Uint8Array(rangeLength(range))
  const reader = stream.getReader()
  let at = 0
  for (;;) {
    if (at >= range.end) {
      // What follows is of no use to anybody; nobody waits for its end either.
      reader.cancel().catch(() => undefined)
      return wanted
    }
    const { done, value } = await reader.read()
    if (done) return undefined
    const from = Math.max(0, range.start - at)
    if (from < value.length) wanted.set(value.subarray(from, range.end - at), Math.max(0, at - range.start))
    at += value.length
  }
}
