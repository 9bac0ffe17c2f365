/**
 * Where the bytes of a body come from, in order: a pure plan. What was written here is in the backing file, elsewhere the base counts as far as it goes.
 */
import type { ByteRange } from '../../shared/range.ts'

export interface BodyPiece {
  readonly from: 'local' | 'base'
  readonly range: ByteRange
}

/**
 * Covers the file once, without gaps. `written` as a batch tells it: sorted edges start, end, start, end …; undefined: all is local. Past the base
 * everything is.
 */
export function* pieces(written: readonly number[] | undefined, baseLength: number, size: number): Generator<BodyPiece> {
  const fromBase = written === undefined ? 0 : Math.min(baseLength, size)
  let at = 0
  for (let index = 0; index + 1 < (written?.length ?? 0); index += 2) {
    const start = Math.min(written![index]!, fromBase)
    const end = Math.min(written![index + 1]!, fromBase)
    if (start >= end) continue
    if (at < start) yield { from: 'base', range: { start: at, end: start } }
    yield { from: 'local', range: { start, end } }
    at = end
  }
  if (at < fromBase) yield { from: 'base', range: { start: at, end: fromBase } }
  if (fromBase < size) yield { from: 'local', range: { start: fromBase, end: size } }
}
