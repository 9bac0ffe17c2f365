/**
 * mount(2) and umount2(2) for root, and the device they are made with. Results are negative errnos.
 */
import { connectionErrno, mountFlag, openFlag, unmountFlag } from './constants.ts'
import { libc, result, runOffThread } from './libc.ts'

export function isRoot(): boolean {
  return libc.geteuid() === 0
}

/** A new connection to the kernel's FUSE, not yet mounted. */
export function openFuseDevice(): number {
  return result(libc.open('/dev/fuse', openFlag.O_RDWR | openFlag.O_CLOEXEC, 0))
}

/** Mounts without set-uid programs and device files. `options` as in mount(8), for the file system itself. */
export function mountFileSystem(source: string, target: string, type: string, isReadOnly: boolean, options: string): number {
  const flags = mountFlag.MS_NOSUID | mountFlag.MS_NODEV | (isReadOnly ? mountFlag.MS_RDONLY : 0)
  return result(libc.mount(source, target, type, flags, options))
}

/** Waits on another thread: the kernel may need answers of the file system before it lets go. */
export function unmountOffThread(target: string, isLazy: boolean): Promise<number> {
  return runOffThread(libc.umount2, target, isLazy ? unmountFlag.MNT_DETACH : 0)
}

/** Takes away what was mounted last at a path; it lives on for those who use it. */
export function detach(target: string): number {
  return result(libc.umount2(target, unmountFlag.MNT_DETACH))
}

/** Ends the connection, so that nobody waits for it any more, and takes the mount away. Never waits for the file system. */
export function abortAndDetach(target: string): number {
  const code = result(libc.umount2(target, unmountFlag.MNT_FORCE | unmountFlag.MNT_DETACH))
  return code === -connectionErrno.ECONNABORTED ? 0 : code
}
