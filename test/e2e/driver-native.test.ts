/**
 * The portable driver on a real mount.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findMount, readMountTable } from '../../shim/fuse/mount-table.ts'
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
