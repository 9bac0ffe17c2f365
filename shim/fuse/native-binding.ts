/**
 * The part of `fuse-native` that is used (it brings no types), and how it is loaded: when it is asked for, and never in a worker thread,
 * where it crashes the process. What it gets wrong about extended attributes and times is put right here.
 */
import { createRequire } from 'node:module'
import { isMainThread } from 'node:worker_threads'
import { errno } from '../../shared/errno.ts'
import { EdgemountError, messageOf } from '../../shared/error.ts'

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
  /** Milliseconds since 1970. Absent: times stay. */
  utimens?(path: string, atimeMs: number, mtimeMs: number, done: Callback<undefined>): void
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
  _op_utimens(signal: (code: number) => void, path: string): void
  /** By the binding's number of the operation; `request` is the memory of the request, `words` its arguments. */
  readonly _handlers: ((request: Uint8Array, opcode: number, path: string, ...words: unknown[]) => void)[]
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

/**
 * fuse-native gives the access time twice, so that every copied file had the wrong time of its content. Both are in the memory of the request
 * (fuse_thread_locals_t, which it passes to the handler of each operation): where depends on the width of dev_t, and the access time that was
 * given shows that it is the right place.
 */
export function answerTimes(fuse: NativeFuse, operations: NativeOperations): void {
  if (operations.utimens === undefined) return
  let times: { readonly atimeMs: number; readonly mtimeMs: number } | undefined
  const handle = fuse._handlers[utimensOpcode]!
  fuse._handlers[utimensOpcode] = (request, opcode, path, ...words) => {
    times = findTimes(request, words)
    handle(request, opcode, path, ...words)
  }
  fuse._op_utimens = (signal, path) => {
    if (times === undefined) signal(-errno.EOPNOTSUPP)
    else operations.utimens!(path, times.atimeMs, times.mtimeMs, (code) => signal(code))
  }
}

/** `op_utimens` of the binding. */
const utimensOpcode = 12
/** Of `atime` in the request on Linux and on macOS; `mtime` follows. */
const timeBytes = [104, 96] as const

function findTimes(request: Uint8Array, words: readonly unknown[]): { readonly atimeMs: number; readonly mtimeMs: number } | undefined {
  const view = new DataView(request.buffer, request.byteOffset, request.byteLength)
  const at = timeBytes.find((byte) => view.getUint32(byte, true) === words[0] && view.getUint32(byte + 4, true) === words[1])
  if (at === undefined) return undefined
  return { atimeMs: Number(view.getBigInt64(at, true)), mtimeMs: Number(view.getBigInt64(at + 8, true)) }
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
