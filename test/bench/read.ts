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
    await cachedRound(bed, fixture, source, [], cached)
    await cachedRound(bed, fixture, source, ['--passthrough', 'off'], daemon)
  }
  const row = (name: string, unit: string, { ours, native }: Series, goal?: string): Row => ({
    name,
    unit,
    values: ours,
    baseline: { name: 'native', values: native },
    ...(goal === undefined ? {} : { goal }),
  })
  return [
    row('read 1 GiB in sequence, cold', 'MB/s', cold.sequential),
    row('read 4 KiB at random, cold', 'reads/s', cold.random),
    row('read 1 GiB in sequence, cached, passthrough', 'MB/s', cached.sequential, '≥ 0.9 of native'),
    row('read 4 KiB at random, cached, passthrough', 'reads/s', cached.random, '≥ 0.9 of native'),
    row('read 1 GiB in sequence, cached, user space', 'MB/s', daemon.sequential, '≥ 1,000 MB/s'),
    row('read 4 KiB at random, cached, user space', 'reads/s', daemon.random),
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

async function cachedRound(bed: Bed, fixture: Fixture, source: string, args: readonly string[], result: { sequential: Series; random: Series }): Promise<void> {
  const mounted = await bed.mount(source, { args, cache: bed.path('cache-warm') })
  const file = join(mounted.directory, 'big.bin')
  execFileSync('cat', [file], { stdio: 'ignore', maxBuffer: 1 })
  execFileSync('cat', [file], { stdio: 'ignore', maxBuffer: 1 })
  execFileSync('cat', [fixture.bigFile], { stdio: 'ignore', maxBuffer: 1 })
  result.sequential.native.push(fio(fixture.bigFile, 'read', { blockBytes: mebibyte, seconds: 2 }).megabytes)
  result.sequential.ours.push(fio(file, 'read', { blockBytes: mebibyte, seconds: 2 }).megabytes)
  result.random.native.push(fio(fixture.bigFile, 'randread', { blockBytes: 4096, seconds: 2 }).requests)
  result.random.ours.push(fio(file, 'randread', { blockBytes: 4096, seconds: 2 }).requests)
  await mounted.unmount()
}
