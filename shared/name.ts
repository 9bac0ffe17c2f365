/**
 * File names: bytes on disk, strings in the program.
 *
 * A POSIX name is any bytes but `/` and NUL. In the program a name is a string in which each byte that is not part of
 * valid UTF-8 stands as one lone surrogate U+DC80…U+DCFF (the "surrogateescape" of Python's PEP 383). The mapping is
 * lossless both ways, JSON escapes lone surrogates, and ordinary names look as they should. Persisted keys are always the bytes.
 */

const encoder = new TextEncoder()
const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The longest name Linux takes, in bytes (NAME_MAX). */
export const nameBytesMax = 255

/** Name or path bytes → string. Total: every input has an answer. */
export function decodeName(bytes: Uint8Array): string {
  try {
    return strictDecoder.decode(bytes)
  } catch {
    return decodeEscaping(bytes)
  }
}

/** String → name or path bytes; the inverse of `decodeName`. A lone surrogate outside U+DC80…U+DCFF becomes U+FFFD. */
export function encodeName(name: string): Uint8Array {
  if (name.isWellFormed()) return encoder.encode(name)
  const parts: number[] = []
  for (let index = 0; index < name.length; index += 1) {
    const unit = name.charCodeAt(index)
    if (unit >= 0xdc80 && unit <= 0xdcff && !isLeadSurrogate(name.charCodeAt(index - 1))) {
      parts.push(unit - 0xdc00)
      continue
    }
    const isPair = isLeadSurrogate(unit) && isTrailSurrogate(name.charCodeAt(index + 1))
    parts.push(...encoder.encode(isPair ? name.slice(index, index + 2) : name[index]))
    if (isPair) index += 1
  }
  return Uint8Array.from(parts)
}

/** Order of names everywhere in a volume: by their bytes (not by UTF-16 units). */
export function compareNames(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length)
  for (let index = 0; index < shorter; index += 1) {
    const x = a.charCodeAt(index)
    const y = b.charCodeAt(index)
    if (x === y) continue
    if (x < 0xd800 && y < 0xd800) return x - y
    return compareBytes(encodeName(a), encodeName(b))
  }
  return a.length - b.length
}

/** Lexicographic order of bytes; a prefix comes first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length)
  for (let index = 0; index < shorter; index += 1) {
    const difference = a[index]! - b[index]!
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

function isLeadSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}

function isTrailSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff
}

/** Decodes as WHATWG UTF-8 does, but a byte that cannot be decoded is escaped instead of replaced. */
function decodeEscaping(bytes: Uint8Array): string {
  let text = ''
  let index = 0
  while (index < bytes.length) {
    const length = sequenceLength(bytes, index)
    if (length === 0) {
      text += String.fromCharCode(0xdc00 + bytes[index]!)
      index += 1
    } else {
      text += strictDecoder.decode(bytes.subarray(index, index + length))
      index += length
    }
  }
  return text
}

/** Length of the well-formed UTF-8 sequence at `index` (Unicode 15, table 3-7), or 0. */
function sequenceLength(bytes: Uint8Array, index: number): number {
  const first = bytes[index]!
  if (first < 0x80) return 1
  const second = bytes[index + 1] ?? 0
  if (first >= 0xc2 && first <= 0xdf) return isContinuation(second) ? 2 : 0
  const third = bytes[index + 2] ?? 0
  if (first >= 0xe0 && first <= 0xef) {
    const low = first === 0xe0 ? 0xa0 : 0x80
    const high = first === 0xed ? 0x9f : 0xbf
    return second >= low && second <= high && isContinuation(third) ? 3 : 0
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const low = first === 0xf0 ? 0x90 : 0x80
    const high = first === 0xf4 ? 0x8f : 0xbf
    const isWhole = second >= low && second <= high && isContinuation(third) && isContinuation(bytes[index + 3] ?? 0)
    return isWhole ? 4 : 0
  }
  return 0
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80
}
