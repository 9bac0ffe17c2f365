/** What Node compiled is kept for the next command, and only where nobody else could have written it. */
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { asNobody, nobody } from '../../support/as-nobody.ts'
import { tempDirectory } from '../../support/temp-directory.ts'

const own = (directory: string): void => {
  if (process.getuid?.() === 0) chownSync(directory, nobody, nobody)
}

async function version(home: string): Promise<void> {
  expect(await asNobody(['version'], { env: { XDG_CACHE_HOME: home } })).toMatchObject({ code: 0, stderr: '' })
}

test("a command keeps its compiled code below the user's cache directory", async () => {
  const home = await tempDirectory()
  own(home)
  chmodSync(path.dirname(home), 0o755)
  await version(home)
  const code = path.join(home, 'edgemount/code')
  expect(statSync(code).mode & 0o777).toBe(0o700)
  expect(readdirSync(code, { recursive: true }).length).toBeGreaterThan(20)
})

test('a directory that is open to others is not used', async () => {
  const home = await tempDirectory()
  own(home)
  const code = path.join(home, 'edgemount/code')
  mkdirSync(code, { recursive: true })
  for (const directory of [path.dirname(code), code]) own(directory)
  chmodSync(code, 0o777)
  await version(home)
  expect(readdirSync(code)).toEqual([])
})

test('where nothing can be written the command works', async () => {
  await version('/proc/nothing')
  expect(existsSync('/proc/nothing')).toBe(false)
})
