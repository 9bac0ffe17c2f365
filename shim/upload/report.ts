/**
 * What an import has done so far, counted while it goes on, and what it could not do.
 */
import type { ErrorCode } from '../../shared/error.ts'

/**
 * `unread`: it is not in the volume (or its older version still is). `changed`: it was written to each time it was read, so what is in may be half
 * old, half new. `grew`: the bytes it had when it was opened are in. `vanished`: it was removed before it could be read.
 */
export type ProblemKind = 'unread' | 'changed' | 'grew' | 'vanished'

export interface Problem {
  readonly kind: ProblemKind
  /** Path in the folder, without a leading slash. */
  readonly path: string
  readonly code: ErrorCode
  readonly reason: string
}

export class ImportReport {
  /** Names seen, of every kind. */
  entryCount = 0
  fileCount = 0
  /** Bytes of all files seen. */
  bytes = 0
  /** Of these files the ones that could not be read, and their bytes. */
  unreadFileCount = 0
  unreadBytes = 0
  /** Files whose content was read, and their bytes. */
  readFileCount = 0
  readBytes = 0
  /** Bytes that the store did not have. */
  newBytes = 0
  addedCount = 0
  changedCount = 0
  deletedCount = 0
  excludedCount = 0
  /** Path under way, for the progress line. */
  current = ''
  isWalked = false
  readonly problems: Problem[] = []

  /** Folders, and names that could not even be looked at. */
  get otherUnreadCount(): number {
    return this.problems.filter(({ kind }) => kind === 'unread').length - this.unreadFileCount
  }

  /** False when something of the folder is missing from the volume, or may be torn. */
  get isComplete(): boolean {
    return this.problems.every((problem) => problem.kind === 'grew' || problem.kind === 'vanished')
  }
}
