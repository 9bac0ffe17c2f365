/**
 * `access.json`, the one object of a volume that is changed in place: whether everybody may read, and which tokens are worth nothing any more.
 * Edges read it before they answer; the command and the route `access` write it by compare-and-set. Without the object nobody may read and nothing is revoked.
 */
import { EdgemountError } from '../error.ts'
import { JsonFields, parseJson, printJson } from './json-fields.ts'

export interface VolumeAccess {
  /** Everybody may read and list, without a token. */
  readonly publicRead: boolean
  readonly revoked: readonly Revocation[]
}

export interface Revocation {
  /** Of the token: 24 hex digits. */
  readonly id: string
  /** Seconds since 1970: when the token has expired, so that the entry may go. */
  readonly until: number
}

/** 10,000 tokens that are revoked before their time: rotate the key instead. */
export const revocationsMax = 10_000
export const accessBytesMax = 1024 * 1024
const format = 1
const what = 'access.json'

export const closedAccess: VolumeAccess = { publicRead: false, revoked: [] }

/** Throws `corrupt`, or `unsupported` for a newer format: who may what is never guessed. */
export function decodeAccess(bytes: Uint8Array): VolumeAccess {
  const fields: JsonFields = new JsonFields(parseJson(bytes, accessBytesMax, what), what)
  fields.format(format)
  const publicRead = fields.take('publicRead')
  if (typeof publicRead !== 'boolean') fields.fail('its publicRead is neither true nor false')
  const revoked = fields.array('revoked', revocationsMax).map(decodeRevocation)
  fields.end()
  if (new Set(revoked.map(({ id }) => id)).size < revoked.length) fields.fail('a token is revoked twice')
  return { publicRead, revoked }
}

/** What has expired is left out. Throws `exhausted` when too much is left. */
export function encodeAccess({ publicRead, revoked }: VolumeAccess, nowSeconds: number): Uint8Array {
  const kept = revoked.filter(({ until }) => until > nowSeconds).toSorted((a, b) => (a.id < b.id ? -1 : 1))
  if (kept.length > revocationsMax) {
    throw new EdgemountError('exhausted', `Cannot revoke ${kept.length} tokens of one volume: at most ${revocationsMax} that have not expired can be; replace the key that they are signed with`)
  }
  return printJson({ format, publicRead, revoked: kept.map(({ id, until }) => ({ id, until })) })
}

/** With one more token revoked; the later date counts for one that was already. */
export function withRevoked(access: VolumeAccess, { id, until }: Revocation): VolumeAccess {
  const before = access.revoked.find((entry) => entry.id === id)
  const others = access.revoked.filter((entry) => entry.id !== id)
  return { ...access, revoked: [...others, { id, until: Math.max(until, before?.until ?? 0) }] }
}

function decodeRevocation(value: unknown): Revocation {
  const fields: JsonFields = new JsonFields(value, what)
  const id = fields.string('id', 24, 24)
  if (!/^[0-9a-f]{24}$/.test(id)) fields.fail('a token id is not 24 hex digits')
  const until = fields.integer('until', 0)
  fields.end()
  return { id, until }
}
