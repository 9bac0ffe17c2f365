/**
 * Entries compared and merged, field by field: whether an inode still differs from the snapshot, and what it is when the snapshot has moved under it.
 */
import { equalBytes } from '../../shared/bytes.ts'
import { sizeOf } from '../../shared/format/content-codec.ts'
import type { Content, Entry, ManifestRoot, Time } from '../../shared/format/entry.ts'

/** Directories' trees are not looked at: names make them. */
export function areSameEntries(a: Entry, b: Entry): boolean {
  if (a === b) return true
  return (
    areSameTimes(a.ctime, b.ctime) &&
    areSameTimes(a.mtime, b.mtime) &&
    areSameTimes(a.atime ?? a.mtime, b.atime ?? b.mtime) &&
    a.mode === b.mode &&
    a.uid === b.uid &&
    a.gid === b.gid &&
    a.size === b.size &&
    a.linkCount === b.linkCount &&
    a.kind === b.kind &&
    areSameContents(a.content, b.content) &&
    areSameXattrs(a.xattrs, b.xattrs)
  )
}

/** Content and xattrs are the same objects: an entry that was made of the other. */
export function areSameButAttributes(a: Entry, b: Entry): boolean {
  return a.content === b.content && a.xattrs === b.xattrs && a.kind === b.kind
}

export function areSameTimes(a: Time, b: Time): boolean {
  return a.seconds === b.seconds && a.nanoseconds === b.nanoseconds
}

/** Where it is not set it goes with mtime, and that it does is not a change. */
function areSameAtimes(a: Time | undefined, b: Time | undefined): boolean {
  return a === undefined || b === undefined ? a === b : areSameTimes(a, b)
}

function areSameXattrs(a: Entry['xattrs'], b: Entry['xattrs']): boolean {
  if (a === b) return true
  if (a.size !== b.size) return false
  for (const [name, value] of a) {
    const other = b.get(name)
    if (other === undefined || !equalBytes(value, other)) return false
  }
  return true
}

export function areSameContents(a: Content, b: Content): boolean {
  if (a === b) return true
  switch (a.kind) {
    case 'inline':
      return b.kind === 'inline' && equalBytes(a.bytes, b.bytes)
    case 'manifest':
      return b.kind === 'manifest' && areSameManifests(a.root, b.root)
    case 'target':
      return b.kind === 'target' && a.target === b.target
    case 'device':
      return b.kind === 'device' && a.major === b.major && a.minor === b.minor
    default:
      return a.kind === b.kind
  }
}

function areSameManifests(a: ManifestRoot, b: ManifestRoot): boolean {
  return a.contentId === b.contentId
}

/**
 * `now` was made from `before`, which has become `after` meanwhile: what was changed stays as it is now, everything else is as in `after`. Links are for who
 * knows the names to count.
 */
export function rebased(now: Entry, before: Entry, after: Entry): Entry {
  if (now === before) return after
  const isContentOurs = !areSameContents(now.content, before.content)
  // One that was set is not written down where it happens to be the same as mtime, and does not go with that for it.
  const theirs = after.atime ?? (now.atime === undefined ? undefined : after.mtime)
  const atime = areSameAtimes(now.atime, before.atime) ? theirs : now.atime
  return {
    kind: after.kind,
    id: after.id,
    mode: now.mode === before.mode ? after.mode : now.mode,
    uid: now.uid === before.uid ? after.uid : now.uid,
    gid: now.gid === before.gid ? after.gid : now.gid,
    mtime: areSameTimes(now.mtime, before.mtime) ? after.mtime : now.mtime,
    ctime: areSameTimes(now.ctime, before.ctime) ? after.ctime : now.ctime,
    ...(atime === undefined ? {} : { atime }),
    // Of a body that is gone, the size is gone with it.
    size: isContentOurs ? now.size : after.size,
    linkCount: after.linkCount,
    xattrs: areSameXattrs(now.xattrs, before.xattrs) ? after.xattrs : now.xattrs,
    content: isContentOurs ? now.content : after.content,
  }
}

/** What the content of an entry holds. A manifest of pages does not say how long it is: what the entry that it came with says, counts. */
export function contentSizeOf(entry: Entry, base: Entry | undefined, known: { readonly entry: Entry; readonly contentSize: number } | undefined): number {
  const { content } = entry
  if (known !== undefined && areSameContents(content, known.entry.content)) return known.contentSize
  if (base !== undefined && areSameContents(content, base.content)) return base.size
  return sizeOf(content) ?? entry.size
}
