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
import { rawRequest } from '../support/raw-http.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { type EdgeUnderTest, volumeName } from './edge-under-test.ts'

const worker = path.resolve(import.meta.dirname, '../../edge/worker.ts')

/** `bindings` are its variables and secrets; without one it lets everybody in. */
export async function startWorkerdEdge(bindings: Readonly<Record<string, string>> = { EDGEMOUNT_OPEN: '1' }): Promise<EdgeUnderTest> {
  const bundle = await build({ entryPoints: [worker], bundle: true, write: false, format: 'esm', platform: 'browser', conditions: ['worker', 'browser'], target: 'es2024' })
  const script = bundle.outputFiles[0]!.text
  const sockets = [{ host: '127.0.0.1', port: 0 }]
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({ modules: true, script, r2Buckets: ['VOLUMES'], bindings, compatibilityDate: '2026-10-01', unsafeDirectSockets: sockets }),
  )
  await miniflare.ready
  const port = Number((await miniflare.unsafeGetDirectURL()).port)
  // The simulator's proxy of a bucket has the methods of the binding.
  const store = new R2Store((await miniflare.getR2Bucket('VOLUMES')) as unknown as R2Bucket, 'VOLUMES')
  const engine = { store: new ScopedStore(store, volumeName), clock: systemClock, random: new SeededRandom(1), hash: nodeHash, author: 'test' }
  const volume = await Volume.create(engine, { name: volumeName })
  const url = `http://127.0.0.1:${port}`
  return {
    url,
    port,
    store,
    volume,
    raw: (request) => rawRequest(port, request),
    fetch: (address, init) => fetch(`${url}${address}`, init),
    commit: async (...operations) => (await volume.writer().commit(operations)).seq,
    close: async () => {
      await volume.close()
      await miniflare.dispose()
    },
  }
}
