/** The edge on Deno over stores in clouds: S3 (Cloudflare's simulator) and Azure (Azurite), with credentials from the environment. */
import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Azurite, azuriteAccount, azuriteKey, startAzurite } from '../support/azurite.ts'
import { rawRequest } from '../support/raw-http.ts'
import { pattern } from '../support/store-bytes.ts'

const root = path.resolve(import.meta.dirname, '../..')
const startMs = 45_000
const s3Credentials = { accessKeyId: 'testkey', secretAccessKey: 'testsecret' }

let azurite: Azurite | undefined
const miniflare = new Miniflare(
  convertV4MiniflareOptions({ modules: true, script: 'export default {}', r2Buckets: { BUCKET: { id: 'bucket', s3Credentials } }, compatibilityDate: '2026-10-01' }),
)

beforeAll(async () => {
  azurite = await startAzurite()
  await azurite.makeContainer('box')
})

afterAll(async () => {
  await miniflare.dispose()
  await azurite?.stop()
})

interface DenoEdge {
  readonly port: number
  stop(): Promise<void>
}

async function startDeno(store: string, env: Record<string, string>): Promise<DenoEdge> {
  const child = spawn(path.join(root, 'node_modules/.bin/deno'), ['run', '-A', 'edge/deno.ts', store, '--port', '0'], { cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()))
  child.stderr.on('data', (bytes: Buffer) => (output += bytes.toString()))
  const start = performance.now()
  for (;;) {
    const port = / at http:\/\/127\.0\.0\.1:(\d+)/.exec(output)?.[1]
    if (port !== undefined) return { port: Number(port), stop: () => stopProcess(child) }
    if (performance.now() - start > startMs || child.exitCode !== null) {
      await stopProcess(child)
      throw new Error(`Deno does not serve: ${output}`)
    }
    await sleep(20)
  }
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
}

const stores: readonly (readonly [name: string, store: () => Promise<string>, env: Record<string, string>])[] = [
  [
    's3',
    async () => `s3://bucket/p?endpoint=${(await miniflare.ready).origin}/cdn-cgi/local/r2/s3&region=us-east-1`,
    { AWS_ACCESS_KEY_ID: s3Credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: s3Credentials.secretAccessKey },
  ],
  ['azure', async () => `az://${azuriteAccount}/box/p?endpoint=${azurite!.endpoint}`, { AZURE_STORAGE_KEY: azuriteKey }],
]

describe.each(stores)('over %s', (_, storeOf, env) => {
  let edge: DenoEdge | undefined

  beforeAll(async () => {
    edge = await startDeno(await storeOf(), env)
  })

  afterAll(() => edge?.stop())

  test('a volume is made, takes a file, and gives it back whole and in ranges', async () => {
    const port = edge!.port
    const body = pattern(5_000_000)
    const made = await rawRequest(port, { method: 'PUT', path: '/v1/demo', headers: {} })
    expect([made.status, made.body.toString().slice(0, 500)]).toEqual([201, expect.anything()])
    expect((await rawRequest(port, { method: 'PUT', path: '/v1/demo/files/dir/big.bin', body })).status).toBe(201)
    const whole = await rawRequest(port, { method: 'GET', path: '/v1/demo/files/dir/big.bin', headers: {} })
    expect([whole.status, whole.isCut, whole.body.equals(body)]).toEqual([200, false, true])
    const part = await rawRequest(port, { method: 'GET', path: '/v1/demo/files/dir/big.bin', headers: { range: 'bytes=1000000-3999999' } })
    expect([part.status, part.body.equals(body.subarray(1_000_000, 4_000_000))]).toEqual([206, true])
    expect((await rawRequest(port, { method: 'GET', path: '/v1/demo/files/none', headers: {} })).status).toBe(404)
  })
})
