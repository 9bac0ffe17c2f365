/**
 * A request that is answered with a status and headers of its own, besides what its code says. Thrown by who decides about requests; `respond.ts` makes the answer.
 */
import { type ErrorCode, EdgemountError } from '../shared/error.ts'

export class Refusal extends EdgemountError {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(code: ErrorCode, message: string, { status, headers = {} }: { readonly status: number; readonly headers?: Readonly<Record<string, string>> }) {
    super(code, message)
    this.status = status
    this.headers = headers
  }
}
