/** Long bodies as streams: the same bytes as in requests that are held whole, one chunk in memory, and what happens when an answer breaks off or is damaged. */
import { expect, test } from 'vitest'
import { aroundCalls } from '../../../edge/store/around.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { randomBelow } from '../../../shared/random.ts'
import type { GetOptions, ObjectStore, StoredObject } from '../../../shared/store.ts'
import { ReadBudget } from '../../../shared/volume/read-budget.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import { StreamBytes } from '../../../shared/volume/stream-bytes.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { bytesOf, engineOf, expectBytes, inPieces, newVolume, randomBytes } from '../../support/test-volume.ts'

const part = randomBytes(1, 3_000_000)
/** Content that repeats: its chunks lie in the pack once. */
const body = new Uint8Array(Buffer.concat([part, randomBytes(2, 2_000_000), part]))
const chunkBytes = 131_072

interface Answered {
  readonly key: string
  readonly options: GetOptions
  /** Of answers for bodies, from 0. */
  readonly index: number
}

/** A volume with `/f`, read as streams over a store whose answers for bodies `change` may change. */
async function bed(change: (found: StoredObject, answered: Answered) => StoredObject = (found) => found) {
  const inner = new MemoryStore()
  const made = await newVolume({ store: inner, chunking: { kind: 'fixed', bytes: chunkBytes } })
  const writer = made.writer()
  await writer.commit([{ op: 'create', path: '/f', ...(await writer.write(inPieces(body, 1_000_000))) }])
  const asked: string[] = []
  const store: ObjectStore = {
    ...aroundCalls(inner, (call, run) => run(call.signal)),
    get: async (key, options = {}) => {
      const found = await inner.get(key, options)
      if (!key.startsWith('data/') || found === undefined) return found
      const pieces = { ...found, stream: () => streamInPieces(found) }
      return change(pieces, { key, options, index: asked.push(`${options.range?.start}-${options.range?.end}`) - 1 })
    },
  }
  const readBudget = new ReadBudget()
  const head = await (await Volume.open(engineOf(store, { isStreaming: true, readBudget }))).head()
  return { head, asked, inner, readBudget }
}

/** Odd pieces, as a network gives them. */
function streamInPieces(found: StoredObject): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: async (controller) => {
      for (const piece of inPieces(await found.bytes(), 60_001)) controller.enqueue(piece)
      controller.close()
    },
  })
}

/** So many bytes, then an error or an early end. */
function brokenAfter(found: StoredObject, length: number, how: 'error' | 'end'): StoredObject {
  const stream = (): ReadableStream<Uint8Array> =>
    new ReadableStream({
      start: async (controller) => controller.enqueue((await found.bytes()).subarray(0, length)),
      pull: (controller) => (how === 'end' ? controller.close() : controller.error(new Error('reset by peer'))),
    }, { highWaterMark: 0 })
  return { ...found, stream }
}

test('gives the bytes of any range', async () => {
  const { head, readBudget } = await bed()
  expectBytes(await bytesOf(head, '/f'), body)
  const seed = 7
  const random = new SeededRandom(seed)
  for (let round = 0; round < 20; round += 1) {
    const [start, end] = [randomBelow(random, body.length), randomBelow(random, body.length)].toSorted((a, b) => a - b) as [number, number]
    expectBytes(await bytesOf(head, '/f', { start, end }), body.subarray(start, end))
  }
  expect(readBudget.heldBytes).toBe(0)
})

test('one request gives all that lies side by side; no more than a chunk is held', async () => {
  const { head, asked, readBudget } = await bed()
  const entry = await head.resolve('/f')
  let most = 0
  for await (const piece of head.read(entry)) most = Math.max(most, readBudget.heldBytes, piece.length)
  expect(most).toBeLessThanOrEqual(chunkBytes)
  expect(asked.length).toBeLessThan(6)
  asked.length = 0
  await bytesOf(head, '/f', { start: 10, end: 20 })
  expect(asked).toEqual([`0-${chunkBytes}`])
})

test.each(['error', 'end'] as const)('goes on where an answer broke off (%s), as long as each brings something', async (how) => {
  const { head, asked } = await bed((found, { index }) => (index < 3 ? brokenAfter(found, 300_000, how) : found))
  expectBytes(await bytesOf(head, '/f', { start: 0, end: 3_000_000 }), body.subarray(0, 3_000_000))
  expect(asked.slice(0, 4).map((range) => Number(range.split('-')[0]))).toEqual([0, 2 * chunkBytes, 4 * chunkBytes, 6 * chunkBytes])
  const stuck = await bed((found) => brokenAfter(found, 1000, how))
  await expect(bytesOf(stuck.head, '/f')).rejects.toMatchObject({ code: 'unavailable' })
  expect(stuck.asked).toHaveLength(2)
})

test('what was damaged on the way is asked for again, by itself and afresh', async () => {
  const fresh: boolean[] = []
  const { head } = await bed((found, { options, index }) => {
    fresh.push(options.isFresh === true)
    return index > 0 ? found : { ...found, stream: () => new ReadableStream({ start: async (controller) => {
      const bytes = (await found.bytes()).slice()
      bytes[500_000]! ^= 1
      controller.enqueue(bytes)
      controller.close()
    } }) }
  })
  expectBytes(await bytesOf(head, '/f', { start: 0, end: 3_000_000 }), body.subarray(0, 3_000_000))
  expect(fresh).toEqual([false, true])
})

test('what was damaged at rest, cut or removed is refused by the name of file and pack; what is before it is given', async () => {
  const { head, inner } = await bed()
  const [pack] = await inner.list('data/')
  const bytes = await (await inner.get(pack!.key))!.bytes()
  const damagedBytes = bytes.slice()
  damagedBytes[1_000_000]! ^= 1
  await inner.put(pack!.key, damagedBytes)
  let length = 0
  const reading = (async () => {
    for await (const piece of head.read(await head.resolve('/f'), undefined, { label: '/f' })) length += piece.length
  })()
  await expect(reading).rejects.toMatchObject({ code: 'corrupt', message: expect.stringMatching(/^Cannot read "\/f": bytes \d+ to \d+ of "data\/\w+" do not match their hash$/) })
  expect(length).toBe(Math.floor(1_000_000 / chunkBytes) * chunkBytes)
  await inner.put(pack!.key, bytes.subarray(0, 2_000_000))
  await expect(bytesOf(head, '/f')).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining('has 2000000 bytes') })
  await inner.delete(pack!.key)
  await expect(bytesOf(head, '/f')).rejects.toMatchObject({ code: 'corrupt', message: expect.stringContaining('is missing') })
})

test('a reader that leaves ends its request and gives back what it held', async () => {
  let isCancelled = false
  const { head, readBudget } = await bed((found) => ({ ...found, stream: () => new ReadableStream({
    start: async (controller) => controller.enqueue((await found.bytes()).subarray(0, 400_000)),
    cancel: () => void (isCancelled = true),
  }) }))
  for await (const piece of head.read(await head.resolve('/f'))) {
    expect(piece.length).toBe(chunkBytes)
    break
  }
  expect([isCancelled, readBudget.heldBytes]).toEqual([true, 0])
})

test('a stream that fills buffers is read without copies', async () => {
  const bytes = randomBytes(5, 100_000)
  let at = 0
  const stream = new ReadableStream({
    type: 'bytes',
    pull: (controller) => {
      const view = controller.byobRequest?.view
      if (!(view instanceof Uint8Array)) throw new Error('it was not given a buffer')
      const length = Math.min(view.length, 7001, bytes.length - at)
      view.set(bytes.subarray(at, at + length))
      at += length
      if (length === 0) controller.close()
      controller.byobRequest?.respond(length)
    },
  })
  const portions = new StreamBytes(stream)
  expectBytes(await portions.take(30_000), bytes.subarray(0, 30_000))
  expectBytes(await portions.take(0), new Uint8Array())
  expectBytes(await portions.take(50_000), bytes.subarray(30_000, 80_000))
  expectBytes(await portions.take(50_000), bytes.subarray(80_000))
})
