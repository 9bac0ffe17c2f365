/**
 * What the Worker needs of an isolate: memory while 64 clients stream a large file at once, of the 128 MB that there are, and CPU for a slice from the cache.
 *
 * Memory is what the isolate holds while all clients have their first bytes and wait, after a collection, by V8's inspector: its heap, what the runtime holds for it, and its
 * buffers. While they stream V8 collects when it likes; the most of that is printed. The process holds more: the simulators of the bucket and the cache run in it, too.
 * With EDGEMOUNT_EFFORT the file is 1 GiB.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nodeHash } from '../../edge/node.ts'
import { type R2Bucket, R2Store } from '../../edge/store/r2.ts'
import { ScopedStore } from '../../edge/store/scoped.ts'
import { systemClock } from '../../shared/clock.ts'
import { Volume } from '../../shared/volume/volume.ts'
import { effort } from '../support/effort.ts'
import { rawRequest } from '../support/raw-http.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { bundleWorker } from '../support/worker-bundle.ts'

const MiB = 1024 * 1024
const clientCount = 64
const fileBytes = effort > 1 ? 1024 * MiB : 12 * MiB
const unit = new SeededRandom(1).bytes(4 * MiB)
/** What Cloudflare gives an isolate. */
const isolateBytesMax = 128 * 1000 * 1000
const sliceCount = 64
const answerMs = 2000
const settleMs = 500

let miniflare: Miniflare
let port = 0
let pack = ''

beforeAll(async () => {
  const script = await bundleWorker('edge/worker.ts')
  const sockets = [{ host: '127.0.0.1', port: 0 }]
  const options = { modules: true, script, r2Buckets: ['VOLUMES'], bindings: { EDGEMOUNT_OPEN: '1' }, compatibilityDate: '2026-10-01', inspectorPort: 0, unsafeDirectSockets: sockets }
  miniflare = new Miniflare(convertV4MiniflareOptions(options))
  await miniflare.ready
  port = Number((await miniflare.unsafeGetDirectURL()).port)
  const store = new ScopedStore(new R2Store((await miniflare.getR2Bucket('VOLUMES')) as unknown as R2Bucket, 'VOLUMES'), 'demo')
  const volume = await Volume.create({ store, clock: systemClock, random: new SeededRandom(2), hash: nodeHash, author: 'test' }, { name: 'demo' })
  const writer = volume.writer()
  const pieces = Array.from({ length: fileBytes / unit.length }, () => unit)
  await writer.commit([{ op: 'create', path: '/big', ...(await writer.write(pieces)) }])
  await volume.close()
  const [found] = await store.list('data/')
  pack = found!.key.slice('data/'.length)
})

afterAll(() => miniflare?.dispose())

interface Isolate {
  collect(): Promise<void>
  /** With what is not collected yet; undefined when it is too busy to answer. */
  heldBytes(): Promise<number | undefined>
  close(): void
}

async function inspect(): Promise<Isolate> {
  const { host } = await miniflare.getInspectorURL()
  const targets = (await (await fetch(`http://${host}/json`)).json()) as { id: string; webSocketDebuggerUrl: string }[]
  const socket = new WebSocket(targets.find(({ id }) => id.startsWith('core:user'))?.webSocketDebuggerUrl ?? targets[0]!.webSocketDebuggerUrl)
  await new Promise((resolve) => socket.addEventListener('open', resolve))
  const waiting = new Map<number, (result: Record<string, number> | undefined) => void>()
  socket.addEventListener('message', ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { id: number; result: Record<string, number> }
    waiting.get(id)?.(result)
    waiting.delete(id)
  })
  let lastId = 0
  const call = async (method: string): Promise<Record<string, number> | undefined> =>
    await new Promise((resolve) => {
      waiting.set((lastId += 1), resolve)
      void sleep(answerMs).then(() => resolve(undefined))
      socket.send(JSON.stringify({ id: lastId, method }))
    })
  return {
    collect: async () => void (await call('HeapProfiler.collectGarbage')),
    heldBytes: async () => {
      const usage = await call('Runtime.getHeapUsage')
      return usage === undefined ? undefined : (usage['usedSize'] ?? NaN) + (usage['embedderHeapUsedSize'] ?? NaN) + (usage['backingStorageSize'] ?? NaN)
    },
    close: () => socket.close(),
  }
}

/** Takes the first bytes, waits until all others have theirs, then reads to the end. Gives how many came. */
async function stream(all: Promise<void>, onFirst: () => void): Promise<number> {
  return await new Promise((resolve, reject) => {
    let received = 0
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write('GET /v1/demo/files/big HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'))
    socket.on('data', (bytes) => {
      if (received === 0) {
        socket.pause()
        onFirst()
        void all.then(() => socket.resume())
      }
      received += bytes.length
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(received))
  })
}

test(`${clientCount} clients stream ${fileBytes / MiB} MiB each within what an isolate has`, async () => {
  const isolate = await inspect()
  const idleBytes = (await isolate.heldBytes()) ?? NaN
  let release: () => void = () => undefined
  const all = new Promise<void>((resolve) => (release = resolve))
  const over = new AbortController()
  const firsts: Promise<void>[] = []
  const lengths = Promise.all(Array.from({ length: clientCount }, async () => {
    let onFirst: () => void = () => undefined
    firsts.push(new Promise((resolve) => (onFirst = resolve)))
    return await stream(all, onFirst)
  })).finally(() => over.abort())
  await Promise.all(firsts)
  await isolate.collect()
  // V8 gives buffers back beside the program.
  await sleep(settleMs)
  const heldBytes = (await isolate.heldBytes()) ?? NaN
  release()
  let mostBytes = heldBytes
  for (; !over.signal.aborted; await sleep(effort > 1 ? 1000 : 100)) mostBytes = Math.max(mostBytes, (await isolate.heldBytes()) ?? 0)
  isolate.close()
  for (const length of await lengths) expect(length).toBeGreaterThan(fileBytes)
  const shown = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
  console.log(`${clientCount} readers hold ${shown(heldBytes)}; with what was not collected yet at most ${shown(mostBytes)}; idle ${shown(idleBytes)}`)
  expect(idleBytes).toBeLessThan(20_000_000)
  expect(heldBytes).toBeLessThan(isolateBytesMax)
})

/** Of workerd with all that runs in it, user and system. */
function cpuMs(): number {
  const own = String(process.pid)
  const fields = readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return []
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const rest = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return stat.includes('(workerd)') && rest[1] === own ? [rest] : []
    } catch {
      return []
    }
  })
  return fields.reduce((sum, rest) => sum + (Number(rest[11]) + Number(rest[12])) * 10, 0)
}

test('a slice of 1 MiB from the cache takes little CPU', async () => {
  const path = `/v1/demo/packs/${pack}/${2 * MiB}-${3 * MiB}`
  const slice = async (): Promise<void> => {
    const { status, body } = await rawRequest(port, { path })
    if (status !== 200 || body.length !== MiB) throw new Error(`It was ${status} with ${body.length} bytes`)
  }
  for (let count = 0; count < 8; count += 1) await slice()
  const before = cpuMs()
  for (let count = 0; count < sliceCount; count += 1) await slice()
  const eachMs = (cpuMs() - before) / sliceCount
  console.log(`a slice of 1 MiB from the cache: ${eachMs.toFixed(2)} ms of CPU, simulators included`)
  expect(eachMs).toBeGreaterThan(0)
  expect(eachMs).toBeLessThan(50)
})
