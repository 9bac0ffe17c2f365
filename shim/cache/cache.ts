/**
 * The cache on disk: verified bytes of file versions, in sparse backing files, within a budget, surviving restarts.
 *
 * It lives on the file-system thread and never waits: what takes long (syncing) is handed to `sync`, what takes some time (eviction, index
 * snapshots, checking the folder) is done in small steps by `tick`, which the thread calls whenever it is idle and every 250 ms at
 * least. A cache is never the only copy, so each failure here costs speed and nothing else. One process owns a directory (flock on `lock`).
 */
import type { Clock } from '../../shared/clock.ts'
import { errno } from '../../shared/errno.ts'
import { EdgemountError } from '../../shared/error.ts'
import type { Logger } from '../../shared/log.ts'
import { openFlag } from '../sys/constants.ts'
import type { Sys } from '../sys/sys.ts'
import { BackingFiles, filesDirectory, folderCount } from './backing-files.ts'
import { CachedFile, type CachedFileOwner } from './cached-file.ts'
import { Durability } from './durability.ts'
import { Evictor } from './evictor.ts'
import { versionOf } from './file-table.ts'
import { FolderScan } from './folder-scan.ts'
import { loadIndex } from './index-load.ts'
import { IndexLog, type SyncFile } from './index-log.ts'

export interface CacheOptions {
  readonly directory: string
  /** What the backing files may take on disk together. */
  readonly bytesMax: number
  /** What must stay free on that disk for others. */
  readonly freeBytesMin: number
  readonly sys: Sys
  readonly clock: Clock
  /** Names this boot of the machine (/proc/sys/kernel/random/boot_id). */
  readonly bootId: string
  readonly log: Logger
  /** Makes a file durable off this thread (`Backend.sync`). Without it the cache syncs by itself, one file a tick. */
  readonly sync?: SyncFile
  /** Descriptors kept open at most; held ones are beyond. */
  readonly openFilesMax?: number
  /** The index is rewritten when its log is longer than this (4 MiB unless given), and than half of the index. */
  readonly snapshotBytesMin?: number
}

export interface CacheStats {
  readonly fileCount: number
  /** Bytes on disk. */
  readonly bytes: number
  readonly bytesMax: number
  readonly evictedCount: number
  readonly openCount: number
  /** Memory of the index. */
  readonly indexBytes: number
}

const openFilesMaxDefault = 512
/** Between two steps: while there is more to do, and otherwise. */
const busyTickMs = 20
const idleTickMs = 250

export class Cache implements CachedFileOwner {
  readonly files: BackingFiles
  readonly #options: CacheOptions
  readonly #lockFd: number
  readonly #log: IndexLog
  readonly #active = new Map<number, CachedFile>()
  readonly #open = new Set<CachedFile>()
  readonly #evictor: Evictor
  readonly #durability: Durability
  readonly #scan: FolderScan
  #lastTickMs = 0

  /** Throws `conflict` when another process has the directory, `unavailable` when it cannot be used at all. */
  static open(options: CacheOptions): Cache {
    const { sys, directory, log } = options
    const lockFd = takeDirectory(sys, directory)
    const names = sys.list(directory)
    const loaded = loadIndex(options, typeof names === 'number' ? [] : names)
    log.info(`The cache "${directory}" holds ${loaded.table.count} files, ${loaded.table.byteTotal} bytes`)
    return new Cache(options, lockFd, loaded)
  }

  private constructor(options: CacheOptions, lockFd: number, loaded: ReturnType<typeof loadIndex>) {
    const { sys, directory } = options
    const sync: SyncFile = options.sync ?? ((fd, done) => done(sys.fdatasync(fd)))
    this.#options = options
    this.#lockFd = lockFd
    this.#log = new IndexLog({ ...options, sync }, loaded)
    this.files = new BackingFiles(sys, directory, loaded.table, this.#log, loaded.nextSerial)
    this.#evictor = new Evictor(this.files, this.#active, options)
    this.#durability = new Durability(this.files, options.log, sync, (row) => this.#active.get(row))
    this.#scan = new FolderScan(this.files, (row) => this.#active.has(row), loaded.nextSerial)
    this.#evictor.checkFreeSpace()
  }

  get canStore(): boolean {
    return this.#evictor.canStore
  }

  get stats(): CacheStats {
    const { table } = this.files
    return {
      fileCount: table.count,
      bytes: table.byteTotal,
      bytesMax: this.#options.bytesMax,
      evictedCount: this.#evictor.evictedCount,
      openCount: this.#open.size,
      indexBytes: table.memoryBytes,
    }
  }

  /** Pins a file version; `release` it once. `contentVersion` is a hash in 64 hex digits, of which every byte of the file follows. */
  acquire(fileId: number, contentVersion: string, size: number): CachedFile {
    const { table } = this.files
    const version = versionOf(contentVersion)
    let row = table.find(fileId, version)
    const known = row < 0 ? undefined : this.#active.get(row)
    if (known !== undefined) {
      known.pin()
      return known
    }
    if (row >= 0 && table.sizes[row] !== size) {
      this.files.remove(row)
      row = -1
    }
    const isCreated = row >= 0
    if (!isCreated) {
      row = table.add(fileId, version, size, this.files.takeSerial())
      if (size === 0) table.markPresent(row, 0, 0)
    }
    table.unlist(row)
    const file = new CachedFile(this, row, isCreated)
    this.#active.set(row, file)
    return file
  }

  /** Takes in a file with all bytes of a version, which nobody else has open or mapped: moves it from `path`. -EEXIST when the version is here already. */
  adopt(fileId: number, contentVersion: string, size: number, path: string, diskBytes: number): number {
    const { table } = this.files
    const version = versionOf(contentVersion)
    const known = table.find(fileId, version)
    if (known >= 0 && (this.#active.has(known) || table.isComplete(known))) return -errno.EEXIST
    if (known >= 0) this.files.remove(known)
    const result = this.files.adopt(table.add(fileId, version, size, this.files.takeSerial()), path, diskBytes)
    if (result === 0) this.grew()
    return result
  }

  /** So much of the budget is taken by bodies that are not published: they are no cache, and go before it. */
  reserve(bytes: number): void {
    this.#evictor.reserve(bytes)
  }

  /** The disk is full and somebody needs room who cannot do without: false when nothing was evicted. */
  makeRoom(): boolean {
    return this.#evictor.makeRoom()
  }

  /** True when all of that version is here; asks nothing of the disk. */
  isComplete(fileId: number, contentVersion: string): boolean {
    const row = this.files.table.find(fileId, versionOf(contentVersion))
    return row >= 0 && this.files.table.isComplete(row)
  }

  /** Does what is due in small steps. Gives in how many milliseconds it wants to be called again; calling it earlier costs nothing. */
  tick(): number {
    const nowMs = this.#options.clock.now()
    const elapsedMs = Math.abs(nowMs - this.#lastTickMs)
    if (elapsedMs < busyTickMs) return busyTickMs - elapsedMs
    this.#lastTickMs = nowMs
    this.#log.flush()
    const isEvicting = this.#evictor.step(nowMs)
    const isWriting = this.#log.step(nowMs)
    this.#durability.step(nowMs)
    return this.#scan.step() || isWriting || isEvicting ? busyTickMs : idleTickMs
  }

  /** Writes the log and gives the directory up. Files that are still pinned must not be used any more. */
  close(): void {
    for (const file of this.#open) file.closeDescriptor()
    this.#durability.close(() => this.#options.clock.now())
    this.#log.close()
    this.#options.sys.close(this.#lockFd)
  }

  opened(file: CachedFile): void {
    this.#open.add(file)
    const limit = this.#options.openFilesMax ?? openFilesMaxDefault
    // Second chance: who was used since the last round goes to the end of the line.
    for (let tries = this.#open.size * 2; this.#open.size > limit && tries > 0; tries -= 1) {
      const [first] = this.#open
      if (first === undefined) return
      if (first.isHot || first.isHeld || first === file) {
        this.#open.delete(first)
        this.#open.add(first)
        first.isHot = false
      } else first.closeDescriptor()
    }
  }

  closed(file: CachedFile): void {
    this.#open.delete(file)
  }

  grew(): void {
    this.#evictor.grew()
  }

  noteDiskFull(): void {
    this.#evictor.noteDiskFull()
  }

  released(file: CachedFile): void {
    const { table } = this.files
    const { row } = file
    this.#active.delete(row)
    const isEmpty = !table.isComplete(row) && table.presence(row).isEmpty
    if (file.isCreated && (isEmpty || this.#durability.isDistrusted(row))) this.files.remove(row)
    else if (file.isCreated) table.touch(row)
    else table.remove(row)
  }
}

/** Makes the folders and takes the lock; gives its descriptor. */
function takeDirectory(sys: Sys, directory: string): number {
  makeFolder(sys, directory)
  const lockFd = sys.open(`${directory}/lock`, openFlag.O_RDWR | openFlag.O_CREAT, 0o600)
  if (lockFd < 0) throw new EdgemountError('unavailable', `Cannot use the cache "${directory}": error ${-lockFd} on its lock file`)
  const result = sys.lock(lockFd)
  if (result < 0) {
    sys.close(lockFd)
    if (result !== -errno.EAGAIN) throw new EdgemountError('unavailable', `Cannot lock the cache "${directory}": error ${-result}`)
    throw new EdgemountError('conflict', `Cannot use the cache "${directory}": another edgemount uses it; give this one another --cache`)
  }
  const files = filesDirectory(directory)
  makeFolder(sys, files)
  const names = sys.list(files)
  const there = new Set(typeof names === 'number' ? [] : names)
  for (let index = 0; index < folderCount; index += 1) {
    const name = index.toString(16).padStart(2, '0')
    if (!there.has(name)) makeFolder(sys, `${files}/${name}`)
  }
  return lockFd
}

function makeFolder(sys: Sys, path: string): void {
  let result = sys.mkdir(path, 0o700)
  const parentEnd = path.lastIndexOf('/')
  if (result === -errno.ENOENT && parentEnd > 0) {
    makeFolder(sys, path.slice(0, parentEnd))
    result = sys.mkdir(path, 0o700)
  }
  if (result < 0 && result !== -errno.EEXIST) throw new EdgemountError('unavailable', `Cannot make the cache folder "${path}": error ${-result}`)
}
