/**
 * Waits for an edge that is away: looks again and again, less often each time, and says how long it is to the next look. Called by `shell.ts` beside an error that says so.
 */
import type { Clock } from '../../shared/clock.ts'
import { codeOf } from '../../shared/error.ts'
import type { Session } from './session.ts'

const firstSeconds = 2
const mostSeconds = 30

/** `tries`: how often it was away in a row, 1 for the first time. */
export function secondsBefore(tries: number): number {
  return Math.min(mostSeconds, firstSeconds * 2 ** Math.min(tries - 1, 10))
}

export interface Wait {
  readonly session: Pick<Session, 'send'>
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly tries: number
  /** Each second; 0 while it looks. */
  readonly onSecond: (secondsLeft: number) => void
}

/** Resolves once the edge and its store answer, or something says that another try is not what helps. Rejects when the signal fires. */
export async function untilBack({ session, clock, signal, tries, onSecond }: Wait): Promise<void> {
  for (let count = tries; ; count += 1) {
    for (let left = secondsBefore(count); left > 0; left -= 1) {
      onSecond(left)
      await clock.sleep(1000, signal)
    }
    onSecond(0)
    try {
      await session.send('/healthz?deep=1', { signal, cache: 'no-store' })
      return
    } catch (error) {
      if (signal.aborted) throw error
      if (codeOf(error) !== 'unavailable' && codeOf(error) !== 'exhausted') return
    }
  }
}
