/**
 * A whole edge on workerd for a test: Cloudflare's own server over its simulator of R2, with one volume that the test opens there, too. Requests go straight
 * to the socket of workerd that the Worker listens on, without what else the simulator puts before a Worker.
 */
import path from 'node:path'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { nodeHash } from '../../edge/node.ts'
import { type R2Bucket, R2Store } from '../../edge/store/r2.ts'
import { ScopedStore } from '../../edge/store/scoped.ts'
import { systemClock } from '../../shared/clock.ts'
import { Volume } from '../../shared/volume/volume.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { type EdgeUnderTest, edgeAt, volumeName } from './edge-under-test.ts'

const worker = path.resolve(import.meta.dirname, '../../edge/worker.ts')

/** Starting a server costs far more than starting one more Worker in it: tests that want an edge each share a few servers. */
const workersEach = 8
/** A server that nobody uses for so long ends; while tests follow each other it stays. */
const idleMs = 2000

interface Server {
  readonly miniflare: Miniflare
  /** Workers that no test had yet; each has a bucket of its own. */
  readonly unused: string[]
  usedCount: number
  ending: NodeJS.Timeout | undefined
}

/** By the bindings of their Workers. */
const servers = new Map<string, Promise<Server>>()
let script: Promise<string> | undefined
let edgeCount = 0

/** `bindings` are its variables and secrets; without one it lets everybody in. */
export async function startWorkerdEdge(bindings: Readonly<Record<string, string>> = { EDGEMOUNT_OPEN: '1' }): Promise<EdgeUnderTest> {
  const { server, name } = await takeWorker(bindings)
  const port = Number((await server.miniflare.unsafeGetDirectURL(name)).port)
  // The simulator's proxy of a bucket has the methods of the binding.
  const store = new R2Store((await server.miniflare.getR2Bucket('VOLUMES', name)) as unknown as R2Bucket, 'VOLUMES')
  // Of one server all Workers share a cache: no two volumes may have the same id.
  const random = new SeededRandom((edgeCount += 1))
  const engine = { store: new ScopedStore(store, volumeName), clock: systemClock, random, hash: nodeHash, author: 'test' }
  const volume = await Volume.create(engine, { name: volumeName })
  return edgeAt({ port, store, volume }, async () => {
    await volume.close()
    giveBack(server)
  })
}

async function takeWorker(bindings: Readonly<Record<string, string>>): Promise<{ server: Server; name: string }> {
  const key = JSON.stringify(bindings)
  for (;;) {
    const found = servers.get(key) ?? startServer(bindings)
    servers.set(key, found)
    const server = await found
    const name = server.unused.pop()
    if (name === undefined) {
      if (servers.get(key) === found) servers.delete(key)
      continue
    }
    server.usedCount += 1
    clearTimeout(server.ending)
    return { server, name }
  }
}

function giveBack(server: Server): void {
  server.usedCount -= 1
  if (server.usedCount > 0) return
  const end = (): void => {
    server.unused.length = 0
    void server.miniflare.dispose()
  }
  if (server.unused.length === 0) end()
  else server.ending = setTimeout(end, idleMs)
}

async function startServer(bindings: Readonly<Record<string, string>>): Promise<Server> {
  script ??= bundleWorker()
  const text = await script
  const names = Array.from({ length: workersEach }, (_, index) => `edge-${index}`)
  const workers = names.map((name) => ({
    name,
    modules: true,
    script: text,
    r2Buckets: { VOLUMES: name },
    bindings,
    compatibilityDate: '2026-10-01',
    unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
  }))
  const miniflare = new Miniflare(convertV4MiniflareOptions({ workers }))
  await miniflare.ready
  return { miniflare, unused: names, usedCount: 0, ending: undefined }
}

async function bundleWorker(): Promise<string> {
  const bundle = await build({ entryPoints: [worker], bundle: true, write: false, format: 'esm', platform: 'browser', conditions: ['worker', 'browser'], target: 'es2024' })
  return bundle.outputFiles[0]!.text
}
