/**
 * Every promise of `shared/store.ts`, for any implementation. A store's test file calls `testStore`; a store that passes may carry a volume.
 */
import * as fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { ObjectStore } from '../../shared/store.ts'
import { bytesAt, collect, expectBytes, failureOf, pattern, text } from '../support/store-bytes.ts'

export interface StoreUnderTest {
  readonly store: ObjectStore
  readonly dispose?: () => Promise<void>
}

export interface StoreSuiteOptions {
  /** Largest body the suite writes; a store over a slow network may say less. */
  readonly bodyBytesMax?: number
  /** The longest key; less than 1024 for a store that puts something before each. */
  readonly keyBytesMax?: number
}

/** `open` gives a fresh, empty store. */
export function testStore(name: string, open: () => Promise<StoreUnderTest>, options: StoreSuiteOptions = {}): void {
  const { bodyBytesMax = 3_000_000, keyBytesMax = 1024 } = options
  const fresh = async (): Promise<ObjectStore> => {
    const { store, dispose } = await open()
    if (dispose !== undefined) onTestFinished(dispose)
    return store
  }
  describe(`store promises: ${name}`, () => {
    describe('get', () => {
      testGet(fresh, bodyBytesMax)
    })
    describe('create', () => {
      testCreate(fresh)
    })
    describe('put, replace, delete', () => {
      testChanges(fresh)
    })
    describe('list', () => {
      testList(fresh)
    })
    describe('keys and signals', () => {
      testEdges(fresh, keyBytesMax)
    })
  })
}

type Fresh = () => Promise<ObjectStore>

function testGet(fresh: Fresh, bodyBytesMax: number): void {
  test('an absent object is undefined, also below and above an existing key', async () => {
    const store = await fresh()
    await store.create('a/b', text('x'))
    expect(await store.get('a/c')).toBeUndefined()
    expect(await store.get('a')).toBeUndefined()
    expect(await store.get('a/b/c')).toBeUndefined()
  })

  test.each([0, 1, 4096, 65_535, 65_536, 65_537, bodyBytesMax])('%i bytes come back, whole and as a stream', async (length) => {
    const store = await fresh()
    const body = pattern(length)
    await store.create('data/d1', body)
    expectBytes(await bytesAt(store, 'data/d1'), body)
    const found = await store.get('data/d1')
    expect(found?.size).toBe(length)
    expectBytes(await collect(found!.stream()), body)
  })

  test.each([1000, 200_000])('ranges of %i bytes are clamped to the end', async (length) => {
    const store = await fresh()
    const body = pattern(length)
    await store.create('k', body)
    const ranges = [[0, 1], [0, length], [5, 5], [length - 1, length], [length - 1, length + 100], [length, length + 1], [length + 7, length + 9], [0, 2 ** 52], [3, 700]] as const
    for (const [start, end] of ranges) {
      const range = { start, end }
      const expected = body.slice(start, end)
      expectBytes(await bytesAt(store, 'k', range), expected, `${start}-${end}`)
      const streamed = await store.get('k', { range })
      expect(streamed?.size).toBe(length)
      expectBytes(await collect(streamed!.stream()), expected, `${start}-${end} streamed`)
    }
  })

  test('a stream that is cancelled half-way leaves the object readable', async () => {
    const store = await fresh()
    const body = pattern(bodyBytesMax)
    await store.create('k', body)
    const reader = (await store.get('k'))!.stream().getReader()
    expect((await reader.read()).done).toBe(false)
    await reader.cancel()
    expectBytes(await bytesAt(store, 'k'), body)
  })

  test('many ranges of one object are read at once', async () => {
    const store = await fresh()
    const body = pattern(500_000)
    await store.create('k', body)
    const starts = Array.from({ length: 64 }, (_, index) => index * 7000)
    const parts = await Promise.all(starts.map((start) => bytesAt(store, 'k', { start, end: start + 9000 })))
    parts.forEach((part, index) => expectBytes(part, body.slice(starts[index], starts[index]! + 9000)))
  })
}

function testCreate(fresh: Fresh): void {
  test('the first create wins and later ones change nothing', async () => {
    const store = await fresh()
    expect(await store.create('log/1', text('first'))).toBe(true)
    expect(await store.create('log/1', text('second'))).toBe(false)
    expectBytes(await bytesAt(store, 'log/1'), text('first'))
  })

  test('of 64 racing creates exactly one gets true, and its bytes are there', async () => {
    const store = await fresh()
    for (let round = 0; round < 5; round += 1) {
      const key = `log/${round}`
      const won = await Promise.all(Array.from({ length: 64 }, (_, index) => store.create(key, text(`body ${index}`))))
      expect(won.filter(Boolean)).toHaveLength(1)
      expectBytes(await bytesAt(store, key), text(`body ${won.indexOf(true)}`))
    }
  })

  test('a key can be created again after it was deleted', async () => {
    const store = await fresh()
    await store.create('k', text('one'))
    await store.delete('k')
    expect(await store.create('k', text('two'))).toBe(true)
    expectBytes(await bytesAt(store, 'k'), text('two'))
  })

  test('readers during a create see nothing or all of it', async () => {
    const store = await fresh()
    const body = pattern(1_000_000)
    const creating = { isOver: false }
    const created = store.create('k', body).finally(() => (creating.isOver = true))
    const sizes = new Set([body.length])
    while (!creating.isOver) {
      sizes.add((await store.get('k'))?.size ?? body.length)
      await turn()
    }
    await created
    expect([...sizes]).toEqual([body.length])
    expectBytes(await bytesAt(store, 'k'), body)
  })

  test('the caller may use its buffer again', async () => {
    const store = await fresh()
    const body = text('before')
    await store.create('k', body)
    body.fill(0)
    const read = await bytesAt(store, 'k')
    expectBytes(read, text('before'))
    read?.fill(0)
    expectBytes(await bytesAt(store, 'k'), text('before'))
  })
}

function testChanges(fresh: Fresh): void {
  test('put writes and replaces', async () => {
    const store = await fresh()
    await store.put('head', text('1'))
    expectBytes(await bytesAt(store, 'head'), text('1'))
    await store.put('head', text('22'))
    expectBytes(await bytesAt(store, 'head'), text('22'))
  })

  test('readers during puts see one of the versions, whole', async () => {
    const store = await fresh()
    const versions = Array.from({ length: 20 }, (_, index) => new Uint8Array(1000 * (index + 1)).fill(index + 1))
    await store.put('head', versions[0]!)
    const writing = { isOver: false }
    const putAll = async (): Promise<void> => {
      for (const version of versions) await store.put('head', version)
    }
    const written = putAll().finally(() => (writing.isOver = true))
    while (!writing.isOver) {
      await turn()
      const bytes = await bytesAt(store, 'head')
      expect(bytes?.length).toBe(bytes![0]! * 1000)
      expect(new Set(bytes).size).toBe(1)
    }
    await written
  })

  test.each([10, 100_000])('replace of %i bytes goes through with the right tag only', async (length) => {
    const store = await fresh()
    await store.create('lease', pattern(length))
    const first = (await store.get('lease'))!.etag
    const changed = pattern(length + 1)
    const second = await store.replace('lease', changed, first)
    expect(second).toBeDefined()
    expect((await store.get('lease'))!.etag).toBe(second)
    expect(second).not.toBe(first)
    expect(await store.replace('lease', text('late'), first)).toBeUndefined()
    expectBytes(await bytesAt(store, 'lease'), changed)
  })

  test('replace of an absent object does nothing', async () => {
    const store = await fresh()
    await store.create('lease', text('x'))
    const { etag } = (await store.get('lease'))!
    await store.delete('lease')
    expect(await store.replace('lease', text('y'), etag)).toBeUndefined()
    expect(await store.get('lease')).toBeUndefined()
  })

  test('put changes the tag, so that a replace that read before it fails', async () => {
    const store = await fresh()
    await store.put('lease', text('one'))
    const { etag } = (await store.get('lease'))!
    await store.put('lease', text('two'))
    expect(await store.replace('lease', text('three'), etag)).toBeUndefined()
    expectBytes(await bytesAt(store, 'lease'), text('two'))
  })

  test('of 16 racing replaces with one tag exactly one goes through', async () => {
    const store = await fresh()
    await store.create('lease', text('start'))
    const { etag } = (await store.get('lease'))!
    const tags = await Promise.all(Array.from({ length: 16 }, (_, index) => store.replace('lease', text(`holder ${index}`), etag)))
    const winners = tags.flatMap((tag, index) => (tag === undefined ? [] : [index]))
    expect(winners).toHaveLength(1)
    expectBytes(await bytesAt(store, 'lease'), text(`holder ${winners[0]}`))
  })

  test('counting by compare-and-set loses nothing', async () => {
    const store = await fresh()
    await store.create('counter', text('0'))
    const increment = async (): Promise<void> => {
      for (let tryCount = 0; ; tryCount += 1) {
        expect(tryCount).toBeLessThan(1000)
        const found = (await store.get('counter'))!
        const count = Number(new TextDecoder().decode(await found.bytes()))
        if ((await store.replace('counter', text(String(count + 1)), found.etag)) !== undefined) return
      }
    }
    await Promise.all(Array.from({ length: 8 }, async () => {
      for (let round = 0; round < 5; round += 1) await increment()
    }))
    expectBytes(await bytesAt(store, 'counter'), text('40'))
  })

  test('delete removes, and does nothing when there is nothing', async () => {
    const store = await fresh()
    await store.create('a/b', text('x'))
    await store.delete('a/b')
    await store.delete('a/b')
    await store.delete('never/was')
    await store.delete('a')
    expect(await store.get('a/b')).toBeUndefined()
    expect(await store.list('')).toEqual([])
  })

  test('a large object that is deleted or put again is never seen as it was', async () => {
    const store = await fresh()
    await store.create('data/d1', new Uint8Array(200_000).fill(1))
    expect((await bytesAt(store, 'data/d1', { start: 0, end: 1 }))?.[0]).toBe(1)
    await store.put('data/d1', new Uint8Array(200_000).fill(2))
    expect((await bytesAt(store, 'data/d1', { start: 0, end: 1 }))?.[0]).toBe(2)
    await store.delete('data/d1')
    expect(await store.get('data/d1', { range: { start: 0, end: 1 } })).toBeUndefined()
  })
}

/** Characters around the slash in ASCII, and some that a file system would take badly. */
const partArbitrary = fc.stringMatching(/^[a-c.!%~ _+A-]{1,4}$/).filter((part) => part !== '.' && part !== '..')

function testList(fresh: Fresh): void {
  test('an empty store lists nothing', async () => {
    const store = await fresh()
    expect(await store.list('')).toEqual([])
    expect(await store.list('log/')).toEqual([])
  })

  test('keys come in byte order, with sizes, each once', async () => {
    const store = await fresh()
    const keys = ['a!', 'a-b', 'a.b', 'a/b', 'a/b.c', 'a/b0', 'a0', 'aa/x', 'B/z', 'Z', 'log/01', 'log/1', 'log/10', 'log/2', '~', '%41']
    for (const key of keys) await store.create(key, new Uint8Array(key.length))
    const expected = keys.toSorted(byteOrder)
    expect(await store.list('')).toEqual(expected.map((key) => ({ key, size: key.length })))
    expect(await keysOf(store, 'a')).toEqual(expected.filter((key) => key.startsWith('a')))
    expect(await keysOf(store, 'a/')).toEqual(['a/b', 'a/b.c', 'a/b0'])
    expect(await keysOf(store, 'a/b')).toEqual(['a/b', 'a/b.c', 'a/b0'])
    expect(await keysOf(store, 'log/1')).toEqual(['log/1', 'log/10'])
  })

  test('after and limit page through everything', async () => {
    const store = await fresh()
    const keys = Array.from({ length: 137 }, (_, index) => `log/${String(index).padStart(20, '0')}`)
    await Promise.all(keys.toReversed().map((key) => store.create(key, text(key))))
    await store.create('lof', text(''))
    await store.create('meta/x', text(''))
    expect(await keysOf(store, 'log/', { limit: 1 })).toEqual([keys[0]])
    const seen: string[] = []
    for (let after: string | undefined; ; after = seen.at(-1)) {
      const page = await keysOf(store, 'log/', { after, limit: 50 })
      seen.push(...page)
      if (page.length < 50) break
    }
    expect(seen).toEqual(keys)
    expect(await keysOf(store, 'log/', { after: 'log/zzz' })).toEqual([])
    expect(await keysOf(store, 'log/', { after: 'a' })).toEqual(keys)
    expect(await keysOf(store, 'log/', { after: `${keys[135]}~` })).toEqual([keys[136]])
  })

  test('a write is in the next list, a deleted key is not', async () => {
    const store = await fresh()
    for (let index = 0; index < 10; index += 1) {
      await store.create(`log/${index}`, text('x'))
      expect(await keysOf(store, 'log/')).toHaveLength(index + 1)
    }
    await store.delete('log/4')
    expect(await keysOf(store, 'log/')).not.toContain('log/4')
  })

  test('any keys, any prefix, any position: the same as a sorted array', async () => {
    const keyArbitrary = fc.array(partArbitrary, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'))
    const caseArbitrary = fc.record({
      keys: fc.uniqueArray(keyArbitrary, { maxLength: 12 }).map(withoutFolders),
      prefix: fc.oneof(fc.constant(''), keyArbitrary, keyArbitrary.map((key) => key.slice(0, 2).replace(/^\/+|\/.*$/g, ''))),
      after: fc.option(keyArbitrary, { nil: undefined }),
      limit: fc.integer({ min: 1, max: 8 }),
    })
    await fc.assert(
      fc.asyncProperty(caseArbitrary, async ({ keys, prefix, after, limit }) => {
        const store = await fresh()
        for (const key of keys) await store.create(key, text(key))
        const expected = keys.filter((key) => key.startsWith(prefix) && (after === undefined || key > after)).toSorted(byteOrder)
        expect(await keysOf(store, prefix, { after, limit })).toEqual(expected.slice(0, limit))
      }),
      { numRuns: 60 },
    )
  })
}

function testEdges(fresh: Fresh, keyBytesMax: number): void {
  test('long keys, parts longer than a file name, listed in order', async () => {
    const store = await fresh()
    const long = 'k'.repeat(300)
    const keys = [`${long}/x`, `${long}-a`, `${long}0`, `${long.slice(0, 60)}/y`, `${'p'.repeat(500)}/${'q'.repeat(keyBytesMax - 501)}`, '%'.repeat(90), '.'.repeat(keyBytesMax), `${'a'.repeat(60)}${'.'.repeat(240)}`]
    for (const key of keys) expect(await store.create(key, text(key))).toBe(true)
    for (const key of keys) expectBytes(await bytesAt(store, key), text(key))
    expect(await keysOf(store, '')).toEqual(keys.toSorted(byteOrder))
    expect(await keysOf(store, long)).toEqual([`${long}-a`, `${long}/x`, `${long}0`])
    expect(await keysOf(store, 'k'.repeat(100), { after: `${long}-a`, limit: 1 })).toEqual([`${long}/x`])
  })

  test.each(['', '/', '/a', 'a/', 'a//b', '.', '..', 'a/../b', '../a', 'a/.', 'ü', 'a\0b', 'a\nb', 'a'.repeat(1025)])('the key %j is invalid', async (key) => {
    const store = await fresh()
    expect(await failureOf(store.get(key))).toBe('invalid')
    expect(await failureOf(store.create(key, text('x')))).toBe('invalid')
    expect(await failureOf(store.put(key, text('x')))).toBe('invalid')
    expect(await failureOf(store.replace(key, text('x'), 'tag'))).toBe('invalid')
    expect(await failureOf(store.delete(key))).toBe('invalid')
  })

  test.each(['/a', '../', 'a//', 'ü'])('the prefix %j is invalid', async (prefix) => {
    const store = await fresh()
    expect(await failureOf(store.list(prefix))).toBe('invalid')
  })

  test('a limit is 1 to 1000', async () => {
    const store = await fresh()
    for (const limit of [0, -1, 1.5, 1001]) expect(await failureOf(store.list('', { limit }))).toBe('invalid')
  })

  test('a signal that has fired ends every call, and nothing was done', async () => {
    const store = await fresh()
    await store.create('k', text('x'))
    const { etag } = (await store.get('k'))!
    const signal = AbortSignal.abort()
    expect(await failureOf(store.get('k', { signal }))).toBe('aborted')
    expect(await failureOf(store.create('new', text('y'), { signal }))).toBe('aborted')
    expect(await failureOf(store.put('k', text('y'), { signal }))).toBe('aborted')
    expect(await failureOf(store.replace('k', text('y'), etag, { signal }))).toBe('aborted')
    expect(await failureOf(store.delete('k', { signal }))).toBe('aborted')
    expect(await failureOf(store.list('', { signal }))).toBe('aborted')
    expect(await store.get('new')).toBeUndefined()
    expectBytes(await bytesAt(store, 'k'), text('x'))
  })

  test('the label says what the store is', async () => {
    const store = await fresh()
    expect(store.label).toMatch(/^[a-z][a-z0-9]*:/)
  })
}

/** Lets the event loop turn: a `get` may be answered without any I/O, and a loop of those would starve everybody else. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

async function keysOf(store: ObjectStore, prefix: string, options: { after?: string | undefined; limit?: number } = {}): Promise<string[]> {
  return (await store.list(prefix, options)).map(({ key }) => key)
}

function byteOrder(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

/** No key of a set may be a folder of another: stores on a file system refuse that. */
function withoutFolders(keys: readonly string[]): string[] {
  return keys.filter((key) => !keys.some((other) => other.startsWith(`${key}/`)))
}
