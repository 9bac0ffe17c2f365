/**
 * Which requests read a range of a body: a pure plan from runs to ranged GETs. Chunks that lie side by side in a pack become one request.
 */
import type { PlacedRun } from '../format/manifest-page.ts'
import type { Hash, PackId, Pointer } from '../format/entry.ts'
import { type ByteRange, intersectRanges } from '../range.ts'

/** The largest request: longer ones win nothing on any store, and this much is held in memory for each request under way. */
export const getBytesMax = 8 * 1024 * 1024

/** A slice of a chunk that the reader wants. */
export interface ChunkSlice {
  readonly pointer: Pointer
  /** Within the chunk. */
  readonly slice: ByteRange
}

export type ReadStep =
  | { readonly kind: 'hole'; readonly length: number }
  | { readonly kind: 'memory'; readonly bytes: Uint8Array }
  | { readonly kind: 'get'; readonly pack: PackId; readonly range: ByteRange; readonly chunks: readonly ChunkSlice[] }

interface OpenGet {
  readonly kind: 'get'
  readonly pack: PackId
  range: ByteRange
  readonly chunks: ChunkSlice[]
}

/**
 * The steps that give the bytes of `range`, in order, from the runs that overlap it. Chunks are fetched whole, since only whole chunks can be
 * verified; no request is larger than `bytesMax` unless one chunk is. What is in memory (`held`) is not fetched, except between chunks that are: one
 * request more costs more than one chunk more.
 */
export function planRead(
  runs: readonly PlacedRun[],
  range: ByteRange,
  bytesMax: number = getBytesMax,
  held: (hash: Hash) => Uint8Array | undefined = () => undefined,
): ReadStep[] {
  const steps: ReadStep[] = []
  let open: OpenGet | undefined
  for (const { start, run } of runs) {
    const wanted = intersectRanges({ start, end: start + run.length }, range)
    if (wanted === undefined) continue
    if (run.kind === 'hole') {
      steps.push({ kind: 'hole', length: wanted.end - wanted.start })
      open = undefined
      continue
    }
    const { pointer } = run
    const chunk: ChunkSlice = { pointer, slice: { start: wanted.start - start, end: wanted.end - start } }
    const joined: ByteRange | undefined = open === undefined ? undefined : joinedRange(open, pointer, bytesMax)
    const isBetween = joined !== undefined && start + run.length < range.end
    const bytes = isBetween ? undefined : held(pointer.hash)
    // A pointer with another length than the chunk of its hash is corrupt: fetching it says so.
    if (bytes?.length === pointer.length) {
      steps.push({ kind: 'memory', bytes: bytes.subarray(chunk.slice.start, chunk.slice.end) })
      open = undefined
    } else if (open !== undefined && joined !== undefined) {
      open.range = joined
      open.chunks.push(chunk)
    } else {
      open = { kind: 'get', pack: pointer.pack, range: { start: pointer.offset, end: pointer.offset + pointer.length }, chunks: [chunk] }
      steps.push(open)
    }
  }
  return steps
}

/** The request's range with a chunk that follows it at once, or lies in it already (content that repeats); undefined when it must be another request. */
function joinedRange(open: OpenGet, pointer: Pointer, bytesMax: number): ByteRange | undefined {
  if (open.pack !== pointer.pack) return undefined
  const { start, end } = open.range
  const chunkEnd = pointer.offset + pointer.length
  if (pointer.offset >= start && chunkEnd <= end) return open.range
  return pointer.offset === end && chunkEnd - start <= bytesMax ? { start, end: chunkEnd } : undefined
}
