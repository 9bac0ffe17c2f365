import { describe, expect, test } from 'vitest'
import { aroundCalls } from '../../../edge/store/around.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { faultStore } from '../../../edge/store/fault.ts'
import { systemClock } from '../../../shared/clock.ts'
import { packKey } from '../../../shared/volume/keys.ts'
import { PackUploads, PackWriter } from '../../../shared/volume/pack-writer.ts'
import { hashOf } from '../../support/hash-of.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { expectBytes, randomBytes } from '../../support/test-volume.ts'

// Seven of 30,000 bytes: three fill the first pack, one sends it, and three that waited fill the next one before that one goes on.
test.each([2, 4, 7, 8, 11, 60])('no pack becomes longer than the limit when %i bodies fill it at once', async (count) => {
  const inner = new MemoryStore()
  const store = aroundCalls(inner, async (call, run) => {
    await new Promise((resolve) => setTimeout(resolve, 1))
    return run(call.signal)
  })
  const random = new SeededRandom(3)
  const uploads = new PackUploads({ store, clock: systemClock, random })
  const writer = new PackWriter({ kind: 'data', bytesMax: 100_000, store, clock: systemClock, random, uploads })
  const bodies = Array.from({ length: count }, (_, index) => randomBytes(index, 30_000 + index * 10))
  const pointers = await Promise.all(
    bodies.map((bytes) => writer.append([{ bytes, hash: hashOf(bytes) }])),
  )
  await writer.flush()
  await uploads.drain()
  const packs = await inner.list('data/')
  expect(Math.max(...packs.map(({ size }) => size))).toBeLessThanOrEqual(100_000)
  for (const [index, parts] of pointers.entries()) {
    const read = await Promise.all(parts.map(async ({ pack, offset, length }) => (await inner.get(packKey(pack), { range: { start: offset, end: offset + length } }))!.bytes()))
    expectBytes(new Uint8Array(Buffer.concat(read)), bodies[index]!)
  }
})

describe('an upload that fails', () => {
  const bytes = randomBytes(1, 1000)

  /** A store that is away until so many tries were made, and a clock that only adds pauses up. */
  function bed(tryCount: number, options: { readonly patienceMs?: number; readonly signal?: AbortSignal } = {}) {
    const inner = new MemoryStore()
    const seen = { tries: 0, waitedMs: 0 }
    const store = faultStore(inner, { clock: systemClock, plan: () => ((seen.tries += 1) <= tryCount ? { kind: 'error' } : undefined) })
    const clock = {
      ...systemClock,
      sleep: (ms: number, signal?: AbortSignal) => {
        seen.waitedMs += ms
        return systemClock.sleep(0, signal)
      },
    }
    const random = new SeededRandom(3)
    const uploads = new PackUploads({ store, clock, random }, options)
    return { inner, seen, uploads, writer: new PackWriter({ kind: 'data', store, clock, random, uploads }) }
  }

  test('is tried again for a minute', async () => {
    const { inner, seen, uploads, writer } = bed(14)
    await writer.append([{ bytes, hash: hashOf(bytes) }])
    await writer.flush()
    await uploads.drain()
    expect(await inner.list('data/')).toHaveLength(1)
    expect(seen.waitedMs).toBeGreaterThan(20_000)

    const lost = bed(1000)
    await lost.writer.append([{ bytes, hash: hashOf(bytes) }])
    await lost.writer.flush()
    await expect(lost.uploads.drain()).rejects.toMatchObject({ code: 'unavailable' })
    expect(lost.seen.waitedMs).toBeGreaterThanOrEqual(60_000)
    expect(lost.seen.waitedMs).toBeLessThan(70_000)
  })

  test('is given up when the session ends', async () => {
    const stop = new AbortController()
    const { seen, uploads, writer } = bed(1e9, { signal: stop.signal, patienceMs: Infinity })
    await writer.append([{ bytes, hash: hashOf(bytes) }])
    await writer.flush()
    while (seen.tries < 5) await new Promise((resolve) => setTimeout(resolve, 1))
    stop.abort()
    await expect(uploads.drain()).rejects.toMatchObject({ code: 'aborted' })
  })
})
