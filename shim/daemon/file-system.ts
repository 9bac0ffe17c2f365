/**
 * The parts of a mount that live on the file-system thread, put together: handler, open files, cache. The portable driver has them on the main thread.
 */
import { readFileSync } from 'node:fs'
import { systemClock } from '../../shared/clock.ts'
import { codeOf, messageOf } from '../../shared/error.ts'
import type { Logger } from '../../shared/log.ts'
import { Cache, type CacheStats } from '../cache/cache.ts'
import { NetworkEstimate } from '../fetch/network-estimate.ts'
import { SpeculationBudget } from '../fetch/speculation-budget.ts'
import { UncachedMemory } from '../fetch/uncached-memory.ts'
import type { Backend } from '../fs/backend.ts'
import { CachedBodies } from '../fs/cached-bodies.ts'
import { type HandlerStatus, VolumeHandler } from '../fs/volume-handler.ts'
import { linuxSys } from '../sys/linux-sys.ts'

/** A backend that says how many requests are under way. */
export type CountingBackend = Backend & { readonly requestCount: number }

/** Plain data: it is sent to the thread. */
export interface FileSystemSettings {
  /** As `encodeRoot` gives it. */
  readonly root: Uint8Array
  readonly seq: number
  /** A snapshot that never changes. */
  readonly isFixed: boolean
  /** Taken in order until one is not in use by another mount. None: nothing is cached on disk. */
  readonly cacheDirectories: readonly string[]
  readonly cacheBytesMax: number
  readonly freeBytesMin: number
}

export interface FileSystemStatus extends HandlerStatus {
  /** Requests to the network thread under way. */
  readonly requestCount: number
  readonly cacheDirectory: string | undefined
  readonly cache: CacheStats | undefined
}

export interface FileSystem {
  readonly handler: VolumeHandler
  /** To be called at least every 250 ms. */
  tick(): void
  status(): FileSystemStatus
  close(): void
}

/** Fetched ahead of readers, all files together. */
const speculationBytesMax = 256 * 1024 * 1024
/** Of bytes that cannot be cached on disk. */
const uncachedBytesMax = 64 * 1024 * 1024

export interface FileSystemParts {
  readonly backend: CountingBackend
  readonly log: Logger
  /** The mount answers from now on. */
  readonly onStart: () => void
}

export function createFileSystem(settings: FileSystemSettings, parts: FileSystemParts): FileSystem {
  const { backend, log, onStart } = parts
  const opened = openCache(settings, backend, log)
  const cache = opened?.cache
  const context = {
    backend,
    clock: systemClock,
    log,
    budget: new SpeculationBudget(speculationBytesMax),
    network: new NetworkEstimate(),
    memory: new UncachedMemory(uncachedBytesMax),
  }
  const handler = new VolumeHandler({ ...settings, backend, bodies: new CachedBodies(cache, context), log, onStart })
  return {
    handler,
    tick: () => void cache?.tick(),
    status: () => ({ ...handler.status, requestCount: backend.requestCount, cacheDirectory: opened?.directory, cache: cache?.stats }),
    close: () => cache?.close(),
  }
}

/** A mount goes on without a cache; one that another mount has is left alone. */
function openCache(settings: FileSystemSettings, backend: Backend, log: Logger): { cache: Cache; directory: string } | undefined {
  let failure: unknown
  for (const directory of settings.cacheDirectories) {
    try {
      const cache = Cache.open({
        directory,
        bytesMax: settings.cacheBytesMax,
        freeBytesMin: settings.freeBytesMin,
        sys: linuxSys,
        clock: systemClock,
        bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
        log,
        sync: (fd, done) => backend.sync(fd, done),
      })
      return { cache, directory }
    } catch (error) {
      failure = error
      if (codeOf(error) !== 'conflict') break
    }
  }
  if (failure !== undefined) log.warn(`Reading without a cache on disk: ${messageOf(failure)}`)
  return undefined
}
