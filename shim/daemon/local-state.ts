/**
 * What a mount has on this machine, in one directory of its own: the cache, and for a writable mount the journal of what is not published, with its bodies.
 *
 * INVARIANT: the cache's lock guards all of it, so a journal has one owner. Directories with changes in their journal go first, else they would wait for ever.
 */
import { readFileSync, readdirSync, statSync, statfsSync } from 'node:fs'
import path from 'node:path'
import { systemClock } from '../../shared/clock.ts'
import { EdgemountError, codeOf, messageOf } from '../../shared/error.ts'
import type { Logger } from '../../shared/log.ts'
import { Cache } from '../cache/cache.ts'
import { NetworkEstimate } from '../../shared/fetch/network-estimate.ts'
import { SpeculationBudget } from '../../shared/fetch/speculation-budget.ts'
import { UncachedMemory } from '../fetch/uncached-memory.ts'
import type { Backend } from '../fs/backend.ts'
import { CachedBodies } from '../fs/cached-bodies.ts'
import { linuxSys } from '../sys/linux-sys.ts'
import type { FileSystemSettings } from './file-system-settings.ts'
import { OpenedJournal, journalDirectory } from './opened-journal.ts'

export interface LocalState {
  /** Undefined: nothing is kept on disk. */
  readonly directory: string | undefined
  readonly cache: Cache | undefined
  /** What is published, through the cache. */
  readonly published: CachedBodies
  /** Undefined: read-only. */
  readonly writing: OpenedJournal | undefined
}

/** Fetched ahead of readers, all files together. */
const speculationBytesMax = 256 * 1024 * 1024
/** Of bytes that cannot be cached on disk. */
const uncachedBytesMax = 64 * 1024 * 1024

/** Throws when a writable mount finds no directory that it can use; a read-only one goes on without a cache then. */
export function openLocalState(settings: FileSystemSettings, backend: Backend, log: Logger): LocalState {
  const opened = openDirectory(settings, backend, log)
  const context = {
    backend,
    clock: systemClock,
    log,
    budget: new SpeculationBudget(speculationBytesMax),
    network: new NetworkEstimate(),
    memory: new UncachedMemory(uncachedBytesMax),
  }
  const published = new CachedBodies(opened?.cache, context)
  const readOnly: LocalState = { directory: opened?.directory, cache: opened?.cache, published, writing: undefined }
  if (settings.writing === undefined || opened === undefined) return readOnly
  try {
    const { directory, cache } = opened
    return { ...readOnly, writing: new OpenedJournal({ directory, cache, published, volumeId: settings.volumeId, bootId: bootId(), backend, log }) }
  } catch (error) {
    opened.cache.close()
    throw error
  }
}

/**
 * Whether the kernel may write files of the directory by itself. A file system that is in memory alone writes nothing out, so a store into a mapping moves a
 * file's time of change at most once: what is stored after it was published, or after the page was read, would never be seen.
 */
export function noticesStores(directory: string): boolean {
  return !inMemoryTypes.has(statfsSync(directory).type)
}

/** tmpfs and ramfs, as in linux/magic.h. */
const inMemoryTypes: ReadonlySet<number> = new Set([0x01021994, 0x858458f6])

/** Call it once. `discards`: what is not published is dropped for ever. */
export function closeLocalState({ writing, cache }: LocalState, discards: boolean): void {
  writing?.close(discards)
  cache?.close()
}

interface OpenedDirectory {
  readonly cache: Cache
  readonly directory: string
}

/** One that another mount has is left alone. */
function openDirectory(settings: FileSystemSettings, backend: Backend, log: Logger): OpenedDirectory | undefined {
  let failure: unknown
  const inUse = new Set<string>()
  for (const directory of inOrder(settings)) {
    try {
      const cache = Cache.open({
        directory,
        bytesMax: settings.cacheBytesMax,
        freeBytesMin: settings.freeBytesMin,
        sys: linuxSys,
        clock: systemClock,
        bootId: bootId(),
        log,
        sync: (fd, done) => backend.sync(fd, done),
      })
      tellLeft(settings, inUse.add(directory), log)
      return { cache, directory }
    } catch (error) {
      failure = error
      if (codeOf(error) !== 'conflict') break
      inUse.add(directory)
    }
  }
  if (settings.writing !== undefined) throw noDirectory(failure)
  if (failure !== undefined) log.warn(`Reading without a cache on disk: ${messageOf(failure)}`)
  return undefined
}

/** Mounts that ended side by side have each left a journal, and a mount takes up one. */
function tellLeft({ cacheDirectories, writing }: FileSystemSettings, inUse: ReadonlySet<string>, log: Logger): void {
  const left = writing === undefined ? [] : cacheDirectories.filter((directory) => !inUse.has(directory) && hasJournal(directory))
  for (const directory of left) {
    log.warn(`What another mount of this volume has written waits in "${directory}". Unless that mount is still there, mount the volume once more, beside this one, to publish it`)
  }
}

function noDirectory(failure: unknown): EdgemountError {
  const why = failure === undefined ? 'there is no directory for it' : messageOf(failure)
  return new EdgemountError(failure === undefined ? 'invalid' : codeOf(failure), `Cannot keep what is written: ${why}. Mount with --read-only, or choose another --cache`)
}

/** Who writes takes up what was left; who only reads leaves it to who writes. */
function inOrder({ cacheDirectories, writing }: FileSystemSettings): readonly string[] {
  const hasLeft = new Set(cacheDirectories.filter(hasJournal))
  const left = cacheDirectories.filter((directory) => hasLeft.has(directory))
  const others = cacheDirectories.filter((directory) => !hasLeft.has(directory))
  return writing === undefined ? [...others, ...left] : [...left, ...others]
}

/** One that says nothing is removed at the end of a mount. */
function hasJournal(directory: string): boolean {
  try {
    return readdirSync(journalDirectory(directory)).some((name) => name.endsWith('.log') && statSync(path.join(journalDirectory(directory), name)).size > 0)
  } catch {
    return false
  }
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}
