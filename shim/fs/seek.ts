/**
 * SEEK_DATA and SEEK_HOLE: in a published file from its manifest, in a local body from its backing file where that counts. Called by the handler.
 *
 * What is cached does not matter: a hole is a run of the manifest. The walk is bounded, because one call may not hold the thread: past the
 * bound everything counts as data, which lseek(2) allows.
 */
import { errno } from '../../shared/errno.ts'
import type { Entry, ManifestRoot } from '../../shared/format/entry.ts'
import { type PlacedRun, resolveRuns } from '../../shared/format/manifest-page.ts'
import { type Missing, type PageSource, isMissing } from '../../shared/format/page.ts'
import type { LocalBody } from '../bodies/local-body.ts'

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
  return answerOf(findRun(content.root, offset, size, whence, pages), size, whence)
}

/** In a file with a local body. */
export function seekLocal(body: LocalBody, offset: number, whence: number, pages: PageSource): { readonly offset: number } | number | Missing {
  if (whence !== seekData && whence !== seekHole) return -errno.EINVAL
  const stat = body.fstat()
  if (typeof stat === 'number') return stat
  const { size } = stat
  if (offset >= size || offset < 0) return -errno.ENXIO
  const { base } = body
  let at = offset
  for (const lack of base === undefined ? [] : body.lacks({ start: offset, end: size })) {
    const local = body.seek(at, lack.start, whence === seekData)
    if (local !== undefined) return typeof local === 'number' && local < 0 ? local : { offset: local }
    const found = findRun(base!.root, lack.start, lack.end, whence, pages)
    if (found !== undefined) return isMissing(found) ? found : { offset: found }
    at = lack.end
  }
  const found = body.seek(at, size, whence === seekData)
  return found !== undefined && found < 0 ? found : answerOf(found, size, whence)
}

function answerOf(found: number | undefined | Missing, size: number, whence: number): { readonly offset: number } | number | Missing {
  if (isMissing(found)) return found
  if (found !== undefined) return { offset: found }
  return whence === seekHole ? { offset: size } : -errno.ENXIO
}

/** Where the first such run is in a range of a published file; undefined when there is none. */
function findRun(root: ManifestRoot, start: number, end: number, whence: number, pages: PageSource): number | undefined | Missing {
  const wanted = whence === seekData ? 'chunk' : 'hole'
  let at = start
  let runCount = 0
  while (at < end) {
    const found = resolveRuns(root, { start: at, end: Math.min(end, at + windowBytes) }, pages)
    if (isMissing(found)) return found
    const match = found.runs.find((placed) => placed.run.kind === wanted)
    if (match !== undefined) return match.start < end ? Math.max(start, match.start) : undefined
    runCount += found.runs.length
    if (found.runs.length === 0) return undefined
    at = endOf(found.runs.at(-1)!)
    if (runCount > runCountMax) break
  }
  return whence === seekData && at < end ? Math.max(start, at) : undefined
}

function endOf(placed: PlacedRun): number {
  return placed.start + placed.run.length
}
