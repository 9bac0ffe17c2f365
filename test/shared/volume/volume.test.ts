import { describe, expect, test } from 'vitest'
import { type Fault, faultStore } from '../../../edge/store/fault.ts'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { systemClock } from '../../../shared/clock.ts'
import { decodeOperations } from '../../../shared/format/commit-operation.ts'
import { encodeEntry } from '../../../shared/format/entry-codec.ts'
import { newPackId } from '../../../shared/format/pack-id.ts'
import { editTree } from '../../../shared/format/tree-edit.ts'
import { decodeName } from '../../../shared/name.ts'
import { configKey, logKey, packKey } from '../../../shared/volume/keys.ts'
import type { Operation } from '../../../shared/volume/operation.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import { hashOf } from '../../support/hash-of.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { bytesOf, engineOf, expectBytes, inPieces, linesOf, newVolume, randomBytes, textOf, utf8 } from '../../support/test-volume.ts'

describe('a volume', () => {
  test('keeps what a commit made', async () => {
    const volume = await newVolume()
    const writer = volume.writer()
    const body = randomBytes(7, 300_000)
    const big = await writer.write(inPieces(body))
    const small = await writer.write([utf8('hello')])
    const result = await writer.commit(
      [
        { op: 'mkdir', path: '/a' },
        { op: 'create', path: '/a/big', ...big },
        { op: 'create', path: '/b/c/small', parents: true, ...small },
        { op: 'symlink', path: '/link', target: 'b/c/small' },
        { op: 'link', path: '/a/big', to: '/b/big' },
      ],
      { message: 'first' },
    )
    expect(result).toMatchObject({ seq: 2, conflicts: [], record: { message: 'first', author: 'edgemount' } })
    expect(result.record.operations.map(({ op, path, to }) => [op, path, to])).toEqual([
      ['mkdir', '/a', undefined],
      ['create', '/a/big', undefined],
      ['create', '/b/c/small', undefined],
      ['symlink', '/link', undefined],
      ['link', '/a/big', '/b/big'],
    ])
    const head = await volume.head()
    expectBytes(await bytesOf(head, '/b/big', { start: 1000, end: 200_001 }), body.slice(1000, 200_001))
    expect((await head.resolve('/b/big')).linkCount).toBe(2)
    expect(await linesOf(head)).toEqual([
      '/ directory',
      '/a directory',
      '/a/big file 300000 bytes',
      '/b directory',
      '/b/big file 300000 bytes',
      '/b/c directory',
      '/b/c/small file hello',
      '/link symlink b/c/small',
    ])
  })

  test('is created once and opened where it is', async () => {
    const store = new MemoryStore()
    await expect(Volume.open(engineOf(store))).rejects.toMatchObject({ code: 'not-found' })
    const volume = await newVolume({ store })
    await expect(newVolume({ store, seed: 2 })).rejects.toMatchObject({ code: 'conflict', message: 'Cannot create the volume "test": there is one in memory:' })
    const again = await Volume.open(engineOf(store))
    expect(again.config).toEqual(volume.config)
    expect((await again.head()).seq).toBe(1)
  })

  test('is created though answers are lost', async () => {
    const faults: Fault[] = [{ kind: 'error' }, { kind: 'lost' }, { kind: 'lost' }]
    const clock = { now: () => 0, sleep: () => Promise.resolve() }
    const store = faultStore(new MemoryStore(), { clock, plan: ({ operation, key }) => (operation === 'create' && !key.startsWith('data/') ? faults.shift() : undefined) })
    expect((await (await newVolume({ store, clock })).head()).seq).toBe(1)
  })

  test('whose creation was cut is finished by whoever opens it', async () => {
    const store = new MemoryStore()
    await newVolume({ store })
    await store.delete(logKey(1))
    await store.delete('head')
    const volume = await Volume.open(engineOf(store, { seed: 9 }))
    expect((await volume.writer().commit([{ op: 'mkdir', path: '/a' }])).seq).toBe(2)
    expect((await (await Volume.open(engineOf(store))).at(1)).root.directory.id).toBe(1)
  })

  test('with a damaged volume.json says so', async () => {
    const store = new MemoryStore()
    await store.create(configKey, utf8('{}'))
    await expect(Volume.open(engineOf(store))).rejects.toMatchObject({ code: 'corrupt' })
  })

  test('has every snapshot of its history', async () => {
    const volume = await newVolume()
    const writer = volume.writer()
    for (const name of ['a', 'b', 'c']) await writer.commit([{ op: 'mkdir', path: `/${name}` }])
    expect(await linesOf(await volume.at(3))).toEqual(['/ directory', '/a directory', '/b directory'])
    for (const seq of [0, 5, -1, 1.5]) await expect(volume.at(seq)).rejects.toMatchObject({ code: 'not-found' })
  })

  test('takes any name that Linux takes', async () => {
    const volume = await newVolume()
    const names = ['ü', '\n', ' ', 'a\u0001', 'x'.repeat(255), decodeName(Uint8Array.of(0xff, 0x41)), '.hidden', '...', '𝒳'.repeat(63)]
    await volume.writer().commit(names.map((name): Operation => ({ op: 'mkdir', path: `/${name}` })))
    const head = await volume.head()
    expect(new Set((await head.list('/')).items.map(({ name }) => name))).toEqual(new Set(names))
    for (const name of names) expect((await head.resolve(`/${name}`)).kind).toBe('directory')
    for (const path of ['/a/../b', '/./a', '//', 'a', '', '/a/', '/x\0', `/${'y'.repeat(256)}`]) {
      await expect(volume.writer().commit([{ op: 'mkdir', path }])).rejects.toMatchObject({ code: 'invalid' })
    }
  })

  test('tells very many operations in pages, and more than that in short', async () => {
    const volume = await newVolume()
    const make = (count: number, directory: string): Operation[] => Array.from({ length: count }, (_, index) => ({ op: 'mkdir', path: `${directory}/d${index}`, parents: true }))
    const { record, snapshot } = await volume.writer().commit(make(5000, '/some'))
    const told = await Promise.all((record.operationPages ?? []).map(async (page) => decodeOperations(await snapshot.pages.load(page))))
    expect(told.flat().length).toBe(5000)
    const most = await volume.writer().commit(make(100_001, '/most/of/all'))
    expect(most.record.operations).toEqual([{ op: 'subtree', path: '/most/of/all' }])
  }, 60_000)

  test('takes a batch wholly or not at all, and says what is wrong with it', async () => {
    const volume = await newVolume()
    await volume.writer().commit([{ op: 'mkdir', path: '/d' }, { op: 'create', path: '/d/f' }])
    const rows: [Operation, string, string][] = [
      [{ op: 'create', path: '/d/f' }, 'conflict', 'Cannot create "/d/f": it exists already'],
      [{ op: 'create', path: '/d', replace: true }, 'conflict', 'Cannot create "/d": a directory is there'],
      [{ op: 'create', path: '/no/f' }, 'not-found', 'Cannot create "/no/f": "/no" does not exist'],
      [{ op: 'mkdir', path: '/d/f/x', parents: true }, 'invalid', 'Cannot make the directory "/d/f/x": "/d/f" is not a directory'],
      [{ op: 'rmdir', path: '/d' }, 'conflict', 'Cannot remove the directory "/d": the directory is not empty'],
      [{ op: 'rmdir', path: '/' }, 'invalid', 'Cannot remove the directory "/": it is the root'],
      [{ op: 'unlink', path: '/d' }, 'invalid', 'Cannot remove "/d": it is a directory'],
      [{ op: 'rename', path: '/d', to: '/d/x' }, 'invalid', 'Cannot rename "/d": "/d/x" lies inside it'],
      [{ op: 'rename', path: '/x', to: '/y' }, 'not-found', 'Cannot rename "/x": it does not exist'],
      [{ op: 'link', path: '/d', to: '/y' }, 'invalid', 'Cannot link "/d": it is a directory'],
      [{ op: 'setxattr', path: '/d/f', name: 'user.a' }, 'not-found', 'Cannot change the attributes of "/d/f": it has no attribute "user.a"'],
      [{ op: 'setxattr', path: '/d/f', name: 'user.a', value: new Uint8Array(40_000) }, 'exhausted', 'Cannot store "/d/f": '],
    ]
    for (const [operation, code, message] of rows) {
      const refused = volume.writer().commit([{ op: 'mkdir', path: '/never' }, operation])
      await expect(refused).rejects.toMatchObject({ code, message: expect.stringContaining(message) as string })
    }
    expect((await volume.head()).seq).toBe(2)
  })
})

describe('symlinks', () => {
  test('are followed within the volume', async () => {
    const volume = await newVolume()
    const writer = volume.writer()
    await writer.commit([
      { op: 'create', path: '/a/b/file', parents: true, ...(await writer.write([utf8('text')])) },
      { op: 'symlink', path: '/a/up', target: '../a/b' },
      { op: 'symlink', path: '/abs', target: '/a/up/./file' },
      { op: 'symlink', path: '/above', target: '../../../abs' },
      { op: 'symlink', path: '/loop', target: 'loop' },
      { op: 'symlink', path: '/dangling', target: 'nowhere' },
    ])
    const head = await volume.head()
    for (const path of ['/a/b/file', '/a/up/file', '/abs', '/above']) expect((await head.follow(path)).path).toBe('/a/b/file')
    expect((await head.follow('/')).entry.kind).toBe('directory')
    await expect(head.follow('/loop')).rejects.toMatchObject({ code: 'invalid', message: 'Cannot open "/loop": more than 40 symlinks on the way' })
    await expect(head.follow('/dangling')).rejects.toMatchObject({ code: 'not-found', message: 'Cannot open "/dangling": the symlink on the way leads to "nowhere", which does not exist' })
    await expect(head.follow('/abs/x')).rejects.toMatchObject({ code: 'not-found' })
    await expect(head.resolve('/a/up/file')).rejects.toMatchObject({ code: 'not-found', message: 'Cannot open "/a/up/file": "/a/up" is not a directory' })
  })
})

test('a listing is ordered by bytes, in parts of any size', async () => {
  const volume = await newVolume()
  const names = Array.from({ length: 3000 }, (_, index) => `n${index}`)
  await volume.writer().commit(names.map((name): Operation => ({ op: 'create', path: `/${name}` })))
  const head = await volume.head()
  const ordered = names.toSorted((a, b) => (a < b ? -1 : 1))
  for (const limit of [1, 7, 999, 1000, 3000, 5000]) {
    const listed: string[] = []
    let after: string | undefined
    for (let isLast = false; !isLast && listed.length < 3000; ) {
      const listing = await head.list('/', { after, limit })
      listed.push(...listing.items.map(({ name }) => name))
      expect(listing.items.length).toBe(Math.min(limit, 3000 - (listed.length - listing.items.length)))
      isLast = listing.isLast
      after = listed.at(-1)
      if (limit === 1 && listed.length > 50) break
    }
    expect(listed).toEqual(ordered.slice(0, listed.length))
  }
  await expect(head.list('/n1')).rejects.toMatchObject({ code: 'invalid', message: 'Cannot list "/n1": it is a file' })
})

test.each(['..', '.', 'a/b', '/etc', 'a\0b'])('a listing with the name %j is corrupt', async (name) => {
  const store = new MemoryStore()
  const volume = await newVolume({ store })
  await volume.writer().commit([{ op: 'create', path: '/a' }])
  const { record, pages } = await volume.head()
  const { directory } = record.root
  if (directory.content.kind !== 'tree') throw new Error('the root is no tree')
  const { root } = directory.content
  const entry = await (await volume.head()).resolve('/a')
  const pointer = await editTree(root.pointer, [{ key: utf8(name), value: encodeEntry(entry) }], {
    load: (each) => pages.load(each),
    store: async (page) => {
      const pack = newPackId('meta', systemClock, new SeededRandom(77))
      await store.create(packKey(pack), page)
      return { hash: hashOf(page), pack, offset: 0, length: page.length }
    },
  })
  const content = { kind: 'tree', root: { ...root, pointer } } as const
  const bad = volume.snapshotOf({ ...record, root: { ...record.root, directory: { ...directory, content } } })
  await expect(bad.list('/')).rejects.toMatchObject({ code: 'corrupt', message: expect.stringMatching(/^Cannot list "\/": Cannot use the name /) as string })
  await expect(bad.walk('/').next().then(() => linesOf(bad))).rejects.toMatchObject({ code: 'corrupt' })
})

test('two writers of one process take turns and do not race each other', async () => {
  const volume = await newVolume()
  await Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      const writer = volume.writer()
      await writer.commit([{ op: 'create', path: `/f${index}`, ...(await writer.write([utf8(String(index))])) }])
    }),
  )
  const head = await volume.head()
  expect(head.seq).toBe(51)
  expect(await textOf(head, '/f49')).toBe('49')
})
