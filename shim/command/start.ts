/**
 * `edgemount start`, which `npm start` runs: a folder becomes a volume, an address and a mount, with nothing to set up.
 */
import path from 'node:path'
import { systemClock } from '../../shared/clock.ts'
import { messageOf } from '../../shared/error.ts'
import { settingOf } from '../config.ts'
import { prepareMountPoint } from '../fuse/mount-point.ts'
import { failure } from '../sys/failure.ts'
import { makeDirectories } from '../sys/make-directories.ts'
import { nameOf } from '../upload/local-path.ts'
import { parseServe } from './address.ts'
import { type Call, defineCommand } from './command.ts'
import { openObjectStore, type RunningEdge, startEdge } from './edge-process.ts'
import { type ExitCode, exitCode } from './exit-code.ts'
import { findFolder, protectedPathsFor } from './local-folder.ts'
import { loggerOf } from './logger.ts'
import { isImpossible } from './mount.ts'
import { type Mounting, startMounting } from './mounting.ts'
import { openPlace } from './open.ts'
import { keysOf } from './secrets.ts'
import { withVolume } from './session.ts'
import { importForStart, type StartImport } from './start-import.ts'
import { jsonText } from './terminal.ts'
import { untilInterrupted } from './wait.ts'

const volume = 'demo'
const stateDirectory = '.edgemount'
const mountDirectory = 'mnt'
/** Of the project's own checkout these would only make the first look slow. */
const leftOutOfCheckout = ['/node_modules/', '/.git/', '/dist/']
const checkout = path.resolve(import.meta.dirname, '../..')

const startSettings = [
  ...['read-only', 'durability', 'write-back-delay', 'coherence', 'wait', 'serve', 'open', 'cache-bytes', 'cache-free-bytes', 'driver', 'passthrough', 'allow-other'] as const,
  ...['deadline', 'poll', 'exclude', 'checksum', 'mirror', 'jobs', 'author'] as const,
] as const
type StartCall = Call<(typeof startSettings)[number]>

export const startCommand = defineCommand({
  name: 'start',
  summary: 'Import a folder, serve it and mount it, here and now.',
  parameters: [{ name: 'folder', help: 'what to show; unless given, the checkout of edgemount itself without node_modules, .git and dist', isOptional: true }],
  without: ['token'],
  settings: startSettings,
  details: `Keeps everything in ./${stateDirectory}: the store, with the volume "${volume}", and the cache. Started again, it brings what changed in the folder since, in one commit with only what is new. What was written to the volume meanwhile, in ./${mountDirectory} or by another command, is never taken away by that: then the volume is shown as it is and the folder is not imported, unless --mirror is given. Serves on 127.0.0.1:8787 or the next free port, and mounts on ./${mountDirectory}; where FUSE is missing it only serves. ./${stateDirectory} and ./${mountDirectory} are never imported.`,
  examples: [
    ['edgemount start ~/photos', 'Your photos, at http://127.0.0.1:8787 and in ./mnt.'],
    ['npm start -- ~/photos', 'The same from a checkout.'],
  ],
  run: async (call) => {
    const { settings, terminal } = call
    const given = call.parameters[0]
    const state = path.resolve(stateDirectory)
    const directory = path.resolve(mountDirectory)
    const source = `dir:${path.join(state, 'store')}`
    const folder = await findFolder(given ?? checkout)
    makeFolders(state, directory)
    // An import may take long: whether its result can be mounted is better known before.
    await prepareMountPoint(directory, systemClock).catch((error: unknown) => {
      if (!isImpossible(error)) throw error
    })
    if (given === undefined && !settings.json) await say(call, `No folder was named: showing ${nameOf(folder)}, without node_modules, .git and dist.`)
    const code = await withVolume(
      `${source}/${volume}`,
      call,
      async (opened) => {
        const protectedPaths = await protectedPathsFor(source, [state, directory])
        const request = { opened, folder, protectedPaths, settings: importSettings(settings, given === undefined), terminal }
        return await importForStart({ request, stateDirectory: state, say: (line) => say(call, line) })
      },
      {},
    )
    const ended = await serveAndMount(call, { source, directory, cache: path.join(state, 'cache') })
    return ended === exitCode.ok ? code : ended
  },
})

function importSettings(settings: StartCall['settings'], isCheckout: boolean): StartImport['request']['settings'] {
  const exclude = isCheckout ? [...settings.exclude, ...leftOutOfCheckout] : settings.exclude
  return { ...settings, exclude, delete: true, 'one-file-system': false, 'dry-run': false, message: undefined }
}

function makeFolders(...directories: readonly string[]): void {
  for (const directory of directories) {
    try {
      makeDirectories(directory)
    } catch (error) {
      throw failure(`make the folder "${directory}"`, error, 'Start in a folder that you may write to')
    }
  }
}

interface Places {
  readonly source: string
  readonly directory: string
  readonly cache: string
}

async function serveAndMount(call: StartCall, { source, directory, cache }: Places): Promise<ExitCode> {
  const { settings, terminal } = call
  const log = loggerOf(call)
  const whole = await openObjectStore(source)
  const address = parseServe(settings.serve, String(settingOf('serve').default))
  const edge = address === undefined ? undefined : await startEdge(whole.store, address, log, { keys: keysOf(terminal), isOpen: settings.open })
  const opened = await openPlace(`${source}/${volume}`, { timeout: settings.timeout, signal: terminal.signal })
  try {
    if (edge !== undefined && address?.port !== 0 && edge.port !== address?.port) await say(call, `Port ${address?.port} is taken; serving on ${edge.port}.`)
    const mountRequest = { opened, directory, settings: { ...settings, cache }, terminal, url: edge?.url, log }
    const mounting = await startMounting(mountRequest).catch(async (error: unknown): Promise<undefined> => {
      if (!isImpossible(error) || edge === undefined) throw error
      await terminal.remarks.write(`${messageOf(error)}\nSo it is not mounted; everything is served over HTTP.\n`)
      return undefined
    })
    await sayReady(call, mounting, edge)
    if (mounting === undefined) {
      await untilInterrupted(terminal.signal)
      return exitCode.ok
    }
    const code = await mounting.ended()
    await say(call, `Unmounted ${directory}.`)
    return code
  } finally {
    await opened.close()
    await edge?.close()
    await whole.dispose()
  }
}

async function sayReady(call: StartCall, mounting: Mounting | undefined, edge: RunningEdge | undefined): Promise<void> {
  const { settings, terminal } = call
  const url = edge === undefined ? undefined : `${edge.url}/v1/${volume}/files/`
  if (settings.json) {
    await terminal.output.write(jsonText({ url: url ?? null, directory: mounting?.directory ?? null, seq: mounting?.seq ?? null, pid: process.pid }, terminal.output))
    return
  }
  const lines = ['']
  if (mounting !== undefined) lines.push(`  Folder   ${mounting.directory}`)
  if (edge !== undefined) lines.push(`  Address  ${url}`, `  Console  ${edge.url}/#/${volume}/`)
  lines.push('', 'To try:')
  if (mounting !== undefined) lines.push(`  ls -l ${mounting.directory}`)
  if (url !== undefined) lines.push(`  curl ${keysOf(terminal) === undefined ? '' : '-H "Authorization: Bearer $EDGEMOUNT_TOKEN" '}${url}`)
  lines.push(`  echo hello | npm run -s edgemount -- put - dir:${stateDirectory}/store/${volume}/hello.txt${mounting === undefined ? '' : `    # and look into ${mountDirectory}/`}`, '', 'Ctrl-C ends it.', '')
  await terminal.output.write(`${lines.join('\n')}\n`)
}

async function say(call: StartCall, line: string): Promise<void> {
  if (!call.settings.json) await call.terminal.output.write(`${line}\n`)
}
