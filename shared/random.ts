/**
 * Chance, injected: pack ids, nonces, file ids and jitter come from here, so that a test can repeat them from a seed.
 */

export interface Random {
  /** So many fresh random bytes. */
  bytes(length: number): Uint8Array
}

/** Web Crypto refuses more bytes in one call. */
const bytesPerCallMax = 65_536

export const systemRandom: Random = {
  bytes: (length) => {
    const bytes = new Uint8Array(length)
    for (let start = 0; start < length; start += bytesPerCallMax) {
      crypto.getRandomValues(bytes.subarray(start, Math.min(start + bytesPerCallMax, length)))
    }
    return bytes
  },
}

/** A number of 53 random bits in [0, 1). */
export function randomFraction(random: Random): number {
  const bytes = random.bytes(7)
  let value = bytes[0]! & 0x1f
  for (let index = 1; index < 7; index += 1) value = value * 256 + bytes[index]!
  return value / 2 ** 53
}

/** A random integer in [0, limit); `limit` is at most 2^53. The bias is below limit / 2^53. */
export function randomBelow(random: Random, limit: number): number {
  return Math.floor(randomFraction(random) * limit)
}
