/**
 * An edge whose store fails, each way one call in ten: what is sent is right or is told to have failed, what was acknowledged is there, what was refused is there whole or not
 * at all, and nobody tries for ever.
 */
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createApp } from '../../edge/app.ts'
import { nodeDigest } from '../../edge/http/node-digest.ts'
import { nodeBytesBody, nodeHash, serveNode } from '../../edge/node.ts'
import { aroundCalls } from '../../edge/store/around.ts'
import { MemoryBlocks } from '../../edge/store/cache/memory-blocks.ts'
import { deadlineStore } from '../../edge/store/deadline.ts'
import { type Fault, faultStore, seededFaults } from '../../edge/store/fault.ts'
import { limitStore } from '../../edge/store/limit.ts'
import { MemoryStore } from '../../edge/store/memory.ts'
import { retryStore } from '../../edge/store/retry.ts'
import { ScopedStore } from '../../edge/store/scoped.ts'
import { systemClock } from '../../shared/clock.ts'
import { codeOf, messageOf } from '../../shared/error.ts'
import { randomBelow } from '../../shared/random.ts'
import type { ObjectStore, StoredObject } from '../../shared/store.ts'
import { ReadBudget } from '../../shared/volume/read-budget.ts'
import { Volume } from '../../shared/volume/volume.ts'
import { EdgeStore } from '../../shared/wire/edge-store.ts'
import { effort } from '../support/effort.ts'
import { FaultClient } from '../support/fault-client.ts'
import { type S3Fault, startFaultyS3 } from '../support/faulty-s3.ts'
import { rawRequest } from '../support/raw-http.ts'
import { makeBucket, s3StoreAt, testBucket } from '../support/s3-servers.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { pattern } from '../support/store-bytes.ts'
import { bytesOf, engineOf, randomBytes } from '../support/test-volume.ts'
import { fileOperation } from './edge-under-test.ts'

const seed = Number(process.env['EDGEMOUNT_SEED'] ?? Date.now() % 1_000_000)
const sizes = [0, 1, 100, 5000, 70_000, 300_000, 2_500_000]
const bitsMax = 2 ** 32

interface Bed {
  /** Sound. */
  readonly store: ObjectStore
  readonly files: readonly { readonly path: string; readonly body: Uint8Array; readonly size: number }[]
  readonly seq: number
  readonly cleanPort: number
}

/** A volume with files of all sizes and a directory of many, and an edge that reads it over a sound store. */
async function newBed(store: ObjectStore): Promise<Bed> {
  const volume = await Volume.create(engineOf(new ScopedStore(store, 'demo')), { name: 'demo' })
  const bodies = sizes.map((size, index) => ({ path: `/body/${size}`, body: randomBytes(index + 1, size), size }))
  const many = Array.from({ length: 120 }, (_, index) => ({ path: `/dir/${index}`, body: randomBytes(100 + index, 50 + index), size: 50 + index }))
  const files = [...bodies, ...many]
  await volume.writer().commit(await Promise.all(files.map(({ path, body }) => fileOperation(volume, path, body))))
  const { seq } = await volume.head()
  return { store, files: [...bodies, ...bodies, ...many.slice(0, 10), ...Array<(typeof bodies)[number]>(10).fill(bodies.at(-1)!)], seq, cleanPort: await serve(store, {}) }
}

interface Served {
  readonly isStreaming?: boolean
  readonly storeCallMs?: number
  readonly hasCache?: boolean
}

/** Two of one seed would give out the same ids. */
let edgeCount = 0

/** The cache is smaller than the packs: it is filled again and again. */
async function serve(store: ObjectStore, { isStreaming = false, storeCallMs = 3000, hasCache = false }: Served): Promise<number> {
  const cache = hasCache ? { blocks: new MemoryBlocks({ bytesMax: 2.5 * 1024 * 1024 }), fills: new ReadBudget(64 * 1024 * 1024) } : undefined
  const app = createApp({ store, clock: systemClock, random: new SeededRandom(seed + 1000 + (edgeCount += 1)), hash: nodeHash, bytesBody: nodeBytesBody, startDigest: nodeDigest, pollMs: 50, storeCallMs, isStreaming, cache })
  const server = await serveNode({ app, port: 0, closeMs: 500 })
  onTestFinished(() => server.close())
  return server.port
}

/** As `open.ts` puts them around a store over a network, with shorter times. */
function overNetwork(store: ObjectStore, callMs: number): ObjectStore {
  const timed = limitStore(deadlineStore(store, { clock: systemClock, callMs }), { callCountMax: 32, queueCountMax: 10_000 })
  return retryStore(timed, { clock: systemClock, random: new SeededRandom(seed + 2), tryCountMax: 3, firstPauseMs: 1, pauseMsMax: 4 })
}

/** The clients take turns at the edges, which know nothing of each other. */
async function run(bed: Bed, ports: readonly number[], { clients, steps }: { readonly clients: number; readonly steps: number }): Promise<FaultClient[]> {
  const all = Array.from({ length: clients }, (_, index) => new FaultClient({ seed: seed + index, port: ports[index % ports.length]!, cleanPort: bed.cleanPort, files: bed.files, seq: bed.seq, home: `/own${index}` }))
  await Promise.all(all.map(async (client) => {
    for (let step = 0; step < steps; step += 1) await client.step()
  }))
  return all
}

/** What is stored in the end: sound, and of each file what one of the writes left that may count. */
async function expectSound({ store, files }: Bed, clients: readonly FaultClient[]): Promise<void> {
  const volume = await Volume.open(engineOf(new ScopedStore(store, 'demo')))
  const errors: string[] = []
  for await (const { severity, path, what, why } of volume.check({ readsBodies: true })) if (severity === 'error') errors.push(`${path}: ${what}: ${why}`)
  expect(errors).toEqual([])
  const head = await volume.head()
  for (const { path, body } of files) expect(Buffer.compare(await bytesOf(head, path), body)).toBe(0)
  for (const [address, possible] of clients.flatMap((client) => [...client.possible])) {
    const held = await bytesOf(head, address.replace('/v1/demo/files', '')).catch((error: unknown) => {
      expect(codeOf(error)).toBe('not-found')
      return undefined
    })
    expect(possible.some((each) => (each === undefined || held === undefined ? each === held : each.equals(held))), address).toBe(true)
  }
}

const rates = { error: 0.2, lost: 0.1, delay: 0.1, cut: 0.1, flip: 0.1, delayMsMax: 60 }

describe(`a store that fails (EDGEMOUNT_SEED=${seed})`, () => {
  it.each([['whole answers', false, true], ['streams', true, false]] as const)('by all means at once, %s', async (_, isStreaming, hasCache) => {
    const bed = await newBed(new MemoryStore())
    const plan = seededFaults(new SeededRandom(seed), rates)
    let callCount = 0
    /** Reads of packs. */
    const struck: Record<Fault['kind'], number> = { error: 0, lost: 0, delay: 0, cut: 0, flip: 0 }
    // What is damaged in a record is a test of its own.
    const failing = faultStore(bed.store, { clock: systemClock, plan: (call) => {
      callCount += 1
      const planned = plan(call)
      const fault: Fault | undefined = planned?.kind === 'flip' && !isPack(call.key) ? { kind: 'error' } : planned
      if (fault !== undefined && call.operation === 'get' && isPack(call.key)) struck[fault.kind] += 1
      return fault
    } })
    const ports = await Promise.all([1, 2, 3, 4].map(() => serve(overNetwork(failing, 30), { isStreaming, hasCache })))
    const clients = await run(bed, ports, { clients: 24, steps: 8 * effort })
    const sum = (of: (client: FaultClient) => number): number => clients.reduce((total, client) => total + of(client), 0)
    expect(sum(({ counts }) => counts.right)).toBeGreaterThan(40)
    expect(sum(({ counts }) => counts.failed)).toBeGreaterThan(10)
    expect(sum(({ counts }) => counts.written)).toBeGreaterThan(1)
    expect(Math.min(...Object.values(struck)), JSON.stringify(struck)).toBeGreaterThan(0)
    expect(callCount / (24 * 8 * effort)).toBeLessThan(60)
    await expectSound(bed, clients)
  }, 60_000)

  it('asks a store that always fails a bounded number of times', async () => {
    const bed = await newBed(new MemoryStore())
    let callCount = 0
    let isFailing = false
    const failing = faultStore(bed.store, { clock: systemClock, plan: () => {
      callCount += 1
      return isFailing ? { kind: 'error' } : undefined
    } })
    const port = await serve(overNetwork(failing, 1000), {})
    const asked: [string, number][] = []
    for (const [method, path, bound] of [
      ['GET', `@${bed.seq}/body/2500000`, 12],
      ['GET', 'files/body/300000', 12],
      ['GET', 'list/dir', 12],
      ['GET', 'events?after=0&wait=0', 12],
      ['DELETE', 'files/dir/3', 12],
      ['POST', 'leases/one', 40],
    ] as const) {
      isFailing = true
      callCount = 0
      const body = method === 'POST' ? { body: '{"action":"acquire","holder":"h","nonce":"n","leaseMs":5000}' } : {}
      const { status } = await rawRequest(port, { method, path: `/v1/demo/${path}`, ...body })
      expect([path, status]).toEqual([path, 503])
      if (callCount > bound) asked.push([path, callCount])
      isFailing = false
      // Nothing of the failure is kept.
      if (method === 'GET') expect((await rawRequest(port, { path: `/v1/demo/${path}` })).status).toBe(200)
    }
    expect(asked).toEqual([])
  })
})

describe('records that come damaged', () => {
  it('are never written after, and cost no more than the requests that met them', async () => {
    const bed = await newBed(new MemoryStore())
    const random = new SeededRandom(seed)
    const failing = faultStore(bed.store, { clock: systemClock, plan: ({ operation, key }) =>
      operation === 'get' && key.includes('/log/') && randomBelow(random, 3) === 0 ? { kind: 'flip', bit: randomBelow(random, bitsMax) } : undefined })
    const sound = await Volume.open(engineOf(new ScopedStore(bed.store, 'demo'), { seed: 77 }))
    let written = 0
    for (let round = 0; round < 60; round += 1) {
      // An edge that is new knows nothing; what others commit meanwhile it has to read.
      const port = round % 4 === 0 ? await serve(failing, {}) : undefined
      if (port === undefined) await sound.writer().commit([{ op: 'mkdir', path: `/elsewhere/${round}`, parents: true }])
      else for (let each = 0; each < 5; each += 1) {
        const { status } = await rawRequest(port, { method: 'PUT', path: `/v1/demo/files/put/${round}-${each}`, body: 'x' })
        // A digit of `format` that is another one is a format to come.
        expect([201, 501, 502, 503]).toContain(status)
        if (status === 201) written += 1
        const read = await rawRequest(port, { path: '/v1/demo/files/body/5000' })
        if (read.status === 200) expect(Buffer.compare(read.body, bed.files.find(({ size }) => size === 5000)!.body)).toBe(0)
      }
    }
    expect(written).toBeGreaterThan(5)
    await expectSound(bed, [])
  })
})

describe('a slice that comes damaged', () => {
  it('is read past the cache by who finds it so, and is right for everybody from then on', async () => {
    const bed = await newBed(new MemoryStore())
    let flips = 1
    const failing = faultStore(bed.store, { clock: systemClock, plan: ({ operation, key }) =>
      operation === 'get' && key.includes('/data/') && (flips -= 1) >= 0 ? { kind: 'flip', bit: 8000 } : undefined })
    const port = await serve(failing, { hasCache: true })
    const manifest = await rawRequest(port, { path: '/v1/demo/manifest/body/300000' })
    const [{ pack, offset, length }] = (JSON.parse(manifest.body.toString()) as { runs: [{ pack: string; offset: number; length: number }] }).runs
    const path = `/v1/demo/packs/${pack}/${offset}-${offset + length}`
    const right = (await rawRequest(bed.cleanPort, { path })).body
    // The whole pack is asked for in blocks, so the bit lies in the first one.
    const first = `/v1/demo/packs/${pack}/0-${1024 * 1024}`
    const rightFirst = (await rawRequest(bed.cleanPort, { path: first })).body
    const isRight = async (headers: Record<string, string>): Promise<boolean> => (await rawRequest(port, { path: first, headers })).body.equals(rightFirst)
    expect([await isRight({}), await isRight({}), await isRight({ 'edgemount-fresh': '1' }), await isRight({})]).toEqual([false, false, true, true])
    expect((await rawRequest(port, { path })).body.equals(right)).toBe(true)
  })

  it('is found by a mount, which asks again', async () => {
    const bed = await newBed(new MemoryStore())
    const random = new SeededRandom(seed)
    const failing = faultStore(bed.store, { clock: systemClock, plan: ({ operation, key }) =>
      operation === 'get' && isPack(key) && randomBelow(random, 4) === 0 ? { kind: 'flip', bit: randomBelow(random, bitsMax) } : undefined })
    const port = await serve(failing, { hasCache: true })
    const store = new EdgeStore({ url: `http://127.0.0.1:${port}`, volume: 'demo', fetch, clock: systemClock })
    const outcomes = { right: 0, corrupt: 0 }
    for (let round = 0; round < 5; round += 1) {
      const head = await (await Volume.open(engineOf(store))).head()
      for (const { path, body } of bed.files.slice(0, 7)) {
        try {
          expect(Buffer.compare(await bytesOf(head, path), body)).toBe(0)
          outcomes.right += 1
        } catch (error) {
          expect(codeOf(error), messageOf(error)).toBe('corrupt')
          outcomes.corrupt += 1
        }
      }
    }
    expect(outcomes.right).toBeGreaterThan(outcomes.corrupt)
  })
})

describe('a store that is silent', () => {
  const silent = (store: ObjectStore, isSilent: (operation: string, key: string) => boolean): ObjectStore => aroundCalls(store, ({ operation, key }, call) => (isSilent(operation, key) ? new Promise(() => undefined) : call(undefined)))

  it.each([
    ['GET', 'files/body/300000', undefined],
    ['GET', 'list/dir', undefined],
    ['GET', 'manifest/body/300000', undefined],
    ['GET', 'log/1', undefined],
    ['GET', 'events?after=0&wait=0', undefined],
    ['PUT', 'files/new', 'x'],
    ['DELETE', 'files/dir/3', undefined],
    ['POST', 'leases/one', '{"action":"acquire","holder":"h","nonce":"n","leaseMs":5000}'],
    ['PUT', 'peers/one', '{"urls":["http://10.0.0.7:8788"]}'],
  ])('%s %s is a 504 by the deadline', async (method, path, body) => {
    const bed = await newBed(new MemoryStore())
    for (const isSilent of [() => true, (operation: string) => operation !== 'get', (_: string, key: string) => key.includes('/log/')]) {
      const port = await serve(silent(bed.store, isSilent), { storeCallMs: 100 })
      const startMs = performance.now()
      const { status, headers } = await rawRequest(port, { method, path: `/v1/demo/${path}`, ...(body === undefined ? {} : { body }) })
      expect([200, 201, 204, 504]).toContain(status)
      if (isSilent('get', 'demo/log/1')) expect([status, headers['retry-after'], headers['cache-control']]).toEqual([path.startsWith('leases') || path.startsWith('peers') ? status : 504, status === 504 ? '1' : undefined, 'no-store'])
      expect(performance.now() - startMs).toBeLessThan(3000)
    }
  })

  it('keeps nobody waiting for as many deadlines as there are writers before him', async () => {
    const bed = await newBed(new MemoryStore())
    const port = await serve(silent(bed.store, (operation, key) => operation === 'create' && key.includes('/log/')), { storeCallMs: 100 })
    const startMs = performance.now()
    const answers = await Promise.all(Array.from({ length: 30 }, (_, index) => rawRequest(port, { method: 'PUT', path: `/v1/demo/files/${index}`, body: 'x' })))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([504]))
    expect(performance.now() - startMs).toBeLessThan(2500)
  })

  /** Half of each long body, then nothing. */
  function stalling(store: ObjectStore, isStalled: () => boolean): ObjectStore {
    const half = (found: StoredObject): StoredObject => ({
      size: found.size,
      etag: found.etag,
      bytes: () => (isStalled() ? new Promise(() => undefined) : found.bytes()),
      stream: () => new ReadableStream({
        start: async (controller) => {
          const bytes = await found.bytes()
          controller.enqueue(isStalled() ? bytes.subarray(0, bytes.length >>> 1) : bytes)
          if (!isStalled()) controller.close()
        },
      }),
    })
    return { ...aroundCalls(store, (_, call) => call(undefined)), get: async (key, options) => {
      const found = await store.get(key, options)
      return found !== undefined && key.includes('/data/') ? half(found) : found
    } }
  }

  it.each([['whole answers', false], ['streams', true]] as const)('in the middle of a body breaks the connection: %s', async (_, isStreaming) => {
    const store = new MemoryStore()
    const volume = await Volume.create(engineOf(new ScopedStore(store, 'demo')), { name: 'demo' })
    const body = pattern(12_000_000)
    const writer = volume.writer()
    await writer.commit([{ op: 'create', path: '/x', ...(await writer.write([body])) }])
    let isStalled = true
    const port = await serve(stalling(store, () => isStalled), { isStreaming, storeCallMs: 150 })
    const startMs = performance.now()
    const answer = await rawRequest(port, { path: '/v1/demo/files/x' })
    // Who holds answers whole has no first byte to send; a stream has.
    expect([answer.status, answer.isCut]).toEqual(isStreaming ? [200, true] : [504, false])
    if (isStreaming) expect(answer.body.equals(body.subarray(0, answer.body.length))).toBe(true)
    const [{ pack }] = (JSON.parse((await rawRequest(port, { path: '/v1/demo/manifest/x' })).body.toString()) as { runs: [{ pack: string }] }).runs
    const whole = await rawRequest(port, { path: `/v1/demo/packs/${pack}` })
    expect([whole.status, whole.isCut]).toEqual([200, true])
    expect(performance.now() - startMs).toBeLessThan(5000)
    isStalled = false
    expect((await rawRequest(port, { path: '/v1/demo/files/x' })).body.equals(body)).toBe(true)
  })
})

it(`an S3 server that fails by all means at once (EDGEMOUNT_SEED=${seed})`, async () => {
  const credentials = { accessKeyId: 'testkey', secretAccessKey: 'testsecret' }
  const miniflare = new Miniflare(convertV4MiniflareOptions({ modules: true, script: 'export default {}', r2Buckets: { BUCKET: { id: testBucket, s3Credentials: credentials } }, compatibilityDate: '2026-10-01' }))
  onTestFinished(() => miniflare.dispose())
  const origin = new URL((await miniflare.ready).origin)
  const random = new SeededRandom(seed)
  const kinds: readonly S3Fault[] = ['503', '429', 'hang', 'reset', 'cut', 'stall', 'flip', undefined, undefined, undefined]
  let isFailing = false
  const proxy = await startFaultyS3(origin.origin, (method, path) => {
    const kind = isFailing ? kinds[randomBelow(random, kinds.length)] : undefined
    return kind === 'flip' && !(method === 'GET' && isPack(path)) ? undefined : kind
  })
  onTestFinished(() => proxy.stop())
  const server = { endpoint: `${proxy.url}/cdn-cgi/local/r2/s3`, ...credentials }
  await makeBucket(server).catch(() => undefined)
  const store = s3StoreAt(server, 'faults')
  onTestFinished(() => store.dispose())
  const bed = await newBed(store)
  const port = await serve(overNetwork(store, 250), { hasCache: true, storeCallMs: 3000 })
  isFailing = true
  const before = proxy.requestCount
  const clients = await run({ ...bed, cleanPort: await soundPort(s3StoreAt({ endpoint: `${origin.origin}/cdn-cgi/local/r2/s3`, ...credentials }, 'faults')) }, [port], { clients: 24, steps: 3 * effort })
  isFailing = false
  expect((proxy.requestCount - before) / (24 * 3 * effort)).toBeLessThan(60)
  await expectSound(bed, clients)
}, 60_000)

/** Past the proxy. */
async function soundPort(store: ObjectStore & { dispose(): void }): Promise<number> {
  onTestFinished(() => store.dispose())
  return await serve(store, {})
}

function isPack(key: string): boolean {
  return key.includes('/data/') || key.includes('/meta/')
}
