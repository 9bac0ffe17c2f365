/**
 * A lease as a value, and what a request does to it: a pure function of the request, what is stored, and the time. `leases.ts` carries it out.
 *
 * INVARIANT: the epoch grows by one with every change of holder and is never given twice, since the object stays when the lease is released.
 *
 * The time that counts is that of whoever decides (an edge, or a shim beside the store), so two clocks may be asked about one lease. A lease that has run out is
 * left alone for another `leaseMarginMs`, which clocks may differ by. Clocks that differ by more can give a lease away early, never twice: what protects is the
 * epoch, which every write under the lease is checked by, and not the clock.
 */
import { EdgemountError } from '../error.ts'
import { JsonFields, parseJson, printJson } from '../format/json-fields.ts'

export const leaseMarginMs = 5000
export const leaseMsMin = 1000
export const leaseMsMax = 3_600_000
const leaseBytesMax = 8192
const leaseFormat = 1
const nonceLengthMax = 128
const holderLengthMax = 255
const leaseName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/

/** As it is stored. */
export interface Lease {
  readonly epoch: number
  /** Who has it, or had it last. */
  readonly holder: string
  /** Of the request that it was acquired by. */
  readonly nonce: string
  readonly leaseMs: number
  /** Milliseconds since 1970, by the clock of whoever wrote it. */
  readonly expires: number
  readonly isReleased: boolean
}

/** Drawn by the holder for each acquisition: when an answer was lost, the same request with the same nonce gives the same lease. */
export interface Acquire {
  readonly action: 'acquire'
  readonly holder: string
  readonly nonce: string
  readonly leaseMs: number
}

export interface Renew {
  readonly action: 'renew'
  readonly holder: string
  readonly epoch: number
  readonly leaseMs: number
}

export interface Release {
  readonly action: 'release'
  readonly holder: string
  readonly epoch: number
}

/** Asks whether an epoch is the one that may write. No clock is looked at: until somebody else has acquired it, the last holder is its holder. */
export interface Fence {
  readonly action: 'fence'
  readonly epoch: number
}

export type LeaseRequest = Acquire | Renew | Release | Fence

export type LeaseDecision =
  | { readonly kind: 'write'; readonly lease: Lease }
  /** It is so already. */
  | { readonly kind: 'keep'; readonly lease: Lease }
  | { readonly kind: 'refuse'; readonly code: 'conflict' | 'stale' | 'not-found' | 'exhausted'; readonly why: string }

export function decideLease(request: LeaseRequest, current: Lease | undefined, nowMs: number): LeaseDecision {
  if (request.action === 'acquire') return decideAcquire(request, current, nowMs)
  if (current === undefined) return { kind: 'refuse', code: 'not-found', why: 'there is none; acquire it' }
  const { epoch, holder, isReleased } = current
  const isHolders = epoch === request.epoch && (request.action === 'fence' || holder === request.holder)
  if (isHolders && isReleased && request.action === 'release') return { kind: 'keep', lease: current }
  if (!isHolders || isReleased) {
    const why = isReleased ? `epoch ${epoch} was released` : `it is at epoch ${epoch} and belongs to "${holder}"`
    return { kind: 'refuse', code: 'stale', why: `${why}; acquire it again` }
  }
  if (request.action === 'fence') return { kind: 'keep', lease: current }
  if (request.action === 'release') return { kind: 'write', lease: { ...current, isReleased: true } }
  return { kind: 'write', lease: { ...current, leaseMs: request.leaseMs, expires: Math.floor(nowMs) + request.leaseMs } }
}

function decideAcquire({ holder, nonce, leaseMs }: Acquire, current: Lease | undefined, nowMs: number): LeaseDecision {
  const fresh = { holder, nonce, leaseMs, expires: Math.floor(nowMs) + leaseMs, isReleased: false }
  if (current === undefined) return { kind: 'write', lease: { epoch: 1, ...fresh } }
  if (current.nonce === nonce && current.holder === holder) {
    // A request that comes late must not take for its holder what he has given back.
    if (current.isReleased) return { kind: 'refuse', code: 'stale', why: `this nonce acquired epoch ${current.epoch}, which was released; draw another` }
    const isFresh = current.expires - nowMs > leaseMs / 2
    return isFresh ? { kind: 'keep', lease: current } : { kind: 'write', lease: { epoch: current.epoch, ...fresh } }
  }
  if (current.isReleased || nowMs > current.expires + leaseMarginMs) return { kind: 'write', lease: { epoch: current.epoch + 1, ...fresh } }
  const waitMs = current.expires + leaseMarginMs - nowMs
  return { kind: 'refuse', code: 'conflict', why: `"${current.holder}" holds it at epoch ${current.epoch}; it is free in ${Math.ceil(waitMs / 1000)} s unless he renews it` }
}

/** How long the holder may still count on it. */
export function leftMsOf({ isReleased, expires, leaseMs }: Lease, nowMs: number): number {
  return isReleased ? 0 : Math.max(0, Math.min(leaseMs, expires - nowMs))
}

/** Throws `invalid` unless a lease can have this name. */
export function checkLeaseName(name: string): void {
  if (leaseName.test(name)) return
  const why = 'it must be 1 to 128 letters, digits, ".", "_" or "-", the first a letter or digit'
  throw new EdgemountError('invalid', `Cannot use the lease name ${JSON.stringify(name.slice(0, 200))}: ${why}`)
}

/** Throws `invalid` for what could not be stored. */
export function checkLeaseRequest(request: LeaseRequest): void {
  const fail = (why: string): never => {
    throw new EdgemountError('invalid', `Cannot ${request.action} a lease: ${why}`)
  }
  if (request.action !== 'fence' && !isText(request.holder, holderLengthMax)) fail(`its holder must be 1 to ${holderLengthMax} printable characters`)
  if (request.action === 'acquire' && !isText(request.nonce, nonceLengthMax)) fail(`its nonce must be 1 to ${nonceLengthMax} printable characters, drawn anew for each acquisition`)
  if (request.action !== 'acquire' && !(Number.isSafeInteger(request.epoch) && request.epoch >= 1)) fail('its epoch must be a whole number of at least 1')
  if ('leaseMs' in request && !(Number.isSafeInteger(request.leaseMs) && request.leaseMs >= leaseMsMin && request.leaseMs <= leaseMsMax)) {
    fail(`its leaseMs must be a whole number from ${leaseMsMin} to ${leaseMsMax}`)
  }
}

/** ASCII: as long in bytes as in characters, and fit for messages and logs. */
function isText(text: string, lengthMax: number): boolean {
  return text.length >= 1 && text.length <= lengthMax && /^[\u0020-\u007e]*$/.test(text)
}

export function encodeLease({ epoch, holder, nonce, leaseMs, expires, isReleased }: Lease): Uint8Array {
  return printJson({ format: leaseFormat, epoch, holder, nonce, leaseMs, expires, isReleased })
}

export function decodeLease(bytes: Uint8Array): Lease {
  const fields: JsonFields = new JsonFields(parseJson(bytes, leaseBytesMax, 'lease'), 'lease')
  fields.format(leaseFormat)
  const epoch = fields.integer('epoch', 1)
  const holder = fields.string('holder', 1, holderLengthMax)
  const nonce = fields.string('nonce', 1, nonceLengthMax)
  const leaseMs = fields.integer('leaseMs', leaseMsMin)
  const expires = fields.integer('expires', 0)
  const isReleased = fields.take('isReleased')
  if (typeof isReleased !== 'boolean') return fields.fail('its isReleased is neither true nor false')
  fields.end()
  return { epoch, holder, nonce, leaseMs, expires, isReleased }
}
