/**
 * What clouds are paid for: the calls that reach the store, counted behind an edge with its cache, per TiB that is read and per 10,000 files that are written.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createApp } from '../../edge/app.ts'
import { nodeHash, serveNode } from '../../edge/node.ts'
import { openNodeCache } from '../../edge/node-cache.ts'
import { aroundCalls } from '../../edge/store/around.ts'
import { MemoryStore } from '../../edge/store/memory.ts'
import { systemClock } from '../../shared/clock.ts'
import { silentLogger } from '../../shared/log.ts'
import { Metrics } from '../../shared/metrics.ts'
import { systemRandom } from '../../shared/random.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { type Bed, run } from './bed.ts'
import type { Row } from './table.ts'

const mebibyte = 2 ** 20
const fileMebibytes = 256
const fileCount = 10_000

export async function storeRequests(bed: Bed): Promise<Row[]> {
  const calls = new Map<string, number>()
  const store = aroundCalls(new MemoryStore(), (call, go) => {
    if (call.operation !== 'body') calls.set(call.operation, (calls.get(call.operation) ?? 0) + 1)
    return go(call.signal)
  })
  const { cache } = await openNodeCache({ memoryBytesMax: 64 * mebibyte, diskBytesMax: 0, clock: systemClock, log: silentLogger, metrics: new Metrics() })
  const app = createApp({ store, cache, clock: systemClock, random: systemRandom, hash: nodeHash })
  const server = await serveNode({ app, port: 0 })
  const count = async (work: () => Promise<void>): Promise<number> => {
    calls.clear()
    await work()
    return [...calls.values()].reduce((sum, each) => sum + each, 0)
  }
  try {
    const volume = `${server.url}/bench`
    await run(['create', volume])
    const written = await count(() => importSmallFiles(bed, volume))
    const address = `${server.url}/v1/bench/files/big`
    await fetch(address, { method: 'PUT', body: new Uint8Array(new SeededRandom(2).bytes(fileMebibytes * mebibyte)) })
    const read = await count(() => readInRanges(address))
    return [
      { name: 'calls to the store per TiB read in ranges of 1 MiB, each for the first time', unit: 'calls', values: [(read * mebibyte) / fileMebibytes] },
      { name: 'calls to the store for 10,000 files of 4 KiB that are imported', unit: 'calls', values: [written] },
    ]
  } finally {
    await server.close()
  }
}

async function importSmallFiles(bed: Bed, volume: string): Promise<void> {
  const folder = bed.path('small')
  const random = new SeededRandom(3)
  for (let index = 0; index < fileCount; index += 1) {
    const directory = join(folder, String(index % 100))
    if (index < 100) mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, String(index)), random.bytes(4096))
  }
  await run(['import', folder, volume])
  execFileSync('rm', ['-rf', folder])
}

async function readInRanges(address: string): Promise<void> {
  for (let index = 0; index < fileMebibytes; index += 1) {
    const response = await fetch(address, { headers: { range: `bytes=${index * mebibyte}-${(index + 1) * mebibyte - 1}` } })
    if ((await response.arrayBuffer()).byteLength !== mebibyte) throw new Error(`Cannot count the calls to the store: ${response.status}`)
  }
}
