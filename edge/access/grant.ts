/**
 * What the caller of one request may, once it was let in. Handlers ask it where the address alone does not tell: for listings, and where symlinks led.
 */
import { EdgemountError } from '../../shared/error.ts'
import { isWithin } from '../../shared/path.ts'
import { type Right, rights } from '../../shared/wire/token.ts'

export interface Grant {
  readonly rights: readonly Right[]
  /** Canonical path; nothing outside is told, read or written. */
  readonly prefix: string
  /** Somebody brought a token that allows it; no page can do that by itself. */
  readonly isByToken: boolean
  /** What revocation lists know the token by. */
  readonly tokenId: string | undefined
  /** Seconds since 1970, of the token. */
  readonly expiry: number | undefined
  /** Who may keep an answer: shared caches too, or only who asked. */
  readonly caches: 'shared' | 'private'
}

/** On an edge without secrets. */
export const fullGrant: Grant = { rights, prefix: '/', isByToken: false, tokenId: undefined, expiry: undefined, caches: 'shared' }

/** Throws `denied` unless the caller has a right that its address alone does not need. */
export function requireRight(grant: Grant, right: Right, path: string): void {
  if (grant.rights.includes(right)) return
  throw new EdgemountError('denied', `Cannot ${right} "${path}": the token allows to ${grant.rights.join(', ')}, and not to ${right}`)
}

/** Throws `denied` for a path that symlinks led to outside of what the caller may see. */
export function requireWithin(grant: Grant, path: string, asked: string): void {
  if (isWithin(path, grant.prefix)) return
  throw new EdgemountError('denied', `Cannot open "${asked}": a symlink on the way leads out of "${grant.prefix}"`)
}
