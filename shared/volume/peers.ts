/**
 * The peers of one volume, over its store. Called by the edge's routes. A refresh is one GET, and a write only every five and a half minutes, through however many
 * edges it comes; the list is a LIST and a GET for each peer, kept for some seconds.
 */
import type { Clock } from '../clock.ts'
import { EdgemountError, codeOf, messageOf } from '../error.ts'
import { SingleFlight } from '../lifetime.ts'
import type { Logger } from '../log.ts'
import { type Random, randomFraction } from '../random.ts'
import type { ObjectStore } from '../store.ts'
import { saysNothing } from './commit-log.ts'
import { peerPrefix } from './keys.ts'
import { type Peer, type PeerDecision, type StoredPeer, checkPeerId, decidePeer, decodePeer, encodePeer, isForgotten, isLive, isPeerId } from './peer.ts'

/** More would be of no use to anybody: each asks a few. */
const peersMax = 256
const listedForMs = 5000
const readsAtOnce = 8
/** A list removes so many dead ones; the next one goes on. */
const sweepsMax = 16
const triesMax = 6
const retryMs = 50

export interface PeersParts {
  /** Scoped to the volume. */
  readonly store: ObjectStore
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

export interface ListedPeer extends Peer {
  readonly id: string
  /** How long it stays listed without another word. */
  readonly leftMs: number
}

interface Listing {
  readonly atMs: number
  readonly peers: readonly (StoredPeer & { readonly id: string })[]
}

export class Peers {
  readonly #parts: PeersParts
  readonly #reading = new SingleFlight<'list', Listing>()
  #listing: Listing | undefined

  constructor(parts: PeersParts) {
    this.#parts = parts
  }

  /** Those that are alive, by id. What was said through another edge is listed some seconds later. */
  async list(signal?: AbortSignal): Promise<readonly ListedPeer[]> {
    const nowMs = this.#parts.clock.now()
    if (this.#listing === undefined || Math.abs(nowMs - this.#listing.atMs) > listedForMs) {
      this.#listing = await this.#reading.run('list', (shared) => this.#read(shared), signal)
    }
    return this.#listing.peers.filter((peer) => isLive(peer, nowMs)).map((peer) => listed(peer.id, peer, nowMs))
  }

  /** One that is alive. */
  async get(id: string, signal?: AbortSignal): Promise<ListedPeer | undefined> {
    checkPeerId(id)
    const found = await this.#load(id, signal)
    const nowMs = this.#parts.clock.now()
    return found !== undefined && isLive(found.peer, nowMs) ? listed(id, found.peer, nowMs) : undefined
  }

  /**
   * Registers a peer, or refreshes it. Throws `exhausted` for one that says something else than less than six minutes ago, and for one too many; `unavailable` when
   * it may or may not have been stored.
   */
  async put(id: string, said: Peer, signal?: AbortSignal): Promise<ListedPeer> {
    checkPeerId(id)
    const { clock, random, store } = this.#parts
    let why = 'others changed it each time'
    for (let attempt = 0; attempt < triesMax; attempt += 1) {
      if (attempt > 0) await clock.sleep(retryMs * 2 ** attempt * randomFraction(random), signal)
      const decision = await this.#attempt(id, said, signal).catch((error: unknown) => {
        // What says nothing may have been done: the next look tells.
        if (error instanceof TooManyPeers || signal?.aborted === true || !saysNothing(error)) throw error
        why = messageOf(error)
        return undefined
      })
      if (decision === undefined) continue
      if (decision.kind !== 'wait') return listed(id, decision.peer, clock.now())
      throw new PeerTooSoon(id, Math.ceil(decision.ms / 1000))
    }
    throw new EdgemountError('unavailable', `Cannot register the peer "${id}" in "${store.label}": ${why}; try again`)
  }

  /** It is gone, also when it never was. */
  async remove(id: string, signal?: AbortSignal): Promise<void> {
    checkPeerId(id)
    await this.#parts.store.delete(peerPrefix + id, { signal })
    this.#listing = undefined
  }

  /** Undefined: somebody else was faster. */
  async #attempt(id: string, said: Peer, signal: AbortSignal | undefined): Promise<PeerDecision | undefined> {
    const { clock, store } = this.#parts
    const found = await this.#load(id, signal)
    const decision = decidePeer(said, found?.peer, clock.now())
    if (decision.kind !== 'write') return decision
    this.#listing = undefined
    const key = peerPrefix + id
    const body = encodePeer(decision.peer)
    if (found !== undefined) return (await store.replace(key, body, found.etag, { signal })) === undefined ? undefined : decision
    await this.#checkRoom(id, signal)
    return (await store.create(key, body, { signal })) ? decision : undefined
  }

  async #checkRoom(id: string, signal: AbortSignal | undefined): Promise<void> {
    const { store } = this.#parts
    for (const isLast of [false, true]) {
      if ((await store.list(peerPrefix, { limit: peersMax, signal })).length < peersMax) return
      if (isLast) throw new TooManyPeers('exhausted', `Cannot register the peer "${id}": the volume has ${peersMax}; try again when some have left`)
      await this.#reading.run('list', (shared) => this.#read(shared), signal)
    }
  }

  /** Throws `corrupt` for garbage, which its owner writes over no more than anybody else. */
  async #load(id: string, signal: AbortSignal | undefined): Promise<{ peer: StoredPeer; etag: string } | undefined> {
    const found = await this.#parts.store.get(peerPrefix + id, { signal })
    return found === undefined ? undefined : { peer: decodePeer(await found.bytes()), etag: found.etag }
  }

  /** Also removes some that are dead for long. */
  async #read(signal: AbortSignal): Promise<Listing> {
    const { store, clock } = this.#parts
    const atMs = clock.now()
    const ids = (await store.list(peerPrefix, { limit: peersMax, signal })).map(({ key }) => key.slice(peerPrefix.length))
    const peers: (StoredPeer & { readonly id: string })[] = []
    for (let start = 0; start < ids.length; start += readsAtOnce) {
      const some = await Promise.all(ids.slice(start, start + readsAtOnce).map((id) => this.#loadListed(id, signal)))
      peers.push(...some.filter((peer) => peer !== undefined))
    }
    await this.#sweep(peers.filter((peer) => isForgotten(peer, atMs)).slice(0, sweepsMax), signal)
    return { atMs, peers }
  }

  async #loadListed(id: string, signal: AbortSignal): Promise<(StoredPeer & { readonly id: string }) | undefined> {
    try {
      const found = isPeerId(id) ? await this.#load(id, signal) : undefined
      return found && { id, ...found.peer }
    } catch (error) {
      // One that is damaged, or newer, keeps nobody from the others.
      if (codeOf(error) !== 'corrupt' && codeOf(error) !== 'unsupported') throw error
      return undefined
    }
  }

  /** Should one of them return just now, it is gone until its next word. */
  async #sweep(dead: readonly { readonly id: string }[], signal: AbortSignal): Promise<void> {
    const { store, log } = this.#parts
    for (const { id } of dead) {
      await store.delete(peerPrefix + id, { signal }).catch((error: unknown) => log.debug('a dead peer was not removed', { id, why: messageOf(error) }))
    }
  }
}

/** It says something else than a while ago. */
export class PeerTooSoon extends EdgemountError {
  readonly waitSeconds: number

  constructor(id: string, waitSeconds: number) {
    super('exhausted', `Cannot change the peer "${id}": what it says is stored once in five minutes; try again in ${waitSeconds} s, or register under another id`)
    this.waitSeconds = waitSeconds
  }
}

class TooManyPeers extends EdgemountError {}

function listed(id: string, { urls, zone, cacheBytes, version, expires }: StoredPeer, nowMs: number): ListedPeer {
  return { id, urls, zone, cacheBytes, version, leftMs: Math.max(0, Math.floor(expires - nowMs)) }
}
