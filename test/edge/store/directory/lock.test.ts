import { mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from 'vitest'
import { nodeDisk } from '../../../../edge/store/directory/disk.ts'
import { FileLocks, staleMs } from '../../../../edge/store/directory/lock.ts'
import { type ProcessIdentity, currentProcess, formatIdentity } from '../../../../edge/store/directory/process-identity.ts'
import { type Clock, systemClock } from '../../../../shared/clock.ts'
import { ManualClock } from '../../../support/manual-clock.ts'
import { SeededRandom } from '../../../support/seeded-random.ts'
import { failureOf } from '../../../support/store-bytes.ts'
import { tempDirectory } from '../../../support/temp-directory.ts'

const self = currentProcess()
const gone: ProcessIdentity = { ...self, pid: 2 ** 22 + 1 }
const foreign: ProcessIdentity = { ...self, scope: '0123456789ab' }

function locksIn(directory: string, clock: Clock = systemClock, seed = 1): FileLocks {
  return new FileLocks({ directory, disk: nodeDisk, clock, random: new SeededRandom(seed), self })
}

/** The file of the lock for `key`, left by `owner`. */
async function leaveLock(directory: string, key: string, owner: ProcessIdentity): Promise<string> {
  await mkdir(directory, { recursive: true })
  let name = ''
  await locksIn(directory).run(key, async () => {
    name = (await readdir(directory))[0]!
  })
  await symlink(`${formatIdentity(owner)}.00`, path.join(directory, name))
  return path.join(directory, name)
}

test('only one of many callers, in several instances, is inside at a time', async () => {
  const directory = path.join(await tempDirectory(), 'locks')
  const instances = [1, 2, 3, 4].map((seed) => locksIn(directory, systemClock, seed))
  let insideCount = 0
  let insideMax = 0
  const enter = async (): Promise<void> => {
    insideCount += 1
    insideMax = Math.max(insideMax, insideCount)
    await systemClock.sleep(0)
    insideCount -= 1
  }
  await Promise.all(Array.from({ length: 60 }, (_, index) => instances[index % 4]!.run('k', enter)))
  expect(insideMax).toBe(1)
  expect(await readdir(directory)).toEqual([])
})

test('different keys do not wait for each other', async () => {
  const locks = locksIn(await tempDirectory())
  const inner = await locks.run('a', () => locks.run('b', async () => 'both'))
  expect(inner).toBe('both')
})

test('the lock of a dead process is taken over at once, by one of many', async () => {
  const directory = await tempDirectory()
  await leaveLock(directory, 'k', gone)
  const clock = new ManualClock()
  let insideCount = 0
  const enter = async (): Promise<void> => {
    insideCount += 1
    expect(insideCount).toBe(1)
    await new Promise((resolve) => setImmediate(resolve))
    insideCount -= 1
  }
  await clock.runUntil(Promise.all([1, 2, 3, 4, 5, 6].map((seed) => locksIn(directory, clock, seed).run('k', enter))))
  expect(await readdir(directory)).toEqual([])
})

test('the lock of a process in another scope is respected for a while', async () => {
  const directory = await tempDirectory()
  await leaveLock(directory, 'k', foreign)
  const clock = new ManualClock()
  const startedAt = clock.now()
  await clock.runUntil(locksIn(directory, clock).run('k', async () => undefined))
  expect(clock.now() - startedAt).toBeGreaterThanOrEqual(staleMs)
  expect(clock.now() - startedAt).toBeLessThan(staleMs + 1000)
})

test('the lock of a living process is never broken: the caller is told who holds it', async () => {
  const directory = await tempDirectory()
  const lockPath = await leaveLock(directory, 'k', self)
  const clock = new ManualClock()
  await expect(clock.runUntil(locksIn(directory, clock).run('k', async () => undefined))).rejects.toThrow(`Cannot lock "k": process ${process.pid} has held it`)
  expect(await readlink(lockPath)).toContain(formatIdentity(self))
})

test('a breaker that died is broken in turn', async () => {
  const directory = await tempDirectory()
  await leaveLock(directory, 'k', gone)
  const dying = new FileLocks({
    directory,
    disk: { ...nodeDisk, unlink: () => Promise.reject(new Error('killed here')) },
    clock: systemClock,
    random: new SeededRandom(9),
    self: { ...gone, pid: gone.pid + 1 },
  })
  await expect(dying.run('k', async () => undefined)).rejects.toThrow('killed here')
  expect(await readdir(directory)).toHaveLength(2)
  expect(await locksIn(directory).run('k', async () => 'in')).toBe('in')
  expect(await readdir(directory)).toEqual([])
})

test('sweep removes what the dead left, and nothing else', async () => {
  const directory = await tempDirectory()
  await leaveLock(directory, 'dead', gone)
  const kept = [path.basename(await leaveLock(path.join(directory, 'b'), 'foreign', foreign))]
  await symlink(`${formatIdentity(foreign)}.00`, path.join(directory, kept[0]!))
  await rm(path.join(directory, 'b'), { recursive: true })
  await locksIn(directory).sweep()
  expect(await readdir(directory)).toEqual(kept)
})

test('an owner that lost its lock is told before its last step, and does not remove the lock of the next', async () => {
  const directory = await tempDirectory()
  const outcome = locksIn(directory).run('k', async (lock) => {
    const [name] = await readdir(directory)
    await rm(path.join(directory, name!))
    await symlink(`${formatIdentity(self)}.11`, path.join(directory, name!))
    await lock.assertHeld()
  })
  expect(await failureOf(outcome)).toBe('unavailable')
  expect(await readdir(directory)).toHaveLength(1)
})

test('a caller that gives up leaves at once, and the lock is free afterwards', async () => {
  const directory = await tempDirectory()
  const locks = locksIn(directory)
  const controller = new AbortController()
  await locks.run('k', async () => {
    const waiting = locks.run('k', async () => undefined, controller.signal)
    const polling = locksIn(directory, systemClock, 2).run('k', async () => undefined, controller.signal)
    controller.abort()
    expect(await failureOf(waiting)).toBe('aborted')
    expect(await failureOf(polling)).toBe('aborted')
  })
  expect(await locks.run('k', async () => 'free')).toBe('free')
})
