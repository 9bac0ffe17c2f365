/**
 * The driver on a real, writable mount: every changing operation through the kernel, in the three ways in which it writes. The mount is only
 * touched by child processes.
 */
import { spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { opcode } from '../../shim/fuse/protocol/opcode.ts'
import { Workplace } from '../support/fuse-mount.ts'
import type { Daemon } from '../support/fuse-mount.ts'
import { run, until } from '../support/run-program.ts'
import type { WritableDaemonOptions } from '../support/writable-daemon-worker.ts'

const everyChange = fileURLToPath(new URL('../support/every-change.py', import.meta.url))
const changing = ['SETATTR', 'SYMLINK', 'MKNOD', 'MKDIR', 'UNLINK', 'RMDIR', 'RENAME', 'RENAME2', 'LINK', 'FSYNC', 'SETXATTR', 'REMOVEXATTR', 'FSYNCDIR', 'CREATE', 'FALLOCATE', 'TMPFILE', 'COPY_FILE_RANGE_64'] as const

interface Way {
  readonly name: string
  readonly options: (backingDirectory: string) => WritableDaemonOptions
  readonly canPassthrough: boolean
  readonly hasWritebackCache: boolean
  /** Whether WRITE comes, and FLUSH. */
  readonly isAsked: { readonly WRITE: boolean; readonly FLUSH: boolean }
}

const ways: readonly Way[] = [
  { name: 'passthrough', options: (backingDirectory) => ({ backingDirectory }), canPassthrough: true, hasWritebackCache: false, isAsked: { WRITE: false, FLUSH: false } },
  { name: 'every write at once', options: () => ({ noFlush: false }), canPassthrough: true, hasWritebackCache: false, isAsked: { WRITE: true, FLUSH: true } },
  { name: 'the kernel gathers writes', options: () => ({ wantsPassthrough: false }), canPassthrough: false, hasWritebackCache: true, isAsked: { WRITE: true, FLUSH: true } },
]

describe.each(ways)('$name', ({ options, canPassthrough, hasWritebackCache, isAsked }) => {
  const place = new Workplace()
  let daemon: Daemon
  beforeAll(async () => {
    const backingDirectory = join(place.path, 'bodies')
    mkdirSync(backingDirectory)
    daemon = await place.start({ writable: options(backingDirectory) })
    await run('chmod', '755', place.path)
  })
  afterAll(() => place.remove())

  test('is what INIT agreed on', async () => {
    expect(await daemon.ask('outstanding')).toMatchObject({ canPassthrough, hasWritebackCache })
  })

  test('every operation does what it says', async () => {
    expect(await run('timeout', '30', 'python3', everyChange, place.mountPoint)).toEqual({ code: 0, out: '', complaint: '' })
    const counts = await countsOf(daemon)
    for (const name of changing) expect(counts[opcode[name]], name).toBeGreaterThan(0)
    expect(counts[opcode.WRITE]! > 0, 'WRITE').toBe(isAsked.WRITE)
    expect(counts[opcode.FLUSH]! > 0, 'FLUSH').toBe(isAsked.FLUSH)
  })

  test('a tree copied in is the same, and goes again', async () => {
    const source = fileURLToPath(new URL('../../node_modules/hono', import.meta.url))
    const list = `find . -type f -printf '%p %s %m %U %G %T+\n' | sort`
    const script = `cd ${place.mountPoint} && cp -a ${source} tree && diff -r ${source} tree && (cd ${source} && ${list}) > ../before && (cd tree && ${list}) | diff ../before - && tar cf - tree | (mkdir again && tar xf - -C again) && diff -r tree again/tree && rm -r tree again && ls -A`
    expect(await run('sh', '-c', script)).toEqual({ code: 0, out: '', complaint: '' })
  })

  test('every open file, every lookup and every inode is given back', async () => {
    await run('sh', '-c', 'sync; echo 3 > /proc/sys/vm/drop_caches')
    await expect.poll(() => daemon.ask('outstanding'), { timeout: 5000 }).toMatchObject({ lookups: 0, handles: 0, inodes: 1 })
    expect(daemon.lines).toEqual([])
    expect(await daemon.stop()).toBe(0)
  })
})

test('a kernel that gathers writes believes no other size of an open file, but of another generation', async () => {
  const place = new Workplace()
  onTestFinished(() => place.remove())
  const daemon = await place.start({ writable: { wantsPassthrough: false } })
  const file = join(place.mountPoint, 'file')
  const replace = async (text: string, isNewGeneration: boolean): Promise<void> => {
    await daemon.ask('replace', { name: 'file', text, isNewGeneration })
    await until(async () => (await run('cat', file)).out !== 'short')
  }
  await run('sh', '-c', `printf short > ${file}`)
  await replace('longer than before', false)
  expect((await run('cat', file)).out).toBe('longer than before')
  const holder = spawn('sh', ['-c', `exec 3<> ${file}; read line`], { stdio: ['pipe', 'ignore', 'ignore'] })
  const ended = new Promise((resolve) => holder.on('exit', resolve))
  await until(async () => Number((await daemon.ask('outstanding'))['handles']) === 1)
  await replace('this is longer still, by far', false)
  await until(async () => (await run('cat', file)).out === 'this is longer sti')
  await replace('and this is longer than all', true)
  await until(async () => (await run('cat', file)).out === 'and this is longer than all')
  holder.stdin.end()
  await ended
})

async function countsOf(daemon: Daemon): Promise<readonly number[]> {
  const answer = await daemon.ask('outstanding')
  return Array.isArray(answer['counts']) ? answer['counts'] : []
}
