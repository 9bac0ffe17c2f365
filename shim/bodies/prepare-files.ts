/**
 * Makes empty backing files ready for new bodies, and removes files that nobody needs, off the file-system thread: freeing the blocks of a file takes ext4
 * 0.1 ms and more where it tells the disk of it (`discard`), and so does a new inode where some were freed lately.
 *
 * Called by the network thread, whose event loop goes on meanwhile.
 */
import { close, fsync, ftruncate, open } from 'node:fs'
import { errno } from '../../shared/errno.ts'
import type { FileChore } from '../fs/backend.ts'
import { openFlag } from '../sys/constants.ts'
import type { Sys } from '../sys/sys.ts'

/** For each chore, in order, whether an empty file is at `to`, durably as to its name. One that somebody holds or maps is removed instead. */
export async function prepareFiles(sys: Sys, chores: readonly FileChore[]): Promise<boolean[]> {
  // All at once: one after the other each would wait for whatever else this thread does meanwhile, twice.
  const ready = await Promise.all(chores.map((chore) => prepareOne(sys, chore)))
  const folders = new Set(chores.flatMap(({ to }) => (to === undefined ? [] : [folderOf(to)])))
  const synced = await Promise.all([...folders].map(async (folder) => [folder, await syncFolder(folder)] as const))
  const durable = new Set(synced.flatMap(([folder, isDone]) => (isDone ? [folder] : [])))
  return ready.map((isReady, index) => isReady && durable.has(folderOf(chores[index]!.to!)))
}

async function prepareOne(sys: Sys, { from, to }: FileChore): Promise<boolean> {
  if (to === undefined) return remove(sys, from!)
  return await (from === undefined ? make(to) : empty(sys, from, to))
}

function make(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    open(path, openFlag.O_RDWR | openFlag.O_CREAT | openFlag.O_EXCL, 0o600, (error, fd) => {
      if (error === null) close(fd, () => resolve(true))
      else resolve(false)
    })
  })
}

/** INVARIANT: the file has its new name before it loses a byte. */
async function empty(sys: Sys, from: string, to: string): Promise<boolean> {
  const fd = sys.open(from, openFlag.O_RDWR, 0)
  if (fd < 0) return false
  const isFree = sys.takeLease(fd) === 0
  const isMoved = isFree && sys.rename(from, to) === 0
  if (isFree) sys.dropLease(fd)
  const isEmpty = isMoved && (await new Promise<boolean>((resolve) => ftruncate(fd, 0, (error) => resolve(error === null))))
  sys.close(fd)
  if (!isEmpty) sys.unlink(isMoved ? to : from)
  return isEmpty
}

function remove(sys: Sys, path: string): boolean {
  sys.unlink(path)
  return false
}

/** Of a new or moved file: for ext4 its name is no data of the file. */
async function syncFolder(path: string): Promise<boolean> {
  const fd = await new Promise<number>((resolve) => open(path, openFlag.O_RDONLY, (error, opened) => resolve(error === null ? opened : -errno.EIO)))
  if (fd < 0) return false
  const isDone = await new Promise<boolean>((resolve) => fsync(fd, (error) => resolve(error === null)))
  await new Promise<void>((resolve) => close(fd, () => resolve()))
  return isDone
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}
