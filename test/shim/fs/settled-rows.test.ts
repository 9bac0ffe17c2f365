import { expect, test } from 'vitest'
import { errno } from '../../../shared/errno.ts'
import { openFlag } from '../../../shim/sys/constants.ts'
import { HandlerBed, answered, caller, file, write } from '../../support/handler-bed.ts'
import { utf8 } from '../../support/test-volume.ts'

const names = async (bed: HandlerBed, path: string): Promise<string[]> => (await bed.list(path)).map(({ name }) => name).slice(2)

/** What the kernel was told of anything but the root's attributes and directories. */
const toldOfFiles = (told: readonly string[]): string[] => told.filter((line) => line.startsWith('name ') || line.startsWith('node ') || line === 'everything')

test('our own commit takes nothing back that the kernel knows', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, file('/d/old', 'old'), file('/d/gone', 'g')], { isWritable: true })
  const gone = await bed.node('/d/gone')
  const made = await bed.put('/d/new', 'text')
  await bed.mkdir('/d/sub')
  await bed.put('/d/sub/deep', 'deeper')
  await bed.put('/d/old', 'newer')
  await bed.unlink('/d/gone')
  bed.handler.forget(gone, 2)
  await bed.link('/d/new', '/d/linked')
  const before = await bed.attributes('/d/new')
  const told = await bed.publishAndFollow()
  expect(toldOfFiles(told)).toEqual([])
  expect(told).not.toContain(`attributes ${made}`)
  expect(bed.writing.changes.isEmpty).toBe(true)
  expect(await bed.node('/d/new')).toBe(made)
  expect(await bed.attributes('/d/new')).toEqual({ ...before, blocks: 1 })
  expect([await bed.get('/d/new'), await bed.get('/d/sub/deep'), await bed.get('/d/old'), await bed.get('/d/linked')]).toEqual(['text', 'deeper', 'newer', 'text'])
  expect(await names(bed, '/d')).toEqual(['linked', 'new', 'old', 'sub'])
  expect(await bed.attributes('/d')).toMatchObject({ linkCount: 3 })
})

test('a commit that is published before it is shown, and one that is shown before, come to the same', async () => {
  for (const isShownFirst of [false, true]) {
    const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }], { isWritable: true })
    await bed.put('/d/f', 'text')
    const published = await bed.publish()
    if (isShownFirst) await bed.follow()
    bed.handler.published(published)
    if (!isShownFirst) {
      expect(bed.writing.changes.isEmpty).toBe(false)
      await bed.follow()
    }
    expect(bed.writing.changes.isEmpty).toBe(true)
    expect([await bed.get('/d/f'), await names(bed, '/d')]).toEqual(['text', ['f']])
  }
})

test('what goes on changing while it is published stays as it is here', async () => {
  const bed = await HandlerBed.make([], { isWritable: true })
  await bed.mkdir('/d')
  await bed.put('/d/a', 'one')
  const published = await bed.publish()
  await bed.put('/d/a', 'three')
  await bed.put('/d/b', 'b')
  await bed.mkdir('/d/sub')
  bed.handler.published(published)
  await bed.follow()
  expect([await bed.get('/d/a'), await bed.get('/d/b')]).toEqual(['three', 'b'])
  expect(await names(bed, '/d')).toEqual(['a', 'b', 'sub'])
  expect(await bed.attributes('/d')).toMatchObject({ linkCount: 3 })
  const gone = await bed.node('/d/a')
  await bed.unlink('/d/a')
  bed.handler.forget(gone, 100)
  await bed.publishAndFollow()
  expect(bed.writing.changes.isEmpty).toBe(true)
  expect(await names(bed, '/d')).toEqual(['b', 'sub'])
})

test('a file that is removed while it is open is read on, also when its removal is published', async () => {
  const bed = await HandlerBed.make([file('/f', 'text')], { isWritable: true })
  const node = await bed.node('/f')
  const reply = await bed.open(node)
  if (typeof reply === 'number') throw new Error(`open: ${reply}`)
  await bed.unlink('/f')
  await bed.publishAndFollow()
  expect(await bed.text(node, reply.handle)).toBe('text')
  expect(await answered(bed.handler.getattr(node, reply.handle))).toMatchObject({ attributes: { linkCount: 0 } })
  bed.handler.release(node, reply.handle)
  bed.handler.forget(node, 1)
  expect(await bed.lookup('/f')).toMatchObject({ nodeId: 0 })
})

test('what others changed beside ours is told when it comes, what they changed of ours when ours is settled', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, file('/d/f', 'old'), file('/d/other', 'o')], { isWritable: true })
  const [node, directory] = [await bed.node('/d/f'), await bed.node('/d')]
  await bed.node('/d/other')
  await bed.setattr('/d/f', { mode: 0o600 })
  await bed.commit([write('/d/f', 'theirs'), { op: 'unlink', path: '/d/other' }])
  const told = await bed.follow()
  expect(told).toContain(`name ${directory}/other`)
  expect(told).not.toContain(`node ${node}`)
  // Ours lies over what we began with.
  expect(await bed.attributes('/d/f')).toMatchObject({ size: 3, mode: 0o100600 })
  expect(await bed.publishAndFollow()).toContain(`node ${node}`)
  expect(await bed.attributes('/d/f')).toMatchObject({ size: 6, mode: 0o100600 })
  expect(await bed.get('/d/f')).toBe('theirs')
})

test('a file that others removed is there as long as our change of it is not merged, and after', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, file('/d/f', 'old')], { isWritable: true })
  await bed.put('/d/f', 'ours')
  await bed.commit([{ op: 'unlink', path: '/d/f' }])
  await bed.follow()
  expect([await names(bed, '/d'), await bed.get('/d/f')]).toEqual([['f'], 'ours'])
  await bed.publishAndFollow()
  expect(bed.writing.changes.isEmpty).toBe(true)
  expect([await names(bed, '/d'), await bed.get('/d/f')]).toEqual([['f'], 'ours'])
})

test('a name that we removed and others changed comes back', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, file('/d/f', 'old')], { isWritable: true })
  const directory = await bed.node('/d')
  await bed.unlink('/d/f')
  await bed.commit([write('/d/f', 'theirs')])
  await bed.follow()
  expect(await bed.lookup('/d/f')).toMatchObject({ nodeId: 0 })
  expect(await bed.publishAndFollow()).toContain(`name ${directory}/f`)
  expect(await bed.get('/d/f')).toBe('theirs')
})

test('a file that was written on both sides is two: theirs has the name, ours goes on beside it for who has it open', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, file('/d/f', 'old')], { isWritable: true })
  const [node, directory] = [await bed.node('/d/f'), await bed.node('/d')]
  await bed.put('/d/f', 'ours')
  const reply = await bed.open(node)
  if (typeof reply === 'number') throw new Error(`open: ${reply}`)
  await bed.commit([write('/d/f', 'theirs')])
  await bed.follow()
  expect(await bed.get('/d/f')).toBe('ours')
  const told = await bed.publishAndFollow()
  expect(told).toContain(`name ${directory}/f`)
  expect(await bed.get('/d/f')).toBe('theirs')
  const kept = (await names(bed, '/d')).find((name) => name.includes('.conflict-'))
  expect(kept).toMatch(/^f\.conflict-bed-/)
  expect(await bed.get(`/d/${kept!}`)).toBe('ours')
  expect(await bed.node(`/d/${kept!}`)).toBe(node)
  expect(await bed.node('/d/f')).not.toBe(node)
  bed.handler.release(node, reply.handle)
})

test('who has ours open for writing goes on with it, although somebody has found it by its new name before', async () => {
  const bed = await HandlerBed.make([file('/f', 'old')], { isWritable: true })
  const node = await bed.node('/f')
  const reply = await bed.open(node, openFlag.O_RDWR)
  if (typeof reply === 'number') throw new Error(`open: ${reply}`)
  const put = (text: string): unknown => bed.writable.write(node, reply.handle, 0, utf8(text), { isFromCache: false, killsPrivileges: false, caller })
  expect(put('ours')).toEqual({ written: 4 })
  await bed.commit([write('/f', 'theirs')])
  const published = await bed.publish()
  const [conflict] = published.conflicts
  await bed.follow()
  expect(await bed.get(conflict!.keptAs)).toBe('ours')
  bed.handler.published(published)
  expect(bed.handler.isOpenForWriting(conflict!.keptId)).toBe(true)
  // Given back if nobody had it open.
  bed.nowMs += 60_000
  bed.handler.tick(bed.nowMs)
  expect(put('more')).toEqual({ written: 4 })
  expect(bed.writing.changes.pending()).toMatchObject({ dirtyFileCount: 1 })
  bed.handler.release(node, reply.handle)
  await bed.publishAndFollow()
  expect([await bed.get('/f'), await bed.get(conflict!.keptAs)]).toEqual(['theirs', 'more'])
})

test('a directory that was made on both sides is one', async () => {
  const bed = await HandlerBed.make([], { isWritable: true })
  await bed.mkdir('/d')
  await bed.put('/d/ours', 'o')
  await bed.commit([{ op: 'mkdir', path: '/d' }, file('/d/theirs', 't')])
  await bed.follow()
  expect(await names(bed, '/d')).toEqual(['ours'])
  const node = await bed.node('/d')
  await bed.publishAndFollow()
  expect(await names(bed, '/d')).toEqual(['ours', 'theirs'])
  expect(await bed.node('/d')).toBe(node)
  await bed.put('/d/more', 'm')
  await bed.publishAndFollow()
  expect(await names(bed, '/d')).toEqual(['more', 'ours', 'theirs'])
})

test('after a change too big to list, what was ours is looked up again when it is used', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, file('/d/f', 'old')], { isWritable: true })
  await bed.mkdir('/d/sub')
  await bed.put('/d/sub/deep', 'deep')
  await bed.put('/d/f', 'ours')
  const published = await bed.publish()
  await bed.commit([write('/d/sub/deep', 'theirs'), file('/d/sub/more', 'm')])
  bed.handler.published(published)
  expect(await bed.follow(true)).toContain('everything')
  expect(bed.writing.changes.isEmpty).toBe(true)
  expect([await bed.get('/d/f'), await bed.get('/d/sub/deep'), await names(bed, '/d/sub')]).toEqual(['ours', 'theirs', ['deep', 'more']])
})

test('a commit of others right behind ours is seen below directories that we made', async () => {
  const bed = await HandlerBed.make([], { isWritable: true })
  await bed.mkdir('/d')
  await bed.put('/d/f', 'ours')
  const published = await bed.publish()
  await bed.commit([write('/d/f', 'theirs'), file('/d/more', 'm')])
  bed.handler.published(published)
  await bed.follow()
  expect([await bed.get('/d/f'), await names(bed, '/d')]).toEqual(['theirs', ['f', 'more']])
})

test('a directory with our changes that others removed keeps them for who works in it', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, { op: 'mkdir', path: '/d/sub' }, file('/d/sub/f', 'f')], { isWritable: true })
  const sub = await bed.node('/d/sub')
  await bed.put('/d/sub/ours', 'o')
  await bed.commit([{ op: 'rmdir', path: '/d/sub', recursive: true }])
  await bed.follow()
  const found = await answered(bed.handler.lookup(sub, 'ours', caller))
  expect(found).toMatchObject({ attributes: { size: 1 } })
  await bed.publishAndFollow()
  expect(await bed.get('/d/sub/ours')).toBe('o')
  expect(await bed.unlink('/d/sub/ours')).toBe(0)
  expect(await bed.unlink('/d/sub/ours')).toBe(-errno.ENOENT)
})

test('what was changed below a directory that was moved here is listed when both are published, and what others changed there', async () => {
  const bed = await HandlerBed.make(
    [{ op: 'mkdir', path: '/a' }, { op: 'mkdir', path: '/a/moved' }, { op: 'mkdir', path: '/a/moved/below' }, { op: 'mkdir', path: '/to' }, file('/a/moved/below/old', 'old')],
    { isWritable: true },
  )
  expect(await names(bed, '/a/moved/below')).toEqual(['old'])
  await bed.rename('/a/moved', '/to/moved')
  await bed.put('/to/moved/below/new', 'new')
  await bed.commit([file('/a/moved/below/theirs', 'theirs')])
  await bed.publishAndFollow()
  expect(bed.writing.changes.isEmpty).toBe(true)
  expect(await names(bed, '/to/moved/below')).toEqual(['new', 'old', 'theirs'])
})

test('a directory with our changes that others moved is where they moved it', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/a' }, { op: 'mkdir', path: '/a/deep' }, file('/a/deep/f', 'f'), { op: 'mkdir', path: '/n' }], { isWritable: true })
  const [node, deep] = [await bed.node('/a'), await bed.node('/a/deep')]
  await bed.put('/a/ours', 'o')
  await bed.put('/a/deep/f', 'newer')
  await bed.commit([{ op: 'rename', path: '/a', to: '/n/b' }])
  expect(await bed.follow()).toEqual(expect.arrayContaining(['name 1/a']))
  expect(await bed.lookup('/a')).toMatchObject({ nodeId: 0 })
  expect(await bed.node('/n/b')).toBe(node)
  expect([await bed.get('/n/b/ours'), await bed.get('/n/b/deep/f'), await bed.node('/n/b/deep')]).toEqual(['o', 'newer', deep])
  await bed.put('/n/b/more', 'm')
  await bed.publishAndFollow()
  expect(bed.writing.changes.isEmpty).toBe(true)
  expect([await names(bed, '/n/b'), await bed.get('/n/b/deep/f')]).toEqual([['deep', 'more', 'ours'], 'newer'])
  expect(await names(bed, '/')).toEqual(['n'])
  expect(await bed.node('/n/b')).toBe(node)
})

test('a directory with a removal of ours that others removed is gone', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/d' }, file('/d/f', 'f')], { isWritable: true })
  await bed.unlink('/d/f')
  await bed.commit([{ op: 'rmdir', path: '/d', recursive: true }])
  await bed.follow()
  await bed.publishAndFollow()
  expect(await names(bed, '/')).toEqual([])
})

test('a file that went on changing below a directory that was moved shows what was published last', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/a' }, { op: 'mkdir', path: '/a/moved' }, file('/a/moved/f', 'old')], { isWritable: true })
  await bed.put('/a/moved/f', 'first')
  const published = await bed.publish()
  await bed.put('/a/moved/f', 'second')
  bed.handler.published(published)
  await bed.follow()
  await bed.rename('/a/moved', '/moved')
  await bed.publishAndFollow()
  expect(bed.writing.changes.isEmpty).toBe(true)
  expect(await bed.get('/moved/f')).toBe('second')
})

test('a file whose known name was taken by another one while it moved into the volume is no file without a name', async () => {
  const bed = await HandlerBed.make([{ op: 'mkdir', path: '/a' }, { op: 'mkdir', path: '/a/moved' }, file('/f', 'text'), file('/g', 'other')], { isWritable: true })
  const node = await bed.node('/f')
  await bed.link('/f', '/a/f')
  await bed.rename('/g', '/f')
  await bed.rename('/a/moved', '/moved')
  await bed.publishAndFollow()
  expect(bed.writing.changes.isEmpty).toBe(true)
  expect(await answered(bed.handler.getattr(node, undefined))).toMatchObject({ attributes: { linkCount: 1, size: 4 } })
  expect(await bed.get('/a/f')).toBe('text')
  expect(await bed.attributes('/a/f')).toMatchObject({ linkCount: 1 })
})
