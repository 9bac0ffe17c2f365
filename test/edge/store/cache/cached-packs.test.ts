/** Packs behind a cache of blocks: which requests reach the store, and what is never kept. */
import { expect, test } from 'vitest'
import { blockBytes } from '../../../../edge/store/cache/block-cache.ts'
import { CacheCounts } from '../../../../edge/store/cache/cache-counts.ts'
import { CachedPacks } from '../../../../edge/store/cache/cached-packs.ts'
import { MemoryBlocks } from '../../../../edge/store/cache/memory-blocks.ts'
import { MemoryStore } from '../../../../edge/store/memory.ts'
import { Metrics } from '../../../../shared/metrics.ts'
import type { GetOptions, ObjectStore, StoredObject } from '../../../../shared/store.ts'
import { ReadBudget } from '../../../../shared/volume/read-budget.ts'
import { expectBytes, failureOf, pattern, text } from '../../../support/store-bytes.ts'

const MiB = 1024 * 1024
const key = 'data/d01'

interface Bed {
  readonly inner: MemoryStore
  readonly store: CachedPacks
  readonly metrics: Metrics
  /** Ranges that the store was asked for, as `key start-end`. */
  readonly asked: string[]
}

/** `wrap` stands between the cache and what counts. */
function bedOf({ fillBytes = 64 * MiB, wholeBytesMax = 8 * MiB, wrap = (store: ObjectStore) => store } = {}): Bed {
  const inner = new MemoryStore()
  const asked: string[] = []
  const counting: ObjectStore = Object.assign(Object.create(inner) as ObjectStore, {
    label: 'memory:',
    get: async (name: string, options: GetOptions = {}): Promise<StoredObject | undefined> => {
      asked.push(options.range === undefined ? name : `${name} ${options.range.start}-${options.range.end}`)
      return await inner.get(name, options)
    },
    create: inner.create.bind(inner),
    list: inner.list.bind(inner),
  })
  const metrics = new Metrics()
  const store = new CachedPacks(wrap(counting), {
    blocks: new MemoryBlocks({ bytesMax: 64 * MiB }),
    fills: new ReadBudget(fillBytes),
    wholeBytesMax,
    counts: new CacheCounts(metrics),
    background: () => undefined,
  })
  store.belongTo('id')
  return { inner, store, metrics, asked }
}

async function read(store: ObjectStore, start: number, end: number, more: GetOptions = {}, name = key): Promise<Uint8Array> {
  const found = await store.get(name, { range: { start, end }, ...more })
  return await found!.bytes()
}

test('whole aligned blocks are fetched, neighbours in one request, and then none', async () => {
  const { inner, store, asked, metrics } = bedOf()
  const body = pattern(5 * MiB + 1234)
  await inner.put(key, body)
  expectBytes(await read(store, 100, 200), body.subarray(100, 200))
  expectBytes(await read(store, 2 * MiB - 10, 4 * MiB), body.subarray(2 * MiB - 10, 4 * MiB))
  expect(asked).toEqual([`${key} 0-${MiB}`, `${key} ${MiB}-${4 * MiB}`])
  expectBytes(await read(store, 5, 5 * MiB + 9999), body.subarray(5))
  expect(asked.splice(0)).toEqual([`${key} 0-${MiB}`, `${key} ${MiB}-${4 * MiB}`, `${key} ${4 * MiB}-${6 * MiB}`])
  for (const [start, end] of [[0, 5 * MiB + 1234], [MiB - 1, MiB + 1], [5 * MiB, 8 * MiB], [3, 4]] as const) {
    const found = (await store.get(key, { range: { start, end } }))!
    expect(found.size).toBe(body.length)
    expectBytes(await found.bytes(), body.subarray(start, end))
  }
  expect(asked).toEqual([])
  expect(metrics.text()).toContain('edgemount_edge_cache_blocks_total{result="miss"} 6')
})

test('gaps are fetched each, what is there stays', async () => {
  const { inner, store, asked } = bedOf()
  const body = pattern(6 * MiB)
  await inner.put(key, body)
  await read(store, 2 * MiB, 2 * MiB + 1)
  asked.length = 0
  expectBytes(await read(store, 0, 6 * MiB), body)
  expect(asked.toSorted()).toEqual([`${key} 0-${2 * MiB}`, `${key} ${3 * MiB}-${6 * MiB}`])
})

test('beyond the end there is nothing, and HEAD asks nothing that is known', async () => {
  const { inner, store, asked } = bedOf()
  await inner.put(key, pattern(1000))
  const empty = { range: { start: 0, end: 0 } }
  expect((await store.get(key, empty))!.size).toBe(1000)
  expect(asked).toEqual([`${key} 0-0`])
  expect(await read(store, 5000, 6000)).toHaveLength(0)
  expectBytes(await read(store, 900, 6000), pattern(1000).subarray(900))
  asked.length = 0
  expect((await store.get(key, empty))!.size).toBe(1000)
  expect(await read(store, 5000, 6000)).toHaveLength(0)
  expect(await read(store, 3 * MiB, 4 * MiB)).toHaveLength(0)
  expect(asked.filter((line) => line.endsWith('-0'))).toEqual([])
})

test('at once: one request for a block, whoever wants it; it ends with its last reader', async () => {
  const aborted: string[] = []
  let release: () => void = () => undefined
  const gate = new Promise<void>((resolve) => (release = resolve))
  const { inner, store, asked } = bedOf({
    wrap: (counting) => ({
      ...counting,
      get: async (name: string, options: GetOptions = {}) => {
        options.signal?.addEventListener('abort', () => aborted.push(name))
        const found = await counting.get(name, options)
        await gate
        return found
      },
    }),
  })
  const body = pattern(3 * MiB)
  await inner.put(key, body)
  const stop = new AbortController()
  const quitter = read(store, 0, MiB, { signal: stop.signal }).catch(() => 'gone')
  const readers = Array.from({ length: 16 }, async (_, index) => await read(store, index * 1000, 2 * MiB + index))
  await new Promise((resolve) => setTimeout(resolve, 5))
  stop.abort()
  expect(await quitter).toBe('gone')
  expect(aborted).toEqual([])
  release()
  for (const [index, bytes] of (await Promise.all(readers)).entries()) expectBytes(bytes, body.subarray(index * 1000, 2 * MiB + index))
  expect(asked).toHaveLength(2 + 1)
})

test('a fetch that nobody waits for any more is ended, and nothing of it is kept', async () => {
  let signal: AbortSignal | undefined
  const { inner, store } = bedOf({
    wrap: (counting) => ({
      ...counting,
      get: async (_name: string, options: GetOptions = {}) => {
        signal = options.signal
        return await new Promise<undefined>((_, reject) => options.signal?.addEventListener('abort', () => reject(new Error('ended'))))
      },
    }),
  })
  await inner.put(key, pattern(10))
  const stop = new AbortController()
  const reading = failureOf(read(store, 0, 10, { signal: stop.signal }))
  await new Promise((resolve) => setTimeout(resolve, 5))
  stop.abort()
  await reading
  expect(signal?.aborted).toBe(true)
})

test('what is absent, failed or short is asked for again', async () => {
  let answer: 'fail' | 'short' | 'pass' = 'fail'
  const { inner, store, asked } = bedOf({
    wrap: (counting) => ({
      ...counting,
      get: async (name: string, options: GetOptions = {}) => {
        const found = await counting.get(name, options)
        if (answer === 'pass' || found === undefined) return found
        if (answer === 'fail') return { ...found, bytes: () => Promise.reject(new Error('reset')) }
        return { ...found, bytes: async () => (await found.bytes()).subarray(1) }
      },
    }),
  })
  expect(await store.get(key, { range: { start: 0, end: 10 } })).toBeUndefined()
  await inner.put(key, pattern(1000))
  await expect(read(store, 0, 10)).rejects.toThrow('reset')
  answer = 'short'
  expect(await failureOf(read(store, 0, 10))).toBe('unavailable')
  answer = 'pass'
  expectBytes(await read(store, 0, 10), pattern(1000).subarray(0, 10))
  expect(asked).toHaveLength(4)
})

test('a reader that found damage gets fresh bytes, and everybody after it', async () => {
  let isDamaged = true
  const { inner, store, asked } = bedOf({
    wrap: (counting) => ({
      ...counting,
      get: async (name: string, options: GetOptions = {}) => {
        const found = (await counting.get(name, options))!
        return isDamaged ? { ...found, bytes: async () => (await found.bytes()).map((byte) => byte ^ 1) } : found
      },
    }),
  })
  await inner.put(key, pattern(1000))
  expect(await read(store, 0, 10)).not.toEqual(pattern(1000).subarray(0, 10))
  isDamaged = false
  expectBytes(await read(store, 0, 10, { isFresh: true }), pattern(1000).subarray(0, 10))
  expectBytes(await read(store, 0, 10), pattern(1000).subarray(0, 10))
  expect(asked).toHaveLength(2)
})

test('long ranges stream: what is here from here, the rest in one request that is not kept', async () => {
  const { inner, store, asked } = bedOf()
  const body = pattern(12 * MiB)
  await inner.put(key, body)
  expectBytes(await read(store, 100, 10 * MiB), body.subarray(100, 10 * MiB))
  expect(asked.splice(0)).toEqual([`${key} 100-${10 * MiB}`])
  await read(store, 0, 3 * MiB)
  asked.length = 0
  const found = (await store.get(key))!
  expect(found.size).toBe(body.length)
  expectBytes(new Uint8Array(await new Response(found.stream()).arrayBuffer()), body)
  expect(asked.splice(0)).toEqual([`${key} ${3 * MiB}-${12 * MiB}`])
  for (let start = 0; start < 12 * MiB; start += 4 * MiB) await read(store, start, start + 4 * MiB)
  asked.length = 0
  expectBytes(await (await store.get(key))!.bytes(), body)
  expect(asked).toEqual([])
})

test('where little may be held, what mounts ask for goes from block to block, and is kept', async () => {
  const { inner, store, asked } = bedOf({ wholeBytesMax: MiB })
  const body = pattern(7 * MiB + 77)
  await inner.put(key, body)
  for (const expected of [[1, 2, 3, 4, 5], [], []]) {
    const found = (await store.get(key, { range: { start: MiB + 5, end: 5 * MiB + 6 } }))!
    expect(found.size).toBe(body.length)
    let most = 0
    const pieces: Uint8Array[] = []
    for await (const piece of found.stream()) {
      most = Math.max(most, piece.length)
      pieces.push(piece)
    }
    expectBytes(new Uint8Array(Buffer.concat(pieces)), body.subarray(MiB + 5, 5 * MiB + 6))
    expect(most).toBeLessThanOrEqual(MiB / 4)
    expect(asked.splice(0)).toEqual(expected.map((index) => `${key} ${index * MiB}-${(index + 1) * MiB}`))
  }
  expectBytes(await read(store, 6 * MiB, 9 * MiB), body.subarray(6 * MiB))
  expect(await store.get('data/absent', { range: { start: 0, end: 3 * MiB } })).toBeUndefined()
})

test('beyond what may be fetched at once the answer comes as it was asked for, and is not kept', async () => {
  const { inner, store, asked } = bedOf({ fillBytes: MiB / 2 })
  await inner.put(key, pattern(2 * MiB))
  expectBytes(await read(store, 10, 20), pattern(2 * MiB).subarray(10, 20))
  expectBytes(await read(store, 10, 20), pattern(2 * MiB).subarray(10, 20))
  expect(asked).toEqual([`${key} 10-20`, `${key} 10-20`])
})

test('only packs are kept, and none before it is known whose they are', async () => {
  const { inner, store, asked } = bedOf()
  for (const name of ['head', 'volume.json', 'log/1', 'leases/x']) {
    await inner.put(name, text('1'))
    await read(store, 0, 1, {}, name)
    await inner.put(name, text('2'))
    expectBytes(await read(store, 0, 1, {}, name), text('2'))
  }
  expect(asked).toHaveLength(8)
})

test('volumes share nothing, whatever they are called', async () => {
  const blocks = new MemoryBlocks({ bytesMax: 64 * blockBytes })
  const counts = new CacheCounts(new Metrics())
  const parts = { blocks, fills: new ReadBudget(64 * MiB), counts, background: () => undefined }
  const stores = await Promise.all(['one', 'two'].map(async (name) => {
    const inner = new MemoryStore()
    await inner.put(key, text(name))
    return inner
  }))
  const seen: string[] = []
  for (const [inner, id] of [[stores[0]!, 'a'], [stores[1]!, 'b']] as const) {
    const unknown = new CachedPacks(inner, parts)
    await read(unknown, 0, 3)
    const store = new CachedPacks(inner, parts)
    store.belongTo(id)
    seen.push(new TextDecoder().decode(await read(store, 0, 3)))
  }
  expect(seen).toEqual(['one', 'two'])
})
