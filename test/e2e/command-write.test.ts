/**
 * What becomes of what was written to a mount, as real processes: `flush`, `umount` that drains, keeps or discards, Ctrl-C, `status`; with the store away, too.
 */
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { commands } from '../../shim/command/commands.ts'
import { run } from '../../shim/command/run.ts'
import { CapturedTerminal } from '../support/captured-terminal.ts'
import { type Finished, Running, edgemount, edgemountOk, isMounted } from '../support/command.ts'
import { WritableMount } from '../support/writable-mount.ts'

let mount: WritableMount

/** Nothing is published unless it is asked for. */
const late = ['--write-back-delay', '30s', '--deadline', '1s']

beforeEach(async () => {
  mount = await WritableMount.create('command-write', late)
})

afterEach(() => mount.dispose())

const call = (...words: string[]): Promise<Finished> => edgemount(words, { env: mount.env })
const names = (): Promise<string> => edgemountOk(['ls', mount.volume], { env: mount.env })
const store = (): string => join(mount.directory, 'store')
const takeStoreAway = (): void => renameSync(store(), `${store()}.away`)
const bringStoreBack = (): void => renameSync(`${store()}.away`, store())

async function statusOf(): Promise<Record<string, unknown>> {
  const { mounts } = JSON.parse((await call('status', '--json', mount.folder)).stdout) as { mounts: Record<string, unknown>[] }
  return mounts[0]!
}

test('flush publishes what was written, and says in which commit', async () => {
  writeFileSync(mount.path('a'), 'hello')
  expect(await names()).toBe('')
  expect(await call('flush', mount.folder)).toEqual({ code: 0, stdout: '', stderr: 'Everything is published (commit 2).\n' })
  expect(await names()).toBe('a\n')
  writeFileSync(mount.path('b'), 'more')
  const { code, stdout } = await call('flush', '--json', mount.folder)
  expect([code, JSON.parse(stdout)]).toEqual([0, { directory: mount.folder, seq: 3, leftOut: [] }])
  expect((await call('status', mount.folder)).stdout).toContain('  writing   everything is published\n')
  expect((await call('flush', mount.directory)).code).toBe(4)
})

test('a file that never holds still is named, and the others are published', async () => {
  const fd = openSync(mount.path('restless'), 'w')
  writeFileSync(mount.path('quiet'), 'x')
  const over = new AbortController()
  const restless = (async () => {
    for (let count = 0; !over.signal.aborted; count += 1) {
      writeFileSync(fd, `line ${count} ${'x'.repeat(100_000)}\n`)
      await sleep(1)
    }
  })()
  const { code, stderr } = await call('flush', mount.folder)
  over.abort()
  await restless
  closeSync(fd)
  expect(stderr).toBe('Cannot publish "/restless": it changes while it is read\n')
  expect(code).toBe(3)
  expect(await names()).toContain('quiet\n')
  expect((await call('flush', mount.folder)).code).toBe(0)
})

test('with the store away everything is said, kept, and published by the next mount', async () => {
  writeFileSync(mount.path('a'), 'a'.repeat(10_000))
  mkdirSync(mount.path('d'))
  takeStoreAway()
  const flushed = await call('flush', mount.folder)
  expect(flushed.stderr).toMatch(/^Cannot publish everything within 1 s: .*the directory is not there any more/)
  expect(flushed.code).toBe(7)
  const { stdout } = await call('status', '--long', mount.folder)
  expect(stdout).toMatch(/ {2}writing {3}\d changes to publish, 9\.77 KiB in 1 file, the oldest for /)
  expect(stdout).toContain(`            until then only here: ${mount.directory}/cache0/`)
  expect(stdout).toMatch(/ {2}trouble .*the directory is not there any more/)
  expect(stdout).toContain('What was written is kept here, and tried again until the store answers.')
  expect(stdout).toMatch(/ 9\.77 KiB {2}\/a {2}\(the store\)\n/)
  const process = mount.process
  const { code, stderr } = await call('umount', mount.folder)
  expect(stderr).toMatch(/^Unmounted .*\/mnt\.\nCannot publish everything within 1 s: .*\. Not published: \d changes, 9\.77 KiB, kept in ".*\/cache0\/.*"\. The next mount of the volume with this cache publishes it; do not delete it before\.\n$/)
  expect(code).toBe(11)
  expect((await call('umount', mount.folder)).code).toBe(4)
  expect(await process.stop()).toBe(11)
  expect(process.output).toMatch(/Not published: \d changes, 9\.77 KiB, kept in ".*\/cache0\/.*"\. The next mount of the volume with this cache publishes it/)
  bringStoreBack()
  expect(await names()).toBe('')
  await mount.start()
  expect(readFileSync(mount.path('a'), 'utf8')).toBe('a'.repeat(10_000))
  expect((await call('status', mount.folder)).stdout).toMatch(/ {2}recovered \d names?, \d files? at the start/)
  expect((await call('umount', mount.folder)).code).toBe(0)
  expect(await names()).toBe('a\nd/\n')
})

test('umount says what it leaves, also when it is not to wait', async () => {
  writeFileSync(mount.path('a'), 'x'.repeat(5000))
  takeStoreAway()
  const { code, stdout } = await call('umount', '--wait', '0ms', '--json', mount.folder)
  expect(code).toBe(11)
  expect(JSON.parse(stdout)).toMatchObject({ directory: mount.folder, discarded: null, unpublished: { changeCount: expect.any(Number) as number, dirtyBytes: 5000, directory: expect.stringContaining(`${mount.directory}/cache0/`) as string } })
  bringStoreBack()
})

test('discard needs a word: the name of the volume on a terminal, --force elsewhere', async () => {
  writeFileSync(mount.path('a'), 'x'.repeat(5000))
  await mount.process.until('telling of it', async () => (await statusOf())['publishing'] !== undefined && (await call('status', mount.folder)).stdout.includes('4.88 KiB'))
  const refused = await call('umount', '--discard', mount.folder)
  expect(refused.stderr).toMatch(/^Cannot discard \d changes?, 4\.88 KiB, of ".*\/mnt": that is not published anywhere\. Add --force/)
  expect(refused.code).toBe(6)
  const mistyped = new CapturedTerminal({ environment: mount.env, isTerminal: true, typed: ['w', '\n'] })
  expect(await run(commands, ['umount', '--discard', mount.folder], mistyped)).toBe(6)
  expect(mistyped.remarked).toMatch(/^Type the name of the volume to throw away \d changes?, 4\.88 KiB: Cannot discard .*: that is not the name of the volume\. Nothing was unmounted\n$/)
  expect(isMounted(mount.folder)).toBe(true)
  const typed = new CapturedTerminal({ environment: mount.env, isTerminal: true, typed: ['v\n'] })
  expect(await run(commands, ['umount', '--discard', '--json', mount.folder], typed)).toBe(0)
  expect(JSON.parse(typed.printed)).toMatchObject({ directory: mount.folder, unpublished: null, discarded: { dirtyBytes: 5000 } })
  expect(await mount.process.stop()).toBe(0)
  await mount.start()
  expect((await call('umount', mount.folder)).code).toBe(0)
  expect(await names(), 'nothing of it came back').toBe('')
})

test('a mount in use stays, and what a discard would have thrown away is published after all', async () => {
  writeFileSync(mount.path('a'), 'a')
  const fd = openSync(mount.path('a'), 'r')
  const typed = new CapturedTerminal({ environment: mount.env, isTerminal: true, typed: ['v\n'] })
  expect(await run(commands, ['umount', '--discard', mount.folder], typed)).toBe(6)
  expect(typed.remarked).toContain('it is in use')
  const { code, stderr } = await call('umount', mount.folder)
  expect([code, stderr]).toEqual([6, expect.stringContaining('it is in use') as string])
  closeSync(fd)
  expect((await call('umount', mount.folder)).code).toBe(0)
  expect(await names()).toBe('a\n')
})

test.each(['SIGINT', 'SIGTERM'] as const)('%s publishes the rest', async (signal) => {
  writeFileSync(mount.path('a'), 'a')
  expect(await mount.process.stop(signal)).toBe(0)
  expect(await names()).toBe('a\n')
})

test('with the store away a second Ctrl-C leaves at once, and everything is kept', async () => {
  await mount.process.stop()
  const patient = new Running(['mount', mount.volume, mount.folder, '--cache', join(mount.directory, 'patient'), '--serve', 'off', '--write-back-delay', '30s', '--deadline', '60s'], { env: mount.env })
  try {
    await patient.mounted(mount.folder)
    writeFileSync(mount.path('a'), 'a'.repeat(5000))
    takeStoreAway()
    const flushing = new Running(['flush', mount.folder], { env: mount.env })
    await patient.printed(/Cannot publish what was changed here yet/)
    expect(await flushing.stop('SIGINT')).toBe(130)
    expect(flushing.output).toContain('The mount goes on publishing by itself\n')
    patient.child.kill('SIGINT')
    await patient.printed(/Publishing \d changes?, 4\.88 KiB\. Ctrl-C again leaves at once/)
    const startMs = performance.now()
    expect(await patient.stop('SIGINT')).toBe(11)
    expect(performance.now() - startMs).toBeLessThan(10_000)
    expect(patient.output).toMatch(/Not published: \d changes?, 4\.88 KiB, kept in ".*\/patient\/.*"/)
    expect(isMounted(mount.folder)).toBe(false)
  } finally {
    await patient.stop('SIGKILL')
    bringStoreBack()
  }
})

test('status --json has everything that a script may ask', async () => {
  writeFileSync(mount.path('a'), 'x'.repeat(5000))
  await mount.process.until('counting it', async () => (await statusOf())['publishing'] !== null && JSON.stringify(await statusOf()).includes('"dirtyBytes":5000'))
  expect(await statusOf()).toMatchObject({
    isReadOnly: false,
    publishing: { dirtyBytes: 5000, dirtyFileCount: 1, changeCount: expect.any(Number) as number, oldestAgeMs: expect.any(Number) as number, isPublishing: false, conflicts: [], conflictCount: 0, leftOut: [], commitCount: 0, uploadBytesPerSecond: 0, uploadedBytes: 0 },
    fileSystem: { waiting: [{ label: '/a', size: 5000, isOpen: false }], cacheDirectory: expect.stringContaining('/cache0/') as string },
  })
})
