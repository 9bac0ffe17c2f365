/**
 * Lets requests in, or refuses them: finds the token, checks it, charges its rate, and asks `decide.ts`. One of an app that has secrets; without them everybody may
 * everything and there is no guard. Called by `app.ts` for every request of a route, before its handler.
 */
import type { Clock } from '../../shared/clock.ts'
import { EdgemountError, codeOf, messageOf } from '../../shared/error.ts'
import type { KeyRing } from '../../shared/wire/key-ring.ts'
import { type Claims, everyVolume } from '../../shared/wire/token.ts'
import { Refusal } from '../http/refusal.ts'
import { type Route, parametersOf } from '../route.ts'
import { type Address, shownPath } from './address.ts'
import { type Presented, presentedToken } from './credentials.ts'
import { type Asked, askedOf, decide } from './decide.ts'
import { type Grant, fullGrant } from './grant.ts'
import { RateLimiter, networkOf } from './rate-limit.ts'
import type { AccessMemory, VolumeAccesses } from './volume-access.ts'

/** What a server knows of the other side of a connection. */
export interface Client {
  readonly address?: string | undefined
}

/** What an app is given. */
export interface AccessSettings {
  /** Without a key in it nobody may anything. */
  readonly keys: KeyRing
  /** Requests a second of one token, 2000 unless given; 0 is without a limit. */
  readonly tokenRate?: number | undefined
  /** Requests a second of one address that brings no genuine token, 200 unless given; 0 is without a limit. */
  readonly anonymousRate?: number | undefined
  /** What outlives the app, where that lives for one request. */
  readonly memory?: AccessMemory | undefined
  readonly limiter?: RateLimiter | undefined
}

/** A mount that reads what the edge has in its cache makes a thousand. */
export const tokenRateDefault = 2000
/** A map that somebody pans takes some tens of tiles a second, and several people may share an address. */
export const anonymousRateDefault = 200

export interface GuardParts {
  readonly keys: KeyRing
  readonly clock: Clock
  readonly accesses: VolumeAccesses
  readonly limiter: RateLimiter
  readonly tokenRate: number
  readonly anonymousRate: number
}

export interface Arrival {
  readonly route: Route
  readonly request: Request
  readonly address: Address
  readonly client: Client
}

export function createGuard(settings: AccessSettings, { clock, accesses }: Pick<GuardParts, 'clock' | 'accesses'>): Guard {
  const { keys, tokenRate = tokenRateDefault, anonymousRate = anonymousRateDefault, limiter = new RateLimiter() } = settings
  return new Guard({ keys, clock, accesses, limiter, tokenRate, anonymousRate })
}

/** Of a Worker that was deployed and not set up. */
const noSecret = 'Cannot answer: this edge has no secret, so nobody may anything. Whoever runs it sets EDGEMOUNT_SECRETS (edgemount token secret makes one), or EDGEMOUNT_OPEN=1 to let everybody in'
const realm = 'Bearer realm="edgemount"'

export class Guard {
  readonly #parts: GuardParts

  constructor(parts: GuardParts) {
    this.#parts = parts
  }

  /** Throws a `Refusal`: 401 without a token that counts, 403 for what it does not allow, 429 when it asks too often. */
  async admit({ route, request, address, client }: Arrival): Promise<Grant> {
    if (route.needs !== undefined && this.#parts.keys.keyIds.length === 0) throw unauthorized(noSecret, undefined)
    const presented = presentedToken(request.headers, address)
    const claims = presented === undefined || route.needs === undefined ? undefined : await this.#verify(presented, client)
    // Whoever looks after the edge asks how it is, also while somebody asks too much; only what costs the store a request is counted.
    if (route.needs !== undefined || route.weight !== undefined || address.query !== '') this.#charge(claims, client, route.weight)
    if (route.needs === undefined) return fullGrant
    const asked = readAsked(route, address, claims)
    const { signal } = request
    const isPublic = await this.#isPublic(asked, claims, signal)
    const decision = decide(asked, claims, isPublic, presented?.isInAddress === true)
    if (decision.kind === 'granted') return decision.grant
    const what = `Cannot ${request.method} "${shownPath(address.path)}"`
    if (claims === undefined) throw unauthorized(`${what}: ${decision.why}`, presented)
    throw new Refusal('denied', `${what}: ${decision.why}`, { status: 403, headers: { 'www-authenticate': `${realm}, error="insufficient_scope"` } })
  }

  /** The claims of a token that is genuine, of this time. */
  async #verify(presented: Presented, client: Client): Promise<Claims> {
    try {
      const claims = await this.#parts.keys.verify(presented.text)
      if (claims === undefined) throw unauthorized('Cannot accept the token: it is not signed with a key of this edge', presented)
      if (claims.expiry * 1000 <= this.#parts.clock.now()) throw unauthorized(`Cannot accept the token: it expired on ${new Date(claims.expiry * 1000).toISOString()}; ask for a new one`, presented)
      return claims
    } catch (error) {
      // Who guesses is slowed down, too.
      this.#charge(undefined, client)
      if (codeOf(error) === 'invalid') throw unauthorized(messageOf(error), presented)
      throw error
    }
  }

  /** Throws 401 for a token that was revoked. */
  async #isPublic({ volume }: Asked, claims: Claims | undefined, signal: AbortSignal): Promise<boolean> {
    const { accesses } = this.#parts
    const lists = new Set([volume, claims?.volume].filter((name) => name !== undefined && name !== everyVolume))
    for (const name of lists) {
      if (claims === undefined || name === undefined || !(await accesses.isRevoked(name, claims.id, signal))) continue
      throw unauthorized('Cannot accept the token: it was revoked; ask for a new one', { text: '', isInAddress: false })
    }
    return volume === undefined ? false : await accesses.isPublic(volume, signal)
  }

  #charge(claims: Claims | undefined, { address = 'unknown' }: Client, weight?: number): void {
    const { limiter, clock, tokenRate, anonymousRate } = this.#parts
    const perSecond = claims === undefined ? anonymousRate : tokenRate
    if (perSecond === 0) return
    const waitMs = limiter.take(claims === undefined ? `address ${networkOf(address)}` : `token ${claims.id}`, perSecond, clock.now(), weight)
    if (waitMs === 0) return
    const who = claims === undefined ? 'without a token' : 'with one token'
    const headers = { 'retry-after': String(Math.ceil(waitMs / 1000)) }
    throw new Refusal('exhausted', `Cannot take more requests now: ${perSecond} a second is the most ${who}; wait, and ask again`, { status: 429, headers })
  }
}

/** To who has no right an address that cannot be looks like any other. */
function readAsked(route: Arrival['route'], { path }: Address, claims: Claims | undefined): Asked {
  try {
    return askedOf(route, parametersOf(route.template, path))
  } catch (error) {
    if (claims === undefined && error instanceof EdgemountError) throw unauthorized(`Cannot open "${shownPath(path)}": a token is needed`, undefined)
    throw error
  }
}

/** RFC 6750 section 3: without a token no error is named. */
function unauthorized(message: string, presented: Presented | undefined): Refusal {
  return new Refusal('denied', message, { status: 401, headers: { 'www-authenticate': presented === undefined ? realm : `${realm}, error="invalid_token"` } })
}
