/**
 * One inode changed on two sides: what it is then, field by field. Pure functions; `change-plan.ts` finds the three versions and asks.
 *
 * What we changed is ours, everything else is theirs. Content is one field: when both sides changed it, theirs stands, whole, and ours has to be kept
 * elsewhere.
 */
import { equalBytes } from '../bytes.ts'
import { equalTimes } from '../format/entry-codec.ts'
import type { Entry, Time } from '../format/entry.ts'
import { isSameContent } from './merge.ts'

export interface MergedEntry {
  readonly entry: Entry
  /** Both sides have content of their own: `entry` is theirs, and ours is to be kept beside it. */
  readonly isContested: boolean
}

/** `before` is what ours was made from; undefined when ours was new. `theirs` has the same id and kind. */
export function mergeEntry(before: Entry | undefined, ours: Entry, theirs: Entry): MergedEntry {
  // New here and there already: this side's own earlier version, or what others have made of that.
  if (before === undefined) {
    if (!isSameBody(ours, theirs)) return { entry: theirs, isContested: true }
    return { entry: isLater(ours.ctime, theirs.ctime) ? { ...ours, content: theirs.content } : theirs, isContested: false }
  }
  const isOurs = !isSameBody(before, ours)
  if (isOurs && !isSameBody(before, theirs) && !isSameBody(ours, theirs)) return { entry: theirs, isContested: true }
  const body = isOurs && !isSameBody(ours, theirs) ? ours : theirs
  const isDirectory = theirs.kind === 'directory'
  const pick = <T>(of: (entry: Entry) => T, isEqual: (a: T, b: T) => boolean): T => of(isEqual(of(before), of(ours)) ? theirs : ours)
  const later = (of: (entry: Entry) => Time): Time => {
    if (equalTimes(of(before), of(ours))) return of(theirs)
    return isLater(of(theirs), of(ours)) && !equalTimes(of(before), of(theirs)) ? of(theirs) : of(ours)
  }
  // Both sides have moved these on.
  const mtime = isDirectory ? later((entry) => entry.mtime) : pick((entry) => entry.mtime, equalTimes)
  // Where it is not set it goes with mtime, and that it does is not a change.
  const atime = pick((each) => each.atime, areSameAtimes)
  const entry: Entry = {
    ...theirs,
    mode: pick((each) => each.mode, Object.is),
    uid: pick((each) => each.uid, Object.is),
    gid: pick((each) => each.gid, Object.is),
    mtime,
    ctime: later((each) => each.ctime),
    atime: areSameAtimes(atime, mtime) ? undefined : atime,
    size: body.size,
    content: body.content,
    xattrs: mergeXattrs(before.xattrs, ours.xattrs, theirs.xattrs),
  }
  return { entry, isContested: false }
}

/** Theirs, with the later times of both: of directories that became one. */
export function laterTimes(ours: Entry, theirs: Entry): Entry {
  const mtime = isLater(ours.mtime, theirs.mtime) ? ours.mtime : theirs.mtime
  const ctime = isLater(ours.ctime, theirs.ctime) ? ours.ctime : theirs.ctime
  return { ...theirs, mtime, ctime }
}

/** The same bytes, target or device. Any two directories are. */
export function isSameBody(a: Entry, b: Entry): boolean {
  return a.kind === b.kind && (a.kind === 'directory' || (a.size === b.size && isSameContent(a.content, b.content)))
}

/** Nothing to write. What names make of a directory is not looked at. */
export function isSameEntry(a: Entry, b: Entry): boolean {
  return a.id === b.id && a.linkCount === b.linkCount && isSameBody(a, b) && areSameAttributes(a, b) && areSameXattrs(a.xattrs, b.xattrs)
}

/** Mode, owner and times. */
export function areSameAttributes(a: Entry, b: Entry): boolean {
  const areTimes = equalTimes(a.mtime, b.mtime) && equalTimes(a.ctime, b.ctime) && equalTimes(atimeOf(a), atimeOf(b))
  return areTimes && a.mode === b.mode && a.uid === b.uid && a.gid === b.gid
}

export function areSameXattrs(a: Entry['xattrs'], b: Entry['xattrs']): boolean {
  if (a.size !== b.size) return false
  for (const [name, value] of a) if (!isSameValue(value, b.get(name))) return false
  return true
}

function mergeXattrs(before: Entry['xattrs'], ours: Entry['xattrs'], theirs: Entry['xattrs']): Entry['xattrs'] {
  if (areSameXattrs(before, ours)) return theirs
  const merged = new Map(theirs)
  for (const name of before.keys()) if (!ours.has(name)) merged.delete(name)
  for (const [name, value] of ours) if (!isSameValue(value, before.get(name))) merged.set(name, value)
  return merged
}

function isSameValue(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && equalBytes(a, b)
}

function areSameAtimes(a: Time | undefined, b: Time | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && equalTimes(a, b))
}

function atimeOf(entry: Entry): Time {
  return entry.atime ?? entry.mtime
}

function isLater(a: Time, b: Time): boolean {
  return a.seconds > b.seconds || (a.seconds === b.seconds && a.nanoseconds > b.nanoseconds)
}
