/** `edgemount mount`: a volume as a folder. */
import { codeOf, EdgemountError } from '../../shared/error.ts'
import { percentEncodePath, rootPath } from '../../shared/path.ts'
import { settingOf } from '../config.ts'
import { parseServe } from './address.ts'
import { defineCommand, required, type Call } from './command.ts'
import { announceReady, startDetached } from './detach.ts'
import { openObjectStore, type RunningEdge, startEdge } from './edge-process.ts'
import type { ExitCode } from './exit-code.ts'
import { loggerOf } from './logger.ts'
import { type Mounting, startMounting } from './mounting.ts'
import { openPlace, type OpenPlace, requireVolume } from './open.ts'
import { keysOf } from './secrets.ts'
import { openSettings } from './session.ts'
import { jsonText } from './terminal.ts'
import { inSource } from './target.ts'

const mountSettings = [
  ...['read-only', 'durability', 'write-back-delay', 'coherence', 'wait', 'author', 'serve', 'open', 'cache', 'cache-bytes', 'cache-free-bytes', 'driver', 'passthrough'] as const,
  ...['allow-other', 'deadline', 'poll', 'foreground', 'daemon', 'log-file'] as const,
] as const
type MountCall = Call<(typeof mountSettings)[number]>

export const mountCommand = defineCommand({
  name: 'mount',
  summary: 'Mount a volume as a folder.',
  parameters: [
    { name: 'source/volume', help: 'for example http://127.0.0.1:8787/photos or dir:./data/photos; @<seq> shows that commit for ever' },
    { name: 'folder', help: 'an empty folder' },
  ],
  settings: mountSettings,
  details:
    'What is written is kept on this machine at once and published as commits, some seconds later; with a store that is away, later. Commits made elsewhere show within a second. A mount of a store also serves its files over HTTP, unless --serve is off. Ctrl-C publishes what is left and unmounts, and so does `edgemount umount <folder>`; a second Ctrl-C leaves at once, and the next mount with the same cache publishes it. `edgemount status` says what waits. Root mounts directly, others need fusermount3 (package fuse3).',
  examples: [
    ['edgemount mount http://127.0.0.1:8787/photos ~/photos', 'From an edge.'],
    ['edgemount mount dir:./data/photos ./mnt --serve off', 'Straight from a store, without HTTP.'],
    ['edgemount mount s3://my-bucket/photos ./mnt', 'Out of a bucket, with the credentials of the AWS command line.'],
    ['edgemount mount dir:./data/photos@12 ./old --daemon', 'As commit 12 left it, in the background.'],
  ],
  run: async (call) => {
    if (call.settings.daemon) return await startDetached(call.terminal, call.settings['log-file'], required(call, 1))
    const opened = await openPlace(required(call, 0), openSettings(call))
    try {
      const { place } = opened
      if (place.path !== rootPath) throw new EdgemountError('unsupported', `Cannot mount "${required(call, 0)}": only whole volumes can be mounted. Mount ${inSource(place.source, place.volume)}`)
      await requireVolume(opened, call.terminal.signal)
      return await serveAndMount(call, opened)
    } finally {
      await opened.close()
    }
  },
})

async function serveAndMount(call: MountCall, opened: OpenPlace): Promise<ExitCode> {
  const log = loggerOf(call)
  const { settings, terminal } = call
  const address = opened.place.source.startsWith('http') ? undefined : parseServe(settings.serve, String(settingOf('serve').default))
  const whole = address === undefined ? undefined : await openObjectStore(opened.place.source)
  try {
    const edge = whole === undefined || address === undefined ? undefined : await startEdge(whole.store, address, log, { isReadOnly: settings['read-only'] || opened.place.seq !== undefined, keys: keysOf(terminal), isOpen: settings.open })
    try {
      const mounting = await startMounting({ opened, directory: required(call, 1), settings, terminal, url: edge?.url, log })
      await sayReady(call, opened, mounting, edge)
      announceReady()
      return await mounting.ended()
    } finally {
      await edge?.close()
    }
  } finally {
    await whole?.dispose()
  }
}

async function sayReady({ settings, terminal }: MountCall, { place, store }: OpenPlace, mounting: Mounting, edge: RunningEdge | undefined): Promise<void> {
  if (settings.json) {
    const ready = { directory: mounting.directory, volume: place.volume, source: place.source, seq: mounting.seq, url: edge?.url ?? null, pid: process.pid }
    await terminal.output.write(jsonText(ready, terminal.output))
    return
  }
  const below = place.seq === undefined ? 'files' : `@${place.seq}`
  const served = edge === undefined ? '' : `Serving ${edge.url}/v1/${place.volume}/${below}${percentEncodePath('/')}\n`
  await terminal.output.write(`Mounted ${store.label} on ${mounting.directory} (commit ${mounting.seq})\n${served}`)
}

/** A mount is not possible here at all, whatever folder and volume are asked for. */
export function isImpossible(error: unknown): boolean {
  return codeOf(error) === 'unsupported' || codeOf(error) === 'denied'
}
