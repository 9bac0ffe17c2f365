/**
 * A store that fails on purpose: the storms that the engine must come through. Never composed in production.
 *
 * What happens to a call is decided by a function, so that a test can hit exactly one call, or let a seed choose (`seededFaults`).
 */
import type { Clock } from '../../shared/clock.ts'
import { EdgemountError } from '../../shared/error.ts'
import { type Random, randomBelow, randomFraction } from '../../shared/random.ts'
import type { ObjectStore, StoredObject } from '../../shared/store.ts'
import { type StoreCall, aroundCalls } from './around.ts'

export type Fault =
  | { readonly kind: 'error' } // `unavailable`; the call never reached the store
  | { readonly kind: 'lost' } // the call did its work, the answer is lost: `unavailable`
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'cut' } // the body ends half-way: `bytes()` rejects and `stream()` errors with `unavailable`
  | { readonly kind: 'flip'; readonly bit: number } // one bit of the body is wrong (`bit` modulo its length); only a hash can tell

/** Asked once for each call, in order; `cut` and `flip` mean something for `get` alone. */
export type FaultPlan = (call: StoreCall) => Fault | undefined

export interface FaultSettings {
  readonly clock: Clock
  readonly plan: FaultPlan
}

export function faultStore(store: ObjectStore, { clock, plan }: FaultSettings): ObjectStore {
  const suffer = async <T>(call: StoreCall, fault: Fault | undefined, run: () => Promise<T>): Promise<T> => {
    if (fault?.kind === 'error') throw injectedError(call, 'the call was dropped')
    if (fault?.kind === 'delay') await clock.sleep(fault.ms, call.signal)
    const answer = await run()
    if (fault?.kind === 'lost') throw injectedError(call, 'the answer was lost')
    return answer
  }
  const others = aroundCalls(store, (call, run) => suffer(call, plan(call), () => run(call.signal)))
  return {
    ...others,
    get: async (key, options = {}) => {
      const call: StoreCall = { operation: 'get', key, signal: options.signal, sentBytes: 0 }
      const fault = plan(call)
      const found = await suffer(call, fault, () => store.get(key, options))
      if (found !== undefined && fault?.kind === 'cut') return cutBody(found, injectedError(call, 'the body was cut'))
      return found !== undefined && fault?.kind === 'flip' ? flippedBody(found, fault.bit) : found
    },
  }
}

/** How often each fault strikes, 0 to 1; what is left is the chance of a good call. */
export interface FaultRates {
  readonly error?: number
  readonly lost?: number
  readonly delay?: number
  readonly cut?: number
  readonly flip?: number
  /** The longest delay. */
  readonly delayMsMax?: number
}

/** Faults by chance, the same for the same seed and order of calls. */
export function seededFaults(random: Random, rates: FaultRates): FaultPlan {
  return () => {
    let chance = randomFraction(random)
    const strikes = (rate = 0): boolean => {
      const isHit = chance >= 0 && chance < rate
      chance -= rate
      return isHit
    }
    if (strikes(rates.error)) return { kind: 'error' }
    if (strikes(rates.lost)) return { kind: 'lost' }
    if (strikes(rates.delay)) return { kind: 'delay', ms: randomBelow(random, (rates.delayMsMax ?? 10) + 1) }
    if (strikes(rates.cut)) return { kind: 'cut' }
    return strikes(rates.flip) ? { kind: 'flip', bit: randomBelow(random, 2 ** 32) } : undefined
  }
}

/** Half of the body, then the error. */
function cutBody(found: StoredObject, error: EdgemountError): StoredObject {
  return {
    size: found.size,
    etag: found.etag,
    bytes: () => Promise.reject(error),
    stream: () => {
      let isHalfSent = false
      return new ReadableStream({
        pull: async (controller) => {
          if (isHalfSent) throw error
          isHalfSent = true
          const bytes = await found.bytes()
          controller.enqueue(bytes.subarray(0, Math.max(1, bytes.length >>> 1)))
        },
      })
    },
  }
}

function flippedBody(found: StoredObject, bit: number): StoredObject {
  const flipped = async (): Promise<Uint8Array> => {
    const bytes = (await found.bytes()).slice()
    const index = bit % (bytes.length * 8)
    if (bytes.length > 0) bytes[index >>> 3]! ^= 1 << (index & 7)
    return bytes
  }
  return { size: found.size, etag: found.etag, bytes: flipped, stream: () => laterStreamOf(flipped) }
}

function laterStreamOf(make: () => Promise<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    pull: async (controller) => {
      controller.enqueue(await make())
      controller.close()
    },
  })
}

function injectedError({ operation, key }: StoreCall, why: string): EdgemountError {
  return new EdgemountError('unavailable', `Cannot ${operation} "${key}": ${why} (injected)`)
}
