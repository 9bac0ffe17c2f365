/** Clients that ask for long slices and do not read them: what they hold is bounded, those who come later are served, and all of it comes back. */
import { beforeEach, describe, expect, it } from 'vitest'
import { type App, createApp } from '../../../edge/app.ts'
import { nodeHash } from '../../../edge/node.ts'
import { SliceHold } from '../../../edge/http/slice-hold.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { ScopedStore } from '../../../edge/store/scoped.ts'
import { systemClock } from '../../../shared/clock.ts'
import type { GetOptions, StoredObject } from '../../../shared/store.ts'
import { ReadBudget } from '../../../shared/volume/read-budget.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { pattern } from '../../support/store-bytes.ts'

const mebibyte = 1024 * 1024
const pack = 'd01J00000000000000000000000'
const bytes = pattern(9 * mebibyte)
let app: App
let reads: number[]

/** Notes how much of the pack is asked for at once. */
class NotingStore extends MemoryStore {
  override get(key: string, options: GetOptions = {}): Promise<StoredObject | undefined> {
    if (key.includes(pack)) reads.push((options.range?.end ?? Infinity) - (options.range?.start ?? 0))
    return super.get(key, options)
  }
}

beforeEach(async () => {
  reads = []
  const store = new NotingStore()
  const engine = { store: new ScopedStore(store, 'demo'), clock: systemClock, random: new SeededRandom(1), hash: nodeHash }
  await Volume.create(engine, { name: 'demo' })
  await store.put(`demo/data/${pack}`, bytes)
  app = createApp({ store, clock: systemClock, random: new SeededRandom(2), hash: nodeHash })
})

const slice = (start: number, end: number, init: RequestInit = {}): Promise<Response> => app.fetch(new Request(`http://edge.test/v1/demo/packs/${pack}/${start}-${end}`, init))

describe('long slices', () => {
  it('that nobody reads are 32 of 8 MiB; later ones come in short pieces, and whole again when the others are gone', async () => {
    const unread: Response[] = []
    for (let count = 0; count < 32; count += 1) unread.push(await slice(0, 8 * mebibyte))
    expect(reads).toEqual(Array<number>(32).fill(8 * mebibyte))
    reads.length = 0
    const late = await slice(100, 3 * mebibyte + 200)
    expect(reads).toEqual([mebibyte])
    expect([late.status, late.headers.get('content-length'), late.headers.get('etag'), late.headers.get('edgemount-size')]).toEqual([
      200, String(3 * mebibyte + 100), `"${pack}-100-${3 * mebibyte + 200}"`, String(bytes.length),
    ])
    expect(Buffer.compare(Buffer.from(await late.arrayBuffer()), bytes.subarray(100, 3 * mebibyte + 200))).toBe(0)
    expect(reads).toEqual([mebibyte, mebibyte, mebibyte, 100])
    const past = await slice(7 * mebibyte, 15 * mebibyte)
    expect(Buffer.compare(Buffer.from(await past.arrayBuffer()), bytes.subarray(7 * mebibyte))).toBe(0)
    expect([(await slice(0, mebibyte)).status, (await slice(0, bytes.length)).status]).toEqual([200, 200])
    await unread[0]?.body?.cancel()
    expect((await unread[1]?.arrayBuffer())?.byteLength).toBe(8 * mebibyte)
    reads.length = 0
    for (let count = 0; count < 3; count += 1) await slice(0, 8 * mebibyte)
    expect(reads).toEqual([8 * mebibyte, 8 * mebibyte, mebibyte])
  })

  it('that are none hold nothing', async () => {
    for (let count = 0; count < 40; count += 1) {
      await slice(20 * mebibyte, 28 * mebibyte)
      await slice(0, 8 * mebibyte, { method: 'HEAD' })
      await app.fetch(new Request(`http://edge.test/v1/demo/packs/d01J00000000000000000000001/0-${8 * mebibyte}`))
    }
    reads.length = 0
    await (await slice(0, 8 * mebibyte)).body?.cancel()
    expect(reads).toEqual([8 * mebibyte])
  })
})

it('a hold is given back once', async () => {
  const budget = new ReadBudget(10)
  const hold = SliceHold.take(budget, 6)
  expect([SliceHold.take(budget, 6), budget.heldBytes]).toEqual([undefined, 6])
  const body = hold?.body(new Uint8Array(6))
  hold?.settle()
  expect(budget.heldBytes).toBe(6)
  const reader = body?.getReader()
  await reader?.read()
  expect(budget.heldBytes).toBe(6)
  await reader?.read()
  await reader?.cancel()
  hold?.settle()
  expect(budget.heldBytes).toBe(0)
})
