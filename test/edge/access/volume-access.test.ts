/** What an edge keeps of who may: read once for all who ask at the same time, and never older than what it wrote itself. */
import { expect, it } from 'vitest'
import { AccessMemory, VolumeAccesses, accessKeptMs } from '../../../edge/access/volume-access.ts'
import { aroundCalls } from '../../../edge/store/around.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { closedAccess, encodeAccess } from '../../../shared/format/access.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const id = '0'.repeat(24)
const { signal } = new AbortController()

it('a list that was asked for before this edge wrote another does not take its place', async () => {
  const clock = new ManualClock(1000)
  let reads = 0
  let answer = (): void => undefined
  const held = new Promise<void>((resolve) => (answer = resolve))
  const store = new MemoryStore()
  await store.put('access.json', encodeAccess(closedAccess, 1))
  const slow = aroundCalls(store, async ({ operation }, run) => {
    const found = await run(undefined)
    if (operation === 'body') {
      reads += 1
      await held
    }
    return found
  })
  const accesses = new VolumeAccesses({ scope: () => slow, clock, memory: new AccessMemory() })
  const asked = Array.from({ length: 50 }, () => accesses.isRevoked('demo', id, signal))
  await clock.advance(1)
  accesses.note('demo', { publicRead: false, revoked: [{ id, until: 99 }] })
  answer()
  expect(await Promise.all(asked)).not.toContain(false)
  expect(await accesses.isRevoked('demo', id, signal)).toBe(true)
  expect(reads).toBe(1)
  await clock.advance(accessKeptMs)
  expect(await accesses.isRevoked('demo', id, signal)).toBe(false)
})
