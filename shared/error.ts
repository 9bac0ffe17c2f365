/**
 * The one error class of edgemount and its closed set of codes.
 *
 * Everything that fails on purpose throws an `EdgemountError`. A code says what a caller should do, not where the
 * failure happened, and the tables are total: every code has an HTTP status (and an errno, `errno.ts`), and every
 * HTTP status an edge sends comes back as the code it was made from.
 */

export const errorCodes = [
  'not-found', // the thing does not exist: create it, or look elsewhere
  'conflict', // somebody else changed it first: read again and decide
  'stale', // a version that was asked for has moved on: open again
  'invalid', // the request cannot be right: change it
  'denied', // no right to do this: get the right
  'unsupported', // this store, volume or build cannot do it
  'exhausted', // a limit was reached: wait, or make room
  'unavailable', // the other side is away: try again later
  'corrupt', // bytes are not what their hash says: repair or restore
  'aborted', // the caller gave up
  'closed', // the owner is shut down
  'internal', // a bug in edgemount
] as const

export type ErrorCode = (typeof errorCodes)[number]

/** A failure with a code that says what to do. Messages read `Cannot <do what> "<thing>": <why>`. */
export class EdgemountError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'EdgemountError'
    this.code = code
  }
}

/** There is no room, and waiting makes none: somebody must. Who tries again after failures gives up after this one, and says so. */
export class FullError extends EdgemountError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('exhausted', message, options)
  }
}

/** True for one, and for what failed because of one. */
export function isFull(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth += 1) if (at instanceof FullError) return true
  return false
}

/** The HTTP status an edge answers for each code (RFC 9110 section 15). */
export const httpStatusOfCode: Readonly<Record<ErrorCode, number>> = {
  'not-found': 404,
  conflict: 409,
  stale: 412,
  invalid: 400,
  denied: 403,
  unsupported: 501,
  exhausted: 429,
  unavailable: 503,
  corrupt: 502,
  aborted: 499,
  closed: 503,
  internal: 500,
}

/** The code that an edge's own HTTP status stands for. */
export function codeOfHttpStatus(status: number): ErrorCode {
  switch (status) {
    case 401:
    case 403:
      return 'denied'
    case 404:
    case 410:
      return 'not-found'
    case 409:
      return 'conflict'
    case 412:
      return 'stale'
    case 413:
    case 429:
    case 507:
      return 'exhausted'
    case 499:
      return 'aborted'
    case 500:
      return 'internal'
    case 501:
      return 'unsupported'
    case 502:
      return 'corrupt'
    case 408:
    case 503:
    case 504:
      return 'unavailable'
    default:
      return status >= 500 ? 'unavailable' : 'invalid'
  }
}

/** As above for an answer that does not name its code. A proxy says 502 for an edge that it cannot reach: only an edge's own word makes anything `corrupt`. */
export function codeOfProxyStatus(status: number): ErrorCode {
  return status >= 500 ? 'unavailable' : codeOfHttpStatus(status)
}

/** The code of any thrown value; what is not ours is `internal`. An abort of the platform is `aborted`, its time-out `unavailable`. */
export function codeOf(error: unknown): ErrorCode {
  if (error instanceof EdgemountError) return error.code
  if (error instanceof Error && error.name === 'AbortError') return 'aborted'
  if (error instanceof Error && error.name === 'TimeoutError') return 'unavailable'
  return 'internal'
}

/** The sentence of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
