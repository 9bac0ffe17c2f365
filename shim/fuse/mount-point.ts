/**
 * Is a directory fit to be mounted on? Looks at the mount table first, so that a dead mount is never touched from this process.
 */
import { lstat, readdir, realpath } from 'node:fs/promises'
import type { Clock } from '../../shared/clock.ts'
import { EdgemountError } from '../../shared/error.ts'
import { withDeadline } from '../../shared/lifetime.ts'
import { findMount, isFuse, readMountTable } from './mount-table.ts'
import type { MountEntry } from './mount-table.ts'
import { runCommand } from './run-command.ts'
import { unmount } from './unmount.ts'

/** Local directories answer in no time. */
const inspectDeadlineMs = 5000
const staleMountsMax = 8

/**
 * The real path of a free, empty directory. A dead FUSE mount found there is cleared first.
 * Throws 'not-found', 'invalid' or 'conflict'.
 */
export async function prepareMountPoint(directory: string, clock: Clock): Promise<string> {
  const path = await resolvePath(directory, clock)
  for (let count = 0; count < staleMountsMax; count += 1) {
    const mounted = findMount(readMountTable(), path)
    if (mounted === undefined) break
    if (!(await isStale(mounted, clock))) throw alreadyMounted(directory, mounted)
    await unmount(path, { isLazy: true, clock })
  }
  const left = findMount(readMountTable(), path)
  if (left !== undefined) throw alreadyMounted(directory, left)
  await assertEmptyDirectory(directory, path, clock)
  return path
}

/**
 * A FUSE mount whose daemon is gone: every request fails with ENOTCONN. Asked by a child, because a daemon that hangs would hang us too.
 */
export async function isStale(mounted: MountEntry, clock: Clock): Promise<boolean> {
  if (!isFuse(mounted)) return false
  const asked = await runCommand('stat', ['-f', '--', mounted.mountPoint], { clock, deadlineMs: 2000 })
  return asked.code !== undefined && asked.code !== 0 && /not connected|connection abort/i.test(asked.complaint)
}

/** realpath(3) reads links only, which asks nothing of a mount at the end of the path. */
async function resolvePath(directory: string, clock: Clock): Promise<string> {
  try {
    return await inTime(directory, clock, () => realpath(directory))
  } catch (error) {
    if (errorName(error) === 'ENOTCONN') return directory
    throw unusable(directory, error)
  }
}

async function assertEmptyDirectory(directory: string, path: string, clock: Clock): Promise<void> {
  let names: string[]
  try {
    const found = await inTime(directory, clock, () => lstat(path))
    if (!found.isDirectory()) throw new EdgemountError('invalid', `Cannot mount on "${directory}": it is not a directory`)
    names = await inTime(directory, clock, () => readdir(path))
  } catch (error) {
    throw unusable(directory, error)
  }
  if (names.length === 0) return
  const why = 'the directory is not empty, and its files would be hidden. Take an empty one'
  throw new EdgemountError('conflict', `Cannot mount on "${directory}": ${why}`)
}

function unusable(directory: string, error: unknown): EdgemountError {
  if (error instanceof EdgemountError) return error
  const name = errorName(error)
  const task = `Cannot mount on "${directory}"`
  if (name === 'ENOENT') return new EdgemountError('not-found', `${task}: there is no such directory. Create it first`)
  if (name === 'ENOTDIR') return new EdgemountError('invalid', `${task}: a part of its path is not a directory`)
  if (name === 'EACCES') return new EdgemountError('denied', `${task}: no right to look into it`)
  return new EdgemountError('invalid', `${task}: ${name}`, { cause: error })
}

function alreadyMounted(directory: string, mounted: MountEntry): EdgemountError {
  const why = `"${mounted.source}" (${mounted.type}) is mounted there already. Unmount it first`
  return new EdgemountError('conflict', `Cannot mount on "${directory}": ${why}`)
}

/** A path that goes through somebody's dead mount may never answer. */
function inTime<T>(directory: string, clock: Clock, work: () => Promise<T>): Promise<T> {
  return withDeadline(clock, inspectDeadlineMs, `mount on "${directory}"`, undefined, work)
}

function errorName(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
