/**
 * From what a caller says of a new version of a body to what `rewrite.ts` needs: ranges are checked, zeros that are too long to look at become holes, and
 * a body that is small enough goes into its entry.
 */
import { concatBytes } from '../bytes.ts'
import type { ChunkingParameters } from '../chunker.ts'
import { EdgemountError } from '../error.ts'
import { type Content, type ManifestRoot, inlineBytesMax } from '../format/entry.ts'
import { openManifest } from '../format/manifest-page.ts'
import { makeInlineRoot } from '../format/manifest-shape.ts'
import { type ByteRange, unionRanges } from '../range.ts'
import { BodyLayout } from './body-layout.ts'
import { readContent } from './content-reader.ts'
import { NewBody, type ReadRange } from './new-body.ts'
import { readPages } from './page-loop.ts'
import type { VolumeParts } from './parts.ts'
import { type RewriteParts, rewriteBody } from './rewrite.ts'

/** Zeros that are shorter than so many longest chunks are cut like any bytes. */
const longZeroChunks = 4

/** A new version of a body, told as the difference to an old one. Ranges are ascending, apart, not empty, within `size`; no byte is written and zeroed. */
export interface RewriteRequest {
  /** The old version, which is stored, and how many of its first bytes still count. Behind these are zeros unless something was written. Undefined: there are only zeros. */
  readonly old: { readonly root: ManifestRoot; readonly keptBytes: number } | undefined
  readonly size: number
  readonly written: readonly ByteRange[]
  /** Holes that were punched. Where nothing was written behind the old version there are zeros anyway. */
  readonly zeros?: readonly ByteRange[] | undefined
  /** Asked for parts of `written` only. */
  readonly readWritten: ReadRange
  /** Asked for whole chunks around the changes, or what of them counts. Must verify what it gives. The engine's own reader unless given. */
  readonly readOld?: ReadRange | undefined
  readonly signal?: AbortSignal | undefined
}

interface NewContent {
  readonly content: Content
  readonly size: number
  readonly newBytes: number
}

type Writing = Pick<RewriteParts, 'io' | 'openBody' | 'remember'>

export async function rewriteWith(parts: VolumeParts, request: RewriteRequest, writing: Writing): Promise<NewContent> {
  const { old, size, written, zeros = [], readWritten, signal } = request
  checkRanges(written, zeros, size)
  const length = old === undefined ? 0 : (await readPages(parts.pages, (source) => openManifest(old.root, source), signal)).length
  const keptBytes = Math.min(old?.keptBytes ?? 0, length, size)
  const readOld = request.readOld ?? ((range: ByteRange) => readWithEngine(parts, old!.root, range, signal))
  const body = new NewBody({ size, written, zeros, keptBytes, readWritten, readOld })
  if (size <= inlineBytesMax) {
    const bytes = await collect(body.read({ start: 0, end: size }))
    return { content: { kind: 'inline', bytes }, size, newBytes: size }
  }
  const { chunking } = parts.config
  const cuts = zeros.map((range) => ({ range, hole: holeIn(range, chunking) }))
  const holes = cuts.map(({ hole }) => hole).filter((hole) => hole.start < hole.end)
  const edges = cuts.flatMap(({ range, hole }) => edgesOf(range, hole))
  const layout = new BodyLayout({
    chunking,
    pages: parts.pages,
    old: old === undefined ? undefined : { root: old.root, length, keptBytes },
    size,
    zeros: holes,
    signal,
  })
  const changed = unionRanges([...written, ...edges, ...(await layout.rests())])
  const emptyRoot = await makeInlineRoot([], parts.hash)
  const { root, newBytes } = await rewriteBody({ ...writing, layout, body, old: old?.root ?? emptyRoot, zeros: holes, changed, signal })
  return { content: { kind: 'manifest', root }, size, newBytes }
}

function checkRanges(written: readonly ByteRange[], zeros: readonly ByteRange[], size: number): void {
  let end = 0
  for (const range of [...written, ...zeros].toSorted((a, b) => a.start - b.start)) {
    if (!Number.isSafeInteger(range.start) || range.start < end || range.end <= range.start || range.end > size) {
      throw new EdgemountError('invalid', `Cannot rewrite a body of ${size} bytes: of its changes one is from ${range.start} to ${range.end}, after one to ${end}`)
    }
    end = range.end
  }
}

/** What a range of zeros has of whole places in the grid, when it is long; else nothing, at its end. */
function holeIn({ start, end }: ByteRange, chunking: ChunkingParameters): ByteRange {
  const gridBytes = chunking.kind === 'fixed' ? chunking.bytes : 1
  const longBytes = longZeroChunks * (chunking.kind === 'fixed' ? chunking.bytes : chunking.maxBytes)
  const hole = { start: Math.ceil(start / gridBytes) * gridBytes, end: Math.floor(end / gridBytes) * gridBytes }
  return hole.end - hole.start >= longBytes ? hole : { start: end, end }
}

function edgesOf(range: ByteRange, hole: ByteRange): ByteRange[] {
  return [{ start: range.start, end: hole.start }, { start: hole.end, end: range.end }].filter(({ start, end }) => start < end)
}

function readWithEngine(parts: VolumeParts, root: ManifestRoot, range: ByteRange, signal: AbortSignal | undefined): AsyncIterable<Uint8Array> {
  return readContent(parts, { content: { kind: 'manifest', root }, size: range.end, range, label: 'the version that a body was made from', signal })
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const bytes: Uint8Array[] = []
  for await (const piece of pieces) bytes.push(piece.slice())
  return concatBytes(bytes)
}
