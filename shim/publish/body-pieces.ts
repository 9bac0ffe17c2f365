/**
 * Which ranges of a body have to be read, and which are known to be zeros: a pure plan over what a batch says and where its backing file has data.
 */
import type { ByteRange } from '../../shared/range.ts'

export interface BodyPieces {
  /** To be read from the backing file. */
  readonly data: readonly ByteRange[]
  /** Nothing is there: in a partial body, over what was published. */
  readonly zeros: readonly ByteRange[]
}

/** A gap between two ranges that is shorter is read with them: looking for each hole of a fragmented file would take longer. */
export const gapBytesMin = 1024 * 1024

/**
 * `written` as a batch tells it: sorted edges start, end, start, end …; undefined: all is local. Past the base everything is. `dataWithin` gives where the
 * backing file has data, in order.
 */
export function planPieces(
  body: { readonly written: readonly number[] | undefined; readonly baseLength: number; readonly size: number },
  dataWithin: (range: ByteRange) => Iterable<ByteRange>,
): BodyPieces {
  const data: ByteRange[] = []
  const zeros: ByteRange[] = []
  for (const local of localRanges(body)) {
    let at = local.start
    for (const { start, end } of dataWithin(local)) {
      if (start - at >= gapBytesMin) zeros.push({ start: at, end: start })
      else if (at < start) push(data, { start: at, end: start })
      push(data, { start, end })
      at = end
    }
    if (local.end - at >= gapBytesMin) zeros.push({ start: at, end: local.end })
    else if (at < local.end) push(data, { start: at, end: local.end })
  }
  return { data, zeros }
}

function localRanges({ written, baseLength, size }: { readonly written: readonly number[] | undefined; readonly baseLength: number; readonly size: number }): ByteRange[] {
  const fromBase = written === undefined ? 0 : Math.min(baseLength, size)
  const ranges: ByteRange[] = []
  for (let index = 0; index + 1 < (written?.length ?? 0); index += 2) {
    const start = Math.min(written![index]!, fromBase)
    const end = Math.min(written![index + 1]!, fromBase)
    if (start < end) push(ranges, { start, end })
  }
  if (fromBase < size) push(ranges, { start: fromBase, end: size })
  return ranges
}

/** Ranges that touch are one. */
function push(ranges: ByteRange[], range: ByteRange): void {
  const last = ranges.at(-1)
  if (last?.end === range.start) ranges[ranges.length - 1] = { start: last.start, end: range.end }
  else ranges.push(range)
}
