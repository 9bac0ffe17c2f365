/**
 * CRC-32 as zip has it (ISO 3309, the reflected polynomial 0xEDB88320), eight bytes a step. Called by `zip.ts` with the pieces of a body, one after the other.
 */

/** `tables[k][b]`: what byte `b` does to the sum when `k` more bytes follow it in the same step. */
type Tables = readonly [Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array, Uint32Array]

const tables = makeTables()

function makeTables(): Tables {
  const table = (): Uint32Array => new Uint32Array(256)
  const made: Tables = [table(), table(), table(), table(), table(), table(), table(), table()]
  for (let byte = 0; byte < 256; byte += 1) {
    let sum = byte
    for (let bit = 0; bit < 8; bit += 1) sum = (sum & 1) === 0 ? sum >>> 1 : (sum >>> 1) ^ 0xedb88320
    made[0][byte] = sum
  }
  for (let byte = 0; byte < 256; byte += 1) {
    for (let table = 1; table < 8; table += 1) {
      const before = made[table - 1]![byte]!
      made[table]![byte] = (before >>> 8) ^ made[0][before & 0xff]!
    }
  }
  return made
}

/** The sum of everything before and `bytes`; 0 stands for nothing before. */
export function crc32(before: number, bytes: Uint8Array): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables
  let sum = ~before
  let index = 0
  for (const stop = bytes.length - 7; index < stop; index += 8) {
    const low = sum ^ (bytes[index]! | (bytes[index + 1]! << 8) | (bytes[index + 2]! << 16) | (bytes[index + 3]! << 24))
    sum =
      t7[low & 0xff]! ^ t6[(low >>> 8) & 0xff]! ^ t5[(low >>> 16) & 0xff]! ^ t4[low >>> 24]! ^
      t3[bytes[index + 4]!]! ^ t2[bytes[index + 5]!]! ^ t1[bytes[index + 6]!]! ^ t0[bytes[index + 7]!]!
  }
  for (; index < bytes.length; index += 1) sum = (sum >>> 8) ^ t0[(sum ^ bytes[index]!) & 0xff]!
  return ~sum >>> 0
}
