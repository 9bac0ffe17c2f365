import { existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { makeDirectories } from '../../../shim/sys/make-directories.ts'
import { tempDirectory } from '../../support/temp-directory.ts'

test('what is above is made too, what is there stays', async () => {
  const root = await tempDirectory()
  makeDirectories(path.join(root, 'a/b/c'), 0o700)
  makeDirectories(path.join(root, 'a/b/c'), 0o700)
  expect(statSync(path.join(root, 'a/b')).mode & 0o777).toBe(0o700)
  mkdirSync(path.join(root, 'there'), 0o755)
  symlinkSync('there', path.join(root, 'link'))
  makeDirectories(path.join(root, 'link'))
  makeDirectories(path.join(root, 'link/x'))
  expect(existsSync(path.join(root, 'there/x'))).toBe(true)
})

test('what cannot be is an error, and soon', async () => {
  const root = await tempDirectory()
  writeFileSync(path.join(root, 'file'), '')
  expect(() => makeDirectories(path.join(root, 'file'))).toThrow(/EEXIST/)
  expect(() => makeDirectories(path.join(root, 'file/x'))).toThrow(/ENOTDIR/)
  expect(() => makeDirectories('/proc/nothing/at/all')).toThrow(/ENOENT/)
})
