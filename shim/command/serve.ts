/** `edgemount serve`: an edge over a store, until Ctrl-C. */
import path from 'node:path'
import { Metrics } from '../../shared/metrics.ts'
import { defineCommand, required } from './command.ts'
import { openEdgeCache, openObjectStore, startEdge } from './edge-process.ts'
import { exitCode } from './exit-code.ts'
import { loggerOf } from './logger.ts'
import { keysOf } from './secrets.ts'
import { requireStoreFolder } from './store-folder.ts'
import { jsonText } from './terminal.ts'
import { untilInterrupted } from './wait.ts'

export const serveCommand = defineCommand({
  name: 'serve',
  summary: 'Serve the volumes of a store over HTTP.',
  parameters: [{ name: 'store', help: 'for example dir:./data, s3://bucket/prefix or az://account/container' }],
  without: ['token'],
  settings: ['port', 'host', 'host-name', 'open', 'token-rate', 'anonymous-rate', 'upload-bytes', 'memory-cache-bytes', 'cache', 'cache-bytes'],
  ownHelp: { cache: 'Where what was read lately is kept on disk, in `edge` below it. Without it that is kept in memory alone. Best on a local SSD.' },
  details: 'Each volume is at /v1/<volume>/files/, for browsers and every client that reads ranges; / lists the addresses. With a secret in EDGEMOUNT_SECRETS nobody is let in without a token (see `edgemount token`); without one whoever reaches the port may read and write, so it listens on this machine alone unless --open is given.',
  examples: [
    ['edgemount serve dir:./data', 'On http://127.0.0.1:8787.'],
    ['EDGEMOUNT_SECRETS=k1:… edgemount serve dir:/srv/data --host 0.0.0.0 --port 80', 'For a whole network, for who has a token.'],
    ['edgemount serve az://account/container', 'With AZURE_STORAGE_KEY in the environment.'],
    ['edgemount serve s3://my-bucket --cache /var/cache/edgemount --cache-bytes 50GiB', 'What was read lately is on this disk, also after a restart.'],
    ['edgemount serve dir:/srv/data --host-name photos.example', 'Behind a proxy on this machine that passes its own name on.'],
  ],
  run: async (call) => {
    const { settings, terminal } = call
    const keys = keysOf(terminal)
    await requireStoreFolder(required(call, 0), `serve "${required(call, 0)}"`)
    const metrics = new Metrics()
    const log = loggerOf(call)
    const opened = await openObjectStore(required(call, 0), metrics)
    try {
      const { store } = opened
      const directory = settings.cache === undefined ? undefined : path.resolve(settings.cache, 'edge')
      const cache = await openEdgeCache({ memoryBytesMax: settings['memory-cache-bytes'], directory, diskBytesMax: settings['cache-bytes'], metrics, log })
      const address = { host: settings.host, hostNames: settings['host-name'], port: settings.port, isNextTaken: false }
      const limits = { tokenRate: settings['token-rate'], anonymousRate: settings['anonymous-rate'], uploadBytesMax: settings['upload-bytes'] }
      const edge = await startEdge(store, address, log, { cache: cache.cache, metrics, keys, isOpen: settings.open, ...limits })
      try {
        const line = `Serving ${store.label} at ${edge.url}${keys === undefined ? '' : ', for who has a token'}\n`
        await terminal.output.write(settings.json ? jsonText({ url: edge.url, store: store.label, pid: process.pid }, terminal.output) : line)
        await untilInterrupted(terminal.signal)
      } finally {
        await edge.close()
        await cache.close()
      }
      return exitCode.ok
    } finally {
      await opened.dispose()
    }
  },
})
