/**
 * The volume's metadata on disk, as a store in front of the store: segments of metadata packs and log records are immutable, so what
 * was read once is read from disk from then on, also after a restart and while the store is away.
 *
 * Called on the network thread, below the engine. Files are written aside and renamed; each carries the hash of its bytes, and one that does not
 * match is dropped. Nothing here is the only copy: every failure of the disk costs speed and nothing else.
 */
import { createHash } from 'node:crypto'
import { readFile, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Clock } from '../../shared/clock.ts'
import { codeOf, messageOf } from '../../shared/error.ts'
import { decodeRecord, decodeVolumeConfig } from '../../shared/format/commit.ts'
import { withDeadline } from '../../shared/lifetime.ts'
import type { Logger } from '../../shared/log.ts'
import { PassingStore } from '../../shared/passing-store.ts'
import type { GetOptions, ObjectStore, StoreOptions, StoredObject } from '../../shared/store.ts'
import { configKey, logPrefix } from '../../shared/volume/keys.ts'
import { segmentBytes } from '../../shared/volume/page-store.ts'
import { makeDirectories } from '../sys/make-directories.ts'

export interface MetadataCacheOptions {
  readonly directory: string
  /** On disk, the inodes included. */
  readonly bytesMax: number
  /** 50,000 unless given. */
  readonly fileCountMax?: number | undefined
  readonly clock: Clock
  readonly log: Logger
}

interface KeptFile {
  /** On disk. */
  readonly bytes: number
}

interface FoundFile {
  readonly name: string
  readonly bytes: number
  readonly usedMs: number
}

/** `size of the object (8) · SHA-256 of the body (32) · body`. */
const headBytes = 40
/** Larger bodies are not metadata as the engine reads it (segments of 256 KiB, records below 1 MiB). */
const bodyBytesMax = 4 * 1024 * 1024
/** File systems allocate in blocks of this size nearly everywhere. */
const diskBlockBytes = 4096
/** An inode and a name. */
const fileOverheadBytes = 512
/** Listing so many takes a second or two; 12 GB of segments. */
const fileCountMaxDefault = 50_000
/** Only the newest commits are asked for again; each record is a file of its own. */
const recordCountMax = 256
/** A few for each of libuv's threads. */
const statsAtOnce = 32
/** A store that does not answer is not waited for longer when the answer is here: shorter than what a mount gives to opening a volume. */
const keptConfigMs = 1000
/** Evicting goes down to this share, so that it is rare. */
const evictTo = 0.9
/** Nobody writes a file for longer than this: a temporary one that is older was left by a crash. */
const abandonedMs = 60_000
/** Of one metadata pack that was made here: the pages of tens of thousands of files. */
const ownBytesMax = 16 * 1024 * 1024
/** A use is noted on disk at most this often. */
const touchEveryMs = 60_000

export class MetadataCache extends PassingStore {
  readonly #options: MetadataCacheOptions
  /** INVARIANT: in order of last use, oldest first. */
  readonly #files = new Map<string, KeptFile>()
  /** Those of `#files` that are log records, in the same order. */
  readonly #records = new Map<string, KeptFile>()
  readonly #touchedMs = new Map<string, number>()
  /** Files that are being written; they count when they are there. */
  readonly #writing = new Map<string, Promise<void>>()
  #bytes = 0
  #hitCount = 0
  #missCount = 0
  /** Set while it is not yet known which files there are. */
  #loading: Promise<void> | undefined
  #isClosed = false
  #isConfigKept = false
  #isBroken = false
  /** Of the process: it may have two mounts of one volume. */
  static #lastTemporary = 0

  private constructor(store: ObjectStore, options: MetadataCacheOptions) {
    super(store)
    this.#options = options
  }

  static async open(store: ObjectStore, options: MetadataCacheOptions): Promise<MetadataCache> {
    const cache = new MetadataCache(store, options)
    if (cache.#makeDirectory()) cache.#loading = cache.#load()
    return cache
  }

  get stats(): { readonly bytes: number; readonly fileCount: number; readonly hitCount: number; readonly missCount: number } {
    return { bytes: this.#bytes, fileCount: this.#files.size, hitCount: this.#hitCount, missCount: this.#missCount }
  }

  /** The configuration was last given from disk: the store has not said that it leads to this volume still. */
  get isConfigKept(): boolean {
    return this.#isConfigKept
  }

  override async get(key: string, options: GetOptions = {}): Promise<StoredObject | undefined> {
    if (key === configKey) return this.#getConfig(options)
    if (!isImmutable(key)) return this.store.get(key, options)
    const name = fileName(key, options.range)
    const kept = options.isFresh === true ? undefined : await this.#read(name)
    if (kept !== undefined) {
      this.#hitCount += 1
      return kept
    }
    this.#missCount += 1
    const found = await this.store.get(key, options)
    if (found === undefined) return undefined
    const bytes = await found.bytes()
    if (bytes.length <= bodyBytesMax && isSound(key, bytes)) this.#write(name, found.size, bytes, options.isFresh === true)
    return storedObject(found.size, found.etag, bytes)
  }

  /** Asked of the store first, since another volume may have taken the name; from disk only while the store is away. */
  async #getConfig(options: GetOptions): Promise<StoredObject | undefined> {
    const kept = await this.#read(configKey)
    try {
      const found = await this.#askConfig(options, kept !== undefined)
      this.#isConfigKept = false
      if (found === undefined) return undefined
      const { bytes } = found
      // The directory is the volume's own, so the copy that is there says the same.
      if (isSound(configKey, bytes)) this.#write(configKey, found.size, bytes)
      return storedObject(found.size, found.etag, bytes)
    } catch (error) {
      if (kept === undefined || codeOf(error) !== 'unavailable') throw error
      this.#isConfigKept = true
      return kept
    }
  }

  #askConfig(options: GetOptions, isKept: boolean): Promise<{ size: number; etag: string; bytes: Uint8Array } | undefined> {
    const ask = async (signal: AbortSignal | undefined): Promise<{ size: number; etag: string; bytes: Uint8Array } | undefined> => {
      const found = await this.store.get(configKey, { ...options, signal })
      return found === undefined ? undefined : { size: found.size, etag: found.etag, bytes: await found.bytes() }
    }
    return isKept ? withDeadline(this.#options.clock, keptConfigMs, 'read the configuration', options.signal, ask) : ask(options.signal)
  }

  /** What this machine has made it need not fetch: it is also what a mount begins with after a restart while the store is away. */
  override async create(key: string, body: Uint8Array, options?: StoreOptions): Promise<boolean> {
    const isCreated = await this.store.create(key, body, options)
    if (!isCreated || !isImmutable(key)) return isCreated
    if (key.startsWith(logPrefix)) this.#write(fileName(key, undefined), body.length, body)
    else {
      for (let start = 0; start < Math.min(body.length, ownBytesMax); start += segmentBytes) {
        this.#write(fileName(key, { start, end: start + segmentBytes }), body.length, body.subarray(start, start + segmentBytes))
      }
    }
    return isCreated
  }

  /** Waits for the list of files, and for writes under way. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#loading
    await Promise.allSettled(this.#writing.values())
  }

  #makeDirectory(): boolean {
    const { directory, log } = this.#options
    try {
      makeDirectories(directory, 0o700)
      return true
    } catch (error) {
      this.#isBroken = true
      log.warn(`Cannot keep metadata in "${directory}": ${messageOf(error)}`)
      return false
    }
  }

  /** Learns which files there are, beside everything else: until then reads try their luck, and nothing is evicted. Never rejects. */
  async #load(): Promise<void> {
    const { directory, log } = this.#options
    const found: FoundFile[] = []
    try {
      const names = await readdir(directory)
      for (let start = 0; start < names.length && !this.#isClosed; start += statsAtOnce) {
        const files = await Promise.all(names.slice(start, start + statsAtOnce).map((name) => this.#look(name)))
        for (const file of files) if (file !== undefined) found.push(file)
      }
    } catch (error) {
      log.warn(`Cannot list the metadata in "${directory}": ${messageOf(error)}`)
    }
    const used = new Map(this.#files)
    for (const { name, bytes } of found.toSorted((a, b) => a.usedMs - b.usedMs)) if (!used.has(name)) this.#note(name, bytes)
    // What was used meanwhile is the youngest.
    for (const [name, file] of used) this.#toYoungest(name, file)
    this.#loading = undefined
    this.#evict()
  }

  /** Undefined for what is not, or no longer, a file of ours. */
  async #look(name: string): Promise<FoundFile | undefined> {
    const file = this.#pathOf(name)
    try {
      const { size, mtimeMs } = await stat(file)
      if (!name.endsWith(temporarySuffix)) return { name, bytes: size, usedMs: mtimeMs }
      if (this.#options.clock.now() - mtimeMs > abandonedMs) await rm(file, { force: true })
    } catch (error) {
      this.#options.log.debug(`Cannot use the kept metadata "${name}": ${messageOf(error)}`)
    }
    return undefined
  }

  async #read(name: string): Promise<StoredObject | undefined> {
    const isKnown = this.#files.has(name)
    if (!isKnown && this.#loading === undefined) return undefined
    try {
      const bytes = await readFile(this.#pathOf(name))
      if (!isKnown) this.#note(name, bytes.length)
      const body = bytes.subarray(headBytes)
      if (bytes.length >= headBytes && hashOf(body).equals(bytes.subarray(8, headBytes))) {
        this.#touch(name)
        return storedObject(Number(bytes.readBigUInt64LE(0)), name, new Uint8Array(body))
      }
      this.#options.log.warn(`Cannot use the kept metadata "${name}": its bytes are damaged; it is fetched again`)
      this.#drop(name)
    } catch (error) {
      this.#options.log.debug(`Cannot read the kept metadata "${name}": ${messageOf(error)}`)
      // Another mount has dropped it, or is about to bring it back: what is on disk is not ours to remove.
      this.#forget(name)
    }
    return undefined
  }

  #write(name: string, size: number, body: Uint8Array, isReplacing = false): void {
    if (this.#isBroken || this.#writing.has(name) || (this.#files.has(name) && !isReplacing)) return
    const bytes = Buffer.alloc(headBytes + body.length)
    bytes.writeBigUInt64LE(BigInt(size), 0)
    hashOf(body).copy(bytes, 8)
    bytes.set(body, headBytes)
    this.#writing.set(
      name,
      this.#writeFile(name, bytes).finally(() => this.#writing.delete(name)),
    )
  }

  async #writeFile(name: string, bytes: Uint8Array): Promise<void> {
    const file = this.#pathOf(name)
    // Another mount of the same volume may be writing the same file.
    MetadataCache.#lastTemporary += 1
    const temporary = `${file}.${process.pid}-${MetadataCache.#lastTemporary}${temporarySuffix}`
    try {
      await writeFile(temporary, bytes, { mode: 0o600 })
      await rename(temporary, file)
      this.#note(name, bytes.length)
      this.#evict()
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined)
      this.#options.log.debug(`Cannot keep metadata "${name}": ${messageOf(error)}`)
    }
  }

  #note(name: string, bytes: number): void {
    const cost = Math.ceil(bytes / diskBlockBytes) * diskBlockBytes + fileOverheadBytes
    this.#bytes += cost - (this.#files.get(name)?.bytes ?? 0)
    this.#toYoungest(name, { bytes: cost })
  }

  #toYoungest(name: string, file: KeptFile): void {
    for (const order of name.startsWith(logPrefixInNames) ? [this.#files, this.#records] : [this.#files]) {
      order.delete(name)
      order.set(name, file)
    }
  }

  #touch(name: string): void {
    const file = this.#files.get(name)
    if (file === undefined) return
    this.#toYoungest(name, file)
    const nowMs = this.#options.clock.now()
    if (nowMs - (this.#touchedMs.get(name) ?? -Infinity) < touchEveryMs) return
    this.#touchedMs.set(name, nowMs)
    utimes(this.#pathOf(name), nowMs / 1000, nowMs / 1000).catch(() => undefined)
  }

  #evict(): void {
    if (this.#loading !== undefined) return
    for (const name of this.#records.keys()) {
      if (this.#records.size <= recordCountMax) break
      this.#drop(name)
    }
    const { bytesMax, fileCountMax = fileCountMaxDefault } = this.#options
    if (this.#bytes <= bytesMax && this.#files.size <= fileCountMax) return
    for (const name of this.#files.keys()) {
      if (this.#bytes <= bytesMax * evictTo && this.#files.size <= fileCountMax * evictTo) return
      this.#drop(name)
    }
  }

  #forget(name: string): boolean {
    const file = this.#files.get(name)
    if (file === undefined) return false
    this.#files.delete(name)
    this.#records.delete(name)
    this.#touchedMs.delete(name)
    this.#bytes -= file.bytes
    return true
  }

  #drop(name: string): void {
    if (!this.#forget(name)) return
    rm(this.#pathOf(name), { force: true }).catch(() => undefined)
  }

  #pathOf(name: string): string {
    return path.join(this.#options.directory, name)
  }
}

const temporarySuffix = '.tmp'

/** Written once and never again (shared/FORMAT.md). */
function isImmutable(key: string): boolean {
  return key.startsWith('meta/') || key.startsWith(logPrefix)
}

/** Pages carry their hash in what points to them. A document that came damaged and were kept would be wrong for ever. */
function isSound(key: string, bytes: Uint8Array): boolean {
  try {
    if (key === configKey) decodeVolumeConfig(bytes)
    if (key.startsWith(logPrefix)) decodeRecord(bytes)
    return true
  } catch {
    return false
  }
}

/** What `fileName` makes of `logPrefix`. */
const logPrefixInNames = 'log-'

function fileName(key: string, range: GetOptions['range']): string {
  const plain = key.replace('/', '-')
  return range === undefined ? plain : `${plain}-${range.start}-${range.end}`
}

function storedObject(size: number, etag: string, bytes: Uint8Array): StoredObject {
  return { size, etag, bytes: async () => bytes, stream: () => new Blob([new Uint8Array(bytes)]).stream() }
}

function hashOf(body: Uint8Array): Buffer {
  return createHash('sha256').update(body).digest()
}
