import { expect, test } from 'vitest'
import { aroundCalls } from '../../../edge/store/around.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
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
