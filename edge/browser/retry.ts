/** Tries again what failed for the moment. Everything a page reads says the same when it is asked again, so all of it may be. */
import type { Clock } from '../../shared/clock.ts'
import { codeOf } from '../../shared/error.ts'
import { type Random, randomFraction } from '../../shared/random.ts'

export interface RetrySettings {
  readonly clock: Clock
  readonly random: Random
  readonly signal: AbortSignal | undefined
}

const triesMax = 4
/** Who has waited so long is told, instead of waiting for as long once more: an edge that hangs takes this for a single try. */
const triesMsMax = 30_000
/** Doubled each time; the real pause is a random part of it, so that many tabs do not come back together. */
const firstPauseMs = 150

export async function retry<T>({ clock, random, signal }: RetrySettings, work: (tryIndex: number) => Promise<T>): Promise<T> {
  const startMs = clock.now()
  for (let tryIndex = 0; ; tryIndex += 1) {
    try {
      return await work(tryIndex)
    } catch (error) {
      const code = codeOf(error)
      const isLast = tryIndex + 1 >= triesMax || clock.now() - startMs >= triesMsMax
      if (isLast || signal?.aborted === true || (code !== 'unavailable' && code !== 'exhausted')) throw error
    }
    await clock.sleep(firstPauseMs * 2 ** tryIndex * (0.5 + randomFraction(random) / 2), signal)
  }
}
