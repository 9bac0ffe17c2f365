import { expect, test } from 'vitest'
import { errno } from '../../../shared/errno.ts'
import type { CreateReply } from '../../../shim/fuse/handler.ts'
import { openFlag } from '../../../shim/sys/constants.ts'
import { HandlerBed, answered, caller, file } from '../../support/handler-bed.ts'
import { utf8 } from '../../support/test-volume.ts'

const { O_CREAT, O_EXCL, O_RDWR, O_TRUNC, O_WRONLY } = openFlag
const alice = { uid: 1000, gid: 1000, pid: 2 }
const newFile = { mode: 0o100666, umask: 0o022, rdev: 0 }

const create = async (bed: HandlerBed, path: string, flags: number, who = caller): Promise<CreateReply | number> => {
  const reply = await answered(bed.writable.create(...(await bed.spot(path)), newFile, flags, who))
  return typeof reply === 'number' ? reply : structuredClone(reply)
}

const created = async (bed: HandlerBed, path: string, flags = O_CREAT | O_RDWR): Promise<CreateReply> => {
  const reply = await create(bed, path, flags)
  if (typeof reply === 'number') throw new Error(`create: ${reply}`)
  return reply
}

test('a new file is its maker\'s, with the umask taken off, and open', async () => {
  const bed = await HandlerBed.make([], { isWritable: true })
  const reply = await create(bed, '/f', O_CREAT | O_RDWR, alice)
  expect(reply).toMatchObject({ entry: { attributes: { mode: 0o100644, uid: 1000, gid: 1000, size: 0, linkCount: 1 } }, open: { backingId: 0 } })
  expect(await create(bed, '/f', O_CREAT | O_EXCL | O_RDWR)).toBe(-errno.EEXIST)
  expect(await create(bed, '/f', O_CREAT | O_RDWR)).toMatchObject({ entry: { attributes: { uid: 1000 } } })
})

test('what is made in a set-group-id directory is its group\'s, and directories pass the bit on', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d', mode: 0o2777, gid: 7 }], { isWritable: true })
  expect(await create(bed, '/d/f', O_CREAT | O_RDWR, alice)).toMatchObject({ entry: { attributes: { gid: 7, mode: 0o100644 } } })
  expect(await bed.mkdir('/d/e', 0o755, alice)).toMatchObject({ attributes: { gid: 7, mode: 0o042755 } })
})

test('a default access list takes the place of the umask, and goes on to directories', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }], { isWritable: true })
  const none = [255, 255, 255, 255]
  const list = Uint8Array.of(2, 0, 0, 0, 1, 0, 7, 0, ...none, 2, 0, 7, 0, 9, 0, 0, 0, 4, 0, 5, 0, ...none, 16, 0, 7, 0, ...none, 32, 0, 4, 0, ...none)
  const directory = await bed.node('/d')
  expect(await answered(bed.writable.setxattr(directory, 'system.posix_acl_default', list, 0, false))).toBeUndefined()
  const made = await created(bed, '/d/f')
  expect(made.entry.attributes.mode).toBe(0o100664)
  expect(await answered(bed.handler.listxattr(made.entry.nodeId))).toEqual(['system.posix_acl_access'])
  const below = await bed.mkdir('/d/e', 0o777)
  if (typeof below === 'number') throw new Error(`mkdir: ${below}`)
  expect(below.attributes.mode).toBe(0o040774)
  expect(await answered(bed.handler.getxattr(below.nodeId, 'system.posix_acl_default'))).toEqual(list)
  const link = await answered(bed.writable.symlink(directory, 'l', 'f', caller))
  if (typeof link === 'number') throw new Error(`symlink: ${link}`)
  expect(await answered(bed.handler.listxattr(link.nodeId))).toEqual([])
})

test('every kind of node can be made, with its device number', async () => {
  const bed = await HandlerBed.make([], { isWritable: true })
  const kinds: readonly [mode: number, rdev: number][] = [[0o100600, 0], [0o010600, 0], [0o140600, 0], [0o020600, (70_000 & 0xff) | (300 << 8) | ((70_000 & ~0xff) << 12)], [0o060600, 0x801]]
  for (const [mode, rdev] of kinds) {
    const name = mode.toString(8)
    expect(await answered(bed.writable.mknod(1, name, { mode, umask: 0, rdev }, caller))).toMatchObject({ attributes: { mode, rdev, size: 0 } })
    bed.handler.forget(await bed.node(`/${name}`), 100)
    expect(await bed.attributes(`/${name}`)).toMatchObject({ mode, rdev })
  }
  expect(await answered(bed.writable.mknod(1, 'x', { mode: 0o040600, umask: 0, rdev: 0 }, caller))).toBe(-errno.EINVAL)
  expect(await answered(bed.writable.symlink(1, 'long', 'x'.repeat(4096), caller))).toBe(-errno.ENAMETOOLONG)
})

test('a link says what it leads to, whatever bytes that is', async () => {
  const bed = await HandlerBed.make([], { isWritable: true })
  const target = `../a\n\udcff${'x'.repeat(4000)}`
  const reply = await answered(bed.writable.symlink(1, 'l', target, alice))
  expect(reply).toMatchObject({ attributes: { mode: 0o120777, uid: 1000, size: 4006 } })
  expect(await answered(bed.handler.readlink(await bed.node('/l')))).toBe(target)
})

test('truncation gives a file its size, of what was there and zeros', async () => {
  const bed = await HandlerBed.make([file('/f', 'hello world')], { isWritable: true })
  const before = await bed.attributes('/f')
  expect(await bed.setattr('/f', { size: 5 })).toMatchObject({ size: 5 })
  expect(await bed.setattr('/f', { size: 7 })).toMatchObject({ size: 7 })
  expect(await bed.get('/f')).toBe('hello\0\0')
  expect((await bed.attributes('/f')).ctimeSeconds).toBeGreaterThan(before.ctimeSeconds)
  expect(await bed.setattr('/f', { size: 0 })).toMatchObject({ size: 0 })
  expect(await bed.setattr('/f', { size: 2 ** 44 })).toBe(-errno.EFBIG)
  expect(await bed.setattr('/', { size: 0 })).toBe(-errno.EISDIR)
})

test('a time that is set is the file\'s, also when its bytes are here', async () => {
  const bed = await HandlerBed.make([], { isWritable: true })
  await bed.put('/f', 'text')
  const time = { seconds: -1000, nanoseconds: 500_000_001 }
  expect(await bed.setattr('/f', { mtime: time })).toMatchObject({ mtimeSeconds: -1000, mtimeNanoseconds: 500_000_001 })
  const { ctimeSeconds } = await bed.attributes('/f')
  expect(await bed.attributes('/f')).toMatchObject({ mtimeSeconds: -1000, mtimeNanoseconds: 500_000_001 })
  expect(ctimeSeconds).toBeGreaterThan(1_800_000_000)
})

test('who writes loses nothing but privileges, as the kernel asks before', async () => {
  const bed = await HandlerBed.make([file('/f', 'x', { mode: 0o6755, uid: 1000 })], { isWritable: true })
  expect(await bed.setattr('/f', { killsPrivileges: true }, { uid: 5, gid: 5, pid: 1 })).toBe(-errno.EPERM)
  const node = await bed.node('/f')
  await answered(bed.handler.open(node, O_WRONLY, alice))
  expect(await bed.setattr('/f', { killsPrivileges: true }, { uid: 5, gid: 5, pid: 1 })).toMatchObject({ mode: 0o100755 })
  const { ctimeSeconds } = await bed.attributes('/f')
  // Nothing to take away is nothing changed.
  expect(await bed.setattr('/f', { killsPrivileges: true }, alice)).toMatchObject({ ctimeSeconds })
})

test('O_TRUNC empties a file when it is opened', async () => {
  const bed = await HandlerBed.make([file('/f', 'text', { mode: 0o4755 })], { isWritable: true })
  const node = await bed.node('/f')
  expect(await answered(bed.handler.open(node, O_WRONLY | O_TRUNC, alice, true))).toMatchObject({ noFlush: true })
  expect(await bed.attributes('/f')).toMatchObject({ size: 0, mode: 0o100755 })
})

test('a file without a name is there for who has it open, and gets one by a link', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }], { isWritable: true })
  const directory = await bed.node('/d')
  const reply = await answered(bed.writable.tmpfile(directory, newFile, O_RDWR, alice))
  if (typeof reply === 'number') throw new Error(`tmpfile: ${reply}`)
  const { entry, open } = structuredClone(reply)
  expect(entry.attributes).toMatchObject({ linkCount: 0, mode: 0o100644, uid: 1000 })
  expect(await answered(bed.writable.write(entry.nodeId, open.handle, 0, utf8('text'), { isFromCache: false, killsPrivileges: false, caller }))).toEqual({ written: 4 })
  expect(await answered(bed.writable.link(entry.nodeId, directory, 'named'))).toMatchObject({ attributes: { linkCount: 1, size: 4 } })
  expect(await bed.get('/d/named')).toBe('text')
  const other = await answered(bed.writable.tmpfile(directory, newFile, O_RDWR, alice))
  if (typeof other === 'number') throw new Error(`tmpfile: ${other}`)
  const { nodeId } = other.entry
  const nodeCount = bed.handler.status.inodeCount
  bed.handler.release(nodeId, other.open.handle)
  bed.handler.forget(nodeId, 1)
  expect(bed.handler.status.inodeCount).toBe(nodeCount - 1)
  expect(bed.writing.changes.pending().dirtyFileCount).toBe(1)
})

test('an unlinked file goes on for who has it open, and is gone for good then', async () => {
  const bed = await HandlerBed.make([], { isWritable: true })
  const { entry, open } = await created(bed, '/f')
  await bed.unlink('/f')
  const { nodeId } = entry
  await answered(bed.writable.write(nodeId, open.handle, 0, utf8('text'), { isFromCache: false, killsPrivileges: false, caller }))
  expect(await answered(bed.handler.getattr(nodeId, open.handle))).toMatchObject({ attributes: { linkCount: 0, size: 4 } })
  bed.handler.release(nodeId, open.handle)
  expect(bed.writing.bodies.count).toBe(1)
  bed.handler.forget(nodeId, 1)
  expect(bed.writing.bodies.count).toBe(0)
})

test('a directory that was removed takes nothing in', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }], { isWritable: true })
  const directory = await bed.node('/d')
  await bed.rmdir('/d')
  expect(await answered(bed.writable.mkdir(directory, 'x', { mode: 0o755, umask: 0, rdev: 0 }, caller))).toBe(-errno.ENOENT)
  expect(await answered(bed.handler.lookup(directory, 'x', caller))).toMatchObject({ nodeId: 0 })
  const handle = await bed.openDirectory(directory)
  expect(await bed.read(directory, handle, 0)).toHaveLength(2)
})

test('extended attributes are kept, listed and removed', async () => {
  const bed = await HandlerBed.make([file('/f', 'x')], { isWritable: true })
  const node = await bed.node('/f')
  // The driver's buffer is used again.
  const value = utf8('value')
  const pending = bed.writable.setxattr(node, 'user.a', value, 0, false)
  value.fill(0)
  expect(await answered(pending)).toBeUndefined()
  expect(await answered(bed.handler.getxattr(node, 'user.a'))).toEqual(utf8('value'))
  expect(await answered(bed.handler.listxattr(node))).toEqual(['user.a'])
  expect(await answered(bed.handler.getxattr(node, 'system.other'))).toBe(-errno.EOPNOTSUPP)
  expect(await answered(bed.writable.removexattr(node, 'user.a'))).toBeUndefined()
  expect(await answered(bed.handler.getxattr(node, 'user.a'))).toBe(-errno.ENODATA)
  await bed.publishAndFollow()
  expect(await answered(bed.handler.listxattr(node))).toEqual([])
})

test('a write past the largest file is as long as fits', async () => {
  const bed = await HandlerBed.make([], { isWritable: true })
  const { entry, open } = await created(bed, '/f')
  const context = { isFromCache: false, killsPrivileges: false, caller }
  expect(await answered(bed.writable.write(entry.nodeId, open.handle, 2 ** 44 - 4096, utf8('x'), context))).toBe(-errno.EFBIG)
  expect(await answered(bed.writable.write(entry.nodeId, open.handle, 2 ** 44 - 4098, utf8('xyz'), context))).toEqual({ written: 2 })
  expect(await answered(bed.writable.fallocate(entry.nodeId, open.handle, 0, 2 ** 44, 0))).toBe(-errno.EFBIG)
})

test('nothing can be changed in a snapshot', async () => {
  const bed = await HandlerBed.make([file('/f', 'x')])
  expect(bed.handler.writable).toBeUndefined()
  expect(await bed.open(await bed.node('/f'), O_WRONLY)).toBe(-errno.EROFS)
})
