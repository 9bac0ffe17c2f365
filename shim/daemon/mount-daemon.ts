/**
 * A mount, put together: the volume on this thread, the file system on its own, the kernel between programs and both. `startMount` is what the command
 * calls; signals are the command's affair.
 *
 * INVARIANT: this thread never touches a path inside its own mount: it would wait for itself.
 */
import { throwIfAborted, untilAborted } from '../../shared/abort.ts'
import { type Clock, systemClock } from '../../shared/clock.ts'
import { EdgemountError, codeOf, messageOf } from '../../shared/error.ts'
import { encodeRoot } from '../../shared/format/entry-codec.ts'
import { Lifetime, withDeadline } from '../../shared/lifetime.ts'
import { type Logger, silentLogger } from '../../shared/log.ts'
import { type Random, systemRandom } from '../../shared/random.ts'
import type { Snapshot } from '../../shared/volume/snapshot.ts'
import { writeAt } from '../fetch/fd-writer.ts'
import { Fetcher } from '../fetch/fetcher.ts'
import { storeTier } from '../fetch/tier.ts'
import type { UnmountResult } from '../fuse/unmount.ts'
import { ignoreLeaseBreaks } from '../sys/lease-signal.ts'
import { nodeHash } from '../sys/node-hash.ts'
import { defaultCacheDirectory } from '../sys/user-directory.ts'
import { Follower } from '../volume/follower.ts'
import { type MountedVolume, openMountedVolume } from '../volume/mounted-volume.ts'
import { VolumeBackend } from '../volume/volume-backend.ts'
import { serveByLinux } from './linux-mount.ts'
import { type MountDaemon, type MountEnd, type MountStatus, type StartMountOptions, isReadOnly, serveSettings } from './mount-options.ts'
import { serveByNative } from './native-mount.ts'
import { type Ending, MountPublishing, type PublishingWait, Uploads } from './publishing.ts'
import type { ServedFileSystem } from './served.ts'

const metadataBytesMax = 1024 ** 3
const deadlineMsDefault = 30_000
const pollMsDefault = 250
const writeBackDelayMsDefault = 2000
/** Programs with open files get so long to close them when the mount is to end, and it is looked so often whether they have. */
const busyMsMax = 2000
const busyLookMs = 100
/** A fixed snapshot needs the store only for bytes: it is asked this rarely whether it leads to the volume still. */
const confirmEveryMs = 5000
/** The kernel may let an unmount wait for what the file system has not answered. */
const unmountMsMax = 5000

/** Resolves when the mount answers. Throws what made that impossible, with nothing left behind. */
export async function startMount(options: StartMountOptions): Promise<MountDaemon> {
  const { directory, clock = systemClock, random = systemRandom, log = silentLogger, deadlineMs = deadlineMsDefault } = options
  ignoreLeaseBreaks()
  const lifetime = new Lifetime(`the mount "${directory}"`)
  try {
    const uploads = isReadOnly(options) ? undefined : new Uploads({ store: options.source.store, clock, random, log })
    if (uploads !== undefined) await lifetime.defer(() => uploads.close())
    const opened = await open(options, uploads, { clock, random, log, deadlineMs })
    await lifetime.defer(() => opened.close())
    const { pages } = opened.snapshot
    const tiers = [storeTier(options.source.tierName ?? 'store', options.source.store)]
    const fetcher = new Fetcher({ tiers, pages, hash: nodeHash, write: writeAt, clock, log, limits: { demandDeadlineMs: deadlineMs } })
    await lifetime.defer(() => fetcher.close())
    const backend = new VolumeBackend({ pages, fetcher, clock, random, deadlineMs })
    await lifetime.defer(() => backend.close())
    const late: Late = { served: undefined, follower: undefined, from: opened.snapshot, unmounted: Promise.withResolvers(), isUnmounted: false }
    const publishing = uploads === undefined ? undefined : publishingOf(options, { opened, uploads, late, clock, random, log, deadlineMs })
    if (publishing !== undefined) await lifetime.defer(() => publishing.close())
    const served = await serve(options, { opened, backend, publishing, late, clock, random, log, deadlineMs })
    late.served = served
    if (options.signal?.aborted === true) await served.terminate()
    throwIfAborted(options.signal)
    const daemon = new Daemon({ options, opened, served, publishing, late, fetcher, lifetime, clock, random, log, deadlineMs })
    daemon.follow()
    publishing?.start()
    return daemon
  } catch (error) {
    await lifetime.dispose()
    throw error
  }
}

interface Surroundings {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly deadlineMs: number
}

/** What was opened after nobody wanted it any more is closed again. */
async function open(options: StartMountOptions, uploads: Uploads | undefined, surroundings: Surroundings): Promise<MountedVolume> {
  const { source, seq, signal, cacheDirectory } = options
  const baseDirectory = cacheDirectory ?? defaultCacheDirectory(process.env, process.getuid?.() === 0)
  const store = uploads?.store ?? source.store
  const opening = openMountedVolume({ ...surroundings, source: { ...source, store }, baseDirectory, metadataBytesMax, seq })
  try {
    return await untilAborted(opening, signal)
  } catch (error) {
    void opening.then((opened) => opened.close()).catch(() => undefined)
    throw error
  }
}

/** What comes about while the mount starts. */
interface Late {
  served: ServedFileSystem | undefined
  follower: Follower | undefined
  /** The snapshot that the file system begins with: the newest, unless its journal has changes of an older one. */
  from: Snapshot
  readonly unmounted: PromiseWithResolvers<undefined>
  isUnmounted: boolean
}

function publishingOf(options: StartMountOptions, parts: Surroundings & { readonly opened: MountedVolume; readonly uploads: Uploads; readonly late: Late }): MountPublishing {
  const { opened, late } = parts
  return new MountPublishing({
    ...parts,
    volume: opened.volume,
    author: options.author ?? 'edgemount',
    delayMs: options.writeBackDelayMs ?? writeBackDelayMsDefault,
    send: (message) => late.served?.tellChanges(message),
    follower: () => {
      if (late.follower !== undefined) return late.follower
      throw new EdgemountError('closed', 'Cannot look for commits: the mount has not started, or ends')
    },
  })
}

type ServingParts = Surroundings & {
  readonly opened: MountedVolume
  readonly backend: VolumeBackend
  readonly publishing: MountPublishing | undefined
  readonly late: Late
}

function serve(options: StartMountOptions, { opened, backend, publishing, late, clock, log, deadlineMs }: ServingParts): Promise<ServedFileSystem> {
  const serveBy = options.driver === 'fuse-native' ? serveByNative : serveByLinux
  return serveBy({
    ...serveSettings(options, opened),
    backend,
    findBase: async (seq) => {
      late.from = await withDeadline(clock, deadlineMs, `open commit ${seq}, from which what was changed here was made`, options.signal, (signal) => opened.volume.at(seq, { signal }))
      return { seq, root: encodeRoot(late.from.root) }
    },
    onPublishing: (message) => publishing?.receive(message),
    drain: async () => {
      late.isUnmounted = true
      late.unmounted.resolve(undefined)
      const status = await late.served?.status()
      return (await publishing?.drain(status?.cacheDirectory)) ?? false
    },
    clock,
    log,
  })
}

function writingStatus({ durability = 'local', coherence = 'close-to-open', writeBackDelayMs = writeBackDelayMsDefault }: StartMountOptions): MountStatus['writing'] {
  return { durability, coherence, writeBackDelayMs }
}

interface DaemonParts extends Surroundings {
  readonly options: StartMountOptions
  readonly opened: MountedVolume
  readonly served: ServedFileSystem
  /** Undefined: read-only. */
  readonly publishing: MountPublishing | undefined
  readonly late: Late
  readonly fetcher: Fetcher
  readonly lifetime: Lifetime
}


class Daemon implements MountDaemon {
  readonly directory: string
  readonly ended: Promise<MountEnd>
  readonly unmounted: Promise<undefined>
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
    this.unmounted = parts.late.unmounted.promise
    this.ended = this.#untilEnded()
  }

  follow(): void {
    const { options, opened, served, late, clock, random, log, lifetime, deadlineMs } = this.#parts
    if (this.#isConfirmed) void opened.remember(opened.snapshot.seq)
    if (options.seq !== undefined) {
      if (!this.#isConfirmed) void this.#untilConfirmed(deadlineMs)
      return
    }
    const follower = new Follower({
      volume: opened.volume,
      from: late.from,
      isConnected: opened.isConnected,
      isBehind: late.from.seq < opened.snapshot.seq,
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
    late.follower = follower
    if (!opened.isConnected) served.setFollowing(false)
    follower.start()
    lifetime.defer(() => follower.close()).catch(() => undefined)
  }

  flush(options: PublishingWait = {}): Promise<void> {
    return this.#parts.publishing?.flush(options) ?? Promise.resolve()
  }

  leave(): void {
    this.#parts.publishing?.leave()
  }

  async status(): Promise<MountStatus> {
    const { options, opened, served, publishing, late, fetcher, clock } = this.#parts
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
      isReadOnly: publishing === undefined,
      isEnding: late.isUnmounted,
      writing: publishing === undefined ? undefined : writingStatus(options),
      publishing: publishing?.status,
      metadata: opened.metadata.stats,
      requests: served.requestCounts(),
      fetch: fetcher.stats,
      fileSystem,
    }
  }

  prepareEnd(ending: Ending): void {
    this.#parts.publishing?.prepareEnd(ending)
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
    const unpublished = this.#parts.publishing?.unpublished
    await this.#parts.lifetime.dispose().catch((failure: unknown) => this.#parts.log.warn(messageOf(failure)))
    return error === undefined ? { kind: 'unmounted', unpublished } : { kind: 'failed', error }
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
