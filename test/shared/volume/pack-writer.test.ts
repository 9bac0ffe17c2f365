import { expect, test } from 'vitest'
import { aroundCalls } from '../../../edge/store/around.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { systemClock } from '../../../shared/clock.ts'
import { packKey } from '../../../shared/volume/keys.ts'
import { PackUploads, PackWriter } from '../../../shared/volume/pack-writer.ts'
import { hashOf } from '../../support/hash-of.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { expectBytes, randomBytes } from '../../support/test-volume.ts'

test('no pack becomes longer than the limit, however many fill it at once', async () => {
  const inner = new MemoryStore()
  const store = aroundCalls(inner, async (call, run) => {
    await new Promise((resolve) => setTimeout(resolve, 1))
    return run(call.signal)
  })
  const random = new SeededRandom(3)
  const uploads = new PackUploads({ store, clock: systemClock, random })
  const writer = new PackWriter({ kind: 'data', bytesMax: 100_000, store, clock: systemClock, random, uploads })
  const bodies = Array.from({ length: 60 }, (_, index) => randomBytes(index, 30_000 + index * 100))
  const pointers = await Promise.all(
    bodies.map(async (bytes) => (await writer.append([bytes.subarray(0, 10_000), bytes.subarray(10_000)].map((part) => ({ bytes: part, hash: hashOf(part) })))).flat()),
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
