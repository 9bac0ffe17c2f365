/**
 * System calls as a program makes them, for `posix-agent.ts` alone: every place is a directory descriptor and a pointer, so that a test can
 * also hand over addresses that point nowhere. Calls answer as C does; `errnoName` says why the last one failed.
 */
import { constants } from 'node:os'
import koffi from 'koffi'

export type Memory = Uint8Array | number | null

/** Offsets and sizes: 64-bit values beyond 2^53 as bigint. */
export type Long = number | bigint

const library = koffi.load(null)

type Bound<Arguments extends unknown[]> = (...parameters: Arguments) => number

function bind<Arguments extends unknown[]>(definition: string): Bound<Arguments> {
  return library.func(definition) as Bound<Arguments>
}

export const libc = {
  openat: bind<[at: number, path: Memory, flags: number, mode: number]>('int openat(int, const void *, int, unsigned int)'),
  close: bind<[fd: number]>('int close(int)'),
  dup: bind<[fd: number]>('int dup(int)'),
  read: bind<[fd: number, into: Memory, length: number]>('int64_t read(int, void *, size_t)'),
  write: bind<[fd: number, from: Memory, length: number]>('int64_t write(int, const void *, size_t)'),
  pread: bind<[fd: number, into: Memory, length: number, offset: Long]>('int64_t pread(int, void *, size_t, int64_t)'),
  pwrite: bind<[fd: number, from: Memory, length: number, offset: Long]>('int64_t pwrite(int, const void *, size_t, int64_t)'),
  lseek: bind<[fd: number, offset: Long, whence: number]>('int64_t lseek(int, int64_t, int)'),
  ftruncate: bind<[fd: number, length: Long]>('int ftruncate(int, int64_t)'),
  truncate: bind<[path: Memory, length: Long]>('int truncate(const void *, int64_t)'),
  fallocate: bind<[fd: number, mode: number, offset: Long, length: Long]>('int fallocate(int, int, int64_t, int64_t)'),
  posix_fallocate: bind<[fd: number, offset: Long, length: Long]>('int posix_fallocate(int, int64_t, int64_t)'),
  copy_file_range: bind<[from: number, fromOffset: Memory, to: number, toOffset: Memory, length: number, flags: number]>(
    'int64_t copy_file_range(int, void *, int, void *, size_t, unsigned int)',
  ),
  sendfile: bind<[to: number, from: number, offset: Memory, length: number]>('int64_t sendfile(int, int, void *, size_t)'),
  fsync: bind<[fd: number]>('int fsync(int)'),
  fdatasync: bind<[fd: number]>('int fdatasync(int)'),
  syncfs: bind<[fd: number]>('int syncfs(int)'),
  sync_file_range: bind<[fd: number, offset: Long, length: Long, flags: number]>('int sync_file_range(int, int64_t, int64_t, unsigned int)'),
  statx: bind<[at: number, path: Memory, flags: number, mask: number, into: Memory]>('int statx(int, const void *, int, unsigned int, void *)'),
  statvfs: bind<[path: Memory, into: Memory]>('int statvfs(const void *, void *)'),
  faccessat: bind<[at: number, path: Memory, mode: number, flags: number]>('int faccessat(int, const void *, int, int)'),
  mkdirat: bind<[at: number, path: Memory, mode: number]>('int mkdirat(int, const void *, unsigned int)'),
  mknodat: bind<[at: number, path: Memory, mode: number, device: number]>('int mknodat(int, const void *, unsigned int, uint64_t)'),
  unlinkat: bind<[at: number, path: Memory, flags: number]>('int unlinkat(int, const void *, int)'),
  renameat2: bind<[fromAt: number, from: Memory, toAt: number, to: Memory, flags: number]>('int renameat2(int, const void *, int, const void *, unsigned int)'),
  linkat: bind<[fromAt: number, from: Memory, toAt: number, to: Memory, flags: number]>('int linkat(int, const void *, int, const void *, int)'),
  symlinkat: bind<[target: Memory, at: number, path: Memory]>('int symlinkat(const void *, int, const void *)'),
  readlinkat: bind<[at: number, path: Memory, into: Memory, length: number]>('int64_t readlinkat(int, const void *, void *, size_t)'),
  fchmodat: bind<[at: number, path: Memory, mode: number, flags: number]>('int fchmodat(int, const void *, unsigned int, int)'),
  fchmod: bind<[fd: number, mode: number]>('int fchmod(int, unsigned int)'),
  fchownat: bind<[at: number, path: Memory, uid: number, gid: number, flags: number]>('int fchownat(int, const void *, unsigned int, unsigned int, int)'),
  fchown: bind<[fd: number, uid: number, gid: number]>('int fchown(int, unsigned int, unsigned int)'),
  utimensat: bind<[at: number, path: Memory, times: Memory, flags: number]>('int utimensat(int, const void *, const void *, int)'),
  futimens: bind<[fd: number, times: Memory]>('int futimens(int, const void *)'),
  getdents64: bind<[fd: number, into: Memory, length: number]>('int64_t getdents64(int, void *, size_t)'),
  setxattr: bind<[path: Memory, name: Memory, value: Memory, length: number, flags: number]>('int setxattr(const void *, const void *, const void *, size_t, int)'),
  lsetxattr: bind<[path: Memory, name: Memory, value: Memory, length: number, flags: number]>('int lsetxattr(const void *, const void *, const void *, size_t, int)'),
  fsetxattr: bind<[fd: number, name: Memory, value: Memory, length: number, flags: number]>('int fsetxattr(int, const void *, const void *, size_t, int)'),
  getxattr: bind<[path: Memory, name: Memory, into: Memory, length: number]>('int64_t getxattr(const void *, const void *, void *, size_t)'),
  lgetxattr: bind<[path: Memory, name: Memory, into: Memory, length: number]>('int64_t lgetxattr(const void *, const void *, void *, size_t)'),
  fgetxattr: bind<[fd: number, name: Memory, into: Memory, length: number]>('int64_t fgetxattr(int, const void *, void *, size_t)'),
  listxattr: bind<[path: Memory, into: Memory, length: number]>('int64_t listxattr(const void *, void *, size_t)'),
  llistxattr: bind<[path: Memory, into: Memory, length: number]>('int64_t llistxattr(const void *, void *, size_t)'),
  removexattr: bind<[path: Memory, name: Memory]>('int removexattr(const void *, const void *)'),
  lremovexattr: bind<[path: Memory, name: Memory]>('int lremovexattr(const void *, const void *)'),
  mmap: bind<[at: Memory, length: number, protection: number, flags: number, fd: number, offset: number]>('int64_t mmap(void *, size_t, int, int, int, int64_t)'),
  msync: bind<[at: number, length: number, flags: number]>('int msync(void *, size_t, int)'),
  munmap: bind<[at: number, length: number]>('int munmap(void *, size_t)'),
  memcpy: bind<[to: Memory, from: Memory, length: number]>('int64_t memcpy(void *, const void *, size_t)'),
  fcntl: bind<[fd: number, command: number, argument: Memory]>('int fcntl(int, int, void *)'),
  flock: bind<[fd: number, operation: number]>('int flock(int, int)'),
  socket: bind<[domain: number, type: number, protocol: number]>('int socket(int, int, int)'),
  bind: bind<[fd: number, address: Memory, length: number]>('int bind(int, const void *, unsigned int)'),
  connect: bind<[fd: number, address: Memory, length: number]>('int connect(int, const void *, unsigned int)'),
  listen: bind<[fd: number, backlog: number]>('int listen(int, int)'),
  chdir: bind<[path: Memory]>('int chdir(const void *)'),
  fchdir: bind<[fd: number]>('int fchdir(int)'),
  umask: bind<[mask: number]>('unsigned int umask(unsigned int)'),
  usleep: bind<[microseconds: number]>('int usleep(unsigned int)'),
  posix_spawn: bind<[pid: Memory, path: Memory, actions: null, attributes: null, parameters: Memory, environment: Memory]>(
    'int posix_spawn(void *, const void *, void *, void *, void *, void *)',
  ),
  kill: bind<[pid: number, signal: number]>('int kill(int, int)'),
  waitpid: bind<[pid: number, status: Memory, options: number]>('int waitpid(int, void *, int)'),
  mount: bind<[source: Memory, target: Memory, type: Memory, flags: number, options: Memory]>('int mount(const void *, const void *, const void *, unsigned long, const void *)'),
  umount2: bind<[target: Memory, flags: number]>('int umount2(const void *, int)'),
  unshare: bind<[flags: number]>('int unshare(int)'),
} as const

/** Like the C functions of these names, but for the calling thread alone: the others of the process keep what they are. */
export const threadIdentity = {
  setresuid: threadCall({ x64: 117, arm64: 147 }),
  setresgid: threadCall({ x64: 119, arm64: 149 }),
  setgroups: threadCall({ x64: 116, arm64: 159 }),
} as const

function threadCall(numbers: Readonly<Record<string, number>>): (a: Memory, b: Memory, c: Memory) => number {
  const call = bind<[number: number, a: Memory, b: Memory, c: Memory]>('int64_t syscall(long, void *, void *, void *)')
  const number = numbers[process.arch]!
  return (a, b, c) => call(number, a, b, c)
}

const names = new Map<number, string>()
for (const [name, number] of Object.entries(constants.errno)) if (name !== 'EWOULDBLOCK' && name !== 'ENOTSUP') names.set(number, name)

export function errnoName(number: number = koffi.errno()): string {
  return names.get(number) ?? `errno ${number}`
}

export function addressOf(bytes: Uint8Array): number {
  return Number(koffi.address(bytes))
}
