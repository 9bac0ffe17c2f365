/** `--range 0-99`: first and last byte as in HTTP's `Range: bytes=…` (RFC 9110 section 14.1.2), `500-` and `-100` included. */
import { EdgemountError } from '../../shared/error.ts'
import type { ByteRange } from '../../shared/range.ts'
import { UsageError } from './arguments.ts'

/** The half-open range that is meant; all of the file when there is no text. Throws when it begins behind the end. */
export function parseRange(text: string | undefined, size: number): ByteRange {
  if (text === undefined) return { start: 0, end: size }
  const match = /^(?:bytes=)?(\d*)-(\d*)$/.exec(text)
  const [first, last] = [match?.[1] ?? '', match?.[2] ?? '']
  if (match === null || (first === '' && last === '')) throw new UsageError(`Cannot read the range "${text}": write 0-99, 500- or -100`)
  const range = first === '' ? { start: Math.max(0, size - Number(last)), end: size } : { start: Number(first), end: last === '' ? size : Math.min(size, Number(last) + 1) }
  if (last !== '' && first !== '' && Number(last) < Number(first)) throw new UsageError(`Cannot read the range "${text}": it ends before it begins`)
  if (range.start > size || (range.start === size && first !== '' && size > 0)) {
    throw new EdgemountError('invalid', `Cannot read the range "${text}": the file has ${size} bytes`)
  }
  return range
}
