/**
 * A time limit for each call to a store, and for each body that is read whole: nobody waits for ever for a store that is away.
 * Streams have none here, because how fast a stream is read is its reader's business.
 */
import type { Clock } from '../../shared/clock.ts'
import { withDeadline } from '../../shared/lifetime.ts'
import type { ObjectStore } from '../../shared/store.ts'
import { aroundCalls } from './around.ts'

export interface DeadlineSettings {
  readonly clock: Clock
  readonly callMs: number
  /** For reading a body whole; `callMs` unless given. */
  readonly bodyMs?: number
  /** Bodies that are sent get the time that they take at this speed on top of it. */
  readonly sentBytesPerSecondMin?: number
}

/** A call that takes longer fails with `unavailable`; a write may have landed all the same. */
export function deadlineStore(store: ObjectStore, { clock, callMs, bodyMs = callMs, sentBytesPerSecondMin = Infinity }: DeadlineSettings): ObjectStore {
  return aroundCalls(store, ({ operation, key, signal, sentBytes }, run) =>
    withDeadline(clock, operation === 'body' ? bodyMs : callMs + Math.ceil((sentBytes / sentBytesPerSecondMin) * 1000), `${operation} "${key}" in ${store.label}`, signal, run),
  )
}
