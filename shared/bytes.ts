/**
 * Plain operations on byte arrays that the platforms do not share yet. Everything that touches bytes calls these;
 * nothing here knows a format.
 */
import { EdgemountError } from './error.ts'

const hexOfByte: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** One array with all parts in order. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let index = 0; index < a.length; index += 1) {
    if (a[index] !== b[index]) return false
  }
  return true
}

/** Lower-case hex, two digits a byte. */
export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (let index = 0; index < bytes.length; index += 1) text += hexOfByte[bytes[index]!]!
  return text
}

/** The inverse of `toHex`; upper-case digits are `invalid` too, so that equal bytes have one spelling. */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0) throw new EdgemountError('invalid', `Cannot read "${clip(text)}" as hex: it has an odd number of digits`)
  const bytes = new Uint8Array(text.length / 2)
  for (let index = 0; index < bytes.length; index += 1) {
    const high = hexDigit(text.charCodeAt(index * 2))
    const low = hexDigit(text.charCodeAt(index * 2 + 1))
    if (high < 0 || low < 0) throw new EdgemountError('invalid', `Cannot read "${clip(text)}" as hex: digits are 0-9 and a-f`)
    bytes[index] = high * 16 + low
  }
  return bytes
}

/** Standard base64 with padding (RFC 4648 section 4). */
export function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (let start = 0; start < bytes.length; start += 8192) {
    binary += String.fromCharCode(...bytes.subarray(start, start + 8192)) // 8192: well below every engine's argument limit
  }
  return btoa(binary)
}

/** The inverse of `toBase64`; any other spelling (no padding, white space, stray bits) is `invalid`. */
export function fromBase64(text: string): Uint8Array {
  let binary: string
  try {
    binary = atob(text)
  } catch (cause) {
    throw new EdgemountError('invalid', `Cannot read "${clip(text)}" as base64: it has other characters or a wrong length`, { cause })
  }
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0))
  if (toBase64(bytes) !== text) {
    throw new EdgemountError('invalid', `Cannot read "${clip(text)}" as base64: it is not the canonical spelling`)
  }
  return bytes
}

function hexDigit(unit: number): number {
  if (unit >= 48 && unit <= 57) return unit - 48
  if (unit >= 97 && unit <= 102) return unit - 87
  return -1
}

function clip(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`
}
