import { beforeEach, describe, expect, test } from 'vitest'
import { errno } from '../../../shared/errno.ts'
import { messageOf } from '../../../shared/error.ts'
import type { Entry, FileId } from '../../../shared/format/entry.ts'
import { rootFileId } from '../../../shared/volume/file-id.ts'
import type { Batch } from '../../../shim/changes/publishing.ts'
import { nothingSettled } from '../../../shim/changes/outbox.ts'
import { ChangesWorld } from '../../support/changes-world.ts'
import { FakeBody } from '../../support/fake-body.ts'
import { dataPack } from '../../support/page-memory.ts'
import { hashOf } from '../../support/hash-of.ts'

let world: ChangesWorld

beforeEach(() => {
  world = new ChangesWorld(7)
})

const idAt = (name: string, directory: FileId = rootFileId): FileId => world.tree.names.get(directory)!.get(name)!

function taken(isEverything = false): Batch {
  const batch = world.changes.takeBatch({ isEverything })
  if (typeof batch !== 'object' || !('changes' in batch)) throw new Error('There is no batch')
  return batch
}

/** What is there now becomes the volume, and is shown. */
function publish(isEverything = true): void {
  const batch = world.changes.takeBatch({ isEverything })
  if (typeof batch === 'object' && 'changes' in batch) world.take(world.changes.settle(world.commit(batch, new Set())))
  world.show()
}

function caught(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    return messageOf(error)
  }
  return 'nothing'
}

const changeCount = (): number => world.changes.pending().changeCount

describe('what is net', () => {
  test('a file that comes and goes before it is published leaves nothing', () => {
    publish()
    world.create(rootFileId, 'a', 'x')
    world.remove(rootFileId, 'a')
    const batch = taken()
    expect(batch.changes.names).toEqual([])
    // The directory's times have moved.
    expect(batch.changes.nodes.map(({ id }) => id)).toEqual([rootFileId])
    expect(batch.bodies).toEqual([])
  })

  test('a name that is put back is no change; its inode is found by it', () => {
    world.create(rootFileId, 'a', 'x')
    publish()
    expect(changeCount()).toBe(0)
    const id = idAt('a')
    world.rename(rootFileId, 'a', rootFileId, 'b')
    world.rename(rootFileId, 'b', rootFileId, 'a')
    const { names, nodes } = taken().changes
    expect(names).toEqual([{ directoryId: rootFileId, name: 'a', before: id, after: id }])
    expect(new Set(nodes.map((node) => node.id))).toEqual(new Set([rootFileId, id]))
  })

  test('an inode that is changed where it stands comes with one of its names', () => {
    world.create(rootFileId, 'a', 'x')
    publish()
    const id = idAt('a')
    world.setMode(id, 0o600)
    const { names, nodes, places } = taken().changes
    expect(names).toEqual([{ directoryId: rootFileId, name: 'a', before: id, after: id }])
    expect(nodes.map((node) => [node.before?.mode, node.after?.mode])).toEqual([[0o644, 0o600]])
    expect(places).toEqual([])
  })

  test('an inode that is as it was is no change', () => {
    world.create(rootFileId, 'a', 'x')
    publish()
    const entry = world.shown.nodes.get(idAt('a'))!
    const name = { directoryId: rootFileId, name: 'a', to: { id: entry.id, kind: entry.kind }, base: { id: entry.id, kind: entry.kind } }
    expect(world.changes.apply({ names: [name], nodes: [{ entry: { ...entry, mode: 0o777 }, base: entry }] })).toBe(0)
    expect(changeCount()).toBe(1)
    expect(world.changes.apply({ nodes: [{ entry, base: undefined }] })).toBe(0)
    expect(world.changes.node(entry.id)).toBeUndefined()
    expect(changeCount()).toBe(0)
    expect(world.changes.takeBatch({ isEverything: true })).toBeUndefined()
    expect(world.changes.isEmpty).toBe(true)
  })

  test('what is removed of the volume is said to be gone', () => {
    world.create(rootFileId, 'a', 'x')
    publish()
    const id = idAt('a')
    world.remove(rootFileId, 'a')
    const { names, nodes } = taken().changes
    expect(names).toEqual([{ directoryId: rootFileId, name: 'a', before: id, after: undefined }])
    expect(nodes.find((node) => node.id === id)?.after).toBeUndefined()
  })

  test('directories are found by their places, those above too, new ones by their names', () => {
    world.makeDirectory(rootFileId, 'd')
    world.makeDirectory(idAt('d'), 'e')
    publish()
    const [d, e] = [idAt('d'), idAt('e', idAt('d'))]
    world.create(e, 'f', 'x')
    world.makeDirectory(e, 'new')
    world.create(idAt('new', e), 'g', 'x')
    expect(new Set(taken().changes.places)).toEqual(
      new Set([
        { id: d, parentId: rootFileId, name: 'd' },
        { id: e, parentId: d, name: 'e' },
      ]),
    )
  })

  test('the size of an entry is that of its content, also while its file is longer', () => {
    world.create(rootFileId, 'a', 'longer than nothing')
    const { nodes, names } = taken().changes
    expect(names).toHaveLength(1)
    expect(nodes.find(({ before }) => before === undefined)?.after).toMatchObject({ size: 0, content: { kind: 'inline', bytes: new Uint8Array(0) } })
  })
})

describe('while a batch is out', () => {
  test('a file that is removed is removed in the volume, too', () => {
    world.create(rootFileId, 'a', 'x')
    const batch = taken()
    const id = idAt('a')
    world.remove(rootFileId, 'a')
    expect(world.changes.target(rootFileId, 'a')).toBeNull()
    world.take(world.changes.settle(world.commit(batch, new Set())))
    world.show()
    expect(world.faults()).toEqual([])
    const next = taken()
    expect(next.changes.names).toEqual([{ directoryId: rootFileId, name: 'a', before: id, after: undefined }])
    expect(next.changes.nodes.find((node) => node.id === id)).toMatchObject({ before: { id }, after: undefined })
  })

  test('that came to nothing, a file that is removed leaves nothing', () => {
    world.create(rootFileId, 'a', 'x')
    taken()
    const id = idAt('a')
    world.remove(rootFileId, 'a')
    world.changes.notPublished()
    expect(world.changes.node(id)).toBeUndefined()
    expect(taken().changes.names).toEqual([])
  })

  test('what changes again is compared with what went out', () => {
    world.create(rootFileId, 'a', 'x')
    const id = idAt('a')
    world.setMode(id, 0o600)
    const batch = taken()
    world.setXattr(id, 'user.y', 'z')
    world.take(world.changes.settle(world.commit(batch, new Set())))
    world.show()
    const [node] = taken().changes.nodes
    expect(node).toMatchObject({ id, before: { mode: 0o600 }, after: { mode: 0o600 } })
    expect([node?.before?.xattrs.size, node?.after?.xattrs.size]).toEqual([0, 1])
  })

  test('nothing else goes out; its fate can be asked for', () => {
    world.create(rootFileId, 'a', 'x')
    const { nonce, counter, baseSeq } = taken()
    world.create(rootFileId, 'b', 'x')
    expect(world.changes.takeBatch({ isEverything: true })).toEqual({ nonce, counter, baseSeq })
  })

  test('it is settled when its snapshot is shown, whichever is heard of first', () => {
    world.create(rootFileId, 'a', 'x')
    const published = world.commit(taken(), new Set())
    expect(world.changes.settle(published)).toEqual(nothingSettled)
    expect(changeCount()).toBe(3)
    world.show()
    expect(changeCount()).toBe(0)
    expect(world.changes.isEmpty).toBe(true)
  })
})

describe('bodies', () => {
  test('that were published and that nobody has are given back; those that changed stay', () => {
    world.create(rootFileId, 'a', 'x')
    world.create(rootFileId, 'b', 'x')
    const [a, b] = [idAt('a'), idAt('b')]
    const batch = taken()
    expect(world.changes.verify([a, b])).toEqual([a, b])
    const published = world.commit(batch, new Set())
    world.write(b, 'y')
    expect(world.changes.verify([a, b])).toEqual([a])
    world.shownSeq = published.seq
    world.changes.baseMoved({ seq: published.seq })
    const { nodes } = world.changes.settle(published)
    expect(nodes.flatMap(({ id, body }) => (body === undefined ? [] : [id]))).toEqual([a])
    expect(world.changes.node(a)).toBeUndefined()
    expect(world.changes.node(b)?.body?.read()).toBe('y')
    expect(taken().bodies.map(({ id }) => id)).toEqual([b])
  })

  test('of files that are open go out at most every 30 s, but when everything is to', async () => {
    world.create(rootFileId, 'a', 'x')
    const id = idAt('a')
    world.openForWriting(id)
    expect(taken().bodies).toMatchObject([{ id, isOpen: true }])
    world.changes.notPublished()
    const left = taken()
    expect([left.bodies, left.changes.names.length]).toEqual([[], 1])
    world.changes.notPublished()
    expect(taken(true).bodies).toHaveLength(1)
    world.changes.notPublished()
    await world.clock.advance(30_000)
    expect(taken().bodies).toHaveLength(1)
    world.changes.notPublished()
    world.open.delete(id)
    expect(taken().bodies).toMatchObject([{ id, isOpen: false }])
  })

  test('that were opened and not written are not read, and given back when they are closed', () => {
    world.create(rootFileId, 'a', 'x')
    publish()
    const id = idAt('a')
    world.openForWriting(id)
    expect(changeCount()).toBe(0)
    expect(world.changes.takeBatch({ isEverything: true })).toBeUndefined()
    world.open.delete(id)
    expect(world.changes.releaseClean(1, id)).toMatchObject([{ id, keptId: id }])
    expect(world.changes.isEmpty).toBe(false)
    // The name that said where it is goes with the next look.
    expect(world.changes.takeBatch({ isEverything: true })).toBeUndefined()
    expect(world.changes.isEmpty).toBe(true)
  })

  test('that are mapped stay, are made clean before they are read, and are given back in the end', () => {
    world.create(rootFileId, 'a', 'x')
    const id = idAt('a')
    const { body } = world.changes.node(id)!
    world.disk.mapped.add(body!.serial)
    // A mapping holds no handle. What it stores into a page that is dirty already does not show.
    expect(taken().bodies).toMatchObject([{ id, isOpen: true }])
    world.changes.notPublished()
    publish()
    expect(changeCount()).toBe(0)
    expect(world.changes.releaseClean(10)).toEqual([])
    world.disk.mapped.clear()
    expect(world.changes.releaseClean(10).map((node) => node.body)).toEqual([body])
  })

  test('are pinned as long as their batch is out', () => {
    world.create(rootFileId, 'a', 'x')
    const { body } = world.changes.node(idAt('a'))!
    taken()
    expect(body?.pinCount).toBe(1)
    world.changes.notPublished()
    expect(body?.pinCount).toBe(0)
    const batch = taken()
    world.take(world.changes.settle(world.commit(batch, new Set())))
    world.show()
    expect(body?.pinCount).toBe(0)
  })

  test('are named by their paths, and what waits is told', () => {
    world.makeDirectory(rootFileId, 'd')
    world.create(idAt('d'), 'a', 'four')
    const id = idAt('a', idAt('d'))
    expect(world.changes.waiting(10)).toEqual([{ id, label: '/d/a', size: 4, isOpen: false }])
    expect(world.changes.pending()).toMatchObject({ dirtyFileCount: 1, dirtyBytes: 4, oldestMs: world.clock.now() })
    expect(taken().bodies.map(({ label, size }) => [label, size])).toEqual([['/d/a', 4]])
  })
})

describe('the journal', () => {
  test('that cannot be written leaves everything as it was', () => {
    world.create(rootFileId, 'a', 'x')
    const before = world.changes.pending()
    world.journal.failure = -errno.ENOSPC
    const { directoryId, name } = { directoryId: rootFileId, name: 'b' }
    expect(world.changes.apply({ names: [{ directoryId, name, to: { id: idAt('a'), kind: 'file' }, base: undefined }] })).toBe(-errno.ENOSPC)
    expect(world.changes.target(rootFileId, 'b')).toBeUndefined()
    // Who waits for it is not told that there is nothing.
    expect(world.changes.takeBatch({ isEverything: true })).toBe(-errno.ENOSPC)
    expect(world.changes.pending()).toEqual(before)
    world.journal.failure = 0
    const published = world.commit(taken(), new Set())
    world.show()
    world.journal.failure = -errno.EIO
    expect(world.changes.settle(published)).toEqual(nothingSettled)
    world.journal.failure = 0
    world.take(world.changes.tick())
    expect(world.changes.isEmpty).toBe(true)
  })

  test('refuses extended attributes that no entry can hold', () => {
    const entry: Entry = { ...world.tree.nodes.get(rootFileId)!, xattrs: new Map([['user.large', new Uint8Array(60_000)]]) }
    expect(world.changes.apply({ nodes: [{ entry, base: world.tree.nodes.get(rootFileId)! }] })).toBe(-errno.ENOSPC)
    expect(world.changes.node(rootFileId)).toBeUndefined()
  })

  test('begins anew when it is long', () => {
    for (let index = 0; index < 50; index += 1) world.create(rootFileId, `f${index}`, 'x')
    for (let index = 0; index < 40; index += 1) world.remove(rootFileId, `f${index}`)
    world.journal.isLong = true
    const before = world.journal.records.length
    world.changes.tick()
    expect(world.journal.records.length).toBeLessThan(before / 10)
    expect(world.crash()).toMatchObject({ nameCount: 10, bodyCount: 10, lost: [] })
    expect(world.faults()).toEqual([])
  })

  test('knows which bodies hold what is published', () => {
    world.create(rootFileId, 'a', 'x')
    publish()
    world.openForWriting(idAt('a'))
    world.journal.isLong = true
    world.changes.tick()
    world.crash()
    expect([changeCount(), world.changes.isEmpty]).toEqual([0, false])
    expect(world.changes.releaseClean(1)).toHaveLength(1)
  })

  test('has places of directories as long as something in them is changed', () => {
    world.makeDirectory(rootFileId, 'd')
    publish()
    const id = idAt('d')
    expect(world.changes.hasPlace(id)).toBe(false)
    world.create(id, 'a', 'x')
    expect(world.changes.place(id)).toEqual({ id, parentId: rootFileId, name: 'd' })
    publish()
    expect(world.changes.hasPlace(id)).toBe(false)
  })

  test('knows how long a published content is whose pages do not say it, also when its file is shorter and has other attributes', () => {
    world.create(rootFileId, 'a', 'x')
    publish()
    const id = idAt('a')
    const pointer = { hash: hashOf(new Uint8Array(1)), pack: dataPack, offset: 0, length: 100 }
    const root = { kind: 'page', pointer, contentId: hashOf(new Uint8Array(2)) } as const
    const base: Entry = { ...world.shown.nodes.get(id)!, size: 5_000_000, content: { kind: 'manifest', root } }
    const anchor = { directoryId: rootFileId, name: 'a', to: { id, kind: 'file' }, base: { id, kind: 'file' } } as const
    const body = new FakeBody(world.disk, world.disk.create('cut'))
    expect(world.changes.apply({ names: [anchor], nodes: [{ entry: { ...base, size: 3 }, base, body }] })).toBe(0)
    // Decoded again, as a handler may.
    const again = { ...base, size: 3, content: { kind: 'manifest', root: { ...root } }, xattrs: new Map([['user.x', new Uint8Array(1)]]) } as const
    expect(world.changes.apply({ nodes: [{ entry: again, base: undefined }] })).toBe(0)
    const afterOf = (): unknown => taken().changes.nodes.find((node) => node.id === id)?.after?.size
    expect(afterOf()).toBe(5_000_000)
    world.changes.notPublished()
    world.crash()
    expect(afterOf()).toBe(5_000_000)
  })

  test('keeps a file without its bytes when they never reached the disk, and says so', () => {
    world.create(rootFileId, 'a', 'x')
    world.create(rootFileId, 'b', 'x')
    world.disk.remove(world.changes.node(idAt('a'))!.body!.path)
    expect(world.crash().lost).toEqual(['/a'])
    expect(world.changes.node(idAt('a'))).toMatchObject({ body: undefined, entry: { size: 0 } })
    world.bytes.set(idAt('a'), '')
    expect(world.faults()).toEqual([])
  })

  test('is refused as long as it cannot write down what is lost, and goes on when it can', () => {
    world.create(rootFileId, 'a', 'x')
    world.disk.remove(world.changes.node(idAt('a'))!.body!.path)
    const { records } = world.journal
    const messages = [-errno.ENOSPC, -errno.EIO].map((failure) => caught(() => world.crash({ failure })))
    expect(messages).toEqual([
      'Cannot take up what was written and is not published: the local disk is full; nothing of it is lost: make room there and mount again',
      'Cannot take up what was written and is not published: its journal cannot be written, error 5; nothing of it is lost: look at that disk and mount again',
    ])
    expect(world.journal.records).toEqual(records)
    // What is cached makes way.
    let cachedCount = 2
    const makeRoom = (): boolean => {
      if (cachedCount === 0) return false
      cachedCount -= 1
      if (cachedCount === 0) world.journal.failure = 0
      return true
    }
    expect(world.crash({ failure: -errno.ENOSPC, makeRoom }).lost).toEqual(['/a'])
    expect(world.journal.records).toHaveLength(records.length + 1)
    world.bytes.set(idAt('a'), '')
    expect(world.faults()).toEqual([])
  })

  test('has what was written into a body that lies over a published one', () => {
    world.create(rootFileId, 'a', 'x')
    const id = idAt('a')
    const body = world.changes.node(id)!.body!
    const noted = world.journal.records.length
    expect(world.changes.noteWritten(id, 0, 5, false)).toBe(0)
    // All of it is in the backing file: there is nothing to note.
    expect(world.journal.records.length).toBe(noted)
    body.base = { root: { kind: 'inline', page: new Uint8Array(0), contentId: 'x' as never }, length: 100 }
    expect([world.changes.noteWritten(id, 10, 20, true), world.changes.noteWritten(id, 30, 70_000, true)]).toEqual([0, 0])
    world.crash()
    expect(world.changes.node(id)?.body?.writtenEdges).toEqual([10, 20, 30, 70_000])
  })

  test('says of a body how it stands, when the journal could not take down what was written, before it says more', () => {
    world.create(rootFileId, 'a', 'x')
    const id = idAt('a')
    const body = world.changes.node(id)!.body!
    body.base = { root: { kind: 'inline', page: new Uint8Array(0), contentId: 'x' as never }, length: 100 }
    expect(world.changes.noteWritten(id, 0, 50, true)).toBe(0)
    world.journal.failure = -errno.ENOSPC
    expect(world.changes.noteWritten(id, 50, 100, true)).toBe(-errno.ENOSPC)
    body.base = undefined
    world.journal.failure = 0
    expect(world.changes.noteWritten(id, 5, 6, false)).toBe(0)
    world.crash()
    expect(world.changes.node(id)?.body?.base).toBeUndefined()
  })

  test('is synced after the bodies that took the place of others', () => {
    world.create(rootFileId, 'a', 'old')
    world.create(rootFileId, 'b', 'new')
    const { body } = world.changes.node(idAt('b'))!
    world.rename(rootFileId, 'b', rootFileId, 'a')
    const results: number[] = []
    world.changes.syncDependent((result) => results.push(result))
    expect([body?.syncCount, results]).toEqual([1, [0]])
    world.changes.syncDependent((result) => results.push(result))
    expect([body?.syncCount, results]).toEqual([1, [0, 0]])
    world.changes.sync([body!], (result) => results.push(result))
    expect([body?.syncCount, world.journal.syncCount, results]).toEqual([2, 1, [0, 0, 0]])
    body!.syncResult = -errno.EIO
    world.changes.sync([body!], (result) => results.push(result))
    expect([world.journal.syncCount, results.at(-1)]).toEqual([1, -errno.EIO])
  })
})
