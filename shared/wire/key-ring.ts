/**
 * The secrets that tokens are signed with, by their key ids: the first signs, all verify, so that a key is replaced by putting a new one before it and
 * taking the old one away once its tokens have expired. Edges verify, the command signs. Secrets are in no message, and nothing prints a ring.
 */
import { EdgemountError } from '../error.ts'
import type { Random } from '../random.ts'
import { type Claims, draftToken, drawTokenId, fromBase64Url, isKeyId, readToken, toBase64Url } from './token.ts'

interface Key {
  readonly id: string
  readonly secret: Uint8Array<ArrayBuffer>
}

/** What is drawn for a secret: as long as the hash, beyond which HMAC gains nothing (RFC 2104 section 3). */
export const secretBytes = 32
const secretBytesMax = 256
const keysMax = 32
/** Of 32 random bytes 30 differ; fewer than 16 never come about. */
const differingBytesMin = 16
/** What the key of a lone `EDGEMOUNT_SECRET` is called. */
export const loneKeyId = 'default'
/** Tokens that were found genuine and come again; a few hundred bytes each. */
const genuineMax = 1000
const algorithm = { name: 'HMAC', hash: 'SHA-256' } as const

export const makeSecretHint = 'make one with: edgemount token secret'

export class KeyRing {
  readonly #keys: readonly Key[]
  /** Imported when first used: plain values, which requests may share on every runtime. */
  readonly #imported = new Map<string, CryptoKey>()
  /**
   * By their text, oldest first: WebCrypto takes a tenth of a millisecond to say what it has said before. Nobody finds a token letter by letter here: only texts
   * whose seeded hashes are equal are ever compared.
   */
  readonly #genuine = new Map<string, Claims>()

  /** Without a key nothing is genuine. */
  constructor(keys: readonly Key[] = []) {
    this.#keys = keys
  }

  get keyIds(): readonly string[] {
    return this.#keys.map(({ id }) => id)
  }

  /** A token with a fresh id, by the first key; `parent` is the id of the token that it is shared from. Throws `invalid` for claims that no token can have, `unsupported` without a key. */
  async sign(claims: Omit<Claims, 'keyId' | 'id'>, random: Random, parent?: string): Promise<string> {
    const [first] = this.#keys
    if (first === undefined) throw new EdgemountError('unsupported', `Cannot make a token: there is no secret to sign it with. Set EDGEMOUNT_SECRETS as the edge has it; ${makeSecretHint}`)
    const draft = draftToken({ ...claims, keyId: first.id, id: drawTokenId(random, parent) })
    return draft.withMac(new Uint8Array(await crypto.subtle.sign('HMAC', await this.#import(first), ownBytes(draft.signed))))
  }

  /**
   * The claims of a genuine token; whether it has expired or was revoked is the caller's to ask. Undefined when no key of this ring has signed it.
   * Throws `invalid` for what is no token. WebCrypto compares in constant time (w3c/webcrypto, "HMAC: verify").
   */
  async verify(text: string): Promise<Claims | undefined> {
    const known = this.#genuine.get(text)
    if (known !== undefined) return known
    const { claims, signed, mac } = readToken(text)
    const key = this.#keys.find(({ id }) => id === claims.keyId)
    if (key === undefined) return undefined
    if (!(await crypto.subtle.verify('HMAC', await this.#import(key), ownBytes(mac), ownBytes(signed)))) return undefined
    this.#genuine.set(text, claims)
    if (this.#genuine.size > genuineMax) this.#genuine.delete(this.#genuine.keys().next().value ?? '')
    return claims
  }

  async #import(key: Key): Promise<CryptoKey> {
    const known = this.#imported.get(key.id)
    if (known !== undefined) return known
    const imported = await crypto.subtle.importKey('raw', key.secret, algorithm, false, ['sign', 'verify'])
    this.#imported.set(key.id, imported)
    return imported
  }
}

/** What says which secrets there are. An empty text is none. */
export interface SecretTexts {
  /** `kid:secret,kid2:secret2`. */
  readonly EDGEMOUNT_SECRETS?: string | undefined
  /** One secret alone. */
  readonly EDGEMOUNT_SECRET?: string | undefined
}

/** Undefined when there is none. Throws `invalid`, without the secret, for what cannot be one. */
export function parseKeyRing({ EDGEMOUNT_SECRETS: many = '', EDGEMOUNT_SECRET: one = '' }: SecretTexts): KeyRing | undefined {
  if (many !== '' && one !== '') throw new EdgemountError('invalid', 'Cannot tell which secrets count: EDGEMOUNT_SECRETS and EDGEMOUNT_SECRET are both set; leave one out')
  if (one !== '') return new KeyRing([parseKey(loneKeyId, one, 'EDGEMOUNT_SECRET')])
  if (many === '') return undefined
  const keys = many.split(',').map((part, index) => {
    const colon = part.indexOf(':')
    const id = part.slice(0, Math.max(colon, 0))
    if (!isKeyId(id)) throw new EdgemountError('invalid', `Cannot read key ${index + 1} of EDGEMOUNT_SECRETS: write <key id>:<secret>, with a key id of 1 to 32 letters, digits, ".", "_" or "-"`)
    return parseKey(id, part.slice(colon + 1), 'EDGEMOUNT_SECRETS')
  })
  if (keys.length > keysMax) throw new EdgemountError('invalid', `Cannot use EDGEMOUNT_SECRETS: ${keys.length} keys are more than ${keysMax}; take old ones away`)
  const twice = keys.find(({ id }, index) => keys.findIndex((other) => other.id === id) !== index)
  if (twice !== undefined) throw new EdgemountError('invalid', `Cannot use EDGEMOUNT_SECRETS: the key id "${twice.id}" is there twice; a new secret has a new id`)
  return new KeyRing(keys)
}

export function drawSecret(random: Random): string {
  return toBase64Url(random.bytes(secretBytes))
}

function parseKey(id: string, text: string, variable: string): Key {
  const refuse = (why: string): never => {
    throw new EdgemountError('invalid', `Cannot use the secret "${id}" of ${variable}: ${why}; ${makeSecretHint}`)
  }
  let secret = new Uint8Array(0)
  try {
    secret = ownBytes(fromBase64Url(text))
  } catch {
    refuse('it is not base64url')
  }
  if (secret.length < secretBytes) refuse(`it has ${secret.length} bytes, and ${secretBytes} random ones are needed`)
  if (secret.length > secretBytesMax) refuse(`it has ${secret.length} bytes, more than ${secretBytesMax}`)
  if (new Set(secret).size < differingBytesMin) refuse('its bytes repeat, so it is not random')
  return { id, secret }
}

/** WebCrypto refuses views of shared memory. */
function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes)
}
