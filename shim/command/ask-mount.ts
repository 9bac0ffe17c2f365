/**
 * Asks a mount of this user over its control socket for what may take long, with a bar meanwhile. Used by `flush` and `umount`.
 */
import { systemClock, systemMonotonicMs } from '../../shared/clock.ts'
import { EdgemountError } from '../../shared/error.ts'
import type { Settings } from '../config.ts'
import { askControl } from '../control/control-client.ts'
import type { ControlRequest } from '../control/messages.ts'
import { socketDirectory, socketPath } from '../control/socket-directory.ts'
import { LeftMeter } from './left.ts'
import type { Terminal } from './terminal.ts'
import { userId } from './user.ts'

const statusMs = 5000
/** A mount may be busy, and its disk slow. */
const silenceMsMax = 60_000

export interface MountCaller {
  readonly settings: Pick<Settings, 'json' | 'quiet'>
  readonly terminal: Terminal
}

export function socketOf(directory: string, { environment }: Terminal): string {
  return socketPath(socketDirectory(environment, userId()), directory)
}

/** The status of the mount at a real path; undefined when nobody answers there. */
export async function askStatus(directory: string, terminal: Terminal): Promise<unknown> {
  return (await askControl(systemClock, socketOf(directory, terminal), { command: 'status' }, statusMs, terminal.signal))?.answer
}

/** However long it takes, as long as the mount says how it goes on. Undefined when nobody answers there. Ctrl-C gives the answer up. */
export async function askPatiently(directory: string, request: ControlRequest, { settings, terminal }: MountCaller): Promise<{ readonly answer: unknown } | undefined> {
  const silence = new AbortController()
  let heardMs = systemMonotonicMs()
  const look = async (): Promise<unknown> => {
    try {
      const status = await askStatus(directory, terminal)
      heardMs = systemMonotonicMs()
      return status
    } catch (error) {
      if (systemMonotonicMs() - heardMs > silenceMsMax) silence.abort(new EdgemountError('unavailable', `Cannot wait for the mount "${directory}": it has not answered for a minute`))
      throw error
    }
  }
  const meter = new LeftMeter(terminal, settings.quiet || settings.json, look)
  try {
    return await askControl(systemClock, socketOf(directory, terminal), request, Infinity, AbortSignal.any([terminal.signal, silence.signal]))
  } finally {
    await meter.stop()
  }
}
