import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { nodeDisk } from '../../../../edge/store/directory/disk.ts'

const directory = mkdtempSync(join(tmpdir(), 'edgemount-disk-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

test('a directory is made with its parents, and the highest one made is told', async () => {
  expect(await nodeDisk.makeDirectory(join(directory, 'a/b/c'))).toBe(join(directory, 'a'))
  expect(await nodeDisk.makeDirectory(join(directory, 'a/b/c'))).toBeUndefined()
  expect(await nodeDisk.makeDirectory(join(directory, 'a/b/d'))).toBe(join(directory, 'a/b/d'))
  expect(statSync(join(directory, 'a/b/c')).isDirectory()).toBe(true)
})

test('many make the same directories at once', async () => {
  await Promise.all(Array.from({ length: 20 }, (_, index) => nodeDisk.makeDirectory(join(directory, `many/x/y/${index % 3}`))))
  expect(statSync(join(directory, 'many/x/y/2')).isDirectory()).toBe(true)
})

test('a file in the way is told', async () => {
  writeFileSync(join(directory, 'file'), '')
  mkdirSync(join(directory, 'there'))
  await expect(nodeDisk.makeDirectory(join(directory, 'file'))).rejects.toMatchObject({ code: 'EEXIST' })
  await expect(nodeDisk.makeDirectory(join(directory, 'file/below'))).rejects.toMatchObject({ code: 'ENOTDIR' })
})

test('where a file system takes no directories, that is told at once', async () => {
  await expect(nodeDisk.makeDirectory('/proc/x/y')).rejects.toThrow(/Cannot create the directory "\/proc\/x": its file system takes none there/)
}, 2000)
