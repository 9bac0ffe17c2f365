/**
 * Takes mounts away: politely, lazily, or at once.
 */
import { spawnSync } from 'node:child_process'
import { getSystemErrorName } from 'node:util'
import { type Clock, systemClock } from '../../shared/clock.ts'
import { errno } from '../../shared/errno.ts'
import { EdgemountError } from '../../shared/error.ts'
import { abortAndDetach, isRoot, unmountOffThread } from '../sys/mount-calls.ts'
import { isOver } from '../sys/pipe.ts'
import { abortConnection } from './abort-connection.ts'
import { findMount, readMountTable } from './mount-table.ts'
import { runCommand } from './run-command.ts'

export interface UnmountOptions {
  /** Take it out of the tree now, and let it end when its last open file is closed. */
  readonly isLazy: boolean
  readonly clock?: Clock
}

/** What identifies a mount that this process has made. */
export interface StandingMount {
  /** Of the device. */
  readonly fd: number
  /** Real path. */
  readonly mountPoint: string
  readonly mountId: number
  readonly deviceMinor: number
}

/** `busy`: somebody has a file open or a working directory there; `absent`: nothing is mounted there. */
export type UnmountResult = 'unmounted' | 'busy' | 'absent'

/** An unmount may wait for requests that the file system still has to answer. */
const fusermountDeadlineMs = 30_000

/**
 * Unmounts what is seen at `mountPoint` (a real path). Does not block this thread, so that the file system can go on answering.
 * Throws 'denied' or 'unsupported'.
 */
export async function unmount(mountPoint: string, options: UnmountOptions): Promise<UnmountResult> {
  if (findMount(readMountTable(), mountPoint) === undefined) return 'absent'
  if (!isRoot()) return unmountAsUser(mountPoint, options)
  const code = await unmountOffThread(mountPoint, options.isLazy)
  if (code >= 0) return 'unmounted'
  if (code === -errno.EBUSY) return 'busy'
  if (code === -errno.EINVAL || code === -errno.ENOENT) return 'absent'
  throw new EdgemountError('denied', `Cannot unmount "${mountPoint}": ${getSystemErrorName(code)}`)
}

async function unmountAsUser(mountPoint: string, options: UnmountOptions): Promise<UnmountResult> {
  const parameters = [...fusermountParameters(options.isLazy), mountPoint]
  const asked = await runCommand('fusermount3', parameters, { clock: options.clock ?? systemClock, deadlineMs: fusermountDeadlineMs })
  if (asked.code === 0) return 'unmounted'
  if (asked.isMissing) throw fusermountMissing(`unmount "${mountPoint}"`)
  if (/busy/i.test(asked.complaint)) return 'busy'
  if (/not found|no such|not mounted/i.test(asked.complaint)) return 'absent'
  throw new EdgemountError('denied', `Cannot unmount "${mountPoint}": ${asked.isLate ? 'fusermount3 does not end' : asked.complaint}`)
}

/**
 * Ends a mount at once, open files or not: every waiting and later request fails, also when it was detached before. For a file system that can
 * answer no more; it never waits for it. The mount's descriptor must still be open. Gives false when nothing was mounted (any more).
 */
export function endMountNow({ fd, mountPoint, mountId, deviceMinor }: StandingMount): boolean {
  const seen = findMount(readMountTable(), mountPoint)
  // A newer mount at the same place is left alone.
  const isSeen = seen !== undefined && seen.id === mountId && seen.deviceMinor === deviceMinor
  const isTaken = isSeen && isRoot() && abortAndDetach(mountPoint) >= 0
  // While the connection stands its number is ours.
  if (!isOver(fd)) abortConnection(deviceMinor)
  if (!isSeen || isTaken) return isSeen
  return spawnSync('fusermount3', [...fusermountParameters(true), mountPoint], { cwd: '/', timeout: 5000 }).status === 0
}

export function fusermountMissing(task: string): EdgemountError {
  const why = 'the program "fusermount3" is missing. Install the package fuse3, or run as root'
  return new EdgemountError('unsupported', `Cannot ${task}: ${why}`)
}

function fusermountParameters(isLazy: boolean): string[] {
  return isLazy ? ['-u', '-z', '--'] : ['-u', '--']
}
