/** The watch over a log: one that ends late must not take those who listen by then back. */
import { expect, it, onTestFinished } from 'vitest'
import { Follower } from '../../../edge/events/follower.ts'
import { systemClock } from '../../../shared/clock.ts'
import type { CommitRecord } from '../../../shared/format/commit.ts'
import { silentLogger } from '../../../shared/log.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { engineOf } from '../../support/test-volume.ts'

it('a record that comes to a watch that has ended is told to nobody', async () => {
  const volume = await Volume.create(engineOf(new MemoryStore()), { name: 'demo' })
  onTestFinished(() => volume.close())
  for (let count = 0; count < 4; count += 1) await volume.writer().commit([{ op: 'mkdir', path: `/${count}` }])
  const seqs = [1, 4]
  let letGo = (): void => undefined
  const gate = new Promise<void>((resolve) => (letGo = resolve))
  let isFirst = true
  const slow = {
    at: volume.at.bind(volume),
    head: async () => await volume.at(seqs.shift()!),
    // As a store that does not heed its signal: what was asked for comes all the same.
    follow: async function* (request: Parameters<Volume['follow']>[0]): AsyncGenerator<CommitRecord, never> {
      if (isFirst) {
        isFirst = false
        await gate
        yield (await volume.at(2)).record
      }
      return yield* volume.follow(request)
    },
  }
  const follower = new Follower({ volume: slow, clock: systemClock, log: silentLogger, pollMs: 10 })
  onTestFinished(() => follower.dispose())
  const leave = await follower.join()
  const left = leave()
  const leaveAgain = await follower.join()
  letGo()
  await left
  expect((await follower.next(4, 5000)).map(({ seq }) => seq)).toEqual([5])
  expect((await follower.next(1, 0)).map(({ seq }) => seq)).toEqual([2, 3, 4, 5])
  await leaveAgain()
})
