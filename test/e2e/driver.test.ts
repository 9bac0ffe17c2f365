/**
 * The driver on a real mount. The mount is only touched by child processes: were it to hang, a test would fail and nothing else.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { errno } from '../../shared/errno.ts'
import { readMountTable } from '../../shim/fuse/mount-table.ts'
import { opcode } from '../../shim/fuse/protocol/opcode.ts'
import { Workplace } from '../support/fuse-mount.ts'
import type { Daemon } from '../support/fuse-mount.ts'
import { python, run, until } from '../support/run-program.ts'
import type { Output } from '../support/run-program.ts'
import { bigBytes, manyCount, oddNames, patternBytes } from '../support/fuse-tree.ts'

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const dropCaches = (): Promise<Output> => run('sh', '-c', 'sync; echo 3 > /proc/sys/vm/drop_caches')

describe('reading', () => {
  const place = new Workplace()
  const at = (name: string): string => join(place.mountPoint, name)
  let daemon: Daemon
  beforeAll(async () => {
    daemon = await place.start()
  })
  afterAll(() => place.remove())

  test('lists, and shows attributes', async () => {
    const list = await run('ls', '-la', '--time-style=full-iso', place.mountPoint)
    expect(list.complaint).toBe('')
    expect(list.out).toContain('link -> hello.txt')
    const one = await run('stat', '-c', '%s %a %F %h %b %Y %y', at('hello.txt'))
    expect(one.out).toBe('13 644 regular file 1 1 1700000000 2023-11-14 22:13:20.123456789 +0000\n')
    expect((await run('stat', '-c', '%W', at('hello.txt'))).out).toBe('0\n') // no birth time; asks STATX
  })

  test('reads files, links and their ends', async () => {
    expect((await run('cat', at('hello.txt'))).out).toBe('hello, world\n')
    expect((await run('cat', at('empty'))).out).toBe('')
    expect((await run('cat', at('link'))).out).toBe('hello, world\n')
    expect((await run('readlink', at('odd-link'))).out).toBe('bad-\u00ff-utf8\n')
    expect((await run('sha256sum', at('big'))).out.slice(0, 64)).toBe(sha(patternBytes(bigBytes)))
    const tail = await run('dd', `if=${at('big')}`, 'bs=4096', `skip=${bigBytes / 4096 - 1}`, 'iflag=direct', 'status=none')
    expect(Buffer.from(tail.out, 'latin1').equals(patternBytes(bigBytes).subarray(-4096))).toBe(true)
  })

  test('finds 5,000 names, in few requests', async () => {
    const before = await counts(daemon)
    const list = await run('ls', '-lU', at('many'))
    expect(list.out.trim().split('\n')).toHaveLength(manyCount + 1)
    const after = await counts(daemon)
    expect(after[opcode.LOOKUP]! - before[opcode.LOOKUP]!).toBeLessThan(10)
    expect((await run('find', at('many'), '-type', 'f')).out.trim().split('\n')).toHaveLength(manyCount)
  })

  test('keeps names byte for byte', async () => {
    const script = 'import os,sys; d=sys.argv[1].encode(); print([(n, open(os.path.join(d,n),"rb").read()) for n in sorted(os.listdir(d))])'
    const listed = await python(script, at('odd'))
    expect(listed.complaint).toBe('')
    for (const name of ["b'new\\nline'", "b'bad-\\xff-utf8'", `b'${'x'.repeat(255)}'`, "b' leading space'", "b'-dash'"]) {
      expect(listed.out).toContain(name)
    }
    expect(listed.out.match(/\(b/g)).toHaveLength(oddNames.length)
  })

  test('gives extended attributes', async () => {
    const script = `import os,sys
p=sys.argv[1]
print(sorted(os.listxattr(p)), os.getxattr(p,"user.colour"), os.getxattr(p,"user.empty"))
try: os.getxattr(p,"user.absent")
except OSError as e: print(e.errno)`
    const shown = await python(script, at('tagged'))
    expect(shown.out).toBe(`['user.colour', 'user.empty'] b'blue' b''\n${errno.ENODATA}\n`)
  })

  test('finds data and holes', async () => {
    const seeks = ['0,os.SEEK_DATA', '0,os.SEEK_HOLE', '600000,os.SEEK_HOLE'].map((seek) => `os.lseek(f,${seek})`)
    const script = `import os,sys; f=os.open(sys.argv[1],0); print(${seeks.join(',')})`
    expect((await python(script, at('sparse'))).out).toBe(`${512 << 10} 0 ${1 << 20}\n`)
  })

  test('tells the size of the file system', async () => {
    expect((await run('stat', '-f', '-c', '%b %f %S %l', place.mountPoint)).out).toBe('1000 400 4096 255\n')
  })

  test('refuses every change as a read-only file system', async () => {
    const changes = [`touch hello.txt`, `rm hello.txt`, `mkdir new`, `mv empty full`, `ln empty other`, `chmod 600 empty`]
    for (const change of changes) {
      expect((await run('sh', '-c', `cd ${place.mountPoint} && ${change}`)).complaint).toContain('Read-only file system')
    }
  })

  test('a handler that throws spoils its request only', async () => {
    expect((await run('cat', at('throwing'))).complaint).toContain('Input/output error')
    expect(await daemon.next('log')).toMatchObject({ log: expect.stringContaining('asked to throw') })
    expect((await run('cat', at('hello.txt'))).out).toBe('hello, world\n')
  })

  test('reads a backing file through the kernel, and through us', async () => {
    const before = await counts(daemon)
    expect((await run('sha256sum', at('through'))).out.slice(0, 64)).toBe(sha(readFileSync(place.backingPath)))
    expect((await counts(daemon))[opcode.READ]).toBe(before[opcode.READ])
    expect((await run('sha256sum', at('copied'))).out.slice(0, 64)).toBe(sha(readFileSync(place.backingPath)))
    expect((await counts(daemon))[opcode.READ]).toBeGreaterThan(before[opcode.READ]!)
  })

  test('every open file and every lookup is given back', async () => {
    await dropCaches()
    await expect.poll(() => daemon.ask('outstanding'), { timeout: 5000 }).toMatchObject({ lookups: 0, handles: 0 })
  })

  test('unmounts in good order', async () => {
    expect(await daemon.stop()).toBe(0)
    expect(daemon.lines).toContainEqual(expect.objectContaining({ event: 'served', isStopped: true }))
    expect(readMountTable().filter((entry) => entry.mountPoint === place.mountPoint)).toEqual([])
  })
})

describe('interrupts and invalidation', () => {
  const place = new Workplace()
  const at = (name: string): string => join(place.mountPoint, name)
  let daemon: Daemon
  beforeAll(async () => {
    daemon = await place.start()
  })
  afterAll(() => place.remove())

  const hangingCount = async (): Promise<number> => Number((await daemon.ask('outstanding'))['hanging'])

  test.each(['SIGKILL', 'SIGINT'] as const)('%s ends a reader whose data does not come', async (signal) => {
    const reader = spawn('dd', [`if=${at('hanging')}`, 'iflag=direct', 'bs=4096', 'count=1'], { stdio: 'ignore' })
    const ended = new Promise((resolve) => reader.on('exit', (_code, by) => resolve(by)))
    await until(async () => (await hangingCount()) === 1)
    reader.kill(signal)
    expect(await ended).toBe(signal)
    await until(async () => (await hangingCount()) === 0)
  })

  test('a reader that handles the signal gets EINTR', async () => {
    const script = `import os,sys,signal
class Alarm(Exception): pass
def ring(*_): raise Alarm()
signal.signal(signal.SIGALRM, ring); signal.setitimer(signal.ITIMER_REAL, 0.2)
f=os.open(sys.argv[1], os.O_RDONLY|os.O_DIRECT)
import mmap; m=mmap.mmap(-1,4096)
try: os.preadv(f,[m],0); print("data")
except Alarm: print("interrupted")`
    expect((await python(script, at('hanging'))).out).toBe('interrupted\n')
  })

  test('a late answer arrives', async () => {
    const reader = run('dd', `if=${at('hanging')}`, 'iflag=direct', 'bs=4096', 'count=1')
    await until(async () => (await hangingCount()) === 1)
    await daemon.ask('release')
    expect((await reader).complaint).toContain('Input/output error')
  })

  test('changed data and names are seen at once', async () => {
    expect((await run('cat', at('hello.txt'))).out).toBe('hello, world\n')
    expect((await run('cat', at('later'))).complaint).toContain('No such file')
    await daemon.ask('set', { name: 'hello.txt', text: 'good-bye\n' })
    expect((await run('cat', at('hello.txt'))).out).toBe('hello, world\n') // still the kernel's copy
    await daemon.ask('invalidate-node', { name: 'hello.txt' })
    await until(async () => (await run('cat', at('hello.txt'))).out === 'good-bye\n')
    await daemon.ask('add', { name: 'later', text: 'now' })
    await daemon.ask('invalidate-entry', { name: 'later' })
    expect((await run('cat', at('later'))).out).toBe('now')
    expect(await daemon.ask('invalidate-all')).toMatchObject({ isDone: true })
    expect((await run('cat', at('later'))).out).toBe('now')
  })

  test('invalidation while a lookup is unanswered blocks nobody but itself', async () => {
    const stuck = run('stat', at('hanging-directory/x'))
    await until(async () => (await hangingCount()) === 1)
    await daemon.ask('fill-queue', { count: 50_000 }) // more than the queue holds
    const reader = run('dd', `if=${at('hanging')}`, 'iflag=direct', 'bs=4096', 'count=1')
    await until(async () => (await hangingCount()) === 2)
    await daemon.ask('invalidate-node', { name: 'hanging' })
    expect((await run('cat', at('link'))).out).toBe('good-bye\n')
    await daemon.ask('release')
    expect((await stuck).complaint).toContain('Input/output error')
    expect((await reader).complaint).toContain('Input/output error')
    expect(await daemon.stop()).toBe(0)
  })
})

async function counts(daemon: Daemon): Promise<readonly number[]> {
  const answer = await daemon.ask('outstanding')
  return Array.isArray(answer['counts']) ? answer['counts'] : []
}
