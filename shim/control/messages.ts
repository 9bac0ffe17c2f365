/**
 * What is said over a control socket: one request and one answer, each a line of JSON.
 */
import { EdgemountError, type ErrorCode, errorCodes } from '../../shared/error.ts'

export type ControlRequest = { readonly command: 'status' } | { readonly command: 'umount'; readonly isForced: boolean }

/** No request is longer; an answer may be. */
export const requestBytesMax = 4096
export const answerBytesMax = 1024 * 1024

export function decodeRequest(line: string): ControlRequest {
  const value = parse(line)
  const command = field(value, 'command')
  if (command === 'status') return { command }
  if (command === 'umount') return { command, isForced: field(value, 'isForced') === true }
  throw new EdgemountError('invalid', `Cannot obey "${line.slice(0, 100)}": it is neither "status" nor "umount"`)
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
