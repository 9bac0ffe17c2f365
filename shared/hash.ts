/**
 * SHA-256, the one hash of edgemount: identity, verification and dedup of chunks and pages. SHA-256 because every
 * runtime has it natively (WebCrypto, node:crypto), where it beats any hash in wasm. The function is injected, so that
 * Node's side can use its synchronous one.
 */
import { fromHex, toHex } from './bytes.ts'
import { EdgemountError } from './error.ts'
import type { Hash } from './format/entry.ts'

export type HashFunction = (bytes: Uint8Array) => Promise<Hash>

/** Bytes of a hash. */
export const hashBytes = 32

/** SHA-256 by WebCrypto. */
export const webHash: HashFunction = async (bytes) => {
  const { buffer } = bytes
  // WebCrypto refuses views of shared memory.
  const own = buffer instanceof ArrayBuffer ? new Uint8Array(buffer, bytes.byteOffset, bytes.length) : new Uint8Array(bytes)
  return hashFromBytes(new Uint8Array(await crypto.subtle.digest('SHA-256', own)))
}

/** Throws `corrupt` unless the bytes hash to `hash`. `what` names them, for example `chunk 3 of "/a.bin"`. */
export async function verify(bytes: Uint8Array, hash: Hash, what: string, hashFunction: HashFunction = webHash): Promise<void> {
  const actual = await hashFunction(bytes)
  if (actual === hash) return
  throw new EdgemountError('corrupt', `Cannot use ${what}: its ${bytes.length} bytes hash to ${actual}, not ${hash}`)
}

/** True for 64 lower-case hex digits. */
export function isHash(value: unknown): value is Hash {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
}

export function hashFromBytes(bytes: Uint8Array): Hash {
  const text = toHex(bytes)
  if (hasHashLength(text)) return text
  throw new EdgemountError('invalid', `Cannot read a hash: it has ${bytes.length} bytes, not ${hashBytes}`)
}

export function hashToBytes(hash: Hash): Uint8Array {
  const bytes = fromHex(hash)
  if (bytes.length !== hashBytes) {
    throw new EdgemountError('invalid', `Cannot write hash "${hash}": it has ${bytes.length} bytes, not ${hashBytes}`)
  }
  return bytes
}

/** All that can be wrong with hex that was just made; `isHash` would be a tenth of the time that decoding an entry takes. */
function hasHashLength(hex: string): hex is Hash {
  return hex.length === hashBytes * 2
}
