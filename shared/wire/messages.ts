/**
 * What the JSON of an edge looks like, and how entries become it. `edge/routes/` writes these messages, `client.ts` reads them, `WIRE.md` shows one of each.
 *
 * An entry stands twice: as plain fields for people and scripts, and as `entry`, its bytes by `FORMAT.md`, which is what mounts use.
 * Names that are not UTF-8 hold escaped lone surrogates (`\udcff`), as `shared/name.ts` explains.
 */
import { fromBase64, toBase64 } from '../bytes.ts'
import { EdgemountError } from '../error.ts'
import { decodeEntry, encodeEntry } from '../format/entry-codec.ts'
import type { Entry, FileKind, Hash, Time } from '../format/entry.ts'

export interface EntryMessage {
  readonly kind: FileKind
  readonly id: number
  /** Permission bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** RFC 3339 in UTC, nine digits; null for a year beyond its reach. */
  readonly mtime: string | null
  readonly ctime: string | null
  readonly size: number
  readonly linkCount: number
  /** Of files the content version, which is the ETag without its quotes; of what else there is only where `stat` tells it, for `If-Match`. */
  readonly version?: Hash
  /** Symlinks only. */
  readonly target?: string
  /** Base64 of the entry's bytes. */
  readonly entry: string
}

export interface NamedEntryMessage extends EntryMessage {
  readonly name: string
}

/** Answer of `stat`. `path` is where symlinks led to. */
export interface StatMessage {
  readonly seq: number
  readonly path: string
  readonly entry: EntryMessage
}

/** Answer of `list`; the next page is asked for with `after` = the last name. */
export interface ListMessage {
  readonly seq: number
  readonly path: string
  readonly items: readonly NamedEntryMessage[]
  readonly isLast: boolean
}

/** A chunk or hole and its place in the file. `offset` is its place in the pack. */
export type RunMessage =
  | { readonly kind: 'chunk'; readonly start: number; readonly length: number; readonly hash: Hash; readonly pack: string; readonly offset: number }
  | { readonly kind: 'hole'; readonly start: number; readonly length: number }

/** Answer of `manifest`. A body inside the entry has no runs: `inline` is its base64, whole. */
export interface ManifestMessage {
  readonly seq: number
  readonly path: string
  readonly size: number
  readonly version: Hash
  readonly inline?: string
  readonly runs: readonly RunMessage[]
  /** Where to ask on, or null when the range is complete. */
  readonly nextStart: number | null
}

export interface HeadMessage {
  readonly seq: number
  readonly time: number
  readonly author: string
  /** The volume's id: another one that later gets its name has another. */
  readonly volume: string
}

export interface VolumesMessage {
  readonly items: readonly { readonly name: string }[]
  readonly isLast: boolean
}

export interface LogMessage {
  /** Newest first. */
  readonly items: readonly { readonly seq: number; readonly size: number }[]
  readonly isLast: boolean
}

/** Answer of a long poll: commit records, as `log/{seq}` gives them, and the position to ask on from. */
export interface EventsMessage {
  readonly events: readonly unknown[]
  readonly position: number
}

/** What stood at a path, as `history` and `diff` tell it. */
export interface SideMessage {
  readonly kind: FileKind
  readonly size: number
  readonly mtime: string | null
  /** Files only. Equal versions are equal bytes. */
  readonly version?: Hash
}

/** One commit that changed a path. */
export interface PathChangeMessage {
  readonly seq: number
  /** Milliseconds since 1970. */
  readonly time: number
  readonly author: string
  /** Left out for who may see only a part of the volume. */
  readonly message?: string
  readonly change: 'added' | 'changed' | 'removed' | 'renamed'
  /** As the commit left it. */
  readonly path: string
  /** Where it was before it was renamed. */
  readonly from?: string
  /** Missing where it was removed. */
  readonly entry?: SideMessage
}

/** Answer of `history`: newest first, and where to go on, or null at the end of the log. */
export interface HistoryMessage {
  readonly items: readonly PathChangeMessage[]
  readonly next: { readonly before: number; readonly path: string } | null
}

export interface DifferenceMessage {
  readonly path: string
  readonly change: 'added' | 'changed' | 'removed'
  readonly before?: SideMessage
  readonly after?: SideMessage
}

/** Answer of `diff`; the next page is asked for with `after` = the last path. */
export interface DiffMessage {
  readonly from: number
  readonly to: number
  readonly items: readonly DifferenceMessage[]
  readonly isLast: boolean
  /** Files with several names changed: where such a file has other content now, no name of it need be among the items. */
  readonly hasLinkedChanges: boolean
}

/** Answer of `restore`. */
export interface RestoreMessage {
  readonly seq: number
  readonly path: string
  /** Files and directories that were made or replaced; 0 when nothing was different. */
  readonly count: number
}

/** Answer of `share`. */
export interface ShareMessage {
  /** Below the edge's own address. */
  readonly url: string
  readonly token: string
  /** What revocation lists know it by. */
  readonly id: string
  /** Where symlinks led to. */
  readonly path: string
  readonly rights: readonly string[]
  /** RFC 3339. */
  readonly expires: string
}

/** A lease, held or released. */
export interface LeaseMessage {
  readonly name: string
  readonly epoch: number
  /** Who has it, or had it last. */
  readonly holder: string
  readonly isReleased: boolean
  readonly leaseMs: number
  /** How long its holder may count on it, from when the request was sent. */
  readonly leftMs: number
}

/** A shim that others may ask for chunks, as it says itself. */
export interface PeerMessage {
  readonly id: string
  readonly urls: readonly string[]
  readonly zone: string
  readonly cacheBytes: number
  readonly version: string
  /** How long it stays listed without another word. */
  readonly leftMs: number
}

export interface PeersMessage {
  readonly items: readonly PeerMessage[]
}

export interface ErrorMessage {
  readonly error: { readonly code: string; readonly message: string; readonly reason?: string }
}

export function entryMessage(entry: Entry, version: Hash | undefined): EntryMessage {
  return {
    kind: entry.kind,
    id: entry.id,
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    mtime: formatTime(entry.mtime),
    ctime: formatTime(entry.ctime),
    size: entry.size,
    linkCount: entry.linkCount,
    ...(version === undefined ? {} : { version }),
    ...(entry.content.kind === 'target' ? { target: entry.content.target } : {}),
    entry: toBase64(encodeEntry(entry)),
  }
}

/** The entry of a message. Throws `corrupt` when it holds none. */
export function entryOfMessage(message: unknown): Entry {
  const text = fieldOf(message, 'entry')
  if (typeof text === 'string') return decodeEntry(fromBase64(text))
  throw new EdgemountError('corrupt', 'Cannot read an entry from the edge: the answer has none')
}

/** A field of any JSON value; undefined when there is none. */
export function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  const field: unknown = Object.getOwnPropertyDescriptor(value, name)?.value
  return field
}

/** `2026-11-21T09:30:00.000000001Z`, or null when the year has not four digits. */
export function formatTime(time: Time): string | null {
  const date = new Date(time.seconds * 1000)
  if (Number.isNaN(date.getTime())) return null
  const text = date.toISOString()
  return /^\d{4}-/.test(text) ? `${text.slice(0, 19)}.${String(time.nanoseconds).padStart(9, '0')}Z` : null
}
