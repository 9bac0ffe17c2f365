/** syncfs(2), off this thread: the dirty pages of a whole file system are written to it. Called by `flush`, for mounts in which the kernel gathers writes. */
import { libc, runOffThread } from './libc.ts'

/** Writes out the file system that `fd`, any file or directory of it, is on. 0, or a negative errno. */
export function syncFileSystem(fd: number): Promise<number> {
  return runOffThread(libc.syncfs, fd)
}
