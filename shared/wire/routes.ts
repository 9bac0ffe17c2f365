/**
 * The addresses of an edge, as paths: the clients here build them, the routes in `edge/` read them, `WIRE.md` shows them.
 * Names stand as their percent-encoded bytes; ranges are half-open like everywhere but in HTTP's own headers.
 */
import { EdgemountError } from '../error.ts'
import type { PackId } from '../format/entry.ts'
import { percentEncodeName, percentEncodePath } from '../path.ts'
import type { ByteRange } from '../range.ts'

/** A volume's name is one URL segment and one key part, and never looks like `@12`, `.` or an option. */
const volumeName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/

export function isVolumeName(name: string): boolean {
  return volumeName.test(name)
}

/** What the client has read of a pack did not match its hashes: the edge asks the store again, and replaces what it keeps. */
export const freshHeader = 'edgemount-fresh'

/** Throws `invalid` unless a volume can have this name. */
export function checkVolumeName(name: string): void {
  if (isVolumeName(name)) return
  throw new EdgemountError(
    'invalid',
    `Cannot use the volume name ${JSON.stringify(name)}: it must be 1 to 63 letters, digits, ".", "_" or "-", the first a letter or digit`,
  )
}

/** The ETag of an `access.json` that is not there. */
export const absentTag = '"absent"'

/** What a lookup may be pinned to, and where a page of it begins. */
export interface LookupQuery {
  /** The snapshot to look at; the newest unless given. */
  readonly seq?: number | undefined
}

export const routes = {
  volumes: (): string => '/v1',
  volume: (volume: string): string => `/v1/${volume}`,
  /** The live file, or the one of a snapshot. */
  file: (volume: string, path: string, seq?: number): string =>
    `/v1/${volume}/${seq === undefined ? 'files' : `@${seq}`}${percentEncodePath(path)}`,
  stat: (volume: string, path: string, query: LookupQuery = {}): string =>
    `/v1/${volume}/stat${percentEncodePath(path)}${queryText({ seq: query.seq })}`,
  list: (volume: string, path: string, query: LookupQuery & { readonly after?: string | undefined; readonly limit?: number | undefined } = {}): string =>
    `/v1/${volume}/list${percentEncodePath(path)}${queryText({ seq: query.seq, after: query.after, limit: query.limit })}`,
  manifest: (volume: string, path: string, query: LookupQuery & { readonly range?: ByteRange | undefined } = {}): string =>
    `/v1/${volume}/manifest${percentEncodePath(path)}${queryText({ seq: query.seq, start: query.range?.start, end: query.range?.end })}`,
  packs: (volume: string, pack: PackId): string => `/v1/${volume}/packs?pack=${pack}`,
  pack: (volume: string, pack: PackId): string => `/v1/${volume}/packs/${pack}`,
  slice: (volume: string, pack: PackId, range: ByteRange): string => `/v1/${volume}/packs/${pack}/${range.start}-${range.end}`,
  /** Records below `before`, newest first. */
  log: (volume: string, query: { readonly before?: number | undefined; readonly limit?: number | undefined } = {}): string =>
    `/v1/${volume}/log${queryText(query)}`,
  record: (volume: string, seq: number): string => `/v1/${volume}/log/${seq}`,
  head: (volume: string): string => `/v1/${volume}/head`,
  access: (volume: string): string => `/v1/${volume}/access`,
  /** Server-sent events, or, with `waitMs`, one JSON answer that waits at most so long. */
  events: (volume: string, query: { readonly after?: number | undefined; readonly waitMs?: number | undefined; readonly prefix?: string | undefined } = {}): string => {
    const text = queryText({ after: query.after, wait: query.waitMs })
    const prefix = query.prefix === undefined ? '' : `${text === '' ? '?' : '&'}prefix=${percentEncodePath(query.prefix)}`
    return `/v1/${volume}/events${text}${prefix}`
  },
  /** Commits below `before` that changed a path, newest first. */
  history: (volume: string, path: string, query: { readonly before?: number | undefined; readonly limit?: number | undefined } = {}): string =>
    `/v1/${volume}/history${percentEncodePath(path)}${queryText(query)}`,
  diff: (volume: string, path: string, query: { readonly from: number; readonly to: number; readonly after?: string | undefined; readonly limit?: number | undefined }): string =>
    `/v1/${volume}/diff${percentEncodePath(path)}${queryText({ ...query, after: undefined })}${query.after === undefined ? '' : `&after=${percentEncodePath(query.after)}`}`,
  /** Brings back what commit `seq` had at a path, there or at another one. */
  restore: (volume: string, path: string, query: { readonly seq: number; readonly to?: string | undefined }): string =>
    `/v1/${volume}/restore${percentEncodePath(path)}?seq=${query.seq}${query.to === undefined ? '' : `&to=${percentEncodePath(query.to)}`}`,
  share: (volume: string, path: string): string => `/v1/${volume}/share${percentEncodePath(path)}`,
  peers: (volume: string): string => `/v1/${volume}/peers`,
  peer: (volume: string, id: string): string => `/v1/${volume}/peers/${percentEncodeName(id)}`,
  lease: (volume: string, name: string): string => `/v1/${volume}/leases/${percentEncodeName(name)}`,
} as const

function queryText(values: Readonly<Record<string, string | number | undefined>>): string {
  const parts: string[] = []
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) parts.push(`${name}=${typeof value === 'number' ? value : percentEncodeName(value)}`)
  }
  return parts.length === 0 ? '' : `?${parts.join('&')}`
}
