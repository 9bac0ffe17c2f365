/**
 * Counts what is asked of a store, how it ends and how long it takes. Outermost it shows what callers see, innermost what the store really does.
 */
import type { Clock } from '../../shared/clock.ts'
import { codeOf } from '../../shared/error.ts'
import type { Metrics } from '../../shared/metrics.ts'
import type { ObjectStore } from '../../shared/store.ts'
import { aroundCalls } from './around.ts'

export interface ObserveSettings {
  readonly metrics: Metrics
  readonly clock: Clock
}

export function observeStore(store: ObjectStore, { metrics, clock }: ObserveSettings): ObjectStore {
  const calls = metrics.counter('edgemount_store_calls_total', 'Calls to the store by operation and how they ended')
  const seconds = metrics.histogram('edgemount_store_call_seconds', 'How long calls to the store took')
  const active = metrics.gauge('edgemount_store_calls_active', 'Calls to the store that are under way')
  const bytes = metrics.counter('edgemount_store_bytes_total', 'Bytes of bodies sent to and received whole from the store')
  return aroundCalls(store, async ({ operation, sentBytes, signal }, run) => {
    const startedAt = clock.now()
    let result = 'ok'
    active.add(1)
    try {
      const answer = await run(signal)
      if (sentBytes > 0) bytes.add(sentBytes, { direction: 'sent' })
      if (answer instanceof Uint8Array) bytes.add(answer.length, { direction: 'received' })
      return answer
    } catch (error) {
      result = codeOf(error)
      throw error
    } finally {
      active.add(-1)
      calls.add(1, { operation, result })
      seconds.observe((clock.now() - startedAt) / 1000, { operation })
    }
  })
}
