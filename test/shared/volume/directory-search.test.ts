/** Two mounts, one of which changed what it does not know the place of any more. */
import { describe, expect, test } from 'vitest'
import { DirectorySearch } from '../../../shared/volume/directory-search.ts'
import type { Snapshot } from '../../../shared/volume/snapshot.ts'
import { type Doing, all, bed, contested, directory, file, link, move, write } from '../../support/doings.ts'
import { SimulatedMount } from '../../support/simulated-mount.ts'
import { expectSound } from '../../support/sound-tree.ts'
import { linesOf, newVolume } from '../../support/test-volume.ts'

const us = 'conflict-us-4'

describe('where too much changed to look for what was moved', () => {
  const many: Doing = (mount) => {
    for (let index = 0; index < 100_001; index += 1) mount.make(`/e/${index}`, 'fifo')
  }
  const linesBesides = async (snapshot: Snapshot): Promise<string[]> => (await linesOf(snapshot)).filter((line) => !line.startsWith('/e/'))

  test('an edit is kept under a fresh id', async () => {
    const { committed, mount } = await bed(all(file('/a', 'base'), directory('/e')), all(move('/a', '/moved'), many), all(write('/a', 'ours')))
    const { snapshot } = committed
    expect((await snapshot.resolve('/moved')).id).toBe(mount.find('/a'))
    expect(await linesBesides(snapshot)).toEqual(['/ directory', '/a file ours', '/e directory', '/moved file base'])
    await expectSound(snapshot)
  }, 60_000)

  test('a directory is found where it is', async () => {
    const ours = all(write('/d/a', 'ours'), file('/d/b', 'new'), move('/d', '/f'))
    const { committed } = await bed(all(directory('/d'), file('/d/a', 'base'), directory('/e')), all(move('/d', '/moved'), many), ours)
    const { snapshot, conflicts } = committed
    expect(await linesBesides(snapshot)).toEqual(['/ directory', '/e directory', '/moved directory', '/moved/a file ours', '/moved/b file new'])
    expect(conflicts).toMatchObject([{ path: '/f', keptAs: '/moved' }])
    await expectSound(snapshot)
  }, 60_000)
})

test('a directory of which nothing says where it is, is found, or made again', async () => {
  const volume = await newVolume()
  const writer = volume.writer()
  const start = await SimulatedMount.of(await volume.head(), writer.newFileId)
  all(directory('/d'), directory('/d/deep'), file('/d/deep/a', 'a'))(start)
  const { snapshot: base } = await writer.commitChanges(start.changeSet(), { base: start.base })
  const mount = await SimulatedMount.of(base, writer.newFileId)
  file('/d/deep/b', 'b')(mount)
  const { names, nodes } = mount.changeSet()
  const found = await writer.commitChanges({ names, nodes, places: [] }, { base })
  expect(await linesOf(found.snapshot)).toEqual(['/ directory', '/d directory', '/d/deep directory', '/d/deep/a file a', '/d/deep/b file b'])
  await writer.commit([{ op: 'rmdir', path: '/d', recursive: true }])
  const gone = await volume.head()
  const made = await writer.commitChanges({ names, nodes, places: [] }, { base: gone })
  const { id } = await base.resolve('/d/deep')
  expect(await linesOf(made.snapshot)).toEqual(['/ directory', `/directory-${id} directory`, `/directory-${id}/b file b`])
  await expectSound(made.snapshot)
})

test('content that both changed of a file of which we know no name comes to the top', async () => {
  const { base, volume, ours } = await contested(all(file('/a', 'a'), link('/a', '/b')))
  const { nodes } = ours.changeSet()
  const { snapshot, conflicts } = await volume.writer().commitChanges({ names: [], nodes, places: [] }, { base, author: 'us' })
  const kept = `/file-${nodes[0]!.id}.${us}`
  expect(await linesOf(snapshot)).toEqual(['/ directory', '/a file theirs', '/b file theirs', `${kept} file ours`])
  expect(conflicts).toMatchObject([{ id: nodes[0]!.id, keptAs: kept }])
  await expectSound(snapshot)
})

test('who gives a search up waits for it no longer', async () => {
  const volume = await newVolume()
  const writer = volume.writer()
  const start = await SimulatedMount.of(await volume.head(), writer.newFileId)
  all(directory('/d'), directory('/d/deep'))(start)
  const { snapshot } = await writer.commitChanges(start.changeSet(), { base: start.base })
  const { id } = await snapshot.resolve('/d/deep')
  expect(await new DirectorySearch(snapshot).pathOf(id)).toBe('/d/deep')
  const search = new DirectorySearch(snapshot, AbortSignal.abort())
  await expect(search.pathOf(id)).rejects.toMatchObject({ code: 'aborted' })
})
