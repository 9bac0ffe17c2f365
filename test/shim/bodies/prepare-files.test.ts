import { closeSync, mkdirSync, openSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { prepareFiles } from '../../../shim/bodies/prepare-files.ts'
import { linuxSys } from '../../../shim/sys/linux-sys.ts'
import { tempDirectory } from '../../support/temp-directory.ts'

test('files are made, emptied under another name, and removed', async () => {
  const directory = await tempDirectory()
  const at = (name: string): string => join(directory, name)
  mkdirSync(at('b'))
  for (const name of ['used', 'more', 'gone']) writeFileSync(at(name), 'secret')
  const ready = await prepareFiles(linuxSys, [
    { from: at('used'), to: at('b/1') },
    { from: undefined, to: at('b/2') },
    { from: at('gone'), to: undefined },
    { from: at('more'), to: at('3') },
  ])
  expect(ready).toEqual([true, true, false, true])
  expect(readdirSync(directory).toSorted()).toEqual(['3', 'b'])
  expect(readdirSync(at('b')).toSorted()).toEqual(['1', '2'])
  for (const name of ['b/1', 'b/2', '3']) expect(statSync(at(name)).size).toBe(0)
})

test('a file that somebody has open is removed, and keeps its bytes', async () => {
  const directory = await tempDirectory()
  const from = join(directory, 'held')
  writeFileSync(from, 'secret')
  const fd = openSync(from, 'r')
  expect(await prepareFiles(linuxSys, [{ from, to: join(directory, 'new') }])).toEqual([false])
  expect(readdirSync(directory)).toEqual([])
  const bytes = new Uint8Array(10)
  expect(linuxSys.pread(fd, bytes, 0)).toBe(6)
  closeSync(fd)
})

test('what cannot be done is told', async () => {
  const directory = await tempDirectory()
  writeFileSync(join(directory, 'there'), '')
  const chores = [
    { from: join(directory, 'nothing'), to: join(directory, 'new') },
    { from: undefined, to: join(directory, 'there') },
    { from: undefined, to: join(directory, 'nowhere/new') },
  ]
  expect(await prepareFiles(linuxSys, chores)).toEqual([false, false, false])
  expect(readdirSync(directory)).toEqual(['there'])
})
