/**
 * The file-system calls that a directory store makes, one by one, so that a test can fail, delay or count exactly one of them.
 * Descriptors are plain numbers: reads at a position need no more, and nothing is closed behind our back. Works in Node and Deno.
 */
import fs from 'node:fs'
import fsPromises from 'node:fs/promises'
import path from 'node:path'
import { EdgemountError } from '../../../shared/error.ts'
import { isErrno } from './disk-error.ts'

export interface FileStat {
  readonly isFile: boolean
  readonly inode: bigint
  /** Bytes. */
  readonly size: number
  readonly modifiedNs: bigint
  readonly linkCount: number
}

export interface DiskEntry {
  readonly name: string
  readonly isDirectory: boolean
  readonly isFile: boolean
}

export interface Disk {
  openToRead(path: string): Promise<number>
  /** Fails with EEXIST when the file is there. */
  openNew(path: string): Promise<number>
  close(fd: number): Promise<void>
  /** At once: fstat(2) on an open descriptor never waits for a local disk, and takes 1.5 µs where a round trip through the thread pool takes 40. */
  statOpen(fd: number): FileStat
  /** Fills `into` from `position`; gives how many bytes there were. */
  read(fd: number, into: Uint8Array, position: number): Promise<number>
  write(fd: number, bytes: Uint8Array): Promise<number>
  /** Makes the bytes and the size durable. */
  syncData(fd: number): Promise<void>
  setModified(path: string, modifiedNs: bigint): Promise<void>
  /** Makes the names in a directory durable. */
  syncDirectory(path: string): Promise<void>
  stat(path: string): Promise<FileStat>
  link(from: string, to: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  /** Also missing parents. Gives the highest directory that it made; nothing happens when all are there. */
  makeDirectory(path: string): Promise<string | undefined>
  readDirectory(path: string): Promise<readonly DiskEntry[]>
  symlink(target: string, path: string): Promise<void>
  readlink(path: string): Promise<string>
}

export const nodeDisk: Disk = {
  openToRead: (path) => openFile(path, 'r'),
  openNew: (path) => openFile(path, 'wx'),
  close: (fd) => new Promise((resolve, reject) => fs.close(fd, (error) => (error ? reject(error) : resolve()))),
  statOpen: (fd) => statOf(fs.fstatSync(fd, { bigint: true })),
  read: readFully,
  write: (fd, bytes) =>
    new Promise((resolve, reject) => {
      fs.write(fd, bytes, 0, bytes.length, null, (error, written) => (error ? reject(error) : resolve(written)))
    }),
  syncData: (fd) => new Promise((resolve, reject) => fs.fdatasync(fd, (error) => (error ? reject(error) : resolve()))),
  setModified: async (path, modifiedNs) => {
    const seconds = Number(modifiedNs / 1000n) / 1e6
    await fsPromises.utimes(path, seconds, seconds)
  },
  syncDirectory: async (path) => {
    const fd = await openFile(path, 'r')
    try {
      await new Promise<void>((resolve, reject) => fs.fsync(fd, (error) => (error ? reject(error) : resolve())))
    } finally {
      await nodeDisk.close(fd)
    }
  },
  stat: async (path) => statOf(await fsPromises.lstat(path, { bigint: true })),
  link: (from, to) => fsPromises.link(from, to),
  rename: (from, to) => fsPromises.rename(from, to),
  unlink: (path) => fsPromises.unlink(path),
  makeDirectory,
  readDirectory: async (path) => {
    const entries = await fsPromises.readdir(path, { withFileTypes: true })
    return entries.map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory(), isFile: entry.isFile() }))
  },
  symlink: (target, path) => fsPromises.symlink(target, path),
  readlink: (path) => fsPromises.readlink(path),
}

/** Node's own recursive mkdir never ends where a file system (such as /proc) keeps answering ENOENT. */
async function makeDirectory(directory: string): Promise<string | undefined> {
  const parent = path.dirname(directory)
  try {
    return await makeOne(directory)
  } catch (error) {
    if (!isErrno(error, 'ENOENT') || parent === directory) throw error
  }
  const top = await makeDirectory(parent)
  try {
    const made = await makeOne(directory)
    return top ?? made
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
    throw new EdgemountError('unsupported', `Cannot create the directory "${directory}": its file system takes none there; choose another place`, { cause: error })
  }
}

/** Undefined when it is there already. */
async function makeOne(directory: string): Promise<string | undefined> {
  try {
    await fsPromises.mkdir(directory)
    return directory
  } catch (error) {
    if (isErrno(error, 'EEXIST') && (await fsPromises.stat(directory)).isDirectory()) return undefined
    throw error
  }
}

function openFile(path: string, flags: 'r' | 'wx'): Promise<number> {
  return new Promise((resolve, reject) => fs.open(path, flags, (error, fd) => (error ? reject(error) : resolve(fd))))
}

async function readFully(fd: number, into: Uint8Array, position: number): Promise<number> {
  let filled = 0
  while (filled < into.length) {
    const count = await new Promise<number>((resolve, reject) => {
      fs.read(fd, into, filled, into.length - filled, position + filled, (error, read) => (error ? reject(error) : resolve(read)))
    })
    if (count === 0) break
    filled += count
  }
  return filled
}

function statOf(stats: fs.BigIntStats): FileStat {
  return {
    isFile: stats.isFile(),
    inode: stats.ino,
    size: Number(stats.size),
    modifiedNs: stats.mtimeNs,
    linkCount: Number(stats.nlink),
  }
}
