/** A store whose directory goes away, as that of a disk that is unmounted: nothing is stored beside it, nothing counts as gone, and it goes on when it is back. */
import { existsSync } from 'node:fs'
import { mkdir, readdir, rename } from 'node:fs/promises'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { DirectoryStore } from '../../../edge/store/directory.ts'
import { systemClock } from '../../../shared/clock.ts'
import { systemRandom } from '../../../shared/random.ts'
import { scriptedDisk } from '../../support/scripted-disk.ts'
import { failureOf, text } from '../../support/store-bytes.ts'
import { tempDirectory } from '../../support/temp-directory.ts'

async function storeAt(root: string): Promise<DirectoryStore> {
  const store = new DirectoryStore(root, { clock: systemClock, random: systemRandom })
  await store.start()
  onTestFinished(() => store.dispose())
  return store
}

test.each(['there from the start', 'made by the first object'])('%s: while it is away everything is unavailable, and nothing is made in its place', async (how) => {
  const base = await tempDirectory()
  const root = path.join(base, 'store')
  if (how === 'there from the start') await mkdir(root)
  const store = await storeAt(root)
  await store.create('v/a', text('a'))
  await rename(root, `${root}.away`)
  for (const call of [
    () => store.create('v/b', text('b')),
    () => store.put('v/b', text('b')),
    () => store.replace('v/b', text('b'), 'etag'),
    () => store.delete('v/b'),
    () => store.get('v/b'),
    () => store.list(''),
  ]) {
    expect(await failureOf(call())).toBe('unavailable')
  }
  expect(existsSync(root)).toBe(false)
  // What lies below the place where a disk was mounted.
  await mkdir(root)
  expect(await failureOf(store.create('v/b', text('b')))).toBe('unavailable')
  expect(await failureOf(store.list(''))).toBe('unavailable')
  expect(await readdir(root)).toEqual([])
  await rename(root, `${root}.below`)
  await rename(`${root}.away`, root)
  expect(await store.create('v/b', text('b'))).toBe(true)
  expect((await store.list('v/')).map(({ key }) => key)).toEqual(['v/a', 'v/b'])
})

test('an object that went to another directory, because the disk went while it was written, is not stored', async () => {
  const base = await tempDirectory()
  const root = path.join(base, 'store')
  await mkdir(root)
  const { disk } = scriptedDisk()
  const store = new DirectoryStore(root, {
    clock: systemClock,
    random: systemRandom,
    disk: {
      ...disk,
      openNew: async (file) => {
        await rename(root, `${root}.away`)
        await mkdir(path.join(root, '.tmp'), { recursive: true })
        return await disk.openNew(file)
      },
    },
  })
  await store.start()
  onTestFinished(() => store.dispose())
  expect(await failureOf(store.create('v/a', text('a')))).toBe('unavailable')
})

test('a store that is made is not mistaken for another one', async () => {
  const root = path.join(await tempDirectory(), 'a', 'b')
  const store = await storeAt(root)
  expect(await store.list('')).toEqual([])
  expect(await store.get('x')).toBeUndefined()
  expect(await store.create('x', text('x'))).toBe(true)
  expect((await store.list('')).length).toBe(1)
})
