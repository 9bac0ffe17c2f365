/**
 * What a mount is asked for and what it says of itself: the settings of `startMount`, and how the file system's follow from them.
 */
import { availableParallelism } from 'node:os'
import path from 'node:path'
import type { Clock } from '../../shared/clock.ts'
import { encodeRoot } from '../../shared/format/entry-codec.ts'
import type { Logger } from '../../shared/log.ts'
import type { Random } from '../../shared/random.ts'
import type { FetcherStats } from '../fetch/fetcher.ts'
import type { MountedVolume, VolumeSource } from '../volume/mounted-volume.ts'
import type { FileSystemStatus } from './file-system.ts'
import type { Ending, PublishingStatus, PublishingWait, Unpublished } from './publishing.ts'
import type { ServeParts } from './served.ts'

export type Driver = 'linux' | 'fuse-native'
export type Durability = 'local' | 'cloud'
export type Coherence = 'close-to-open' | 'strict'

export interface StartMountOptions {
  readonly source: VolumeSource
  /** An empty directory. */
  readonly directory: string
  /** A fixed snapshot; the newest, followed, when undefined. */
  readonly seq?: number | undefined
  /** Nothing can be changed; so it is with a fixed snapshot. */
  readonly isReadOnly?: boolean | undefined
  /** `cloud`: fsync and close wait until the commit is in the log. `local` unless given. */
  readonly durability?: Durability | undefined
  /** `strict`: every open asks for the newest commit, and a name is created exclusively by one mount alone. `close-to-open` unless given. */
  readonly coherence?: Coherence | undefined
  /** How long nothing more must change before changes are published. */
  readonly writeBackDelayMs?: number | undefined
  /** How much may wait to be published; what comes then waits, or finds the disk full. Bounded by the disk alone unless given. */
  readonly dirtyBytesMax?: number | undefined
  /** In commits, and in the names of conflicts; `edgemount` unless given. */
  readonly author?: string | undefined
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
  readonly isReadOnly: boolean
  /** It is unmounted, and what is left is being published. */
  readonly isEnding: boolean
  /** Undefined for a read-only mount. */
  readonly writing: { readonly durability: Durability; readonly coherence: Coherence; readonly writeBackDelayMs: number } | undefined
  /** What waits to be published, and how that goes; undefined for a read-only mount. */
  readonly publishing: PublishingStatus | undefined
  readonly metadata: { readonly bytes: number; readonly fileCount: number; readonly hitCount: number; readonly missCount: number }
  /** Requests of the kernel by operation. */
  readonly requests: Readonly<Record<string, number>>
  readonly fetch: FetcherStats
  /** Undefined when the file system did not answer in time. */
  readonly fileSystem: FileSystemStatus | undefined
}

/** How a mount ended: somebody unmounted it, or it could not go on. */
export type MountEnd = { readonly kind: 'unmounted'; readonly unpublished: Unpublished | undefined } | { readonly kind: 'failed'; readonly error: Error }

export interface MountDaemon {
  /** Real path of the mount point. */
  readonly directory: string
  readonly ended: Promise<MountEnd>
  /** The mount is gone, whoever took it away, and what is left is being published. A read-only mount just ends. */
  readonly unmounted: Promise<undefined>
  status(): Promise<MountStatus>
  /**
   * Resolves when everything that was written before is published. Throws `unavailable`, with the reason, when that has not come about in `waitMs`; without
   * it, when it does not get on any more.
   */
  flush(options?: PublishingWait): Promise<void>
  /** What becomes of what is not published when the mount ends, whoever ends it; the last call counts. Without one it is published for as long as that gets on. */
  prepareEnd(ending: Ending): void
  /** Unmounts, publishes what is left, and ends everything. When files are open there, programs get a moment to close them, then they fail. */
  close(): Promise<void>
  /** Ends the publishing that `close`, or an unmounting from outside, waits for: what is left is kept for the next mount. */
  leave(): void
}

const gibibyte = 1024 ** 3
const cacheBytesMaxDefault = 10 * gibibyte
const freeBytesMinDefault = gibibyte
/** Caches of one volume for several mounts of it at a time. */
const mountsOfVolumeMax = 8

export function isReadOnly(options: StartMountOptions): boolean {
  return options.isReadOnly === true || options.seq !== undefined
}

/** What the drivers are started with, as far as it follows from the options. */
export function serveSettings(options: StartMountOptions, opened: MountedVolume): Omit<ServeParts, 'backend' | 'findBase' | 'onPublishing' | 'drain' | 'clock' | 'log'> {
  const bodies = path.join(opened.directory, 'bodies')
  const writing = { durability: options.durability ?? 'local', coherence: options.coherence ?? 'close-to-open', dirtyBytesMax: options.dirtyBytesMax ?? Infinity } as const
  return {
    directory: options.directory,
    label: options.source.label,
    allowOther: options.allowOther ?? false,
    signal: options.signal,
    wantsPassthrough: options.wantsPassthrough ?? true,
    spinUs: options.spinUs ?? (availableParallelism() > 1 ? 20 : 0),
    settings: {
      root: encodeRoot(opened.snapshot.root),
      seq: opened.snapshot.seq,
      volumeId: opened.volume.config.id,
      isFixed: options.seq !== undefined,
      cacheDirectories: Array.from({ length: mountsOfVolumeMax }, (_, index) => (index === 0 ? bodies : `${bodies}-${index + 1}`)),
      cacheBytesMax: options.cacheBytesMax ?? cacheBytesMaxDefault,
      freeBytesMin: options.freeBytesMin ?? freeBytesMinDefault,
      writing: isReadOnly(options) ? undefined : writing,
    },
  }
}
