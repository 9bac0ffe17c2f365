/**
 * Numbers for files. A session counts up from a random start, so that sessions need not know of each other.
 */
import { EdgemountError } from '../error.ts'
import { type FileId, isFileId } from '../format/entry.ts'
import { type Random, randomBelow } from '../random.ts'

/** st_ino of the root directory in every volume. */
export const rootFileId: FileId = toFileId(1)

/** Ids below are kept for the root and for what a later format may need. */
const firstFileId = 1024
/** A start near 2^53 would run out of safe integers. */
const startsMax = 2 ** 53 - 2 ** 40

/** Gives a fresh id at each call. */
export function fileIdsFrom(random: Random): () => FileId {
  let next = firstFileId + randomBelow(random, startsMax)
  return () => {
    next += 1
    return toFileId(next)
  }
}

export function toFileId(value: number): FileId {
  if (isFileId(value)) return value
  throw new EdgemountError('invalid', `Cannot number a file ${value}: it is not a safe non-negative integer`)
}
