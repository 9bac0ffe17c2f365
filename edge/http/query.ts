/**
 * A request's address, read from its raw text. Platforms decode and normalise URLs in different ways; names that are not UTF-8 and `%2F` survive
 * none of them, so paths and query values are cut from the text and decoded here.
 */
import { EdgemountError } from '../../shared/error.ts'
import { percentDecodeName, percentDecodePath } from '../../shared/path.ts'

export interface RawUrl {
  /** Begins with `/`; still percent-encoded. */
  readonly path: string
  /** Without the `?`; still percent-encoded. */
  readonly query: string
}

export function splitUrl(url: string): RawUrl {
  const schemeEnd = url.indexOf('://')
  const pathStart = url.indexOf('/', schemeEnd < 0 ? 0 : schemeEnd + 3)
  const text = (pathStart < 0 ? '/' : url.slice(pathStart)).split('#', 1)[0]!
  const mark = text.indexOf('?')
  return mark < 0 ? { path: text, query: '' } : { path: text.slice(0, mark), query: text.slice(mark + 1) }
}

/**
 * The address that a request's target names (RFC 9112 section 3.2), for a platform that gives the target as it was sent; undefined when it names none.
 * Nothing is changed: dot segments, too, are seen by who checks the path.
 */
export function addressOf(target: string, method: string, host: string): string | undefined {
  if (/^https?:\/\//i.test(target)) return target
  // OPTIONS * is about the server as a whole, which is what `/` describes.
  if (target === '*' && method === 'OPTIONS') return `http://${host}/`
  return target.startsWith('/') ? `http://${host}${target}` : undefined
}

/** The first value of `name`, still encoded, `+` already a space; undefined when it is not there. */
export function queryValue(query: string, name: string): string | undefined {
  for (const part of query.split('&')) {
    const equals = part.indexOf('=')
    const key = equals < 0 ? part : part.slice(0, equals)
    if (key === name) return equals < 0 ? '' : part.slice(equals + 1).replaceAll('+', ' ')
  }
  return undefined
}

/** A name in the query, or undefined when it is absent or empty. */
export function queryName(query: string, name: string): string | undefined {
  const value = queryValue(query, name)
  return value === undefined || value === '' ? undefined : percentDecodeName(value)
}

/** A canonical path in the query, or undefined when it is absent or empty. Its slashes may be escaped: no name has one. */
export function queryPath(query: string, name: string): string | undefined {
  const value = queryValue(query, name)
  return value === undefined || value === '' ? undefined : percentDecodePath(value.replaceAll(/%2f/gi, '/'))
}

/** A whole number in the query. Throws `invalid` for anything else, and outside its bounds. */
export function queryInteger(query: string, name: string, bounds: { readonly min: number; readonly max: number }): number | undefined {
  const value = queryValue(query, name)
  return value === undefined ? undefined : parseInteger(value, name, bounds)
}

export function parseInteger(text: string, what: string, bounds: { readonly min: number; readonly max: number }): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= bounds.min && value <= bounds.max) return value
  throw new EdgemountError('invalid', `Cannot read ${what} "${text}": it must be a whole number from ${bounds.min} to ${bounds.max}`)
}
