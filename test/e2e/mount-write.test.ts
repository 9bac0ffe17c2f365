/**
 * What programs write into a mount: it is there at once, it is the volume's some seconds later, and it outlives mounts, caches and stores that are away.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import type { MountDaemon, StartMountOptions } from '../../shim/daemon/mount-options.ts'
import { MountBed } from '../support/mount-bed.ts'
import { type Output, run, until } from '../support/run-program.ts'
import { bytesOf, randomBytes, textOf } from '../support/test-volume.ts'

let bed: MountBed

beforeEach(async () => {
  bed = await MountBed.make()
})

afterEach(async () => {
  await bed.remove()
})

const quick = { writeBackDelayMs: 200 } as const

function scratch(): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'edgemount-scratch-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** A tree with all that cp -a keeps. */
async function sampleTree(): Promise<string> {
  const directory = path.join(scratch(), 'tree')
  mkdirSync(path.join(directory, 'deep', 'er', 'still'), { recursive: true })
  for (let index = 0; index < 60; index += 1) writeFileSync(path.join(directory, 'deep', `small-${index}`), `text ${index}\n`.repeat(index))
  writeFileSync(path.join(directory, 'large'), randomBytes(5, 3_000_000))
  writeFileSync(path.join(directory, 'middle'), randomBytes(6, 60_000))
  writeFileSync(path.join(directory, 'empty'), '')
  const script = `cd ${directory} && ln -s deep/small-3 link && ln -s /no/where dangling && ln large hard && mkfifo pipe && chmod 4750 middle && chmod 1777 deep && touch -d '2001-02-03 04:05:06.789' empty && truncate -s 100M deep/er/sparse && setfattr -n user.tag -v blue middle && chown 1234:4321 deep/small-5`
  const { code, complaint } = await run('sh', '-c', script)
  expect([code, complaint]).toEqual([0, ''])
  return directory
}

function ok({ code, complaint, out }: Output): string {
  expect([code, complaint.slice(0, 2000)]).toEqual([0, ''])
  return out
}

/** Type, mode, owner, links, size, time of change and target of everything, and the hash of every file. */
async function listing(directory: string): Promise<string> {
  const listed = await run('sh', '-c', `cd ${directory} && (find . -type d -printf '%y %m %U %G %P %T@\\n'; find . ! -type d -printf '%y %m %U %G %n %P %l %s %T@\\n') | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum; find . ! -type l -print0 | sort -z | xargs -0 getfattr -d | cat`)
  return ok(listed)
}

async function remountEmpty(daemon: MountDaemon, options: Partial<StartMountOptions> = {}): Promise<MountDaemon> {
  return bed.remount(daemon, { ...options, cacheDirectory: scratch() })
}

describe.each([
  ['written by the kernel itself', quick],
  ['written through the kernel’s cache', { ...quick, wantsPassthrough: false }],
  ['written through, request by request', { ...quick, wantsPassthrough: false, coherence: 'strict' }],
] as const)('a tree %s', (_how, options) => {
  test('copied in is the same, after a remount with the same cache, and with an empty one', async () => {
    const tree = await sampleTree()
    let daemon = await bed.mount(options)
    ok(await bed.sh(`cp -a ${tree} {}/copy`))
    const wanted = await listing(tree)
    expect(await listing(`${bed.mountPoint}/copy`)).toBe(wanted)
    daemon = await bed.remount(daemon, options)
    expect(await listing(`${bed.mountPoint}/copy`)).toBe(wanted)
    await remountEmpty(daemon, options)
    expect(await listing(`${bed.mountPoint}/copy`)).toBe(wanted)
  })

  test('unpacked by tar, changed and removed', async () => {
    const tree = await sampleTree()
    const archive = path.join(scratch(), 'a.tar')
    ok(await run('tar', '-C', path.dirname(tree), '-cf', archive, 'tree'))
    const daemon = await bed.mount(options)
    ok(await bed.sh(`tar -C {} -xf ${archive}`))
    ok(await run('diff', '-r', '--no-dereference', '-x', 'pipe', tree, `${bed.mountPoint}/tree`))
    ok(await bed.sh('cd {}/tree && mv deep moved && echo more >> moved/small-1 && rm large && echo new > new'))
    await remountEmpty(daemon, options)
    expect(ok(await bed.sh('cd {}/tree && tail -1 moved/small-1; cat new; ls; stat -c %h hard'))).toBe('more\nnew\ndangling\nempty\nhard\nlink\nmiddle\nmoved\nnew\npipe\n1\n')
    ok(await bed.sh('rm -rf {}/tree'))
    expect(ok(await bed.sh('ls -A {}'))).toBe('')
  })

  test('a git repository is cloned into it, and is sound', async () => {
    const origin = path.join(scratch(), 'origin')
    const git = 'git -c user.name=t -c user.email=t@t -c init.defaultBranch=main'
    ok(await run('sh', '-c', `mkdir ${origin} && cd ${origin} && ${git} init -q . && for i in $(seq 200); do echo $i > file-$i; done && ${git} add . && ${git} commit -qm one && seq 10000 > many && ${git} add . && ${git} commit -qm two`))
    const daemon = await bed.mount(options)
    ok(await run('git', 'clone', '-q', origin, `${bed.mountPoint}/clone`))
    expect(ok(await bed.sh('cd {}/clone && git fsck --strict && git status --porcelain'))).toBe('')
    await remountEmpty(daemon, options)
    expect(ok(await bed.sh('cd {}/clone && git fsck --strict && git status --porcelain && git log --oneline | wc -l'))).toBe('2\n')
  })
})

describe('publishing', () => {
  test('comes by itself, and the volume has what was written', async () => {
    const daemon = await bed.mount(quick)
    const bytes = randomBytes(1, 500_000)
    const file = path.join(scratch(), 'bytes')
    writeFileSync(file, bytes)
    ok(await bed.sh(`mkdir -p {}/a/b && cp ${file} {}/a/b/bytes && echo small > {}/a/small`))
    await until(async () => (await daemon.status()).publishing?.changeCount === 0 && (await bed.volume.head()).seq > 1)
    const head = await bed.volume.head()
    expect(Buffer.compare(await bytesOf(head, '/a/b/bytes'), bytes)).toBe(0)
    expect(await textOf(head, '/a/small')).toBe('small\n')
  })

  test('on demand is complete when it says so', async () => {
    const daemon = await bed.mount({ writeBackDelayMs: 60_000 })
    ok(await bed.sh('for i in $(seq 50); do echo $i > {}/file-$i; done; mv {}/file-1 {}/moved; rm {}/file-2'))
    expect((await bed.volume.head()).seq).toBe(1)
    await daemon.flush()
    const { items } = await (await bed.volume.head()).list('/')
    expect(items).toHaveLength(49)
    expect(await textOf(await bed.volume.head(), '/moved')).toBe('1\n')
    expect((await daemon.status()).publishing).toMatchObject({ changeCount: 0, dirtyBytes: 0, lastError: undefined })
  })

  test('an unmount by anybody publishes the rest before the daemon ends', async () => {
    const daemon = await bed.mount({ writeBackDelayMs: 60_000 })
    ok(await bed.sh('echo last > {}/last'))
    ok(await run('umount', bed.mountPoint))
    expect(await daemon.ended).toEqual({ kind: 'unmounted', unpublished: undefined })
    expect(await textOf(await bed.volume.head(), '/last')).toBe('last\n')
  })

  test('a file that is open goes along with what it has', async () => {
    const daemon = await bed.mount(quick)
    const held = run('sh', '-c', `exec 3> ${bed.mountPoint}/log; echo one >&3; sleep 1.5; echo two >&3`)
    await until(async () => (await bed.sh('cat {}/log')).out === 'one\n')
    await daemon.flush()
    expect(await textOf(await bed.volume.head(), '/log')).toBe('one\n')
    await held
    await daemon.flush()
    expect(await textOf(await bed.volume.head(), '/log')).toBe('one\ntwo\n')
  })
})

test('the portable driver writes too', async () => {
  const daemon = await bed.mount({ ...quick, driver: 'fuse-native' })
  ok(await bed.sh('mkdir {}/d && echo one > {}/d/f && echo two >> {}/d/f && mv {}/d/f {}/d/g && seq 20000 > {}/many && rm {}/many && seq 20000 > {}/many'))
  await daemon.flush()
  expect(await textOf(await bed.volume.head(), '/d/g')).toBe('one\ntwo\n')
  const second = await remountEmpty(daemon)
  expect(ok(await bed.sh('cat {}/d/g; wc -l < {}/many'))).toBe('one\ntwo\n20000\n')
  expect((await second.status()).driver).toBe('linux')
})

describe('the store is away', () => {
  test('writing goes on; what is left at the unmount is kept, and published by the next mount', async () => {
    const daemon = await bed.mount({ ...quick, deadlineMs: 500 })
    ok(await bed.sh('echo before > {}/before'))
    await daemon.flush()
    bed.plan = () => ({ kind: 'error' })
    ok(await bed.sh('mkdir {}/d; echo during > {}/d/during; mv {}/before {}/d/after'))
    await until(async () => (await daemon.status()).publishing?.lastError !== undefined || (await daemon.status()).publishing?.uploadError !== undefined)
    await daemon.close()
    expect(await daemon.ended).toMatchObject({ kind: 'unmounted', unpublished: { changeCount: expect.any(Number) } })
    const second = await bed.remount(daemon, { ...quick, deadlineMs: 1000 })
    expect(ok(await bed.sh('cd {} && find . | sort && cat d/during d/after'))).toBe('.\n./d\n./d/after\n./d/during\nduring\nbefore\n')
    expect((await second.status()).fileSystem?.recovered).toMatchObject({ nameCount: expect.any(Number) })
    bed.plan = () => undefined
    await second.flush({ waitMs: 20_000 })
    expect(await textOf(await bed.volume.head(), '/d/during')).toBe('during\n')
    await remountEmpty(second)
    expect(ok(await bed.sh('cat {}/d/during {}/d/after'))).toBe('during\nbefore\n')
  })
})

describe('two mounts of a volume', () => {
  test('see each other within a second, other names do not conflict, and the same file is kept twice', async () => {
    const [first, second] = [await bed.mount({ ...quick, author: 'one' }), await bed.mount({ ...quick, author: 'two' })]
    ok(await bed.sh('echo one > {}/one; echo base > {}/both', 1))
    ok(await bed.sh('echo two > {}/two', 2))
    await Promise.all([first.flush(), second.flush()])
    await until(async () => ok(await bed.sh('ls {}', 1)) === 'both\none\ntwo\n' && ok(await bed.sh('ls {}', 2)) === 'both\none\ntwo\n')
    await Promise.all([bed.sh('echo from one > {}/both', 1), bed.sh('echo from two > {}/both', 2)])
    await Promise.all([first.flush(), second.flush()])
    const listed = async (number: number): Promise<string> => ok(await bed.sh('cd {} && ls && cat both*', number))
    await until(async () => (await listed(1)) === (await listed(2)) && (await listed(1)).includes('conflict'))
    expect(await listed(1)).toMatch(/^both\nboth\.conflict-(one|two)-\d+\none\ntwo\nfrom (one|two)\nfrom (one|two)\n$/)
    expect(new Set(ok(await bed.sh('cat {}/both*')).trim().split('\n'))).toEqual(new Set(['from one', 'from two']))
  })
})
