/**
 * Mounts that cannot be made, that lose their daemon, and that are made by somebody who is not root.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { findMount, readMountTable } from '../../shim/fuse/mount-table.ts'
import { mountRoot } from '../../shim/fuse/mount.ts'
import { unmount } from '../../shim/fuse/unmount.ts'
import { mountFileSystem, openFuseDevice } from '../../shim/sys/mount-calls.ts'
import { closeFd } from '../../shim/sys/pipe.ts'
import { Daemon, Workplace } from '../support/fuse-mount.ts'
import { run, until } from '../support/run-program.ts'

let place: Workplace
beforeEach(() => {
  place = new Workplace()
})
afterEach(() => place.remove())

/** A zombie is dead, though nobody has buried it. */
function isAlive(pid: unknown): boolean {
  try {
    return !readFileSync(`/proc/${String(pid)}/stat`, 'latin1').includes(') Z ')
  } catch {
    return false
  }
}

const mounted = (): boolean => findMount(readMountTable(), place.mountPoint) !== undefined

/** What a daemon says that cannot mount there. */
async function failure(directory: string): Promise<unknown> {
  const daemon = new Daemon({ directory, backingPath: place.backingPath }, [])
  const line = await daemon.next('event')
  await daemon.ended
  return line['message']
}

describe('a mount that cannot be made says why', () => {
  test('missing, no directory, not empty', async () => {
    const missing = join(place.path, 'missing')
    expect(await failure(missing)).toBe(`Cannot mount on "${missing}": there is no such directory. Create it first`)
    expect(await failure(place.backingPath)).toBe(`Cannot mount on "${place.backingPath}": it is not a directory`)
    expect(await failure(join(place.backingPath, 'x'))).toContain('a part of its path is not a directory')
    writeFileSync(join(place.mountPoint, 'kept'), '')
    expect(await failure(place.mountPoint)).toContain('the directory is not empty')
  })

  test('already mounted, also by another name', async () => {
    const daemon = await place.start()
    const link = join(place.path, 'by-link')
    symlinkSync(place.mountPoint, link)
    expect(await failure(place.mountPoint)).toContain('"test, driver" (fuse.edgemount) is mounted there already. Unmount it first')
    expect(await failure(link)).toContain('is mounted there already')
    expect((await run('cat', join(place.mountPoint, 'hello.txt'))).out).toBe('hello, world\n')
    expect(await daemon.stop()).toBe(0)
  })

  test('another file system is mounted there', async () => {
    expect((await run('mount', '-t', 'tmpfs', 'some-memory', place.mountPoint)).code).toBe(0)
    expect(await failure(place.mountPoint)).toContain('"some-memory" (tmpfs) is mounted there already')
  })
})

test('a busy mount is not unmounted, but lazily; a missing one is absent', async () => {
  const daemon = await place.start()
  const reader = run('sh', '-c', `exec < ${join(place.mountPoint, 'hello.txt')}; echo open; sleep 0.7; cat`)
  await until(async () => Number((await daemon.ask('outstanding'))['handles']) > 0)
  expect(await unmount(place.mountPoint, { isLazy: false })).toBe('busy')
  expect(await unmount(place.mountPoint, { isLazy: true })).toBe('unmounted')
  expect(await unmount(place.mountPoint, { isLazy: true })).toBe('absent')
  expect((await reader).out).toBe('open\nhello, world\n') // served until it is closed
  expect(await daemon.ended).toBe(0)
})

test('a serving thread that dies takes the mount with it, waiting readers included', async () => {
  const daemon = await place.start()
  const waiting = run('cat', join(place.mountPoint, 'hanging'))
  await until(async () => Number((await daemon.ask('outstanding'))['hanging']) > 0)
  await daemon.ask('die')
  const asked = await run('stat', '-f', place.mountPoint)
  expect(asked.code).not.toBe(0)
  expect((await waiting).code).not.toBe(0)
  expect(await daemon.ended).toBe(3)
  expect(mounted()).toBe(false)
})

test('the mount of a daemon that was killed is cleared by the next', async () => {
  const killed = await place.start()
  expect((await run('ls', place.mountPoint)).code).toBe(0)
  killed.child.kill('SIGKILL')
  await killed.ended
  expect(mounted()).toBe(true)
  expect((await run('stat', '-f', place.mountPoint)).complaint).toContain('not connected')
  const next = await place.start()
  expect((await run('cat', join(place.mountPoint, 'hello.txt'))).out).toBe('hello, world\n')
  expect(readMountTable().filter((entry) => entry.mountPoint === place.mountPoint)).toHaveLength(1)
  expect(await next.stop()).toBe(0)
})

describe('the watchdog', () => {
  test('takes away the mount of a daemon that was killed', async () => {
    const daemon = await place.start({ hasWatchdog: true })
    daemon.child.kill('SIGKILL')
    await daemon.ended
    await until(() => !mounted())
    expect(mounted()).toBe(false)
  })

  test('ends with the daemon, and leaves the mount of a newer one alone', async () => {
    const first = new Daemon({ directory: place.mountPoint, backingPath: place.backingPath, hasWatchdog: true }, [])
    const { watchdogPid } = await first.next('event')
    expect(isAlive(watchdogPid)).toBe(true)
    await run('kill', '-STOP', String(watchdogPid)) // so that it acts only after the newer daemon has mounted
    first.child.kill('SIGKILL')
    await first.ended
    const newer = await place.start()
    await run('kill', '-CONT', String(watchdogPid))
    await until(() => !isAlive(watchdogPid))
    expect(mounted()).toBe(true)
    expect((await run('cat', join(place.mountPoint, 'hello.txt'))).out).toBe('hello, world\n')
    expect(await newer.stop()).toBe(0)
  })

  test('leaves a mount alone that somebody has made on top', async () => {
    const ours = await mountRoot({ directory: place.mountPoint, source: 'below', isReadOnly: true, allowOther: false })
    closeFd(ours.fd)
    // It is dead, too, so that only its place tells it from ours.
    const device = openFuseDevice()
    expect(mountFileSystem('above', place.mountPoint, 'fuse.test', true, `fd=${device},rootmode=40000,user_id=0,group_id=0`)).toBe(0)
    closeFd(device)
    const sources = (): string[] => readMountTable().flatMap(({ mountPoint, source }) => (mountPoint === place.mountPoint ? [source] : []))
    expect(sources()).toEqual(['below', 'above'])
    const module = new URL('../../shim/fuse/watchdog.ts', import.meta.url)
    const script = `import { startWatchdog } from '${module.href}'; console.log(startWatchdog(${JSON.stringify(ours)}).pid)`
    const { out } = await run(process.execPath, '--input-type=module', '-e', script)
    await until(() => !isAlive(Number(out)))
    expect(sources()).toEqual(['below', 'above'])
  })

  test('ends after a clean end', async () => {
    const daemon = new Daemon({ directory: place.mountPoint, backingPath: place.backingPath, hasWatchdog: true }, [])
    const { watchdogPid } = await daemon.next('event')
    expect(await daemon.stop()).toBe(0)
    await until(() => !isAlive(watchdogPid))
    expect(mounted()).toBe(false)
  })
})

describe('as somebody who is not root', () => {
  const nobody = '65534'
  const asNobody = ['setpriv', '--reuid', nobody, '--regid', nobody, '--clear-groups']
  // A mount namespace of its own, with a device node that everybody may open, as distributions have it.
  const shell = (directory: string): readonly string[] => [
    'unshare',
    '-m',
    '--propagation',
    'private',
    'sh',
    '-c',
    `mknod -m 666 ${directory}/fuse c 10 229 && mount --bind ${directory}/fuse /dev/fuse && exec "$@"`,
    'sh',
    ...asNobody,
  ]
  let directory = ''
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'edgemount-user-'))
    mkdirSync(join(directory, 'mnt'))
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  test('mounts through fusermount3, reads, and unmounts', async () => {
    await run('chmod', '755', place.path, directory)
    await run('chown', nobody, place.mountPoint)
    const daemon = await place.start({ asUser: true }, shell(directory))
    const { pid } = daemon.child
    const inside = (...command: string[]): ReturnType<typeof run> =>
      run('nsenter', '-m', '-t', String(pid), ...asNobody, ...command)
    expect((await inside('cat', join(place.mountPoint, 'hello.txt'))).out).toBe('hello, world\n')
    expect((await inside('cmp', join(place.mountPoint, 'through'), place.backingPath)).code).toBe(0)
    expect((await inside('sh', '-c', `ls ${place.mountPoint}/many | wc -l`)).out.trim()).toBe('5000')
    expect((await inside('grep', place.mountPoint, '/proc/self/mountinfo')).out).toContain('fuse.edgemount test,\\040driver')
    expect(await daemon.stop()).toBe(0)
  })

  test('writes, with a kernel that gathers writes', async () => {
    await run('chmod', '755', place.path, directory)
    await run('chown', nobody, place.mountPoint)
    const daemon = await place.start({ asUser: true, writable: { rootMode: 0o777 } }, shell(directory))
    const script = `cd ${place.mountPoint} && umask 027 && mkdir dir && seq 100000 > dir/numbers && echo more >> dir/numbers && mv dir/numbers moved && ln moved hard && truncate -s 588895 moved && seq 100000 | cmp - hard && stat -c '%s %h %a' hard && rm hard moved && rmdir dir && ls -A`
    const done = await run('nsenter', '-m', '-t', String(daemon.child.pid), ...asNobody, 'sh', '-c', script)
    expect(done).toMatchObject({ code: 0, out: '588895 2 640\n', complaint: '' })
    expect(await daemon.ask('outstanding')).toMatchObject({ canPassthrough: false, hasWritebackCache: true })
    expect(await daemon.stop()).toBe(0)
  })

  test('is told when fusermount3 refuses', async () => {
    await run('chmod', '755', place.path, directory)
    const daemon = new Daemon({ directory: place.mountPoint, backingPath: place.backingPath, asUser: true }, shell(directory))
    const { message } = await daemon.next('event')
    expect(message).toContain(`Cannot mount on "${place.mountPoint}": fusermount3: user has no write access to mountpoint`)
    expect(await daemon.ended).toBe(1)
  })
})
