/**
 * The C library, through koffi: the one file that binds functions. Its callers are the other files of `shim/sys/`.
 *
 * Pointers are passed as byte arrays or as plain numbers (user-space addresses are below 2^47), 64-bit results come back as numbers. A call
 * that fails gives -1 and leaves `errno`; `result` turns that into a negative errno. Nothing here throws once the module has been loaded.
 */
import koffi from 'koffi'

/** Memory for a system call: an array, or the address of memory that its owner keeps alive. */
export type Pointer = Uint8Array | number | null

const library = koffi.load(null)

/** A bound function that can also run on a thread of koffi's pool. */
export interface Bound<Arguments extends unknown[]> {
  (...parameters: Arguments): number
  async(...parameters: [...Arguments, (error: Error | null, value: number) => void]): void
}

function bind<Arguments extends unknown[]>(definition: string): Bound<Arguments> {
  return library.func(definition) as Bound<Arguments>
}

export const libc = {
  open: bind<[path: string, flags: number, mode: number]>('int open(const char *, int, int)'),
  close: bind<[fd: number]>('int close(int)'),
  read: bind<[fd: number, into: Pointer, length: number]>('int64_t read(int, void *, size_t)'),
  write: bind<[fd: number, from: Pointer, length: number]>('int64_t write(int, const void *, size_t)'),
  pread: bind<[fd: number, into: Pointer, length: number, offset: number]>('int64_t pread(int, void *, size_t, int64_t)'),
  pwrite: bind<[fd: number, from: Pointer, length: number, offset: number]>('int64_t pwrite(int, const void *, size_t, int64_t)'),
  writev: bind<[fd: number, vectors: Pointer, count: number]>('int64_t writev(int, const void *, int)'),
  poll: bind<[fds: Pointer, count: number, timeoutMs: number]>('int poll(void *, unsigned long, int)'),
  pipe2: bind<[fds: Pointer, flags: number]>('int pipe2(void *, int)'),
  ioctl: bind<[fd: number, request: number, argument: Pointer]>('int ioctl(int, unsigned long, void *)'),
  fcntl: bind<[fd: number, command: number, argument: number]>('int fcntl(int, int, long)'),
  ftruncate: bind<[fd: number, length: number]>('int ftruncate(int, int64_t)'),
  lseek: bind<[fd: number, offset: number, whence: number]>('int64_t lseek(int, int64_t, int)'),
  fsync: bind<[fd: number]>('int fsync(int)'),
  fdatasync: bind<[fd: number]>('int fdatasync(int)'),
  syncfs: bind<[fd: number]>('int syncfs(int)'),
  flock: bind<[fd: number, operation: number]>('int flock(int, int)'),
  fallocate: bind<[fd: number, mode: number, offset: number, length: number]>('int fallocate(int, int, int64_t, int64_t)'),
  futimens: bind<[fd: number, times: Pointer]>('int futimens(int, const void *)'),
  copy_file_range: bind<[from: number, fromOffset: Pointer, to: number, toOffset: Pointer, length: number, flags: number]>(
    'int64_t copy_file_range(int, void *, int, void *, size_t, unsigned int)',
  ),
  statx: bind<[directory: number, path: string, flags: number, mask: number, into: Pointer]>(
    'int statx(int, const char *, int, unsigned int, void *)',
  ),
  statvfs: bind<[path: string, into: Pointer]>('int statvfs(const char *, void *)'),
  unlink: bind<[path: string]>('int unlink(const char *)'),
  rename: bind<[from: string, to: string]>('int rename(const char *, const char *)'),
  mkdir: bind<[path: string, mode: number]>('int mkdir(const char *, int)'),
  rmdir: bind<[path: string]>('int rmdir(const char *)'),
  mount: bind<[source: string, target: string, type: string, flags: number, options: string]>(
    'int mount(const char *, const char *, const char *, unsigned long, const char *)',
  ),
  umount2: bind<[target: string, flags: number]>('int umount2(const char *, int)'),
  socketpair: bind<[domain: number, type: number, protocol: number, fds: Pointer]>('int socketpair(int, int, int, void *)'),
  recvmsg: bind<[fd: number, message: Pointer, flags: number]>('int64_t recvmsg(int, void *, int)'),
  preadv2: bind<[fd: number, vectors: Uint8Array, count: number, offset: number, flags: number]>('int64_t preadv2(int, const void *, int, int64_t, int)'),
  llistxattr: bind<[path: Uint8Array, into: Pointer, length: number]>('int64_t llistxattr(const void *, void *, size_t)'),
  lgetxattr: bind<[path: Uint8Array, name: Uint8Array, into: Pointer, length: number]>('int64_t lgetxattr(const void *, const void *, void *, size_t)'),
  lsetxattr: bind<[path: Uint8Array, name: Uint8Array, value: Uint8Array, length: number, flags: number]>('int lsetxattr(const void *, const void *, const void *, size_t, int)'),
  utimensat: bind<[directory: number, path: Uint8Array, times: Uint8Array, flags: number]>('int utimensat(int, const void *, const void *, int)'),
  mknod: bind<[path: Uint8Array, mode: number, device: number]>('int mknod(const void *, unsigned int, uint64_t)'),
  signal: bind<[number: number, handler: number]>('int64_t signal(int, int64_t)'),
  clock_gettime: bind<[clock: number, into: Uint8Array]>('int clock_gettime(int, void *)'),
  geteuid: bind<[]>('unsigned int geteuid()'),
} as const

/** A result as it is, or the negative errno of the call just made on this thread. */
export function result(value: number): number {
  return value < 0 ? -koffi.errno() : value
}

/** Runs a call off this thread. Its errno is read where the call was made, which koffi carries over. */
export function runOffThread<Arguments extends unknown[]>(call: Bound<Arguments>, ...parameters: Arguments): Promise<number> {
  return new Promise((resolve, reject) => {
    call.async(...parameters, (error, value) => {
      if (error === null) resolve(result(value))
      else reject(error)
    })
  })
}

/** Where an array's bytes are. The caller keeps the array; V8 never moves its bytes. */
export function addressOf(bytes: Uint8Array): number {
  return Number(koffi.address(bytes))
}
