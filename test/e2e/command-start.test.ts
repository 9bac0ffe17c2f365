/**
 * `start` again, after somebody has written: nothing that was written, through the mount or with a command, is taken away by starting.
 */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Running, edgemount, edgemountOk, forceUnmount, sourceFile } from '../support/command.ts'

let directory: string
let running: Running[]
const at = (...names: string[]): string => join(directory, ...names)
const env = (): Record<string, string> => ({ XDG_RUNTIME_DIR: at('run') })

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'edgemount-start-'))
  running = []
  for (const name of ['run', 'folder', 'other', 'here']) mkdirSync(at(name), { mode: 0o700 })
  writeFileSync(at('folder', 'a'), 'first')
  writeFileSync(at('folder', 'b'), 'b')
})

afterEach(async () => {
  for (const each of running) await each.stop()
  forceUnmount(at('here', 'mnt'))
  rmSync(directory, { recursive: true, force: true })
})

/** From the sources, as `npm start` does. */
async function start(...words: string[]): Promise<Running> {
  const process = new Running(['start', ...words, '--serve', 'off'], { cwd: at('here'), env: env(), file: sourceFile })
  running.push(process)
  await process.printed(/Ctrl-C ends it/)
  return process
}

const mounted = (name: string): string => readFileSync(at('here', 'mnt', name), 'utf8')

test('what was written in the mount stays, and the folder is not imported over it', async () => {
  const first = await start('../folder')
  writeFileSync(at('here', 'mnt', 'a'), 'written')
  writeFileSync(at('here', 'mnt', 'new'), 'new')
  expect(await first.stop('SIGINT')).toBe(0)
  expect(readFileSync(at('folder', 'a'), 'utf8'), 'the folder itself is only read').toBe('first')
  writeFileSync(at('folder', 'c'), 'c')

  const second = await start('../folder')
  expect(second.output).toMatch(/The volume was written to since commit 2, so it is shown as it is, and ".*\/folder" is not imported again \(1 to add, 1 to change, 1 to remove\)\. To make it equal to the folder: --mirror/)
  const [, look = ''] = /What was written: edgemount (diff .*)/.exec(second.output) ?? []
  expect(await edgemountOk(look.split(' '), { env: env() })).toMatch(/new/)
  expect([mounted('a'), mounted('new'), mounted('b')]).toEqual(['written', 'new', 'b'])
  expect(await second.stop('SIGINT')).toBe(0)

  const third = await start('../folder', '--mirror')
  expect(third.output).toContain('1 added, 1 changed, 1 removed')
  expect(readdirSync(at('here', 'mnt'))).toEqual(['a', 'b', 'c'])
  expect(await third.stop('SIGINT')).toBe(0)

  writeFileSync(at('folder', 'd'), 'd')
  const fourth = await start('../folder')
  expect(fourth.output, 'now nobody has written').toContain('1 added, 0 changed, 0 removed')
})

test('what was put with a command stays too, and another folder is refused', async () => {
  expect(await (await start('../folder')).stop('SIGINT')).toBe(0)
  expect(await (await start('../other')).stop('SIGINT'), 'nobody has written: it may become another').toBe(0)
  await edgemountOk(['put', at('folder', 'a'), `dir:${at('here')}/.edgemount/store/demo/put`], { env: env() })
  const refused = await edgemount(['start', '../folder', '--serve', 'off'], { cwd: at('here'), env: env() })
  expect(refused.stderr).toMatch(/^Cannot show ".*\/folder" here: the volume holds ".*\/other", and was written to\./)
  expect(refused.code).toBe(6)
  const same = await start('../other')
  expect(mounted('put')).toBe('first')
  expect(await same.stop('SIGINT')).toBe(0)
})

test('what was written is no difference any more once the folder has it as well', async () => {
  const first = await start('../folder')
  writeFileSync(at('here', 'mnt', 'new'), 'new')
  expect(await first.stop('SIGINT')).toBe(0)
  await edgemountOk(['get', '-R', `dir:${at('here')}/.edgemount/store/demo`, at('folder')], { env: env() })
  const second = await start('../folder')
  expect(second.output).toContain('Nothing has changed')
  expect(await second.stop('SIGINT')).toBe(0)
  rmSync(at('folder', 'b'))
  expect((await start('../folder')).output).toContain('0 added, 0 changed, 1 removed')
})

test('whoever has lost the note of what was imported loses nothing else', async () => {
  const first = await start('../folder')
  writeFileSync(at('here', 'mnt', 'new'), 'new')
  expect(await first.stop('SIGINT')).toBe(0)
  rmSync(at('here', '.edgemount', 'imported.json'))
  const second = await start('../folder')
  expect(second.output).toContain('The volume was written to, so it is shown as it is')
  expect(mounted('new')).toBe('new')
})
