/**
 * What programs see in a mount: files of all kinds, commits made elsewhere, caches, interrupts.
 */
import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MountBed } from '../support/mount-bed.ts'
import { python, until } from '../support/run-program.ts'
import { start } from '../support/start-program.ts'
import { randomBytes, utf8 } from '../support/test-volume.ts'

let bed: MountBed

beforeEach(async () => {
  bed = await MountBed.make()
})

afterEach(async () => {
  await bed.remove()
})

const inline = (text: string): { content: { kind: 'inline'; bytes: Uint8Array }; size: number } => ({
  content: { kind: 'inline', bytes: utf8(text) },
  size: utf8(text).length,
})

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

describe('reading', () => {
  test('files of all kinds are what they are in the volume', async () => {
    const longName = 'n'.repeat(255)
    const middle = randomBytes(2, 300_000)
    await bed.commit(
      { op: 'mkdir', path: '/d', mode: 0o750 },
      { op: 'create', path: '/d/small', ...inline('hello\n'), mode: 0o640, uid: 1234, gid: 4321, mtime: { seconds: 1_600_000_000, nanoseconds: 123_456_789 } },
      { op: 'create', path: '/d/middle', ...(await bed.content(middle)) },
      { op: 'create', path: '/d/empty' },
      { op: 'mkdir', path: '/d/none' },
      { op: 'symlink', path: '/link', target: 'd/small' },
      { op: 'symlink', path: '/dangling', target: '/no/such' },
      { op: 'link', path: '/d/small', to: '/hard' },
      { op: 'create', path: '/with\nnewline', ...inline('n') },
      { op: 'create', path: '/bad\udcff\udc80utf8', ...inline('b') },
      { op: 'create', path: `/${longName}`, ...inline('l') },
      { op: 'mknod', path: '/pipe', kind: 'fifo' },
      { op: 'create', path: '/tagged', ...inline('x'), xattrs: new Map([['user.tag', utf8('blue')]]) },
    )
    await bed.mount()
    const names = await python('import os,sys\nfor n in sorted(os.listdir(os.fsencode(sys.argv[1]))): print(n)', bed.mountPoint)
    expect(names.out.split('\n')).toEqual([
      "b'bad\\xff\\x80utf8'",
      "b'd'",
      "b'dangling'",
      "b'hard'",
      "b'link'",
      `b'${longName}'`,
      "b'pipe'",
      "b'tagged'",
      "b'with\\nnewline'",
      '',
    ])
    expect((await bed.sh('cat {}/link {}/hard {}/d/small')).out).toBe('hello\nhello\nhello\n')
    expect((await bed.sh('stat -c "%a %u %g %s %y" {}/d/small | cut -d+ -f1')).out).toBe('640 1234 4321 6 2020-09-13 12:26:40.123456789 \n')
    expect((await bed.sh('sha256sum < {}/d/middle')).out).toContain(sha256(middle))
    expect((await bed.sh('readlink {}/dangling; cat {}/dangling')).out).toBe('/no/such\n')
    const [small, hard] = (await bed.sh('stat -c "%i %h" {}/d/small {}/hard')).out.trim().split('\n')
    expect(small).toBe(hard)
    expect(small).toMatch(/ 2$/)
    expect((await bed.sh('stat -c %F {}/pipe {}/d/empty {}/d/none; ls -A {}/d/none; cat {}/d/empty')).out).toBe('fifo\nregular empty file\ndirectory\n')
    expect((await bed.sh('getfattr --only-values -n user.tag {}/tagged; getfattr -n user.other {}/tagged')).out).toBe('blue')
    expect((await bed.sh('cat {}/with*newline {}/bad*utf8')).out).toBe('nb')
  })

  test('nothing can be changed in a read-only mount', async () => {
    await bed.commit({ op: 'create', path: '/f', ...inline('x') }, { op: 'mkdir', path: '/d' })
    await bed.mount({ isReadOnly: true })
    for (const attempt of ['echo > {}/f', 'touch {}/new', 'rm {}/f', 'mkdir {}/e', 'rmdir {}/d', 'mv {}/f {}/g', 'chmod 600 {}/f', 'ln {}/f {}/h', 'truncate -s 0 {}/f']) {
      const { code, complaint } = await bed.sh(attempt)
      expect([attempt, code === 0, complaint]).toEqual([attempt, false, expect.stringContaining('Read-only file system')])
    }
  })

  test('a large file is whole, and at its second opening the kernel reads it itself', async () => {
    const bytes = new Uint8Array(Buffer.concat([randomBytes(3, 64 * 2 ** 20), new Uint8Array(12_345)]))
    await bed.commit({ op: 'create', path: '/big', ...(await bed.content(bytes)) })
    const daemon = await bed.mount()
    for (let round = 0; round < 2; round += 1) expect((await bed.sh('sha256sum < {}/big')).out).toContain(sha256(bytes))
    const status = await daemon.status()
    expect(status.fileSystem).toMatchObject({ passthroughOpenCount: 1, openCount: 0, cache: { fileCount: 1 } })
    expect(status.fetch.corruptCount).toBe(0)
    // Every byte came once.
    const fetched = status.fetch.tiers.reduce((sum, tier) => sum + tier.bytes, 0)
    expect(fetched).toBeLessThan(bytes.length * 1.1)
    expect((await python('import os,sys\nf=os.open(sys.argv[1],0)\nprint(os.pread(f,5,67108859)==os.pread(f,9,67108859)[:5], len(os.pread(f,99999,67108864+12300)))', `${bed.mountPoint}/big`)).out).toBe('True 45\n')
  })

  test('a tree of directories is found whole', async () => {
    const operations = Array.from({ length: 3000 }, (_, index) => ({ op: 'create', path: `/a/${index % 37}/${index % 11}/file-${index}`, ...inline(`text ${index}`), parents: true }) as const)
    await bed.commit(...operations)
    await bed.mount()
    const found = (await bed.sh('find {} -type f | wc -l; find {} -type f -exec cat {} + | wc -c'.replace('-exec cat {} +', '-print0 | xargs -0 cat'))).out.trim().split('\n')
    const bytes = operations.reduce((sum, { size }) => sum + size, 0)
    expect(found.map(Number)).toEqual([3000, bytes])
  })

  test('an earlier commit can be mounted, and stays', async () => {
    await bed.commit({ op: 'create', path: '/f', ...inline('one') })
    await bed.commit({ op: 'create', path: '/g', ...inline('two') })
    const daemon = await bed.mount({ seq: 2 })
    await bed.commit({ op: 'unlink', path: '/f' })
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect((await bed.sh('ls {}')).out).toBe('f\n')
    expect(await daemon.status()).toMatchObject({ seq: 2, isFixed: true, isFollowing: false })
    await expect(bed.mount({ seq: 99 })).rejects.toThrow('Cannot open snapshot 99')
  })
})

describe('commits made elsewhere', () => {
  /** Milliseconds until the output of the script is so. */
  async function msUntil(script: string, wanted: string): Promise<number> {
    const start = performance.now()
    await until(async () => (await bed.sh(script)).out === wanted)
    return performance.now() - start
  }

  test('show within a second: new names, new content, removals, new attributes', async () => {
    await bed.commit({ op: 'mkdir', path: '/d' }, { op: 'create', path: '/d/f', ...inline('old') }, { op: 'create', path: '/d/g', ...inline('gone') })
    const daemon = await bed.mount()
    // The kernel learns that "new" is not there, what is in "f", and the listing.
    expect((await bed.sh('cat {}/d/f; ls {}/d; stat {}/d/new 2>/dev/null')).out).toBe('oldf\ng\n')
    await bed.commit({ op: 'create', path: '/d/new', ...inline('new') })
    expect(await msUntil('cat {}/d/new 2>/dev/null', 'new')).toBeLessThan(1000)
    await bed.commit({ op: 'write', path: '/d/f', ...inline('newer') })
    expect(await msUntil('cat {}/d/f; stat -c %s {}/d/f', 'newer5\n')).toBeLessThan(1000)
    await bed.commit({ op: 'unlink', path: '/d/g' }, { op: 'setattr', path: '/d', mode: 0o700 })
    expect(await msUntil('ls {}/d; stat -c %a {}/d', 'f\nnew\n700\n')).toBeLessThan(1000)
    await bed.commit({ op: 'rename', path: '/d', to: '/e' })
    expect(await msUntil('ls {}; cat {}/e/new', 'e\nnew')).toBeLessThan(1000)
    expect((await daemon.status()).seq).toBe(6)
  })

  test('a program that has a file open reads the version it opened, others the new one, with the same inode number', async () => {
    const [before, after] = [randomBytes(5, 500_000), randomBytes(6, 400_000)]
    await bed.commit({ op: 'create', path: '/f', ...(await bed.content(before)) })
    await bed.mount()
    const script = [
      'import os,sys,hashlib,time',
      'p=sys.argv[1]; f=open(p,"rb"); ino=os.fstat(f.fileno()).st_ino; first=f.read(1000)',
      'print("open",flush=True); sys.stdin.readline()',
      'h=hashlib.sha256(first+f.read()).hexdigest()',
      'g=open(p,"rb"); print(h, hashlib.sha256(g.read()).hexdigest(), ino==os.fstat(g.fileno()).st_ino, os.fstat(f.fileno()).st_size)',
    ].join('\n')
    const reader = start('python3', '-c', script, `${bed.mountPoint}/f`)
    await reader.said('open')
    await bed.commit({ op: 'write', path: '/f', ...(await bed.content(after)) })
    await until(async () => (await bed.sh('stat -c %s {}/f')).out === '400000\n')
    reader.say('go')
    expect((await reader.ended).out).toBe(`open\n${sha256(before)} ${sha256(after)} True 500000\n`)
  })

  test('a commit too big to list shows too', async () => {
    const names = Array.from({ length: 21_000 }, (_, index) => ({ op: 'create', path: `/many/${index}`, ...inline(''), parents: true }) as const)
    await bed.commit({ op: 'mkdir', path: '/many' }, { op: 'create', path: '/f', ...inline('old') })
    await bed.mount()
    expect((await bed.sh('cat {}/f; ls {}/many; stat {}/many/20999 2>&1 | wc -l')).out).toBe('old1\n')
    await bed.commit(...names, { op: 'write', path: '/f', ...inline('newer') })
    await until(async () => (await bed.sh('ls {}/many | wc -l; cat {}/f; stat -c %n {}/many/20999 | wc -l')).out === '21000\nnewer1\n')
  })
})

describe('programs that wait', () => {
  test('an interrupted read ends with EINTR, and SIGKILL ends a reader', async () => {
    await bed.commit({ op: 'create', path: '/f', ...(await bed.content(randomBytes(1, 100_000))) })
    const daemon = await bed.mount({ deadlineMs: 3000 })
    bed.plan = (call) => (call.key.startsWith('data/') ? { kind: 'delay', ms: 60_000 } : undefined)
    // O_DIRECT: whoever waits for a page of the kernel's cache, on any file system, hears of deadly signals only.
    const script = [
      'import os,signal,sys',
      'def on(*_): raise OSError(4,"interrupted")',
      'signal.signal(signal.SIGALRM,on); signal.setitimer(signal.ITIMER_REAL,0.3)',
      'try: os.read(os.open(sys.argv[1],os.O_DIRECT),10)',
      'except OSError as e: print(e.errno)',
    ].join('\n')
    const start = performance.now()
    expect((await python(script, `${bed.mountPoint}/f`)).out).toBe('4\n')
    await bed.sh('timeout -s KILL 0.3 cat {}/f')
    expect(performance.now() - start).toBeLessThan(2500)
    await until(async () => (await daemon.status()).fileSystem?.requestCount === 0)
    bed.plan = () => undefined
    expect((await bed.sh('wc -c < {}/f')).out).toBe('100000\n')
  })

  test('two mounts of a volume are independent, and each has its cache', async () => {
    await bed.commit({ op: 'create', path: '/f', ...(await bed.content(randomBytes(1, 100_000))) })
    const [first, second] = [await bed.mount(), await bed.mount()]
    expect((await bed.sh('cat {}/f | wc -c')).out).toBe('100000\n')
    expect((await bed.sh('cat {}/f | wc -c', 2)).out).toBe('100000\n')
    const directories = [await first.status(), await second.status()].map((status) => status.fileSystem?.cacheDirectory)
    expect(new Set(directories).size).toBe(2)
    await first.close()
    expect(bed.isMounted(1)).toBe(false)
    expect((await bed.sh('cat {}/f | wc -c', 2)).out).toBe('100000\n')
  })
})

describe('the portable driver', () => {
  test('reads files, lists directories, and sees commits after a while', async () => {
    const bytes = randomBytes(1, 3_000_000)
    await bed.commit({ op: 'mkdir', path: '/d' }, { op: 'create', path: '/d/f', ...(await bed.content(bytes)) }, { op: 'symlink', path: '/l', target: 'd/f' })
    const daemon = await bed.mount({ driver: 'fuse-native' })
    expect((await bed.sh('ls {} {}/d; sha256sum < {}/l')).out).toContain(sha256(bytes))
    expect((await daemon.status()).driver).toBe('fuse-native')
    await bed.commit({ op: 'create', path: '/new', ...inline('x') })
    await until(async () => (await bed.sh('cat {}/new')).out === 'x')
    await daemon.close()
    expect(bed.isMounted()).toBe(false)
  })
})
