/** Digests of streams by node:crypto, which Node and Deno have. */
import { createHash } from 'node:crypto'
import type { StartDigest } from './digest.ts'

const nodeNames = { md5: 'md5', 'sha-1': 'sha1', 'sha-256': 'sha256', 'sha-512': 'sha512' } as const

export const nodeDigest: StartDigest = (name) => {
  const hash = createHash(nodeNames[name])
  return {
    update: (bytes) => void hash.update(bytes),
    finish: () => hash.digest(),
  }
}
