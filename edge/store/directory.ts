/**
 * The embedded store: objects are files below one directory of a local file system. Node and Deno, any number of processes at once.
 *
 * An object is written to a file under `.tmp/`, synced, and then named: `create` with link(2), which fails when the name is taken, `put` and `replace`
 * with rename(2); then the directory is synced. So no reader ever sees a part of an object, and a power cut leaves all of it or nothing.
 * `put`, `replace` and `delete` of a key exclude each other by a lock between processes (`directory/lock.ts`); `create` needs none, because it only
 * ever acts where nothing is. Directories stay when they become empty. One key cannot be a folder of another (`a` and `a/b`): `invalid`.
 */
import path from 'node:path'
import { throwIfAborted } from '../../shared/abort.ts'
import type { Clock } from '../../shared/clock.ts'
import { EdgemountError } from '../../shared/error.ts'
import { type Random } from '../../shared/random.ts'
import { clampRange } from '../../shared/range.ts'
import type { GetOptions, ListOptions, ObjectStore, ObjectSummary, StoreOptions, StoredObject } from '../../shared/store.ts'
import { readBody, streamBody } from './directory/body.ts'
import { type Disk, type FileStat, nodeDisk } from './directory/disk.ts'
import { diskError, isErrno } from './directory/disk-error.ts'
import { fileNamesOf } from './directory/key-file.ts'
import { type FoundFile, filesInOrder } from './directory/listing.ts'
import { FileLocks, type HeldLock } from './directory/lock.ts'
import { OpenFiles } from './directory/open-files.ts'
import { currentProcess } from './directory/process-identity.ts'
import { Root } from './directory/root.ts'
import { Staging } from './directory/staging.ts'
import { laterThan, smallBytesMax, tagOfBytes, tagOfFile } from './directory/tag.ts'
import { checkKey, checkLimit, checkPrefix } from './key.ts'
import { streamOf } from './stream.ts'

export interface DirectoryStoreSettings {
  readonly clock: Clock
  readonly random: Random
  /** The file system; the real one unless a test gives its own. */
  readonly disk?: Disk
}

/** How many files of a listing are asked for their size at once. */
const statCountMax = 16

export class DirectoryStore implements ObjectStore {
  readonly label: string
  readonly #root: string
  readonly #directory: Root
  readonly #disk: Disk
  readonly #files: OpenFiles
  readonly #staging: Staging
  readonly #locks: FileLocks

  /** Makes nothing: the directory appears with the first object. */
  constructor(root: string, { clock, random, disk = nodeDisk }: DirectoryStoreSettings) {
    this.#root = path.resolve(root)
    this.label = `dir:${this.#root}`
    this.#disk = disk
    this.#directory = new Root(this.#root, disk)
    this.#files = new OpenFiles(disk, smallBytesMax + 1)
    const self = currentProcess()
    this.#staging = new Staging({ root: this.#root, disk, clock, random, self })
    this.#locks = new FileLocks({ directory: path.join(this.#root, '.locks'), disk, clock, random, self })
  }

  /** Checks that the directory can be one, and removes the locks and temporary files that dead processes left. Call it once, before the first use. */
  async start(): Promise<void> {
    await this.#orDiskError(`open ${this.label}`, async () => {
      const stat = await orAbsent(this.#disk.stat(path.join(this.#root, '.')))
      if (stat === undefined) return
      if (stat.isFile) throw new EdgemountError('invalid', `Cannot open ${this.label}: it is a file, not a directory`)
      await this.#directory.check(`open ${this.label}`)
      await orAbsent(this.#staging.sweep())
      await orAbsent(this.#locks.sweep())
    })
  }

  /** Closes what is open. Calls that are under way end as they would have. */
  async dispose(): Promise<void> {
    await this.#files.dispose()
  }

  async get(key: string, options: GetOptions = {}): Promise<StoredObject | undefined> {
    checkKey(key)
    throwIfAborted(options.signal)
    const doing = `read "${key}" from ${this.label}`
    const found = await this.#orDiskError(doing, async () => (await this.#find(this.#pathOf(key))) ?? (await this.#absent(doing)))
    throwIfAborted(options.signal)
    if (found === undefined) return undefined
    const { size, etag, small } = found
    const range = clampRange(options.range ?? { start: 0, end: size }, size)
    if (small !== undefined) {
      const part = small.subarray(range.start, range.end)
      return { size, etag, bytes: async () => part.slice(), stream: () => streamOf(part.slice()) }
    }
    const body = { files: this.#files, disk: this.#disk, path: this.#pathOf(key), etag, range, doing, signal: options.signal }
    return { size, etag, bytes: () => readBody(body), stream: () => streamBody(body) }
  }

  async create(key: string, body: Uint8Array, options: StoreOptions = {}): Promise<boolean> {
    checkKey(key)
    throwIfAborted(options.signal)
    const final = this.#pathOf(key)
    const doing = `create "${key}" in ${this.label}`
    return this.#writing(doing, async () => {
      if (await this.#isTaken(final, doing)) return false
      return this.#staging.run(body, async (staged) => {
        throwIfAborted(options.signal)
        try {
          await this.#staging.place(path.dirname(final), () => this.#disk.link(staged, final))
          return true
        } catch (error) {
          if (isErrno(error, 'EEXIST') && (await this.#isTaken(final, doing))) return false
          throw error
        }
      })
    })
  }

  async put(key: string, body: Uint8Array, options: StoreOptions = {}): Promise<void> {
    checkKey(key)
    throwIfAborted(options.signal)
    const final = this.#pathOf(key)
    await this.#writing(`write "${key}" to ${this.label}`, () =>
      this.#staging.run(body, (staged) => this.#locks.run(key, (lock) => this.#rename(staged, final, lock), options.signal)),
    )
  }

  async replace(key: string, body: Uint8Array, etag: string, options: StoreOptions = {}): Promise<string | undefined> {
    checkKey(key)
    throwIfAborted(options.signal)
    const final = this.#pathOf(key)
    return this.#writing(`replace "${key}" in ${this.label}`, async () => {
      if ((await this.#find(final))?.etag !== etag) return undefined
      return this.#staging.run(body, (staged) =>
        this.#locks.run(
          key,
          async (lock) => {
            if ((await this.#find(final))?.etag !== etag) return undefined
            const stat = await this.#rename(staged, final, lock)
            return body.length <= smallBytesMax ? tagOfBytes(body) : tagOfFile(stat)
          },
          options.signal,
        ),
      )
    })
  }

  async delete(key: string, options: StoreOptions = {}): Promise<void> {
    checkKey(key)
    throwIfAborted(options.signal)
    const final = this.#pathOf(key)
    await this.#writing(`delete "${key}" from ${this.label}`, async () => {
      if ((await this.#statObject(final)) === undefined) return
      const remove = async (lock: HeldLock): Promise<void> => {
        await lock.assertHeld()
        await orAbsent(this.#disk.unlink(final))
        await this.#disk.syncDirectory(path.dirname(final))
        await this.#files.drop(final)
      }
      await this.#locks.run(key, remove, options.signal)
    })
  }

  async list(prefix: string, options: ListOptions = {}): Promise<readonly ObjectSummary[]> {
    checkPrefix(prefix)
    const limit = checkLimit(options.limit)
    throwIfAborted(options.signal)
    return this.#orDiskError(`list "${prefix}" in ${this.label}`, async () => {
      const found: ObjectSummary[] = []
      let batch: FoundFile[] = []
      for await (const file of filesInOrder(this.#disk, this.#root, prefix, options.after)) {
        throwIfAborted(options.signal)
        batch.push(file)
        if (batch.length < Math.min(statCountMax, limit - found.length)) continue
        found.push(...(await this.#summaries(batch)))
        batch = []
        if (found.length === limit) return found
      }
      found.push(...(await this.#summaries(batch)))
      if (found.length === 0) await this.#directory.check(`list "${prefix}" in ${this.label}`)
      return found
    })
  }

  #pathOf(key: string): string {
    return path.join(this.#root, ...fileNamesOf(key))
  }

  /** What stands at a path now: a small object with its bytes, a large one without. */
  async #find(final: string): Promise<{ size: number; etag: string; small: Uint8Array | undefined } | undefined> {
    try {
      return await this.#files.use(final, async ({ fd, stat }) => {
        if (!stat.isFile) return undefined
        if (stat.size > smallBytesMax) return { size: stat.size, etag: tagOfFile(stat), small: undefined }
        const small = new Uint8Array(stat.size)
        const count = await this.#disk.read(fd, small, 0)
        if (count < stat.size) throw new EdgemountError('unavailable', `Cannot read "${final}": the file shrank while it was read`)
        return { size: stat.size, etag: tagOfBytes(small), small }
      })
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
      throw error
    }
  }

  /** The stat of an object's file; undefined when there is none. A directory of that name holds other keys: no object either. */
  async #statObject(final: string): Promise<{ size: number } | undefined> {
    const stat = await orAbsent(this.#disk.stat(final))
    return stat?.isFile ? stat : undefined
  }

  /** True when the object is there, and then durable too: whoever made it may not have come to that yet. */
  async #isTaken(final: string, doing: string): Promise<boolean> {
    const stat = await orAbsent(this.#disk.stat(final))
    if (stat === undefined) return false
    if (!stat.isFile) throw new EdgemountError('invalid', `Cannot ${doing}: a key cannot be both an object and a folder of other keys`)
    await this.#disk.syncDirectory(path.dirname(final))
    return true
  }

  async #rename(staged: string, final: string, lock: HeldLock): Promise<FileStat> {
    const old = await orAbsent(this.#disk.stat(final))
    let stat = await this.#disk.stat(staged)
    const later = old === undefined ? undefined : laterThan(old, stat)
    if (later !== undefined) {
      await this.#disk.setModified(staged, later)
      stat = await this.#disk.stat(staged)
    }
    await this.#staging.place(path.dirname(final), async () => {
      await lock.assertHeld()
      await this.#disk.rename(staged, final)
    })
    await this.#files.drop(final)
    return stat
  }

  async #summaries(files: readonly FoundFile[]): Promise<ObjectSummary[]> {
    const summaries = await Promise.all(
      files.map(async ({ key, path: filePath }) => {
        const stat = await this.#statObject(filePath)
        return stat === undefined ? undefined : { key, size: stat.size }
      }),
    )
    return summaries.filter((summary) => summary !== undefined)
  }

  /** Where the whole store is gone, nothing is known of what is in it. */
  async #absent(doing: string): Promise<undefined> {
    await this.#directory.check(doing)
  }

  /** After it, too: what went to another directory is not stored. */
  async #writing<T>(doing: string, work: () => Promise<T>): Promise<T> {
    return this.#orDiskError(doing, async () => {
      await this.#directory.check(doing)
      const result = await work()
      await this.#directory.check(doing)
      return result
    })
  }

  async #orDiskError<T>(doing: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw diskError(doing, error)
    }
  }
}

/** undefined for what is not there; other errors stay. */
async function orAbsent<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  }
}
