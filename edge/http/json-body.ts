/**
 * A request's body as JSON, field by field: what is missing, of another kind or unknown is the client's mistake. For routes that take small documents.
 */
import { EdgemountError, codeOf, messageOf } from '../../shared/error.ts'
import { JsonFields, parseJson } from '../../shared/format/json-fields.ts'
import { receiveBytes } from './body.ts'
import type { Exchange } from '../route.ts'

export interface JsonBody {
  /** Names it in messages, for example `lease request`. */
  readonly what: string
  readonly bytesMax: number
}

/** What `read` makes of the fields. Throws `invalid` for what it refuses, and for fields that it leaves. */
export async function receiveJson<T>({ request, edge }: Exchange, { what, bytesMax }: JsonBody, read: (fields: JsonFields) => T): Promise<T> {
  const bytes = await receiveBytes(request, bytesMax, edge.clock)
  try {
    const fields = new JsonFields(parseJson(bytes, bytesMax, what), what)
    const value = read(fields)
    fields.end()
    return value
  } catch (error) {
    if (codeOf(error) !== 'corrupt') throw error
    throw new EdgemountError('invalid', messageOf(error), { cause: error })
  }
}
