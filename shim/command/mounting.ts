/**
 * A mount with its control socket, from start to end. Shared by `mount` and `start`.
 */
import path from 'node:path'
import { EdgemountError, messageOf } from '../../shared/error.ts'
import type { Logger } from '../../shared/log.ts'
import { ControlServer } from '../control/control-server.ts'
import type { ControlRequest } from '../control/messages.ts'
import { prepareSocketDirectory, socketDirectory, socketPath } from '../control/socket-directory.ts'
import type { Settings } from '../config.ts'
import type { MountDaemon } from '../daemon/mount-options.ts'
import { unmount } from '../fuse/unmount.ts'
import { openEdgeClient } from './edge-client.ts'
import type { OpenPlace } from './open.ts'
import type { VolumeSource } from '../volume/mounted-volume.ts'
import { authorName, userId } from './user.ts'
import { untilInterrupted } from './wait.ts'

export interface MountRequest {
  readonly opened: OpenPlace
  readonly directory: string
  readonly settings: Pick<
    Settings,
    | ('read-only' | 'durability' | 'write-back-delay' | 'coherence' | 'author')
    | ('cache' | 'cache-bytes' | 'cache-free-bytes' | 'allow-other' | 'deadline' | 'poll' | 'driver' | 'passthrough')
  >
  readonly environment: Readonly<Record<string, string | undefined>>
  /** HTTP address of the edge in this process, for `status`. */
  readonly url: string | undefined
  /** Gives the start up. */
  readonly signal: AbortSignal
  readonly log: Logger
}

export interface Mounting {
  /** Real path of the mount point. */
  readonly directory: string
  /** The commit that is shown. */
  readonly seq: number
  /** Until somebody unmounts it, or the signal fires and it is unmounted here. Throws when it could not go on. */
  ended(signal: AbortSignal): Promise<void>
}

/** Resolves when the mount answers. */
export async function startMounting(request: MountRequest): Promise<Mounting> {
  const { opened, settings, log } = request
  // Loaded when a mount is wanted: most commands end sooner than this takes.
  const { startMount } = await import('../daemon/mount-daemon.ts')
  const daemon = await startMount({
    source: sourceOf(opened, settings.deadline),
    directory: request.directory,
    seq: opened.place.seq,
    isReadOnly: settings['read-only'],
    durability: settings.durability,
    writeBackDelayMs: settings['write-back-delay'],
    coherence: settings.coherence,
    author: settings.author ?? authorName(),
    cacheDirectory: settings.cache === undefined ? undefined : path.resolve(settings.cache),
    cacheBytesMax: settings['cache-bytes'],
    freeBytesMin: settings['cache-free-bytes'],
    driver: settings.driver,
    wantsPassthrough: settings.passthrough === 'auto',
    allowOther: settings['allow-other'],
    deadlineMs: settings.deadline,
    pollMs: settings.poll,
    signal: request.signal,
    log,
  })
  const control = await startControl(daemon, request)
  const ended = async (signal: AbortSignal): Promise<void> => {
    const asked = untilInterrupted(signal).then(() => daemon.close())
    try {
      await Promise.race([daemon.ended, asked])
      const end = await daemon.ended
      if (end.kind === 'failed') throw end.error
    } finally {
      await control?.close()
    }
  }
  return { directory: daemon.directory, seq: (await daemon.status()).seq, ended }
}

/** An edge announces commits; in a store the log is looked at. */
function sourceOf({ place, store }: OpenPlace, deadlineMs: number): VolumeSource {
  if (!place.source.startsWith('http')) return { store, label: store.label, tierName: 'store' }
  const client = openEdgeClient(place, deadlineMs)
  return { store, label: store.label, tierName: 'edge', events: (request) => client.events(request) }
}

/** A mount works without its control socket; only `status` and `umount` know less of it. */
async function startControl(daemon: MountDaemon, { environment, url, log }: MountRequest): Promise<ControlServer | undefined> {
  try {
    const directory = socketDirectory(environment, userId())
    prepareSocketDirectory(directory, userId())
    return await ControlServer.start(socketPath(directory, daemon.directory), (request) => answer(daemon, url, request))
  } catch (error) {
    log.warn(`"${daemon.directory}" is mounted, but has no control socket: ${messageOf(error)}`)
    return undefined
  }
}

async function answer(daemon: MountDaemon, url: string | undefined, request: ControlRequest): Promise<unknown> {
  if (request.command === 'status') return { ...(await daemon.status()), url: url ?? null }
  if (request.isForced) await daemon.close()
  else if ((await unmount(daemon.directory, { isLazy: false })) === 'busy') throw busyError(daemon.directory)
  await daemon.ended
  return { directory: daemon.directory }
}

export function busyError(directory: string): EdgemountError {
  return new EdgemountError(
    'conflict',
    `Cannot unmount "${directory}": it is in use. Close what is open there (fuser -vm ${directory} tells), or detach it with --force`,
  )
}
