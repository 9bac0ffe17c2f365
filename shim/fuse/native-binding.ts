/**
 * The part of `fuse-native` that is used (it brings no types), and how it is loaded: when it is asked for, and never in a worker thread,
 * where it crashes the process. What it gets wrong about extended attributes is put right here.
 */
import { createRequire } from 'node:module'
import { isMainThread } from 'node:worker_threads'
import { EdgemountError, errno, messageOf } from '../../shared/error.ts'

/** Called with a negative errno or 0, then a value. */
export type Callback<T> = (code: number, value?: T) => void

export interface NativeStat {
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly nlink: number
  readonly ino: number
  readonly rdev: number
  readonly blksize: number
  readonly blocks: number
  /** Milliseconds since 1970, not negative. */
  readonly atime: number
  readonly mtime: number
  readonly ctime: number
}

export interface NativeStatfs {
  readonly bsize: number
  readonly frsize: number
  readonly blocks: number
  readonly bfree: number
  readonly bavail: number
  readonly files: number
  readonly ffree: number
  readonly favail: number
  readonly namemax: number
}

export interface NativeOperations {
  getattr(path: string, done: Callback<NativeStat>): void
  readdir(path: string, done: Callback<readonly string[]>): void
  readlink(path: string, done: Callback<string>): void
  open(path: string, flags: number, done: Callback<number>): void
  /** `done` gets the count of bytes put into `into`, or a negative errno. */
  read(path: string, fd: number, into: Uint8Array, length: number, offset: number, done: (count: number) => void): void
  flush(path: string, fd: number, done: Callback<undefined>): void
  release(path: string, fd: number, done: Callback<undefined>): void
  statfs(path: string, done: Callback<NativeStatfs>): void
  getxattr(path: string, name: string, position: number, done: Callback<Buffer>): void
  listxattr(path: string, done: Callback<readonly string[]>): void
}

export interface NativeOptions {
  readonly allowOther: boolean
  readonly defaultPermissions: boolean
  readonly fsname: string
  readonly subtype: string
  /** Off: it would answer ETIMEDOUT by itself while a slow read still writes into memory that is gone. */
  readonly timeout: false
}

/** Gives the kernel a count of bytes or a negative errno, and its memory back. */
type Signal = (code: number, memory: ArrayBufferLike) => void

export interface NativeFuse {
  mount(done: (error: Error | null | undefined) => void): void
  /** `into` is as long as the program's buffer; empty when it asks for the length. */
  _op_getxattr(signal: Signal, path: string, name: string, into: Uint8Array, position: number): void
  _op_listxattr(signal: Signal, path: string, into: Uint8Array): void
}

export type NativeFuseConstructor = new (directory: string, operations: object, options: NativeOptions) => NativeFuse

/** Throws 'unsupported', with what to install. */
export function loadNativeFuse(load: (name: string) => unknown = createRequire(import.meta.url)): NativeFuseConstructor {
  if (!isMainThread) throw new EdgemountError('internal', 'Cannot load the driver "fuse-native": it works on the main thread only')
  let loaded: unknown
  try {
    loaded = load('fuse-native')
  } catch (error) {
    const why = /libfuse/.test(messageOf(error))
      ? 'the library libfuse.so.2 is missing. Install the package libfuse2 (Debian, Ubuntu), or use the driver "linux"'
      : `${messageOf(error)}. It has builds for Linux and macOS on x64 only; on Linux use the driver "linux"`
    throw new EdgemountError('unsupported', `Cannot load the driver "fuse-native": ${why}`, { cause: error })
  }
  if (!isConstructor(loaded)) throw new EdgemountError('unsupported', 'Cannot load the driver "fuse-native": it is of an unknown version')
  return loaded
}

/**
 * fuse-native does not look at how long the program's buffer is: a value that is longer became EIO, a list of names an exception that ended
 * the process. It must be ERANGE, for which programs try again.
 */
export function answerXattrs(fuse: NativeFuse, operations: NativeOperations): void {
  fuse._op_getxattr = (signal, path, name, into, position) => {
    operations.getxattr(path, name, position, (code, value) => signal(value === undefined ? code : putInto(value, into), into.buffer))
  }
  fuse._op_listxattr = (signal, path, into) => {
    operations.listxattr(path, (code, names) => {
      const list = Buffer.from(names?.map((name) => `${name}\0`).join('') ?? '')
      signal(names === undefined ? code : putInto(list, into), into.buffer)
    })
  }
}

function putInto(value: Uint8Array, into: Uint8Array): number {
  if (into.length === 0) return value.length
  if (value.length > into.length) return -errno.ERANGE
  into.set(value)
  return value.length
}

function isConstructor(loaded: unknown): loaded is NativeFuseConstructor {
  return typeof loaded === 'function'
}
