/**
 * `mkdir`, `mv` and `cp` as real processes: within a volume, out of an older commit, into another volume over HTTP, and what they refuse.
 */
import { chmodSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { edgemount, edgemountOk, Running } from '../support/command.ts'

const directory = mkdtempSync(join(tmpdir(), 'edgemount-moves-'))
const at = (name: string): string => join(directory, name)
const env = { XDG_RUNTIME_DIR: at('run') }
const one = `dir:${at('store')}/one`
const ok = (...words: string[]): Promise<string> => edgemountOk(words, { env })
const refused = async (...words: string[]): Promise<string> => {
  const { code, stderr } = await edgemount(words, { env })
  return `${code} ${stderr.trim()}`
}
/** Of all data packs of the volume `one`. */
function dataBytes(): number {
  const data = at('store/one/data')
  return readdirSync(data).reduce((total, name) => total + statSync(join(data, name)).size, 0)
}
let serve: Running
let two = ''

beforeAll(async () => {
  mkdirSync(at('run'), { mode: 0o700 })
  mkdirSync(at('other'))
  mkdirSync(at('tree/sub'), { recursive: true })
  writeFileSync(at('tree/big'), randomBytes(700_000))
  writeFileSync(at('tree/sub/small'), 'small')
  chmodSync(at('tree/sub/small'), 0o604)
  linkSync(at('tree/big'), at('tree/sub/same'))
  symlinkSync('../big', at('tree/sub/link'))
  utimesSync(at('tree/big'), 1_000_000_000, 1_000_000_000)
  serve = new Running(['serve', `dir:${at('other')}`, '--port', '0'])
  two = `${(await serve.printed(/http:\/\/[\d.]+:\d+/))[0]}/two`
  await ok('import', at('tree'), one)
  await ok('create', two)
})

afterAll(async () => {
  await serve.stop()
  rmSync(directory, { recursive: true, force: true })
})

test('mkdir makes a directory, with -p all on the way, and says what is in the way', async () => {
  expect(await refused('mkdir', `${one}/a/b`)).toMatch(/^4 .*"\/a"/)
  await ok('mkdir', '-p', `${one}/a/b`)
  await ok('mkdir', '-p', `${one}/a/b`)
  expect(await refused('mkdir', `${one}/a/b`)).toMatch(/^6 .*exists already/)
  expect(await refused('mkdir', one)).toMatch(/^6 /)
  expect(await ok('ls', `${one}/a`)).toBe('b/\n')
})

test('mv renames, replaces files, goes into directories, and refuses the rest', async () => {
  await edgemountOk(['put', '-', `${one}/x`], { env, input: Buffer.from('x') })
  await edgemountOk(['put', '-', `${one}/y`], { env, input: Buffer.from('y') })
  await ok('mv', `${one}/x`, `${one}/y`)
  expect(await ok('cat', `${one}/y`)).toBe('x')
  await ok('mv', `${one}/y`, `${one}/a/`)
  await ok('mv', '-p', `${one}/a`, `${one}/new/place`)
  expect(await ok('ls', '-R', `${one}/new`)).toBe('place/\nplace/b/\nplace/y\n')
  expect(await refused('mv', `${one}/new`, `${one}/new/place`)).toMatch(/^2 .*into itself/)
  expect(await refused('mv', `${one}/nothing`, `${one}/z`)).toMatch(/^4 /)
  expect(await refused('mv', `${one}/new`, `${one}/big`)).toMatch(/^6 .*a file is there/)
  expect(await refused('mv', one, `${one}/z`)).toMatch(/^2 .*the volume itself/)
  expect(await refused('mv', `${one}/new`, `${two}/new`)).toMatch(/^2 .*two volumes/)
  expect(await refused('mv', `${one}@1/new`, `${one}/z`)).toMatch(/^2 .*a commit never changes/)
})

test('cp within a volume stores nothing and keeps everything', async () => {
  expect(await refused('cp', `${one}/sub`, `${one}/sub2`)).toMatch(/^2 .*with -R/)
  const before = dataBytes()
  await ok('cp', '-R', '-p', `${one}/sub`, `${one}/deep/copy`)
  await ok('cp', `${one}/big`, `${one}/deep/`)
  const facts = async (path: string): Promise<Record<string, unknown>> => JSON.parse(await ok('stat', '--json', path)) as Record<string, unknown>
  const [copy, original] = [await facts(`${one}/deep/big`), await facts(`${one}/big`)]
  for (const name of ['version', 'size', 'mtime', 'mode', 'uid', 'chunks']) expect(copy[name], name).toEqual(original[name])
  expect(JSON.parse(await ok('stat', '--json', `${one}/deep/copy/small`))).toMatchObject({ mode: 0o604, size: 5 })
  expect(dataBytes(), 'nothing was stored').toBe(before)
})

test('cp brings an old version back, and whole trees into another volume', async () => {
  await edgemountOk(['put', '-', `${one}/sub/small`], { env, input: Buffer.from('changed') })
  const seq = (JSON.parse(await ok('stat', '--json', `${one}/sub/small`)) as { seq: number }).seq
  await ok('cp', `${one}@${seq - 1}/sub/small`, `${one}/sub/small`)
  expect(await ok('cat', `${one}/sub/small`)).toBe('small')
  await ok('cp', '-R', `${one}/sub`, two)
  expect(await ok('ls', '-R', two)).toBe('sub/\nsub/link\nsub/same\nsub/small\n')
  await ok('get', `${two}/sub/same`, at('back'))
  expect(readFileSync(at('back')).equals(readFileSync(at('tree/big')))).toBe(true)
})
