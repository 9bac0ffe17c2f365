/**
 * Real programs at work in a mount: they must not notice where they are. What each leaves behind is checked by the program's own means, and at the end
 * the whole tree once more by a mount with an empty cache, which has only what was published.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { closeSync, cpSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { effort } from '../support/effort.ts'
import { WritableMount } from '../support/writable-mount.ts'

const repository = resolve(import.meta.dirname, '../..')
const local = mkdtempSync(join(tmpdir(), 'edgemount-local-'))
/** All of it in the soak run. */
const isWhole = effort > 1
const tarFileCount = isWhole ? 50_000 : 10_000
let mount: WritableMount

beforeAll(async () => {
  mount = await WritableMount.create('programs')
})

afterAll(async () => {
  await mount.dispose()
  rmSync(local, { recursive: true, force: true })
}, 240_000)

/** Runs a program to its end; throws with what it printed when it fails. */
function run(program: string, args: readonly string[], options: { cwd?: string; input?: string; env?: Record<string, string> } = {}): string {
  const done = spawnSync(program, args, {
    cwd: options.cwd,
    input: options.input,
    env: { ...process.env, ...options.env },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    timeout: 240_000,
  })
  if (done.status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${done.status ?? done.signal}: ${done.error?.message ?? ''}\n${done.stdout.slice(-3000)}\n${done.stderr.slice(-3000)}`)
  return done.stdout
}

test('git: clone, fsck, gc, commit, checkout', () => {
  const clone = mount.path('clone')
  run('git', ['clone', '-q', '--no-hardlinks', repository, clone])
  const git = (...args: string[]): string => run('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], { cwd: clone })
  git('fsck', '--full', '--strict')
  expect(git('status', '--porcelain')).toBe('')
  writeFileSync(join(clone, 'new-file'), 'new\n')
  git('add', 'new-file')
  git('commit', '-q', '-m', 'new')
  git('gc', '-q', '--prune=now')
  git('fsck', '--full', '--strict')
  git('checkout', '-q', 'HEAD~1')
  expect(existsSync(join(clone, 'new-file'))).toBe(false)
  git('checkout', '-q', '-')
  expect(git('status', '--porcelain')).toBe('')
}, 240_000)

if (isWhole) {
  test('npm ci of the project’s own dependencies', () => {
    const [here, there] = [join(local, 'npm'), mount.path('npm')]
    for (const folder of [here, there]) {
      mkdirSync(folder)
      for (const file of ['package.json', 'package-lock.json']) cpSync(join(repository, file), join(folder, file))
      if (existsSync(join(homedir(), '.npmrc'))) cpSync(join(homedir(), '.npmrc'), join(folder, '.npmrc'))
      run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: folder })
    }
    expect(run('diff', ['-r', '--no-dereference', join(here, 'node_modules'), join(there, 'node_modules')])).toBe('')
    run('node', ['-e', 'require("hono")'], { cwd: there })
  }, 300_000)
}

/** Four processes that write and read one table; each row says who wrote it, so that a lost one is seen. */
const sqliteProgram = `
import sqlite3, sys
file, mode, me, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
db = sqlite3.connect(file, timeout=60, isolation_level=None)
db.execute('PRAGMA journal_mode=' + mode)
db.execute('CREATE TABLE IF NOT EXISTS t (who INTEGER, n INTEGER, body BLOB, PRIMARY KEY (who, n))')
for n in range(count):
    db.execute('BEGIN IMMEDIATE')
    db.execute('INSERT INTO t VALUES (?, ?, ?)', (me, n, bytes([me]) * (n % 3000)))
    if n % 7 == 3: db.execute('DELETE FROM t WHERE who = ? AND n = ?', (me, n - 1))
    db.execute('COMMIT')
    db.execute('SELECT COUNT(*) FROM t').fetchone()
db.close()
`

test.each(['WAL', 'DELETE', 'TRUNCATE'])('SQLite with journal_mode=%s and four processes', async (mode) => {
  const file = mount.path(`${mode}.db`)
  const count = 150
  // Going over to a write-ahead log asks for the file alone and waits for nobody, on any disk.
  run('python3', ['-c', sqliteProgram, file, mode, '0', '0'])
  const ends = [1, 2, 3, 4].map(
    (who) =>
      new Promise<string>((done) => {
        const child = spawn('python3', ['-c', sqliteProgram, file, mode, String(who), String(count)], { stdio: ['ignore', 'ignore', 'pipe'] })
        let errors = ''
        child.stderr.on('data', (bytes: Buffer) => (errors += bytes.toString()))
        child.on('close', (code) => done(`${code}${errors}`))
      }),
  )
  expect(await Promise.all(ends)).toEqual(['0', '0', '0', '0'])
  const ask = (sql: string): string =>
    run('python3', ['-c', 'import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall())', file, sql]).trim()
  expect(ask('PRAGMA integrity_check')).toBe("[('ok',)]")
  const deleted = Array.from({ length: count }, (_, n) => n).filter((n) => n % 7 === 3).length
  expect(ask('SELECT who, COUNT(*) FROM t GROUP BY who')).toBe(`[${[1, 2, 3, 4].map((who) => `(${who}, ${count - deleted})`).join(', ')}]`)
}, 240_000)

test('fsync is not broken off by signals', () => {
  // PostgreSQL ends when fsync fails for whatever reason, and its processes signal each other all the time.
  const program = `
import os, signal, sys
signal.signal(signal.SIGALRM, lambda *_: None)
signal.siginterrupt(signal.SIGALRM, True)
signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
fd = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR)
folder = os.open(os.path.dirname(sys.argv[1]), os.O_RDONLY)
for n in range(300):
    libc.write(fd, b'x', 1)
    for one in (fd, folder):
        if libc.fsync(one) != 0: sys.exit('fsync: ' + os.strerror(ctypes.get_errno()))
signal.setitimer(signal.ITIMER_REAL, 0)
`
  run('python3', ['-c', program, mount.path('synced-file')])
})

test(`tar x of ${tarFileCount} files, with modes, times, links and a sparse file`, () => {
  const tree = join(local, 'tree')
  makeTree(tree)
  const tar = join(local, 'tree.tar')
  run('tar', ['cSf', tar, '--xattrs', '-C', tree, '.'])
  const target = mount.path('untarred')
  mkdirSync(target)
  run('tar', ['xf', tar, '--xattrs', '--xattrs-include=*', '-C', target])
  expect(run('tar', ['df', tar, '--xattrs', '-C', target])).toBe('')
}, 300_000)

test('cp -a and rsync -aHAX, the second of which transfers nothing', () => {
  const tree = join(local, 'tree', '0')
  run('cp', ['-a', tree, mount.path('copied')])
  expect(run('rsync', ['-aHAXn', '--itemize-changes', '--checksum', '--delete', `${tree}/`, `${mount.path('copied')}/`])).toBe('')
  run('rsync', ['-aHAX', `${tree}/`, `${mount.path('synced')}/`])
  expect(run('rsync', ['-aHAX', '--itemize-changes', '--delete', `${tree}/`, `${mount.path('synced')}/`])).toBe('')
}, 120_000)

test('dd, fallocate, truncate, and a save by rename', () => {
  const file = mount.path('dd')
  run('dd', ['if=/dev/urandom', `of=${file}`, 'bs=1M', 'count=20', 'conv=fsync', 'status=none'])
  run('dd', ['if=/dev/zero', `of=${file}`, 'bs=4k', 'count=3', 'seek=100', 'conv=notrunc', 'status=none'])
  expect(readFileSync(file).subarray(409_600, 421_888).every((byte) => byte === 0)).toBe(true)
  expect(statSync(file).size).toBe(20 * 2 ** 20)
  run('fallocate', ['-l', '30M', file])
  run('fallocate', ['-p', '-o', '1M', '-l', '1M', file])
  expect(statSync(file).size).toBe(30 * 2 ** 20)
  expect(readFileSync(file).subarray(2 ** 20, 2 ** 21).every((byte) => byte === 0)).toBe(true)
  run('truncate', ['-s', '5M', file])
  expect(statSync(file).size).toBe(5 * 2 ** 20)
  const note = mount.path('note.txt')
  for (let version = 0; version < 50; version += 1) {
    const fd = openSync(`${note}.swp`, 'w')
    writeSync(fd, `version ${version}\n`.repeat(version + 1))
    closeSync(fd)
    renameSync(`${note}.swp`, note)
    expect(readFileSync(note, 'utf8')).toBe(`version ${version}\n`.repeat(version + 1))
  }
})

test('a PostgreSQL cluster is initialised and loaded by pgbench', () => {
  const bin = newestPostgres()
  const data = mount.path('postgres')
  mkdirSync(data, { mode: 0o700 })
  const sockets = mkdtempSync(join(tmpdir(), 'edgemount-pg-'))
  run('chown', ['postgres', data, sockets])
  const as = (program: string, ...args: string[]): string =>
    run('runuser', ['-u', 'postgres', '--', join(bin, program), ...args], { cwd: '/', env: { PGHOST: sockets, PGDATABASE: 'postgres', LC_ALL: 'C' } })
  try {
    as('initdb', '-D', data, '-A', 'trust', '--data-checksums')
    as('pg_ctl', '-D', data, '-w', '-l', join(sockets, 'log'), '-o', `-c listen_addresses= -k ${sockets}`, 'start')
    try {
      as('pgbench', '-i', '-q', '-s', '3')
      as('pgbench', '-c', '4', '-j', '2', '-T', '5', '-n')
      expect(as('psql', '-Atc', 'SELECT COUNT(*) FROM pgbench_accounts').trim()).toBe('300000')
      expect(as('psql', '-Atc', 'SELECT SUM(abalance) = (SELECT SUM(delta) FROM pgbench_history) FROM pgbench_accounts').trim()).toBe('t')
    } finally {
      as('pg_ctl', '-D', data, '-w', '-m', 'fast', 'stop')
    }
    as('pg_checksums', '-D', data, '--check')
  } finally {
    rmSync(sockets, { recursive: true, force: true })
  }
}, 240_000)

test('everything is the same in a mount that has only what was published', async () => {
  const before = fingerprint(mount.folder)
  await mount.remount({ withEmptyCache: true })
  const after = fingerprint(mount.folder)
  expect(after.split('\n').length).toBeGreaterThan(tarFileCount)
  expect(after === before, firstDifference(before, after)).toBe(true)
  run('git', ['fsck', '--full', '--strict'], { cwd: mount.path('clone') })
  expect(run('tar', ['df', join(local, 'tree.tar'), '--xattrs', '-C', mount.path('untarred')])).toBe('')
  run('runuser', ['-u', 'postgres', '--', join(newestPostgres(), 'pg_checksums'), '-D', mount.path('postgres'), '--check'], { cwd: '/' })
}, 300_000)

/** One line for each name: type, mode, owner, size, links, time of change of the content, target; and the sums of all files. */
function fingerprint(folder: string): string {
  const names = run('find', ['.', '-not', '-type', 'd', '-printf', '%p %y %m %U %G %s %n %T@ %l\n', '-o', '-printf', '%p %y %m %U %G %n %T@\n'], { cwd: folder })
  const sums = run('sh', ['-c', 'find . -type f -print0 | sort -z | xargs -0 cksum'], { cwd: folder })
  return [...names.split('\n').toSorted(), sums].join('\n')
}

function firstDifference(a: string, b: string): string {
  const [left, right] = [a.split('\n'), b.split('\n')]
  const index = left.findIndex((line, at) => line !== right[at])
  return `before: ${left[index]}\nafter: ${right[index]}`
}

function newestPostgres(): string {
  const versions = readdirSync('/usr/lib/postgresql').toSorted((a, b) => Number(b) - Number(a))
  return join('/usr/lib/postgresql', versions[0]!, 'bin')
}

/** Small files of all modes in folders of 500, with links of both kinds, an extended attribute and a sparse file. */
function makeTree(root: string): void {
  for (let index = 0; index < tarFileCount; index += 1) {
    const folder = join(root, String(Math.floor(index / 5000)), String(Math.floor(index / 500)))
    if (index % 500 === 0) mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, `file-${index}.txt`), `${index}\n`.repeat(index % 400), { mode: 0o400 | (index % 0o400) })
  }
  const first = join(root, '0', '0')
  execFileSync('sh', ['-c', 'ln file-1.txt hard && ln -s file-2.txt soft && ln -s nowhere dangling && setfattr -n user.note -v yes file-3.txt && mkfifo pipe && truncate -s 100M sparse && echo end >> sparse && touch -d "1999-12-31 23:59:59.123456789" file-4.txt && setfacl -m u:1234:rx file-5.txt'], { cwd: first })
}
