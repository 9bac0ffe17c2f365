/**
 * What a key may be, checked the same way by every store, so that none of them is ever asked for something another would refuse.
 */
import { EdgemountError } from '../../shared/error.ts'

/** The longest key, in bytes: S3's limit, the smallest among the stores. */
export const keyBytesMax = 1024

/** The most keys that one `list` gives, and its default. */
export const listLimitMax = 1000

/** Throws `invalid` unless the key is ASCII parts without controls, none empty, `.` or `..`, joined by `/`. */
export function checkKey(key: string): void {
  if (!isKey(key)) throw invalidKey(key)
}

/** False for what others keep in a bucket under names that no store here gives. */
export function isKey(key: string): boolean {
  return isPrintable(key) && key.length <= keyBytesMax && key.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
}

/** A prefix is the beginning of a key; the empty one stands for all keys. */
export function checkPrefix(prefix: string): void {
  if (!isPrintable(prefix) || prefix.length > keyBytesMax || prefix.startsWith('/')) throw invalidKey(prefix)
  if (prefix.split('/').slice(0, -1).some((part) => part === '' || part === '.' || part === '..')) throw invalidKey(prefix)
}

/** How many keys a `list` gives. */
export function checkLimit(limit: number | undefined): number {
  if (limit === undefined) return listLimitMax
  if (Number.isInteger(limit) && limit >= 1 && limit <= listLimitMax) return limit
  throw new EdgemountError('invalid', `Cannot list ${limit} keys: a limit is 1 to ${listLimitMax}`)
}

function isPrintable(text: string): boolean {
  return /^[\u0020-\u007e]*$/.test(text)
}

function invalidKey(key: string): EdgemountError {
  const shown = key.length > 80 ? `${key.slice(0, 80)}…` : key
  return new EdgemountError('invalid', `Cannot use the key ${JSON.stringify(shown)}: a key is printable ASCII parts joined by "/", at most ${keyBytesMax} bytes`)
}
