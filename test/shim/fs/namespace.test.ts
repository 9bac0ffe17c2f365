import { expect, test, vi } from 'vitest'
import { errno } from '../../../shared/errno.ts'
import { toFileId } from '../../../shared/volume/file-id.ts'
import { renameFlag } from '../../../shim/fuse/handler.ts'
import { HandlerBed, file } from '../../support/handler-bed.ts'

const names = async (bed: HandlerBed, path: string): Promise<string[]> => (await bed.list(path)).map(({ name }) => name).slice(2)

const times = async (bed: HandlerBed, path: string): Promise<[mtime: number, ctime: number]> => {
  const { mtimeSeconds, ctimeSeconds } = await bed.attributes(path)
  return [mtimeSeconds, ctimeSeconds]
}

test('what is made is found, listed and counted, over what the snapshot has', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, file('/d/b', 'x'), { op: 'mkdir', path: '/d/old' }], { isWritable: true })
  expect(await bed.mkdir('/d/a')).toMatchObject({ attributes: { mode: 0o040755, linkCount: 2 } })
  expect(await bed.touch('/d/c', 0o640)).toMatchObject({ attributes: { mode: 0o100640, linkCount: 1, size: 0 } })
  expect(await names(bed, '/d')).toEqual(['a', 'b', 'c', 'old'])
  expect(await bed.attributes('/d')).toMatchObject({ linkCount: 4 })
  expect(await bed.mkdir('/d/a/in')).toMatchObject({ attributes: { linkCount: 2 } })
  expect(await bed.attributes('/d/a')).toMatchObject({ linkCount: 3 })
  expect(await bed.mkdir('/d/b')).toBe(-errno.EEXIST)
  expect(await bed.mkdir(`/d/${'n'.repeat(256)}`)).toBe(-errno.ENAMETOOLONG)
})

test('what is removed is gone from lookups, listings and counts', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, file('/d/f', 'x'), { op: 'mkdir', path: '/d/e' }, file('/d/e/g', 'y')], { isWritable: true })
  const node = await bed.node('/d/f')
  expect(await bed.rmdir('/d/e')).toBe(-errno.ENOTEMPTY)
  expect(await bed.unlink('/d/e')).toBe(-errno.EISDIR)
  expect(await bed.rmdir('/d/f')).toBe(-errno.ENOTDIR)
  expect(await bed.unlink('/d/f')).toBe(0)
  expect(await bed.unlink('/d/f')).toBe(-errno.ENOENT)
  expect(await bed.lookup('/d/f')).toMatchObject({ nodeId: 0 })
  expect(await bed.unlink('/d/e/g')).toBe(0)
  expect(await bed.rmdir('/d/e')).toBe(0)
  expect(await names(bed, '/d')).toEqual([])
  expect(await bed.attributes('/d')).toMatchObject({ linkCount: 2 })
  expect(bed.handler.getattr(node, undefined)).toMatchObject({ attributes: { linkCount: 0 } })
  bed.handler.forget(node, 2)
  expect(await bed.rmdir('/d')).toBe(0)
  expect(await names(bed, '/')).toEqual([])
})

test('each operation moves the times that it should', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, { op: 'mkdir', path: '/e' }, file('/d/f', 'x')], { isWritable: true })
  const all = async () => ({ d: await times(bed, '/d'), e: await times(bed, '/e') })
  const before = await all()
  await bed.link('/d/f', '/d/g')
  const linked = await all()
  expect(linked.d[0]).toBeGreaterThan(before.d[0])
  expect(linked.d[1]).toBe(linked.d[0])
  expect((await times(bed, '/d/f'))[1]).toBe(linked.d[1])
  await bed.rename('/d/g', '/e/g')
  const moved = await all()
  expect(moved.d[0]).toBeGreaterThan(linked.d[0])
  expect(moved.e).toEqual(moved.d)
  expect((await times(bed, '/e/g'))[1]).toBe(moved.e[1])
  await bed.unlink('/e/g')
  const removed = await all()
  expect([removed.d, removed.e[0] > moved.e[0]]).toEqual([moved.d, true])
  expect((await times(bed, '/d/f'))[1]).toBe(removed.e[1])
})

test('links share an inode, of which the last name takes all', async () => {
  const bed = await HandlerBed.make([file('/a', 'x')], { isWritable: true })
  const node = await bed.node('/a')
  expect(await bed.link('/a', '/b')).toMatchObject({ nodeId: node, attributes: { linkCount: 2 } })
  expect(await bed.link('/b', '/c')).toMatchObject({ nodeId: node, attributes: { linkCount: 3 } })
  expect(await bed.link('/a', '/b')).toBe(-errno.EEXIST)
  await bed.unlink('/a')
  expect(await bed.attributes('/c')).toMatchObject({ linkCount: 2 })
  expect(await names(bed, '/')).toEqual(['b', 'c'])
  await bed.unlink('/b')
  await bed.unlink('/c')
  expect(bed.handler.getattr(node, undefined)).toMatchObject({ attributes: { linkCount: 0 } })
})

test('a rename takes the place of what it may take the place of', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, { op: 'mkdir', path: '/e' }, { op: 'mkdir', path: '/full' }, file('/full/f', 'x'), file('/f', 'f'), file('/g', 'g')], { isWritable: true })
  const [f, d] = [await bed.node('/f'), await bed.node('/d')]
  expect(await bed.rename('/f', '/d')).toBe(-errno.EISDIR)
  expect(await bed.rename('/d', '/f')).toBe(-errno.ENOTDIR)
  expect(await bed.rename('/d', '/full')).toBe(-errno.ENOTEMPTY)
  expect(await bed.rename('/full', '/full/below')).toBe(-errno.EINVAL)
  expect(await bed.rename('/none', '/x')).toBe(-errno.ENOENT)
  expect(await bed.rename('/f', '/g', renameFlag.noReplace)).toBe(-errno.EEXIST)
  expect(await bed.rename('/f', '/g')).toBe(0)
  expect(await bed.node('/g')).toBe(f)
  expect(await bed.rename('/d', '/e')).toBe(0)
  expect(await bed.node('/e')).toBe(d)
  expect(await names(bed, '/')).toEqual(['e', 'full', 'g'])
  expect(await bed.rename('/e', '/full/e')).toBe(0)
  expect(await bed.attributes('/full')).toMatchObject({ linkCount: 3 })
  expect(await bed.attributes('/')).toMatchObject({ linkCount: 3 })
})

test('two names of one file are not renamed over each other', async () => {
  const bed = await HandlerBed.make([file('/a', 'x')], { isWritable: true })
  await bed.link('/a', '/b')
  expect(await bed.rename('/a', '/b')).toBe(0)
  expect(await names(bed, '/')).toEqual(['a', 'b'])
})

test('an exchange swaps whatever two names lead to, and the counts of their directories', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, { op: 'mkdir', path: '/d/sub' }, file('/f', 'f')], { isWritable: true })
  const [sub, f] = [await bed.node('/d/sub'), await bed.node('/f')]
  expect(await bed.rename('/d/sub', '/none', renameFlag.exchange)).toBe(-errno.ENOENT)
  expect(await bed.rename('/d', '/d/sub', renameFlag.exchange)).toBe(-errno.EINVAL)
  expect(await bed.rename('/d/sub', '/f', renameFlag.exchange)).toBe(0)
  expect([await bed.node('/d/sub'), await bed.node('/f')]).toEqual([f, sub])
  expect(await bed.attributes('/d')).toMatchObject({ linkCount: 2 })
  expect(await bed.attributes('/')).toMatchObject({ linkCount: 4 })
})

test('what lies below a moved directory is found there, also when the kernel has forgotten the directory', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, { op: 'mkdir', path: '/d/sub' }, file('/d/sub/f', 'text'), { op: 'mkdir', path: '/e' }], { isWritable: true })
  await bed.rename('/d/sub', '/e/moved')
  const node = await bed.node('/e/moved/f')
  await bed.touch('/e/moved/new')
  expect(await names(bed, '/e/moved')).toEqual(['f', 'new'])
  const moved = await bed.node('/e/moved')
  bed.handler.forget(node, 100)
  bed.handler.forget(moved, 100)
  expect(await names(bed, '/e/moved')).toEqual(['f', 'new'])
  expect(await bed.attributes('/e/moved/f')).toMatchObject({ size: 4 })
})

test('a whiteout stays where something was', async () => {
  const bed = await HandlerBed.make([file('/f', 'x')], { isWritable: true })
  expect(await bed.rename('/f', '/g', renameFlag.whiteout)).toBe(0)
  expect(await bed.attributes('/f')).toMatchObject({ mode: 0o020000, rdev: 0 })
  expect(await bed.attributes('/g')).toMatchObject({ size: 1 })
})

test('what the journal cannot take has not happened', async () => {
  const bed = await HandlerBed.make([file('/f', 'x')], { isWritable: true })
  bed.writing.journal.failure = -errno.ENOSPC
  expect([await bed.mkdir('/d'), await bed.unlink('/f'), await bed.touch('/g')]).toEqual([-errno.ENOSPC, -errno.ENOSPC, -errno.ENOSPC])
  expect(await names(bed, '/')).toEqual(['f'])
  expect(bed.writing.bodies.count).toBe(0)
})

test('a name that lies in pages that are not there yet is waited for', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, ...Array.from({ length: 3000 }, (_, index) => file(`/d/file-with-a-long-name-${index}`, 'x'))], { isWritable: true, pageBytesMax: 400_000 })
  const directory = await bed.node('/d')
  for (let index = 0; index < 3000; index += 100) expect(await bed.unlink(`/d/file-with-a-long-name-${index}`)).toBe(0)
  expect(directory).toBe(await bed.node('/d'))
  expect(await names(bed, '/d')).toHaveLength(2970)
})

test('no name and no inode is in an edit twice', async () => {
  const bed = await HandlerBed.make([file('/f', 'f'), { op: 'mkdir', path: '/d' }, { op: 'mkdir', path: '/d/e' }], { isWritable: true })
  const apply = vi.spyOn(bed.writing.changes, 'apply')
  await bed.link('/f', '/g')
  await bed.link('/f', '/d/h')
  await bed.rename('/d/h', '/g2')
  await bed.rename('/d/e', '/e', renameFlag.noReplace)
  await bed.rename('/e', '/d', renameFlag.exchange)
  expect(apply.mock.calls).toHaveLength(5)
  for (const [{ names = [], nodes = [] }] of apply.mock.calls) {
    expect(new Set(names.map(({ directoryId, name }) => `${directoryId}/${name}`)).size).toBe(names.length)
    expect(new Set(nodes.map(({ entry }) => entry.id)).size).toBe(nodes.length)
  }
})

test('a file has 65,000 names at most, as on ext4', async () => {
  const bed = await HandlerBed.make([], { isWritable: true })
  await bed.touch('/f')
  const { changes } = bed.writing
  const { ino } = await bed.attributes('/f')
  const { entry } = changes.node(toFileId(ino))!
  changes.apply({ nodes: [{ entry: { ...entry, linkCount: 64_999 }, base: undefined }] })
  expect(await bed.link('/f', '/g')).toMatchObject({ attributes: { linkCount: 65_000 } })
  expect(await bed.link('/f', '/h')).toBe(-errno.EMLINK)
})
