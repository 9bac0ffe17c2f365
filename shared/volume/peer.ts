/**
 * A peer: a shim that others may ask for chunks, as it says itself. What is stored, and whether a refresh needs to store anything; `peers.ts` carries it out.
 *
 * A peer's word is worth nothing: who asks it compares what comes with its hash. An address is checked only so that it can be one.
 */
import { EdgemountError } from '../error.ts'
import { JsonFields, parseJson, printJson } from '../format/json-fields.ts'

/** How long a peer is listed after its last word was stored. */
export const peerLifeMs = 660_000
/** A refresh stores nothing before: the half of a life, so that clocks of edges may differ by 30 s and there is one write in 5 minutes still. */
export const peerStoreMs = peerLifeMs / 2
/** One that says that it lives longer was written by a clock that is far off. */
const clockErrorMs = 60_000

const peerFormat = 1
const peerBytesMax = 8192
const urlsMax = 8
const urlLengthMax = 256
const wordLengthMax = 64
const peerId = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

export interface Peer {
  /** Where it listens, the best first: http or https, without credentials. */
  readonly urls: readonly string[]
  /** Where it stands, in the words of whoever runs it; '' when it does not say. */
  readonly zone: string
  /** How much it may hold; 0 when it does not say. */
  readonly cacheBytes: number
  /** Of its program; '' when it does not say. */
  readonly version: string
}

export interface StoredPeer extends Peer {
  /** Milliseconds since 1970, by the clock of the edge that wrote it. */
  readonly expires: number
}

export type PeerDecision =
  | { readonly kind: 'write'; readonly peer: StoredPeer }
  | { readonly kind: 'keep'; readonly peer: StoredPeer }
  /** It says something else than a while ago. */
  | { readonly kind: 'wait'; readonly ms: number }

/** What a peer's word does to what is stored of it. */
export function decidePeer(said: Peer, current: StoredPeer | undefined, nowMs: number): PeerDecision {
  const written = { ...said, expires: Math.floor(nowMs) + peerLifeMs }
  if (current === undefined || !isLive(current, nowMs)) return { kind: 'write', peer: written }
  const ageMs = peerLifeMs - (current.expires - nowMs)
  if (ageMs > peerStoreMs) return { kind: 'write', peer: written }
  return isSameWord(said, current) ? { kind: 'keep', peer: current } : { kind: 'wait', ms: Math.ceil(peerStoreMs - ageMs) + 1 }
}

export function isLive({ expires }: StoredPeer, nowMs: number): boolean {
  return expires > nowMs && expires <= nowMs + peerLifeMs + clockErrorMs
}

/** True for one that is dead for so long that nobody is about to refresh it. */
export function isForgotten({ expires }: StoredPeer, nowMs: number): boolean {
  return expires + peerLifeMs < nowMs || expires > nowMs + 2 * peerLifeMs
}

export function isPeerId(id: string): boolean {
  return peerId.test(id)
}

/** Throws `invalid` unless a peer can have this id. */
export function checkPeerId(id: string): void {
  if (isPeerId(id)) return
  const why = 'it must be 1 to 64 letters, digits, ".", "_" or "-", the first a letter or digit'
  throw new EdgemountError('invalid', `Cannot use the peer id ${JSON.stringify(id.slice(0, 100))}: ${why}`)
}

export function encodePeer({ urls, zone, cacheBytes, version, expires }: StoredPeer): Uint8Array {
  return printJson({ format: peerFormat, urls, zone, cacheBytes, version, expires })
}

export function decodePeer(bytes: Uint8Array): StoredPeer {
  const fields: JsonFields = new JsonFields(parseJson(bytes, peerBytesMax, 'peer'), 'peer')
  fields.format(peerFormat)
  const peer = { ...readPeer(fields), expires: fields.integer('expires', 0) }
  fields.end()
  return peer
}

/** What a peer says of itself; all but `urls` may be missing. */
export function readPeer(fields: JsonFields): Peer {
  const urls = fields.array('urls', urlsMax).map((url) => (isPeerUrl(url) ? url : fields.fail(`its url ${JSON.stringify(url)?.slice(0, 300)} is not one of http or https without credentials, query and fragment`)))
  if (urls.length === 0) fields.fail('it has no url')
  return {
    urls,
    zone: readWord(fields, 'zone'),
    cacheBytes: fields.has('cacheBytes') ? fields.integer('cacheBytes', 0) : 0,
    version: readWord(fields, 'version'),
  }
}

function readWord(fields: JsonFields, name: string): string {
  const word = fields.has(name) ? fields.string(name, 0, wordLengthMax) : ''
  return /^[\u0020-\u007e]*$/.test(word) ? word : fields.fail(`its ${name} is not printable ASCII`)
}

function isPeerUrl(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > urlLengthMax || !/^https?:\/\/[\u0021-\u007e]+$/.test(value) || !URL.canParse(value)) return false
  const { username, password, search, hash, href } = new URL(value)
  // Only as the platforms would write it, so that everybody takes it for the same address.
  return username === '' && password === '' && search === '' && hash === '' && (href === value || href === `${value}/`)
}

function isSameWord(a: Peer, b: Peer): boolean {
  const isSame = a.zone === b.zone && a.cacheBytes === b.cacheBytes && a.version === b.version
  return isSame && a.urls.length === b.urls.length && a.urls.every((url, index) => url === b.urls[index])
}
