/**
 * Import: one large file and a tree of many small ones, beside `cp -a` of the same files on the same disk.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { Bed } from './bed.ts'
import { dropKernelCaches } from './bed.ts'
import type { Fixture } from './fixture.ts'
import type { Row } from './table.ts'

export function benchImport(bed: Bed, fixture: Fixture, rounds: number): Row[] {
  const megabytes = { ours: [] as number[], copy: [] as number[] }
  const files = { ours: [] as number[], copy: [] as number[] }
  for (let round = 0; round < rounds; round += 1) {
    readFileSync(fixture.bigFile)
    megabytes.ours.push(fixture.bigBytes / 1e6 / bed.run('import', fixture.bigDirectory, `dir:${bed.path(`store-big${round}`)}/v`).seconds)
    megabytes.copy.push(fixture.bigBytes / 1e6 / copy(fixture.bigDirectory, bed.path(`copy-big${round}`)))
    files.ours.push(fixture.treeFileCount / bed.run('import', fixture.tree, `dir:${bed.path(`store-tree${round}`)}/v`).seconds)
    files.copy.push(fixture.treeFileCount / copy(fixture.tree, bed.path(`copy-tree${round}`)))
    execFileSync('rm', ['-rf', bed.path(`copy-big${round}`), bed.path(`copy-tree${round}`)])
    if (round > 0) execFileSync('rm', ['-rf', bed.path(`store-big${round}`), bed.path(`store-tree${round}`)])
  }
  dropKernelCaches()
  return [
    { name: 'import, 1 GiB file (whole command)', unit: 'MB/s', values: megabytes.ours, baseline: { name: 'cp -a + sync', values: megabytes.copy }, goal: '≥ 300 MB/s' },
    { name: 'import, 30,000 files (whole command)', unit: 'files/s', values: files.ours, baseline: { name: 'cp -a + sync', values: files.copy } },
  ]
}

/** Seconds for a durable copy, as durable as an import is. */
function copy(from: string, to: string): number {
  const start = performance.now()
  execFileSync('sh', ['-c', 'cp -a "$0" "$1" && sync -f "$1"', from, to])
  return (performance.now() - start) / 1000
}
