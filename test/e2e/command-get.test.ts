/**
 * `get -R` as a real process: what comes out is what went in, which an import of the copy says; again it goes on where it was; what cannot be copied is told.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, closeSync, existsSync, linkSync, lstatSync, lutimesSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync, writeSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { edgemount, edgemountOk } from '../support/command.ts'

const directory = mkdtempSync(join(tmpdir(), 'edgemount-get-'))
const at = (...names: string[]): string => join(directory, ...names)
const env = { XDG_RUNTIME_DIR: at('run') }
const volume = `dir:${at('store')}/v`
const isRoot = process.getuid?.() === 0

/** What an import of the folder would change in the volume; its bytes are compared here. */
async function differences(folder: string): Promise<unknown> {
  for (const name of ['big', 'sparse', 'sub/small', 'sub/same']) execFileSync('cmp', [join(folder, name), at('tree', name)])
  const { added, changed, deleted } = JSON.parse(await edgemountOk(['import', '-n', '--delete', '--json', folder, volume], { env })) as Record<string, unknown>
  return { added, changed, deleted }
}

beforeAll(async () => {
  mkdirSync(at('run'), { mode: 0o700 })
  mkdirSync(at('tree', 'sub', 'empty'), { recursive: true })
  writeFileSync(at('tree', 'big'), randomBytes(700_000))
  writeFileSync(at('tree', 'sub', 'small'), 'small')
  writeFileSync(Buffer.from(`${at('tree')}/odd\u0001n\u00e4me `), 'odd')
  writeFileSync(Buffer.concat([Buffer.from(`${at('tree')}/not-utf8-`), Buffer.from([0xff])]), 'bytes')
  chmodSync(at('tree', 'sub', 'small'), 0o604)
  linkSync(at('tree', 'big'), at('tree', 'sub', 'same'))
  symlinkSync('../big', at('tree', 'sub', 'link'))
  lutimesSync(at('tree', 'sub', 'link'), 1_100_000_000, 1_100_000_000)
  execFileSync('mkfifo', [at('tree', 'fifo')])
  const sparse = openSync(at('tree', 'sparse'), 'w')
  writeSync(sparse, Buffer.from('end'), 0, 3, 50_000_000)
  closeSync(sparse)
  execFileSync('setfattr', ['-n', 'user.note', '-v', 'kept', at('tree', 'sub')])
  execFileSync('touch', ['-d', '2001-02-03 04:05:06.123456789', at('tree', 'big')])
  chmodSync(at('tree', 'sub'), 0o2750)
  utimesSync(at('tree', 'sub', 'empty'), 1_000_000_000, 1_000_000_000)
  execFileSync('touch', ['-d', '1969-12-31 12:00:00.5', at('tree', 'sub')])
  await edgemountOk(['import', at('tree'), volume], { env })
})

afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
})

test('everything comes out as it went in, and again nothing is read', async () => {
  const first = JSON.parse(await edgemountOk(['get', '-R', '--json', volume, at('copy')], { env })) as Record<string, unknown>
  expect(first).toMatchObject({ path: '/', folder: at('copy'), files: 5, unchanged: 0, incomplete: 0, problems: [] })
  expect(await differences(at('copy'))).toEqual({ added: 0, changed: 0, deleted: 0 })
  expect(lstatSync(at('copy', 'big'), { bigint: true }).mtimeNs % 1_000_000_000n).toBe(123_456_789n)
  expect(statSync(at('copy', 'sparse')).blocks * 512).toBeLessThan(10_000_000)
  expect(readdirSync(at('copy')).filter((name) => name.startsWith('.edgemount'))).toEqual([])
  const second = JSON.parse(await edgemountOk(['get', '-R', '--json', volume, at('copy')], { env })) as Record<string, unknown>
  expect(second).toMatchObject({ files: 5, unchanged: 5, bytes: 0, problems: [] })
  expect(await differences(at('copy'))).toEqual({ added: 0, changed: 0, deleted: 0 })
})

test('it goes on where it was: what is missing, half and changed is made good, what is there besides stays', async () => {
  await edgemountOk(['get', '-R', volume, at('again')], { env })
  rmSync(at('again', 'sub'), { recursive: true })
  writeFileSync(at('again', 'big'), 'changed')
  writeFileSync(at('again', 'mine'), 'mine')
  await edgemountOk(['get', '-R', volume, at('again')], { env })
  expect(await differences(at('again'))).toEqual({ added: 1, changed: 0, deleted: 0 })
})

test('a part of the volume, under its own name', async () => {
  mkdirSync(at('here'))
  await edgemountOk(['get', '-R', `${volume}/sub`], { env, cwd: at('here') })
  expect(readdirSync(at('here', 'sub')).toSorted()).toEqual(['empty', 'link', 'same', 'small'])
  await edgemountOk(['get', '-R', `${volume}/sub/empty`, `${at('here')}/`], { env })
  expect(existsSync(at('here', 'empty'))).toBe(true)
  const { code, stderr } = await edgemount(['get', `${volume}/sub`], { env })
  expect([code, stderr]).toEqual([2, 'Cannot get "/sub": it is a directory. With -R it is copied with everything in it\n'])
  expect((await edgemount(['get', '-R', '--range', '0-1', `${volume}/sub`], { env })).code).toBe(2)
  expect((await edgemount(['get', '-R', `${volume}/sub`, '-'], { env })).code).toBe(2)
})

test('what is in the way is told, and the others are copied', async () => {
  mkdirSync(at('way', 'big'), { recursive: true })
  mkdirSync(at('elsewhere'))
  symlinkSync(at('elsewhere'), at('way', 'sub'))
  const { code, stderr } = await edgemount(['get', '-R', volume, at('way')], { env })
  expect(code).toBe(3)
  expect(stderr).toContain('Cannot copy "/big": a folder is there\n')
  expect(stderr).toContain('Cannot copy "/sub": something else is there, and no folder\n')
  expect(stderr).toMatch(/; 2 could not be copied\.\n$/)
  expect(readdirSync(at('elsewhere')), 'nothing goes through a link').toEqual([])
  expect(existsSync(at('way', 'sparse'))).toBe(true)
})

test('damaged bytes are never written, and the exit code says so', async () => {
  const data = at('store', 'v', 'data')
  const kept = at('kept')
  renameSync(data, kept)
  mkdirSync(data)
  for (const name of readdirSync(kept)) {
    const bytes = readFileSync(join(kept, name))
    writeFileSync(join(data, name), bytes.fill(0x55, 1000, Math.min(bytes.length, 300_000)))
  }
  const { code, stderr } = await edgemount(['get', '-R', volume, at('damaged')], { env })
  rmSync(data, { recursive: true })
  renameSync(kept, data)
  expect(stderr).toMatch(/Cannot copy "\/(big|sparse)": /)
  expect(code).toBe(8)
  expect(readFileSync(at('damaged', 'sub', 'small'), 'utf8')).toBe('small')
  expect(existsSync(at('damaged', 'big'))).toBe(false)
})

test.runIf(isRoot)('owners are kept by root', async () => {
  execFileSync('chown', ['-h', '1234:5678', at('tree', 'sub', 'small'), at('tree', 'sub', 'link')])
  await edgemountOk(['import', at('tree'), volume], { env })
  await edgemountOk(['get', '-R', volume, at('owned')], { env })
  expect(lstatSync(at('owned', 'sub', 'small'))).toMatchObject({ uid: 1234, gid: 5678 })
  expect(lstatSync(at('owned', 'sub', 'link'))).toMatchObject({ uid: 1234, gid: 5678 })
})
