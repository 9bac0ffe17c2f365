/**
 * A request that is answered with a status and headers of its own, besides what its code says. Thrown by who decides about requests; `respond.ts` makes the answer.
 */
import { type ErrorCode, EdgemountError, codeOf, messageOf } from '../../shared/error.ts'

/** What a document that a client sent was refused for: its mistake, or (415) a format that only a later program knows. Others are thrown on. */
export function refusalOfPosted(error: unknown, doing: string): unknown {
  const code = codeOf(error)
  const message = `Cannot ${doing}: ${messageOf(error)}`
  if (code === 'unsupported') return new Refusal('unsupported', message, { status: 415 })
  return code === 'corrupt' ? new EdgemountError('invalid', message, { cause: error }) : error
}

export class Refusal extends EdgemountError {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ErrorCode, message: string, { status, headers = {} }: { readonly status: number; readonly headers?: Readonly<Record<string, string>> }) {
    super(code, message)
    this.status = status
    this.headers = headers
  }
}
