/**
 * Reads a range of which some bytes are local and some are the base's: asks the base for its parts, and puts the local bytes over them when all have come.
 *
 * What is local is looked at last, so that a write that comes while the base is being fetched is in the answer or not, but never half.
 */
import { errno } from '../../shared/errno.ts'
import type { ByteRange } from '../../shared/range.ts'
import { type FileSlice, Waiter } from '../fetch/waiter.ts'
import type { Sys } from '../sys/sys.ts'

/** Reads the version below a partial body. */
export interface BaseReader {
  read(offset: number, length: number): FileSlice | number | Waiter
  close(): void
}

export interface MixedRead {
  readonly range: ByteRange
  /** What the base has to give; in order, within the range. */
  readonly lacks: readonly ByteRange[]
  readonly base: BaseReader
  readonly sys: Pick<Sys, 'pread'>
  /** Writes everything else into the bytes of the range; false when it cannot. */
  readonly fillLocal: (into: Uint8Array) => boolean
}

/** More parts of the base than this are read as one. */
const partCountMax = 4

/** A slice or a negative errno at once, or a waiter. */
export function readMixed({ range, lacks, base, sys, fillLocal }: MixedRead): FileSlice | number | Waiter {
  const bytes = new Uint8Array(range.end - range.start)
  const pending = new Set<Waiter>()
  let failure = 0
  const finish = (): FileSlice | number => {
    if (failure < 0) return failure
    return fillLocal(bytes) ? { kind: 'bytes', bytes } : -errno.EIO
  }
  const take = (lack: ByteRange, answer: FileSlice | number): void => {
    if (typeof answer === 'number') failure = failure < 0 ? failure : answer
    else if (!copySlice(sys, answer, bytes.subarray(lack.start - range.start, lack.end - range.start))) failure = -errno.EIO
  }
  const waiting: (readonly [ByteRange, Waiter])[] = []
  // What is local is put over it all in the end, so a few bytes too many do no harm, and many small reads would.
  const asked = lacks.length > partCountMax ? [{ start: lacks[0]!.start, end: lacks.at(-1)!.end }] : lacks
  for (const lack of asked) {
    const answer = base.read(lack.start, lack.end - lack.start)
    if (answer instanceof Waiter) {
      pending.add(answer)
      waiting.push([lack, answer])
    } else take(lack, answer)
  }
  if (pending.size === 0) return finish()
  const outer = new Waiter(range, () => {
    for (const inner of pending) inner.cancel()
  })
  for (const [lack, inner] of waiting) {
    inner.listen((answer) => {
      pending.delete(inner)
      take(lack, answer)
      if (pending.size === 0) outer.settle(finish())
    })
  }
  return outer
}

function copySlice(sys: Pick<Sys, 'pread'>, slice: FileSlice, into: Uint8Array): boolean {
  if (slice.kind === 'file') return sys.pread(slice.fd, into, slice.offset) === into.length
  if (slice.bytes.length !== into.length) return false
  into.set(slice.bytes)
  return true
}
