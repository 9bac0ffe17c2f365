/** What the console says of the edge is so: live only while events come. */
import { expect, test } from 'vitest'
import { EdgemountError } from '../../../shared/error.ts'
import type { Change, FollowOptions } from '../../../edge/browser/volume.ts'
import { type FollowState, follow } from '../../../edge/console/follower.ts'
import { ManualClock } from '../../support/manual-clock.ts'

class PlayedVolume {
  isOffline = false
  isReachable = true
  followCount = 0
  refreshCount = 0
  tell: ((isConnected: boolean) => void) | undefined
  end: (error?: Error) => void = () => undefined

  follow(_: (change: Change) => void, { signal, onConnected }: FollowOptions = {}): Promise<void> {
    this.followCount += 1
    this.tell = onConnected
    return new Promise((resolve, reject) => {
      this.end = (error) => (error === undefined ? resolve() : reject(error))
      signal?.addEventListener('abort', () => resolve())
    })
  }

  refresh(): Promise<boolean> {
    this.refreshCount += 1
    if (!this.isReachable) return Promise.reject(new EdgemountError('unavailable', 'Cannot reach the edge'))
    this.isOffline = false
    return Promise.resolve(true)
  }
}

function bed(begin: (volume: PlayedVolume) => void = () => undefined): { volume: PlayedVolume; clock: ManualClock; states: FollowState[]; changes: (Change | undefined)[]; stop: AbortController; ended: Promise<void> } {
  const [volume, clock, stop] = [new PlayedVolume(), new ManualClock(), new AbortController()]
  begin(volume)
  const states: FollowState[] = []
  const changes: (Change | undefined)[] = []
  const ended = follow({ volume, clock, signal: stop.signal, onChange: (change) => changes.push(change), onState: (state) => states.push(state) })
  return { volume, clock, states, changes, stop, ended }
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve()
}

test('it is live once events come, away when they have not come back for a moment, and live again', async () => {
  const { volume, clock, states, stop, ended } = bed()
  expect(states).toEqual(['asking'])
  volume.tell!(true)
  expect(states.splice(0)).toEqual(['asking', 'live'])
  volume.tell!(false)
  await clock.advance(1000)
  volume.tell!(true)
  await clock.advance(60_000)
  await turns()
  expect(states.splice(0), 'a stream that ended and came back').toEqual(['live'])
  volume.isReachable = false
  volume.tell!(false)
  await clock.advance(5000)
  await turns()
  expect(states.splice(0)).toEqual(['away'])
  volume.tell!(true)
  expect(states).toEqual(['live'])
  stop.abort()
  await ended
})

test('an edge that is away from the beginning is not called live, and what was missed is looked for when it comes', async () => {
  const { volume, clock, states, changes, stop, ended } = bed((at) => {
    at.isOffline = true
    at.isReachable = false
  })
  await clock.advance(5000)
  await turns()
  expect([states, changes]).toEqual([['away', 'away'], []])
  volume.isReachable = true
  volume.tell!(true)
  await turns()
  expect([states.at(-1), volume.refreshCount, changes]).toEqual(['live', 2, [undefined]])
  stop.abort()
  await ended
})

test('who may not have events asks now and then; a failure that may pass is followed by another try', async () => {
  const { volume, clock, states, changes, stop, ended } = bed()
  volume.end(new EdgemountError('unavailable', 'Cannot read'))
  await turns()
  await clock.advance(25_000)
  await turns()
  expect([volume.followCount, changes.length > 0, states.at(-1)]).toEqual([2, true, 'asking'])
  volume.end(new EdgemountError('denied', 'Cannot list'))
  await turns()
  const before = volume.refreshCount
  for (let round = 0; round < 3; round += 1) {
    await clock.advance(25_000)
    await turns()
  }
  expect(volume.followCount).toBe(2)
  expect(volume.refreshCount - before).toBeGreaterThanOrEqual(3)
  expect(states.at(-1)).toBe('asking')
  stop.abort()
  await ended
  await clock.advance(60_000)
  expect(clock.sleeperCount, 'nothing goes on').toBe(0)
})
