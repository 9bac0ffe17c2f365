/**
 * Volumes of any size, made by the engine in seconds: directories of a thousand small files.
 */
import { ScopedStore } from '../../edge/store/scoped.ts'
import { openStore } from '../../edge/store/open.ts'
import { systemClock } from '../../shared/clock.ts'
import { systemRandom } from '../../shared/random.ts'
import type { Operation } from '../../shared/volume/operation.ts'
import { Volume } from '../../shared/volume/volume.ts'

const filesEach = 1000
const filesPerCommit = 50_000

export function pathOf(index: number): string {
  return `/directory-${String(Math.floor(index / filesEach)).padStart(5, '0')}/file-${String(index).padStart(8, '0')}.txt`
}

export async function buildVolume(directory: string, name: string, fileCount: number): Promise<void> {
  const opened = await openStore(`dir:${directory}`, { clock: systemClock, random: systemRandom })
  const store = new ScopedStore(opened.store, name)
  const volume = await Volume.create({ store, clock: systemClock, random: systemRandom }, { name })
  for (let first = 0; first < fileCount; first += filesPerCommit) {
    const operations: Operation[] = []
    for (let index = first; index < Math.min(fileCount, first + filesPerCommit); index += 1) {
      const bytes = new TextEncoder().encode(`This is file ${index} of ${fileCount}.\n`.repeat(4))
      operations.push({ op: 'create', path: pathOf(index), content: { kind: 'inline', bytes }, size: bytes.length, parents: true })
    }
    await volume.writer().commit(operations)
  }
  await volume.close()
  await opened.dispose()
}
