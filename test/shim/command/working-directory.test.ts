import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { directoryOfUser } from '../../../shim/command/working-directory.ts'
import { edgemountOk } from '../../support/command.ts'

test('only npm scripts that are this command move it', () => {
  const npm = { INIT_CWD: '/home/me', npm_package_name: 'edgemount', npm_lifecycle_event: 'edgemount' }
  expect(directoryOfUser(npm)).toBe('/home/me')
  expect(directoryOfUser({ ...npm, npm_lifecycle_event: 'start' })).toBe('/home/me')
  expect(directoryOfUser({ ...npm, npm_lifecycle_event: 'test' })).toBeUndefined()
  expect(directoryOfUser({ ...npm, npm_package_name: 'other' })).toBeUndefined()
  expect(directoryOfUser({})).toBeUndefined()
})

test('under npm, relative paths begin where the user stands', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'edgemount-npm-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  writeFileSync(join(directory, 'note'), 'hello')
  const env = { INIT_CWD: directory, npm_package_name: 'edgemount', npm_lifecycle_event: 'edgemount' }
  await edgemountOk(['create', 'dir:store/v'], { env })
  await edgemountOk(['put', 'note', 'dir:store/v/'], { env })
  expect(await edgemountOk(['cat', `dir:${directory}/store/v/note`])).toBe('hello')
})
