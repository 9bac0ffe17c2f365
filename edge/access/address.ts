/**
 * A request's address with its path token taken off: `/t/{token}/v1/…` is `/v1/…` to the router and to every handler, so that relative addresses below it
 * keep the token and no message can repeat it. A pure function; `app.ts` calls it once for the router and once for the handler.
 */
import { type RawUrl, splitUrl } from '../http/query.ts'

export interface Address extends RawUrl {
  /** As it stands in the path; nothing is decoded, since a token needs no escaping. */
  readonly token: string | undefined
  /** What stands before `path` in addresses that the client is told: `/t/{token}`, or nothing. */
  readonly base: string
}

export function readAddress(url: string): Address {
  const { path, query } = splitUrl(url)
  const match = /^\/t\/([^/]+)(\/.*)$/s.exec(path)
  if (match === null) return { path, query, token: undefined, base: '' }
  const [, token = '', rest = '/'] = match
  return { path: rest, query, token, base: `/t/${token}` }
}

/** For messages: whatever looks like a path token is left out, also where it is none. */
export function shownPath(path: string): string {
  return path.replace(/^(?:\/t\/[^/]*)+/, '/t/…')
}
