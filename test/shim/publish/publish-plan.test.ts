import { describe, expect, test } from 'vitest'
import { type PublishState, planPublishing } from '../../../shim/publish/publish-plan.ts'

const settings = { delayMs: 2000, delayMsMax: 30_000 }
const some = { changeCount: 3, dirtyBytes: 5000 }
const none = { changeCount: 0, dirtyBytes: 0 }

function plan(state: Partial<PublishState>): string {
  const planned = planPublishing(
    {
      nowMs: 100_000,
      amount: some,
      left: none,
      newestMs: undefined,
      oldestMs: undefined,
      endedMs: 90_000,
      isAsked: false,
      isAskedAnew: false,
      failure: undefined,
      ...state,
    },
    settings,
  )
  if (planned.kind === 'publish') return planned.isEverything ? 'everything' : 'publish'
  return planned.kind === 'wait' ? `wait ${planned.ms}` : planned.kind
}

describe('nobody waits', () => {
  test('nothing is pending: nothing is done', () => {
    expect(plan({ amount: none })).toBe('idle')
  })

  test('after a change it is waited for the next one, from the newest on', () => {
    expect(plan({ newestMs: 100_000, oldestMs: 100_000 })).toBe('wait 2000')
    expect(plan({ newestMs: 99_500, oldestMs: 99_000 })).toBe('wait 1500')
    expect(plan({ newestMs: 98_000, oldestMs: 98_000 })).toBe('publish')
  })

  test('who changes something all the time is published every 30 seconds', () => {
    expect(plan({ newestMs: 99_999, oldestMs: 71_000 })).toBe('wait 1000')
    expect(plan({ newestMs: 99_999, oldestMs: 70_000 })).toBe('publish')
  })

  test('what a round has left is tried again after 30 seconds, not again and again', () => {
    expect(plan({ left: some })).toBe('wait 20000')
    expect(plan({ left: some, endedMs: 70_000 })).toBe('publish')
    expect(plan({ left: some, newestMs: 99_000, oldestMs: 99_000 })).toBe('wait 1000')
  })

  test('much is published at once, but not more often than the delay', () => {
    const much = { changeCount: 3, dirtyBytes: 200 * 2 ** 20 }
    expect(plan({ amount: much, newestMs: 99_999, oldestMs: 99_000 })).toBe('publish')
    expect(plan({ amount: { changeCount: 20_000, dirtyBytes: 0 }, newestMs: 99_999, oldestMs: 99_000 })).toBe('publish')
    expect(plan({ amount: much, newestMs: 99_999, oldestMs: 99_000, endedMs: 99_500 })).toBe('wait 1500')
    // A large file that is open and was left is not much anew.
    expect(plan({ amount: much, left: much, newestMs: 99_999, oldestMs: 99_000 })).toBe('wait 1999')
  })
})

describe('somebody waits', () => {
  test('everything is published at once, also when nothing is known to be pending', () => {
    expect(plan({ isAsked: true, isAskedAnew: true, newestMs: 100_000 })).toBe('everything')
    expect(plan({ isAsked: true, isAskedAnew: true, amount: none })).toBe('everything')
  })

  test('what changed while it was read is tried again soon', () => {
    expect(plan({ isAsked: true, endedMs: 99_900 })).toBe('wait 100')
    expect(plan({ isAsked: true, endedMs: 99_800 })).toBe('everything')
  })
})

describe('after a failure', () => {
  const failure = { count: 1, isFirm: false, atMs: 100_000, chance: 1 }

  test('the pauses grow to 30 seconds', () => {
    const waits = [1, 2, 3, 7, 8, 100].map((count) => plan({ failure: { ...failure, count } }))
    expect(waits).toEqual(['wait 250', 'wait 500', 'wait 1000', 'wait 16000', 'wait 30000', 'wait 30000'])
  })

  test('chance takes up to half of a pause away', () => {
    expect(plan({ failure: { ...failure, chance: 0 } })).toBe('wait 125')
  })

  test('what takes a person is tried slowly', () => {
    expect(plan({ failure: { ...failure, isFirm: true } })).toBe('wait 60000')
  })

  test('who asks anew gets one try at once, who has waited already does not', () => {
    expect(plan({ failure, isAsked: true, isAskedAnew: true })).toBe('everything')
    expect(plan({ failure, isAsked: true })).toBe('wait 250')
  })

  test('newer changes do not shorten a pause', () => {
    expect(plan({ failure: { ...failure, count: 7 }, newestMs: 90_000, oldestMs: 90_000 })).toBe('wait 16000')
  })
})
