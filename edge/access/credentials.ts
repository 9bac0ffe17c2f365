/**
 * Which token a request brings: in `Authorization: Bearer`, `X-API-Key`, `?t=`, or its path. A pure function; `guard.ts` calls it.
 */
import { EdgemountError } from '../../shared/error.ts'
import type { Address } from './address.ts'

export interface Presented {
  readonly text: string
  /** It is part of the URL: whoever has that has the token, and so may caches between. */
  readonly isInAddress: boolean
}

/** Undefined when there is none. Throws `invalid` when there are several that differ: which one would count could be seen in different ways. */
export function presentedToken(headers: Headers, { token, query }: Pick<Address, 'token' | 'query'>): Presented | undefined {
  const inAddress = [...(token === undefined ? [] : [token]), ...queryTokens(query)]
  const inHeaders: string[] = []
  const bearer = /^bearer(?: +(.*))?$/i.exec(headers.get('authorization') ?? '')
  if (bearer !== null) inHeaders.push(bearer[1] ?? '')
  const apiKey = headers.get('x-api-key')
  if (apiKey !== null) inHeaders.push(apiKey)
  const all = [...inHeaders, ...inAddress]
  const [first] = all
  if (first === undefined) return undefined
  if (all.some((each) => each !== first)) throw new EdgemountError('invalid', 'Cannot tell which token counts: there are several that differ; send one')
  return { text: first, isInAddress: inHeaders.length === 0 }
}

function queryTokens(query: string): readonly string[] {
  return query.split('&').flatMap((part) => (part === 't' ? [''] : part.startsWith('t=') ? [part.slice(2)] : []))
}
