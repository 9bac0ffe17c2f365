/**
 * The portable driver: a `Handler` behind `fuse-native` (libfuse 2). It runs on the main thread and is slower in every way; where the Linux
 * driver works, that one is used. What it cannot do: passthrough, invalidation (names and attributes live for a second), names that are not
 * UTF-8, interrupts, extents, the caller's identity, and what `native-changes.ts` says of changes.
 */
import { type Clock, systemClock } from '../../shared/clock.ts'
import { errno } from '../../shared/errno.ts'
import { EdgemountError, messageOf } from '../../shared/error.ts'
import type { Connection, Handler } from './handler.ts'
import { prepareMountPoint } from './mount-point.ts'
import { findMount, readMountTable } from './mount-table.ts'
import { answerTimes, answerXattrs, loadNativeFuse } from './native-binding.ts'
import { nativeOperations } from './native-changes.ts'
import type { MountOptions } from './mount.ts'
import { unmount } from './unmount.ts'
import type { UnmountResult } from './unmount.ts'

export interface NativeMount {
  /** Real path. */
  readonly mountPoint: string
  /** Resolves when the mount is gone, by whomever. The process has to be ended by `process.exit` then: libfuse's thread stays. */
  readonly ended: Promise<void>
  unmount(options: { readonly isLazy: boolean }): Promise<UnmountResult>
}

/** libfuse tells nobody that the mount is gone, so the mount table is looked at. */
const endPollMs = 500

const noConnection: Connection = {
  canPassthrough: false,
  hasWritebackCache: false,
  openBacking: () => -errno.EOPNOTSUPP,
  closeBacking: () => {},
  invalidateNode: () => {},
  invalidateEntry: () => {},
  invalidateAllEntries: () => false,
}

/** Mounts and serves, on this (the main) thread. Throws as `mountFuse` does; 'unsupported' when fuse-native cannot be loaded. */
export async function mountNative(options: MountOptions, handler: Handler): Promise<NativeMount> {
  const Fuse = loadNativeFuse()
  const { clock = systemClock } = options
  const mountPoint = await prepareMountPoint(options.directory, clock)
  const settings = {
    allowOther: options.allowOther || process.getuid?.() === 0,
    defaultPermissions: true,
    fsname: options.source.replaceAll(/[\\,]/g, (character) => `\\${character}`),
    // libfuse takes options apart at commas, and fuse-native knows nothing of this one: writes of 128 KiB instead of 4.
    subtype: process.platform === 'linux' ? 'edgemount,big_writes' : 'edgemount',
    timeout: false,
  } as const
  const operations = nativeOperations(handler)
  await new Promise<void>((resolve, reject) => {
    const fuse = new Fuse(mountPoint, operations, settings)
    answerXattrs(fuse, operations)
    answerTimes(fuse, operations)
    fuse.mount((error) => {
      if (error === null || error === undefined) resolve()
      else reject(new EdgemountError('denied', `Cannot mount on "${options.directory}": ${messageOf(error)}`, { cause: error }))
    })
  })
  handler.start(noConnection)
  const ended = untilGone(mountPoint, clock).then(() => handler.stop())
  return { mountPoint, ended, unmount: (how) => unmount(mountPoint, { ...how, clock }) }
}

async function untilGone(mountPoint: string, clock: Clock): Promise<void> {
  while (findMount(readMountTable(), mountPoint) !== undefined) await clock.sleep(endPollMs)
}
