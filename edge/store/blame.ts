/**
 * Whose mistake it is: a store that refuses the edge's credentials, or has no such bucket, is nothing that who asks the edge can mend. Such failures become
 * `unavailable`, so that no client takes them for the end of its own rights, or for a request of its own that cannot be. `app.ts` puts it around its store.
 *
 * INVARIANT: what the store says of itself (bucket, account, right) goes to the log, and not into an answer.
 */
import type { Clock } from '../../shared/clock.ts'
import { EdgemountError, type ErrorCode, codeOf } from '../../shared/error.ts'
import type { Logger } from '../../shared/log.ts'
import type { ObjectStore } from '../../shared/store.ts'
import { aroundCalls } from './around.ts'

const ownFaults: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['denied', 'invalid'])
/** A full disk, or too many calls: who asks is told as it is, and who runs the edge must hear of it, too. */
const toldFaults: ReadonlySet<ErrorCode> = new Set<ErrorCode>([...ownFaults, 'exhausted'])
/** Each call fails until somebody mends it; one line a minute is enough to be seen. */
const toldEveryMs = 60_000

export function blameStore(store: ObjectStore, { clock, log }: { readonly clock: Clock; readonly log: Logger }): ObjectStore {
  let toldMs = -Infinity
  const tell = (error: unknown): void => {
    const nowMs = clock.now()
    if (Math.abs(nowMs - toldMs) < toldEveryMs) return
    toldMs = nowMs
    log.error('the store refuses what is asked of it', { error })
  }
  return aroundCalls(store, async ({ signal }, run) => {
    try {
      return await run(signal)
    } catch (error) {
      if (toldFaults.has(codeOf(error))) tell(error)
      if (!ownFaults.has(codeOf(error))) throw error
      throw new EdgemountError('unavailable', 'Cannot use the store: it refuses this edge, whose log says why; try again when that is mended', { cause: error })
    }
  })
}
