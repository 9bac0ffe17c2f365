/**
 * The edge over HTTP on each runtime, beside nginx with `slice` and `proxy_cache`: slices of packs and ranges of a file, from the cache and not, and what the
 * store is asked for. Where wrk or nginx is not installed there are no rows.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ManifestMessage } from '../../shared/wire/messages.ts'
import { routes } from '../../shared/wire/routes.ts'
import { SeededRandom } from '../support/seeded-random.ts'
import { type Bed, isInstalled } from './bed.ts'
import { type BenchedEdge, edgesOf } from './edge-runtimes.ts'
import { requestsPerSecond, secondsForAll, type Wanted } from './http-load.ts'
import { type Nginx, startNginx } from './nginx.ts'
import { storeRequests } from './store-requests.ts'
import type { Row } from './table.ts'

const mebibyte = 2 ** 20
/** What is read again and again: small beside every cache. */
const warmCount = 64
const secondsEach = 4

export async function benchEdge(bed: Bed, rounds: number, print: (rows: readonly Row[]) => void): Promise<void> {
  for (const program of ['wrk', 'nginx']) {
    if (!isInstalled(program)) return console.error(`(${program} is not installed: the rows of the edge are left out)`)
  }
  // Each round reads a part of its own that nobody has read before.
  const body = new Uint8Array(new SeededRandom(1).bytes(warmCount * mebibyte * (rounds + 1)))
  for (const start of edgesOf(bed)) {
    const edge = await start()
    try {
      print(await measure(bed, edge, body, rounds))
    } finally {
      await edge.stop()
    }
  }
  print(await storeRequests(bed))
}

async function measure(bed: Bed, edge: BenchedEdge, body: Uint8Array<ArrayBuffer>, rounds: number): Promise<Row[]> {
  const packs = await upload(edge, body)
  const root = bed.path(`nginx-${edge.name}`)
  await copyPacks(edge, packs, root)
  writeFileSync(join(root, 'big'), body)
  const nginx = await startNginx(bed.path(`nginx-${edge.name}-state`), root)
  try {
    return await compare(bed, { edge, nginx, packs, bytes: body.length }, rounds)
  } finally {
    await nginx.stop()
  }
}

interface Comparison {
  readonly edge: BenchedEdge
  readonly nginx: Nginx
  readonly packs: ReadonlyMap<string, number>
  readonly bytes: number
}

async function compare(bed: Bed, { edge, nginx, packs, bytes }: Comparison, rounds: number): Promise<Row[]> {
  const script = bed.path('wrk.lua')
  const goal = edge.name === 'Node' ? '≥ 0.5' : ''
  const both = slices(packs, mebibyte)
  const warm = (list: readonly Wanted[]): readonly Wanted[] => list.slice(0, warmCount)
  const cold: Measured = { ours: [], theirs: [] }
  for (let round = 1; round <= rounds; round += 1) {
    const part = (list: readonly Wanted[]): readonly Wanted[] => list.slice(round * warmCount, (round + 1) * warmCount)
    cold.ours.push(megabytes(part(both.ours)) / (await secondsForAll(edge.url, part(both.ours))))
    cold.theirs.push(megabytes(part(both.theirs)) / (await secondsForAll(nginx.url, part(both.theirs))))
  }
  const rows: Row[] = [row(`${edge.name}: slices of 1 MiB, each for the first time`, 'MB/s', cold)]
  const small = slices(packs, 64 * 1024)
  const ranges = rangesOf(bytes)
  const works: readonly (readonly [name: string, unit: string, scale: number, both: Pair, goal: string])[] = [
    [`${edge.name}: slices of 64 KiB, cached`, '/s', 1, { ours: small.ours.slice(0, warmCount * 16), theirs: small.theirs.slice(0, warmCount * 16) }, ''],
    [`${edge.name}: slices of 1 MiB, cached`, '/s', 1, { ours: warm(both.ours), theirs: warm(both.theirs) }, goal],
    [`${edge.name}: ranges of 1 MiB of a file, cached`, 'MB/s', mebibyte / 1e6, { ours: warm(ranges.ours), theirs: warm(ranges.theirs) }, ''],
  ]
  for (const [name, unit, scale, pair, goalOf] of works) {
    const found: Measured = { ours: [], theirs: [] }
    await secondsForAll(edge.url, pair.ours)
    await secondsForAll(nginx.url, pair.theirs)
    for (let round = 0; round < rounds; round += 1) {
      found.ours.push(scale * requestsPerSecond(edge.url, pair.ours, script, secondsEach))
      found.theirs.push(scale * requestsPerSecond(nginx.url, pair.theirs, script, secondsEach))
    }
    rows.push({ ...row(name, unit, found), goal: goalOf })
  }
  return rows
}

interface Measured {
  readonly ours: number[]
  readonly theirs: number[]
}

interface Pair {
  readonly ours: readonly Wanted[]
  readonly theirs: readonly Wanted[]
}

function row(name: string, unit: string, { ours, theirs }: Measured): Row {
  return { name, unit, values: ours, baseline: { name: 'nginx', values: theirs } }
}

function megabytes(list: readonly Wanted[]): number {
  return list.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6
}

/** Pack ids and how long the packs are, as far as the file goes. */
async function upload({ url }: BenchedEdge, body: Uint8Array<ArrayBuffer>): Promise<Map<string, number>> {
  await expectOk(await fetch(`${url}${routes.volume('bench')}`, { method: 'PUT' }))
  await expectOk(await fetch(`${url}${routes.file('bench', '/big')}`, { method: 'PUT', body }))
  const packs = new Map<string, number>()
  let start: number | null = 0
  while (start !== null) {
    const response = await fetch(`${url}${routes.manifest('bench', '/big', { range: { start, end: body.length } })}`)
    await expectOk(response.clone())
    const manifest = (await response.json()) as ManifestMessage
    for (const run of manifest.runs) {
      if (run.kind === 'chunk') packs.set(run.pack, Math.max(packs.get(run.pack) ?? 0, run.offset + run.length))
    }
    start = manifest.nextStart
  }
  return packs
}

async function copyPacks({ url }: BenchedEdge, packs: ReadonlyMap<string, number>, root: string): Promise<void> {
  mkdirSync(root, { recursive: true })
  for (const [pack] of packs) execFileSync('curl', ['-sf', '-o', join(root, pack), `${url}/v1/bench/packs/${pack}`])
}

async function expectOk(response: Response): Promise<void> {
  const text = await response.text()
  if (!response.ok) throw new Error(`Cannot prepare the benchmark: ${response.status} ${text}`)
}

function slices(packs: ReadonlyMap<string, number>, bytes: number): Pair {
  const places = [...packs].flatMap(([pack, size]) => Array.from({ length: Math.floor(size / bytes) }, (_, index) => ({ pack, start: index * bytes })))
  return {
    ours: places.map(({ pack, start }) => ({ path: `/v1/bench/packs/${pack}/${start}-${start + bytes}`, bytes })),
    theirs: places.map(({ pack, start }) => ({ path: `/${pack}`, range: `bytes=${start}-${start + bytes - 1}`, bytes })),
  }
}

function rangesOf(size: number): Pair {
  const ranges = Array.from({ length: Math.floor(size / mebibyte) }, (_, index) => `bytes=${index * mebibyte}-${(index + 1) * mebibyte - 1}`)
  return {
    ours: ranges.map((range) => ({ path: routes.file('bench', '/big'), range, bytes: mebibyte })),
    theirs: ranges.map((range) => ({ path: '/big', range, bytes: mebibyte })),
  }
}
