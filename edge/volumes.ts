/**
 * The volumes that an edge has open: opened when first asked for, shared by requests, closed in order of last use. Holds no truth; all of it is in the store.
 */
import type { Clock } from '../shared/clock.ts'
import { EdgemountError, codeOf } from '../shared/error.ts'
import type { HashFunction } from '../shared/hash.ts'
import { SingleFlight, withDeadline } from '../shared/lifetime.ts'
import type { Logger } from '../shared/log.ts'
import type { Metrics } from '../shared/metrics.ts'
import type { Random } from '../shared/random.ts'
import type { ObjectStore } from '../shared/store.ts'
import { headKey } from '../shared/volume/keys.ts'
import { Peers } from '../shared/volume/peers.ts'
import type { ReadBudget } from '../shared/volume/read-budget.ts'
import { Volume } from '../shared/volume/volume.ts'
import { checkVolumeName } from '../shared/wire/routes.ts'
import { Follower } from './events/follower.ts'
import { CacheCounts } from './store/cache/cache-counts.ts'
import { CachedPacks } from './store/cache/cached-packs.ts'
import type { EdgeCache } from './store/cache/edge-cache.ts'
import { recentStore } from './store/cache/recent-volumes.ts'
import { ScopedStore } from './store/scoped.ts'

/** Each may hold its pages and chunks: 16 × 40 MiB stay below what a small server has. */
const openVolumesMax = 16
const pageCacheBytes = 32 * 1024 * 1024
/** For clients that read small ranges in sequence; a few clients' worth of chunks. */
const chunkCacheBytes = 8 * 1024 * 1024
/** Some stores take one write a second to a key. */
const hintEveryMs = 1000
/** What the background may take when the edge ends. */
const settleMs = 2000

export interface VolumesParts {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly random: Random
  readonly hash: HashFunction
  readonly log: Logger
  /** How often a follower looks for new commits. */
  readonly pollMs: number
  /** The largest request for the bytes of a body; the engine's unless given. */
  readonly readBytesMax: number | undefined
  /** Long bodies are read as streams. */
  readonly isStreaming: boolean | undefined
  /** The longest that one chunk of such a stream may take, and that a commit waits for its turn. */
  readonly waitMs: number
  /** What all readers of all volumes may hold together. */
  readonly readBudget: ReadBudget
  readonly metrics: Metrics
  /** Nothing is cached but what each volume has in memory unless given. */
  readonly cache: EdgeCache | undefined
}

export interface OpenVolume {
  readonly name: string
  readonly volume: Volume
  readonly store: ObjectStore
  readonly follower: Follower
  readonly peers: Peers
  /** Somebody published this commit through this edge. What follows from it goes on in the background. */
  noteCommit(seq: number): void
  /** Waits for what goes on in the background. */
  settle(): Promise<void>
}

/**
 * What is done after a record that others published through this edge, best effort: followers of this process learn of it at once, and readers
 * elsewhere find the head sooner by its hint, written at most once a second.
 */
class Aftermath {
  readonly #volume: Volume
  readonly #store: ObjectStore
  readonly #clock: Clock
  readonly #underWay = new Set<Promise<unknown>>()
  #hintedMs = -Infinity

  constructor(volume: Volume, store: ObjectStore, clock: Clock) {
    this.#volume = volume
    this.#store = store
    this.#clock = clock
  }

  note(seq: number): void {
    this.#start(this.#volume.at(seq))
    const nowMs = this.#clock.now()
    if (nowMs - this.#hintedMs < hintEveryMs) return
    this.#hintedMs = nowMs
    this.#start(this.#store.put(headKey, new TextEncoder().encode(String(seq))))
  }

  async settle(): Promise<void> {
    await Promise.all(this.#underWay)
  }

  #start(work: Promise<unknown>): void {
    const settled: Promise<unknown> = work.catch(() => undefined).finally(() => this.#underWay.delete(settled))
    this.#underWay.add(settled)
  }
}

export class Volumes {
  readonly #parts: VolumesParts
  /** In order of last use, oldest first. */
  readonly #open = new Map<string, OpenVolume>()
  readonly #opening = new SingleFlight<string, OpenVolume>()
  /** Of volumes that were closed. */
  readonly #settling = new Set<Promise<void>>()
  #isClosed = false

  constructor(parts: VolumesParts) {
    this.#parts = parts
  }

  /** Throws `not-found` when there is no such volume. */
  async open(name: string, signal?: AbortSignal): Promise<OpenVolume> {
    const held = this.#open.get(name)
    if (held !== undefined) {
      this.#open.delete(name)
      this.#open.set(name, held)
      return held
    }
    return await this.#opening.run(name, () => this.#start(name), signal)
  }

  /** The part of the store that a volume of this name has, whether or not there is one. */
  scope(name: string): ObjectStore {
    checkVolumeName(name)
    return new ScopedStore(this.#parts.store, name)
  }

  /** Everybody who listens to any of them. */
  get listenerCount(): number {
    return this.#open.values().reduce((sum, { follower }) => sum + follower.listenerCount, 0)
  }

  /** Something of the volume did not match its hash: what is remembered of its newest commit may be what is wrong. */
  doubt(name: string): void {
    this.#open.get(name)?.volume.doubt()
    if (this.#parts.cache?.recent !== undefined) this.#parts.cache.recent.forget(this.scope(name).label)
  }

  /** Volumes by name, in order: one LIST and one GET each, however much they hold. */
  async list(after: string | undefined, limit: number, signal?: AbortSignal): Promise<{ items: { name: string }[]; isLast: boolean }> {
    const items: { name: string }[] = []
    // `0` follows `/`: the first key after all of a volume's.
    let last = after === undefined ? undefined : `${after}0`
    while (items.length < limit) {
      const [next] = await this.#parts.store.list('', { limit: 1, after: last, signal })
      if (next === undefined) return { items, isLast: true }
      const name = next.key.split('/', 1)[0]!
      if (next.key.includes('/') && (await this.#exists(name, signal))) items.push({ name })
      last = next.key.includes('/') ? `${name}0` : next.key
    }
    return { items, isLast: false }
  }

  /** Ends all followers, so that event streams end, and waits for what goes on in the background. */
  async dispose(): Promise<void> {
    this.#isClosed = true
    const open = [...this.#open.values()]
    this.#open.clear()
    await Promise.all(open.map(({ follower }) => follower.dispose()))
    const settled = Promise.all([...this.#settling, ...open.map((volume) => volume.settle())])
    // Hints may be lost; a store that hangs must not keep the edge from ending.
    await withDeadline(this.#parts.clock, settleMs, 'settle', undefined, () => settled).catch(() => undefined)
  }

  async #start(name: string): Promise<OpenVolume> {
    if (this.#isClosed) throw new EdgemountError('closed', `Cannot open the volume "${name}": the edge is shutting down`)
    const { clock, random, hash, log, pollMs, readBytesMax, readBudget, isStreaming, waitMs } = this.#parts
    const { store, belongTo } = this.#cached(this.scope(name))
    let volume: Volume
    try {
      volume = await Volume.open({ store, clock, random, hash, log, author: 'edge', pageCacheBytes, chunkCacheBytes, readBytesMax, readBudget, isStreaming, waitMs })
    } catch (error) {
      if (codeOf(error) !== 'not-found') throw error
      throw new EdgemountError('not-found', `Cannot open the volume "${name}": there is none of that name here`, { cause: error })
    }
    belongTo(volume.config.id)
    const follower = new Follower({ volume, clock, log, pollMs })
    const aftermath = new Aftermath(volume, store, clock)
    const settle = async (): Promise<void> => {
      await aftermath.settle()
      await volume.close()
    }
    const peers = new Peers({ store, clock, random, log })
    const opened: OpenVolume = { name, volume, store, follower, peers, noteCommit: (seq) => aftermath.note(seq), settle }
    this.#open.set(name, opened)
    this.#closeOldest()
    return opened
  }

  #cached(store: ObjectStore): { readonly store: ObjectStore; readonly belongTo: (volumeId: string) => void } {
    const { cache, metrics } = this.#parts
    if (cache === undefined) return { store, belongTo: () => undefined }
    const { blocks, fills, owner, wholeBytesMax, recent, background = () => undefined } = cache
    const packs = new CachedPacks(recent === undefined ? store : recentStore(store, recent), { blocks, fills, owner, wholeBytesMax, background, counts: new CacheCounts(metrics) })
    return { store: packs, belongTo: (volumeId) => packs.belongTo(volumeId) }
  }

  /** A volume somebody listens to stays open. */
  #closeOldest(): void {
    for (const [name, volume] of this.#open) {
      if (this.#open.size <= openVolumesMax) return
      if (volume.follower.listenerCount > 0) continue
      this.#open.delete(name)
      const settled: Promise<void> = volume.settle().finally(() => this.#settling.delete(settled))
      this.#settling.add(settled)
    }
  }

  async #exists(name: string, signal: AbortSignal | undefined): Promise<boolean> {
    if (this.#open.has(name)) return true
    try {
      await this.open(name, signal)
      return true
    } catch (error) {
      if (codeOf(error) === 'not-found' || codeOf(error) === 'invalid') return false
      throw error
    }
  }
}
