/**
 * What a sender says that the bytes of its body hash to, and whether they do: `Content-MD5` (RFC 1864), `Repr-Digest` and `Content-Digest` (RFC 9530).
 * Computed while the body streams, by what the platform has: WebCrypto takes whole bodies alone, so the entry of each runtime gives its own.
 */
import { equalBytes, fromBase64, toBase64 } from '../../shared/bytes.ts'
import { EdgemountError } from '../../shared/error.ts'

export type DigestName = 'md5' | 'sha-1' | 'sha-256' | 'sha-512'

/** A digest that takes its bytes one after the other. */
export interface RunningDigest {
  /** The bytes may be used again when it resolves. */
  update(bytes: Uint8Array): void | Promise<void>
  /** Nothing may be called after it. */
  finish(): Uint8Array | Promise<Uint8Array>
}

export type StartDigest = (name: DigestName) => RunningDigest

export interface ExpectedDigest {
  readonly name: DigestName
  readonly value: Uint8Array
  /** Who says so, for messages. */
  readonly header: string
}

const digestBytes: Readonly<Record<DigestName, number>> = { md5: 16, 'sha-1': 20, 'sha-256': 32, 'sha-512': 64 }
/** RFC 9530 section 5; what a recipient does not know it passes over. */
const namesInFields: ReadonlyMap<string, DigestName> = new Map([['sha-256', 'sha-256'], ['sha-512', 'sha-512'], ['md5', 'md5'], ['sha', 'sha-1']])
/** A member of a dictionary, RFC 9651 section 3.2: key, value (bytes, a string, an inner list, or anything without separators), parameters. */
const member = /[ \t]*([a-z*][a-z0-9_.*-]*)(?:=(:[^:]*:|"(?:[^"\\]|\\.)*"|\([^)]*\)|[^\s,;:"()]+))?(?:[ \t]*;(?:"(?:[^"\\]|\\.)*"|[^",])*|[ \t]*)(,|$)/y

/** What the headers of a body that is sent as it is promise. Throws `invalid` for what is malformed. */
export function expectedDigests(headers: Headers): readonly ExpectedDigest[] {
  const md5 = headers.get('content-md5')
  const expected: ExpectedDigest[] = md5 === null ? [] : [{ name: 'md5', value: digestOf('md5', md5.trim(), 'Content-MD5'), header: 'Content-MD5' }]
  for (const header of ['Repr-Digest', 'Content-Digest']) expected.push(...digestsIn(headers.get(header), header))
  return expected
}

function digestsIn(field: string | null, header: string): ExpectedDigest[] {
  if (field === null || field.trim() === '') return []
  const found: ExpectedDigest[] = []
  member.lastIndex = 0
  for (let separator = ','; separator === ','; ) {
    const match = member.exec(field)
    if (match === null) throw new EdgemountError('invalid', `Cannot read ${header} "${field}": it must look like sha-256=:…:, with base64 between the colons`)
    const [, key = '', value = ''] = match
    separator = match[3]!
    const name = namesInFields.get(key)
    if (name === undefined) continue
    if (!/^:.*:$/.test(value)) throw malformed(name, value, header)
    found.push({ name, value: digestOf(name, value.slice(1, -1), header), header })
  }
  return found
}

/** The bytes of a digest in base64. Throws `invalid` for what is none. */
export function digestOf(name: DigestName, text: string, header: string): Uint8Array {
  const value = /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 === 0 ? fromBase64(text) : undefined
  if (value?.length !== digestBytes[name]) throw malformed(name, text, header)
  return value
}

function malformed(name: DigestName, text: string, header: string): EdgemountError {
  return new EdgemountError('invalid', `Cannot read ${header} "${text}": ${name} is ${digestBytes[name]} bytes in base64`)
}

/** Passes the pieces on. After the last it throws what `mismatch` makes of the first digest that is another, so that who reads never comes to the end. */
export async function* checkedPieces(
  pieces: AsyncIterable<Uint8Array>,
  expected: readonly ExpectedDigest[],
  start: StartDigest | undefined,
  mismatch: (message: string) => Error = (message) => new EdgemountError('invalid', message),
): AsyncGenerator<Uint8Array, void, undefined> {
  const running = expected.map((digest) => ({ ...digest, digest: startOr(start, digest) }))
  for await (const piece of pieces) {
    for (const { digest } of running) await digest.update(piece)
    yield piece
  }
  for (const { name, value, header, digest } of running) {
    const actual = await digest.finish()
    if (equalBytes(actual, value)) continue
    throw mismatch(`Cannot take the body: its ${name} is ${toBase64(actual)}, and ${header} says ${toBase64(value)}; send it again`)
  }
}

/** What cannot be checked must not pass for checked. */
function startOr(start: StartDigest | undefined, { name, header }: ExpectedDigest): RunningDigest {
  if (start !== undefined) return start(name)
  throw new EdgemountError('unsupported', `Cannot check ${header}: this edge has no ${name}; send the body without it`)
}
