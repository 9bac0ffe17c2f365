import { expect, test } from 'vitest'
import { MemoryStore } from '../../../edge/store/memory.ts'
import { errno } from '../../../shared/errno.ts'
import { isMissing } from '../../../shared/format/page.ts'
import type { Logger } from '../../../shared/log.ts'
import { seek } from '../../../shim/fs/seek.ts'
import { Deferred } from '../../../shim/fuse/handler.ts'
import { chunkRun, fileEntry } from '../../support/file-entry.ts'
import { HandlerBed, answered, backendOf, caller, file } from '../../support/handler-bed.ts'
import { hashOf } from '../../support/hash-of.ts'
import { encodeManifestPage } from '../../../shared/format/manifest-shape.ts'
import { newVolume, randomBytes, utf8 } from '../../support/test-volume.ts'

const longName = 'n'.repeat(255)
const strangeName = 'a\nb\udcff\udc80c'

test('names of all kinds lead to nodes with their attributes', async () => {
  const bed = await HandlerBed.make([
    { op: 'mkdir', path: '/d', mode: 0o750 },
    file('/d/f', 'hello', { mode: 0o4711, uid: 7, gid: 8 }),
    file(`/${longName}`, ''),
    file(`/${strangeName}`, 'x'),
    { op: 'symlink', path: '/l', target: 'd/f' },
    { op: 'mknod', path: '/dev', kind: 'character-device', major: 300, minor: 70_000 },
    { op: 'mknod', path: '/p', kind: 'fifo' },
  ])
  const reply = await bed.lookup('/d/f')
  expect(reply).toMatchObject({ attributes: { size: 5, mode: 0o104711, uid: 7, gid: 8, linkCount: 1 }, entryValidMs: 3_600_000 })
  expect(await bed.lookup('/d')).toMatchObject({ attributes: { mode: 0o040750, linkCount: 2 } })
  expect(await bed.lookup(`/${longName}`)).toMatchObject({ attributes: { size: 0 } })
  expect(await bed.lookup(`/${strangeName}`)).toMatchObject({ attributes: { size: 1 } })
  expect(await bed.lookup('/l')).toMatchObject({ attributes: { mode: 0o120777, size: 3 } })
  expect(await bed.lookup('/p')).toMatchObject({ attributes: { mode: 0o010644 } })
  // new_encode_dev: minor's low byte, major, minor's rest
  expect(await bed.lookup('/dev')).toMatchObject({ attributes: { rdev: (70_000 & 0xff) | (300 << 8) | ((70_000 & ~0xff) << 12) } })
  expect(await answered(bed.handler.readlink(await bed.node('/l')))).toBe('d/f')
  expect(await answered(bed.handler.readlink(await bed.node('/d/f')))).toBe(-errno.EINVAL)
})

test('a name that is not there is an answer that the kernel may keep', async () => {
  const bed = await HandlerBed.make([])
  expect(await bed.lookup('/none')).toMatchObject({ nodeId: 0, entryValidMs: 3_600_000 })
  expect(await bed.lookup(`/${'n'.repeat(256)}`)).toBe(-errno.ENAMETOOLONG)
  const inFile = await HandlerBed.make([file('/f', 'x')])
  expect(await inFile.lookup('/f/below')).toBe(-errno.ENOTDIR)
})

test('all names of a file with several links are one node', async () => {
  const bed = await HandlerBed.make([file('/a', 'x'), { op: 'mkdir', path: '/d' }])
  await bed.commit([{ op: 'link', path: '/a', to: '/d/b' }])
  await bed.follow()
  expect(await bed.node('/a')).toBe(await bed.node('/d/b'))
  expect(await bed.lookup('/a')).toMatchObject({ attributes: { linkCount: 2 } })
})

test('a node lives until the kernel has let go of it as often as it took it', async () => {
  const bed = await HandlerBed.make([file('/f', 'x')])
  const node = await bed.node('/f')
  expect(await bed.node('/f')).toBe(node)
  expect(bed.handler.status.inodeCount).toBe(2)
  bed.handler.forget(node, 1)
  expect(bed.handler.status.inodeCount).toBe(2)
  bed.handler.forget(node, 1)
  expect(bed.handler.status.inodeCount).toBe(1)
  expect(await answered(bed.handler.getattr(node, undefined))).toBe(-errno.ESTALE)
  bed.handler.forget(1, 1000)
  expect(await answered(bed.handler.getattr(1, undefined))).toMatchObject({ attributes: { ino: 1 } })
})

test('a volume is never full', async () => {
  const { handler } = await HandlerBed.make([file('/f', 'x')])
  const space = await answered(handler.statfs(1))
  if (typeof space === 'number') throw new Error('no answer')
  expect(space.blocks * space.blockBytes).toBe(2 ** 60)
  expect([space.blocksFree, space.filesFree]).toEqual([space.blocks, space.files])
})

test('nothing can be opened for writing', async () => {
  const bed = await HandlerBed.make([file('/f', 'x')])
  const node = await bed.node('/f')
  for (const flags of [1, 2, 0o1000]) expect(await bed.open(node, flags)).toBe(-errno.EROFS)
  expect(await answered(bed.handler.access(node, 2, caller))).toBe(-errno.EROFS)
  expect(await answered(bed.handler.access(node, 4, caller))).toBeUndefined()
  expect(await answered(bed.handler.access(node, 1, { uid: 5, gid: 5, pid: 1 }))).toBe(-errno.EACCES)
})

test('small bodies are read from memory, at any offset, to their end', async () => {
  const bed = await HandlerBed.make([file('/f', 'hello world')])
  const node = await bed.node('/f')
  const opened = await bed.open(node)
  expect(opened).toMatchObject({ keepCache: true, noFlush: true, backingId: 0, directIo: false })
  const { handle } = opened as { handle: number }
  expect(await bed.text(node, handle)).toBe('hello world')
  expect(await bed.text(node, handle, 6, 3)).toBe('wor')
  expect(await bed.text(node, handle, 11, 3)).toBe('')
  expect(await bed.text(node, handle, 2 ** 40, 3)).toBe('')
  bed.handler.release(node, handle)
  expect(await bed.text(node, handle)).toBe(-errno.EIO)
  expect(bed.bodies.opened).toEqual([])
})

test('xattrs come from the entry, and a file without any is answered without one', async () => {
  const xattrs = new Map([
    ['user.a', utf8('1')],
    ['security.x', utf8('')],
  ])
  const bed = await HandlerBed.make([file('/f', 'x', { xattrs }), file('/none', 'x')])
  const node = await bed.node('/f')
  expect(await answered(bed.handler.listxattr(node))).toEqual(['security.x', 'user.a'])
  expect(await answered(bed.handler.getxattr(node, 'user.a'))).toEqual(utf8('1'))
  expect(await answered(bed.handler.getxattr(node, 'user.b'))).toBe(-errno.ENODATA)
  const none = await bed.node('/none')
  expect(bed.handler.getxattr(none, 'security.capability')).toBe(-errno.ENODATA)
  expect(bed.handler.listxattr(none)).toEqual([])
})

test('the first open decides whether the kernel reads the file itself, and all others agree until the last is closed', async () => {
  const volume = await newVolume()
  const writer = volume.writer()
  const written = await writer.write([randomBytes(1, 20_000)])
  await writer.commit([{ op: 'create', path: '/big', ...written }])
  const bed = new HandlerBed(volume, await volume.head(), {})
  bed.connection.canPassthrough = true
  const node = await bed.node('/big')
  const first = await bed.open(node)
  bed.bodies.complete.add('/big')
  const second = await bed.open(node)
  expect([first, second]).toMatchObject([{ backingId: 0, keepCache: true }, { backingId: 0 }])
  expect(bed.bodies.opened).toHaveLength(1)
  for (const opened of [first, second]) bed.handler.release(node, (opened as { handle: number }).handle)
  expect(bed.bodies.openCount).toBe(0)
  const third = await bed.open(node)
  bed.bodies.complete.clear()
  const fourth = await bed.open(node)
  expect([third, fourth]).toMatchObject([{ backingId: 1, keepCache: false }, { backingId: 1, keepCache: false }])
  expect(bed.handler.status).toMatchObject({ passthroughCount: 1, passthroughOpenCount: 2, openCount: 2 })
  bed.handler.release(node, (third as { handle: number }).handle)
  expect(bed.connection.backings.size).toBe(1)
  bed.handler.release(node, (fourth as { handle: number }).handle)
  expect(bed.connection.backings.size).toBe(0)
})

test('a page that cannot be had is EIO, is logged with the path, and works when it can be had again', async () => {
  const lines: string[] = []
  const log: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: (line) => lines.push(line) }
  let isAway = true
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, file('/d/f', 'x')], {
    log,
    backend: (snapshot) => {
      const real = backendOf(snapshot)
      return {
        ...real,
        cancel: (ticket) => real.cancel(ticket),
        page: (pointer, done) => {
          if (!isAway) return real.page(pointer, done)
          done({ code: 'unavailable', message: 'the store is away' })
          return 0
        },
      }
    },
  })
  expect(await bed.lookup('/d')).toBe(-errno.EIO)
  expect(lines).toEqual(['Cannot look up "/": the store is away'])
  isAway = false
  expect(await bed.lookup('/d/f')).toMatchObject({ attributes: { size: 1 } })
})

test('an interrupted wait ends with EINTR and gives the page up', async () => {
  const cancelled: number[] = []
  const bed = await HandlerBed.make([file('/f', 'x')], {
    backend: (snapshot) => ({ ...backendOf(snapshot), page: () => 42, cancel: (ticket) => void cancelled.push(ticket) }),
  })
  const answer = bed.handler.lookup(1, 'f', caller)
  expect(answer).toBeInstanceOf(Deferred)
  const settled = answered(answer)
  if (answer instanceof Deferred) answer.onInterrupt?.()
  expect(await settled).toBe(-errno.EINTR)
  expect(cancelled).toEqual([42])
})

test('the end of the mount settles what waits, and closes what is open', async () => {
  const volume = await newVolume({ store: new MemoryStore() })
  const writer = volume.writer()
  await writer.commit([{ op: 'create', path: '/big', ...(await writer.write([randomBytes(1, 20_000)])) }, { op: 'mkdir', path: '/d' }, file('/d/x', 'y')])
  const snapshot = await volume.head()
  const bed = new HandlerBed(volume, snapshot, {})
  const node = await bed.node('/big')
  await bed.open(node)
  bed.handler.stop()
  expect(bed.bodies.openCount).toBe(0)
  bed.handler.forget(node, 1)
})

test('while commits are not announced the kernel keeps nothing for long', async () => {
  const bed = await HandlerBed.make([file('/f', 'x')])
  bed.handler.setFollowing(false)
  expect(bed.connection.take()).toEqual(['everything'])
  expect(await bed.lookup('/f')).toMatchObject({ entryValidMs: 1000, attributesValidMs: 1000 })
  bed.handler.setFollowing(false)
  bed.handler.setFollowing(true)
  expect(bed.connection.take()).toEqual([])
  expect(await bed.lookup('/f')).toMatchObject({ entryValidMs: 3_600_000 })
})

test('a fixed snapshot does not care whether anybody follows', async () => {
  const bed = await HandlerBed.make([file('/f', 'x')], { isFixed: true })
  bed.handler.setFollowing(false)
  expect(bed.connection.take()).toEqual([])
  expect(await bed.lookup('/f')).toMatchObject({ entryValidMs: 3_600_000 })
})

test('holes and data are found from the manifest', () => {
  const hash = hashOf(utf8('x'))
  const runs = [chunkRun(hash, 1000), { kind: 'hole', length: 5000 } as const, chunkRun(hash, 1000), { kind: 'hole', length: 100 } as const]
  const content = { kind: 'manifest', root: { kind: 'inline', page: encodeManifestPage(0, runs), contentId: hash } } as const
  const entry = { ...fileEntry(1, hash, 1000), size: 7100, content }
  const at = (offset: number, whence: number): unknown => {
    const found = seek(entry, offset, whence, () => undefined)
    return isMissing(found) || typeof found === 'number' ? found : found.offset
  }
  expect([0, 500, 1000, 3000, 6000, 6999].map((offset) => at(offset, 3))).toEqual([0, 500, 6000, 6000, 6000, 6999])
  expect([0, 500, 1000, 3000, 6000, 7050].map((offset) => at(offset, 4))).toEqual([1000, 1000, 1000, 3000, 7000, 7050])
  expect(at(7000, 3)).toBe(-errno.ENXIO)
  expect(at(7100, 4)).toBe(-errno.ENXIO)
  expect(at(0, 9)).toBe(-errno.EINVAL)
})
