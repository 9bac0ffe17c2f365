/**
 * The parts of a mount that live on the file-system thread, put together: handler, open files, cache, and what waits to be published. The portable driver has
 * them on the main thread.
 */
import { systemClock, systemMonotonicMs } from '../../shared/clock.ts'
import type { Logger } from '../../shared/log.ts'
import { systemRandom } from '../../shared/random.ts'
import { fileIdsFrom } from '../../shared/volume/file-id.ts'
import type { ReadCounts } from '../fs/cached-bodies.ts'
import type { CacheStats } from '../cache/cache.ts'
import type { WaitingFile } from '../changes/pending.ts'
import type { ToChanges, ToPublisher } from '../changes/publishing.ts'
import type { Backend } from '../fs/backend.ts'
import { type HandlerStatus, VolumeHandler, type Writing } from '../fs/volume-handler.ts'
import type { JournalStatus } from '../journal/journal.ts'
import { coarseRealTime } from '../sys/real-time.ts'
import { ChangesDesk } from './changes-desk.ts'
import { type LocalState, closeLocalState } from './local-state.ts'
import type { Base, FileSystemSettings } from './file-system-settings.ts'
import type { Recovered } from './opened-journal.ts'
import { RemotePublishing } from './remote-publishing.ts'

/** A backend that says how many requests are under way. */
export type CountingBackend = Backend & { readonly requestCount: number }

export interface FileSystemStatus extends HandlerStatus {
  /** Requests to the network thread under way. */
  readonly requestCount: number
  readonly cacheDirectory: string | undefined
  readonly cache: CacheStats | undefined
  readonly reads: ReadCounts
  readonly journal: JournalStatus | undefined
  /** Bytes on disk of what is not published. */
  readonly localBytes: number
  /** Files whose content waits to be published, the first hundred. */
  readonly waiting: readonly WaitingFile[]
  /** What the journal had at the start; undefined: nothing. */
  readonly recovered: Recovered | undefined
}

export interface FileSystem {
  readonly handler: VolumeHandler
  /** What the publisher says. */
  receive(message: ToChanges): void
  /** To be called at least every 250 ms. Gives in how many milliseconds it wants to be called again. */
  tick(): number
  /** Tells the publisher how much waits, first. */
  status(): FileSystemStatus
  /** `discards`: what is not published is dropped for ever. */
  close(discards: boolean): void
}

export interface FileSystemParts {
  readonly backend: CountingBackend
  readonly local: LocalState
  /** The snapshot to begin with. */
  readonly base: Base
  readonly log: Logger
  /** To the publisher. */
  readonly onPublishing: (message: ToPublisher) => void
  /** The mount answers from now on. */
  readonly onStart: () => void
}

/** Between two ticks: while there is more to do, and otherwise. */
const busyTickMs = 20
const idleTickMs = 250
const waitingListedMax = 100

export function createFileSystem(settings: FileSystemSettings, { backend, local, base, log, onPublishing, onStart }: FileSystemParts): FileSystem {
  const { cache, published, writing } = local
  const publishing = new RemotePublishing(onPublishing)
  const changes = writing?.recover(base.seq)
  const handler = new VolumeHandler({
    root: base.root,
    seq: base.seq,
    isFixed: settings.isFixed,
    backend,
    bodies: published,
    writing: writing === undefined || changes === undefined ? undefined : { changes, bodies: writing.bodies, newId: fileIdsFrom(systemRandom), now: coarseRealTime, ...promisesOf(settings, publishing) },
    log,
    onStart,
  })
  if (writing !== undefined) writing.isOpen = (id) => handler.isOpenForWriting(id)
  const desk = changes === undefined ? undefined : new ChangesDesk({ changes, now: systemMonotonicMs, send: onPublishing, onPublished: (message) => handler.published(message) })
  return {
    handler,
    receive: (message) => {
      if (!publishing.receive(message)) desk?.receive(message)
    },
    tick: () => {
      const isBusy = handler.tick(systemMonotonicMs())
      const cacheMs = cache?.tick() ?? idleTickMs
      const isWriting = writing?.tick(systemClock.now()) === true
      desk?.tick()
      return isBusy || isWriting ? busyTickMs : Math.min(cacheMs, idleTickMs)
    },
    status: () => {
      desk?.tell()
      return {
        ...handler.status,
        requestCount: backend.requestCount,
        cacheDirectory: local.directory,
        cache: cache?.stats,
        reads: published.reads,
        journal: writing?.journal.status,
        localBytes: writing?.bodies.dirtyBytes ?? 0,
        waiting: changes?.waiting(waitingListedMax) ?? [],
        recovered: writing?.recovered,
      }
    },
    close: (discards) => closeLocalState(local, discards),
  }
}

function promisesOf({ writing, cacheBytesMax }: FileSystemSettings, publishing: RemotePublishing): Pick<Writing, 'promises' | 'dirtyBytesMax'> {
  if (writing === undefined) return {}
  const { durability, coherence, dirtyBytesMax } = writing
  // What waits shares the budget with what is cached.
  return { promises: { publishing, isCloud: durability === 'cloud', isStrict: coherence === 'strict' }, dirtyBytesMax: Math.min(dirtyBytesMax, cacheBytesMax) }
}
