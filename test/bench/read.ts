/**
 * Reads through the mount, cold (empty cache, through the store), cached in user space, and cached with kernel passthrough,
 * beside the same reads of the same bytes on the same disk.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { type Bed, dropKernelCaches, fio } from './bed.ts'
import type { Fixture } from './fixture.ts'
import type { Row } from './table.ts'

const mebibyte = 1 << 20
const randomSeconds = 4

interface Series {
  readonly ours: number[]
  readonly native: number[]
}

const series = (): Series => ({ ours: [], native: [] })

export async function benchRead(bed: Bed, fixture: Fixture, rounds: number): Promise<Row[]> {
  const source = `dir:${bed.path('store-big0')}/v`
  const cold = { sequential: series(), random: series() }
  const cached = { sequential: series(), random: series() }
  const daemon = { sequential: series(), random: series() }
  for (let round = 0; round < rounds; round += 1) {
    await coldRound(bed, fixture, source, cold)
    await cachedRound(bed, fixture, source, cached)
    await daemonRound(bed, source, daemon)
  }
  const row = (name: string, unit: string, { ours, native }: Series, goal?: string): Row => ({
    name,
    unit,
    values: ours,
    ...(native.length === 0 ? {} : { baseline: { name: 'native', values: native } }),
    ...(goal === undefined ? {} : { goal }),
  })
  return [
    row('read 1 GiB in sequence, cold', 'MB/s', cold.sequential),
    row('read 4 KiB at random, cold', 'reads/s', cold.random),
    row('read 1 GiB in sequence, cached, passthrough', 'MB/s', cached.sequential, '≥ 0.9 of native'),
    row('read 4 KiB at random, cached, passthrough', 'reads/s', cached.random, '≥ 0.9 of native'),
    row('read 1 MiB in sequence, cached, through the process (O_DIRECT)', 'MB/s', daemon.sequential, '≥ 1,000 MB/s'),
    row('read 4 KiB at random, cached, through the process (O_DIRECT)', 'reads/s', daemon.random),
  ]
}

async function coldRound(bed: Bed, fixture: Fixture, source: string, result: { sequential: Series; random: Series }): Promise<void> {
  for (const mode of ['read', 'randread'] as const) {
    const options = mode === 'read' ? { blockBytes: mebibyte } : { blockBytes: 4096, seconds: randomSeconds }
    const pick = mode === 'read' ? 'megabytes' : 'requests'
    const into = mode === 'read' ? result.sequential : result.random
    dropKernelCaches()
    into.native.push(fio(fixture.bigFile, mode, options)[pick])
    dropKernelCaches()
    const mounted = await bed.mount(source)
    into.ours.push(fio(join(mounted.directory, 'big.bin'), mode, options)[pick])
    await mounted.unmount()
  }
}

async function cachedRound(bed: Bed, fixture: Fixture, source: string, result: { sequential: Series; random: Series }): Promise<void> {
  const mounted = await bed.mount(source, { cache: bed.path('cache-warm') })
  const file = join(mounted.directory, 'big.bin')
  // Once to fill the cache, and once more so that both files are in the kernel's page cache.
  readThrough(file)
  readThrough(file)
  readThrough(fixture.bigFile)
  result.sequential.native.push(fio(fixture.bigFile, 'read', { blockBytes: mebibyte, seconds: 2 }).megabytes)
  result.sequential.ours.push(fio(file, 'read', { blockBytes: mebibyte, seconds: 2 }).megabytes)
  result.random.native.push(fio(fixture.bigFile, 'randread', { blockBytes: 4096, seconds: 2 }).requests)
  result.random.ours.push(fio(file, 'randread', { blockBytes: 4096, seconds: 2 }).requests)
  await mounted.unmount()
}

/** Every request goes to the process: no passthrough, and O_DIRECT so that the kernel's page cache of the mount does not answer. */
async function daemonRound(bed: Bed, source: string, result: { sequential: Series; random: Series }): Promise<void> {
  const mounted = await bed.mount(source, { cache: bed.path('cache-warm'), args: ['--passthrough', 'off'] })
  const file = join(mounted.directory, 'big.bin')
  readThrough(file)
  result.sequential.ours.push(fio(file, 'read', { blockBytes: mebibyte, seconds: 2, isDirect: true }).megabytes)
  result.random.ours.push(fio(file, 'randread', { blockBytes: 4096, seconds: 2, isDirect: true }).requests)
  await mounted.unmount()
}

function readThrough(file: string): void {
  execFileSync('cat', [file], { stdio: 'ignore' })
}
