/**
 * How a mount grows with its volume: time from starting the command to the first byte of a file, and resident memory, at 1 k, 100 k and 1 M files.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { type Bed, residentBytes } from './bed.ts'
import type { Row } from './table.ts'
import { buildVolume, pathOf } from './volume.ts'

const sizes = [1000, 100_000, 1_000_000]

export async function benchScale(bed: Bed, rounds: number): Promise<Row[]> {
  const rows: Row[] = []
  const resident: number[] = []
  const walked: number[] = []
  for (const fileCount of sizes) {
    const store = bed.path(`store-scale-${fileCount}`)
    await buildVolume(store, 'v', fileCount)
    const ready: number[] = []
    const firstByte: number[] = []
    const bytes: number[] = []
    for (let round = 0; round < rounds; round += 1) {
      const start = performance.now()
      const mounted = await bed.mount(`dir:${store}/v`)
      execFileSync('cat', [join(mounted.directory, pathOf(fileCount - 1))], { stdio: ['ignore', 'ignore', 'inherit'] })
      firstByte.push((performance.now() - start) / 1000)
      ready.push(mounted.secondsToReady)
      bytes.push(residentBytes(mounted.pid))
      if (round === rounds - 1) {
        execFileSync('find', [mounted.directory, '-size', '+100c'], { stdio: ['ignore', 'ignore', 'inherit'] })
        walked.push(residentBytes(mounted.pid))
      }
      await mounted.unmount()
    }
    resident.push(bytes.toSorted((a, b) => a - b)[Math.floor(rounds / 2)]!)
    const label = fileCount.toLocaleString('en-US')
    rows.push(
      { name: `mount ready, ${label} files`, unit: 's', values: ready, isLessBetter: true, goal: fileCount === 1_000_000 ? '< 1 s' : '' },
      { name: `mount to first byte, ${label} files`, unit: 's', values: firstByte, isLessBetter: true },
      { name: `resident memory after the first byte, ${label} files`, unit: 'MB', values: bytes.map((value) => value / 1e6), isLessBetter: true },
    )
  }
  const grown = sizes.at(-1)! - sizes[0]!
  rows.push(
    { name: 'resident memory for a file never touched', unit: 'bytes', values: [Math.max(0, (resident.at(-1)! - resident[0]!) / grown)], isLessBetter: true, goal: '< 300 bytes' },
    { name: 'resident memory for a file seen by find', unit: 'bytes', values: [(walked.at(-1)! - walked[0]!) / grown], isLessBetter: true },
  )
  return rows
}
