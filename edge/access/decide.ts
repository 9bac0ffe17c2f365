/**
 * Who may do what, as a pure function: what is asked for, what a genuine token says, and whether the volume is public, to a grant or a refusal.
 * `guard.ts` obeys. Nothing here looks at the store, so an answer never depends on what is there: outside of a token's reach all is `denied` alike.
 */
import { percentDecodePath } from '../../shared/path.ts'
import { type Claims, type Right, reaches } from '../../shared/wire/token.ts'
import { parseInteger } from '../http/query.ts'
import { type Route, volumeNameOf } from '../route.ts'
import type { Grant } from './grant.ts'

/** What a request is about. */
export interface Asked {
  readonly needs: Right
  /** Undefined for what is about the edge. */
  readonly volume: string | undefined
  /** Canonical; undefined for what is about the whole volume, or the edge. */
  readonly path: string | undefined
  /** The answer holds only what lies within the grant's prefix, whatever that is. */
  readonly isFiltered: boolean
  /** A part of what everybody may read in a volume that is public. */
  readonly isContent: boolean
  /** Everybody who has a token may know it. */
  readonly isForEveryToken: boolean
  /** What a signed URL may be for: the bytes of a file. */
  readonly file: { readonly seq: number | undefined } | undefined
}

export type Decision = { readonly kind: 'granted'; readonly grant: Grant } | { readonly kind: 'refused'; readonly why: string }

/** Throws `invalid` for an address that cannot be. */
export function askedOf(route: Pick<Route, 'template' | 'method' | 'needs' | 'isFiltered' | 'isNeverPublic' | 'isForEveryToken'>, parameters: Readonly<Record<string, string>>): Asked {
  const { template, method, needs = 'admin', isFiltered = false, isNeverPublic = false, isForEveryToken = false } = route
  const volume = template.includes('{volume}') ? volumeNameOf(parameters) : undefined
  const path = template.endsWith('/{path}') ? percentDecodePath(parameters['path'] ?? '') : undefined
  return { needs, volume, path, isFiltered, isContent: !isNeverPublic && (needs === 'read' || needs === 'list'), isForEveryToken, file: method === 'GET' ? fileOf(template, parameters) : undefined }
}

function fileOf(template: string, parameters: Readonly<Record<string, string>>): Asked['file'] {
  if (template === '/v1/{volume}/files/{path}') return { seq: undefined }
  if (template !== '/v1/{volume}/@{seq}/{path}') return undefined
  return { seq: parseInteger(parameters['seq'] ?? '', 'seq', { min: 1, max: Number.MAX_SAFE_INTEGER }) }
}

/** What everybody may in a volume that is public comes first: it is not worth less with a token. */
export function decide(asked: Asked, claims: Claims | undefined, isPublic: boolean, isInAddress: boolean): Decision {
  if (isPublic && asked.isContent) return { kind: 'granted', grant: publicGrant }
  if (claims === undefined) return { kind: 'refused', why: 'a token is needed' }
  // A signed URL is good for its address alone.
  const isForAll = asked.isForEveryToken && claims.reach.kind === 'tree'
  if (!isForAll && !isReached(asked, claims)) return { kind: 'refused', why: reachText(claims, asked) }
  if (!isForAll && !claims.rights.includes(asked.needs)) return { kind: 'refused', why: `the token allows to ${claims.rights.join(', ')}, and not to ${asked.needs}` }
  const isSigned = claims.reach.kind === 'file' && isInAddress
  return { kind: 'granted', grant: { rights: claims.rights, prefix: claims.prefix, isByToken: true, tokenId: claims.id, expiry: claims.expiry, caches: isSigned ? 'shared' : 'private' } }
}

const publicGrant: Grant = { rights: ['read', 'list'], prefix: '/', isByToken: false, tokenId: undefined, expiry: undefined, caches: 'shared' }

function isReached({ volume, path, isFiltered, file }: Asked, claims: Claims): boolean {
  if (!reaches(claims, volume, isFiltered ? claims.prefix : path)) return false
  if (claims.reach.kind === 'tree') return true
  return file !== undefined && path === claims.prefix && file.seq === claims.reach.seq
}

function reachText({ volume, prefix, reach }: Claims, asked: Asked): string {
  if (asked.volume === undefined) return 'this is about all volumes, and the token is for one'
  if (reach.kind === 'file') return `the token is for reading one file of the volume "${volume}"`
  if (asked.volume !== volume) return `the token is for the volume "${volume}"`
  const text = `the token reaches "${prefix}" alone`
  return asked.path === undefined ? `this is about the whole volume, and ${text}; mounts and commands need one that reaches all of it` : text
}
