/** A mount with very many changes that nobody publishes, killed and started again: how long until it answers. */
import { closeSync, mkdirSync, openSync, readdirSync, writeSync } from 'node:fs'
import { edgemountOk } from './command.ts'
import type { WritableMount } from './writable-mount.ts'

const directoryCount = 100

interface Recovery {
  readonly inodeCount: number
  readonly bodyCount: number
  readonly tookMs: number
}

export interface Restarted {
  readonly recovered: Recovery
  /** From the start of the process to the first listing. */
  readonly answeredMs: number
  readonly listedCount: number
}

/** `mount` publishes nothing by itself (`--write-back-delay`). A tenth of the files have content. */
export async function restartWithPending(mount: WritableMount, fileCount: number): Promise<Restarted> {
  for (let directory = 0; directory < directoryCount; directory += 1) {
    mkdirSync(mount.path(`d${directory}`))
    for (let file = 0; file < fileCount / directoryCount; file += 1) {
      const fd = openSync(mount.path(`d${directory}`, `f${file}`), 'wx')
      if (file % 10 === 0) writeSync(fd, 'content')
      closeSync(fd)
    }
  }
  await mount.kill()
  const startMs = performance.now()
  await mount.start()
  const listedCount = readdirSync(mount.path(`d${directoryCount - 1}`)).length
  const answeredMs = performance.now() - startMs
  const { mounts } = JSON.parse(await edgemountOk(['status', '--json'], { env: mount.env })) as { mounts: { fileSystem: { recovered: Recovery } }[] }
  return { recovered: mounts[0]!.fileSystem.recovered, answeredMs, listedCount }
}
