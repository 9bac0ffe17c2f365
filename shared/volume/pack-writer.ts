/**
 * Filling packs and uploading them. `PackUploads` sends finished packs in the background, a bounded number at a time; `PackWriter` collects bytes of
 * one kind of pack. The content writer owns one of each kind.
 *
 * Ordering law: a metadata pack is sent only when every pack that was finished before it is durable, because its pages may name them.
 */
import type { Clock } from '../clock.ts'
import { EdgemountError, codeOf, isFull } from '../error.ts'
import type { Hash, PackId, Pointer } from '../format/entry.ts'
import { newPackId, packBytesMax } from '../format/pack-id.ts'
import { isLate } from '../lifetime.ts'
import type { Random } from '../random.ts'
import { randomFraction } from '../random.ts'
import type { ObjectStore } from '../store.ts'
import { packKey } from './keys.ts'

const uploadsAtOnce = 2
const retryMs = 50
const retryMsMax = 5000
/** A store that restarts, or a network that comes back, is worth waiting for: everything that the session has written would be lost. */
const patienceMsDefault = 60_000
const firstBufferBytes = 256 * 1024

export interface PackParts {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly random: Random
}

export interface UploadOptions {
  /** How long an upload that fails is tried again, counting the pauses; a minute unless given. */
  readonly patienceMs?: number | undefined
  /** Ends all uploads, and with them the session. */
  readonly signal?: AbortSignal | undefined
}

interface FullPack {
  readonly id: PackId
  readonly bytes: Uint8Array
  /** Takes the pack's memory back, for the next one. */
  readonly release?: (() => void) | undefined
}

export class PackUploads {
  readonly #parts: PackParts
  readonly #patienceMs: number
  readonly #signal: AbortSignal | undefined
  readonly #running = new Set<Promise<void>>()
  /** INVARIANT: a pack that could not be stored ends the session, since pointers to it have been given out. */
  #failure: { readonly error: unknown } | undefined

  constructor(parts: PackParts, { patienceMs = patienceMsDefault, signal }: UploadOptions = {}) {
    this.#parts = parts
    this.#patienceMs = patienceMs
    this.#signal = signal
  }

  /** Resolves when the pack has a place among the running uploads, which bounds the memory that finished packs hold. */
  async start(pack: FullPack): Promise<void> {
    while (this.#running.size >= uploadsAtOnce) await Promise.race(this.#running)
    this.throwIfFailed()
    const upload: Promise<void> = this.#upload(pack)
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .finally(() => this.#running.delete(upload))
    this.#running.add(upload)
  }

  /** Resolves when everything that was started before is durable; throws when something could not be stored. */
  async drain(): Promise<void> {
    await Promise.all(this.#running)
    this.throwIfFailed()
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined
  }

  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** The id is random, so an object that is found there after a failed try is the one that try has made. */
  async #upload(pack: FullPack): Promise<void> {
    const { store, clock, random } = this.#parts
    let waitedMs = 0
    for (let attempt = 1; ; attempt += 1) {
      const startMs = clock.now()
      try {
        if ((await store.create(packKey(pack.id), pack.bytes, { signal: this.#signal })) || attempt > 1) {
          // A try that failed may still be reading the bytes.
          if (attempt === 1) pack.release?.()
          return
        }
        throw new EdgemountError('internal', `Cannot write "${packKey(pack.id)}": the random id is taken`)
      } catch (error) {
        const code = codeOf(error)
        const isPassing = code === 'unavailable' || (code === 'exhausted' && !isFull(error))
        // A store that says nothing takes the time that it is given, each time.
        if (isLate(error)) waitedMs += Math.max(0, clock.now() - startMs)
        if (!isPassing || waitedMs >= this.#patienceMs || this.#failure !== undefined) throw error
        const pauseMs = Math.min(retryMs * 2 ** attempt, retryMsMax) * (0.5 + randomFraction(random))
        waitedMs += pauseMs
        await clock.sleep(pauseMs, this.#signal)
      }
    }
  }
}

export interface PackWriterOptions extends PackParts {
  readonly kind: 'data' | 'meta'
  /** The most a pack gets to hold; the format's limit unless given. */
  readonly bytesMax?: number | undefined
  readonly uploads: PackUploads
  /** Runs before a full pack is sent; a metadata pack waits here for the packs that it names. */
  readonly beforeUpload?: () => Promise<void>
  /** Sees each finished pack once. */
  readonly onFull?: (id: PackId, bytes: Uint8Array) => void
}

export interface Part {
  readonly bytes: Uint8Array
  readonly hash: Hash
}

export class PackWriter {
  readonly #options: PackWriterOptions
  readonly #bytesMax: number
  #id: PackId | undefined
  #buffer = new Uint8Array(0)
  #length = 0
  /** Memory of packs that are stored: fresh pages for every 64 MiB cost as much as hashing them. */
  readonly #spare: Uint8Array<ArrayBuffer>[] = []
  /** The upload of a full pack that waits for its place; while it does, nothing more is collected. */
  #sending: Promise<void> | undefined

  constructor(options: PackWriterOptions) {
    this.#options = options
    this.#bytesMax = Math.min(options.bytesMax ?? packBytesMax, packBytesMax)
  }

  /** Copies the parts, back to back, into the open pack; a full pack goes its way in between. Pointers in the order of the parts. */
  async append(parts: readonly Part[]): Promise<Pointer[]> {
    const pointers: Pointer[] = []
    for (const { bytes, hash } of parts) {
      // Looked at again after each wait: others that waited too may have filled the next pack meanwhile.
      while (this.#sending !== undefined || (this.#length > 0 && this.#length + bytes.length > this.#bytesMax)) await (this.#sending ?? this.#send())
      this.#id ??= newPackId(this.#options.kind, this.#options.clock, this.#options.random)
      this.#reserve(bytes.length)
      this.#buffer.set(bytes, this.#length)
      pointers.push({ hash, pack: this.#id, offset: this.#length, length: bytes.length })
      this.#length += bytes.length
    }
    return pointers
  }

  /** Sends what was collected. Durable only after `uploads.drain()`. */
  async flush(): Promise<void> {
    while (this.#sending !== undefined) await this.#sending
    if (this.#length > 0) await this.#send()
  }

  async #send(): Promise<void> {
    const buffer = this.#buffer
    const isKept = this.#options.onFull !== undefined || buffer.length < this.#bytesMax
    const pack = { id: this.#id!, bytes: buffer.subarray(0, this.#length), release: isKept ? undefined : () => this.#spare.push(buffer) }
    this.#id = undefined
    this.#buffer = new Uint8Array(0)
    this.#length = 0
    this.#options.onFull?.(pack.id, pack.bytes)
    const sending = this.#hand(pack)
    this.#sending = sending
    try {
      await sending
    } finally {
      if (this.#sending === sending) this.#sending = undefined
    }
  }

  async #hand(pack: FullPack): Promise<void> {
    await this.#options.beforeUpload?.()
    await this.#options.uploads.start(pack)
  }

  /** Grows fourfold, so that a small commit never touches 64 MiB; once a pack was full, the next ones are taken to become so too. */
  #reserve(moreBytes: number): void {
    const needed = this.#length + moreBytes
    if (needed <= this.#buffer.length) return
    const spare = this.#length === 0 ? this.#spare.pop() : undefined
    if (spare !== undefined && spare.length >= needed) {
      this.#buffer = spare
      return
    }
    const wanted = Math.max(needed, Math.min(Math.max(firstBufferBytes, this.#buffer.length * 4), this.#bytesMax))
    const buffer = new Uint8Array(wanted)
    buffer.set(this.#buffer.subarray(0, this.#length))
    this.#buffer = buffer
  }
}
