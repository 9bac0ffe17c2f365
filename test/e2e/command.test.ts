/**
 * Every command in the way it is meant, as real processes: the same story over a store and over an edge; mounts in front and in the background; and
 * `start` from an empty folder to Ctrl-C.
 */
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { rawRequest } from '../support/raw-http.ts'
import { edgemount, edgemountOk, forceUnmount, isMounted, mainFile, Running } from '../support/command.ts'

const directory = mkdtempSync(join(tmpdir(), 'edgemount-command-'))
const at = (name: string): string => join(directory, name)
const env = { XDG_RUNTIME_DIR: at('run') }
let serve: Running
let edge = ''

beforeAll(async () => {
  mkdirSync(at('run'), { mode: 0o700 })
  mkdirSync(at('store'))
  serve = new Running(['serve', `dir:${at('store')}`, '--port', '0', '--host-name', 'photos.example', '--host-name', 'other.example'])
  edge = (await serve.printed(/http:\/\/[\d.]+:\d+/))[0]
})

afterAll(async () => {
  await serve.stop()
  rmSync(directory, { recursive: true, force: true })
})

test('serve on 127.0.0.1 answers to the names that it was given, and to no other', async () => {
  const statusOf = async (host: string): Promise<number> => (await rawRequest(Number(new URL(edge).port), { path: '/healthz', headers: { host } })).status
  expect(await Promise.all(['photos.example', 'Other.Example:443', 'localhost', 'evil.example'].map(statusOf))).toEqual([200, 200, 200, 403])
})

function jsonLines(text: string): Record<string, unknown>[] {
  return text.trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>)
}

test.each([
  ['a store', () => `dir:${at('store')}/one`],
  ['an edge', () => `${edge}/two`],
])('a volume from its creation to its log, over %s', async (_, source) => {
  const volume = source()
  const ok = (...words: string[]): Promise<string> => edgemountOk(words, { env })
  expect(await ok('create', volume, '--chunking', 'fixed:128KiB')).toMatch(/^Created the volume "(one|two)" in /)

  writeFileSync(at('big'), Buffer.alloc(300_000, 'abc'), { mode: 0o640 })
  expect((await edgemount(['put', at('big'), `${volume}/deep/er/`, '-m', 'the first'], { env })).stderr).toMatch(/^Wrote \/deep\/er\/big: 293 KiB, .* of it new \(commit 2\)\.\n$/)
  await edgemountOk(['put', '-', `${volume}/note.txt`, '--author', 'somebody'], { env, input: Buffer.from('hello') })
  expect(JSON.parse(await ok('put', at('big'), `${volume}/deep/er/big`, '--json')), 'what is there needs no storing').toMatchObject({ newBytes: 0, seq: 4 })

  expect(await ok('ls', volume)).toBe('deep/\nnote.txt\n')
  expect(await ok('ls', '-0R', volume)).toBe('deep/\0deep/er/\0deep/er/big\0note.txt\0')
  expect(await ok('ls', '-R', volume)).toBe('deep/\ndeep/er/\ndeep/er/big\nnote.txt\n')
  expect(await ok('ls', '-l', `${volume}/deep/er`)).toMatch(/^-rw-r----- +1 +\d+ +\d+ +300000 20\d\d-\d\d-\d\d \d\d:\d\d:\d\dZ big\n$/)
  expect(jsonLines(await ok('ls', '--json', volume)).map(({ path, kind, size }) => [path, kind, size])).toEqual([
    ['deep', 'directory', 0],
    ['note.txt', 'file', 5],
  ])
  expect(JSON.parse(await ok('stat', '--json', `${volume}/deep/er/big`))).toMatchObject({ seq: 4, path: '/deep/er/big', kind: 'file', mode: 0o640, size: 300_000, chunks: 3 })
  expect(await ok('stat', `${volume}/note.txt`)).toContain('stored     inline')

  expect(await ok('cat', `${volume}/note.txt`)).toBe('hello')
  expect(await ok('cat', '--range', '1-3', `${volume}/note.txt`)).toBe('ell')
  await ok('get', `${volume}/deep/er/big`, at('copy'))
  expect(readFileSync(at('copy')).equals(readFileSync(at('big')))).toBe(true)
  expect(statSync(at('copy')).mode & 0o777).toBe(0o640)
  expect(Math.abs(statSync(at('copy')).mtimeMs - statSync(at('big')).mtimeMs)).toBeLessThan(1)
  expect(await ok('get', '--range', '-3', `${volume}/deep/er/big`, '-')).toBe('abc')

  await edgemountOk(['put', '-', `${volume}/note.txt`], { env, input: Buffer.from('changed') })
  expect(await ok('cat', `${volume}@4/note.txt`), 'an older commit').toBe('hello')
  expect(await ok('diff', volume, '4', '5')).toBe('~ /note.txt\n')
  expect((await edgemount(['rm', `${volume}/deep`], { env })).code, 'not without -r').toBe(6)
  await ok('rm', '-r', `${volume}/deep`)
  expect(await ok('rm', '-f', `${volume}/deep`)).toBe('')
  expect(await ok('diff', volume, '5')).toBe('- /deep\n- /deep/er\n- /deep/er/big\n')
  expect(jsonLines(await ok('diff', '--json', volume, '4', '5'))).toMatchObject([{ change: 'content', path: '/note.txt', before: { size: 5 }, after: { size: 7 } }])

  const log = jsonLines(await ok('log', '--json', volume))
  expect(log.map(({ seq }) => seq)).toEqual([6, 5, 4, 3, 2, 1])
  expect(log[4]).toMatchObject({ message: 'the first', operations: [{ op: 'create', path: '/deep/er/big' }] })
  expect(log[3]).toMatchObject({ author: 'somebody' })
  expect((await ok('log', '--limit', '1', volume)).trim()).toMatch(/^6 .* rmdir \/deep$/)
})

test('names that are not UTF-8 go through the command line and come back', async () => {
  const volume = `dir:${at('store')}/bytes`
  const script = `"$0" "$1" create "$2" >/dev/null && printf hi | "$0" "$1" put -q - "$2/a$(printf '\\377')b" && "$0" "$1" ls "$2" && "$0" "$1" cat "$2/a$(printf '\\377')b"`
  const printed = execFileSync('sh', ['-c', script, process.execPath, mainFile, volume], { encoding: 'latin1' })
  expect(printed).toBe('a\u00ffb\nhi')
  expect(jsonLines(await edgemountOk(['ls', '--json', volume]))).toMatchObject([{ path: 'a\udcffb' }])
})

test('log --follow tells commits as they come', async () => {
  const volume = `${edge}/followed`
  await edgemountOk(['create', volume])
  const follow = new Running(['log', '--follow', '--json', volume])
  onTestFinished(async () => void (await follow.stop()))
  await sleep(500)
  await edgemountOk(['put', '-q', '-', `${volume}/x`], { input: Buffer.from('x') })
  const [line] = await follow.printed(/\{.*\}/)
  expect(JSON.parse(line)).toMatchObject({ seq: 2, operations: [{ op: 'create', path: '/x' }] })
  expect(await follow.stop('SIGINT')).toBe(130)
})

test('--help comes on standard output, for all and for each', async () => {
  expect(await edgemountOk(['--help'])).toContain('Exit codes:\n')
  expect(await edgemountOk([])).toContain('Commands:\n')
  expect(await edgemountOk(['mount', '--help'])).toContain('edgemount mount dir:./data/photos ./mnt --serve off')
  expect(await edgemountOk(['help', 'import'])).toContain('Usage: edgemount import [flags] <folder> <volume path>')
})

/** A volume with one file, and an empty folder to mount it on. */
async function mountable(name: string): Promise<{ volume: string; mountPoint: string; cache: string }> {
  const volume = `dir:${at('store')}/${name}`
  await edgemountOk(['put', '-q', '-', `${await created(volume)}/file`], { input: Buffer.from(name) })
  mkdirSync(at(`mnt-${name}`))
  onTestFinished(() => forceUnmount(at(`mnt-${name}`)))
  return { volume, mountPoint: at(`mnt-${name}`), cache: at(`cache-${name}`) }
}

async function created(volume: string): Promise<string> {
  await edgemountOk(['create', volume])
  return volume
}

test('ls of a store or an edge lists its volumes', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'edgemount-volumes-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  for (const name of ['b', 'a.1', 'c']) await edgemountOk(['create', `dir:${directory}/store/${name}`])
  expect(await edgemountOk(['ls', `dir:${directory}/store`])).toBe('a.1\nb\nc\n')
  const edge = new Running(['serve', `dir:${directory}/store`, '--port', '0'])
  onTestFinished(() => void edge.stop())
  const url = (await edge.printed(/at (http:\S+)/))[1] ?? ''
  for (const text of [url, `${url}/`, `${url}/v1/`]) expect(await edgemountOk(['ls', text])).toBe('a.1\nb\nc\n')
  expect(await edgemountOk(['ls', '--json', url])).toBe('{"volume":"a.1"}\n{"volume":"b"}\n{"volume":"c"}\n')
})

test('a mount in front: status, a second mount there, in use, umount', async () => {
  const { volume, mountPoint, cache } = await mountable('front')
  const mount = new Running(['mount', volume, mountPoint, '--cache', cache, '--serve', '127.0.0.1:0'], { env })
  onTestFinished(async () => void (await mount.stop()))
  const [, url] = await mount.printed(/Serving (http:\S+)\n/)
  expect(readFileSync(join(mountPoint, 'file'), 'utf8')).toBe('front')
  expect(await (await fetch(`${url}file`)).text()).toBe('front')
  const status = JSON.parse(await edgemountOk(['status', '--json'], { env })) as { mounts: Record<string, unknown>[] }
  expect(status.mounts).toMatchObject([{ directory: mountPoint, volume: 'front', seq: 2, pid: mount.pid, isFollowing: true }])
  expect(await edgemountOk(['status', mountPoint], { env })).toMatch(/commit +2, following\n +writing +everything is published\n.*\n.*\n +cache +.* of 10\.0 GiB, /)

  const second = await edgemount(['mount', volume, mountPoint, '--cache', cache, '--serve', 'off'], { env })
  expect(second.stderr).toMatch(/is mounted there already\. Unmount it first/)
  expect(second.code).toBe(6)

  await edgemountOk(['put', '-q', '-', `${volume}/new`], { input: Buffer.from('x') })
  await mount.until('showing the new commit', () => existsSync(join(mountPoint, 'new')), 3000)

  const holder = new Running(['log', '--follow', volume], { cwd: mountPoint })
  onTestFinished(async () => void (await holder.stop()))
  await sleep(500)
  const busy = await edgemount(['umount', mountPoint], { env })
  expect(busy.stderr).toMatch(/it is in use\. Close what is open there .* or detach it with --force/)
  expect(busy.code).toBe(6)
  await holder.stop()
  expect((await edgemount(['umount', mountPoint], { env })).stderr).toBe(`Unmounted ${mountPoint}.\n`)
  expect(isMounted(mountPoint)).toBe(false)
  await mount.until('ending', () => mount.hasEnded, 5000).catch(() => undefined)
  expect(mount.child.exitCode).toBe(0)
  expect(await edgemountOk(['status'], { env })).toBe('Nothing is mounted.\n')
})

test('a mount in the background answers when the command returns, and ends by umount', async () => {
  const { volume, mountPoint, cache } = await mountable('back')
  const started = await edgemount(['mount', volume, mountPoint, '--daemon', '--cache', cache, '--serve', 'off'], { env })
  expect(started.code).toBe(0)
  expect(started.stdout).toContain(`Mounted dir:${at('store')}/back on ${mountPoint} (commit 2)`)
  const pid = Number(/process (\d+)/.exec(started.stderr)?.[1])
  expect(readFileSync(join(mountPoint, 'file'), 'utf8')).toBe('back')
  await edgemountOk(['umount', mountPoint], { env })
  expect(isMounted(mountPoint)).toBe(false)
  for (let tries = 0; tries < 100 && existsSync(`/proc/${pid}`); tries += 1) await sleep(50)
  expect(existsSync(`/proc/${pid}`)).toBe(false)
})

test('a mount in the background that fails says why, with its code', async () => {
  const failed = await edgemount(['mount', `dir:${at('store')}/nope`, at('store'), '--daemon'], { env })
  expect(failed.stderr).toContain('Cannot open the volume "nope"')
  expect([failed.code, failed.stdout]).toEqual([4, ''])
})

test('a mount whose process was killed is cleared by umount, and by the next mount', async () => {
  const { volume, mountPoint, cache } = await mountable('dead')
  const words = ['mount', volume, mountPoint, '--cache', cache, '--serve', 'off']
  for (const isUnmounted of [true, false]) {
    const mount = new Running(words, { env })
    await mount.mounted(mountPoint)
    await mount.printed(/Mounted/)
    await mount.stop('SIGKILL')
    // The mount's watchdog may be faster: then there is nothing to unmount any more.
    if (isUnmounted) expect([0, 4]).toContain((await edgemount(['umount', mountPoint], { env })).code)
    if (isUnmounted) expect(isMounted(mountPoint)).toBe(false)
    expect(await edgemountOk(['status'], { env })).toBe('Nothing is mounted.\n')
  }
  const again = new Running(words, { env })
  onTestFinished(async () => void (await again.stop()))
  await again.printed(/Mounted/)
  expect(readFileSync(join(mountPoint, 'file'), 'utf8')).toBe('dead')
  expect(await again.stop('SIGINT')).toBe(0)
  expect(isMounted(mountPoint)).toBe(false)
})

test('a pinned mount stays as it was', async () => {
  const { volume, mountPoint, cache } = await mountable('pinned')
  const mount = new Running(['mount', `${volume}@2`, mountPoint, '--cache', cache, '--serve', 'off'], { env })
  onTestFinished(async () => void (await mount.stop()))
  await mount.printed(/Mounted .* \(commit 2\)/)
  await edgemountOk(['rm', `${volume}/file`])
  await sleep(700)
  expect(readdirSync(mountPoint)).toEqual(['file'])
  expect(JSON.parse(await edgemountOk(['status', '--json', mountPoint], { env }))).toMatchObject({ mounts: [{ seq: 2, isFixed: true }] })
})

test('start: a folder, an address and a mount; again with only what changed', async () => {
  mkdirSync(at('start/folder/.edgemount'), { recursive: true })
  const cwd = at('start/folder')
  onTestFinished(() => forceUnmount(join(cwd, 'mnt')))
  writeFileSync(join(cwd, 'a.txt'), 'first')
  writeFileSync(join(cwd, 'b.bin'), Buffer.alloc(200_000, 'b'))
  const run = async (...words: string[]): Promise<Running> => {
    const process = new Running(['start', ...words, '--serve', '127.0.0.1:0'], { cwd, env })
    onTestFinished(async () => void (await process.stop()))
    await process.printed(/Ctrl-C ends it/)
    return process
  }
  const first = await run('.')
  expect(first.output).toContain('2 files')
  expect(readFileSync(join(cwd, 'mnt/a.txt'), 'utf8')).toBe('first')
  expect(readdirSync(join(cwd, 'mnt')), 'neither the store nor the mount').toEqual(['a.txt', 'b.bin'])
  const url = /Address +(\S+)/.exec(first.output)?.[1] ?? ''
  expect(await (await fetch(`${url}a.txt`)).text()).toBe('first')
  expect(await first.stop('SIGINT')).toBe(0)
  expect(isMounted(join(cwd, 'mnt'))).toBe(false)

  writeFileSync(join(cwd, 'a.txt'), 'second')
  rmSync(join(cwd, 'b.bin'))
  const second = await run('.')
  expect(second.output).toContain('0 added, 1 changed, 1 removed')
  expect(second.output).toContain('6 B stored of 6 B read')
  expect(readFileSync(join(cwd, 'mnt/a.txt'), 'utf8')).toBe('second')
  expect(existsSync(join(cwd, 'mnt/b.bin'))).toBe(false)
  expect(await second.stop('SIGTERM')).toBe(0)
})

test('start where the mount point is in use, and where the port is', async () => {
  mkdirSync(at('taken/folder'), { recursive: true })
  mkdirSync(at('taken/mnt'))
  writeFileSync(at('taken/mnt/file'), 'x')
  const refused = await edgemount(['start', 'folder'], { cwd: at('taken'), env })
  expect(refused.stderr).toMatch(/Cannot mount on ".*taken\/mnt": the directory is not empty/)
  expect([refused.code, refused.stdout]).toEqual([6, ''])

  rmSync(at('taken/mnt/file'))
  onTestFinished(() => forceUnmount(at('taken/mnt')))
  const blocker = createServer()
  // Should somebody else have the port already, it is taken just as well.
  await new Promise<void>((resolve) => blocker.once('error', () => resolve()).listen(8787, '127.0.0.1', resolve))
  onTestFinished(() => void blocker.close())
  const started = new Running(['start', 'folder'], { cwd: at('taken'), env })
  onTestFinished(async () => void (await started.stop()))
  const [, port] = await started.printed(/Port 8787 is taken; serving on (\d+)\./)
  await started.printed(new RegExp(`Address +http://127\\.0\\.0\\.1:${port}/v1/demo/files/\n +Console +http://127\\.0\\.0\\.1:${port}/#/demo/\n`))
})

test('a chunk that is corrupt in the store is refused, by name and code; other files are fine', async () => {
  const volume = `dir:${at('store')}/corrupt`
  mkdirSync(at('to-corrupt'))
  writeFileSync(at('to-corrupt/big'), Buffer.alloc(50_000, 'abc'))
  writeFileSync(at('to-corrupt/small'), 'fine')
  await edgemountOk(['import', at('to-corrupt'), volume])
  const [pack] = readdirSync(at('store/corrupt/data'))
  const file = at(`store/corrupt/data/${pack}`)
  chmodSync(file, 0o600)
  writeFileSync(file, readFileSync(file).fill(0, 100, 101))
  const { code, stderr, stdout } = await edgemount(['cat', `${volume}/big`])
  expect(stderr).toContain('"/big"')
  expect([code, stdout]).toEqual([8, ''])
  expect(await edgemountOk(['cat', `${volume}/small`])).toBe('fine')
})

test('start without FUSE says so and goes on serving', async () => {
  mkdirSync(at('plain/folder'), { recursive: true })
  writeFileSync(at('plain/folder/file'), 'served')
  // An empty PATH hides fusermount3 from a user without rights; root gets a device that is none.
  const isRoot = process.getuid?.() === 0
  const script = isRoot ? 'mount --bind /dev/null /dev/fuse && exec "$0" "$@"' : 'PATH=/nowhere exec "$0" "$@"'
  const command = isRoot ? ['unshare', '-m', 'sh', '-c', script] : ['sh', '-c', script]
  const child = spawn(command[0] ?? '', [...command.slice(1), process.execPath, mainFile, 'start', 'folder', '--serve', '127.0.0.1:0'], { cwd: at('plain'), env: { ...process.env, ...env } })
  onTestFinished(() => void child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (output += bytes.toString()))
  for (let tries = 0; tries < 200 && !output.includes('Ctrl-C ends it'); tries += 1) await sleep(50)
  expect(output).toMatch(/Cannot mount on ".*mnt": .*\nSo it is not mounted; everything is served over HTTP\.\n/)
  const url = /Address +(\S+)/.exec(output)?.[1] ?? ''
  expect(await (await fetch(`${url}file`)).text()).toBe('served')
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGINT')
  expect(await ended).toBe(0)
})
