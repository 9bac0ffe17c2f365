import { expect, test } from 'vitest'
import { retry } from '../../../edge/browser/retry.ts'
import { EdgemountError, type ErrorCode } from '../../../shared/error.ts'
import { SeededRandom } from '../../support/seeded-random.ts'

/** Time that passes by sleeping, and by `tryMs` a try. */
async function tries(outcomes: readonly (ErrorCode | 'done')[], tryMs = 0): Promise<{ readonly count: number; readonly sleptMs: number; readonly code: string }> {
  let [nowMs, sleptMs, count] = [0, 0, 0]
  const clock = {
    now: () => nowMs,
    sleep: async (ms: number): Promise<void> => {
      nowMs += ms
      sleptMs += ms
    },
  }
  const work = async (): Promise<string> => {
    const outcome = outcomes[count] ?? 'done'
    count += 1
    nowMs += tryMs
    if (outcome !== 'done') throw new EdgemountError(outcome, 'Cannot do it: a test')
    return outcome
  }
  const code = await retry({ clock, random: new SeededRandom(1), signal: undefined }, work).catch((error: EdgemountError) => error.code)
  return { count, sleptMs, code }
}

test('what may be better the next time is tried four times, with growing pauses', async () => {
  expect(await tries(['unavailable', 'exhausted'])).toMatchObject({ count: 3, code: 'done' })
  const all = await tries(['unavailable', 'unavailable', 'unavailable', 'unavailable'])
  expect(all).toMatchObject({ count: 4, code: 'unavailable' })
  expect(all.sleptMs).toBeGreaterThan(500)
  expect(all.sleptMs).toBeLessThan(1100)
})

test.each<ErrorCode>(['denied', 'not-found', 'corrupt', 'aborted', 'invalid'])('%s is final', async (code) => {
  expect(await tries([code])).toEqual({ count: 1, sleptMs: 0, code })
})

test('an edge that hangs is waited for once', async () => {
  expect(await tries(['unavailable', 'done'], 30_000)).toMatchObject({ count: 1, code: 'unavailable' })
})
