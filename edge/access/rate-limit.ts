/**
 * How often one caller may ask: a token bucket for each, in the memory of this process, a second's worth deep. Plain numbers, so that requests may share one on
 * every runtime. What is forgotten when there are too many callers is the one that was quiet for longest, and a full bucket is what it would have by then.
 */

interface Bucket {
  readonly atMs: number
  /** In thousandths of a request, so that everything is whole: a millisecond earns as many as there are requests a second. */
  readonly left: number
}

const unit = 1000

/** About a megabyte. */
const callersMax = 10_000

export class RateLimiter {
  /** In order of last use, oldest first. */
  readonly #buckets = new Map<string, Bucket>()

  get size(): number {
    return this.#buckets.size
  }

  /** Takes one request of a caller who may make `perSecond`, or one that counts as several; as a second's worth at most. Gives 0, or the milliseconds until there is one. */
  take(caller: string, perSecond: number, nowMs: number, weight = 1): number {
    const before = this.#buckets.get(caller)
    const depth = perSecond * unit
    const cost = Math.min(depth, weight * unit)
    const has = before === undefined ? depth : Math.min(depth, before.left + Math.max(0, nowMs - before.atMs) * perSecond)
    const isAllowed = has >= cost
    this.#buckets.delete(caller)
    this.#buckets.set(caller, { atMs: nowMs, left: isAllowed ? has - cost : has })
    if (this.#buckets.size > callersMax) this.#buckets.delete(this.#buckets.keys().next().value ?? '')
    return isAllowed ? 0 : Math.ceil((cost - has) / perSecond)
  }
}

/** Who asks from an address, as far as can be told: whoever has one of IPv6 has 2^64 of them (RFC 4291 section 2.5.4), and could be somebody else with each request. */
export function networkOf(address: string): string {
  if (!address.includes(':') || address.includes('.')) return address
  const [head = [], tail] = address.split('::').map((part) => (part === '' ? [] : part.split(':')))
  const groups = tail === undefined ? [...head] : [...head, ...Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => '0'), ...tail]
  return `${groups.slice(0, 4).join(':')}::/64`
}
