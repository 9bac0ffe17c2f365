/**
 * What a mount answers over its control socket, in its own process.
 */
import { EdgemountError, messageOf } from '../../shared/error.ts'
import type { Logger } from '../../shared/log.ts'
import { ControlServer } from '../control/control-server.ts'
import type { ControlRequest, UmountRequest } from '../control/messages.ts'
import { prepareSocketDirectory, socketDirectory, socketPath } from '../control/socket-directory.ts'
import type { MountDaemon } from '../daemon/mount-options.ts'
import type { Ending } from '../daemon/publishing.ts'
import { unmount } from '../fuse/unmount.ts'
import { userId } from './user.ts'

export interface MountControlParts {
  readonly daemon: MountDaemon
  /** HTTP address of the edge in this process, for `status`. */
  readonly url: string | undefined
  /** What becomes of what is left, unless somebody says otherwise. */
  readonly ending: Ending
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly log: Logger
}

/** A mount works without its control socket; only `status`, `flush` and `umount` know less of it. */
export async function startControl(parts: MountControlParts): Promise<ControlServer | undefined> {
  const { daemon, environment, log } = parts
  try {
    const directory = socketDirectory(environment, userId())
    prepareSocketDirectory(directory, userId())
    const server = await ControlServer.start(socketPath(directory, daemon.directory), (request) => answer(parts, request, () => server.withdraw()))
    return server
  } catch (error) {
    log.warn(`"${daemon.directory}" is mounted, but has no control socket: ${messageOf(error)}`)
    return undefined
  }
}

async function answer({ daemon, url, ending }: MountControlParts, request: ControlRequest, withdraw: () => void): Promise<unknown> {
  if (request.command === 'status') return { ...(await daemon.status()), url: url ?? null }
  if (request.command === 'umount') return await end(daemon, ending, request, withdraw)
  await daemon.flush({ waitMs: request.waitMs })
  const { seq, publishing } = await daemon.status()
  // The newest commit may not be shown yet.
  return { directory: daemon.directory, seq: Math.max(seq, publishing?.publishedSeq ?? 0) }
}

/** The answer comes when everything is published that will be, and the folder is no mount for who asks next. */
async function end(daemon: MountDaemon, ending: Ending, { isForced, discards, waitMs = ending.waitMs }: UmountRequest, withdraw: () => void): Promise<unknown> {
  daemon.prepareEnd({ discards, waitMs })
  if (isForced) await daemon.close()
  else if ((await unmount(daemon.directory, { isLazy: false })) === 'busy') {
    daemon.prepareEnd(ending)
    throw busyError(daemon.directory)
  }
  const ended = await daemon.ended
  withdraw()
  return { directory: daemon.directory, unpublished: (ended.kind === 'unmounted' ? ended.unpublished : undefined) ?? null }
}

export function busyError(directory: string): EdgemountError {
  return new EdgemountError(
    'conflict',
    `Cannot unmount "${directory}": it is in use. Close what is open there (fuser -vm ${directory} tells), or detach it with --force`,
  )
}
