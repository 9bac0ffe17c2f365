/**
 * A mount, put together: the volume on this thread, the file system on its own, the kernel between programs and both. `startMount` is what the command
 * calls; signals are the command's affair.
 *
 * INVARIANT: this thread never touches a path inside its own mount: it would wait for itself.
 */
import { availableParallelism, homedir } from 'node:os'
import path from 'node:path'
import { throwIfAborted, untilAborted } from '../../shared/abort.ts'
import { type Clock, systemClock } from '../../shared/clock.ts'
import { codeOf, messageOf } from '../../shared/error.ts'
import { encodeRoot } from '../../shared/format/entry-codec.ts'
import { Lifetime, withDeadline } from '../../shared/lifetime.ts'
import { type Logger, silentLogger } from '../../shared/log.ts'
import { type Random, systemRandom } from '../../shared/random.ts'
import { writeAt } from '../fetch/fd-writer.ts'
import { Fetcher, type FetcherStats } from '../fetch/fetcher.ts'
import { storeTier } from '../fetch/tier.ts'
import type { UnmountResult } from '../fuse/unmount.ts'
import { ignoreLeaseBreaks } from '../sys/lease-signal.ts'
import { nodeHash } from '../sys/node-hash.ts'
import { Follower } from '../volume/follower.ts'
import { type MountedVolume, type VolumeSource, openMountedVolume } from '../volume/mounted-volume.ts'
import { VolumeBackend } from '../volume/volume-backend.ts'
import type { FileSystemStatus } from './file-system.ts'
import { serveByLinux } from './linux-mount.ts'
import { serveByNative } from './native-mount.ts'
import type { ServedFileSystem } from './served.ts'

export type Driver = 'linux' | 'fuse-native'

export interface StartMountOptions {
  readonly source: VolumeSource
  /** An empty directory. */
  readonly directory: string
  /** A fixed snapshot; the newest, followed, when undefined. */
  readonly seq?: number | undefined
  /** Where the caches of all volumes lie; `defaultCacheDirectory()` unless given. */
  readonly cacheDirectory?: string | undefined
  readonly cacheBytesMax?: number | undefined
  /** What must stay free on the cache's disk. */
  readonly freeBytesMin?: number | undefined
  /** Our own for Linux unless given. */
  readonly driver?: Driver | undefined
  /** False reads every byte through this process; else the kernel reads wholly cached files by itself where it can. */
  readonly wantsPassthrough?: boolean | undefined
  readonly allowOther?: boolean | undefined
  /** How long a read may wait for the store before it fails with EIO. */
  readonly deadlineMs?: number | undefined
  /** How often the log is looked at for newer commits. */
  readonly pollMs?: number | undefined
  /** The least busy wait before the file-system thread sleeps, in µs. */
  readonly spinUs?: number | undefined
  /** Gives the start up; once the mount answers it has no effect. */
  readonly signal?: AbortSignal | undefined
  readonly log?: Logger | undefined
  readonly clock?: Clock | undefined
  readonly random?: Random | undefined
}

export interface MountStatus {
  readonly volume: string
  readonly volumeId: string
  readonly source: string
  readonly directory: string
  readonly driver: Driver
  readonly pid: number
  readonly uptimeMs: number
  /** The commit that is shown. */
  readonly seq: number
  /** Newer commits are shown at once; false for a fixed snapshot, and while the store is away. */
  readonly isFollowing: boolean
  /** The store answered the last time it was asked. */
  readonly isConnected: boolean
  readonly isFixed: boolean
  readonly metadata: { readonly bytes: number; readonly fileCount: number; readonly hitCount: number; readonly missCount: number }
  /** Requests of the kernel by operation. */
  readonly requests: Readonly<Record<string, number>>
  readonly fetch: FetcherStats
  /** Undefined when the file system did not answer in time. */
  readonly fileSystem: FileSystemStatus | undefined
}

/** How a mount ended: somebody unmounted it, or it could not go on. */
export type MountEnd = { readonly kind: 'unmounted' } | { readonly kind: 'failed'; readonly error: Error }

export interface MountDaemon {
  /** Real path of the mount point. */
  readonly directory: string
  readonly ended: Promise<MountEnd>
  status(): Promise<MountStatus>
  /** Unmounts and ends everything. When files are open there, programs get a moment to close them, then they fail. */
  close(): Promise<void>
}

const gibibyte = 1024 ** 3
const cacheBytesMaxDefault = 10 * gibibyte
const freeBytesMinDefault = gibibyte
const metadataBytesMax = gibibyte
const deadlineMsDefault = 30_000
const pollMsDefault = 250
/** Caches of one volume for several mounts of it at a time. */
const mountsOfVolumeMax = 8
/** Programs with open files get so long to close them when the mount is to end, and it is looked so often whether they have. */
const busyMsMax = 2000
const busyLookMs = 100
/** A fixed snapshot needs the store only for bytes: it is asked this rarely whether it leads to the volume still. */
const confirmEveryMs = 5000
/** The kernel may let an unmount wait for what the file system has not answered. */
const unmountMsMax = 5000

/** Root: /var/cache/edgemount. Others: $XDG_CACHE_HOME/edgemount or ~/.cache/edgemount. */
export function defaultCacheDirectory(environment: Readonly<Record<string, string | undefined>>, isRoot: boolean): string {
  if (isRoot) return '/var/cache/edgemount'
  const base = environment['XDG_CACHE_HOME']
  return path.join(base !== undefined && path.isAbsolute(base) ? base : path.join(homedir(), '.cache'), 'edgemount')
}

/** Resolves when the mount answers. Throws what made that impossible, with nothing left behind. */
export async function startMount(options: StartMountOptions): Promise<MountDaemon> {
  const { source, directory, clock = systemClock, random = systemRandom, log = silentLogger, deadlineMs = deadlineMsDefault } = options
  const baseDirectory = options.cacheDirectory ?? defaultCacheDirectory(process.env, process.getuid?.() === 0)
  ignoreLeaseBreaks()
  const lifetime = new Lifetime(`the mount "${directory}"`)
  try {
    const opened = await untilGivenUp(openMountedVolume({ source, baseDirectory, metadataBytesMax, seq: options.seq, deadlineMs, clock, random, log }), options.signal)
    await lifetime.defer(() => opened.metadata.close())
    await lifetime.defer(() => opened.volume.close())
    const { pages } = opened.snapshot
    const tiers = [storeTier(source.tierName ?? 'store', source.store)]
    const fetcher = new Fetcher({ tiers, pages, hash: nodeHash, write: writeAt, clock, log, limits: { demandDeadlineMs: deadlineMs } })
    await lifetime.defer(() => fetcher.close())
    const backend = new VolumeBackend({ pages, fetcher, clock, random, deadlineMs })
    await lifetime.defer(() => backend.close())
    const served = await serve(options, opened, { backend, clock, log })
    if (options.signal?.aborted === true) await served.terminate()
    throwIfAborted(options.signal)
    const daemon = new Daemon({ options, opened, served, fetcher, lifetime, clock, log })
    daemon.follow(random, deadlineMs)
    return daemon
  } catch (error) {
    await lifetime.dispose()
    throw error
  }
}

/** What was opened after nobody wanted it any more is closed again. */
async function untilGivenUp(opening: Promise<MountedVolume>, signal: AbortSignal | undefined): Promise<MountedVolume> {
  try {
    return await untilAborted(opening, signal)
  } catch (error) {
    const close = async ({ metadata, volume }: MountedVolume): Promise<void> => {
      await volume.close()
      await metadata.close()
    }
    void opening.then(close).catch(() => undefined)
    throw error
  }
}

function serve(
  options: StartMountOptions,
  opened: MountedVolume,
  parts: { readonly backend: VolumeBackend; readonly clock: Clock; readonly log: Logger },
): Promise<ServedFileSystem> {
  const bodies = path.join(opened.directory, 'bodies')
  const cacheDirectories = Array.from({ length: mountsOfVolumeMax }, (_, index) => (index === 0 ? bodies : `${bodies}-${index + 1}`))
  const serveBy = options.driver === 'fuse-native' ? serveByNative : serveByLinux
  return serveBy({
    directory: options.directory,
    label: options.source.label,
    allowOther: options.allowOther ?? false,
    signal: options.signal,
    ...parts,
    wantsPassthrough: options.wantsPassthrough ?? true,
    spinUs: options.spinUs ?? (availableParallelism() > 1 ? 20 : 0),
    settings: {
      root: encodeRoot(opened.snapshot.root),
      seq: opened.snapshot.seq,
      isFixed: options.seq !== undefined,
      cacheDirectories,
      cacheBytesMax: options.cacheBytesMax ?? cacheBytesMaxDefault,
      freeBytesMin: options.freeBytesMin ?? freeBytesMinDefault,
    },
  })
}

interface DaemonParts {
  readonly options: StartMountOptions
  readonly opened: MountedVolume
  readonly served: ServedFileSystem
  readonly fetcher: Fetcher
  readonly lifetime: Lifetime
  readonly clock: Clock
  readonly log: Logger
}

class Daemon implements MountDaemon {
  readonly directory: string
  readonly ended: Promise<MountEnd>
  readonly #parts: DaemonParts
  readonly #startedMs: number
  #follower: Follower | undefined
  #isConfirmed: boolean
  #failure: Error | undefined
  #closing: Promise<void> | undefined

  constructor(parts: DaemonParts) {
    this.#parts = parts
    this.directory = parts.served.directory
    this.#startedMs = parts.clock.now()
    this.#isConfirmed = parts.opened.isConnected
    this.ended = this.#untilEnded()
  }

  follow(random: Random, deadlineMs: number): void {
    const { options, opened, served, clock, log, lifetime } = this.#parts
    if (this.#isConfirmed) void opened.remember(opened.snapshot.seq)
    if (options.seq !== undefined) {
      if (!this.#isConfirmed) void this.#untilConfirmed(deadlineMs)
      return
    }
    const follower = new Follower({
      volume: opened.volume,
      from: opened.snapshot,
      isConnected: opened.isConnected,
      clock,
      random,
      log,
      pollMs: options.pollMs ?? pollMsDefault,
      deadlineMs,
      events: options.source.events,
      confirm: (signal) => this.#confirm(signal),
      onChange: (change) => {
        served.applyChange(change)
        void opened.remember(change.seq)
      },
      onFollowing: (isFollowing) => served.setFollowing(isFollowing),
    })
    this.#follower = follower
    if (!opened.isConnected) served.setFollowing(false)
    follower.start()
    lifetime.defer(() => follower.close()).catch(() => undefined)
  }

  async status(): Promise<MountStatus> {
    const { options, opened, served, fetcher, clock } = this.#parts
    const isConnected = this.#follower?.isConnected ?? this.#isConfirmed
    const fileSystem = await served.status()
    return {
      volume: opened.volume.config.name,
      volumeId: opened.volume.config.id,
      source: options.source.label,
      directory: this.directory,
      driver: options.driver ?? 'linux',
      pid: process.pid,
      uptimeMs: clock.now() - this.#startedMs,
      seq: fileSystem?.seq ?? this.#follower?.seq ?? opened.snapshot.seq,
      isFollowing: this.#follower !== undefined && isConnected,
      isConnected,
      isFixed: options.seq !== undefined,
      metadata: opened.metadata.stats,
      requests: served.requestCounts(),
      fetch: fetcher.stats,
      fileSystem,
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** What another volume's store says must never be shown as this one's. */
  async #confirm(signal: AbortSignal): Promise<void> {
    const { opened, log } = this.#parts
    try {
      await opened.confirm(signal)
      this.#isConfirmed = true
    } catch (error) {
      if (codeOf(error) === 'conflict' && error instanceof Error && this.#failure === undefined) {
        this.#failure = error
        log.error(error.message)
        // Whoever waits for the end is told.
        this.close().catch(() => undefined)
      }
      throw error
    }
  }

  async #untilConfirmed(deadlineMs: number): Promise<void> {
    const { clock, lifetime, log } = this.#parts
    const { signal } = lifetime
    while (!this.#isConfirmed && !signal.aborted) {
      try {
        await withDeadline(clock, deadlineMs, 'read the configuration', signal, (limit) => this.#confirm(limit))
      } catch (error) {
        log.debug(messageOf(error))
        await clock.sleep(confirmEveryMs, signal).catch(() => undefined)
      }
    }
  }

  async #untilEnded(): Promise<MountEnd> {
    const error = (await this.#parts.served.ended) ?? this.#failure
    await this.#parts.lifetime.dispose().catch((failure: unknown) => this.#parts.log.warn(messageOf(failure)))
    return error === undefined ? { kind: 'unmounted' } : { kind: 'failed', error }
  }

  async #close(): Promise<void> {
    const { served, log, clock } = this.#parts
    const isOver = served.ended.then(() => true)
    const untilMs = clock.now() + busyMsMax
    let result = await this.#unmount()
    const wasBusy = result === 'busy'
    if (wasBusy) log.warn(`"${this.directory}" is in use: it is taken away, and programs that have files open there will get errors`)
    // It is not detached first: what has no path any more is harder to abort.
    while (result === 'busy' && clock.now() < untilMs) {
      if (await Promise.race([isOver, clock.sleep(busyLookMs).then(() => false)])) break
      result = await this.#unmount()
    }
    // Absent: somebody else has detached it, and it lives on for those who use it.
    const isEnding = result === 'unmounted' && (await Promise.race([isOver, clock.sleep(busyMsMax).then(() => false)]))
    if (!isEnding) await served.terminate()
    const end = await this.ended
    if (end.kind === 'failed' && !wasBusy) throw end.error
  }

  /** What does not end in time is in use. */
  #unmount(): Promise<UnmountResult> {
    const { served, clock } = this.#parts
    return Promise.race([served.unmount({ isLazy: false }), clock.sleep(unmountMsMax).then(() => 'busy' as const)])
  }
}
