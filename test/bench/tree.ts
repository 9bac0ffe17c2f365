/**
 * Walking and reading a tree of 30,000 files: `find` and `tar`, cold and warm, beside the native file system.
 */
import { execFileSync } from 'node:child_process'
import { type Bed, dropKernelCaches } from './bed.ts'
import type { Fixture } from './fixture.ts'
import type { Row } from './table.ts'

export async function benchTree(bed: Bed, fixture: Fixture, rounds: number): Promise<Row[]> {
  const names = ['find, cold', 'find, again', 'read every file, cold', 'read every file, again'] as const
  const ours = names.map((): number[] => [])
  const native = names.map((): number[] => [])
  for (let round = 0; round < rounds; round += 1) {
    dropKernelCaches()
    record(native, fixture.tree)
    dropKernelCaches()
    const mounted = await bed.mount(`dir:${bed.path('store-tree0')}/v`)
    record(ours, mounted.directory)
    await mounted.unmount()
  }
  return names.map((name, index) => ({
    name: `${name}, 30,000 files`,
    unit: 's',
    values: ours[index]!,
    baseline: { name: 'native', values: native[index]! },
    isLessBetter: true,
  }))
}

function record(into: number[][], directory: string): void {
  const find = ['find', directory, '-type', 'f', '-size', '+0', '-printf', '']
  const read = ['sh', '-c', 'tar cf - "$0" | cat >/dev/null', directory]
  for (const [index, command] of [find, find, read, read].entries()) {
    const start = performance.now()
    execFileSync(command[0]!, command.slice(1), { stdio: ['ignore', 'ignore', 'ignore'] })
    into[index]!.push((performance.now() - start) / 1000)
  }
}
