/**
 * Open descriptors of large objects, kept for the next range of the same pack: open, fstat and close cost as much as reading 256 KiB (80 of
 * 200 µs, measured), and packs are read in many ranges.
 *
 * A kept descriptor is used only while its file still has its one name. A file that was deleted or replaced, by any process, has none (its link
 * count is 0), so a kept descriptor never shows an object that is gone. A deleted pack's space is freed when its descriptor is dropped.
 */
import type { Disk, FileStat } from './disk.ts'

/** 64 descriptors are far below the usual limit of 1024, and cover 4 GiB of packs. */
export const openFilesMax = 64

export interface OpenFile {
  readonly fd: number
  readonly stat: FileStat
}

class SharedFile implements OpenFile {
  readonly fd: number
  readonly stat: FileStat
  useCount = 0
  isKept = false

  constructor(fd: number, stat: FileStat) {
    this.fd = fd
    this.stat = stat
  }
}

export class OpenFiles {
  readonly #disk: Disk
  readonly #keptBytesMin: number
  /** Least recently used first. INVARIANT: exactly these have `isKept`; a file that is neither kept nor in use is closed. */
  readonly #kept = new Map<string, SharedFile>()
  #isDisposed = false

  /** Files below `keptBytesMin` are closed after use: they are read once, whole. */
  constructor(disk: Disk, keptBytesMin: number) {
    this.#disk = disk
    this.#keptBytesMin = keptBytesMin
  }

  /** Runs `work` with the open file; it stays open until `work` settles. Throws the disk's error (ENOENT) when it cannot be opened. */
  async use<T>(path: string, work: (file: OpenFile) => Promise<T>): Promise<T> {
    const file = await this.#acquire(path)
    try {
      return await work(file)
    } finally {
      await this.#release(file)
    }
  }

  /** Forgets the descriptor of a path, so that a deleted file's space is freed. */
  async drop(path: string): Promise<void> {
    const file = this.#kept.get(path)
    if (file === undefined) return
    this.#kept.delete(path)
    file.isKept = false
    await this.#closeIdle(file)
  }

  async dispose(): Promise<void> {
    this.#isDisposed = true
    for (const path of this.#kept.keys()) await this.drop(path)
  }

  async #acquire(path: string): Promise<SharedFile> {
    const kept = this.#kept.get(path)
    if (kept !== undefined && this.#disk.statOpen(kept.fd).linkCount === 1) {
      this.#kept.delete(path)
      this.#kept.set(path, kept)
      kept.useCount += 1
      return kept
    }
    if (kept !== undefined) await this.drop(path)
    return this.#open(path)
  }

  async #open(path: string): Promise<SharedFile> {
    const fd = await this.#disk.openToRead(path)
    let file: SharedFile
    try {
      file = new SharedFile(fd, this.#disk.statOpen(fd))
    } catch (error) {
      await this.#disk.close(fd)
      throw error
    }
    file.useCount = 1
    // A file that is just being created has a second name, its temporary one, for a moment; its link count would not tell of a deletion.
    const { isFile, linkCount, size } = file.stat
    if (!this.#isDisposed && isFile && linkCount === 1 && size >= this.#keptBytesMin) await this.#keep(path, file)
    return file
  }

  async #keep(path: string, file: SharedFile): Promise<void> {
    file.isKept = true
    const before = this.#kept.get(path)
    this.#kept.set(path, file)
    if (before !== undefined) {
      before.isKept = false
      await this.#closeIdle(before)
    }
    if (this.#kept.size > openFilesMax) {
      const [oldest] = this.#kept.keys()
      await this.drop(oldest!)
    }
  }

  async #release(file: SharedFile): Promise<void> {
    file.useCount -= 1
    await this.#closeIdle(file)
  }

  async #closeIdle(file: SharedFile): Promise<void> {
    if (!file.isKept && file.useCount === 0) await this.#disk.close(file.fd)
  }
}
