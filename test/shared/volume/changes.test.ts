/** Two mounts that changed the same snapshot: each row is what stood there, what they did, what we did, and what must come of it. */
import { describe, expect, test } from 'vitest'
import { MemoryStore } from '../../../edge/store/memory.ts'
import type { FileId } from '../../../shared/format/entry.ts'
import type { ChangeSet } from '../../../shared/volume/change-set.ts'
import { Volume } from '../../../shared/volume/volume.ts'
import { type Doing, all, bed, directory, file, link, move, remove, write } from '../../support/doings.ts'
import { SimulatedMount, mountLines } from '../../support/simulated-mount.ts'
import { expectSound } from '../../support/sound-tree.ts'
import { engineOf, linesOf, newVolume, notingStore, utf8, writesOf } from '../../support/test-volume.ts'

const us = 'conflict-us-4'

interface Row {
  readonly what: string
  readonly base?: Doing
  readonly theirs: Doing
  readonly ours: Doing
  /** Lines of the tree afterwards, without the root. */
  readonly becomes: readonly string[]
  readonly conflicts?: readonly (readonly [path: string, keptAs: string])[]
}

const nothing: Doing = () => undefined

const rows: readonly Row[] = [
  { what: 'different names both go through', theirs: file('/a', 'theirs'), ours: file('/b', 'ours'), becomes: ['/a file theirs', '/b file ours'] },
  {
    what: 'a directory that both made is one',
    theirs: all(directory('/d'), file('/d/a', 'theirs'), directory('/d/e'), file('/d/e/x', 'theirs')),
    ours: all(directory('/d'), file('/d/b', 'ours'), directory('/d/e'), file('/d/e/x', 'ours')),
    becomes: ['/d directory', '/d/a file theirs', '/d/b file ours', '/d/e directory', '/d/e/x file theirs', `/d/e/x.${us} file ours`],
    conflicts: [['/d/e/x', `/d/e/x.${us}`]],
  },
  { what: 'a file that both made alike is one', theirs: file('/a', 'same'), ours: file('/a', 'same'), becomes: ['/a file same'] },
  {
    what: 'two files of one name are both kept',
    theirs: file('/a', 'theirs'),
    ours: all(file('/a', 'ours'), link('/a', '/b')),
    becomes: ['/a file theirs', `/a.${us} file ours`, '/b file ours'],
    conflicts: [['/a', `/a.${us}`]],
  },
  {
    what: 'two edits of one file are both kept, the later one beside our name',
    base: all(directory('/d'), file('/d/a', 'base')),
    theirs: write('/d/a', 'theirs'),
    ours: all(write('/d/a', 'ours'), move('/d', '/e'), move('/e/a', '/e/b')),
    becomes: ['/e directory', '/e/b file theirs', `/e/b.${us} file ours`],
    conflicts: [['/e/b', `/e/b.${us}`]],
  },
  { what: 'the same edit is one', base: file('/a', 'base'), theirs: write('/a', 'same'), ours: write('/a', 'same'), becomes: ['/a file same'] },
  {
    what: 'an edit finds a file that was moved with its directory',
    base: all(directory('/d'), file('/d/a', 'base'), directory('/e')),
    theirs: all(move('/d', '/e/f'), move('/e/f/a', '/z')),
    ours: all(write('/d/a', 'ours'), file('/d/new', 'new')),
    becomes: ['/e directory', '/e/f directory', '/e/f/new file new', '/z file ours'],
  },
  {
    what: 'an edited file survives its removal, with its directory',
    base: all(directory('/d'), directory('/d/e'), file('/d/e/a', 'base'), file('/d/e/b', 'base')),
    theirs: remove('/d'),
    ours: write('/d/e/a', 'ours'),
    becomes: ['/d directory', '/d/e directory', '/d/e/a file ours'],
  },
  {
    what: 'an edited file survives that its directory became a file',
    base: all(directory('/d'), file('/d/a', 'base')),
    theirs: all(remove('/d'), file('/d', 'theirs')),
    ours: write('/d/a', 'ours'),
    becomes: ['/d file theirs', `/d.${us} directory`, `/d.${us}/a file ours`],
    conflicts: [['/d', `/d.${us}`]],
  },
  {
    what: 'what only changed its attributes does not survive its removal',
    base: all(directory('/d'), file('/d/a', 'base')),
    theirs: remove('/d'),
    ours: all((mount) => mount.setAttributes('/d/a', { mode: 0o600 }), (mount) => mount.setAttributes('/d', { mode: 0o700 })),
    becomes: [],
  },
  {
    what: 'what we removed and they edited stays, with the directories that it is in',
    base: all(directory('/d'), directory('/d/e'), file('/d/e/a', 'base'), file('/d/e/b', 'base')),
    theirs: write('/d/e/a', 'theirs'),
    ours: remove('/d'),
    becomes: ['/d directory', '/d/e directory', '/d/e/a file theirs'],
    conflicts: [['/d', '/d'], ['/d/e', '/d/e'], ['/d/e/a', '/d/e/a']],
  },
  {
    what: 'what we replaced and they edited stays, and ours goes beside it',
    base: file('/a', 'base'),
    theirs: write('/a', 'theirs'),
    ours: all(file('/a~', 'ours'), move('/a~', '/a')),
    becomes: ['/a file theirs', `/a.${us} file ours`],
    conflicts: [['/a', `/a.${us}`]],
  },
  {
    what: 'a directory that we removed and they filled stays with what is new',
    base: all(directory('/d'), file('/d/a', 'base')),
    theirs: file('/d/new', 'theirs'),
    ours: all(remove('/d'), directory('/d'), file('/d/b', 'ours')),
    becomes: ['/d directory', '/d/b file ours', '/d/new file theirs'],
  },
  {
    what: 'a file that both saved by rename is kept twice',
    base: file('/a', 'base'),
    theirs: all(file('/a~', 'theirs'), move('/a~', '/a')),
    ours: all(file('/a~', 'ours'), move('/a~', '/a')),
    becomes: ['/a file theirs', `/a.${us} file ours`],
    conflicts: [['/a', `/a.${us}`]],
  },
  {
    what: 'of two moves of a directory the first holds, and nothing in it is lost',
    base: all(directory('/d'), file('/d/a', 'base'), directory('/p'), directory('/q')),
    theirs: move('/d', '/p/d'),
    ours: all(move('/d', '/q/d'), file('/q/d/b', 'ours')),
    becomes: ['/p directory', '/p/d directory', '/p/d/a file base', '/p/d/b file ours', '/q directory'],
    conflicts: [['/q/d', '/p/d']],
  },
  {
    what: 'of two moves of a file the first holds, with our edit',
    base: file('/a', 'base'),
    theirs: move('/a', '/b'),
    ours: all(write('/a', 'ours'), move('/a', '/c')),
    becomes: ['/b file ours'],
    conflicts: [['/c', '/b']],
  },
  {
    what: 'two directories that were moved into each other do not vanish',
    base: all(directory('/a'), file('/a/x', 'x'), directory('/b'), file('/b/y', 'y')),
    theirs: move('/a', '/b/a'),
    ours: all(directory('/a/n'), move('/b', '/a/n/b'), file('/b', 'ours')),
    becomes: ['/b directory', '/b/a directory', '/b/a/n directory', '/b/a/x file x', '/b/y file y', `/b.${us} file ours`],
    conflicts: [['/b', `/b.${us}`], ['/b/a/n/b', '/b']],
  },
  {
    what: 'exchanged directories and files stay exchanged, with what they did in them',
    base: all(directory('/a'), file('/a/x', 'x'), directory('/b'), file('/b/y', 'y'), file('/c', 'c')),
    theirs: all(file('/a/new', 'theirs'), write('/b/y', 'theirs'), write('/c', 'theirs')),
    ours: all((mount) => mount.exchange('/a', '/b'), (mount) => mount.exchange('/c', '/a/y')),
    becomes: ['/a directory', '/a/y file theirs', '/b directory', '/b/new file theirs', '/b/x file x', '/c file theirs'],
  },
  {
    what: 'what we moved and they removed comes back, without what they took out of it',
    base: all(directory('/d'), file('/d/a', 'a'), file('/d/b', 'b'), directory('/d/e'), file('/d/e/c', 'c'), file('/f', 'f'), link('/f', '/d/f')),
    theirs: all(move('/d/b', '/b'), remove('/d')),
    ours: all(move('/d', '/m'), write('/m/e/c', 'ours')),
    becomes: ['/b file b', '/f file f', '/m directory', '/m/a file a', '/m/e directory', '/m/e/c file ours', '/m/f file f'],
  },
  {
    what: 'a file that we moved and they removed comes back',
    base: all(file('/a', 'a'), directory('/d')),
    theirs: remove('/a'),
    ours: move('/a', '/d/b'),
    becomes: ['/d directory', '/d/b file a'],
  },
  {
    what: 'what they moved stays where it is when we removed it',
    base: file('/a', 'base'),
    theirs: move('/a', '/b'),
    ours: remove('/a'),
    becomes: ['/b file base'],
  },
  {
    what: 'what both removed is gone',
    base: all(directory('/d'), file('/d/a', 'a'), link('/d/a', '/b'), link('/b', '/c')),
    theirs: all(remove('/d'), remove('/b')),
    ours: all(remove('/d'), remove('/b')),
    becomes: ['/c file a'],
  },
  {
    what: 'a file of several names lives on while anybody has a name of it',
    base: all(file('/a', 'a'), link('/a', '/b')),
    theirs: remove('/a'),
    ours: remove('/b'),
    becomes: ['/b file a'],
    conflicts: [['/b', '/b']],
  },
  {
    what: 'links that both made, and a move, are all names of one file',
    base: file('/a', 'a'),
    theirs: all(link('/a', '/b'), move('/a', '/c')),
    ours: all(link('/a', '/d'), write('/d', 'ours')),
    becomes: ['/b file ours', '/c file ours', '/d file ours'],
  },
  {
    what: 'an edit through one name survives the removal of the other, which we do not know of',
    base: all(file('/a', 'a'), link('/a', '/b')),
    theirs: all(remove('/a'), remove('/b')),
    ours: all(remove('/b'), write('/a', 'ours')),
    becomes: ['/b file ours'],
  },
  {
    what: 'an edit through a name that they removed is seen through the others',
    base: all(file('/a', 'a'), link('/a', '/b')),
    theirs: remove('/a'),
    ours: write('/a', 'ours'),
    becomes: ['/b file ours'],
  },
  {
    what: 'names that come back with a directory count for a file that got another one',
    base: all(directory('/d'), file('/f', 'f'), link('/f', '/d/f')),
    theirs: remove('/d'),
    ours: all(link('/f', '/g'), move('/d', '/m')),
    becomes: ['/f file f', '/g file f', '/m directory', '/m/f file f'],
  },
  {
    what: 'a directory and a file of one name are both kept',
    theirs: file('/d', 'theirs'),
    ours: all(directory('/d'), file('/d/a', 'ours')),
    becomes: ['/d file theirs', `/d.${us} directory`, `/d.${us}/a file ours`],
    conflicts: [['/d', `/d.${us}`]],
  },
  {
    what: 'a name that they took stands in the way of what we moved there',
    base: all(directory('/d'), file('/d/a', 'a'), file('/f', 'f')),
    theirs: all(directory('/m'), file('/n', 'theirs')),
    ours: all(move('/d', '/m'), move('/f', '/n')),
    becomes: ['/m directory', `/m.${us} directory`, `/m.${us}/a file a`, '/n file theirs', `/n.${us} file f`],
    conflicts: [['/m', `/m.${us}`], ['/n', `/n.${us}`]],
  },
  {
    what: 'nothing of ours is nothing to do',
    base: file('/a', 'base'),
    theirs: write('/a', 'theirs'),
    ours: nothing,
    becomes: ['/a file theirs'],
  },
]

describe('of two mounts', () => {
  test.each(rows.map((row) => [row.what, row] as const))('%s', async (_, { base, theirs, ours, becomes, conflicts = [] }) => {
    const { committed, again } = await bed(base ?? nothing, theirs, ours)
    const lines = await linesOf(committed.snapshot)
    expect(lines.filter((line) => line !== '/ directory')).toEqual(becomes)
    expect(committed.conflicts.map(({ path, keptAs }) => `${path} ${keptAs}`).toSorted()).toEqual(conflicts.map((each) => each.join(' ')))
    await expectSound(committed.snapshot)
    expect(again.isNew).toBe(false)
    expect(again.nodes).toEqual(committed.nodes)
  })
})

test('whoever lost a name learns where theirs and ours are', async () => {
  const edited = await bed(file('/a', 'base'), write('/a', 'theirs'), write('/a', 'ours'))
  const { id, keptId, keptIn } = edited.committed.conflicts[0]!
  expect([id, keptIn]).toEqual([edited.mount.find('/a'), 1])
  expect((await edited.committed.snapshot.resolve('/a')).id).toBe(id)
  expect((await edited.committed.snapshot.resolve(`/a.${us}`)).id).toBe(keptId)
  expect(edited.committed.nodes.map((node) => node.id)).toContain(keptId)
  expect(edited.committed.record.operations).toContainEqual({ op: 'conflict', path: '/a', to: `/a.${us}`, id: keptId })

  const made = await bed(nothing, all(directory('/d'), file('/same', 'x')), all(directory('/d'), file('/same', 'x')))
  const into = async (path: string): Promise<unknown> => ({ id: made.mount.find(path), into: (await made.committed.snapshot.resolve(path)).id })
  expect(made.committed.merged).toEqual([await into('/d'), await into('/same')])
})

test('of attributes those count that we changed', async () => {
  const xattrs = (text: string): Doing => (mount) => mount.setAttributes('/a', { xattrs: new Map([['user.base', utf8('base')], [`user.${text}`, utf8(text)]]) })
  const { committed } = await bed(
    all(file('/a', 'base'), (each) => each.setAttributes('/a', { xattrs: new Map([['user.base', utf8('base')]]) })),
    all((each) => each.setAttributes('/a', { mode: 0o600, uid: 7 }), xattrs('theirs'), write('/a', 'theirs'), file('/theirs', '')),
    all((each) => each.setAttributes('/a', { mode: 0o640, atime: { seconds: 5, nanoseconds: 6 } }), xattrs('ours'), file('/ours', '')),
  )
  const entry = await committed.snapshot.resolve('/a')
  expect(entry).toMatchObject({ mode: 0o640, uid: 7, atime: { seconds: 5, nanoseconds: 6 }, size: 6 })
  expect([...entry.xattrs.keys()].toSorted()).toEqual(['user.base', 'user.ours', 'user.theirs'])
  // The root's own times are those of whoever was later: their fourth step.
  expect(committed.snapshot.root.directory.mtime).toEqual({ seconds: 2004, nanoseconds: 5 })
})

test('a file that was published before keeps what others have made of it since', async () => {
  const volume = await newVolume()
  const writer = volume.writer()
  const mount = await SimulatedMount.of(await volume.head(), writer.newFileId)
  all(file('/a', 'a'), file('/b', 'b'))(mount)
  await writer.commitChanges(mount.changeSet(), { base: mount.base })
  const them = await SimulatedMount.of(await volume.head(), writer.newFileId)
  all((each) => each.setAttributes('/a', { mode: 0o600 }), move('/a', '/c'))(them)
  await writer.commitChanges(them.changeSet(), { base: them.base })
  const { seq } = await volume.head()
  const again = await writer.commitChanges(mount.changeSet(), { base: mount.base })
  expect([again.isNew, again.seq]).toEqual([false, seq])
  expect(await mountLines(again.snapshot)).toEqual(them.lines())
})

test('a commit tells what it did by paths', async () => {
  const { committed } = await bed(
    all(directory('/d'), file('/d/a', 'a'), file('/d/b', 'b'), file('/d/c', 'c'), directory('/r')),
    nothing,
    all(move('/d', '/e'), write('/e/a', 'A'), move('/e/b', '/b'), link('/b', '/l'), remove('/r'), remove('/e/c'), directory('/n'), file('/n/x', 'x'), (mount) =>
      mount.setAttributes('/e', { mode: 0o700 }),
    ),
  )
  const told = committed.record.operations.map(({ op, path, to }) => [op, path, to].filter((part) => part !== undefined).join(' '))
  expect(told.toSorted()).toEqual([
    'create /n/x',
    'link /b /l',
    'mkdir /n',
    'rename /d /e',
    'rename /d/b /b',
    'rmdir /r',
    'setattr /b',
    'setattr /e',
    'unlink /e/c',
    'write /e/a',
  ])
})

test('ten thousand new small files are one metadata pack and one record', async () => {
  const { store, calls } = notingStore()
  const volume = await newVolume({ store })
  const writer = volume.writer()
  const mount = await SimulatedMount.of(await volume.head(), writer.newFileId)
  directory('/d')(mount)
  for (let index = 0; index < 10_000; index += 1) file(`/d/file-${index}`, `body ${index}`)(mount)
  const set = mount.changeSet()
  calls.length = 0
  const startMs = performance.now()
  const { snapshot } = await writer.commitChanges(set, { base: mount.base })
  // A tenth of it on an idle machine.
  expect(performance.now() - startMs).toBeLessThan(5000)
  expect(writesOf(calls)).toEqual(['create meta', 'create log'])
  expect(await mountLines(snapshot)).toEqual(mount.lines())

  const later = await (await Volume.open(engineOf(store, { seed: 2 }))).head()
  const one = await SimulatedMount.of(later, writer.newFileId)
  write('/d/file-777', 'changed')(one)
  const fresh = await Volume.open(engineOf(store, { seed: 3 }))
  const base = await fresh.head()
  calls.length = 0
  await fresh.writer().commitChanges(one.changeSet(), { base })
  expect(writesOf(calls)).toEqual(['create meta', 'create log'])
  // The root directory's page, and those on the way to the name.
  expect(calls.filter((call) => call.startsWith('get meta')).length).toBeLessThanOrEqual(4)
})

test('mounts that publish at the same time all get their commit', async () => {
  const store = new MemoryStore()
  const volume = await newVolume({ store })
  const base = await volume.head()
  const done = await Promise.all(
    Array.from({ length: 8 }, async (_, index) => {
      const own = await Volume.open(engineOf(store, { seed: 10 + index, author: `m${index}` }))
      const writer = own.writer()
      const mount = await SimulatedMount.of(await own.head(), writer.newFileId)
      all(directory('/d'), file(`/d/${index}`, String(index)), file('/d/shared', `shared ${index}`))(mount)
      return writer.commitChanges(mount.changeSet(), { base })
    }),
  )
  expect(done.map(({ seq }) => seq).toSorted((a, b) => a - b)).toEqual([2, 3, 4, 5, 6, 7, 8, 9])
  const head = await (await Volume.open(engineOf(store))).head()
  const lines = await linesOf(head)
  for (let index = 0; index < 8; index += 1) {
    expect(lines).toContain(`/d/${index} file ${index}`)
    expect(lines.filter((line) => line.endsWith(`shared ${index}`))).toHaveLength(1)
  }
  await expectSound(head)
})

describe('a change set that contradicts itself is refused:', () => {
  const [one, two] = [5 as FileId, 6 as FileId]
  const root = 1 as FileId
  test.each<[string, Partial<ChangeSet>]>([
    ['a name that nothing is known of', { names: [{ directoryId: root, name: 'a', before: undefined, after: one }] }],
    ['a directory that is nowhere', { names: [{ directoryId: one, name: 'a', before: undefined, after: two }] }],
    ['a name that changes twice', { names: [{ directoryId: root, name: 'a', before: one, after: undefined }, { directoryId: root, name: 'a', before: one, after: two }] }],
    ['a name that cannot be', { names: [{ directoryId: root, name: 'a/b', before: undefined, after: one }] }],
  ])('%s', async (_, set) => {
    const volume = await newVolume()
    const committing = volume.writer().commitChanges({ names: [], nodes: [], places: [], ...set }, { base: await volume.head() })
    await expect(committing).rejects.toMatchObject({ code: 'invalid' })
    expect((await volume.head()).seq).toBe(1)
  })
})

test('directories that lie in each other come to the top', async () => {
  const volume = await newVolume()
  const base = await volume.head()
  const [one, two] = [5 as FileId, 6 as FileId]
  const names = [
    { directoryId: one, name: 'a', before: undefined, after: two },
    { directoryId: two, name: 'b', before: undefined, after: one },
  ]
  const nodes = [one, two].map((id) => ({ id, before: undefined, after: { ...base.root.directory, id } }))
  const { snapshot } = await volume.writer().commitChanges({ names, nodes, places: [] }, { base })
  expect(await linesOf(snapshot)).toEqual(['/ directory', '/b directory', '/b/a directory'])
  await expectSound(snapshot)
})
