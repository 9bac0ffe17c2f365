/**
 * Makes a mount: directly as root, through fusermount3 as anybody else. Gives the descriptor that `runLoop` serves.
 */
import { writeFileSync } from 'node:fs'
import { getSystemErrorName } from 'node:util'
import { type Clock, systemClock } from '../../shared/clock.ts'
import { errno } from '../../shared/errno.ts'
import { EdgemountError } from '../../shared/error.ts'
import { createSocketPair, receiveFd } from '../sys/fd-passing.ts'
import { isRoot, mountFileSystem, openFuseDevice } from '../sys/mount-calls.ts'
import { closeFd } from '../sys/pipe.ts'
import { prepareMountPoint } from './mount-point.ts'
import { findMount, readMountTable } from './mount-table.ts'
import { transferBytesMax } from './protocol/init.ts'
import { runCommand } from './run-command.ts'
import { type StandingMount, fusermountMissing } from './unmount.ts'

export interface MountOptions {
  readonly directory: string
  /** Shown as the device, in `df` and `mount`. */
  readonly source: string
  readonly isReadOnly: boolean
  /** Other users may enter; permissions are checked by the kernel in any case. Root always allows it. */
  readonly allowOther: boolean
  readonly clock?: Clock
}

/** A mount that was made. Plain data: it can be sent to the thread that serves it. */
export interface FuseMount extends StandingMount {
  /** Made by root: backing files are possible. */
  readonly isPrivileged: boolean
}

/** One READ's worth: buffered sequential reads ask for 1 MiB at a time instead of 128 KiB. */
const readAheadKb = transferBytesMax / 1024
const fusermountDeadlineMs = 10_000

/** The way that fits the user. Throws 'not-found', 'invalid', 'conflict', 'denied' or 'unsupported'. */
export function mountFuse(options: MountOptions): Promise<FuseMount> {
  return isRoot() ? mountRoot(options) : mountUser(options)
}

export async function mountRoot(options: MountOptions): Promise<FuseMount> {
  const mountPoint = await prepareMountPoint(options.directory, options.clock ?? systemClock)
  const fd = openFuseDevice()
  if (fd < 0) throw deviceError(options.directory, fd)
  const settings = `fd=${fd},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions,max_read=${transferBytesMax}`
  const code = mountFileSystem(options.source, mountPoint, 'fuse.edgemount', options.isReadOnly, settings)
  if (code < 0) {
    closeFd(fd)
    const hint = code === -errno.EPERM ? '. A container needs the capability SYS_ADMIN for it' : ''
    throw new EdgemountError('denied', `Cannot mount on "${options.directory}": mount(2) failed with ${getSystemErrorName(code)}${hint}`)
  }
  const mounted = describe(fd, mountPoint, true)
  raiseReadAhead(mounted.deviceMinor)
  return mounted
}

export async function mountUser(options: MountOptions): Promise<FuseMount> {
  const mountPoint = await prepareMountPoint(options.directory, options.clock ?? systemClock)
  const { ours, theirs } = createSocketPair()
  let asked
  let fd
  try {
    const parameters = ['-o', userSettings(options), '--', mountPoint]
    asked = await runCommand('fusermount3', parameters, {
      clock: options.clock ?? systemClock,
      deadlineMs: fusermountDeadlineMs,
      extraFd: theirs,
      environment: { _FUSE_COMMFD: '3' },
    })
    fd = asked.code === 0 ? receiveFd(ours) : undefined
  } finally {
    closeFd(ours)
    closeFd(theirs)
  }
  if (fd !== undefined) return describe(fd, mountPoint, false)
  if (asked.isMissing) throw fusermountMissing(`mount on "${options.directory}"`)
  throw new EdgemountError('denied', `Cannot mount on "${options.directory}": ${asked.complaint || 'fusermount3 did not answer'}`)
}

function userSettings(options: MountOptions): string {
  const source = options.source.replaceAll(/[\\,]/g, (character) => `\\${character}`)
  const settings = [`fsname=${source}`, 'subtype=edgemount', `max_read=${transferBytesMax}`, 'default_permissions', 'nosuid', 'nodev']
  if (options.isReadOnly) settings.push('ro')
  if (options.allowOther) settings.push('allow_other')
  return settings.join(',')
}

function describe(fd: number, mountPoint: string, isPrivileged: boolean): FuseMount {
  const seen = findMount(readMountTable(), mountPoint)
  if (seen === undefined) {
    closeFd(fd)
    throw new EdgemountError('unavailable', `Cannot mount on "${mountPoint}": the mount was gone at once`)
  }
  return { fd, mountPoint, mountId: seen.id, deviceMinor: seen.deviceMinor, isPrivileged }
}

function deviceError(directory: string, code: number): EdgemountError {
  if (code === -errno.ENOENT || code === -errno.ENODEV || code === -errno.ENXIO) {
    return new EdgemountError('unsupported', `Cannot mount on "${directory}": /dev/fuse is missing. Load the module: modprobe fuse`)
  }
  return new EdgemountError('denied', `Cannot mount on "${directory}": opening /dev/fuse failed with ${getSystemErrorName(code)}`)
}

/** Only makes reads faster; a container may not let us. */
function raiseReadAhead(deviceMinor: number): void {
  try {
    writeFileSync(`/sys/class/bdi/0:${deviceMinor}/read_ahead_kb`, String(readAheadKb))
  } catch {
    // reads come in 128 KiB then
  }
}
