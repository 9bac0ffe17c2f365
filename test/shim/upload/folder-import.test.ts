/**
 * A folder on disk into a volume in memory, and what the volume is then.
 */
import { execFileSync } from 'node:child_process'
import { appendFileSync, chmodSync, linkSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { compileExcludes } from '../../../shim/upload/exclude.ts'
import { localPathOf } from '../../../shim/upload/local-path.ts'
import { ImportReport } from '../../../shim/upload/report.ts'
import { SeededRandom } from '../../support/seeded-random.ts'
import { ImportBed } from './import-bed.ts'

async function someFolder(): Promise<ImportBed> {
  const bed = await ImportBed.make()
  mkdirSync(bed.at('sub/empty'), { recursive: true })
  writeFileSync(bed.at('small.txt'), 'hello')
  writeFileSync(bed.at('none'), '')
  writeFileSync(bed.at('sub/large.bin'), new SeededRandom(1).bytes(1_500_000), { mode: 0o600 })
  writeFileSync(bed.at('sub/new\nline'), 'x')
  writeFileSync(bed.at(`sub/${'n'.repeat(255)}`), 'long name')
  symlinkSync('sub/large.bin', bed.at('link'))
  symlinkSync('nowhere', bed.at('sub/dangling'))
  linkSync(bed.at('small.txt'), bed.at('sub/again.txt'))
  execFileSync('mkfifo', [bed.at('fifo')])
  chmodSync(bed.at('sub/empty'), 0o2750)
  utimesSync(bed.at('sub/empty'), 1, 1.5)
  return bed
}

test('everything about a folder is in the volume, in one commit', async () => {
  const bed = await someFolder()
  const { seq, report, conflicts } = await bed.import()
  expect(seq).toBe(2)
  expect(conflicts).toEqual([])
  expect(await bed.volumeTree()).toEqual(bed.folderTree())
  expect(report).toMatchObject({ fileCount: 6, addedCount: 11, changedCount: 0, deletedCount: 0, problems: [] })
})

test('nothing changed: nothing is read and no commit is made', async () => {
  const bed = await someFolder()
  await bed.import()
  const { seq, report } = await bed.import()
  expect(seq).toBeUndefined()
  expect(report).toMatchObject({ readFileCount: 0, readBytes: 0, addedCount: 0, changedCount: 0 })
})

test('a change stores only its chunk; with --checksum all is read and nothing stored', async () => {
  const bed = await someFolder()
  await bed.import()
  appendFileSync(bed.at('sub/large.bin'), 'tail')
  const changed = await bed.import()
  expect(changed.seq).toBe(3)
  expect(changed.report.readFileCount).toBe(1)
  expect(changed.report.newBytes).toBeLessThan(1_100_000)
  expect(await bed.volumeTree()).toEqual(bed.folderTree())
  const checked = await bed.import({ isChecksum: true })
  expect(checked.seq).toBeUndefined()
  // Hard-linked files are read once.
  expect(checked.report).toMatchObject({ readFileCount: 5, changedCount: 0 })
})

test('--checksum finds what size and time hide', async () => {
  const bed = await someFolder()
  utimesSync(bed.at('small.txt'), 5, 5)
  await bed.import()
  writeFileSync(bed.at('small.txt'), 'HELLO')
  utimesSync(bed.at('small.txt'), 5, 5)
  expect((await bed.import()).seq).toBeUndefined()
  expect((await bed.import({ isChecksum: true })).seq).toBe(3)
  expect(await bed.volumeTree()).toEqual(bed.folderTree())
})

test('a file that moved is known by its chunks', async () => {
  const bed = await someFolder()
  await bed.import()
  renameSync(bed.at('sub/large.bin'), bed.at('moved.bin'))
  const { report } = await bed.import()
  expect(report).toMatchObject({ addedCount: 1, deletedCount: 1, readBytes: 1_500_000, newBytes: 0 })
  expect(await bed.volumeTree()).toEqual(bed.folderTree())
})

test('attributes alone are changed without reading', async () => {
  const bed = await someFolder()
  await bed.import()
  chmodSync(bed.at('sub/large.bin'), 0o640)
  chmodSync(bed.at('sub'), 0o711)
  chmodSync(bed.at('small.txt'), 0o600)
  const { report } = await bed.import()
  expect(report).toMatchObject({ readFileCount: 0, addedCount: 0 })
  expect(await bed.volumeTree()).toEqual(bed.folderTree())
})

test('extended attributes come, change and go', async () => {
  const bed = await someFolder()
  const set = (...words: string[]): void => void execFileSync('setfattr', words)
  set('-n', 'user.a', '-v', 'one', bed.at('none'))
  set('-n', 'user.dir', '-v', 'two', bed.at('sub'))
  await bed.import()
  const xattrsOf = async (path: string): Promise<Record<string, string>> => {
    const entry = await (await bed.volume.head()).resolve(path)
    return Object.fromEntries([...entry.xattrs].map(([name, value]) => [name, Buffer.from(value).toString()]))
  }
  expect(await xattrsOf('/none')).toEqual({ 'user.a': 'one' })
  expect(await xattrsOf('/sub')).toEqual({ 'user.dir': 'two' })
  set('-n', 'user.a', '-v', 'other', bed.at('none'))
  set('-n', 'user.b', '-v', '0xff00', bed.at('none'))
  set('-x', 'user.dir', bed.at('sub'))
  expect((await bed.import()).report.readFileCount).toBe(0)
  expect(await xattrsOf('/none')).toMatchObject({ 'user.a': 'other' })
  expect((await (await bed.volume.head()).resolve('/none')).xattrs.get('user.b')).toEqual(Uint8Array.of(0xff, 0))
  expect(await xattrsOf('/sub')).toEqual({})
})

test('hard links are made, broken and regrouped as in the folder', async () => {
  const bed = await ImportBed.make()
  writeFileSync(bed.at('a'), 'one')
  for (const name of ['b', 'c', 'd']) linkSync(bed.at('a'), bed.at(name))
  await bed.import()
  expect(await bed.volumeTree()).toEqual(bed.folderTree())
  rmSync(bed.at('c'))
  writeFileSync(bed.at('c'), 'apart')
  rmSync(bed.at('d'))
  linkSync(bed.at('c'), bed.at('d'))
  await bed.import()
  expect(await bed.volumeTree()).toEqual(bed.folderTree())
  appendFileSync(bed.at('b'), ' more')
  await bed.import()
  expect(await bed.volumeTree()).toEqual(bed.folderTree())
  rmSync(bed.at('a'))
  rmSync(bed.at('d'))
  await bed.import()
  expect(Object.keys(await bed.volumeTree())).toEqual(['.', 'b', 'c'])
})

test('a copy that looks like the file it was linked to is a file of its own', async () => {
  const bed = await ImportBed.make()
  writeFileSync(bed.at('a'), 'one')
  utimesSync(bed.at('a'), 5, 5)
  linkSync(bed.at('a'), bed.at('b'))
  await bed.import()
  rmSync(bed.at('b'))
  writeFileSync(bed.at('b'), 'one')
  utimesSync(bed.at('b'), 5, 5)
  await bed.import()
  expect(await bed.volumeTree()).toEqual(bed.folderTree())
})

test('kinds change into each other', async () => {
  const bed = await ImportBed.make()
  const make: Record<string, (file: string) => void> = {
    file: (file) => writeFileSync(file, 'x'),
    folder: (file) => {
      mkdirSync(file)
      writeFileSync(`${file}/inside`, 'y')
    },
    link: (file) => symlinkSync('x', file),
    fifo: (file) => void execFileSync('mkfifo', [file]),
  }
  const kinds = Object.keys(make)
  for (const from of kinds) for (const to of kinds) make[from]?.(bed.at(`${from}-${to}`))
  await bed.import()
  for (const from of kinds) {
    for (const to of kinds) {
      rmSync(bed.at(`${from}-${to}`), { recursive: true })
      make[to]?.(bed.at(`${from}-${to}`))
    }
  }
  await bed.import()
  expect(await bed.volumeTree()).toEqual(bed.folderTree())
})

test('what cannot be read does not push out the other kind of thing that the volume has', async () => {
  const bed = await ImportBed.make()
  mkdirSync(bed.at('tree/deep'), { recursive: true })
  writeFileSync(bed.at('tree/deep/p'), 'precious')
  mkdirSync(bed.at('linked'))
  writeFileSync(bed.at('linked/q'), 'precious too')
  writeFileSync(bed.at('plain'), 'a file')
  await bed.import()
  const before = await bed.volumeTree()
  for (const name of ['tree', 'linked', 'plain']) rmSync(bed.at(name), { recursive: true })
  mkdirSync(bed.at('plain'))
  writeFileSync(bed.at('tree'), 'now a file')
  linkSync(bed.at('tree'), bed.at('linked'))
  utimesSync(bed.folder, 1, 1)
  const report = new ImportReport()
  // Listed, and gone when it is read: as good as a file that may not be read.
  Object.defineProperty(report, 'current', {
    get: () => '',
    set: (name: string) => {
      rmSync(bed.at(name), { recursive: true, force: true })
    },
  })
  await bed.import({ report, isDelete: false })
  expect(report.problems.map(({ path }) => path).toSorted()).toEqual(['linked', 'plain/', 'tree'])
  const { '.': _, ...kept } = await bed.volumeTree()
  const { '.': __, ...had } = before
  expect(kept).toEqual(had)
})

test('without --delete nothing goes, with it everything that is gone here', async () => {
  const bed = await someFolder()
  await bed.import()
  rmSync(bed.at('sub'), { recursive: true })
  expect((await bed.import({ isDelete: false })).report.deletedCount).toBe(0)
  expect(Object.keys(await bed.volumeTree())).toContain('sub/large.bin')
  expect((await bed.import()).report.deletedCount).toBe(1)
  expect(await bed.volumeTree()).toEqual(bed.folderTree())
})

test('what is left out is not imported, and not deleted either', async () => {
  const bed = await someFolder()
  await bed.import()
  rmSync(bed.at('sub/large.bin'))
  writeFileSync(bed.at('fresh.bin'), 'x')
  const { report } = await bed.import({ excludes: compileExcludes(['*.bin', 'empty/']) })
  const names = Object.keys(await bed.volumeTree())
  expect(names).toContain('sub/large.bin')
  expect(names).not.toContain('fresh.bin')
  expect(report.excludedCount).toBe(2)
})

test('of a directory that is gone, what is left out stays', async () => {
  const bed = await ImportBed.make()
  mkdirSync(bed.at('d/whole/deep'), { recursive: true })
  mkdirSync(bed.at('d/part/cache'), { recursive: true })
  for (const name of ['d/keep.log', 'd/x', 'd/whole/deep/x', 'd/part/y', 'd/part/cache/z']) writeFileSync(bed.at(name), name)
  mkdirSync(bed.at('e/f'), { recursive: true })
  await bed.import()
  rmSync(bed.at('d'), { recursive: true })
  rmSync(bed.at('e'), { recursive: true })
  const { report } = await bed.import({ excludes: compileExcludes(['*.log', 'cache/']) })
  expect(Object.keys(await bed.volumeTree())).toEqual(['.', 'd', 'd/keep.log', 'd/part', 'd/part/cache', 'd/part/cache/z'])
  // d/x, d/whole, d/part/y, e
  expect(report.deletedCount).toBe(4)
})

test('a directory that holds what is left out does not give way to a file', async () => {
  const bed = await ImportBed.make()
  mkdirSync(bed.at('d'))
  writeFileSync(bed.at('d/keep.log'), 'kept')
  await bed.import()
  rmSync(bed.at('d'), { recursive: true })
  writeFileSync(bed.at('d'), 'a file')
  const { report } = await bed.import({ excludes: compileExcludes(['*.log']) })
  expect(Object.keys(await bed.volumeTree())).toEqual(['.', 'd', 'd/keep.log'])
  expect(report.problems).toMatchObject([{ kind: 'unread', path: 'd' }])
  expect((await bed.import()).report.problems).toEqual([])
  expect(await bed.volumeTree()).toEqual(bed.folderTree())
})

test('a protected path is never looked at', async () => {
  const bed = await someFolder()
  await bed.import({ protectedPaths: new Set([localPathOf(bed.at('sub'))]) })
  expect(Object.keys(await bed.volumeTree())).not.toContain('sub')
})

test('into a directory of the volume; what stands beside it stays', async () => {
  const bed = await someFolder()
  await bed.volume.writer().commit([{ op: 'create', path: '/other' }])
  await bed.import({ path: '/deep/er' })
  const snapshot = await bed.volume.head()
  expect((await snapshot.list('/')).items.map(({ name }) => name)).toEqual(['deep', 'other'])
  const { '.': _, ...inVolume } = await bed.volumeTree('/deep/er')
  const { '.': __, ...inFolder } = bed.folderTree()
  expect(inVolume).toEqual(inFolder)
  await expect(bed.import({ path: '/other' })).rejects.toThrow('it is not a folder')
})

test('a dry run reads nothing and commits nothing', async () => {
  const bed = await someFolder()
  const { seq, report, operationCount } = await bed.import({ isDryRun: true })
  expect(seq).toBeUndefined()
  expect(operationCount).toBeGreaterThan(0)
  expect(report).toMatchObject({ addedCount: 11, readBytes: 0 })
  expect((await bed.volume.head()).seq).toBe(1)
})

test('an abort leaves the volume as it was', async () => {
  const bed = await someFolder()
  const controller = new AbortController()
  const report = new ImportReport()
  Object.defineProperty(report, 'readBytes', {
    get: () => 0,
    set: () => {
      controller.abort(new Error('enough'))
    },
  })
  await expect(bed.import({ signal: controller.signal, report })).rejects.toMatchObject({ code: 'aborted', message: expect.stringContaining('Nothing of it is in the volume') as string })
  expect((await bed.volume.head()).seq).toBe(1)
})

test('a failing store fails the import', async () => {
  const bed = await someFolder()
  bed.store.create = () => Promise.reject(new Error('the store is on fire'))
  await expect(bed.import()).rejects.toThrow('the store is on fire')
})

test('what somebody else changes during the import is kept beside it', async () => {
  const bed = await someFolder()
  await bed.import()
  writeFileSync(bed.at('small.txt'), 'mine')
  const report = new ImportReport()
  let others: Promise<unknown> | undefined
  Object.defineProperty(report, 'current', {
    get: () => '',
    set: () => {
      others ??= bed.volume.writer().commit([{ op: 'create', path: '/none', replace: true, content: { kind: 'inline', bytes: Buffer.from('theirs') }, size: 6 }, { op: 'create', path: '/theirs' }])
    },
  })
  utimesSync(bed.at('none'), 9, 9)
  writeFileSync(bed.at('none'), 'ours')
  const { conflicts } = await bed.import({ report, isDelete: true })
  await others
  expect(conflicts.map(({ path }) => path)).toEqual(['/none'])
  const names = (await (await bed.volume.head()).list('/')).items.map(({ name }) => name)
  expect(names).toContain('theirs')
  expect(names.filter((name) => name.startsWith('none'))).toHaveLength(2)
})

test('two thousand files are a handful of objects', async () => {
  const bed = await ImportBed.make()
  for (let folder = 0; folder < 20; folder += 1) {
    mkdirSync(bed.at(`d${folder}`))
    for (let file = 0; file < 100; file += 1) writeFileSync(bed.at(`d${folder}/f${file}`), `${folder}/${file}`.repeat(file))
  }
  await bed.import()
  const keys = (await bed.store.list('')).map(({ key }) => key.split('/')[0])
  expect(keys.length).toBeLessThan(12)
})
