import { describe, expect, test } from 'vitest'
import { aroundCalls } from '../../../edge/store/around.ts'
import { faultStore } from '../../../edge/store/fault.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { systemClock } from '../../../shared/clock.ts'
import type { GetOptions, ObjectStore } from '../../../shared/store.ts'
import { ChunkCache } from '../../../shared/volume/chunk-cache.ts'
import { ReadBudget } from '../../../shared/volume/read-budget.ts'
import { planRead } from '../../../shared/volume/read-plan.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import { bytesOf, engineOf, expectBytes, inPieces, newVolume, nodeHash, notingStore, randomBytes, smallChunks } from '../../support/test-volume.ts'
import { hashOf } from '../../support/hash-of.ts'

const body = randomBytes(1, 12_000_000)
const chunking = { kind: 'fixed', bytes: 131_072 } as const

describe('a plan', () => {
  const hash = hashOf('')
  const run = (start: number, offset: number, length: number, pack = 'dA') =>
    ({ start, run: { kind: 'chunk', length, pointer: { hash, pack: pack as never, offset, length } } }) as const
  const ranges = (runs: Parameters<typeof planRead>[0], range: { start: number; end: number }, max?: number): unknown[] =>
    planRead(runs, range, max).map((step) => (step.kind === 'get' ? `${step.pack} ${step.range.start}-${step.range.end} ${step.chunks.length}` : step.kind === 'hole' ? `hole ${step.length}` : step))

  test('joins chunks that lie side by side', () => {
    expect(ranges([run(0, 100, 10), run(10, 110, 20), run(30, 130, 5)], { start: 0, end: 35 })).toEqual(['dA 100-135 3'])
  })

  test('fetches whole chunks and gives the slices that are wanted', () => {
    const [step] = planRead([run(0, 100, 10), run(10, 110, 20)], { start: 4, end: 12 })
    expect(step).toMatchObject({
      range: { start: 100, end: 130 },
      chunks: [{ slice: { start: 4, end: 10 } }, { slice: { start: 0, end: 2 } }],
    })
  })

  test('ends a request at gaps, other packs, holes and the limit', () => {
    const runs = [run(0, 0, 10), run(10, 20, 10), run(20, 30, 10, 'dB'), { start: 30, run: { kind: 'hole', length: 5 } } as const, run(35, 40, 10, 'dB'), run(45, 50, 10, 'dB')]
    expect(ranges(runs, { start: 0, end: 55 }, 15)).toEqual(['dA 0-10 1', 'dA 20-30 1', 'dB 30-40 1', 'hole 5', 'dB 40-50 1', 'dB 50-60 1'])
  })

  test('fetches a chunk that repeats once', () => {
    expect(ranges([run(0, 0, 10), run(10, 10, 10), run(20, 0, 10), run(30, 10, 10)], { start: 0, end: 40 })).toEqual(['dA 0-20 4'])
  })

  test('takes chunks from memory at the ends of a request, not in the middle', () => {
    const bytes = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
    const runs = [0, 10, 20, 30].map((start) => run(start, start, 10))
    const held = (inMemory: number[]): unknown[] => {
      const marked = runs.map(({ start, run: { kind, length, pointer } }) => ({ start, run: { kind, length, pointer: { ...pointer, hash: hashOf(String(start)) } } }))
      const hashes = new Set(inMemory.map((start) => hashOf(String(start))))
      const steps = planRead(marked, { start: 2, end: 38 }, undefined, (each) => (hashes.has(each) ? bytes : undefined))
      return steps.map((step) => (step.kind === 'get' ? `${step.range.start}-${step.range.end}` : step.kind === 'memory' ? [...step.bytes].join('') : step))
    }
    expect(held([0])).toEqual(['23456789', '10-40'])
    expect(held([30])).toEqual(['0-30', '01234567'])
    expect(held([10])).toEqual(['0-40'])
    expect(held([0, 10, 20, 30])).toEqual(['23456789', '0123456789', '0123456789', '01234567'])
  })

  test('takes a chunk from memory only in the length that its pointer says: another one is corrupt, and fetching it says so', () => {
    const held = (length: number): unknown[] => planRead([run(0, 100, 10)], { start: 0, end: 10 }, undefined, () => new Uint8Array(length)).map(({ kind }) => kind)
    expect([held(9), held(10), held(11)]).toEqual([['get'], ['memory'], ['get']])
  })

  test('clips holes, and leaves out what the range does not touch', () => {
    expect(ranges([run(0, 0, 10), { start: 10, run: { kind: 'hole', length: 100 } }, run(110, 10, 10)], { start: 50, end: 60 })).toEqual(['hole 10'])
  })
})

describe('reading', () => {
  test('joins neighbouring chunks into requests that grow to 8 MiB, two at a time', async () => {
    const { inner } = await volumeWith(body)
    const asked: string[] = []
    let running = 0
    let most = 0
    const store = aroundGets(inner, async (key, { range }, run) => {
      if (!key.startsWith('data/')) return run()
      asked.push(`${range!.start}-${range!.end}`)
      running += 1
      most = Math.max(most, running)
      await new Promise((resolve) => setTimeout(resolve, 1))
      running -= 1
      return run()
    })
    const snapshot = await (await Volume.open(engineOf(store))).head()
    expectBytes(await bytesOf(snapshot, '/f'), body)
    const MiB = 2 ** 20
    expect(asked).toEqual([`0-${MiB}`, `${MiB}-${3 * MiB}`, `${3 * MiB}-${7 * MiB}`, `${7 * MiB}-${body.length}`])
    expect(most).toBe(2)
    asked.length = 0
    expectBytes(await bytesOf(snapshot, '/f', { start: 131_000, end: 131_100 }), body.subarray(131_000, 131_100))
    expect(asked).toEqual(['0-262144'])
  })

  test('gives nothing for an empty range and clamps a long one', async () => {
    const { volume } = await volumeWith(body.subarray(0, 300_000))
    const head = await volume.head()
    expectBytes(await bytesOf(head, '/f', { start: 5, end: 5 }), new Uint8Array(0))
    expectBytes(await bytesOf(head, '/f', { start: 400_000, end: 500_000 }), new Uint8Array(0))
    expectBytes(await bytesOf(head, '/f', { start: 299_990, end: 1e12 }), body.subarray(299_990, 300_000))
  })

  test('reads again what was damaged on the way', async () => {
    const { inner } = await volumeWith(body.subarray(0, 300_000))
    let count = 0
    const store = faultStore(inner, { clock: systemClock, plan: ({ key }) => (key.startsWith('data/') && (count += 1) === 1 ? { kind: 'flip', bit: 12_345 } : undefined) })
    const head = await (await Volume.open(engineOf(store))).head()
    expectBytes(await bytesOf(head, '/f'), body.subarray(0, 300_000))
    expect(count).toBe(2)
  })

  test('refuses what was damaged at rest, by the name of file and pack', async () => {
    const { inner, packKey } = await volumeWith(body.subarray(0, 300_000))
    const bytes = await (await inner.get(packKey))!.bytes()
    bytes[200_000]! ^= 1
    await inner.put(packKey, bytes)
    const head = await (await Volume.open(engineOf(inner))).head()
    expectBytes(await bytesOf(head, '/f', { start: 0, end: 131_072 }), body.subarray(0, 131_072))
    await expect(bytesOf(head, '/f')).rejects.toMatchObject({ code: 'corrupt', message: `Cannot read "/f": bytes 0 to 300000 of "${packKey}" do not match their hashes` })
  })

  test('refuses a pack that is gone or cut, and tells a short answer from it', async () => {
    const { inner, packKey } = await volumeWith(body.subarray(0, 300_000))
    const bytes = await (await inner.get(packKey))!.bytes()
    await inner.put(packKey, bytes.subarray(0, 250_000))
    const head = await (await Volume.open(engineOf(inner))).head()
    await expect(bytesOf(head, '/f')).rejects.toMatchObject({ code: 'corrupt', message: `Cannot read "/f": "${packKey}" has 250000 bytes, 300000 are needed` })
    await inner.delete(packKey)
    await expect(bytesOf(head, '/f')).rejects.toMatchObject({ code: 'corrupt', message: `Cannot read "/f": "${packKey}" is missing in memory:` })
    await inner.put(packKey, bytes)
    const short = aroundGets(inner, async (key, _, run) => {
      const found = await run()
      return found === undefined || !key.startsWith('data/') ? found : { ...found, bytes: async () => (await found.bytes()).subarray(0, 1000) }
    })
    const shortHead = await (await Volume.open(engineOf(short))).head()
    await expect(bytesOf(shortHead, '/f')).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('stops its requests when the reader stops or gives up', async () => {
    const { inner } = await volumeWith(body)
    const signals: AbortSignal[] = []
    const store = aroundGets(inner, (key, options, run) => {
      if (key.startsWith('data/')) signals.push(options.signal!)
      return run()
    })
    const snapshot = await (await Volume.open(engineOf(store))).head()
    const entry = await snapshot.resolve('/f')
    for await (const piece of snapshot.read(entry)) {
      expect(piece.length).toBeGreaterThan(0)
      break
    }
    expect(signals.length).toBeLessThanOrEqual(3)
    expect(signals.every((signal) => signal.aborted)).toBe(true)

    const stop = new AbortController()
    const reading = snapshot.read(entry, undefined, { signal: stop.signal })
    await reading.next()
    stop.abort()
    await expect(drain(reading)).rejects.toMatchObject({ code: 'aborted' })

    const stream = snapshot.stream(entry).getReader()
    await stream.read()
    await stream.cancel()
    expect(signals.at(-1)!.aborted).toBe(true)
  })

  test('of a long hole asks for nothing', async () => {
    const { store, calls } = notingStore()
    const volume = await newVolume({ store, chunking: smallChunks })
    const writer = volume.writer()
    const hole = await writer.assemble([{ kind: 'hole', length: 5 * 2 ** 40 }])
    const { snapshot } = await writer.commit([{ op: 'create', path: '/f', ...hole }])
    calls.length = 0
    expectBytes(await bytesOf(snapshot, await snapshot.resolve('/f'), { start: 2 ** 40, end: 2 ** 40 + 1_000_000 }), new Uint8Array(1_000_000))
    expect(calls).toEqual([])
  })
})

describe('small ranges', () => {
  test('of one chunk fetch and hash it once, whoever asks, and give out bytes of their own', async () => {
    const { inner } = await volumeWith(body.subarray(0, 1_000_000))
    const { store, lengths } = measured(inner)
    let hashCount = 0
    const hash = (bytes: Uint8Array): ReturnType<typeof nodeHash> => {
      if (bytes.length === 131_072) hashCount += 1
      return nodeHash(bytes)
    }
    const volume = await Volume.open(engineOf(store, { hash }))
    for (let start = 0; start < 131_000; start += 1000) {
      const read = await bytesOf(await volume.head(), '/f', { start, end: start + 900 })
      expectBytes(read, body.subarray(start, start + 900))
      for await (const piece of (await volume.head()).read(await (await volume.head()).resolve('/f'), { start, end: start + 900 })) piece.fill(0)
    }
    expect([lengths.length, hashCount]).toEqual([1, 1])
    expectBytes(await bytesOf(await volume.head(), '/f'), body.subarray(0, 1_000_000))
  })

  test('are forgotten in order of use, within the limit; what is read whole is not kept', () => {
    const cache = new ChunkCache(300)
    const chunk = (index: number): Uint8Array => randomBytes(index, 100)
    const keep = (index: number): void => cache.keep(hashOf(String(index)), chunk(index))
    for (const index of [1, 2, 3]) keep(index)
    expectBytes(cache.get(hashOf('1'))!, chunk(1))
    keep(4)
    cache.keep(hashOf('5'), randomBytes(5, 301))
    expect([1, 2, 3, 4, 5].map((index) => cache.get(hashOf(String(index))) !== undefined)).toEqual([true, false, true, true, false])
    expect(cache.heldBytes).toBe(300)
  })

  test('of what is read whole keep nothing', async () => {
    const { inner } = await volumeWith(body.subarray(0, 262_144))
    const { store, lengths } = measured(inner)
    const head = await (await Volume.open(engineOf(store))).head()
    for (let count = 0; count < 2; count += 1) await bytesOf(head, '/f')
    expect(lengths).toEqual([262_144, 262_144])
  })
})

describe('readers together', () => {
  const MiB = 2 ** 20

  test('ask for no more at a time than the setting says', async () => {
    const { inner } = await volumeWith(body)
    const { store, lengths } = measured(inner)
    const snapshot = await (await Volume.open(engineOf(store, { readBytesMax: 300_000 }))).head()
    expectBytes(await bytesOf(snapshot, '/f'), body)
    expect(Math.max(...lengths)).toBe(262_144)
  })

  test('hold the budget and one small request each, however slowly they are read, and all get on', async () => {
    const { inner } = await volumeWith(body)
    const readBudget = new ReadBudget(6 * MiB)
    const snapshot = await (await Volume.open(engineOf(inner, { readBudget }))).head()
    const entry = await snapshot.resolve('/f')
    const readers = Array.from({ length: 10 }, () => snapshot.read(entry))
    const got = readers.map((): Uint8Array[] => [])
    let most = 0
    for (let isEnd = false; !isEnd; ) {
      const pieces = await Promise.all(readers.map((reader) => reader.next()))
      most = Math.max(most, readBudget.heldBytes)
      isEnd = pieces.every(({ done }) => done)
      pieces.forEach(({ value }, index) => value !== undefined && got[index]!.push(value))
    }
    for (const pieces of got) expectBytes(new Uint8Array(Buffer.concat(pieces)), body)
    expect(most).toBeGreaterThan(6 * MiB)
    expect(most).toBeLessThanOrEqual(16 * MiB)
    expect(readBudget.heldBytes).toBe(0)
  })

  test('without any budget ask for little, one request after the other, and grow again when there is room', async () => {
    const { inner } = await volumeWith(body)
    const readBudget = new ReadBudget(8 * MiB)
    readBudget.take(8 * MiB)
    const { store, lengths, most } = measured(inner)
    const snapshot = await (await Volume.open(engineOf(store, { readBudget }))).head()
    const reader = snapshot.read(await snapshot.resolve('/f'))
    let given = 0
    while (given < 4 * MiB) given += (await reader.next()).value!.length
    expect([most(), Math.max(...lengths)]).toEqual([1, MiB])
    readBudget.release(8 * MiB)
    await drain(reader)
    expect(Math.max(...lengths)).toBeGreaterThan(MiB)
  })

  test('give the budget back when they stop or fail', async () => {
    const { inner, packKey } = await volumeWith(body)
    const readBudget = new ReadBudget()
    const snapshot = await (await Volume.open(engineOf(inner, { readBudget }))).head()
    const reader = snapshot.read(await snapshot.resolve('/f'))
    await reader.next()
    expect(readBudget.heldBytes).toBe(3 * MiB)
    await reader.return()
    expect(readBudget.heldBytes).toBe(0)
    await inner.delete(packKey)
    await expect(bytesOf(snapshot, '/f')).rejects.toMatchObject({ code: 'corrupt' })
    expect(readBudget.heldBytes).toBe(0)
  })
})

async function volumeWith(bytes: Uint8Array): Promise<{ volume: Volume; inner: MemoryStore; packKey: string }> {
  const inner = new MemoryStore()
  const volume = await newVolume({ store: inner, chunking })
  const writer = volume.writer()
  await writer.commit([{ op: 'create', path: '/f', ...(await writer.write(inPieces(bytes, 1_000_000))) }])
  const [pack] = await inner.list('data/')
  return { volume, inner, packKey: pack!.key }
}

type Get = ObjectStore['get']

function aroundGets(store: ObjectStore, around: (key: string, options: GetOptions, run: () => ReturnType<Get>) => ReturnType<Get>): ObjectStore {
  return { ...aroundCalls(store, (call, run) => run(call.signal)), get: (key, options = {}) => around(key, options, () => store.get(key, options)) }
}

/** The lengths of the requests for data, and the most that were under way. */
function measured(inner: ObjectStore): { readonly store: ObjectStore; readonly lengths: number[]; readonly most: () => number } {
  const lengths: number[] = []
  let running = 0
  let most = 0
  const store = aroundGets(inner, async (key, { range }, run) => {
    if (!key.startsWith('data/')) return run()
    lengths.push(range!.end - range!.start)
    running += 1
    most = Math.max(most, running)
    await new Promise((resolve) => setTimeout(resolve, 1))
    running -= 1
    return run()
  })
  return { store, lengths, most: () => most }
}

async function drain(reading: AsyncIterable<Uint8Array>): Promise<number> {
  let length = 0
  for await (const piece of reading) length += piece.length
  return length
}
