/**
 * SEEK_DATA and SEEK_HOLE from a file's manifest. Pure; called by the handler.
 *
 * What is cached does not matter: a hole is a run of the manifest. The walk is bounded, because one call may not hold the thread: past the
 * bound everything counts as data, which lseek(2) allows.
 */
import { errno } from '../../shared/error.ts'
import type { Entry } from '../../shared/format/entry.ts'
import { type PlacedRun, resolveRuns } from '../../shared/format/manifest-page.ts'
import { type Missing, type PageSource, isMissing } from '../../shared/format/page.ts'

export const seekData = 3
export const seekHole = 4

/** Runs are resolved for so many bytes at a time. */
const windowBytes = 64 * 1024 * 1024

/** About 5 ms of work. */
const runCountMax = 8192

export function seek(entry: Entry, offset: number, whence: number, pages: PageSource): { readonly offset: number } | number | Missing {
  if (whence !== seekData && whence !== seekHole) return -errno.EINVAL
  const { size, content } = entry
  if (offset >= size || offset < 0) return -errno.ENXIO
  if (content.kind !== 'manifest') return { offset: whence === seekData ? offset : size }
  const wanted = whence === seekData ? 'chunk' : 'hole'
  let at = offset
  let runCount = 0
  while (at < size) {
    const found = resolveRuns(content.root, { start: at, end: Math.min(size, at + windowBytes) }, pages)
    if (isMissing(found)) return found
    const match = found.runs.find((placed) => placed.run.kind === wanted)
    if (match !== undefined) return { offset: Math.max(offset, match.start) }
    runCount += found.runs.length
    if (found.runs.length === 0 || runCount > runCountMax) break
    at = endOf(found.runs.at(-1)!)
  }
  if (whence === seekHole) return { offset: size }
  return at < size ? { offset: Math.max(offset, at) } : -errno.ENXIO
}

function endOf(placed: PlacedRun): number {
  return placed.start + placed.run.length
}
