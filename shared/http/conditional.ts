/**
 * Conditional requests: RFC 9110 section 13, as pure functions over header values. Called by the routes that read or change files.
 */
import { parseHttpDate } from './http-date.ts'

/** The validators of the representation that a request would select. */
export interface Validators {
  /** As in the header: quoted, perhaps `W/`. */
  readonly etag: string
  /** Whole seconds since 1970; undefined when there is no such date. */
  readonly lastModified: number | undefined
}

/** What the preconditions decide: go on, answer 304, or answer 412. */
export type Verdict = 'proceed' | 'not-modified' | 'failed'

/**
 * Preconditions in the order of section 13.2.2. `current` is undefined when there is nothing at the target.
 * `nowSeconds` is the server's time.
 */
export function evaluatePreconditions(method: string, headers: Headers, current: Validators | undefined, nowSeconds: number): Verdict {
  const isRead = method === 'GET' || method === 'HEAD'
  const ifMatch = headers.get('if-match')
  if (ifMatch !== null) {
    if (!matches(ifMatch, current, isStrongMatch)) return 'failed'
  } else if (isModifiedAfter(headers.get('if-unmodified-since'), current, nowSeconds) === true) {
    return 'failed'
  }
  const ifNoneMatch = headers.get('if-none-match')
  if (ifNoneMatch !== null) {
    if (matches(ifNoneMatch, current, isWeakMatch)) return isRead ? 'not-modified' : 'failed'
  } else if (isRead && isModifiedAfter(headers.get('if-modified-since'), current, nowSeconds) === false) {
    return 'not-modified'
  }
  return 'proceed'
}

/**
 * Whether `Range` counts: section 13.1.5. True without `If-Range`. A date never matches, since none of ours is a strong validator (section 8.8.2.2): who
 * writes a file chooses its times.
 */
export function isRangeCurrent(ifRange: string | null, current: Validators): boolean {
  return ifRange === null || isStrongMatch(ifRange, current.etag)
}

/** The entity tags of a list as they stand there, weak ones with `W/`; undefined when the list is malformed. `*` is the list of itself. */
export function parseTags(header: string): readonly string[] | undefined {
  if (header.trim() === '*') return ['*']
  const tags: string[] = []
  // The tag's characters are those of section 8.8.3: commas may stand inside the quotes.
  const element = /[ \t]*((?:W\/)?"[\x21\x23-\x7e\x80-\uffff]*")?[ \t]*(,|$)/y
  for (;;) {
    const match = element.exec(header)
    if (match === null) return undefined
    if (match[1] !== undefined) tags.push(match[1])
    if (match[2] !== ',') return tags
  }
}

export function isStrongMatch(a: string, b: string): boolean {
  return a === b && !a.startsWith('W/')
}

export function isWeakMatch(a: string, b: string): boolean {
  return opaqueTag(a) === opaqueTag(b)
}

function opaqueTag(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag
}

/** A malformed list matches nothing. */
function matches(header: string, current: Validators | undefined, isMatch: (a: string, b: string) => boolean): boolean {
  if (current === undefined) return false
  return parseTags(header)?.some((tag) => tag === '*' || isMatch(tag, current.etag)) ?? false
}

/** Undefined when the header does not count: absent, no date, or nothing to compare it with. */
function isModifiedAfter(header: string | null, current: Validators | undefined, nowSeconds: number): boolean | undefined {
  if (header === null || current?.lastModified === undefined) return undefined
  const seconds = parseHttpDate(header, nowSeconds)
  return seconds === undefined ? undefined : current.lastModified > seconds
}
