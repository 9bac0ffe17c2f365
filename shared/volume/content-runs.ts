/** Where the bytes of a body are: its runs, from the pages of its manifest. Called by all that read bodies, here and in browsers. */
import { EdgemountError } from '../error.ts'
import type { Content } from '../format/entry.ts'
import type { PlacedRun } from '../format/manifest-page.ts'
import { resolveRuns } from '../format/manifest-page.ts'
import type { ByteRange } from '../range.ts'
import { readPages } from './page-loop.ts'
import type { PageStore } from './page-store.ts'

/** So much of a manifest is resolved at a time. */
const windowBytes = 64 * 1024 * 1024

/** All runs of a range of a body, one part of the manifest after the other. */
export async function* runsOf(pages: PageStore, content: Content, range: ByteRange, signal?: AbortSignal): AsyncGenerator<readonly PlacedRun[]> {
  if (content.kind !== 'manifest') throw new EdgemountError('invalid', `Cannot list the runs of a body that is ${content.kind}: it has no manifest`)
  for (let at = range.start; at < range.end; ) {
    const window = { start: at, end: Math.min(range.end, at + windowBytes) }
    const { runs } = await readPages(pages, (source) => resolveRuns(content.root, window, source), signal)
    const last = runs.at(-1)
    if (last === undefined) throw new EdgemountError('corrupt', `Cannot read bytes ${at} to ${range.end}: the manifest ends before them`)
    yield runs
    at = last.start + last.run.length
  }
}
