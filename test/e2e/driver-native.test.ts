/**
 * The portable driver on a real mount: of a tree in memory, and of a volume by the real command.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { findMount, readMountTable } from '../../shim/fuse/mount-table.ts'
import { Running, edgemountOk, forceUnmount } from '../support/command.ts'
import { Daemon, Workplace } from '../support/fuse-mount.ts'
import { manyCount } from '../support/fuse-tree.ts'
import { python, run } from '../support/run-program.ts'

const place = new Workplace()
const at = (name: string): string => join(place.mountPoint, name)
let daemon: Daemon
beforeAll(async () => {
  daemon = await place.start({ isNative: true })
})
afterAll(() => place.remove())

test('shows attributes, links and extended attributes', async () => {
  expect((await run('stat', '-c', '%s %a %F %h %Y', at('hello.txt'))).out).toBe('13 644 regular file 1 1700000000\n')
  expect((await run('readlink', at('link'))).out).toBe('hello.txt\n')
  expect((await python('import os,sys; print(os.getxattr(sys.argv[1],"user.colour"))', at('tagged'))).out).toBe("b'blue'\n")
  const listed = await python('import os,sys; print(*sorted(os.listxattr(sys.argv[1])))', at('tagged'))
  expect(listed.out).toBe('user.colour user.empty\n')
  expect((await run('stat', '-f', '-c', '%b %f %S %l', place.mountPoint)).out).toBe('1000 400 4096 255\n')
})

test('reads bytes and backing files', async () => {
  const expected = createHash('sha256').update(readFileSync(place.backingPath)).digest('hex')
  for (const name of ['big', 'copied', 'through']) expect((await run('sha256sum', at(name))).out.slice(0, 64)).toBe(expected)
  expect((await run('cat', at('empty'))).out).toBe('')
  expect((await run('cat', at('link'))).out).toBe('hello, world\n')
  expect((await run('cat', at('throwing'))).complaint).toContain('Input/output error')
})

test('lists large directories', async () => {
  expect((await run('find', at('many'), '-type', 'f')).out.trim().split('\n')).toHaveLength(manyCount)
  expect((await run('ls', at('odd'))).out).toContain('x'.repeat(255))
  const copied = await run('cat', at('odd/new\nline'), at('odd/ünïcödé-日本'), at('odd/ leading space'))
  expect(copied).toMatchObject({ code: 0, out: Buffer.from('newünï le').toString('latin1') })
  expect((await run('cp', '-r', at('odd'), join(place.path, 'copy'))).complaint, 'a name that cannot be told is no silent loss').toContain('No such file')
})

test('refuses changes as a read-only file system', async () => {
  for (const change of ['touch hello.txt', 'rm hello.txt', 'mkdir new', 'echo > empty', 'chmod 600 empty']) {
    expect((await run('sh', '-c', `cd ${place.mountPoint} && ${change}`)).complaint).toContain('Read-only file system')
  }
})

test('a second mount at the same place is refused', async () => {
  const second = new Daemon({ directory: place.mountPoint, backingPath: place.backingPath, isNative: true }, [])
  expect((await second.next('event'))['message']).toContain('is mounted there already')
  expect(await second.ended).toBe(1)
})

test('every lookup and every open file is given back', async () => {
  await expect.poll(() => daemon.ask('outstanding'), { timeout: 5000 }).toMatchObject({ lookups: 0, handles: 0 })
})

test('unmounts in good order', async () => {
  expect(await daemon.stop()).toBe(0)
  expect(daemon.lines).toContainEqual({ event: 'end', isStopped: true })
  expect(findMount(readMountTable(), place.mountPoint)).toBeUndefined()
})

describe('writing', () => {
  const other = new Workplace()
  let writer: Daemon
  beforeAll(async () => {
    writer = await other.start({ isNative: true, writable: {} })
  })
  afterAll(() => other.remove())
  const inside = (script: string): ReturnType<typeof run> => run('sh', '-c', `cd ${other.mountPoint} && ${script}`)

  test('every operation that libfuse 2 knows', async () => {
    const script = `import os,stat,sys
os.chdir(sys.argv[1]); os.umask(0o027)
def put(name, data):
    with open(name, 'wb') as file: file.write(data)
def get(name):
    with open(name, 'rb') as file: return file.read()
os.mkdir('dir', 0o777); put('dir/file', b'one' * 100_000); os.symlink('dir/file', 'link'); os.mkfifo('fifo', 0o666)
assert oct(os.stat('dir').st_mode) == '0o40750' and oct(os.stat('dir/file').st_mode) == '0o100640' and stat.S_ISFIFO(os.stat('fifo').st_mode)
assert get('link') == b'one' * 100_000
os.link('dir/file', 'hard'); assert os.stat('hard').st_nlink == 2
os.rename('hard', 'dir/moved'); assert sorted(os.listdir('dir')) == ['file', 'moved'] and get('dir/moved')[:3] == b'one'
os.truncate('dir/file', 5); assert get('dir/file') == b'oneon'
with open('dir/file', 'r+b') as file:
    file.truncate(3); file.seek(10); file.write(b'end'); file.flush(); os.fsync(file.fileno()); os.fdatasync(file.fileno())
assert get('dir/file') == b'one' + bytes(7) + b'end'
with open('dir/file', 'ab') as file: file.write(b'!')
with open('dir/file', 'wb') as file: file.write(b'new')
assert get('dir/file') == b'new'
os.chmod('dir/file', 0o4711); os.chown('dir/file', 5, -1); os.chown('dir/file', -1, 6)
found = os.stat('dir/file'); assert (found.st_uid, found.st_gid, oct(found.st_mode)) == (5, 6, '0o100711'), found
os.utime('dir/file', ns=(1_000_000_000_001_000_000, 1_600_000_000_999_000_000))
found = os.stat('dir/file'); assert (found.st_atime_ns, found.st_mtime_ns) == (1_000_000_000_001_000_000, 1_600_000_000_999_000_000), found
os.setxattr('dir/file', 'user.a', b'value'); assert os.getxattr('dir/file', 'user.a') == b'value'
os.removexattr('dir/file', 'user.a'); assert os.listxattr('dir/file') == []
fd = os.open('dir', os.O_RDONLY); os.fsync(fd); os.close(fd)
file = open('dir/file', 'rb'); os.unlink('dir/file'); assert file.read() == b'new'; file.close()
for wrong in [lambda: os.rmdir('dir'), lambda: os.unlink('none'), lambda: os.mkdir('dir'), lambda: os.link('fifo', 'link')]:
    try: wrong(); print('not refused')
    except OSError: pass
os.unlink('dir/moved'); os.rmdir('dir'); os.unlink('link'); os.unlink('fifo')
print(os.listdir('.'))`
    expect(await python(script, other.mountPoint)).toEqual({ code: 0, out: '[]\n', complaint: '' })
  })

  test('a tree copied in is the same, times too', async () => {
    const source = fileURLToPath(new URL('../../node_modules/hono', import.meta.url))
    const list = `find . -type f -printf '%p %s %m %.22T+\n' | sort`
    const script = `cp -a ${source} tree && diff -r ${source} tree && (cd ${source} && ${list}) > ../before && (cd tree && ${list}) | diff ../before - && rm -r tree && ls -A`
    expect(await inside(script)).toEqual({ code: 0, out: '', complaint: '' })
    await expect.poll(() => writer.ask('outstanding'), { timeout: 5000 }).toMatchObject({ lookups: 0, handles: 0, inodes: 1 })
    expect(await writer.stop()).toBe(0)
  })
})

test('a cold volume is whole at the first look, by the real command', { timeout: 60_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'edgemount-native-'))
  const [source, mountPoint] = [join(directory, 'source'), join(directory, 'mnt')]
  onTestFinished(() => {
    forceUnmount(mountPoint)
    rmSync(directory, { recursive: true, force: true })
  })
  mkdirSync(mountPoint)
  await fillFolder(source)
  const volume = `dir:${join(directory, 'store')}/v`
  const env = { XDG_RUNTIME_DIR: directory }
  await edgemountOk(['import', source, volume], { env })
  const inside = (script: string): ReturnType<typeof run> => run('sh', '-c', `cd ${mountPoint} && ${script}`)
  const expected = (await run('sh', '-c', `cd ${source} && find . | LC_ALL=C sort`)).out
  // What a mount asks first differs, and each has a cache of its own: nothing is known beforehand.
  const looks = [
    async () => expect(await inside('find . | LC_ALL=C sort')).toEqual({ code: 0, out: expected, complaint: '' }),
    async () => expect(await run('diff', '-r', '--no-dereference', source, mountPoint)).toEqual({ code: 0, out: '', complaint: '' }),
    async () => expect((await inside('ls -A deep/er/est')).out).toBe('hidden\nnote\n'),
    async () => expect((await inside('cat deep/er/middle; readlink deep/er/long-link')).out).toBe(`${'m'.repeat(3000)}${'t'.repeat(600)}\n`),
    async () => expect((await python('import os,sys; p=sys.argv[1]; print(len(os.listxattr(p)), len(os.getxattr(p,"user.big")))', join(mountPoint, 'deep/tagged'))).out).toBe('4 3000\n'),
    async () => expect((await run('df', '--output=used,pcent,iused,ipcent', mountPoint)).out.split('\n')[1]?.trim().split(/ +/)).toEqual(['0', '0%', '0', '0%']),
  ]
  for (const [index, look] of [...looks, ...looks.slice(0, 2)].entries()) {
    const cache = join(directory, `cache${index}`)
    const mount = new Running(['mount', volume, mountPoint, '--serve', 'off', '--driver', 'fuse-native', '--cache', cache], { env })
    onTestFinished(async () => void (await mount.stop()))
    await mount.printed(/Mounted /)
    await look()
    expect(await mount.stop()).toBe(0)
  }
})

/** Files of a size that stands in the directory's page, long links, long attributes, odd names, and a directory of several pages. */
async function fillFolder(folder: string): Promise<void> {
  for (const name of ['deep/er/est', 'many', 'grün-日本']) mkdirSync(join(folder, name), { recursive: true })
  for (let index = 0; index < 3000; index += 1) writeFileSync(join(folder, 'many', `file-${index}`), `${index}`)
  writeFileSync(join(folder, 'deep/er/middle'), 'm'.repeat(3000))
  writeFileSync(join(folder, 'deep/er/est/note'), 'note')
  writeFileSync(join(folder, 'deep/er/est/hidden'), '')
  writeFileSync(join(folder, 'deep/big'), Buffer.alloc(600_000, 'abcdefg'))
  writeFileSync(join(folder, 'grün-日本', 'new\nline 🎉'), 'odd')
  symlinkSync('t'.repeat(600), join(folder, 'deep/er/long-link'))
  writeFileSync(join(folder, 'deep/tagged'), 'tagged')
  const tag = 'import os,sys\nos.setxattr(sys.argv[1],"user.big",b"z"*3000)\nfor c in "abc": os.setxattr(sys.argv[1],"user."+c*200,b"1")'
  expect(await python(tag, join(folder, 'deep/tagged'))).toMatchObject({ code: 0 })
}
