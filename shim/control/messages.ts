/**
 * What is said over a control socket: one request and one answer, each a line of JSON.
 */
import { EdgemountError, type ErrorCode, errorCodes } from '../../shared/error.ts'

export type ControlRequest = { readonly command: 'status' } | FlushRequest | UmountRequest

/** Publish everything that was written up to now, and answer then. */
export interface FlushRequest {
  readonly command: 'flush'
  /** For how long it is tried; as long as that gets on when undefined. */
  readonly waitMs?: number | undefined
}

/** Unmount, publish what is left, and answer when the mount has ended. */
export interface UmountRequest {
  readonly command: 'umount'
  /** Take it away though it is in use. */
  readonly isForced: boolean
  /** What is not published is dropped for ever. */
  readonly discards?: boolean | undefined
  /** For how long what is left is published; as long as that gets on when undefined. */
  readonly waitMs?: number | undefined
}

/** No request is longer; an answer may be. */
export const requestBytesMax = 4096
/** A status lists some hundred paths, of 4 KiB each at most. */
export const answerBytesMax = 8 * 1024 * 1024

export function decodeRequest(line: string): ControlRequest {
  const value = parse(line)
  const command = field(value, 'command')
  if (command === 'status') return { command }
  const waitMs = field(value, 'waitMs')
  const wait = typeof waitMs === 'number' && waitMs >= 0 ? { waitMs } : {}
  if (command === 'flush') return { command, ...wait }
  if (command === 'umount') return { command, isForced: field(value, 'isForced') === true, discards: field(value, 'discards') === true, ...wait }
  throw new EdgemountError('invalid', `Cannot obey "${line.slice(0, 100)}": it is none of "status", "flush" and "umount"`)
}

export function encodeAnswer(answer: { readonly ok: unknown } | { readonly error: { readonly code: ErrorCode; readonly message: string } }): string {
  return `${JSON.stringify(answer)}\n`
}

/** The value of an answer; throws the error that the other side sent. */
export function decodeAnswer(line: string): unknown {
  const value = parse(line)
  const error = field(value, 'error')
  if (error === undefined) return field(value, 'ok')
  const code = errorCodes.find((each) => each === field(error, 'code')) ?? 'internal'
  throw new EdgemountError(code, String(field(error, 'message')))
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    throw new EdgemountError('invalid', 'Cannot read a control message: it is not JSON', { cause: error })
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}
