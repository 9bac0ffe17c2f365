import { expect, test } from 'vitest'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { engineOf, newVolume, notingStore } from '../../support/test-volume.ts'

test('a follower sees every commit once, in order, from wherever it begins', async () => {
  const store = new MemoryStore()
  const clock = new ManualClock()
  const writer = (await newVolume({ store, clock })).writer()
  for (let index = 0; index < 5; index += 1) await writer.commit([{ op: 'mkdir', path: `/d${index}` }])
  const noting = notingStore(store)
  const follower = await Volume.open(engineOf(noting.store, { clock, seed: 2 }))
  const stop = new AbortController()
  const seen: string[] = []
  const following = (async () => {
    for await (const { seq, operations } of follower.follow({ after: 3, signal: stop.signal, pollMs: 500 })) seen.push(`${seq} ${operations[0]!.path}`)
  })()
  await clock.advance(0)
  expect(seen).toEqual(['4 /d2', '5 /d3', '6 /d4'])
  await writer.commit([{ op: 'mkdir', path: '/more' }])
  await writer.commit([{ op: 'mkdir', path: '/most' }])
  await clock.advance(499)
  expect(seen).toHaveLength(3)
  await clock.advance(1)
  expect(seen.slice(3)).toEqual(['7 /more', '8 /most'])
  noting.calls.length = 0
  await clock.advance(5000)
  expect(noting.calls).toHaveLength(10)
  stop.abort()
  await expect(following).rejects.toMatchObject({ code: 'aborted' })
  expect(clock.sleeperCount).toBe(0)
})

test('a commit of this process wakes its followers at once', async () => {
  const clock = new ManualClock()
  const volume = await newVolume({ clock })
  const stop = new AbortController()
  const seen: number[] = []
  const following = (async () => {
    for await (const { seq } of volume.follow({ after: 1, signal: stop.signal })) seen.push(seq)
  })()
  await clock.advance(0)
  await volume.writer().commit([{ op: 'mkdir', path: '/a' }])
  await clock.advance(0)
  expect(seen).toEqual([2])
  stop.abort()
  await expect(following).rejects.toMatchObject({ code: 'aborted' })
})

test('a follower that stops listening leaves nothing behind', async () => {
  const clock = new ManualClock()
  const volume = await newVolume({ clock })
  for await (const { seq } of volume.follow({ after: 0, signal: new AbortController().signal })) {
    expect(seq).toBe(1)
    break
  }
  expect(clock.sleeperCount).toBe(0)
})
