/** The edge on each runtime over each store that it can reach: Ceph's and Cloudflare's S3, Azurite, a directory, memory; on workerd R2, and S3 by the other Worker. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, beforeAll, vi } from 'vitest'
import { createApp } from '../../edge/app.ts'
import { openNodeCache } from '../../edge/node-cache.ts'
import { nodeDigest } from '../../edge/http/node-digest.ts'
import { nodeBytesBody, nodeHash, serveNode } from '../../edge/node.ts'
import { openStore } from '../../edge/store/open.ts'
import { systemClock } from '../../shared/clock.ts'
import { silentLogger } from '../../shared/log.ts'
import { Metrics } from '../../shared/metrics.ts'
import { systemRandom } from '../../shared/random.ts'
import { type RunningEdge, testRuntime } from '../suites/runtime.ts'
import { type Azurite, azuriteAccount, azuriteKey, startAzurite } from '../support/azurite.ts'
import { type Radosgw, startRadosgw } from '../support/radosgw.ts'
import { makeBucket, testBucket } from '../support/s3-servers.ts'
import { bundleWorker } from '../support/worker-bundle.ts'

const root = path.resolve(import.meta.dirname, '../..')
const startMs = 45_000
const s3Credentials = { accessKeyId: 'testkey', secretAccessKey: 'testsecret' }
const compatibilityDate = '2026-10-01'

type Environment = Readonly<Record<string, string>>

interface Place {
  /** For `openStore`. */
  readonly store: string
  readonly environment: Environment
}

let directory = ''
let azurite: Azurite | undefined
let ceph: Radosgw | undefined
let miniflare: Miniflare | undefined
let edgeCount = 0

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'edgemount-runtime-'))
  const simulated = async (): Promise<void> => {
    const [r2, s3] = await Promise.all([bundleWorker('edge/worker.ts'), bundleWorker('edge/worker-s3.ts')])
    const common = { modules: true, compatibilityDate, unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }] }
    const simulator = new Miniflare(convertV4MiniflareOptions({ modules: true, script: 'export default {}', r2Buckets: { BUCKET: { id: testBucket, s3Credentials } }, compatibilityDate }))
    buckets = simulator
    const bindings = { EDGEMOUNT_OPEN: '1', ...awsEnvironment(s3Credentials), EDGEMOUNT_STORE: s3Url(await simulatedEndpoint(), 'workerd') }
    const workers = [
      { ...common, name: 'r2', script: r2, r2Buckets: { VOLUMES: 'volumes' }, bindings: { EDGEMOUNT_OPEN: '1' } },
      { ...common, name: 's3', script: s3, bindings },
    ]
    miniflare = new Miniflare(convertV4MiniflareOptions({ workers }))
    await miniflare.ready
  }
  await Promise.all([
    simulated(),
    startAzurite().then(async (started) => {
      azurite = started
      await started.makeContainer('box')
    }),
    startRadosgw().then(async (started) => {
      ceph = started
      await makeBucket(started)
    }),
  ])
})

let buckets: Miniflare | undefined

afterAll(async () => {
  await Promise.all([miniflare?.dispose(), buckets?.dispose(), azurite?.stop(), ceph?.stop()])
  await rm(directory, { recursive: true, force: true })
})

async function simulatedEndpoint(): Promise<string> {
  return `${(await buckets!.ready).origin}/cdn-cgi/local/r2/s3`
}

function s3Url(endpoint: string, prefix: string): string {
  return `s3://${testBucket}/${prefix}?endpoint=${endpoint}&region=us-east-1`
}

function awsEnvironment({ accessKeyId, secretAccessKey }: typeof s3Credentials): Environment {
  return { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
}

/** Each time another part of the store. */
const places: readonly (readonly [name: string, place: (prefix: string) => Promise<Place>])[] = [
  ['a directory', async (prefix) => ({ store: `dir:${path.join(directory, prefix)}`, environment: {} })],
  ['memory', async () => ({ store: 'memory:', environment: {} })],
  ['S3 (Cloudflare\'s simulator)', async (prefix) => ({ store: s3Url(await simulatedEndpoint(), prefix), environment: awsEnvironment(s3Credentials) })],
  ['S3 (Ceph)', async (prefix) => ({ store: s3Url(ceph!.endpoint, prefix), environment: awsEnvironment(ceph!) })],
  ['Azure (Azurite)', async (prefix) => ({ store: `az://${azuriteAccount}/box/${prefix}?endpoint=${azurite!.endpoint}`, environment: { AZURE_STORAGE_KEY: azuriteKey } })],
]

async function startNode({ store: url, environment }: Place): Promise<RunningEdge> {
  // The SDK looks for credentials in the environment of its process.
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value)
  const metrics = new Metrics()
  const common = { clock: systemClock, random: systemRandom, metrics }
  const opened = await openStore(url, { ...common, environment })
  const kept = path.join(directory, `cache-${(edgeCount += 1)}`)
  const { cache, close } = await openNodeCache({ ...common, memoryBytesMax: 64 * 1024 * 1024, directory: kept, diskBytesMax: 1024 ** 3, log: silentLogger })
  const app = createApp({ ...common, store: opened.store, hash: nodeHash, bytesBody: nodeBytesBody, startDigest: nodeDigest, cache })
  const { port, close: stop } = await serveNode({ app, port: 0, closeMs: 1000 })
  return {
    port,
    stop: async () => {
      vi.unstubAllEnvs()
      await stop()
      await close()
      await opened.dispose()
    },
  }
}

async function startDeno({ store, environment }: Place): Promise<RunningEdge> {
  const child = spawn(path.join(root, 'node_modules/.bin/deno'), ['run', '-A', 'edge/deno.ts', store, '--port', '0'], { cwd: root, env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
  const stop = (): Promise<void> => stopProcess(child)
  let output = ''
  const port = await new Promise<number>((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error(`Deno does not serve: ${output}`)), startMs)
    const hear = (bytes: Buffer): void => {
      output += bytes.toString()
      const found = / at http:\/\/127\.0\.0\.1:(\d+)/.exec(output)?.[1]
      if (found === undefined) return
      clearTimeout(limit)
      resolve(Number(found))
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    child.once('exit', () => reject(new Error(`Deno ended: ${output}`)))
  }).catch(async (error: unknown) => {
    await stop()
    throw error
  })
  return { port, stop }
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
}

for (const [name, place] of places) {
  testRuntime(`Node over ${name}`, async () => await startNode(await place('node')))
  testRuntime(`Deno over ${name}`, async () => await startDeno(await place('deno')))
}

for (const [name, worker] of [['R2', 'r2'], ['S3 (Cloudflare\'s simulator)', 's3']] as const) {
  testRuntime(`workerd over ${name}`, async () => ({ port: Number((await miniflare!.unsafeGetDirectURL(worker)).port), stop: async () => undefined }))
}
