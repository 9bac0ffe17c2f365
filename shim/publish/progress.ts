/**
 * Whether publishing gets on: a pure rule, by which `flush` and the end of a mount go on waiting or give up.
 */
export interface Progress {
  /** Of changed files that were read, and of packs that were stored. */
  readonly bytes: number
  readonly commitCount: number
  readonly roundCount: number
  /** Files that the last round left out. */
  readonly leftOut: readonly string[]
  /** Why it is tried again. */
  readonly error: string | undefined
}

/** Between two looks, as far apart as a program would wait for the store. */
export function getsOn(before: Progress, after: Progress): boolean {
  if (after.error !== undefined) return false
  // A file that each round leaves out is not waited for: it may change for ever.
  const isLeftAgain = after.roundCount > before.roundCount && after.leftOut.some((path) => before.leftOut.includes(path))
  return !isLeftAgain && (after.bytes > before.bytes || after.commitCount > before.commitCount)
}
