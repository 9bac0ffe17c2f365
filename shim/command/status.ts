/** `edgemount status`: the mounts of this user. */
import { codeOf, messageOf, EdgemountError } from '../../shared/error.ts'
import { untilAborted } from '../../shared/abort.ts'
import { systemClock } from '../../shared/clock.ts'
import { systemRandom } from '../../shared/random.ts'
import { askControl, listSockets } from '../control/control-client.ts'
import { socketDirectory, socketPath } from '../control/socket-directory.ts'
import { readMountTable } from '../fuse/mount-table.ts'
import { defineCommand } from './command.ts'
import { type ExitCode, exitCode } from './exit-code.ts'
import { findMountPoint } from './mount-point.ts'
import { statusText } from './status-text.ts'
import { serveStatus } from './status-web.ts'
import { jsonText, plainText, type Terminal } from './terminal.ts'
import { userId } from './user.ts'

const statusMs = 5000

export const statusCommand = defineCommand({
  name: 'status',
  summary: 'Say what is mounted, and how it does.',
  parameters: [{ name: 'folder', help: 'one mount only', isOptional: true }],
  without: ['token'],
  settings: ['long', 'web'],
  details:
    'What waits is on this machine alone until it is published: how much, for how long, how fast it goes and what is in the way. A conflict is a file that was changed here and elsewhere: both versions are kept. --long names each file that waits, and why; --json says everything (shim/METRICS.md).',
  examples: [
    ['edgemount status', 'All mounts of this user.'],
    ['edgemount status --long ~/photos', 'With each file that waits to be published.'],
    ['edgemount status --json ~/photos', 'Everything about one, for a script.'],
    ['edgemount status --web', 'Live charts in a browser: open the address that is printed.'],
  ],
  run: async ({ settings, parameters, terminal }) => {
    const folder = parameters[0]
    const look = async (): Promise<readonly unknown[]> => (folder === undefined ? await askAll(terminal) : [await askOne(folder, terminal)])
    if (settings.web) return await showPage(look, settings.json, terminal)
    const statuses = await look()
    const silent = statuses.flatMap((status) => (status instanceof SilentMount ? [status] : []))
    const answers = statuses.filter((status) => !(status instanceof SilentMount))
    if (settings.json) await terminal.output.write(jsonText({ mounts: statuses }, terminal.output))
    else if (statuses.length === 0) await terminal.output.write('Nothing is mounted.\n')
    else await terminal.output.write(answers.map((status) => statusText(status, settings.long, terminal.output)).join('\n'))
    if (!settings.json) for (const { error } of silent) await terminal.remarks.write(`${plainText(error.message, terminal.remarks)}\n`)
    return silent.length === 0 ? exitCode.ok : exitCode.unavailable
  },
})

/** Until Ctrl-C; the page asks once a second. */
async function showPage(look: () => Promise<readonly unknown[]>, isJson: boolean, terminal: Terminal): Promise<ExitCode> {
  const web = await serveStatus({ look, clock: systemClock, random: systemRandom })
  try {
    if (isJson) await terminal.output.write(jsonText({ url: web.url }, terminal.output))
    else await terminal.output.write(`${web.url}\nOpen it in a browser of this machine: only there it can be reached, and only by who knows it. Ctrl-C ends it.\n`)
    await untilAborted(new Promise<never>(() => undefined), terminal.signal).catch(() => undefined)
  } finally {
    await web.close()
  }
  return exitCode.ok
}

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
