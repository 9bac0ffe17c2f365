/**
 * A mount with its control socket, from start to end. Shared by `mount` and `start`.
 */
import path from 'node:path'
import type { Logger } from '../../shared/log.ts'
import type { Settings } from '../config.ts'
import type { MountDaemon, MountEnd } from '../daemon/mount-options.ts'
import type { VolumeSource } from '../volume/mounted-volume.ts'
import { openEdgeClient } from './edge-client.ts'
import { type ExitCode, exitCode } from './exit-code.ts'
import { amountText, keptText, leftOf, LeftMeter } from './left.ts'
import { startControl } from './mount-control.ts'
import type { OpenPlace } from './open.ts'
import { plainText, type Terminal } from './terminal.ts'
import { authorName } from './user.ts'
import { untilInterrupted } from './wait.ts'

export interface MountRequest {
  readonly opened: OpenPlace
  readonly directory: string
  readonly settings: Pick<
    Settings,
    | ('read-only' | 'durability' | 'write-back-delay' | 'coherence' | 'author' | 'wait' | 'quiet' | 'json')
    | ('cache' | 'cache-bytes' | 'cache-free-bytes' | 'allow-other' | 'deadline' | 'poll' | 'driver' | 'passthrough')
  >
  /** Its signal gives the start up, and later ends the mount. */
  readonly terminal: Terminal
  /** HTTP address of the edge in this process, for `status`. */
  readonly url: string | undefined
  readonly log: Logger
}

export interface Mounting {
  /** Real path of the mount point. */
  readonly directory: string
  /** The commit that is shown. */
  readonly seq: number
  /** Until somebody unmounts it, or the terminal's signal fires and it is unmounted here, and what was left is published or kept. Throws when it could not go on. */
  ended(): Promise<ExitCode>
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
    signal: request.terminal.signal,
    log,
  })
  const ending = { waitMs: settings.wait }
  daemon.prepareEnd(ending)
  const control = await startControl({ daemon, url: request.url, ending, environment: request.terminal.environment, log })
  const { seq, isReadOnly } = await daemon.status()
  const ended = async (): Promise<ExitCode> => {
    try {
      return await untilEnded(daemon, request, isReadOnly)
    } finally {
      await control?.close()
    }
  }
  return { directory: daemon.directory, seq, ended }
}

async function untilEnded(daemon: MountDaemon, { settings, terminal }: MountRequest, isReadOnly: boolean): Promise<ExitCode> {
  // A second Ctrl-C ends a read-only mount at once, as any command.
  if (!isReadOnly) terminal.onHurry(() => daemon.leave())
  const asked = untilInterrupted(terminal.signal).then(() => daemon.close())
  await Promise.race([daemon.ended, daemon.unmounted, asked])
  const end = await (isReadOnly ? daemon.ended : publishRest(daemon, settings, terminal))
  if (end.kind === 'failed') throw end.error
  if (end.unpublished === undefined) return exitCode.ok
  const text = settings.json ? JSON.stringify({ unpublished: end.unpublished }) : plainText(keptText(end.unpublished), terminal.remarks)
  await terminal.remarks.write(`${text}\n`)
  return exitCode.kept
}

async function publishRest(daemon: MountDaemon, settings: MountRequest['settings'], terminal: Terminal): Promise<MountEnd> {
  const isQuiet = settings.quiet || settings.json
  const left = leftOf(await daemon.status())
  if (!isQuiet && terminal.signal.aborted && left !== undefined && left.changeCount > 0) {
    await terminal.remarks.write(`Publishing ${amountText(left)}. Ctrl-C again leaves at once, and keeps the rest for the next mount.\n`)
  }
  const meter = new LeftMeter(terminal, isQuiet, () => daemon.status())
  try {
    return await daemon.ended
  } finally {
    await meter.stop()
  }
}

/** An edge announces commits; in a store the log is looked at. */
function sourceOf({ place, store }: OpenPlace, deadlineMs: number): VolumeSource {
  if (!place.source.startsWith('http')) return { store, label: store.label, tierName: 'store' }
  const client = openEdgeClient(place, deadlineMs)
  return { store, label: store.label, tierName: 'edge', events: (request) => client.events(request) }
}
