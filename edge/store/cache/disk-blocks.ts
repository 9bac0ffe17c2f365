/**
 * Blocks in a directory, for the edge on Node: they outlive it. The least recently used leave first.
 *
 * Each file carries a hash of its key, its object's size and its bytes, so that nothing comes back that was not put there. Files are written aside and renamed.
 * Nothing here is the only copy: a full or broken disk costs speed, and nothing else. One edge at a time to a directory: each counts only what it found and wrote.
 */
import { createHash } from 'node:crypto'
import path from 'node:path'
import { equalBytes } from '../../../shared/bytes.ts'
import type { Clock } from '../../../shared/clock.ts'
import { messageOf } from '../../../shared/error.ts'
import { Limiter } from '../../../shared/lifetime.ts'
import type { Logger } from '../../../shared/log.ts'
import { type ByteRange, clampRange } from '../../../shared/range.ts'
import { type Disk, nodeDisk } from '../directory/disk.ts'
import { type BlockCache, type BlockPart, blockBytes } from './block-cache.ts'

export interface DiskBlocksSettings {
  readonly directory: string
  /** INVARIANT: files are together never larger, those being written included. */
  readonly bytesMax: number
  readonly clock: Clock
  readonly log: Logger
  readonly disk?: Disk | undefined
  readonly onEvict?: (() => void) | undefined
}

/** `size of the object (8) · SHA-256 of key, size and bytes (32) · bytes`. */
const headBytes = 40
/** Blocks wait for the disk in memory; what comes when so much waits is not kept. */
const waitingBytesMax = 32 * blockBytes
/** A use is noted on disk at most this often. */
const touchEveryMs = 60_000
const statsAtOnce = 32
const temporarySuffix = '.tmp'
const namePattern = /^[0-9a-f]{64}$/

interface KeptFile {
  readonly bytes: number
  touchedMs: number
}

export class DiskBlocks implements BlockCache {
  readonly #settings: DiskBlocksSettings
  readonly #disk: Disk
  /** In order of last use, oldest first. */
  readonly #files = new Map<string, KeptFile>()
  readonly #writing = new Map<string, Promise<void>>()
  /** One file is written at a time, so that room that was made is not taken twice. */
  readonly #turns = new Limiter('writes of a cache', { limit: 1, queueMax: waitingBytesMax / headBytes })
  #heldBytes = 0
  #waitingBytes = 0
  #isTold = false

  private constructor(settings: DiskBlocksSettings) {
    this.#settings = settings
    this.#disk = settings.disk ?? nodeDisk
  }

  /** Learns what is there. A directory that cannot be used fails here, while somebody is there to read why. */
  static async open(settings: DiskBlocksSettings): Promise<DiskBlocks> {
    const blocks = new DiskBlocks(settings)
    await blocks.#disk.makeDirectory(settings.directory)
    await blocks.#load()
    return blocks
  }

  get heldBytes(): number {
    return this.#heldBytes
  }

  async get(key: string, part: ByteRange): Promise<BlockPart | undefined> {
    const name = nameOf(key)
    const file = this.#files.get(name)
    if (file === undefined) return undefined
    try {
      const found = await this.#read(name, file.bytes)
      const objectBytes = Number(viewOf(found).getBigUint64(0, true))
      const bytes = found.subarray(headBytes)
      if (!equalBytes(hashOf(key, objectBytes, bytes), found.subarray(8, headBytes))) {
        this.#settings.log.warn('a cached block is damaged; it is read from the store again', { file: this.#pathOf(name) })
        await this.#drop(name)
        return undefined
      }
      this.#touch(name, file)
      const { start, end } = clampRange(part, bytes.length)
      return { objectBytes, bytes: bytes.subarray(start, end) }
    } catch (error) {
      // It left while it was read: it was the oldest.
      if (this.#files.get(name) !== file) return undefined
      this.#tell(error)
      await this.#drop(name)
      return undefined
    }
  }

  async put(key: string, { objectBytes, bytes }: BlockPart): Promise<void> {
    const name = nameOf(key)
    const cost = headBytes + bytes.length
    if (this.#writing.has(name) || cost > this.#settings.bytesMax || this.#waitingBytes + cost > waitingBytesMax) return
    this.#waitingBytes += cost
    const work = this.#turns.run(() => this.#write(name, key, objectBytes, bytes)).finally(() => {
      this.#waitingBytes -= cost
      this.#writing.delete(name)
    })
    this.#writing.set(name, work)
    await work
  }

  /** Waits for writes under way. */
  async close(): Promise<void> {
    await Promise.all(this.#writing.values())
  }

  async #load(): Promise<void> {
    const { directory } = this.#settings
    const names = (await this.#disk.readDirectory(directory)).filter(({ isFile }) => isFile).map(({ name }) => name)
    const found: { name: string; bytes: number; modifiedNs: bigint }[] = []
    for (let start = 0; start < names.length; start += statsAtOnce) {
      await Promise.all(names.slice(start, start + statsAtOnce).map(async (name) => {
        // Nobody else writes here: what was not renamed never will be.
        if (name.endsWith(temporarySuffix)) return await this.#remove(name)
        if (!namePattern.test(name)) return
        const stat = await this.#disk.stat(this.#pathOf(name)).catch(() => undefined)
        if (stat !== undefined) found.push({ name, bytes: stat.size, modifiedNs: stat.modifiedNs })
      }))
    }
    found.sort((a, b) => Number(a.modifiedNs - b.modifiedNs))
    for (const { name, bytes, modifiedNs } of found) {
      this.#files.set(name, { bytes, touchedMs: Number(modifiedNs / 1_000_000n) })
      this.#heldBytes += bytes
    }
    await this.#makeRoom()
  }

  async #read(name: string, bytes: number): Promise<Uint8Array> {
    const fd = await this.#disk.openToRead(this.#pathOf(name))
    try {
      const found = new Uint8Array(Math.max(bytes, headBytes))
      const length = await this.#disk.read(fd, found, 0)
      return found.subarray(0, Math.max(length, headBytes))
    } finally {
      await this.#disk.close(fd)
    }
  }

  async #write(name: string, key: string, objectBytes: number, bytes: Uint8Array): Promise<void> {
    const cost = headBytes + bytes.length
    // The one that is there stays until the rename, and is counted until then.
    this.#heldBytes += cost
    await this.#makeRoom()
    const temporary = name + temporarySuffix
    try {
      const head = new Uint8Array(headBytes)
      viewOf(head).setBigUint64(0, BigInt(objectBytes), true)
      head.set(hashOf(key, objectBytes, bytes), 8)
      await this.#writeFile(temporary, [head, bytes])
      await this.#disk.rename(this.#pathOf(temporary), this.#pathOf(name))
      this.#forget(name)
      this.#files.set(name, { bytes: cost, touchedMs: this.#settings.clock.now() })
    } catch (error) {
      this.#heldBytes -= cost
      this.#tell(error)
      await this.#remove(temporary)
    }
  }

  /** Not synced: after a power failure a file may be torn, and is then dropped by its hash. */
  async #writeFile(name: string, parts: readonly Uint8Array[]): Promise<void> {
    await this.#remove(name)
    const fd = await this.#disk.openNew(this.#pathOf(name))
    try {
      for (let part of parts) {
        while (part.length > 0) part = part.subarray(await this.#disk.write(fd, part))
      }
    } finally {
      await this.#disk.close(fd)
    }
  }

  async #makeRoom(): Promise<void> {
    for (const name of this.#files.keys()) {
      if (this.#heldBytes <= this.#settings.bytesMax) return
      this.#settings.onEvict?.()
      await this.#drop(name)
    }
  }

  #touch(name: string, file: KeptFile): void {
    if (this.#files.get(name) !== file) return
    this.#files.delete(name)
    this.#files.set(name, file)
    const nowMs = this.#settings.clock.now()
    if (nowMs - file.touchedMs < touchEveryMs) return
    file.touchedMs = nowMs
    this.#disk.setModified(this.#pathOf(name), BigInt(Math.trunc(nowMs)) * 1_000_000n).catch((error: unknown) => this.#tell(error))
  }

  #forget(name: string): void {
    const file = this.#files.get(name)
    if (file === undefined) return
    this.#files.delete(name)
    this.#heldBytes -= file.bytes
  }

  async #drop(name: string): Promise<void> {
    this.#forget(name)
    await this.#remove(name)
  }

  async #remove(name: string): Promise<void> {
    await this.#disk.unlink(this.#pathOf(name)).catch(() => undefined)
  }

  /** Once: a full disk fails every write. */
  #tell(error: unknown): void {
    if (this.#isTold) return
    this.#isTold = true
    this.#settings.log.warn('the cache on disk fails; the edge goes on without what it would hold', { directory: this.#settings.directory, why: messageOf(error) })
  }

  #pathOf(name: string): string {
    return path.join(this.#settings.directory, name)
  }
}

function nameOf(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

function hashOf(key: string, objectBytes: number, bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(`${key}\0${objectBytes}\0`).update(bytes).digest()
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}
