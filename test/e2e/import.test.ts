/**
 * Imports of awkward folders by the real command: everything a disk can hold, files that cannot be read or do not hold still, an end by Ctrl-C.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { closeSync, ftruncateSync, linkSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { asNobody } from '../support/as-nobody.ts'
import { edgemount, edgemountOk, forceUnmount, mainFile, Running } from '../support/command.ts'
import { SeededRandom } from '../support/seeded-random.ts'

const directory = mkdtempSync(join(tmpdir(), 'edgemount-import-'))
const at = (name: string): string => join(directory, name)
const store = `dir:${at('store')}`
let serve: Running
let edge = ''

beforeAll(async () => {
  mkdirSync(at('store'))
  serve = new Running(['serve', store, '--port', '0'])
  edge = (await serve.printed(/http:\/\/[\d.]+:\d+/))[0]
})

afterAll(async () => {
  await serve.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** Names, kinds, modes, owners, times, sizes, link targets, link counts; in the bytes of names. */
function listing(root: string): string {
  const format = String.raw`%P\t%y\t%m\t%U:%G\t%T@\t%s\t%l\t%n\n`
  const text = execFileSync('find', [root, '-mindepth', '1', '(', '-type', 'd', '-printf', format.replace('%s', 'd').replace('%n', 'd'), ')', '-o', '-printf', format], { encoding: 'latin1' })
  return text.split('\n').toSorted().join('\n')
}

function awkwardFolder(root: string): void {
  mkdirSync(join(root, 'empty folder'), { recursive: true })
  mkdirSync(join(root, 'deep', ...Array.from({ length: 40 }, (_, level) => `level ${level}`)), { recursive: true })
  writeFileSync(join(root, 'empty file'), '')
  writeFileSync(join(root, 'new\nline\ttab'), 'x')
  writeFileSync(join(root, '-rf *'), 'x')
  writeFileSync(join(root, 'é'.repeat(127)), '254 bytes')
  writeFileSync(join(root, 'n'.repeat(255)), '255 bytes')
  for (const bytes of [[0x61, 0xff, 0x62], [0x80], [0xed, 0xa0, 0x80]]) writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from(bytes)]), 'not UTF-8')
  writeFileSync(join(root, 'large'), new SeededRandom(7).bytes(5_000_001), { mode: 0o4751 })
  symlinkSync('nowhere at all', join(root, 'dangling'))
  symlinkSync('.', join(root, 'loop'))
  symlinkSync(Buffer.from([0xff, 0xfe]), join(root, 'to bytes'))
  linkSync(join(root, 'large'), join(root, 'empty folder', '..', 'deep', 'linked'))
  execFileSync('mkfifo', [join(root, 'fifo')])
  utimesSync(join(root, 'empty file'), -100, -100.5)
  execFileSync('touch', ['-d', '2001-02-03T04:05:06.123456789Z', join(root, 'empty folder')])
  const sparse = openSync(join(root, 'sparse'), 'w')
  ftruncateSync(sparse, 200 * 2 ** 20)
  closeSync(sparse)
  execFileSync('setfattr', ['-n', 'user.comment', '-v', 'a value', join(root, 'large')])
  execFileSync('setfattr', ['-n', 'user.on a folder', '-v', '0x00ff', join(root, 'deep')])
}

test('whatever a disk can hold comes back through a mount as it was', async () => {
  awkwardFolder(at('awkward'))
  mkdirSync(at('mnt'))
  onTestFinished(() => forceUnmount(at('mnt')))
  const summary = await edgemountOk(['import', at('awkward'), `${store}/awkward`])
  expect(summary).toMatch(/^Imported 11 files \(210 MiB\) into "awkward": 57 added, 0 changed, 0 removed; 4\.7\d MiB stored of .* Commit 2\.\n$/)
  const mount = new Running(['mount', `${store}/awkward`, at('mnt'), '--cache', at('cache'), '--serve', 'off'])
  onTestFinished(async () => void (await mount.stop()))
  await mount.printed(/Mounted/)
  expect(listing(at('mnt'))).toBe(listing(at('awkward')))
  expect(execFileSync('diff', ['-r', '--no-dereference', '--exclude=fifo', at('awkward'), at('mnt')], { encoding: 'latin1' })).toBe('')
  const attributes = (root: string): string => execFileSync('getfattr', ['-d', '-m', '^user', '-e', 'hex', 'large', 'deep'], { cwd: root, encoding: 'utf8' })
  expect(attributes(at('mnt'))).toBe(attributes(at('awkward')))
  expect(statSync(at('mnt/large')).ino).toBe(statSync(at('mnt/deep/linked')).ino)
  // Holes take no room in the store.
  expect(Number(execFileSync('du', ['-sk', at('store')], { encoding: 'utf8' }).split('\t')[0])).toBeLessThan(8000)
})

test('again: nothing; with changes: one commit, and only what is new; over an edge', async () => {
  const folder = at('again')
  const volume = `${edge}/again`
  mkdirSync(folder)
  const random = new SeededRandom(3)
  writeFileSync(join(folder, 'large'), random.bytes(8_000_000))
  for (let count = 0; count < 3000; count += 1) writeFileSync(join(folder, `small ${count}`), random.bytes(count))
  const run = async (...words: string[]): Promise<Record<string, unknown>> => JSON.parse(await edgemountOk(['import', '--json', ...words, folder, volume])) as Record<string, unknown>
  expect(await run()).toMatchObject({ volume: 'again', seq: 2, files: 3001, added: 3001, problems: [] })
  expect(execFileSync('find', [at('store/again'), '-type', 'f', '-not', '-name', 'head'], { encoding: 'utf8' }).trim().split('\n').length, 'objects').toBeLessThan(9)
  expect(await run()).toMatchObject({ seq: null, added: 0, changed: 0, readFiles: 0 })
  writeFileSync(join(folder, 'large'), Buffer.from('one byte more'), { flag: 'a' })
  rmSync(join(folder, 'small 7'))
  expect(await run('--dry-run')).toMatchObject({ seq: null, changed: 1, deleted: 0 })
  const changed = await run()
  expect(changed).toMatchObject({ seq: 3, added: 0, changed: 1, deleted: 0, readFiles: 1 })
  expect(changed['newBytes']).toBeLessThan(1_100_000)
  expect(await run('--delete', '--exclude', 'small 1*')).toMatchObject({ seq: 4, changed: 0, deleted: 1 })
})

test('a file that cannot be read is reported, the rest goes in, and the exit code says so', async () => {
  const folder = at('partly')
  mkdirSync(join(folder, 'closed'), { recursive: true })
  writeFileSync(join(folder, 'secret'), 'x', { mode: 0o000 })
  writeFileSync(join(folder, 'plain'), 'y')
  writeFileSync(join(folder, 'closed/inside'), 'z')
  execFileSync('chmod', ['000', join(folder, 'closed')])
  execFileSync('chmod', ['755', directory])
  mkdirSync(at('open'), { mode: 0o777 })
  execFileSync('chmod', ['777', at('open')])
  onTestFinished(() => void execFileSync('chmod', ['700', join(folder, 'closed')]))
  const volume = `dir:${at('open/store')}/partly`
  const { code, stdout, stderr } = await asNobody(['import', folder, volume])
  expect(code).toBe(3)
  expect(stderr).toContain('Cannot read "secret": permission denied\n')
  expect(stderr).toContain('Cannot read "closed/": permission denied\n')
  expect(stdout).toMatch(/^Imported 1 of 2 files \(1 B\) into .*; 1 could not be read; 1 folder or other entry could not be read\. Commit 2\.\n$/)
  const again = await asNobody(['import', folder, volume])
  expect(again.stdout).toMatch(/^Nothing that can be read has changed: 1 of 2 files \(1 B\) are in .* already; 1 could not be read; /)
  expect(again.code).toBe(3)
  expect(await edgemountOk(['ls', '-R', volume])).toBe('closed/\nplain\n')
  // Readable again, it goes in by itself.
  execFileSync('chmod', ['-R', '755', folder])
  expect(await edgemountOk(['import', folder, volume])).toMatch(/2 added/)
  // And what cannot be read any more stays as it was, also when deletions are mirrored.
  execFileSync('chmod', ['000', join(folder, 'closed'), join(folder, 'secret')])
  expect((await asNobody(['import', '--delete', folder, volume])).code).toBe(3)
  expect(await edgemountOk(['cat', `${volume}/closed/inside`])).toBe('z')
})

/** A process that does something to a file, over and over. */
function disturb(script: string, file: string): ChildProcess {
  const child = spawn('sh', ['-c', `while :; do ${script}; done`, file], { stdio: 'ignore' })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

test('a file that grows goes in as it was at some moment, and is reported', async () => {
  const folder = at('growing')
  mkdirSync(folder)
  const file = join(folder, 'log')
  const start = new SeededRandom(5).bytes(60_000_000)
  writeFileSync(file, start)
  const child = disturb('printf "%s\\n" line >> "$0"; sleep 0.005', file)
  const { code, stderr } = await edgemount(['import', folder, `${store}/growing`])
  child.kill('SIGKILL')
  expect(stderr).toContain('Note on "log": it grew while it was read; the bytes it had at first are in')
  expect(code).toBe(0)
  await edgemountOk(['get', '-q', `${store}/growing/log`, at('log-copy')])
  const copy = readFileSync(at('log-copy'))
  expect(copy.length).toBeGreaterThanOrEqual(start.length)
  expect(copy.equals(readFileSync(file).subarray(0, copy.length))).toBe(true)
  expect(await edgemountOk(['import', folder, `${store}/growing`]), 'the rest follows').toMatch(/1 changed/)
  await edgemountOk(['get', '-q', `${store}/growing/log`, at('log-copy')])
  expect(readFileSync(at('log-copy')).equals(readFileSync(file))).toBe(true)
})

test('a file that never holds still goes in as it was read last, and the exit code says so', async () => {
  const folder = at('restless')
  mkdirSync(folder)
  const file = join(folder, 'database')
  writeFileSync(file, Buffer.alloc(60_000_000))
  writeFileSync(join(folder, 'quiet'), 'q')
  const child = disturb('printf x | dd of="$0" bs=1 seek=59999999 conv=notrunc status=none; sleep 0.005', file)
  const { code, stderr } = await edgemount(['import', folder, `${store}/restless`])
  child.kill('SIGKILL')
  expect(stderr).toContain('Cannot be sure of "database": it was written to each time it was read')
  expect(code).toBe(3)
  await sleep(50)
  expect((await edgemount(['import', folder, `${store}/restless`])).code).toBe(0)
  await edgemountOk(['get', '-q', `${store}/restless/database`, at('database-copy')])
  expect(readFileSync(at('database-copy')).equals(readFileSync(file))).toBe(true)
})

test('Ctrl-C: an end at once, and nothing in the volume', async () => {
  const folder = at('endless')
  mkdirSync(folder)
  writeFileSync(join(folder, 'first'), 'x')
  // Terabytes of zeros take a while to read, and no room.
  writeFileSync(join(folder, 'huge'), '')
  truncateSync(join(folder, 'huge'), 4 * 2 ** 40)
  const running = new Running(['import', folder, `${store}/endless`])
  onTestFinished(async () => void (await running.stop('SIGKILL')))
  await running.printed(/Created the volume/)
  await sleep(700)
  const started = performance.now()
  expect(await running.stop('SIGINT')).toBe(130)
  expect(performance.now() - started).toBeLessThan(3000)
  expect(running.output).toContain('Cannot finish the import: interrupted. Nothing of it is in the volume. The volume "endless", which this import made, is left empty')
  expect(await edgemountOk(['ls', `${store}/endless`])).toBe('')
})

test('a terminal gets a bar', () => {
  mkdirSync(at('bar'))
  writeFileSync(join(at('bar'), 'file'), Buffer.alloc(50_000_000, 'bar'))
  const command = `'${process.execPath}' '${mainFile}' import '${at('bar')}' '${store}/bar'`
  const output = execFileSync('script', ['-qec', `stty cols 160; ${command}`, '/dev/null'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  expect(output).toMatch(/\r\[[#.]{20}\] 1\/1 file, [\d.]+ MiB read, .* new \(\d+ % known\), \d+ MB\/s, \d+ files\/s {2}file/)
  expect(output).toContain('\r\u001b[K')
  expect(output).toMatch(/Imported 1 file \(47\.7 MiB\) into "bar"/)
})

test('the store, its cache and mounts inside the folder are never imported', async () => {
  const folder = at('around')
  mkdirSync(join(folder, 'mnt'), { recursive: true })
  onTestFinished(() => forceUnmount(join(folder, 'mnt')))
  writeFileSync(join(folder, 'file'), 'x')
  const volume = `dir:${join(folder, 'store')}/v`
  await edgemountOk(['import', folder, volume])
  const mount = new Running(['mount', volume, join(folder, 'mnt'), '--cache', at('cache-around'), '--serve', 'off'])
  onTestFinished(async () => void (await mount.stop()))
  await mount.printed(/Mounted/)
  await edgemountOk(['import', '--delete', folder, volume])
  expect(await edgemountOk(['ls', volume])).toBe('file\nmnt/\n')
  expect(await edgemountOk(['ls', `${volume}/mnt`])).toBe('')
})
