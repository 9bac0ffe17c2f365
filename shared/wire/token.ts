/**
 * Capability tokens: what their bearer may do, signed. The command makes them, edges read them, and so may browsers; nothing here knows HTTP.
 *
 * A token is `em1.` and base64url of its canonical bytes and their HMAC-SHA256. Its letters need no escaping in a path, a query or a header.
 * INVARIANT: one set of claims has one spelling for a key. Whatever decodes encodes to the same text, so that a token has no second form to be revoked by.
 */
import { concatBytes, equalBytes, fromBase64, toBase64, toHex } from '../bytes.ts'
import { Reader, Writer } from '../codec.ts'
import { EdgemountError, codeOf, messageOf } from '../error.ts'
import { decodeName, encodeName } from '../name.ts'
import { isWithin, rootPath, splitPath } from '../path.ts'
import type { Random } from '../random.ts'
import { checkVolumeName } from './routes.ts'

/** What somebody may do: read bodies, see names, change files, publish commits as mounts do, and everything that is about a whole volume or the edge. */
export const rights = ['read', 'list', 'write', 'publish', 'admin'] as const
export type Right = (typeof rights)[number]

/** Stands for every volume of an edge, and for what is about no volume. */
export const everyVolume = '*'

/** What a token reaches: everything at and below a path, or, as a signed URL does, one file as it is now or as a commit left it. */
export type Reach = { readonly kind: 'tree' } | { readonly kind: 'file'; readonly seq: number | undefined }

export interface Claims {
  /** Names the key that it is signed with. */
  readonly keyId: string
  /** 24 hex digits: what revocation lists know it by. Tells nothing about the token. */
  readonly id: string
  /** A volume, or `*`. */
  readonly volume: string
  /** Canonical path; `/` for the whole volume. */
  readonly prefix: string
  readonly reach: Reach
  /** In the order of `rights`, none twice, one at least. */
  readonly rights: readonly Right[]
  /** Seconds since 1970; from then on it is worth nothing. */
  readonly expiry: number
}

const tokenIdBytes = 12
/**
 * An id says whose token it is: six bytes of one that the command made, three more of one that was shared by who has it, three more of one that was shared on. What
 * is not there is zero. So to revoke a token revokes what was shared from it, and nobody can keep what he is going to lose.
 */
const generationDigits = [12, 6, 6] as const
/** Below every server's limit for a line, with an address around it. */
export const tokenTextMax = 2048
/** Ten years, in seconds: nothing is signed for ever, so that lists of what was revoked stay short. */
export const lifetimeSecondsMax = 3650 * 24 * 3600

const textPrefix = 'em1.'
const version = 1
const macBytes = 32
const prefixBytesMax = 1024
/** So that no other use of a secret ever signs the same bytes. */
const domain = new TextEncoder().encode('edgemount token\n')
const ascii = new TextEncoder()

/** A token taken apart, before anybody knows whether it is genuine. */
export interface ReadToken {
  readonly claims: Claims
  /** What the signature is of. */
  readonly signed: Uint8Array
  readonly mac: Uint8Array
}

/** Throws `invalid` for anything but a whole token in its one spelling. Never names its text: what was mistyped may be genuine. */
export function readToken(text: string): ReadToken {
  return readParts(text, (body, mac) => {
    const claims = decodeClaims(body)
    if (!equalBytes(encodeClaims(claims), body)) throw malformed('it is not in its canonical form')
    return { claims, signed: concatBytes([domain, body]), mac }
  })
}

/** What a token says, for who brings it: whether it counts, and is in its canonical form, is the edge's to say. */
export function readClaims(text: string): Claims {
  return readParts(text, decodeClaims)
}

function readParts<T>(text: string, read: (body: Uint8Array, mac: Uint8Array) => T): T {
  if (text.length > tokenTextMax) throw malformed(`it has ${text.length} characters, more than ${tokenTextMax}`)
  if (!text.startsWith(textPrefix)) throw malformed(`it does not begin with "${textPrefix}"`)
  try {
    const bytes = fromBase64Url(text.slice(textPrefix.length))
    if (bytes.length <= macBytes) throw malformed('it is too short')
    return read(bytes.subarray(0, bytes.length - macBytes), bytes.slice(bytes.length - macBytes))
  } catch (error) {
    if (codeOf(error) === 'internal') throw error
    throw malformed(messageOf(error))
  }
}

/** The bytes to be signed for these claims, and the token once they are. Throws `invalid` for claims that no token can have. */
export function draftToken(claims: Claims): { readonly signed: Uint8Array; withMac(mac: Uint8Array): string } {
  const body = encodeClaims(claims)
  const withMac = (mac: Uint8Array): string => {
    const text = textPrefix + toBase64Url(concatBytes([body, mac]))
    if (text.length > tokenTextMax) throw new EdgemountError('invalid', `Cannot make a token of ${text.length} characters: at most ${tokenTextMax} fit everywhere; choose a shorter prefix`)
    return text
  }
  return { signed: concatBytes([domain, body]), withMac }
}

/** True when these claims reach what is asked for. `path` is canonical; undefined for what is about the whole volume, or no volume. */
export function reaches(claims: Claims, volume: string | undefined, path: string | undefined): boolean {
  if (claims.volume !== everyVolume && claims.volume !== volume) return false
  return path === undefined ? claims.prefix === rootPath && claims.reach.kind === 'tree' : isWithin(path, claims.prefix)
}

/** For logs and messages: no token that somebody wrote into an address or a wrong place is repeated. */
export function withoutTokens(text: string): string {
  return text.replaceAll(/em1\.[A-Za-z0-9_-]{8,}/g, 'em1.…')
}

export function toBase64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
}

/** The inverse of `toBase64Url` (RFC 4648 section 5, without padding); any other spelling is `invalid`. */
export function fromBase64Url(text: string): Uint8Array {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new EdgemountError('invalid', 'Cannot read base64url: it has characters besides letters, digits, "-" and "_"')
  try {
    return fromBase64(text.replaceAll('-', '+').replaceAll('_', '/').padEnd(Math.ceil(text.length / 4) * 4, '='))
  } catch {
    throw new EdgemountError('invalid', 'Cannot read base64url: it is cut, or not in its canonical spelling')
  }
}

export function isKeyId(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/.test(text)
}

/** A fresh id: of a token of its own, or of one that is shared by who has the token `parent`. Throws `denied` for what was shared on already. */
export function drawTokenId(random: Random, parent?: string): string {
  const parts = parent === undefined ? [] : generationsOf(parent)
  const digits = generationDigits[parts.length]
  if (digits === undefined) throw new EdgemountError('denied', 'Cannot share what was shared on already: ask whoever shared it for an address of your own')
  const drawn = random.bytes(digits / 2)
  // None of the parts is zero.
  drawn[0]! |= 1
  return [...parts, toHex(drawn)].join('').padEnd(tokenIdBytes * 2, '0')
}

/** The id, and those of the tokens that it was shared from: when one of them is revoked, so is this. */
export function lineOf(id: string): readonly string[] {
  const parts = generationsOf(id)
  return parts.map((_, index) => parts.slice(0, index + 1).join('').padEnd(tokenIdBytes * 2, '0'))
}

function generationsOf(id: string): readonly string[] {
  const parts = [id.slice(0, 12), id.slice(12, 18), id.slice(18)]
  while (parts.length > 1 && /^0+$/.test(parts.at(-1)!)) parts.pop()
  return parts
}

export function isTokenId(text: string): boolean {
  return /^[0-9a-f]{24}$/.test(text)
}

function encodeClaims({ keyId, id, volume, prefix, reach, rights: granted, expiry }: Claims): Uint8Array {
  if (!isKeyId(keyId)) throw unfit('its key id must be 1 to 32 letters, digits, ".", "_" or "-"')
  if (!isTokenId(id)) throw unfit('its id must be 24 hex digits')
  if (volume !== everyVolume) checkVolumeName(volume)
  if (volume === everyVolume && (prefix !== rootPath || reach.kind === 'file')) throw unfit('one for every volume has no prefix')
  splitPath(prefix)
  const prefixBytes = encodeName(prefix)
  if (prefixBytes.length > prefixBytesMax) throw unfit(`its prefix is longer than ${prefixBytesMax} bytes`)
  const bits = rights.reduce((sum, right, index) => (granted.includes(right) ? sum | (1 << index) : sum), 0)
  if (bits === 0) throw unfit('it allows nothing')
  if (reach.kind === 'file' && (bits !== 1 || prefix === rootPath)) throw unfit('one for a single file allows to read that, and nothing else')
  const writer = new Writer()
  writer.u8(version)
  writer.sized(ascii.encode(keyId))
  writer.raw(Uint8Array.from({ length: tokenIdBytes }, (_, index) => Number.parseInt(id.slice(index * 2, index * 2 + 2), 16)))
  writer.sized(ascii.encode(volume))
  writer.u8(bits)
  writer.varint(expiry)
  // 0: a tree; 1: a file as it is now; 2: a file as a commit left it.
  writer.u8(reach.kind === 'tree' ? 0 : reach.seq === undefined ? 1 : 2)
  if (reach.kind === 'file' && reach.seq !== undefined) writer.varint(reach.seq)
  writer.sized(prefixBytes)
  return writer.finish()
}

function decodeClaims(bytes: Uint8Array): Claims {
  const reader = new Reader(bytes, 'the token')
  const found = reader.u8()
  if (found !== version) reader.fail(`it is of version ${found}, and this edgemount knows ${version}`)
  const keyId = latin(reader.sized(32))
  const id = Array.from(reader.raw(tokenIdBytes), (byte) => byte.toString(16).padStart(2, '0')).join('')
  const volume = latin(reader.sized(63))
  const bits = reader.u8()
  if (bits >= 1 << rights.length) reader.fail('it grants rights that this edgemount does not know')
  const expiry = reader.varint()
  const reach = readReach(reader)
  const prefix = decodeName(reader.sized(prefixBytesMax))
  reader.end()
  return { keyId, id, volume, prefix, reach, rights: rights.filter((_, index) => (bits & (1 << index)) !== 0), expiry }
}

function readReach(reader: Reader): Reach {
  const kind = reader.u8()
  if (kind === 0) return { kind: 'tree' }
  if (kind > 2) reader.fail('it reaches what this edgemount does not know')
  return { kind: 'file', seq: kind === 1 ? undefined : reader.varint() }
}

function latin(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes)
}

function malformed(why: string): EdgemountError {
  return new EdgemountError('invalid', `Cannot read the token: ${why.replace(/^Cannot [^:]*: /, '')}`)
}

function unfit(why: string): EdgemountError {
  return new EdgemountError('invalid', `Cannot make a token: ${why}`)
}
