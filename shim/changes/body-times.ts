/**
 * The entry of a file whose bytes are in a local body, as that body is now. Called wherever such a file is shown, changed or published.
 */
import type { Entry, Time } from '../../shared/format/entry.ts'

/**
 * The kernel writes into bodies by itself, so a body that is newer than the entry was written to when its disk says, and that is when the file's ctime
 * moved, too.
 */
export function entryOfBody(entry: Entry, size: number, mtime: Time): Entry {
  const isWritten = mtime.seconds !== entry.mtime.seconds || mtime.nanoseconds !== entry.mtime.nanoseconds
  if (!isWritten) return size === entry.size ? entry : { ...entry, size }
  return { ...entry, size, mtime, ctime: isLater(mtime, entry.ctime) ? mtime : entry.ctime }
}

function isLater(a: Time, b: Time): boolean {
  return a.seconds > b.seconds || (a.seconds === b.seconds && a.nanoseconds > b.nanoseconds)
}
