/** `edgemount status`: the mounts of this user. */
import { codeOf, messageOf, EdgemountError } from '../../shared/error.ts'
import { systemClock } from '../../shared/clock.ts'
import { askControl, listSockets } from '../control/control-client.ts'
import { socketDirectory, socketPath } from '../control/socket-directory.ts'
import { readMountTable } from '../fuse/mount-table.ts'
import { defineCommand } from './command.ts'
import { exitCode } from './exit-code.ts'
import { findMountPoint } from './mount-point.ts'
import { statusText } from './status-text.ts'
import { jsonText, plainText, type Terminal } from './terminal.ts'
import { userId } from './user.ts'

const statusMs = 5000

export const statusCommand = defineCommand({
  name: 'status',
  summary: 'Say what is mounted, and how it does.',
  parameters: [{ name: 'folder', help: 'one mount only', isOptional: true }],
  without: ['token'],
  settings: ['long'],
  details:
    'What waits is on this machine alone until it is published: how much, for how long, how fast it goes and what is in the way. A conflict is a file that was changed here and elsewhere: both versions are kept. --long names each file that waits, and why; --json says everything (shim/METRICS.md).',
  examples: [
    ['edgemount status', 'All mounts of this user.'],
    ['edgemount status --long ~/photos', 'With each file that waits to be published.'],
    ['edgemount status --json ~/photos', 'Everything about one, for a script.'],
  ],
  run: async ({ settings, parameters, terminal }) => {
    const folder = parameters[0]
    const statuses = folder === undefined ? await askAll(terminal) : [await askOne(folder, terminal)]
    const silent = statuses.flatMap((status) => (status instanceof SilentMount ? [status] : []))
    const answers = statuses.filter((status) => !(status instanceof SilentMount))
    if (settings.json) await terminal.output.write(jsonText({ mounts: statuses }, terminal.output))
    else if (statuses.length === 0) await terminal.output.write('Nothing is mounted.\n')
    else await terminal.output.write(answers.map((status) => statusText(status, settings.long, terminal.output)).join('\n'))
    if (!settings.json) for (const { error } of silent) await terminal.remarks.write(`${plainText(error.message, terminal.remarks)}\n`)
    return silent.length === 0 ? exitCode.ok : exitCode.unavailable
  },
})

/** A mount that does not answer as it should; as JSON it is an entry like the others. */
class SilentMount {
  /** Null when only its socket is known. */
  readonly directory: string | null
  readonly error: { readonly code: string; readonly message: string }

  constructor(socket: string, directory: string | undefined, cause: unknown) {
    this.directory = directory ?? null
    const name = directory === undefined ? `behind "${socket}"` : `"${directory}"`
    this.error = { code: codeOf(cause), message: `Cannot ask the mount ${name}: ${messageOf(cause)}` }
  }
}

async function askOne(folder: string, terminal: Terminal): Promise<unknown> {
  const { directory } = await findMountPoint(folder)
  const asked = await ask(socketPath(socketDirectory(terminal.environment, userId()), directory), directory)
  if (asked === undefined) throw new EdgemountError('not-found', `Cannot say the status of "${folder}": no mount of this user answers there`)
  return asked.answer
}

/** A mount that does not answer is told as such; the others still are. */
async function askAll(terminal: Terminal): Promise<readonly unknown[]> {
  const sockets = socketDirectory(terminal.environment, userId())
  const directories = new Map(readMountTable().map(({ mountPoint }) => [socketPath(sockets, mountPoint), mountPoint]))
  const asked = await Promise.all(listSockets(sockets).map((socket) => ask(socket, directories.get(socket))))
  return asked.filter((each) => each !== undefined).map(({ answer }) => answer)
}

/** Undefined when nobody is there. */
async function ask(socket: string, directory: string | undefined): Promise<{ readonly answer: unknown } | undefined> {
  try {
    return await askControl(systemClock, socket, { command: 'status' }, statusMs)
  } catch (error) {
    return { answer: new SilentMount(socket, directory, error) }
  }
}
