/**
 * Decoding of JSON that is stored: each field is asked for by name and checked, and one that nobody asked for is refused. Strict
 * because a program that overlooks a field it does not know could, for example, prune what that field points to.
 */
import { EdgemountError } from '../error.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

/** `what` names the thing in errors, for example `commit record`. More than `bytesMax` bytes are not even parsed. */
export function parseJson(bytes: Uint8Array, bytesMax: number, what: string): unknown {
  if (bytes.length > bytesMax) {
    throw new EdgemountError('corrupt', `Cannot read a ${what}: its ${bytes.length} bytes are more than ${bytesMax}`)
  }
  try {
    return JSON.parse(decoder.decode(bytes)) as unknown
  } catch (cause) {
    throw new EdgemountError('corrupt', `Cannot read a ${what}: it is not JSON in UTF-8`, { cause })
  }
}

/** Keys in the order of the object; lone surrogates (bytes of names that are not UTF-8) as \u escapes. */
export function printJson(value: object): Uint8Array {
  return encoder.encode(JSON.stringify(value))
}

/** The fields of a JSON object. */
export class JsonFields {
  readonly #fields: Map<string, unknown>
  readonly #what: string

  constructor(value: unknown, what: string) {
    this.#what = what
    if (typeof value !== 'object' || value === null || Array.isArray(value)) this.fail('it is not a JSON object')
    this.#fields = new Map(Object.entries(value))
  }

  fail(why: string): never {
    throw new EdgemountError('corrupt', `Cannot read a ${this.#what}: ${why}`)
  }

  /** The value of a field, undefined when there is none. */
  take(name: string): unknown {
    const value = this.#fields.get(name)
    this.#fields.delete(name)
    return value
  }

  /** Throws `unsupported` for a format that is newer than this program, before anything else is looked at. */
  format(known: number): void {
    const format = this.integer('format', 1)
    if (format <= known) return
    throw new EdgemountError(
      'unsupported',
      `Cannot read a ${this.#what}: it has format ${format} and this edgemount reads ${known}; update edgemount`,
    )
  }

  /** A safe integer of at least `min`. */
  integer(name: string, min: number): number {
    const value = this.take(name)
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min) {
      this.fail(`its ${name} is not a whole number of at least ${min}`)
    }
    return value
  }

  /** A string of `min` to `max` UTF-16 units. */
  string(name: string, min: number, max: number): string {
    const value = this.take(name)
    if (typeof value !== 'string' || value.length < min || value.length > max) {
      this.fail(`its ${name} is not a string of ${min} to ${max} characters`)
    }
    return value
  }

  array(name: string, max: number): readonly unknown[] {
    const value = this.take(name)
    if (!Array.isArray(value) || value.length > max) this.fail(`its ${name} is not a list of at most ${max}`)
    return value as unknown[]
  }

  has(name: string): boolean {
    return this.#fields.has(name)
  }

  /** No field may be left. */
  end(): void {
    for (const name of this.#fields.keys()) this.fail(`it has a field "${name.slice(0, 80)}" that this edgemount does not know`)
  }
}
