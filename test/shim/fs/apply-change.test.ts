import { expect, test } from 'vitest'
import { errno } from '../../../shared/errno.ts'
import { encodeRoot } from '../../../shared/format/entry-codec.ts'
import type { OpenReply } from '../../../shim/fuse/handler.ts'
import { HandlerBed, answered, file, write } from '../../support/handler-bed.ts'

const opened = async (bed: HandlerBed, node: number): Promise<OpenReply> => {
  const reply = await bed.open(node)
  if (typeof reply === 'number') throw new Error(`open: ${reply}`)
  return reply
}

const read = async (bed: HandlerBed, path: string): Promise<string | number> => {
  const node = await bed.node(path)
  const { handle } = await opened(bed, node)
  const text = await bed.text(node, handle)
  bed.handler.release(node, handle)
  return text
}

test('a new name is announced, where the kernel believed that there was none', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }])
  const directory = await bed.node('/d')
  expect(await bed.lookup('/d/new')).toMatchObject({ nodeId: 0 })
  await bed.commit([file('/d/new', 'x')])
  const told = await bed.follow()
  expect(told).toContain(`name ${directory}/new`)
  expect(told).toContain(`node ${directory}`)
  expect(await read(bed, '/d/new')).toBe('x')
  expect(bed.handler.status.seq).toBe(3)
})

test('what the kernel does not know is not announced', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, { op: 'mkdir', path: '/d/e' }, file('/d/e/f', 'x')])
  await bed.commit([write('/d/e/f', 'y')])
  expect(await bed.follow()).toEqual(['attributes 1'])
})

test('a changed file that is closed is the same node with new content', async () => {
  const bed = await HandlerBed.make([file('/f', 'old')])
  const node = await bed.node('/f')
  expect(await read(bed, '/f')).toBe('old')
  await bed.commit([write('/f', 'newer')])
  expect(await bed.follow()).toEqual(expect.arrayContaining([`node ${node}`]))
  expect(await bed.node('/f')).toBe(node)
  expect(await answered(bed.handler.getattr(node, undefined))).toMatchObject({ attributes: { size: 5 } })
  const reply = await opened(bed, node)
  expect(reply.keepCache).toBe(false)
  expect(await bed.text(node, reply.handle)).toBe('newer')
  expect((await opened(bed, node)).keepCache).toBe(true)
})

test('what the kernel was told of a file just now is taken back by name, too: it may not know the node yet', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, file('/d/f', 'old'), file('/d/linked', 'l'), { op: 'link', path: '/d/linked', to: '/d/again' }])
  const directory = await bed.node('/d')
  await bed.node('/d/f')
  await bed.node('/d/linked')
  await bed.commit([write('/d/f', 'newer'), write('/d/again', 'll')])
  expect(await bed.follow(false, true)).toEqual(expect.arrayContaining([`name ${directory}/f`, `name ${directory}/linked`]))
  // A second lookup is of a node that is known.
  bed.nowMs += 60_000
  await bed.node('/d/f')
  await bed.commit([write('/d/f', 'newest')])
  expect(await bed.follow(false, true)).not.toContain(`name ${directory}/f`)
})

test('the first answer about a directory is short-lived, since its name cannot be taken back from those who work in it', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }])
  expect(await bed.lookup('/d')).toMatchObject({ entryValidMs: 3_600_000, attributesValidMs: 1000 })
  expect(await bed.lookup('/d')).toMatchObject({ attributesValidMs: 3_600_000 })
  await bed.commit([file('/d/f', 'x')])
  expect(await bed.follow(false, true)).not.toContain('name 1/d')
})

test('a changed file that is open keeps its version for its handles, and is a new node with the same inode number for others', async () => {
  const bed = await HandlerBed.make([file('/f', 'old')])
  const old = await bed.node('/f')
  const before = await bed.lookup('/f')
  const { handle } = await opened(bed, old)
  await bed.commit([write('/f', 'newer')])
  expect(await bed.follow()).toContain('name 1/f')
  const after = await bed.lookup('/f')
  const fresh = await bed.node('/f')
  expect(fresh).not.toBe(old)
  expect([before, after].map((reply) => (typeof reply === 'number' ? reply : reply.attributes.ino))).toEqual([expect.any(Number), (before as { attributes: { ino: number } }).attributes.ino])
  expect(await bed.text(old, handle)).toBe('old')
  expect(await answered(bed.handler.getattr(old, handle))).toMatchObject({ attributes: { size: 3 } })
  expect(await read(bed, '/f')).toBe('newer')
  // A second change leaves the handle alone too.
  await bed.commit([write('/f', 'newest')])
  await bed.follow()
  expect(await bed.text(old, handle)).toBe('old')
  expect(await read(bed, '/f')).toBe('newest')
  bed.handler.release(old, handle)
  bed.handler.forget(old, 2)
  expect(await answered(bed.handler.getattr(old, undefined))).toBe(-errno.ESTALE)
  expect(await read(bed, '/f')).toBe('newest')
})

test('new attributes alone leave an open file and its pages as they are', async () => {
  const bed = await HandlerBed.make([file('/f', 'same')])
  const node = await bed.node('/f')
  const { handle } = await opened(bed, node)
  await bed.commit([{ op: 'setattr', path: '/f', mode: 0o600 }])
  const told = await bed.follow()
  expect(told).toContain(`attributes ${node}`)
  expect(told).not.toContain(`node ${node}`)
  expect(await bed.node('/f')).toBe(node)
  expect(await answered(bed.handler.getattr(node, handle))).toMatchObject({ attributes: { mode: 0o100600 } })
  expect((await opened(bed, node)).keepCache).toBe(true)
})

test('a removed file is gone for new lookups, readable for its handles, and has no links left', async () => {
  const bed = await HandlerBed.make([file('/f', 'text')])
  const node = await bed.node('/f')
  const { handle } = await opened(bed, node)
  await bed.commit([{ op: 'unlink', path: '/f' }])
  expect(await bed.follow()).toContain('name 1/f')
  expect(await bed.lookup('/f')).toMatchObject({ nodeId: 0 })
  expect(await bed.text(node, handle)).toBe('text')
  expect(await answered(bed.handler.getattr(node, handle))).toMatchObject({ attributes: { linkCount: 0 } })
  bed.handler.release(node, handle)
  expect(await bed.open(node)).toBe(-errno.ESTALE)
})

test('a renamed file and a renamed directory keep their nodes', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, file('/d/f', 'x'), { op: 'mkdir', path: '/e' }])
  const [file1, directory] = [await bed.node('/d/f'), await bed.node('/d')]
  await bed.commit([{ op: 'rename', path: '/d/f', to: '/e/g' }])
  await bed.follow()
  expect(await bed.lookup('/d/f')).toMatchObject({ nodeId: 0 })
  expect(await bed.node('/e/g')).toBe(file1)
  expect(await read(bed, '/e/g')).toBe('x')
  await bed.commit([{ op: 'rename', path: '/d', to: '/moved' }, file('/moved/inside', 'y')])
  await bed.follow()
  expect(await bed.lookup('/d')).toMatchObject({ nodeId: 0 })
  expect(await bed.node('/moved')).toBe(directory)
  expect(await read(bed, '/moved/inside')).toBe('y')
})

test('what changed below a directory that moved meanwhile is seen', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, { op: 'mkdir', path: '/d/sub' }, file('/d/sub/f', 'old')])
  const node = await bed.node('/d/sub/f')
  expect(await read(bed, '/d/sub/f')).toBe('old')
  await bed.commit([{ op: 'rename', path: '/d', to: '/e' }])
  await bed.commit([write('/e/sub/f', 'new')])
  await bed.follow()
  expect(await read(bed, '/e/sub/f')).toBe('new')
  expect(await bed.node('/e/sub/f')).toBe(node)
})

test('a file that moved out of a directory that was removed keeps its node and shows its new content', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, file('/d/f', 'old')])
  const node = await bed.node('/d/f')
  await bed.commit([{ op: 'mkdir', path: '/n' }, { op: 'rename', path: '/d/f', to: '/n/f' }, { op: 'rmdir', path: '/d' }])
  await bed.commit([write('/n/f', 'new')])
  await bed.follow()
  expect(await read(bed, '/n/f')).toBe('new')
  expect(await bed.node('/n/f')).toBe(node)
})

test('a row that takes the place of a forgotten directory is not taken for it', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, { op: 'mkdir', path: '/d/sub' }, { op: 'mkdir', path: '/d/sub/deep' }, file('/d/sub/deep/f', 'x')])
  const [sub, directory] = [await bed.node('/d/sub'), await bed.node('/d')]
  // A file handle keeps the child while its directory is forgotten: name_to_handle_at, a moved working directory.
  bed.handler.forget(directory, 2)
  await bed.commit([{ op: 'rename', path: '/d/sub', to: '/moved' }])
  await bed.follow(true)
  // The free row becomes a directory inside its own former child.
  const deep = await answered(bed.handler.lookup(sub, 'deep', { uid: 0, gid: 0, pid: 1 }))
  expect(deep).toMatchObject({ nodeId: 0 })
  expect(await bed.node('/moved')).toBe(sub)
  expect(await bed.node('/moved/deep')).toBe(directory)
  await bed.commit([file('/other', 'y')])
  await bed.follow(true)
  expect(await answered(bed.handler.getattr(directory, undefined))).toMatchObject({ attributes: { mode: 0o040755 } })
  expect(await read(bed, '/moved/deep/f')).toBe('x')
})

test('what moved to a directory that the kernel has not seen is not looked for where it was', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, { op: 'mkdir', path: '/d/sub' }, { op: 'mkdir', path: '/unseen' }, { op: 'mkdir', path: '/unseen/e' }, file('/d/sub/f', 'x')])
  const [sub, directory] = [await bed.node('/d/sub'), await bed.node('/d')]
  await bed.commit([{ op: 'rename', path: '/d/sub', to: '/unseen/e/sub' }])
  await bed.follow()
  // The kernel forgets where it was, and the row goes to a directory below what moved.
  bed.handler.forget(directory, 2)
  await bed.commit([{ op: 'mkdir', path: '/unseen/e/sub/new' }])
  await bed.follow()
  const found = await answered(bed.handler.lookup(sub, 'new', { uid: 0, gid: 0, pid: 1 }))
  expect(found).toMatchObject({ nodeId: directory })
  await bed.commit([file('/other', 'y')])
  await bed.follow(true)
  expect(await answered(bed.handler.getattr(directory, undefined))).toMatchObject({ attributes: { linkCount: 0 } })
  expect(await bed.node('/unseen/e/sub')).toBe(sub)
  expect(await bed.node('/unseen/e/sub/new')).toBe(directory)
})

test('a directory that is gone is empty for whoever is in it', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, file('/d/f', 'x')])
  const node = await bed.node('/d')
  const handle = await bed.openDirectory(node)
  await bed.commit([{ op: 'rmdir', path: '/d', recursive: true }])
  await bed.follow()
  expect(await bed.read(node, handle, 0)).toMatchObject([{ name: '.' }, { name: '..' }])
  expect(await answered(bed.handler.lookup(node, 'f', { uid: 0, gid: 0, pid: 1 }))).toMatchObject({ nodeId: 0 })
})

test('a name that another file took over leads to that file', async () => {
  const bed = await HandlerBed.make([file('/f', 'old'), file('/g', 'other')])
  const [f, g] = [await bed.node('/f'), await bed.node('/g')]
  await bed.commit([{ op: 'rename', path: '/g', to: '/f' }])
  const told = await bed.follow()
  expect(told).toEqual(expect.arrayContaining(['name 1/f', 'name 1/g']))
  expect(await bed.node('/f')).toBe(g)
  expect(await answered(bed.handler.getattr(f, undefined))).toMatchObject({ attributes: { linkCount: 0 } })
})

test('links appear and disappear, and their content changes under all names', async () => {
  const bed = await HandlerBed.make([file('/a', 'one')])
  const node = await bed.node('/a')
  await bed.commit([{ op: 'link', path: '/a', to: '/b' }])
  await bed.follow()
  expect(await bed.node('/b')).toBe(node)
  expect(await answered(bed.handler.getattr(node, undefined))).toMatchObject({ attributes: { linkCount: 2 } })
  await bed.commit([write('/b', 'two')])
  expect(await bed.follow()).toContain(`node ${node}`)
  expect(await read(bed, '/a')).toBe('two')
  const { handle } = await opened(bed, node)
  await bed.commit([write('/a', 'three')])
  // Not all names of an open file with links are known: the kernel is to look all of them up again.
  expect(await bed.follow()).toContain('everything')
  expect([await read(bed, '/a'), await read(bed, '/b'), await bed.text(node, handle)]).toEqual(['three', 'three', 'two'])
  await bed.commit([{ op: 'unlink', path: '/a' }])
  await bed.follow()
  expect(await bed.lookup('/b')).toMatchObject({ attributes: { linkCount: 1 } })
  expect(await read(bed, '/b')).toBe('three')
  await bed.commit([{ op: 'unlink', path: '/b' }])
  await bed.follow()
  expect(await bed.lookup('/b')).toMatchObject({ nodeId: 0 })
})

test('after a change too big to list every row is looked up again when it is used', async () => {
  const bed = await HandlerBed.make([
    { op: 'mkdir', path: '/d' },
    file('/d/changed', 'old'),
    file('/d/same', 'same'),
    file('/d/gone', 'gone'),
    file('/d/open', 'open'),
    file('/d/linked', 'l'),
    { op: 'link', path: '/d/linked', to: '/l2' },
  ])
  const nodes = new Map<string, number>()
  for (const name of ['changed', 'same', 'gone', 'open', 'linked']) nodes.set(name, await bed.node(`/d/${name}`))
  const { handle } = await opened(bed, nodes.get('open')!)
  await read(bed, '/d/changed')
  await bed.commit([write('/d/changed', 'newer'), { op: 'unlink', path: '/d/gone' }, write('/d/open', 'opened'), write('/l2', 'll')])
  expect(await bed.follow(true)).toContain('everything')
  expect(await answered(bed.handler.getattr(nodes.get('changed')!, undefined))).toMatchObject({ attributes: { size: 5 } })
  expect((await opened(bed, nodes.get('changed')!)).keepCache).toBe(false)
  expect(await answered(bed.handler.getattr(nodes.get('linked')!, undefined))).toMatchObject({ attributes: { size: 2 } })
  expect(await answered(bed.handler.getattr(nodes.get('gone')!, undefined))).toMatchObject({ attributes: { linkCount: 0 } })
  expect(await bed.lookup('/d/gone')).toMatchObject({ nodeId: 0 })
  expect(await bed.node('/d/same')).toBe(nodes.get('same'))
  expect((await opened(bed, nodes.get('same')!)).keepCache).toBe(true)
  expect(await bed.text(nodes.get('open')!, handle)).toBe('open')
  expect(await read(bed, '/d/open')).toBe('opened')
  expect(await answered(bed.handler.getattr(nodes.get('open')!, handle))).toMatchObject({ attributes: { size: 4 } })
})

test('an older or repeated change is left out', async () => {
  const bed = await HandlerBed.make([file('/f', 'x')])
  const { seq } = bed.handler.status
  bed.handler.applyChange({ seq, root: new Uint8Array(0), names: [], inodes: [] })
  expect(await read(bed, '/f')).toBe('x')
})

test('a change that cannot be read name by name is seen all the same', async () => {
  const bed = await HandlerBed.make([file('/f', 'old'), { op: 'mkdir', path: '/d' }])
  const node = await bed.node('/f')
  await bed.commit([write('/f', 'newer')])
  const next = await bed.volume.head()
  bed.connection.take()
  const broken = { directoryId: 1, name: 'f', entry: Uint8Array.of(0xff), beforeId: undefined }
  bed.handler.applyChange({ seq: next.seq, root: encodeRoot(next.root), names: [broken], inodes: [] })
  expect(bed.connection.take()).toContain('everything')
  expect(await read(bed, '/f')).toBe('newer')
  expect(await bed.node('/f')).toBe(node)
})

test('a kernel that cannot forget all names is sent back to look up a file that was replaced while open', async () => {
  const bed = await HandlerBed.make([file('/f', 'old')])
  bed.connection.canForgetNames = false
  bed.handler.start(bed.connection)
  const old = await bed.node('/f')
  const { handle } = await opened(bed, old)
  await bed.commit([write('/f', 'newer')])
  await bed.follow()
  expect(await bed.open(old)).toBe(-errno.ESTALE)
  expect([await read(bed, '/f'), await bed.text(old, handle)]).toEqual(['newer', 'old'])
  expect(await bed.lookup('/f')).toMatchObject({ entryValidMs: 10_000 })
})
