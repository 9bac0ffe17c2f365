/**
 * Counts what an import has before it, for the bar: in portions, beside the import itself, so that neither waits for the other.
 */
import { setImmediate as turn } from 'node:timers/promises'
import type { Excludes } from './exclude.ts'
import { lstatSync, readdirSync } from 'node:fs'
import { diskPath, joinLocal, type LocalPath, nameOf } from './local-path.ts'

export interface Scan {
  fileCount: number
  bytes: number
  /** Until then the counts are a part. */
  isWhole: boolean
}

/** Some ten milliseconds of work. */
const entriesPerTurn = 500

/** What cannot be read is not counted: the import itself reports it. */
export async function scanFolder(scan: Scan, folder: LocalPath, skipped: { readonly excludes: Excludes; readonly protectedPaths: ReadonlySet<LocalPath> }, signal: AbortSignal): Promise<void> {
  const pending: { readonly local: LocalPath; readonly prefix: string }[] = [{ local: folder, prefix: '' }]
  let count = 0
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    for (const rawName of namesIn(directory.local)) {
      count += 1
      if (count % entriesPerTurn === 0) await turn()
      if (signal.aborted) return
      const local = joinLocal(directory.local, rawName)
      const stat = skipped.protectedPaths.has(local) ? undefined : lstatSync(diskPath(local), { throwIfNoEntry: false })
      const path = directory.prefix + nameOf(rawName)
      if (stat === undefined || skipped.excludes(path, nameOf(rawName), stat.isDirectory())) continue
      if (stat.isDirectory()) pending.push({ local, prefix: `${path}/` })
      if (!stat.isFile()) continue
      scan.fileCount += 1
      scan.bytes += stat.size
    }
  }
  scan.isWhole = true
}

function namesIn(directory: LocalPath): readonly string[] {
  try {
    return readdirSync(diskPath(directory), { encoding: 'latin1' })
  } catch {
    return []
  }
}
