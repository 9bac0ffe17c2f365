/**
 * The keys of one volume's objects, relative to the volume's scope. `FORMAT.md` lists them; nothing else may be written there.
 */
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
