/**
 * What an isolate of Workers remembers of volumes from request to request, as plain values: which volume a name is, the newest commit that was seen, and a few
 * records. So a request that comes soon after another asks the store for one thing alone: whether there is a commit after the newest.
 *
 * INVARIANT: nothing here can hide a commit. The newest seq is a hint, as the store's own is: where the search begins. A record never changes; all of it is
 * forgotten within a minute, since a volume may have been made again under the name.
 */
import type { Clock } from '../../../shared/clock.ts'
import { codeOf } from '../../../shared/error.ts'
import { decodeRecord } from '../../../shared/format/commit.ts'
import { PassingStore } from '../../../shared/passing-store.ts'
import type { GetOptions, ObjectStore, StoreOptions, StoredObject } from '../../../shared/store.ts'
import { configKey, headKey, logPrefix, seqOfLogKey } from '../../../shared/volume/keys.ts'
import { streamOf } from '../stream.ts'

/** With 64 KiB a record at most 8 MiB in all. */
const volumesMax = 16
const recordsMax = 8
const recordBytesMax = 64 * 1024
const rememberedMs = 60_000

interface RecentVolume {
  readonly sinceMs: number
  readonly documents: Map<string, Uint8Array>
  newestSeq: number
}

export class RecentVolumes {
  readonly #clock: Clock
  /** By the label of the volume's store; oldest use first. */
  readonly #volumes = new Map<string, RecentVolume>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  forget(label: string): void {
    this.#volumes.delete(label)
  }

  /** What is remembered of a volume; from now on, when it is nothing. */
  of(label: string): RecentVolume {
    const known = this.#volumes.get(label)
    this.#volumes.delete(label)
    const ageMs = this.#clock.now() - (known?.sinceMs ?? -Infinity)
    const recent = known !== undefined && ageMs >= 0 && ageMs < rememberedMs ? known : { sinceMs: this.#clock.now(), documents: new Map(), newestSeq: 0 }
    this.#volumes.set(label, recent)
    for (const oldest of this.#volumes.keys()) {
      if (this.#volumes.size <= volumesMax) break
      this.#volumes.delete(oldest)
    }
    return recent
  }
}

export function recentStore(store: ObjectStore, volumes: RecentVolumes): ObjectStore {
  return new RecentStore(store, volumes.of(store.label))
}

class RecentStore extends PassingStore {
  readonly #recent: RecentVolume

  constructor(store: ObjectStore, recent: RecentVolume) {
    super(store)
    this.#recent = recent
  }

  override async get(key: string, options: GetOptions = {}): Promise<StoredObject | undefined> {
    const isWhole = options.range === undefined
    const isHeld = isWhole && options.isFresh !== true
    if (key === headKey && this.#recent.newestSeq > 0 && isHeld) return foundObject(key, new TextEncoder().encode(String(this.#recent.newestSeq)))
    if (!isDocument(key) || !isWhole) return await this.store.get(key, options)
    const held = isHeld ? this.#recent.documents.get(key) : undefined
    if (held !== undefined) return foundObject(key, held)
    const found = await this.store.get(key, options)
    if (found === undefined || found.size > recordBytesMax) return found
    const bytes = await found.bytes()
    this.#remember(key, bytes)
    return foundObject(key, bytes)
  }

  override async create(key: string, body: Uint8Array, options?: StoreOptions): Promise<boolean> {
    const isCreated = await this.store.create(key, body, options)
    if (isCreated && key.startsWith(logPrefix) && body.length <= recordBytesMax) this.#remember(key, body.slice())
    return isCreated
  }

  /** What is no record is none the next time either: it is asked for again. */
  #remember(key: string, bytes: Uint8Array): void {
    const { documents } = this.#recent
    if (key.startsWith(logPrefix)) {
      const seq = seqOfLogKey(key)
      if (!isRecord(bytes, seq)) return
      this.#recent.newestSeq = Math.max(this.#recent.newestSeq, seq)
    }
    documents.set(key, bytes)
    for (const oldest of documents.keys()) {
      if (documents.size <= recordsMax) return
      if (oldest !== configKey) documents.delete(oldest)
    }
  }
}

/** Written once and never again. */
function isDocument(key: string): boolean {
  return key === configKey || key.startsWith(logPrefix)
}

function isRecord(bytes: Uint8Array, seq: number): boolean {
  try {
    return decodeRecord(bytes).seq === seq
  } catch (error) {
    if (codeOf(error) === 'corrupt' || codeOf(error) === 'unsupported') return false
    throw error
  }
}

function foundObject(key: string, bytes: Uint8Array): StoredObject {
  return { size: bytes.length, etag: key, bytes: async () => bytes, stream: () => streamOf(bytes) }
}
