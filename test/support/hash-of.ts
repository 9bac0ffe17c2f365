/** SHA-256 at once, by Node: the other implementation that `webHash` is compared with. */
import { createHash } from 'node:crypto'
import type { Hash } from '../../shared/format/entry.ts'
import { hashFromBytes } from '../../shared/hash.ts'

export function hashOf(bytes: Uint8Array | string): Hash {
  return hashFromBytes(createHash('sha256').update(bytes).digest())
}
