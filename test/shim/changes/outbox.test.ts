/**
 * What a batch has of bodies: which may have changed since, and what becomes of them when it is a commit.
 */
import { beforeEach, describe, expect, test } from 'vitest'
import { errno } from '../../../shared/errno.ts'
import type { Entry, FileId } from '../../../shared/format/entry.ts'
import { rootFileId } from '../../../shared/volume/file-id.ts'
import type { Batch } from '../../../shim/changes/publishing.ts'
import { ChangesWorld } from '../../support/changes-world.ts'
import { FakeBody } from '../../support/fake-body.ts'

let world: ChangesWorld

beforeEach(() => {
  world = new ChangesWorld(7)
})

const idAt = (name: string): FileId => world.tree.names.get(rootFileId)!.get(name)!

function taken(isEverything = false): Batch {
  const batch = world.changes.takeBatch({ isEverything })
  if (typeof batch !== 'object' || !('changes' in batch)) throw new Error('There is no batch')
  return batch
}

describe('a body that stands as the one of the batch did, and is another', () => {
  const set = { seconds: 1, nanoseconds: 0 }
  const asSet = (data: string): FakeBody => {
    const serial = world.disk.create(data)
    world.disk.files.get(serial)!.mtimeSeconds = set.seconds
    return new FakeBody(world.disk, serial)
  }
  const put = (id: FileId, body: FakeBody): void => {
    const entry: Entry = { ...world.tree.nodes.get(id)!, mtime: set, size: 9, ctime: { seconds: world.disk.tick(), nanoseconds: 0 } }
    expect(world.changes.apply({ nodes: [{ entry, base: undefined, body }] })).toBe(0)
  }
  const start = (): { readonly id: FileId; readonly batch: Batch } => {
    world.create(rootFileId, 'a', 'x')
    const id = idAt('a')
    put(id, asSet('version 1'))
    return { id, batch: taken() }
  }

  test('is not published by it', () => {
    const { id, batch } = start()
    const published = world.commit(batch, new Set())
    put(id, asSet('version 2'))
    world.changes.settle(published)
    world.show()
    expect(world.changes.pending().dirtyFileCount).toBe(1)
    const next = taken()
    expect(next.bodies.map(({ path }) => world.disk.read(path))).toEqual(['version 2'])
  })

  test('is not published by it when the process ends before it heard of the commit', () => {
    const { id, batch } = start()
    const published = world.commit(batch, new Set())
    const body = world.changes.node(id)!.body!
    // As a program does that writes, and sets the time to what it was.
    body.write('version 2')
    world.disk.files.get(body.serial)!.mtimeSeconds = set.seconds
    put(id, body)
    world.crash()
    world.changes.settle(published)
    world.show()
    expect(world.changes.pending().dirtyFileCount).toBe(1)
    expect(taken().bodies.map(({ path }) => world.disk.read(path))).toEqual(['version 2'])
  })

  test('that of a batch of before the restart is, when nothing was done to it', () => {
    const { batch } = start()
    const published = world.commit(batch, new Set())
    world.crash()
    world.changes.settle(published)
    world.show()
    expect(world.changes.pending().dirtyFileCount).toBe(0)
  })

  test('is not clean after a restart when the process wrote into it and kept the time', () => {
    const { id } = start()
    world.changes.notPublished()
    world.open.add(id)
    world.changes.settle(world.commit(taken(true), new Set()))
    world.show()
    expect(world.changes.pending().dirtyFileCount).toBe(0)
    const body = world.changes.node(id)!.body!
    body.write('version 2')
    world.disk.files.get(body.serial)!.mtimeSeconds = set.seconds
    expect(world.changes.noteWritten(id, 0, 9, false)).toBe(0)
    world.crash()
    expect(world.changes.pending().dirtyFileCount).toBe(1)
  })
})

test('who has a body is asked before how it stands', () => {
  world.create(rootFileId, 'a', 'x')
  const body = world.changes.node(idAt('a'))!.body!
  const asked: string[] = []
  const spied = Object.defineProperties(body, {
    isAlone: { get: () => asked.push('who') > 0 },
    fstat: { value: () => (asked.push('how'), { size: 1, mtimeSeconds: 1, mtimeNanoseconds: 0 }) },
  })
  expect(taken().bodies).toMatchObject([{ path: spied.path, isOpen: false }])
  expect(asked).toEqual(['who', 'how'])
})

test('a body that the disk does not let us look at is told of, and does not pass for published', () => {
  world.create(rootFileId, 'a', 'x')
  world.create(rootFileId, 'b', 'y')
  const id = idAt('a')
  const { body } = world.changes.node(id)!
  const file = world.disk.files.get(body!.serial)!
  world.disk.remove(body!.path)
  const unseen = [{ id, label: '/a', size: 1, result: -errno.ENOENT }]
  const batch = taken(true)
  expect([batch.unseen, batch.bodies.map((each) => each.id)]).toEqual([unseen, [idAt('b')]])
  world.take(world.changes.settle(world.commit(batch, new Set())))
  world.show()
  // There is nothing else now.
  expect(taken(true)).toMatchObject({ unseen, bodies: [], changes: { names: [], nodes: [] } })
  world.changes.notPublished()
  world.disk.files.set(body!.serial, file)
  expect(taken(true)).toMatchObject({ unseen: [], bodies: [{ id }] })
})
