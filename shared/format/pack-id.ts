/**
 * Names of packs: `d` or `m` and a ULID (48 bits of milliseconds, 80 random bits, in Crockford's base 32). Random and not
 * content hashes, so that a late delete can never hit a pack that was uploaded again; led by time, so that they sort by age.
 */
import type { Clock } from '../clock.ts'
import { EdgemountError } from '../error.ts'
import type { Random } from '../random.ts'
import type { PackId } from './entry.ts'

export type PackKind = 'data' | 'meta'

/** The most bytes a pack may have: what a Worker can hold (128 MB for all its requests) while it passes one on. */
export const packBytesMax = 64 * 2 ** 20

/** Bytes of a pack id in binary formats: the kind's letter, then the ULID's 128 bits, high byte first. */
export const packIdBytes = 17

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const digitOfUnit: readonly number[] = Array.from({ length: 128 }, (_, unit) => alphabet.indexOf(String.fromCharCode(unit)))

/** A fresh id; two of them differ with certainty in practice (80 random bits within one millisecond). */
export function newPackId(kind: PackKind, clock: Clock, random: Random): PackId {
  const bytes = new Uint8Array(packIdBytes)
  bytes[0] = kind === 'data' ? 0x64 : 0x6d
  let rest = Math.max(0, Math.floor(clock.now()))
  for (let index = 6; index >= 1; index -= 1) {
    bytes[index] = rest % 256
    rest = Math.floor(rest / 256)
  }
  bytes.set(random.bytes(10), 7)
  return packIdFromBytes(bytes)
}

/** True for `d` or `m` and 26 digits of a 128-bit ULID. */
export function isPackId(value: unknown): value is PackId {
  return typeof value === 'string' && /^[dm][0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(value)
}

export function packKindOf(id: PackId): PackKind {
  return id.startsWith('d') ? 'data' : 'meta'
}

/** When the pack was named, in milliseconds since 1970, by its writer's clock. */
export function packTimeOf(id: PackId): number {
  const bytes = packIdToBytes(id)
  let time = 0
  for (let index = 1; index <= 6; index += 1) time = time * 256 + bytes[index]!
  return time
}

export function packIdToBytes(id: PackId): Uint8Array {
  if (!isPackId(id)) throw new EdgemountError('invalid', `Cannot write pack id "${String(id)}": it is not d or m and a ULID`)
  const bytes = new Uint8Array(packIdBytes)
  bytes[0] = id.charCodeAt(0)
  let bits = digitOfUnit[id.charCodeAt(1)]!
  let bitCount = 3 // 26 digits hold 130 bits; the first two are zero
  let at = 1
  for (let index = 2; index < 27; index += 1) {
    bits = (bits << 5) | digitOfUnit[id.charCodeAt(index)]!
    bitCount += 5
    if (bitCount < 8) continue
    bitCount -= 8
    bytes[at++] = bits >>> bitCount
    bits &= (1 << bitCount) - 1
  }
  return bytes
}

/** The inverse of `packIdToBytes`; `corrupt` when the first byte is no kind. */
export function packIdFromBytes(bytes: Uint8Array): PackId {
  const kind = bytes[0]
  if (bytes.length !== packIdBytes || (kind !== 0x64 && kind !== 0x6d)) {
    throw new EdgemountError('corrupt', `Cannot read a pack id: ${bytes.length} bytes that begin with ${kind} are none`)
  }
  let text = kind === 0x64 ? 'd' : 'm'
  let bits = 0
  let bitCount = 2
  for (let index = 1; index < packIdBytes; index += 1) {
    bits = (bits << 8) | bytes[index]!
    bitCount += 8
    while (bitCount >= 5) {
      bitCount -= 5
      text += alphabet[bits >>> bitCount]!
      bits &= (1 << bitCount) - 1
    }
  }
  if (hasPackIdLength(text)) return text
  throw new EdgemountError('internal', `Cannot read a pack id: "${text}" is none`)
}

/** All that can be wrong with an id that was just made; `isPackId` would cost as much again. */
function hasPackIdLength(text: string): text is PackId {
  return text.length === 27
}
