/** The parts of the console that only compute: addresses, orders, filters, windows of rows, sizes, CSV. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { FileInfo } from '../../../edge/browser/volume.ts'
import { countTree } from '../../../edge/console/actions.ts'
import { type Address, byName, formatAddress, parseAddress, sortKeys, volumesAddress } from '../../../edge/console/address.ts'
import { columnsMax, isNumberText, parseCsv } from '../../../edge/console/csv.ts'
import { formatBytes, formatMode, formatTime, iconOf, shownName } from '../../../edge/console/format.ts'
import { secondsBefore, untilBack } from '../../../edge/console/come-back.ts'
import { forgetOldest } from '../../../edge/console/folder-view.ts'
import { readHistory } from '../../../edge/console/history-api.ts'
import { indentJson } from '../../../edge/console/json-text.ts'
import { Listing, showsIn } from '../../../edge/console/listing.ts'
import { toldOf } from '../../../edge/console/notices.ts'
import { filterItems, heightMax, scrollTo, sortItems, windowOf } from '../../../edge/console/rows.ts'
import { Session } from '../../../edge/console/session.ts'
import { EdgemountError } from '../../../shared/error.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { tokenFor } from '../access/tokens.ts'

const info = (name: string, more: Partial<FileInfo> = {}): FileInfo => ({ path: `/${name}`, name, kind: 'file', size: 0, mtime: new Date(0), mode: 0o644, version: '', target: undefined, ...more })

describe('an address', () => {
  const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }).filter((text) => !/[/\0]/.test(text) && !['.', '..'].includes(text))
  const path = fc.array(name, { maxLength: 4 }).map((names) => `/${names.join('/')}`)
  const address: fc.Arbitrary<Address> = fc.record({
    volume: fc.constantFrom('photos', 'a.b-c_1'),
    seq: fc.option(fc.nat(), { nil: undefined }),
    path,
    panel: fc.constantFrom(undefined, 'details', 'history'),
    sort: fc.record({ key: fc.constantFrom(...sortKeys), isDescending: fc.boolean() }),
    filter: fc.string({ unit: 'binary' }).map((text) => text.toWellFormed()),
    comparison: fc.option(fc.record({ from: fc.integer({ min: 1 }), to: fc.option(fc.integer({ min: 1 }), { nil: undefined }), path: fc.option(path, { nil: undefined }), oldPath: fc.option(path, { nil: undefined }) }), { nil: undefined }),
  }).map((each) => ({ ...each, comparison: each.panel === 'history' ? each.comparison : undefined }))

  test('is what it was after it was written and read', () => {
    fc.assert(fc.property(address, fc.boolean(), (each, isFolder) => { expect(parseAddress(formatAddress(each, isFolder))).toEqual(each) }))
    expect(formatAddress({ ...volumesAddress, volume: 'photos', seq: 12, path: '/a b/ü?', sort: { key: 'size', isDescending: true } })).toBe('#/photos@12/a%20b/%C3%BC%3F?sort=-size')
    expect(formatAddress({ ...volumesAddress, volume: 'photos', path: '/a', panel: 'history', comparison: { from: 7, to: 8, path: undefined, oldPath: '/b c' } })).toBe('#/photos/a?panel=history&from=7&to=8&was=%2Fb%2520c')
    for (const query of ['from=x', 'to=8', 'from=0', 'from=-1']) expect(parseAddress(`#/photos/?panel=history&${query}`).comparison).toBeUndefined()
  })

  test('of nothing is the list of volumes; what cannot be is refused, what is unknown is left out', () => {
    for (const text of ['', '#', '#/', '#/?panel=x']) expect(parseAddress(text)).toEqual(volumesAddress)
    expect(parseAddress('#/photos?sort=-nothing')).toMatchObject({ volume: 'photos', path: '/', sort: byName })
    expect(() => parseAddress('#/photos/../x')).toThrow('Cannot use the name')
    expect(() => parseAddress('#/-x/')).toThrow('Cannot use the volume name')
    expect(() => parseAddress('#/a/%zz')).toThrow('Cannot decode')
  })
})

describe('rows', () => {
  const items = [info('B', { size: 5 }), info('a', { size: 9, mtime: new Date(3) }), info('b', { kind: 'directory' }), info('c', { size: 5, mtime: new Date(1) })]
  const names = (list: readonly FileInfo[]): string => list.map((item) => item.name).join('')

  test('are sorted, what is equal in the order of the names', () => {
    expect(names(sortItems(items, byName))).toBe('Babc')
    expect(names(sortItems(items, { key: 'name', isDescending: true }))).toBe('cbaB')
    expect(names(sortItems(items, { key: 'size', isDescending: false }))).toBe('bBca')
    expect(names(sortItems(items, { key: 'size', isDescending: true }))).toBe('aBcb')
    expect(names(sortItems(items, { key: 'time', isDescending: true }))).toBe('acBb')
  })

  test('are filtered by all words, in any order and case', () => {
    const list = [info('Summer beach 2024.jpg'), info('beach.txt'), info('summer.txt')]
    expect(filterItems(list, 'BEACH sum')).toEqual([list[0]])
    expect(filterItems(list, '  ')).toBe(list)
    expect(filterItems(list, 'xyz')).toEqual([])
  })

  test('in a window cover what is seen, wherever that is, and are few', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2_000_000 }), fc.integer({ min: 20, max: 60 }), fc.float({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 100, max: 3000 }), (count, rowHeight, share, seen) => {
        const scrolled = share * Math.max(0, Math.min(count * rowHeight, heightMax) - seen)
        const { first, end, top, height } = windowOf(count, rowHeight, scrolled, seen)
        expect(height).toBeLessThanOrEqual(heightMax)
        expect(top).toBeLessThanOrEqual(scrolled + 1e-6)
        expect(end - first).toBeLessThanOrEqual(Math.ceil(seen / rowHeight) + 26)
        const bottom = top + (end - first) * rowHeight
        expect(bottom).toBeGreaterThanOrEqual(Math.min(scrolled + seen, height) - 1)
        if (share === 1) expect(end).toBe(count)
        if (share === 0) expect([first, top]).toEqual([0, 0])
      }),
    )
  })

  test('are scrolled to, so that they are seen', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2_000_000 }), fc.float({ min: 0, max: 1, noNaN: true }), fc.float({ min: 0, max: 1, noNaN: true }), (count, share, target) => {
        const [rowHeight, seen] = [36, 800]
        const index = Math.floor(target * (count - 1))
        const before = share * Math.max(0, Math.min(count * rowHeight, heightMax) - seen)
        const at = scrollTo(index, count, rowHeight, before, seen) ?? before
        const { first, top } = windowOf(count, rowHeight, at, seen)
        const place = top + (index - first) * rowHeight
        expect(place).toBeGreaterThanOrEqual(at - 1)
        expect(place + rowHeight).toBeLessThanOrEqual(at + seen + 1)
      }),
    )
  })
})

describe('what is read', () => {
  const volumeOf = (count: number) => {
    const asked: (string | undefined)[] = []
    const list = async (path: string, { after, limit = 1000 }: { after?: string | undefined; limit?: number | undefined } = {}) => {
      asked.push(after)
      const start = after === undefined ? 0 : Number(after) + 1
      const items = path === '/sub' ? [] : Array.from({ length: Math.min(limit, count - start) }, (_, index) => info(String(start + index).padStart(7, '0'), { size: 2 }))
      return { seq: 7, path, items, isLast: path === '/sub' || start + items.length >= count }
    }
    return { seq: 7, list, asked }
  }

  test('of a listing comes page by page, once for all who ask', async () => {
    const volume = volumeOf(2500)
    const listing = new Listing(volume, '/')
    await Promise.all([listing.more(), listing.more()])
    expect([listing.items.length, listing.isComplete, volume.asked.length]).toEqual([1000, false, 1])
    await listing.upTo(Infinity, new AbortController().signal)
    await listing.more()
    expect([listing.items.length, listing.isComplete, volume.asked]).toEqual([2500, true, [undefined, '0000999', '0001999']])
  })

  test('ends when somebody gives up, and fails for who asked alone', async () => {
    const stop = new AbortController()
    const listing = new Listing(volumeOf(5000), '/')
    await expect(listing.upTo(Infinity, stop.signal, () => stop.abort())).rejects.toMatchObject({ code: 'aborted' })
    expect(listing.items).toHaveLength(1000)
    let calls = 0
    const failing = new Listing({ seq: 1, list: () => Promise.reject(new Error(`failure ${(calls += 1)}`)) }, '/')
    await expect(failing.more()).rejects.toThrow('failure 1')
    await expect(failing.more()).rejects.toThrow('failure 2')
  })

  test('of a folder that is to go is counted, as far as somebody waits', async () => {
    const signal = new AbortController().signal
    expect(await countTree(volumeOf(1500), '/', signal)).toEqual({ files: 1500, folders: 0, bytes: 3000, isCut: false })
    expect(await countTree(volumeOf(5000), '/', signal, 2000)).toEqual({ files: 2000, folders: 0, bytes: 4000, isCut: true })
    const nested = { list: (path: string) => Promise.resolve({ seq: 1, path, isLast: true, items: path === '/' ? [info('sub', { kind: 'directory' }), info('f', { size: 3 })] : [] }) }
    expect(await countTree(nested, '/', signal)).toEqual({ files: 1, folders: 1, bytes: 3, isCut: false })
  })
})

describe('a commit', () => {
  test.each([
    [[{ op: 'create', path: '/docs/a' }], true],
    [[{ op: 'create', path: '/docs/deep/a' }], false],
    [[{ op: 'create', path: '/other/a' }, { op: 'unlink', path: '/docs' }], true],
    [[{ op: 'write', path: '/docsx/a' }], false],
    [[{ op: 'rename', path: '/other/a', to: '/docs/a' }], true],
    [[{ op: 'rename', path: '/docs/a', to: '/other/a' }], true],
    [[{ op: 'subtree', path: '/' }], true],
    [[{ op: 'subtree', path: '/docs/deep' }], true],
    [[{ op: 'subtree', path: '/other' }], false],
    [[], true],
  ] as const)('of %j shows in /docs: %s', (operations, isShown) => {
    expect(showsIn({ operations }, '/docs')).toBe(isShown)
    expect(showsIn(undefined, '/docs')).toBe(true)
  })
})

describe('people read', () => {
  test.each([[0, '0 B'], [1023, '1023 B'], [1024, '1.0 KiB'], [10_188, '9.9 KiB'], [10_240, '10 KiB'], [1_048_575, '1.0 MiB'], [5 * 1024 ** 3, '5.0 GiB'], [2 ** 53 - 1, '8.0 PiB']])('%d bytes as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })

  test('times, modes, names and kinds', () => {
    expect(formatTime(new Date(2026, 10, 21, 9, 5))).toBe('2026-11-21 09:05')
    expect(formatTime(new Date(Number.NaN))).toBe('–')
    expect(formatMode(0o754)).toBe('rwxr-xr--')
    expect(shownName('a\n\u202egpj\udcff')).toBe('a\u240a\ufffdgpj\ufffd')
    expect(['a.jpg', 'a.mp3', 'a.mkv', 'a.csv', 'a.md', 'a.xyz'].map((name) => iconOf(info(name)))).toEqual(['image', 'audio', 'video', 'table', 'text', 'file'])
    expect([iconOf(info('a.jpg', { kind: 'directory' })), iconOf(info('x', { kind: 'fifo' }))]).toEqual(['folder', 'special'])
  })
})

describe('CSV', () => {
  const all = { isWhole: true, rowsMax: 1000 }

  test('of any cells is read as it was written', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', ' ', 'ü', ';') })
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 4 }).chain((width) => fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 5 })), fc.constantFrom('\n', '\r\n'), (rows, end) => {
        const text = rows.map((row) => row.map((each) => `"${each.replaceAll('"', '""')}"`).join(',')).join(end) + end
        expect(parseCsv(text, all)).toEqual({ delimiter: ',', head: rows[0], rows: rows.slice(1), isCut: false, isNarrowed: false })
      }),
    )
  })

  test.each([
    ['a;b\n1;2\n', ';', ['a', 'b'], [['1', '2']]],
    ['a\tb\r\n1\t\r\n', '\t', ['a', 'b'], [['1', '']]],
    ['\ufeffa,b\n1,', ',', ['a', 'b'], [['1', '']]],
    ['"a,x";b\n"1"y;2', ';', ['a,x', 'b'], [['1y', '2']]],
    ['one\ntwo\n', ',', ['one'], [['two']]],
    ['', ',', [], []],
  ])('%j', (text, delimiter, head, rows) => {
    expect(parseCsv(text, all)).toEqual({ delimiter, head, rows, isCut: false, isNarrowed: false })
  })

  test('of which more is to come leaves its last row out, and ends at the most', () => {
    expect(parseCsv('a,b\n1,2\n3,', { isWhole: false, rowsMax: 10 })).toMatchObject({ rows: [['1', '2']], isCut: true })
    expect(parseCsv('a\n1\n2\n3\n', { isWhole: true, rowsMax: 2 })).toMatchObject({ rows: [['1'], ['2']], isCut: true })
  })
})

describe('a session', () => {
  test('knows its edge, with or without a token, wherever it is mounted', async () => {
    const plain = new Session({ href: 'http://edge.example/#/photos/' })
    expect([plain.base, plain.token, plain.may('write'), plain.onlyVolume, plain.prefix]).toEqual(['http://edge.example/', undefined, true, undefined, '/'])
    const token = await tokenFor({ volume: 'photos', prefix: '/2024', rights: ['read', 'list'] })
    const limited = new Session({ href: `https://host/behind/t/${token}/?x#/photos/` })
    expect([limited.base, limited.token, limited.may('read'), limited.may('write'), limited.onlyVolume, limited.prefix]).toEqual([`https://host/behind/t/${token}/`, token, true, false, 'photos', '/2024'])
    expect(limited.zipUrl('photos', '/2024/a b', 3)).toBe(`https://host/behind/t/${token}/v1/photos/zip/2024/a%20b?seq=3`)
    expect([limited.isReached('/2024/x'), limited.isReached('/2025')]).toEqual([true, false])
  })
})

test('of rows that are wider than a window only its cells are held, and a long cell is no number', () => {
  const { head, rows, isNarrowed } = parseCsv(`${','.repeat(130_000)}\n${'a,'.repeat(300)}b\nc\n`, { isWhole: true, rowsMax: 10 })
  expect([head.length, ...rows.map((row) => row.length), isNarrowed]).toEqual([columnsMax, columnsMax, 1, true])
  expect(parseCsv('a,b\n1,2\n', { isWhole: true, rowsMax: 10 }).isNarrowed).toBe(false)
  expect(['', ' -1.5e+3 ', '1,000', 'x', '1 2', `${' '.repeat(250_000)}x`].map(isNumberText)).toEqual([true, true, true, false, false, false])
})

describe('JSON', () => {
  test('is indented as JSON.stringify does it, however it was spaced', () => {
    fc.assert(fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1, '\t'), (value, spacing) => {
      expect(indentJson(JSON.stringify(value, null, spacing), 1e6)).toBe(JSON.stringify(value, null, 2))
    }))
  })

  test('keeps the digits, escapes and doubles of its source', () => {
    expect(indentJson('{"a":12345678901234567890, "a":1.10,"b\\u0041\\"":[ ],"c":[-0,1E400 , {"d":"{,}"}]}\n', 1000)).toBe('{\n  "a": 12345678901234567890,\n  "a": 1.10,\n  "b\\u0041\\"": [],\n  "c": [\n    -0,\n    1E400,\n    {\n      "d": "{,}"\n    }\n  ]\n}')
  })

  test('that is none, or would be too long, is nothing', () => {
    for (const text of ['', '{', '{"a":1}\n{"a":2}', "{'a':1}", '01']) expect(indentJson(text, 1000)).toBeUndefined()
    const deep = '['.repeat(5000) + ']'.repeat(5000)
    expect([indentJson(deep, 1_000_000), indentJson('[1]', 5)]).toEqual([undefined, undefined])
    expect(indentJson(`"${'x'.repeat(1_000_000)}"`, 2_000_000)?.length).toBe(1_000_002)
  })
})

describe('an edge that is away', () => {
  const wait = (answers: (string | undefined)[], signal = new AbortController().signal) => {
    const clock = new ManualClock()
    const seconds: number[] = []
    const send = (path: string): Promise<Response> => {
      const code = answers.shift()
      if (path !== '/healthz?deep=1') throw new Error(path)
      return code === undefined ? Promise.resolve(new Response('{}')) : Promise.reject(new EdgemountError(code as 'unavailable', 'Cannot'))
    }
    return { clock, seconds, done: untilBack({ session: { send }, clock, signal, tries: 1, onSecond: (left) => seconds.push(left) }) }
  }

  test('is looked for again and again, less and less often, until it is back', async () => {
    const { clock, seconds, done } = wait(['unavailable', 'exhausted'])
    await clock.advance(2000)
    expect(seconds).toEqual([2, 1, 0, 4])
    await clock.advance(12_000)
    await done
    expect(seconds).toEqual([2, 1, 0, 4, 3, 2, 1, 0, 8, 7, 6, 5, 4, 3, 2, 1, 0])
    expect([1, 2, 3, 4, 5, 6, 1000].map(secondsBefore)).toEqual([2, 4, 8, 16, 30, 30, 30])
  })

  test('and says something else is not waited for, nor is it by who has gone on', async () => {
    const refused = wait(['denied'])
    await refused.clock.advance(2000)
    await refused.done
    const going = new AbortController()
    const { clock, done } = wait([], going.signal)
    await clock.advance(500)
    going.abort()
    await expect(done).rejects.toMatchObject({ code: 'aborted' })
    expect(clock.sleeperCount).toBe(0)
  })
})

test('an error says what to do, also where it is the browser that failed', () => {
  expect(toldOf(new EdgemountError('unavailable', 'Cannot reach the edge: Failed to fetch'))).toBe('Cannot reach the edge: Failed to fetch. Look whether this device is online, and whether the edge runs.')
  expect(toldOf(new EdgemountError('conflict', 'Cannot rename "a": it is there; choose another name'))).toBe('Cannot rename "a": it is there; choose another name.')
  expect(toldOf(new TypeError('x is undefined'))).toBe('x is undefined. This is a fault of the console; load the page again.')
})

test('an answer of something on the way is an error that says so', async () => {
  const { fetch } = globalThis
  try {
    globalThis.fetch = () => Promise.resolve(new Response('<h1>Welcome to the hotel</h1>'))
    const session = new Session({ href: 'http://edge/' })
    const { signal } = new AbortController()
    await expect(session.volumes(undefined, signal)).rejects.toThrow('something on the way answers in the place of the edge; try again in a moment')
    await expect(readHistory(session, 'demo', { path: '/' }, signal)).rejects.toThrow('something on the way answers in its place; try again in a moment')
  } finally {
    globalThis.fetch = fetch
  }
})

test('of the folders that somebody was in the newest are remembered, with so many names together', () => {
  const places = new Map([5, 1, 4, 3, 9].map((length, index) => [String(index), { listing: { items: { length } } }]))
  forgetOldest(places, 4, 100)
  expect([...places.keys()]).toEqual(['1', '2', '3', '4'])
  forgetOldest(places, 4, 12)
  expect([...places.keys()]).toEqual(['3', '4'])
  forgetOldest(places, 4, 1)
  expect([...places.keys()]).toEqual(['4'])
})

test('without a token where one is needed a session may read what is public, and nothing else', () => {
  const location = { href: 'http://edge/#/demo/' }
  const may = (session: Session): boolean[] => (['read', 'list', 'write', 'admin'] as const).map((right) => session.may(right))
  expect([may(new Session(location, 'Cannot: a token is needed')), may(new Session(location))]).toEqual([[true, true, false, false], [true, true, true, true]])
})
