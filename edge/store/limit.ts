/**
 * At most so many calls to a store at once; more wait in a bounded queue. A Worker has six outgoing connections, a disk one head.
 */
import { Limiter } from '../../shared/lifetime.ts'
import type { ObjectStore } from '../../shared/store.ts'
import { aroundCalls } from './around.ts'

export interface LimitSettings {
  /** Calls under way at once. */
  readonly callCountMax: number
  /** Calls that may wait; one more is refused with `exhausted`. */
  readonly queueCountMax: number
}

export function limitStore(store: ObjectStore, { callCountMax, queueCountMax }: LimitSettings): ObjectStore {
  const limiter = new Limiter(`calls to ${store.label}`, { limit: callCountMax, queueMax: queueCountMax })
  return aroundCalls(store, ({ signal }, run) => limiter.run(() => run(signal), signal))
}
