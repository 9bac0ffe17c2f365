/**
 * A whole edge for a test: an app over a store in memory, listening on a free port, with one volume.
 */
import type { AccessSettings } from '../../edge/access/guard.ts'
import { createApp } from '../../edge/app.ts'
import type { ConsoleFiles } from '../../edge/console-files.ts'
import { nodeDigest } from '../../edge/http/node-digest.ts'
import { nodeBytesBody, nodeHash, serveNode } from '../../edge/node.ts'
import type { EdgeCache } from '../../edge/store/cache/edge-cache.ts'
import { MemoryStore } from '../../edge/store/memory.ts'
import { ScopedStore } from '../../edge/store/scoped.ts'
import { type Clock, systemClock } from '../../shared/clock.ts'
import type { Logger } from '../../shared/log.ts'
import { silentLogger } from '../../shared/log.ts'
import type { Metrics } from '../../shared/metrics.ts'
import type { ObjectStore } from '../../shared/store.ts'
import { type Engine, Volume } from '../../shared/volume/volume.ts'
import type { Operation } from '../../shared/volume/operation.ts'
import { type RawRequest, type RawResponse, rawRequest } from '../support/raw-http.ts'
import { SeededRandom } from '../support/seeded-random.ts'

export interface EdgeUnderTest {
  readonly url: string
  readonly port: number
  readonly store: ObjectStore
  /** As another process would have it: over the store, not through the edge. */
  readonly volume: Volume
  readonly raw: (request: RawRequest) => Promise<RawResponse>
  readonly fetch: (path: string, init?: RequestInit) => Promise<Response>
  commit(...operations: Operation[]): Promise<number>
  close(): Promise<void>
}

/** One that listens on this port. `close` ends all of it. */
export function edgeAt({ port, store, volume }: Pick<EdgeUnderTest, 'port' | 'store' | 'volume'>, close: () => Promise<void>): EdgeUnderTest {
  const url = `http://127.0.0.1:${port}`
  return {
    url,
    port,
    store,
    volume,
    raw: (request) => rawRequest(port, request),
    fetch: (path, init) => fetch(`${url}${path}`, init),
    commit: async (...operations) => (await volume.writer().commit(operations)).seq,
    close,
  }
}

export interface EdgeTestSettings {
  /** What the edge sees; the volume is made in it. */
  readonly store?: ObjectStore
  /** Put between the edge and the store after the volume was made. */
  readonly wrap?: (store: ObjectStore) => ObjectStore
  readonly clock?: Clock
  readonly log?: Logger
  readonly pollMs?: number
  readonly storeCallMs?: number
  readonly access?: AccessSettings
  readonly cache?: EdgeCache
  readonly metrics?: Metrics
  /** Of what is drawn: volumes of one seed have one id. */
  readonly seed?: number
  readonly console?: ConsoleFiles
}

export const volumeName = 'demo'

export async function startEdge(settings: EdgeTestSettings = {}): Promise<EdgeUnderTest> {
  const { store = new MemoryStore(), wrap = (same) => same, clock = systemClock, log = silentLogger, pollMs = 50, storeCallMs, access, cache, metrics, seed = 1, console } = settings
  const engine: Engine = { store: new ScopedStore(store, volumeName), clock, random: new SeededRandom(seed), hash: nodeHash, author: 'test' }
  const volume = await Volume.create(engine, { name: volumeName })
  const app = createApp({ store: wrap(store), clock, random: new SeededRandom(2), hash: nodeHash, bytesBody: nodeBytesBody, startDigest: nodeDigest, log, pollMs, storeCallMs, access, cache, metrics, console })
  const server = await serveNode({ app, port: 0, closeMs: 1000 })
  return edgeAt({ port: server.port, store, volume }, async () => {
    await server.close()
    await volume.close()
  })
}

/** A `create` with this body. */
export async function fileOperation(volume: Volume, path: string, body: Uint8Array | string, more: object = {}): Promise<Operation> {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  const writer = volume.writer()
  const { content, size } = await writer.write([bytes])
  await writer.flush()
  return { op: 'create', path, content, size, parents: true, ...more }
}
