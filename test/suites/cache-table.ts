/**
 * The promises of `CacheTable`, as steps over one that is empty: run in Node over the one in memory, and in Chromium over IndexedDB. No vitest in here, since it is
 * bundled for a page: each check throws a sentence.
 */
import type { CacheEntry, CacheLimits, CacheTable } from '../../edge/browser/cache-table.ts'

function entry(key: string, bytes: number, usedMs: number, version = 'v1', owner = 'file', pins: readonly string[] = []): CacheEntry {
  return { record: { key, bytes, usedMs, owner, version, pins }, body: new Uint8Array(bytes).fill(bytes) }
}

const roomy: CacheLimits = { bytesMax: 1000, keptBytes: 900 }

function check(what: string, actual: unknown, expected: unknown): void {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) throw new Error(`${what}: ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`)
}

async function kept(table: CacheTable, ...keys: readonly string[]): Promise<readonly (number | undefined)[]> {
  return (await table.get(keys)).map((body) => body?.length)
}

/** Of all, and of what is pinned. */
async function sizeOf(table: CacheTable): Promise<readonly number[]> {
  const { bytes, pinnedBytes } = await table.size()
  return [bytes, pinnedBytes]
}

export const cacheTableChecks: Readonly<Record<string, (table: CacheTable, sameTable: CacheTable) => Promise<void>>> = {
  'gives back what was put, in the order of the keys, and nothing else': async (table) => {
    check('evicted', await table.put([entry('a', 10, 1), entry('b', 20, 2)], roomy), 0)
    check('size', (await table.size()).bytes, 30)
    check('lengths', await kept(table, 'b', 'none', 'a'), [20, null, 10])
    check('bytes', [...(await table.get(['a']))[0]!], Array.from({ length: 10 }, () => 10))
  },
  'counts what replaces once': async (table) => {
    await table.put([entry('a', 10, 1)], roomy)
    await table.put([entry('a', 4, 1), entry('b', 1, 1)], roomy)
    check('size', (await table.size()).bytes, 5)
    await table.put([entry('a', 7, 2), entry('a', 8, 3)], roomy)
    check('size of the last', (await table.size()).bytes, 9)
    check('the last', await kept(table, 'a'), [8])
    await table.pin('x', true)
    const [held, same] = [entry('c', 3, 3), entry('c', 3, 4)]
    await table.put([{ ...held, record: { ...held.record, pins: ['x'] } }, same], roomy)
    check('bytes', await sizeOf(table), [12, 3])
    check('absent', await table.touch(['a', 'none', 'a'], 5, 'x'), ['none'])
    check('bytes', await sizeOf(table), [12, 11])
  },
  'evicts what was read longest ago, and touching counts as reading': async (table) => {
    await table.put([entry('a', 10, 1), entry('b', 10, 2), entry('c', 10, 3), entry('d', 10, 4)], roomy)
    await table.touch(['a', 'none'], 5)
    check('count', await table.evict(20), 2)
    check('left', await kept(table, 'a', 'b', 'c', 'd', 'none'), [10, null, null, 10, null])
    check('size', (await table.size()).bytes, 20)
    check('count', await table.evict(20), 0)
  },
  'keeps what belongs to no file longer': async (table) => {
    await table.put([entry('page', 10, 1, '', ''), entry('a', 10, 2)], roomy)
    check('count', await table.evict(10), 1)
    check('left', await kept(table, 'page', 'a'), [10, null])
  },
  'makes room before it stores, so that the budget holds at all times': async (table) => {
    await table.put([entry('a', 10, 1), entry('b', 10, 2), entry('c', 10, 3)], roomy)
    check('evicted', await table.put([entry('d', 10, 4)], { bytesMax: 30, keptBytes: 25 }), 2)
    check('left', await kept(table, 'a', 'b', 'c', 'd'), [null, null, 10, 10])
    check('size', (await table.size()).bytes, 20)
    check('evicted', await table.put([entry('d', 12, 5)], { bytesMax: 30, keptBytes: 25 }), 0)
    check('size', (await table.size()).bytes, 22)
  },
  'knows the older versions of a file': async (table) => {
    await table.put([entry('a', 1, 1, 'v1'), entry('b', 1, 1, 'v2')], roomy)
    check('older', await table.otherVersions('file', 'v2'), ['a'])
    check('of another', await table.otherVersions('other', 'v2'), [])
  },
  'neither evicts nor drops what a pin holds, nor counts it for the budget': async (table) => {
    await table.pin('one', true)
    await table.put([entry('a', 10, 1, 'v1', 'x/a', ['one']), entry('b', 10, 2, 'v1', 'x/b', ['none']), entry('c', 10, 3)], roomy)
    check('pins', await table.pins(), ['one'])
    check('size', await sizeOf(table), [30, 10])
    check('absent', await table.touch(['c', 'none'], 4, 'one'), ['none'])
    check('size', await sizeOf(table), [30, 20])
    check('evicted', await table.put([entry('d', 900, 5, 'v1', 'x/d', ['one']), entry('e', 5, 6)], { bytesMax: 14, keptBytes: 10 }), 1)
    await table.drop(['a', 'e'])
    check('left', await kept(table, 'a', 'b', 'c', 'd', 'e'), [10, null, 10, 900, null])
    await table.pin('one', false)
    check('pins', await table.pins(), [])
    check('size', await sizeOf(table), [920, 0])
    check('evicted', await table.evict(900), 2)
    check('left', await kept(table, 'a', 'c', 'd'), [null, null, 900])
  },
  'keeps what several pins hold until the last lets go, also when it is put again': async (table) => {
    for (const pin of ['one', 'two']) await table.pin(pin, true)
    await table.put([entry('a', 10, 1, 'v1', 'x/a', ['one']), entry('b', 10, 1, 'v1', 'x/a', ['one'])], roomy)
    await table.touch(['a'], 2, 'two')
    await table.put([entry('a', 12, 3, 'v1', 'x/other')], roomy)
    await table.pin('one', false)
    check('evicted', await table.evict(0), 1)
    check('left', await kept(table, 'a', 'b'), [12, null])
    await table.pin('one', true)
    check('size', await sizeOf(table), [12, 12])
    await table.pin('two', false)
    await table.pin('one', false)
    await table.touch(['a'], 4)
    await table.pin('two', true)
    check('size', await sizeOf(table), [12, 0])
  },
  'knows who held what was damaged': async (table) => {
    await table.pin('one', true)
    await table.put([entry('a', 10, 1, 'v1', 'x/a', ['one']), entry('b', 10, 1)], roomy)
    await table.drop(['a', 'b'], true)
    check('left', await kept(table, 'a', 'b'), [null, null])
    check('absent', await table.touch(['a', 'b'], 2), ['a', 'b'])
    check('lossy', (await table.size()).lossy, ['one'])
    check('size', await sizeOf(table), [0, 0])
    await table.put([entry('a', 10, 1), entry('b', 10, 1)], roomy)
    check('size', await sizeOf(table), [20, 10])
    check('lossy', (await table.size()).lossy, [])
    check('evicted', await table.evict(0), 1)
  },
  'drops and clears': async (table) => {
    await table.put([entry('a', 10, 1), entry('b', 20, 2)], roomy)
    await table.drop(['a', 'none'])
    check('size', (await table.size()).bytes, 20)
    await table.clear()
    check('left', await kept(table, 'b'), [null])
    check('size', (await table.size()).bytes, 0)
  },
  'loses nothing when two write at once': async (table, sameTable) => {
    const puts = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? table : sameTable).put([entry(`k${index}`, index + 1, index)], roomy))
    await Promise.all([...puts, table.touch(['k1', 'k2'], 50), sameTable.drop(['k0'])])
    check('size', (await table.size()).bytes, (await kept(sameTable, ...puts.map((_, index) => `k${index}`))).reduce((sum: number, length) => sum + (length ?? 0), 0))
  },
}
