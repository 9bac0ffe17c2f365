import { beforeEach, describe, expect, test } from 'vitest'
import { decodeEntry, encodeEntry } from '../../../shared/format/entry-codec.ts'
import type { FileId } from '../../../shared/format/entry.ts'
import { rootFileId } from '../../../shared/volume/file-id.ts'
import type { Batch } from '../../../shim/changes/publishing.ts'
import { ChangesWorld } from '../../support/changes-world.ts'

let world: ChangesWorld

beforeEach(() => {
  world = new ChangesWorld(7)
})

const idAt = (name: string, directory: FileId = rootFileId): FileId => world.tree.names.get(directory)!.get(name)!

function taken(): Batch {
  const batch = world.changes.takeBatch({ isEverything: false })
  if (typeof batch !== 'object' || !('changes' in batch)) throw new Error('There is no batch')
  return batch
}

function publish(): void {
  world.take(world.changes.settle(world.commit(taken(), new Set())))
  world.show()
}

describe('when others commit', () => {
  test('places follow directories that they move', () => {
    world.makeDirectory(rootFileId, 'd')
    world.makeDirectory(rootFileId, 'e')
    publish()
    const [d, e] = [idAt('d'), idAt('e')]
    world.create(d, 'a', 'x')
    const entry = encodeEntry(world.shown.nodes.get(d)!)
    const names = [
      { directoryId: rootFileId, name: 'd', entry: undefined, beforeId: d },
      { directoryId: e, name: 'moved', entry, beforeId: undefined },
    ]
    world.changes.baseMoved({ seq: world.shownSeq + 1, names })
    expect(world.changes.place(d)).toEqual({ id: d, parentId: e, name: 'moved' })
    // The merge looks for what moved from the oldest snapshot that a change was made from.
    expect(taken()).toMatchObject({ baseSeq: world.shownSeq })
  })

  test('what they did to the same name is seen in the counts, and is not what ours was made from', () => {
    world.create(rootFileId, 'a', 'x')
    publish()
    const theirs = { ...world.shown.nodes.get(idAt('a'))!, id: world.newId(), kind: 'directory', content: { kind: 'tree', root: { pointer: undefined, entryCount: 0, directoryCount: 0 } }, size: 0 } as const
    world.create(rootFileId, 'b', 'x')
    expect(world.changes.counts(rootFileId)).toMatchObject({ entries: 1, directories: 0 })
    world.changes.baseMoved({ seq: world.shownSeq + 1, names: [{ directoryId: rootFileId, name: 'b', entry: encodeEntry(theirs), beforeId: undefined }] })
    expect(world.changes.counts(rootFileId)).toMatchObject({ entries: 0, directories: -1 })
    expect(taken().changes.names).toEqual([{ directoryId: rootFileId, name: 'b', before: undefined, after: idAt('b') }])
  })

  test('a name that was lost leads to theirs, and what was done since is done to ours', () => {
    world.create(rootFileId, 'a', 'x')
    const id = idAt('a')
    const batch = taken()
    world.setMode(id, 0o600)
    const published = world.commit(batch, new Set())
    const keptId = world.newId()
    const nodes = published.nodes.map((node) => (node.id === id ? { id: keptId, entry: encodeEntry({ ...decodeEntry(node.entry), id: keptId }) } : node))
    const conflicts = [{ path: '/a', keptAs: '/a.conflict', keptIn: rootFileId, id, keptId }]
    world.changes.baseMoved({ seq: published.seq })
    const settled = world.changes.settle({ ...published, nodes, conflicts })
    expect(new Set(settled.lost)).toEqual(new Set(['a', 'a.conflict'].map((name) => ({ directoryId: rootFileId, name }))))
    expect(settled.nodes).toContainEqual(expect.objectContaining({ id, keptId }))
    expect([world.changes.node(id), world.changes.target(rootFileId, 'a')]).toEqual([undefined, undefined])
    const next = taken()
    expect(next.changes.names).toEqual([{ directoryId: rootFileId, name: 'a.conflict', before: keptId, after: keptId }])
    expect(next.changes.nodes).toMatchObject([{ id: keptId, before: { mode: 0o644 }, after: { mode: 0o600 } }])
  })

  test('a lost name that was removed since is removed where it is kept, one that was replaced is put again', () => {
    world.create(rootFileId, 'a', 'x')
    world.create(rootFileId, 'b', 'x')
    const [a, b] = [idAt('a'), idAt('b')]
    const batch = taken()
    world.remove(rootFileId, 'a')
    world.remove(rootFileId, 'b')
    world.create(rootFileId, 'b', 'new')
    const published = world.commit(batch, new Set())
    const conflicts = [a, b].map((id, index) => ({ path: `/${'ab'[index]}`, keptAs: `/${'ab'[index]}.conflict`, keptIn: rootFileId, id, keptId: id }))
    world.changes.baseMoved({ seq: published.seq })
    world.changes.settle({ ...published, conflicts })
    const { names } = taken().changes
    expect(new Set(names)).toEqual(
      new Set([
        { directoryId: rootFileId, name: 'a.conflict', before: a, after: undefined },
        { directoryId: rootFileId, name: 'b.conflict', before: b, after: undefined },
        { directoryId: rootFileId, name: 'b', before: undefined, after: idAt('b') },
      ]),
    )
  })

  test('a directory that both made is theirs, with what was made in it since', () => {
    world.makeDirectory(rootFileId, 'd')
    const id = idAt('d')
    const batch = taken()
    world.create(id, 'a', 'x')
    const published = world.commit(batch, new Set())
    const into = world.newId()
    world.changes.baseMoved({ seq: published.seq })
    const nodes = published.nodes.map((node) => (node.id === id ? { id: into, entry: encodeEntry({ ...decodeEntry(node.entry), id: into }) } : node))
    world.changes.settle({ ...published, nodes, merged: [{ id, into }] })
    const { names, places } = taken().changes
    expect(names).toEqual([{ directoryId: into, name: 'a', before: undefined, after: idAt('a', id) }])
    expect(places).toEqual([{ id: into, parentId: rootFileId, name: 'd' }])
  })
})

describe('what both made', () => {
  test('stays found: places of directories in one that has become theirs, and names that lost a name there', () => {
    world.makeDirectory(rootFileId, 'd')
    const id = idAt('d')
    world.makeDirectory(id, 'e')
    world.create(id, 'lost', 'x')
    const [e, lost] = [idAt('e', id), idAt('lost', id)]
    const batch = taken()
    world.create(e, 'in', 'x')
    world.create(id, 'since', 'x')
    world.setMode(lost, 0o600)
    const published = world.commit(batch, new Set())
    const into = world.newId()
    const nodes = published.nodes.map((node) => (node.id === id ? { id: into, entry: encodeEntry({ ...decodeEntry(node.entry), id: into }) } : node))
    const conflicts = [{ path: '/d/lost', keptAs: '/d/lost.conflict', keptIn: into, id: lost, keptId: lost }]
    world.changes.baseMoved({ seq: published.seq })
    world.changes.settle({ ...published, nodes, merged: [{ id, into }], conflicts })
    const { names, places } = taken().changes
    expect(new Set(names)).toEqual(
      new Set([
        { directoryId: into, name: 'lost.conflict', before: lost, after: lost },
        { directoryId: into, name: 'since', before: undefined, after: idAt('since', id) },
        { directoryId: e, name: 'in', before: undefined, after: idAt('in', e) },
      ]),
    )
    expect(new Set(places)).toEqual(
      new Set([
        { id: into, parentId: rootFileId, name: 'd' },
        { id: e, parentId: into, name: 'e' },
      ]),
    )
  })

  test('is kept where another of ours was to be, which is kept elsewhere', () => {
    world.create(rootFileId, 'a', 'x')
    world.create(rootFileId, 'b', 'x')
    const [a, b] = [idAt('a'), idAt('b')]
    const batch = taken()
    world.setMode(a, 0o600)
    world.setMode(b, 0o600)
    const published = world.commit(batch, new Set())
    const conflicts = [
      { path: '/a', keptAs: '/b', keptIn: rootFileId, id: a, keptId: a },
      { path: '/b', keptAs: '/b.conflict', keptIn: rootFileId, id: b, keptId: b },
    ]
    world.changes.baseMoved({ seq: published.seq })
    world.changes.settle({ ...published, conflicts })
    expect(new Set(taken().changes.names)).toEqual(
      new Set([
        { directoryId: rootFileId, name: 'b', before: a, after: a },
        { directoryId: rootFileId, name: 'b.conflict', before: b, after: b },
      ]),
    )
  })
})

test('a directory whose names change in the tick in which a batch took it stays changed, and is told of with the next commit', () => {
  world.isClockStill = true
  world.makeDirectory(rootFileId, 'd')
  const d = idAt('d')
  const batch = taken()
  world.create(d, 'a', 'x')
  world.take(world.changes.settle(world.commit(batch, new Set())))
  world.show()
  // Its entry is as it was committed; its tree is not, as soon as the name is there.
  expect(world.changes.node(d)).toBeDefined()
  const next = taken()
  expect(next.changes.nodes.map(({ id }) => id)).toContain(d)
  const published = world.commit(next, new Set())
  world.changes.baseMoved({ seq: published.seq })
  const settled = world.changes.settle(published)
  expect(settled.nodes).toContainEqual(expect.objectContaining({ id: d, bytes: expect.any(Uint8Array) }))
  expect(world.changes.node(d)).toBeUndefined()
})
