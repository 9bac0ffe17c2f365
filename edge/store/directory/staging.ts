/**
 * Files on their way into a directory store: written and made durable under `.tmp/`, then given their name in one step.
 *
 * Their names carry the process that writes them, so that what a dead process left is found and removed.
 */
import path from 'node:path'
import type { Clock } from '../../../shared/clock.ts'
import { type Random } from '../../../shared/random.ts'
import type { Disk } from './disk.ts'
import { isErrno } from './disk-error.ts'
import { type ProcessIdentity, formatIdentity, parseIdentity, stateOfProcess } from './process-identity.ts'
import { toHexDigits } from './tag.ts'

/** A temporary file of a process that cannot be judged from here (another container or host) is removed after this time; writing a pack takes seconds. */
const abandonedMs = 24 * 60 * 60 * 1000
/** Directories known to be there and durable; forgetting one only costs a mkdir. */
const knownDirectoriesMax = 4096

export interface StagingSettings {
  readonly root: string
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  readonly self: ProcessIdentity
}

export class Staging {
  readonly #settings: StagingSettings
  readonly #directory: string
  readonly #knownDirectories = new Set<string>()
  /** The highest directory whose own name may not be durable yet: the root, or what was made above it. All of them are on one path. */
  #top: string

  constructor(settings: StagingSettings) {
    this.#settings = settings
    this.#top = settings.root
    this.#directory = path.join(settings.root, '.tmp')
  }

  /** Runs `work` with the path of a durable file that holds `body`. Whatever of it is left afterwards is removed. */
  async run<T>(body: Uint8Array, work: (path: string) => Promise<T>): Promise<T> {
    const { disk, random, self } = this.#settings
    const staged = path.join(this.#directory, `${formatIdentity(self)}.${toHexDigits(random.bytes(8))}`)
    await this.ensureDirectory(this.#directory)
    const fd = await this.#orAfresh(this.#directory, () => disk.openNew(staged))
    try {
      try {
        await this.#fill(fd, body)
      } finally {
        await disk.close(fd)
      }
      return await work(staged)
    } finally {
      await removeIfThere(disk, staged)
    }
  }

  /**
   * Makes `directory` with its parents, and makes their names durable: up to the root, since others may have made them and not synced yet, and
   * above it as far as they were made here. Once per process.
   */
  async ensureDirectory(directory: string): Promise<void> {
    if (this.#knownDirectories.has(directory)) return
    const { root, disk } = this.#settings
    const made = await disk.makeDirectory(directory)
    if (made !== undefined && made.length < this.#top.length) this.#top = made
    const top = this.#top
    for (let below = directory; ; below = path.dirname(below)) {
      await disk.syncDirectory(path.dirname(below))
      if (below === top || below === path.dirname(below)) break
    }
    // Only now: a sync that failed is made good by the next call.
    if (this.#top === top) this.#top = root
    if (this.#knownDirectories.size >= knownDirectoriesMax) this.#knownDirectories.clear()
    this.#knownDirectories.add(directory)
  }

  /** Puts a name into `directory` with `step` and makes it durable. */
  async place(directory: string, step: () => Promise<void>): Promise<void> {
    await this.ensureDirectory(directory)
    await this.#orAfresh(directory, step)
    await this.#settings.disk.syncDirectory(directory)
  }

  /** Removes what dead processes left. */
  async sweep(): Promise<void> {
    const { disk, clock, self } = this.#settings
    for (const { name } of await disk.readDirectory(this.#directory)) {
      const staged = path.join(this.#directory, name)
      const owner = parseIdentity(name.split('.', 1)[0]!)
      // Not of our making: commands look for stores in folders that are none, and may have a `.tmp` of their own.
      if (owner === undefined) continue
      const state = stateOfProcess(owner, self)
      if (state === 'gone' || (state === 'unknown' && (await this.#ageMs(staged, clock.now())) > abandonedMs)) await removeIfThere(disk, staged)
    }
  }

  async #fill(fd: number, body: Uint8Array): Promise<void> {
    const { disk } = this.#settings
    for (let written = 0; written < body.length; ) written += await disk.write(fd, body.subarray(written))
    await disk.syncData(fd)
  }

  /** Somebody may have removed a directory that we knew: then it is made again, once. */
  async #orAfresh<T>(directory: string, step: () => Promise<T>): Promise<T> {
    try {
      return await step()
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error
      this.#knownDirectories.clear()
      await this.ensureDirectory(directory)
      return await step()
    }
  }

  async #ageMs(staged: string, now: number): Promise<number> {
    try {
      const { modifiedNs } = await this.#settings.disk.stat(staged)
      return now - Number(modifiedNs / 1_000_000n)
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return 0
      throw error
    }
  }
}

async function removeIfThere(disk: Disk, staged: string): Promise<void> {
  try {
    await disk.unlink(staged)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
  }
}
