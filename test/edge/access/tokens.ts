/** Secrets and tokens for tests of edges that have some. */
import { systemClock } from '../../../shared/clock.ts'
import { KeyRing, parseKeyRing } from '../../../shared/wire/key-ring.ts'
import type { Claims } from '../../../shared/wire/token.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

/** Base64url of the bytes 0 to 31. */
export const testSecret = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8'
/** Base64url of the bytes 31 down to 0. */
export const otherSecret = 'Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA'
export const testSecrets = `k1:${testSecret}`

const random = new SeededRandom(97)

export function ringOf(secrets: string): KeyRing {
  return parseKeyRing({ EDGEMOUNT_SECRETS: secrets }) ?? new KeyRing()
}

export const testKeys = ringOf(testSecrets)

/** All rights to the volume "demo" for an hour, unless said otherwise. */
export async function tokenFor(claims: Partial<Omit<Claims, 'keyId' | 'id'>> = {}, keys: KeyRing = testKeys): Promise<string> {
  const expiry = Math.floor(systemClock.now() / 1000) + 3600
  const all = { volume: 'demo', prefix: '/', reach: { kind: 'tree' }, rights: ['read', 'list', 'write', 'publish', 'admin'], expiry } as const
  return await keys.sign({ ...all, ...claims }, random)
}
