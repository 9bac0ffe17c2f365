/**
 * Zeros: what holes read as, and how they are found.
 */

const zeroBytesAtOnce = 256 * 1024

/** Ends at the first byte that is not zero, which in real content is soon. */
export function isAllZeros(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0 || bytes[bytes.length - 1] !== 0) return false
  const lead = Math.min(bytes.length, (4 - (bytes.byteOffset % 4)) % 4)
  for (let index = 0; index < lead; index += 1) if (bytes[index] !== 0) return false
  if (lead === bytes.length) return true
  const wordCount = Math.floor((bytes.length - lead) / 4)
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset + lead, wordCount)
  for (let index = 0; index < wordCount; index += 1) if (words[index] !== 0) return false
  for (let index = lead + wordCount * 4; index < bytes.length; index += 1) if (bytes[index] !== 0) return false
  return true
}

/** So many zeros, in pieces that each belong to the receiver. */
export function* zeroPieces(length: number): Iterable<Uint8Array> {
  for (let left = length; left > 0; left -= zeroBytesAtOnce) yield new Uint8Array(Math.min(left, zeroBytesAtOnce))
}
