/** What the directory store asks of the disk, call by call: the order that makes it durable, what it saves, and what each failure becomes. */
import { mkdir, readdir, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { DirectoryStore } from '../../../edge/store/directory.ts'
import type { Disk } from '../../../edge/store/directory/disk.ts'
import { openFilesMax } from '../../../edge/store/directory/open-files.ts'
import { currentProcess, formatIdentity } from '../../../edge/store/directory/process-identity.ts'
import { systemClock } from '../../../shared/clock.ts'
import { EdgemountError } from '../../../shared/error.ts'
import { systemRandom } from '../../../shared/random.ts'
import { type ScriptedDisk, scriptedDisk } from '../../support/scripted-disk.ts'
import { bytesAt, collect, expectBytes, failureOf, pattern, text } from '../../support/store-bytes.ts'
import { tempDirectory } from '../../support/temp-directory.ts'

async function openStore(root?: string): Promise<ScriptedDisk & { store: DirectoryStore; root: string }> {
  const directory = root ?? (await tempDirectory())
  const scripted = scriptedDisk()
  const store = new DirectoryStore(directory, { clock: systemClock, random: systemRandom, disk: scripted.disk })
  await store.start()
  onTestFinished(() => store.dispose())
  return { ...scripted, store, root: directory }
}

/** Calls that change or sync something, with the random names of temporary files made plain. */
function changesOf(calls: readonly string[]): string[] {
  const changing = /^(openNew|write|syncData|link|rename|unlink|syncDirectory|symlink)/
  return calls.filter((call) => changing.test(call)).map((call) => call.replace(/ \d+-\d+-[0-9a-f]+\..*/, ' <staged>').replace(/ [0-9a-f]{32}$/, ' <lock>'))
}

describe('order', () => {
  test('create: bytes durable, then the name, then the name durable', async () => {
    const { store, calls } = await openStore()
    await store.create('log/1', text('x'))
    calls.length = 0
    await store.create('log/2', text('y'))
    expect(changesOf(calls)).toEqual(['openNew <staged>', 'write', 'syncData', 'link 2', 'syncDirectory log', 'unlink <staged>'])
  })

  test('the first create makes every directory above the object durable', async () => {
    const { store, calls, root } = await openStore()
    await store.create('demo/log/1', text('x'))
    const syncs = calls.filter((call) => call.startsWith('syncDirectory')).map((call) => call.slice('syncDirectory '.length))
    const base = path.basename(root)
    expect(syncs.slice(-4)).toEqual(['demo', base, path.basename(path.dirname(root)), 'log'])
  })

  test('directories that were made above the store are durable too, also when the first sync of one fails', async () => {
    const base = await tempDirectory()
    for (const failing of [false, true]) {
      const { store, calls, failNext } = await openStore(path.join(base, String(failing), 'a', 'b'))
      if (failing) {
        failNext('syncDirectory', 'EIO')
        expect(await failureOf(store.create('k', text('x')))).toBe('unavailable')
        calls.length = 0
      }
      await store.create('k', text('x'))
      const syncs = calls.filter((call) => call.startsWith('syncDirectory')).map((call) => call.slice('syncDirectory '.length))
      expect(syncs).toEqual(expect.arrayContaining(['b', 'a', String(failing), path.basename(base)]))
      calls.length = 0
      await store.create('other/k', text('x'))
      expect(calls.filter((call) => call.startsWith('syncDirectory'))).not.toContain(`syncDirectory ${path.basename(base)}`)
    }
  })

  test('a create that lost makes the winner durable before it says so', async () => {
    const { store, calls } = await openStore()
    await store.create('log/1', text('x'))
    calls.length = 0
    expect(await store.create('log/1', text('y'))).toBe(false)
    expect(changesOf(calls)).toEqual(['syncDirectory log'])
  })

  test('put: the new bytes are durable before they take the name, under the lock', async () => {
    const { store, calls } = await openStore()
    await store.put('head', text('1'))
    calls.length = 0
    await store.put('head', text('2'))
    const changes = changesOf(calls)
    expect(changes.slice(0, 3)).toEqual(['openNew <staged>', 'write', 'syncData'])
    expect(changes.indexOf('symlink <lock>')).toBeLessThan(changes.indexOf('rename head'))
    expect(changes.indexOf('rename head')).toBeLessThan(changes.indexOf('unlink <lock>'))
  })
})

describe('cost', () => {
  test('the newest of 500 log records costs one directory read and one stat', async () => {
    const { store, calls, count, root } = await openStore()
    await mkdir(path.join(root, 'log'), { recursive: true })
    for (let index = 0; index < 500; index += 1) await writeFile(path.join(root, 'log', String(index).padStart(20, '0')), 'x')
    calls.length = 0
    expect(await store.list('log/', { limit: 1 })).toEqual([{ key: 'log/00000000000000000000', size: 1 }])
    expect(count('readDirectory')).toBe(1)
    expect(count('stat')).toBe(1)
  })

  test('a list does not look into directories that cannot hold wanted keys', async () => {
    const { store, calls } = await openStore()
    for (const volume of ['a', 'b', 'c', 'd']) await store.create(`${volume}/log/1`, text('x'))
    calls.length = 0
    await store.list('b/', { after: 'b/k' })
    expect(calls.filter((call) => call.startsWith('readDirectory'))).toEqual(['readDirectory b', 'readDirectory log'])
  })

  test('100 ranges of one pack open it once', async () => {
    const { store, calls, count } = await openStore()
    const body = pattern(1_000_000)
    await store.create('data/d1', body)
    calls.length = 0
    for (let index = 0; index < 100; index += 1) {
      const range = { start: index * 9000, end: index * 9000 + 9000 }
      expectBytes(await bytesAt(store, 'data/d1', range), body.subarray(range.start, range.end))
    }
    expect(count('openToRead')).toBe(1)
    expect(count('read')).toBe(100)
  })

  test('descriptors are bounded, and all closed at the end', async () => {
    const { store, count, calls } = await openStore()
    const packCount = openFilesMax + 20
    for (let index = 0; index < packCount; index += 1) await store.create(`data/d${index}`, pattern(70_000))
    calls.length = 0
    const reads = Array.from({ length: packCount * 3 }, (_, index) => bytesAt(store, `data/d${index % packCount}`, { start: 0, end: 10 }))
    await Promise.all(reads)
    const openCount = count('openToRead') - count('close')
    expect(openCount).toBeLessThanOrEqual(openFilesMax)
    await store.dispose()
    expect(count('openToRead')).toBe(count('close'))
  })
})

describe('failures', () => {
  const failures: [call: keyof Disk, errno: string, code: string][] = [
    ['openNew', 'EACCES', 'denied'],
    ['openNew', 'EROFS', 'denied'],
    ['openNew', 'EMFILE', 'exhausted'],
    ['write', 'ENOSPC', 'exhausted'],
    ['write', 'EDQUOT', 'exhausted'],
    ['write', 'EIO', 'unavailable'],
    ['syncData', 'EIO', 'unavailable'],
    ['link', 'EPERM', 'denied'],
    ['makeDirectory', 'ENOSPC', 'exhausted'],
  ]
  test.each(failures)('create: %s fails with %s → %s, and nothing is left', async (call, errno, code) => {
    const { store, failNext, root } = await openStore()
    await store.create('data/before', text('x'))
    failNext(call, errno)
    const key = call === 'makeDirectory' ? 'new/k' : 'data/k'
    expect(await failureOf(store.create(key, text('y')))).toBe(code)
    expect(await store.get(key)).toBeUndefined()
    expect(await readdir(path.join(root, '.tmp'))).toEqual([])
    expect(await store.create(key, text('z'))).toBe(true)
  })

  test('the sentence says what to do', async () => {
    const { store, failNext, root } = await openStore()
    failNext('write', 'ENOSPC')
    await expect(store.create('data/k', text('y'))).rejects.toThrow(`Cannot create "data/k" in dir:${root}: the disk is full; make room on it`)
  })

  test('a directory sync that fails leaves the answer open: the object may be there', async () => {
    const { store, failNext } = await openStore()
    await store.create('log/1', text('x'))
    failNext('syncDirectory', 'EIO')
    expect(await failureOf(store.create('log/2', text('y')))).toBe('unavailable')
    expectBytes(await bytesAt(store, 'log/2'), text('y'))
  })

  test.each(['link', 'openNew'] as const)('%s finds that somebody removed the directory: it is made again', async (call) => {
    const { store, failNext } = await openStore()
    await store.create('log/1', text('x'))
    failNext(call, 'ENOENT')
    expect(await store.create('log/2', text('y'))).toBe(true)
  })

  test('a body whose file shrinks fails, whole and as a stream', async () => {
    const { store, root } = await openStore()
    await store.create('data/d1', pattern(3_000_000))
    const whole = await store.get('data/d1')
    const stream = (await store.get('data/d1'))!.stream()
    await truncate(path.join(root, 'data/d1'), 2_000_000)
    expect(await failureOf(whole!.bytes())).toBe('unavailable')
    expect(await failureOf(collect(stream))).toBe('unavailable')
  })

  test('a body that is deleted or replaced before it is read says so', async () => {
    const { store } = await openStore()
    await store.create('data/d1', pattern(100_000))
    const first = await store.get('data/d1')
    await store.put('data/d1', pattern(100_001))
    expect(await failureOf(first!.bytes())).toBe('unavailable')
    const second = await store.get('data/d1')
    await store.delete('data/d1')
    expect(await failureOf(second!.bytes())).toBe('not-found')
  })

  test('a signal that fires between the pieces ends a stream', async () => {
    const { store } = await openStore()
    await store.create('data/d1', pattern(3_000_000))
    const controller = new AbortController()
    const reader = (await store.get('data/d1', { signal: controller.signal }))!.stream().getReader()
    await reader.read()
    controller.abort()
    expect(await failureOf(reader.read())).toBe('aborted')
  })

  test('a key that is a folder of another, and the other way round, is invalid', async () => {
    const { store } = await openStore()
    await store.create('a/b', text('x'))
    expect(await failureOf(store.create('a', text('y')))).toBe('invalid')
    expect(await failureOf(store.put('a', text('y')))).toBe('invalid')
    expect(await failureOf(store.create('a/b/c', text('y')))).toBe('invalid')
    expect(await failureOf(store.put('a/b/c', text('y')))).toBe('invalid')
  })
})

describe('other hands in the directory', () => {
  test('two stores on one directory see each other at once, kept descriptors or not', async () => {
    const one = await openStore()
    const two = await openStore(one.root)
    await one.store.create('data/d1', new Uint8Array(100_000).fill(1))
    expect((await bytesAt(two.store, 'data/d1', { start: 0, end: 1 }))?.[0]).toBe(1)
    await one.store.put('data/d1', new Uint8Array(100_000).fill(2))
    expect((await bytesAt(two.store, 'data/d1', { start: 0, end: 1 }))?.[0]).toBe(2)
    await one.store.delete('data/d1')
    expect(await two.store.get('data/d1')).toBeUndefined()
  })

  test('large replacements always get a new tag, even when the clock stands still', async () => {
    const { store, root } = await openStore()
    await store.put('big', pattern(100_000))
    const future = new Date(Date.now() + 3_600_000)
    await utimes(path.join(root, 'big'), future, future)
    const tags = new Set<string>([(await store.get('big'))!.etag])
    for (let round = 0; round < 5; round += 1) {
      await store.put('big', pattern(100_000))
      tags.add((await store.get('big'))!.etag)
    }
    expect(tags.size).toBe(6)
  })

  test('foreign files are not keys', async () => {
    const { store, root } = await openStore()
    await store.create('a', text('x'))
    await writeFile(path.join(root, 'bad name'), '')
    await writeFile(path.join(root, 'ü'), '')
    await writeFile(path.join(root, '%zz'), '')
    await symlink('/etc/passwd', path.join(root, 'link'))
    await mkdir(path.join(root, 'empty'))
    expect(await store.list('')).toEqual([{ key: 'a', size: 1 }])
  })

  test('nothing is made before the first write, and a file is no store', async () => {
    const root = path.join(await tempDirectory(), 'deep', 'store')
    const { store } = await openStore(root)
    expect(await store.list('')).toEqual([])
    expect(await store.get('head')).toBeUndefined()
    expect(await readdir(path.dirname(path.dirname(root)))).toEqual([])
    await store.create('head', text('1'))
    expectBytes(await bytesAt(store, 'head'), text('1'))
    await expect(openStore(path.join(root, 'head'))).rejects.toThrow(/is a file, not a directory/)
  })

  test('start removes old temporary files of processes it cannot judge, and keeps fresh ones', async () => {
    const { root } = await openStore()
    await mkdir(path.join(root, '.tmp'))
    const foreign = formatIdentity({ ...currentProcess(), scope: '0123456789ab' })
    const mine = formatIdentity(currentProcess())
    for (const name of ['notes.txt', `${foreign}.old`, `${foreign}.fresh`, `${mine}.mine`]) await writeFile(path.join(root, '.tmp', name), 'x')
    const longAgo = new Date(Date.now() - 25 * 3_600_000)
    await utimes(path.join(root, '.tmp', `${foreign}.old`), longAgo, longAgo)
    await utimes(path.join(root, '.tmp', 'notes.txt'), longAgo, longAgo)
    await openStore(root)
    expect((await readdir(path.join(root, '.tmp'))).toSorted()).toEqual([`${foreign}.fresh`, `${mine}.mine`, 'notes.txt'].toSorted())
  })

  test('errors carry the cause', async () => {
    const { store, failNext } = await openStore()
    failNext('readDirectory', 'EACCES')
    const error: unknown = await store.list('').catch((failure: unknown) => failure)
    expect(error).toBeInstanceOf(EdgemountError)
    expect(error).toMatchObject({ code: 'denied', cause: { code: 'EACCES' } })
  })
})
