/**
 * Mounts when things go wrong: the store is away or wrong, the cache's disk is full, processes and threads die. Nothing hangs, nothing lies.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../shared/clock.ts'
import { encodeVolumeConfig } from '../../shared/format/commit.ts'
import { silentLogger } from '../../shared/log.ts'
import { FsWorker } from '../../shim/daemon/fs-worker.ts'
import { mountRoot } from '../../shim/fuse/mount.ts'
import { MountBed } from '../support/mount-bed.ts'
import { run, until } from '../support/run-program.ts'
import { start } from '../support/start-program.ts'
import { randomBytes, utf8 } from '../support/test-volume.ts'

let bed: MountBed

beforeEach(async () => {
  bed = await MountBed.make()
})

afterEach(async () => {
  await bed.remove()
})

const text = (value: string): { content: { kind: 'inline'; bytes: Uint8Array }; size: number } => ({
  content: { kind: 'inline', bytes: utf8(value) },
  size: utf8(value).length,
})

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

const noBackend = { page: () => 0, fetch: () => 0, promote: () => undefined, cancel: () => undefined, prepare: () => undefined, sync: () => undefined }

/** A mount that is served by another thread than ours. */
async function serveWith(thread: string, clock = systemClock, number = 1): Promise<FsWorker> {
  const directory = bed.mountPointOf(number)
  mkdirSync(directory)
  const mount = await mountRoot({ directory, source: 'test', isReadOnly: true, allowOther: false })
  const settings = { root: new Uint8Array(0), seq: 1, volumeId: 'v', isFixed: false, cacheDirectories: [], cacheBytesMax: 0, freeBytesMin: 0, writing: undefined }
  const threadModule = new URL(`../support/${thread}`, import.meta.url)
  const backend = Object.assign(noBackend, { requestCount: 0 })
  const publishing = { findBase: () => Promise.reject(new Error('there is none')), onPublishing: () => undefined, drain: () => Promise.resolve(false) }
  return new FsWorker({ mount, settings, backend, ...publishing, spinUs: 0, wantsPassthrough: false, clock, log: silentLogger, threadModule })
}

const away = (): { kind: 'error' } => ({ kind: 'error' })

describe('the store is away', () => {
  test('after a restart cached files are read, uncached ones fail in time, and work again when it is back', async () => {
    const [kept, other] = [randomBytes(1, 2_000_000), randomBytes(2, 2_000_000)]
    await bed.commit(
      { op: 'mkdir', path: '/d' },
      { op: 'create', path: '/d/kept', ...(await bed.content(kept)) },
      { op: 'create', path: '/other', ...(await bed.content(other)) },
      { op: 'create', path: '/small', ...text('small') },
    )
    const first = await bed.mount()
    expect((await bed.sh('sha256sum < {}/d/kept; ls -lR {} | wc -l; cat {}/small')).out).toContain(sha256(kept))
    bed.plan = away
    const daemon = await bed.remount(first, { deadlineMs: 1500 })
    expect(await daemon.status()).toMatchObject({ isConnected: false, isFollowing: false, seq: 2 })
    expect((await bed.sh('sha256sum < {}/d/kept; cat {}/small; ls {}')).out).toBe(`${sha256(kept)}  -\nsmalld\nother\nsmall\n`)
    const startMs = performance.now()
    const failed = await bed.sh('cat {}/other')
    expect(failed.complaint).toContain('Input/output error')
    expect(performance.now() - startMs).toBeLessThan(1500 + 1000)
    bed.plan = () => undefined
    await until(async () => (await daemon.status()).isFollowing)
    expect((await bed.sh('sha256sum < {}/other')).out).toContain(sha256(other))
    await bed.commit({ op: 'create', path: '/new', ...text('new') })
    await until(async () => (await bed.sh('cat {}/new')).out === 'new')
  })

  test('while a mount stands, it says so, and what was announced for long is taken back', async () => {
    await bed.commit({ op: 'create', path: '/f', ...text('old') })
    const daemon = await bed.mount()
    expect((await bed.sh('cat {}/f')).out).toBe('old')
    bed.plan = away
    await until(async () => !(await daemon.status()).isFollowing)
    expect((await daemon.status()).fileSystem?.isFollowing).toBe(false)
    await bed.commit({ op: 'write', path: '/f', ...text('newer') }, { op: 'create', path: '/g', ...text('g') })
    await bed.commit({ op: 'create', path: '/h', ...text('h') })
    expect((await bed.sh('cat {}/f')).out).toBe('old')
    bed.plan = () => undefined
    await until(async () => (await bed.sh('cat {}/f {}/g {}/h')).out === 'newergh')
    expect(await daemon.status()).toMatchObject({ isFollowing: true, seq: 4 })
  })

  test('a volume that was never seen cannot be mounted, and nothing is left mounted', async () => {
    bed.plan = away
    await expect(bed.mount({ deadlineMs: 500 })).rejects.toMatchObject({ code: 'unavailable' })
    expect(bed.isMounted()).toBe(false)
    bed.plan = () => undefined
    await bed.mount({ directory: bed.mountPoint })
    expect(bed.isMounted()).toBe(true)
  })

  test('a start that is given up ends at once, whatever it waits for, and can be made again', async () => {
    bed.plan = () => ({ kind: 'delay', ms: 60_000 })
    const givingUp = new AbortController()
    const startMs = performance.now()
    setTimeout(() => givingUp.abort(), 200)
    await expect(bed.mount({ signal: givingUp.signal })).rejects.toMatchObject({ code: 'aborted' })
    expect(performance.now() - startMs).toBeLessThan(2000)
    expect(bed.isMounted()).toBe(false)
    bed.plan = () => undefined
    await bed.mount({ directory: bed.mountPoint })
    expect(bed.isMounted()).toBe(true)
  })

  test.each([undefined, 1])('a mount ends when the store comes back with another volume: snapshot %s', async (seq) => {
    const first = await bed.mount()
    bed.plan = away
    const daemon = await bed.remount(first, seq === undefined ? {} : { seq })
    const config = encodeVolumeConfig({ ...bed.volume.config, id: `${bed.volume.config.id.slice(0, -1)}_` })
    await bed.store.put('volume.json', config)
    bed.plan = () => undefined
    expect(await daemon.ended).toMatchObject({ kind: 'failed', error: { code: 'conflict' } })
    expect(bed.isMounted()).toBe(false)
  })

  test('a store without the volume says so', async () => {
    bed.plan = () => undefined
    await bed.store.delete('volume.json')
    await expect(bed.mount()).rejects.toMatchObject({ code: 'not-found' })
  })
})

describe('the store is wrong', () => {
  test('a damaged chunk is EIO with the path in the log, other files are fine', async () => {
    const [bad, good] = [randomBytes(1, 100_000), randomBytes(2, 100_000)]
    const badContent = await bed.content(bad)
    const [badPack] = (await bed.store.list('data/')).map(({ key }) => key)
    const goodContent = await bed.content(good)
    await bed.commit({ op: 'create', path: '/bad', ...badContent }, { op: 'create', path: '/good', ...goodContent })
    bed.plan = (call) => (call.key === badPack ? { kind: 'flip', bit: 12_345 } : undefined)
    const daemon = await bed.mount()
    expect((await bed.sh('cat {}/bad')).complaint).toContain('Input/output error')
    expect((await bed.sh('sha256sum < {}/good')).out).toContain(sha256(good))
    expect(bed.lines.join('\n')).toMatch(/\/bad/)
    expect((await daemon.status()).fetch.corruptCount).toBeGreaterThan(0)
    bed.plan = () => undefined
    expect((await bed.sh('sha256sum < {}/bad')).out).toContain(sha256(bad))
  })

  test('a damaged page of the tree is EIO with the path in the log, and no other directory suffers', async () => {
    await bed.commit({ op: 'create', path: '/good/f', ...text('fine'), parents: true })
    await bed.commit({ op: 'create', path: '/bad/f', ...text('x'), parents: true })
    const packs = (await bed.store.list('meta/')).map(({ key }) => key)
    await bed.mount()
    expect((await bed.sh('ls {}')).out).toBe('bad\ngood\n')
    // The root's page is known by now; the first commit's pack has the page of "good" alone.
    bed.plan = (call) => (call.key === packs[0] ? { kind: 'flip', bit: 77 } : undefined)
    expect((await bed.sh('ls {}/good')).complaint).toContain('Input/output error')
    expect(bed.lines.join('\n')).toContain('"/good"')
    expect((await bed.sh('cat {}/bad/f')).out).toBe('x')
    bed.plan = () => undefined
    expect((await bed.sh('cat {}/good/f')).out).toBe('fine')
  })

  test('damaged metadata on the cache disk is fetched again', async () => {
    await bed.commit({ op: 'create', path: '/d/f', ...text('fine'), parents: true })
    const first = await bed.mount()
    expect((await bed.sh('cat {}/d/f')).out).toBe('fine')
    await first.close()
    const metadata = path.join(bed.cache, bed.volume.config.id, 'metadata')
    for (const name of readdirSync(metadata)) {
      const bytes = readFileSync(path.join(metadata, name))
      bytes[bytes.length - 1]! ^= 1
      writeFileSync(path.join(metadata, name), bytes)
    }
    await bed.mount()
    expect((await bed.sh('cat {}/d/f', 2)).out).toBe('fine')
    expect(bed.lines.join('\n')).toContain('its bytes are damaged')
  })
})

describe('the cache', () => {
  test('reads go on when its disk is full, or cannot be used at all', async () => {
    const bytes = randomBytes(1, 6_000_000)
    await bed.commit({ op: 'create', path: '/f', ...(await bed.content(bytes)) })
    const small = path.join(bed.directory, 'small')
    mkdirSync(small)
    expect((await run('mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small)).code).toBe(0)
    await bed.mount({ cacheDirectory: small })
    expect((await bed.sh('sha256sum < {}/f; sha256sum < {}/f')).out).toBe(`${sha256(bytes)}  -\n`.repeat(2))
    writeFileSync(path.join(bed.directory, 'file'), '')
    const unusable = path.join(bed.directory, 'file')
    await expect(bed.mount({ cacheDirectory: unusable, directory: bed.mountPointOf(3) })).rejects.toThrow(/^Cannot keep what is written: .*Mount with --read-only, or choose another --cache$/)
    const second = await bed.mount({ cacheDirectory: unusable, directory: bed.mountPointOf(2), isReadOnly: true })
    expect((await bed.sh('sha256sum < {}/f', 2)).out).toContain(sha256(bytes))
    expect((await second.status()).fileSystem?.cacheDirectory).toBeUndefined()
  })

  test('a warm cache asks the store for no byte of a file', async () => {
    const bytes = randomBytes(1, 3_000_000)
    await bed.commit({ op: 'create', path: '/f', ...(await bed.content(bytes)) })
    const first = await bed.mount()
    await bed.sh('cat {}/f > /dev/null')
    const daemon = await bed.remount(first)
    bed.gets.length = 0
    expect((await bed.sh('sha256sum < {}/f')).out).toContain(sha256(bytes))
    expect(bed.gets.filter((key) => !key.startsWith('log/'))).toEqual([])
    expect((await daemon.status()).fileSystem).toMatchObject({ passthroughOpenCount: 1 })
  })
})

describe('ends', () => {
  test('a file-system thread that dies takes the mount with it, and whoever reads is told', async () => {
    const listenerCount = process.listenerCount('exit')
    const worker = await serveWith('dying-thread.ts')
    await worker.ready
    const reader = bed.sh('cat {}/f')
    expect((await worker.ended)?.message).toContain('died on purpose')
    expect(bed.isMounted()).toBe(false)
    expect((await reader).complaint).toContain('cat:')
    expect(await worker.status()).toBeUndefined()
    expect(process.listenerCount('exit')).toBe(listenerCount)
  })

  test('many mounts of one process end with it, and do not look like a leak', async () => {
    const listenerCount = process.listenerCount('exit')
    const workers = [await serveWith('slow-closing-thread.ts'), await serveWith('slow-closing-thread.ts', systemClock, 2)]
    await Promise.all(workers.map((worker) => worker.ready))
    expect(process.listenerCount('exit')).toBe(listenerCount + 1)
    await workers[0]!.terminate()
    expect(process.listenerCount('exit')).toBe(listenerCount + 1)
    await workers[1]!.terminate()
    expect(process.listenerCount('exit')).toBe(listenerCount)
  })

  test('a disk that is slow to take what the cache writes at the end is no failure', async () => {
    const quick = { ...systemClock, sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 20, signal) }
    const worker = await serveWith('slow-closing-thread.ts', quick)
    await worker.ready
    const startMs = performance.now()
    await worker.terminate()
    expect(await worker.ended).toBeUndefined()
    expect(performance.now() - startMs).toBeGreaterThan(850)
    expect(bed.isMounted()).toBe(false)
  })

  test('a file-system thread that does nothing any more is ended, and its mount with it', async () => {
    const quick = { ...systemClock, sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 20, signal) }
    const worker = await serveWith('stuck-thread.ts', quick)
    await worker.ready
    const reader = bed.sh('cat {}/f')
    expect((await worker.ended)?.message).toContain('its thread has been stuck')
    expect(bed.isMounted()).toBe(false)
    expect((await reader).complaint).toContain('cat:')
  })

  test('a file system that is ended answers those who wait', async () => {
    await bed.commit({ op: 'create', path: '/f', ...(await bed.content(randomBytes(1, 100_000))) })
    bed.plan = (call) => (call.key.startsWith('data/') ? { kind: 'delay', ms: 60_000 } : undefined)
    const daemon = await bed.mount()
    const reader = bed.sh('cat {}/f')
    await until(async () => (await daemon.status()).fetch.requestCount > 0)
    const startMs = performance.now()
    await daemon.close()
    expect(performance.now() - startMs).toBeLessThan(5000)
    expect((await reader).code).not.toBe(0)
    expect(bed.isMounted()).toBe(false)
  })

  test('an unmount by somebody else ends the daemon in good order', async () => {
    await bed.commit({ op: 'create', path: '/f', ...text('x') })
    const daemon = await bed.mount()
    expect((await run('umount', bed.mountPoint)).code).toBe(0)
    expect(await daemon.ended).toEqual({ kind: 'unmounted' })
    await daemon.close()
  })

  test('a mount in use is detached, and closing does not wait for ever', async () => {
    await bed.commit({ op: 'create', path: '/f', ...text('x') })
    const daemon = await bed.mount()
    const user = start('sh', '-c', `exec 3< ${bed.mountPoint}/f; echo open; read -r line; cat <&3`)
    await user.said('open')
    await daemon.close()
    expect(bed.isMounted()).toBe(false)
    expect(bed.lines.join('\n')).toContain('is in use')
    user.say('go on')
    await user.ended
  })

  test('a directory that is not empty, or is mounted already, is refused, and the mount there goes on', async () => {
    await bed.commit({ op: 'create', path: '/f', ...text('x') })
    await bed.mount()
    await expect(bed.mount({ directory: bed.mountPoint })).rejects.toMatchObject({ code: 'conflict' })
    expect((await bed.sh('cat {}/f')).out).toBe('x')
    mkdirSync(path.join(bed.directory, 'full'))
    writeFileSync(path.join(bed.directory, 'full/file'), '')
    await expect(bed.mount({ directory: path.join(bed.directory, 'full') })).rejects.toMatchObject({ code: 'conflict' })
  })

  test('a mount is ready in a moment, whatever the volume holds', async () => {
    const operations = Array.from({ length: 20_000 }, (_, index) => ({ op: 'create', path: `/d${index % 100}/f${index}`, ...text('x'), parents: true }) as const)
    await bed.commit(...operations)
    const startMs = performance.now()
    await bed.mount()
    // Half a second; beside much else 1.4.
    expect(performance.now() - startMs).toBeLessThan(4000)
    expect((await bed.sh('cat {}/d7/f7')).out).toBe('x')
  })
})
