/**
 * The keys of one volume's objects, relative to the volume's scope. `FORMAT.md` lists them; nothing else may be written there.
 */
import { toHex } from '../bytes.ts'
import { EdgemountError } from '../error.ts'
import type { PackId } from '../format/entry.ts'

export const configKey = 'volume.json'
export const headKey = 'head'
/** Who may read without a token, and which tokens are revoked (`format/access.ts`). */
export const accessKey = 'access.json'
export const logPrefix = 'log/'
export const leasePrefix = 'leases/'
export const peerPrefix = 'peers/'

const invertedDigits = 20
const invertedMax = 10n ** BigInt(invertedDigits) - 1n

/** Inverted, so that the first key of a LIST is the newest record. */
export function logKey(seq: number): string {
  return logPrefix + (invertedMax - BigInt(seq)).toString().padStart(invertedDigits, '0')
}

/** The inverse of `logKey`. Throws `corrupt` for a key that `logKey` cannot have made. */
export function seqOfLogKey(key: string): number {
  const digits = key.slice(logPrefix.length)
  if (key.startsWith(logPrefix) && /^\d{20}$/.test(digits)) {
    const seq = Number(invertedMax - BigInt(digits))
    if (Number.isSafeInteger(seq)) return seq
  }
  throw new EdgemountError('corrupt', `Cannot read the log: "${key}" is not the key of a record`)
}

export function packKey(id: PackId): string {
  return id.startsWith('m') ? `meta/${id}` : `data/${id}`
}

export const openUploadPrefix = 'uploads/open/'
export const finishedUploadPrefix = 'uploads/done/'

/** An upload's id begins with the time at which it expires, so that a LIST gives the oldest first and tells which are over. */
export function uploadId(expiresMs: number, random: Uint8Array): string {
  return expiresMs.toString(16).padStart(expiryDigits, '0') + toHex(random)
}

/** Milliseconds since 1970; undefined for what is no id. */
export function expiryOfUpload(id: string): number | undefined {
  return /^[0-9a-f]{44}$/.test(id) ? Number.parseInt(id.slice(0, expiryDigits), 16) : undefined
}

const expiryDigits = 12
/** Nobody may guess one: whoever has an id may go on with the upload. */
export const uploadIdRandomBytes = 16
