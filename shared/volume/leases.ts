/**
 * The leases of one volume, over its store: reads, lets `lease.ts` decide, and writes by compare-and-set, so that of any number of racers one has it. Called by the
 * edge's route, and by shims that have a store at hand. Nothing is kept between calls.
 */
import type { Clock } from '../clock.ts'
import { EdgemountError, messageOf } from '../error.ts'
import { isLate } from '../lifetime.ts'
import { type Random, randomFraction } from '../random.ts'
import type { ObjectStore } from '../store.ts'
import { saysNothing } from './commit-log.ts'
import { leasePrefix } from './keys.ts'
import { type Lease, type LeaseDecision, type LeaseRequest, checkLeaseName, checkLeaseRequest, decideLease, decodeLease, encodeLease, leftMsOf } from './lease.ts'

/** Their objects stay for ever, so that no epoch comes twice. */
const leasesMax = 1000
const triesMax = 10
const retryMs = 20

export interface LeasesParts {
  /** Scoped to the volume. */
  readonly store: ObjectStore
  readonly clock: Clock
  readonly random: Random
}

export interface HeldLease extends Lease {
  readonly name: string
  /** How long its holder may count on it, from when it asked. */
  readonly leftMs: number
}

export class Leases {
  readonly #parts: LeasesParts

  constructor(parts: LeasesParts) {
    this.#parts = parts
  }

  /** The lease, held or not; undefined when nobody ever acquired it. */
  async read(name: string, signal?: AbortSignal): Promise<HeldLease | undefined> {
    checkLeaseName(name)
    const found = await this.#load(name, signal)
    return found && this.#held(name, found.lease)
  }

  /**
   * Does what is asked, or throws: `conflict` while somebody else holds it, `stale` for an epoch that is not the current one (a fence's answer, too), `not-found`
   * where nobody ever acquired it, `exhausted` beyond 1000 leases, `unavailable` when it may or may not have been done: ask again, with the same nonce.
   */
  async ask(name: string, request: LeaseRequest, signal?: AbortSignal): Promise<HeldLease> {
    checkLeaseName(name)
    checkLeaseRequest(request)
    const { clock, random, store } = this.#parts
    let why = 'others changed it each time'
    for (let attempt = 0; attempt < triesMax; attempt += 1) {
      if (attempt > 0) await clock.sleep(retryMs * 2 ** Math.min(attempt, 6) * randomFraction(random), signal)
      const decision = await this.#attempt(name, request, signal).catch((error: unknown) => {
        // What says nothing may have been done: the next look tells.
        if (signal?.aborted === true || !saysNothing(error) || isLate(error)) throw error
        why = messageOf(error)
        return undefined
      })
      if (decision?.kind === 'refuse') throw new EdgemountError(decision.code, `Cannot ${request.action} the lease "${name}": ${decision.why}`)
      if (decision !== undefined) return this.#held(name, decision.lease)
    }
    throw new EdgemountError('unavailable', `Cannot ${request.action} the lease "${name}" in "${store.label}": ${why}; it may have been done, ask again`)
  }

  /** Undefined: somebody else was faster. */
  async #attempt(name: string, request: LeaseRequest, signal: AbortSignal | undefined): Promise<LeaseDecision | undefined> {
    const { clock, store } = this.#parts
    const found = await this.#load(name, signal)
    const decision = decideLease(request, found?.lease, clock.now())
    if (decision.kind !== 'write') return decision
    const key = leasePrefix + name
    const body = encodeLease(decision.lease)
    if (found !== undefined) return (await store.replace(key, body, found.etag, { signal })) === undefined ? undefined : decision
    const others = await store.list(leasePrefix, { limit: leasesMax, signal })
    if (others.length >= leasesMax) return { kind: 'refuse', code: 'exhausted', why: `the volume has ${leasesMax} others; use one of their names` }
    return (await store.create(key, body, { signal })) ? decision : undefined
  }

  async #load(name: string, signal: AbortSignal | undefined): Promise<{ lease: Lease; etag: string } | undefined> {
    const found = await this.#parts.store.get(leasePrefix + name, { signal })
    return found === undefined ? undefined : { lease: decodeLease(await found.bytes()), etag: found.etag }
  }

  #held(name: string, lease: Lease): HeldLease {
    return { name, ...lease, leftMs: leftMsOf(lease, this.#parts.clock.now()) }
  }
}
