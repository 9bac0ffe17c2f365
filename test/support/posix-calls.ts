/**
 * What a `posix-agent.ts` can be asked, and what it answers: plain data, one name a call, for the agent, its client, and whoever keeps calls
 * (a differential test). Descriptors have names that the asker chooses. Data is text of which each character is one byte.
 */

/** NULL, or an address at which there is nothing. */
export type NoPath = null | number

/** A name relative to the agent's directory, or to an open one; bytes that are no UTF-8 as lone surrogates (`shared/name.ts`). */
export type Place = string | NoPath | { readonly at: string; readonly path: string | NoPath }

export type Fd = string

/** Bytes: as they are, or many of one kind. */
export type Data = string | { readonly fill: string; readonly length: number }

/** Beyond 2^53: decimal text. */
export type Offset = number | string

/** Seconds and nanoseconds since 1970, the moment of the call, or as it was. */
export type Time = readonly [seconds: number, nanoseconds: number] | 'now' | 'omit'

export type LockKind = 'read' | 'write' | 'none'

/** Each call with its parameters; the system call of the same name, or of the same name with `at`, unless it is said. */
export interface Calls {
  /** Without a descriptor's name, it is closed again at once. */
  open: [place: Place, flags: number, mode?: number, fd?: Fd]
  /** A file made and closed (open with O_CREAT and O_EXCL). */
  create: [place: Place, mode: number]
  close: [fd: Fd]
  dup: [fd: Fd, copy: Fd]
  /** Answers with the bytes. */
  read: [fd: Fd, length: number]
  pread: [fd: Fd, length: number, offset: Offset]
  write: [fd: Fd, data: Data]
  pwrite: [fd: Fd, data: Data, offset: Offset]
  /** As pread and pwrite, from and into memory that is aligned to 4096 bytes. */
  preadAligned: [fd: Fd, length: number, offset: number]
  pwriteAligned: [fd: Fd, data: Data, offset: number]
  lseek: [fd: Fd, offset: Offset, whence: number]
  ftruncate: [fd: Fd, length: Offset]
  truncate: [path: string | NoPath, length: Offset]
  fallocate: [fd: Fd, mode: number, offset: Offset, length: Offset]
  /** Gives its errno as if it had set it. */
  posixFallocate: [fd: Fd, offset: Offset, length: Offset]
  copyFileRange: [from: Fd, fromOffset: number | null, to: Fd, toOffset: number | null, length: number, flags?: number]
  sendfile: [to: Fd, from: Fd, offset: number | null, length: number]
  fsync: [fd: Fd]
  fdatasync: [fd: Fd]
  syncfs: [fd: Fd]
  /** Three names for statx with the basic fields. */
  stat: [place: Place]
  lstat: [place: Place]
  fstat: [fd: Fd]
  /** Answers with the fields as JSON. */
  statfs: [path: string | NoPath]
  /** Permission bits as in access(2); flags: AT_EACCESS. */
  access: [place: Place, mode: number, flags?: number]
  mkdir: [place: Place, mode: number]
  rmdir: [place: Place]
  unlink: [place: Place]
  rename: [from: Place, to: Place, flags?: number]
  link: [from: Place, to: Place, flags?: number]
  symlink: [target: string | NoPath, place: Place]
  readlink: [place: Place, length?: number]
  mkfifo: [place: Place, mode: number]
  mknod: [place: Place, kind: 'block' | 'char' | 'fifo' | 'regular' | 'socket', mode: number, major?: number, minor?: number]
  chmod: [place: Place, mode: number]
  /** fchmodat with AT_SYMLINK_NOFOLLOW. */
  lchmod: [place: Place, mode: number]
  fchmod: [fd: Fd, mode: number]
  /** -1 leaves one as it is. */
  chown: [place: Place, uid: number, gid: number]
  lchown: [place: Place, uid: number, gid: number]
  fchown: [fd: Fd, uid: number, gid: number]
  utimensat: [place: Place, atime: Time, mtime: Time, flags?: number]
  futimens: [fd: Fd, atime: Time, mtime: Time]
  /** Names with `.` and `..`, from where the descriptor stands, in one getdents64 of so many bytes; `data` is JSON of [name, type, offset after it]. */
  getdents: [fd: Fd, bytes?: number]
  /** All names of a directory but `.` and `..`, sorted. */
  list: [place: Place]
  setxattr: [path: string | NoPath, name: string | NoPath, value: Data, flags?: number]
  lsetxattr: [path: string, name: string, value: Data, flags?: number]
  fsetxattr: [fd: Fd, name: string, value: Data, flags?: number]
  getxattr: [path: string | NoPath, name: string | NoPath, length?: number]
  lgetxattr: [path: string, name: string, length?: number]
  fgetxattr: [fd: Fd, name: string, length?: number]
  /** Answers with the names, sorted. */
  listxattr: [path: string | NoPath, length?: number]
  llistxattr: [path: string, length?: number]
  removexattr: [path: string | NoPath, name: string | NoPath]
  lremovexattr: [path: string, name: string]
  /** A mapping has a name too. `flags`: MAP_SHARED 1, MAP_PRIVATE 2. */
  mmap: [map: string, fd: Fd, length: number, protection: number, flags: number, offset?: number]
  mapWrite: [map: string, offset: number, data: Data]
  mapRead: [map: string, offset: number, length: number]
  msync: [map: string, flags: number]
  munmap: [map: string]
  /** F_SETLK, F_SETLKW with `waits`; locks of the open file description with `isOpenFile`. */
  lock: [fd: Fd, kind: LockKind, start: number, length: number, options?: { readonly waits?: boolean; readonly isOpenFile?: boolean }]
  /** F_GETLK: `data` is the kind of lock that is in the way, or `none`. */
  testLock: [fd: Fd, kind: LockKind, start: number, length: number]
  flock: [fd: Fd, operation: number]
  fcntl: [fd: Fd, command: number, argument: number]
  /** Makes a socket; with a descriptor's name it stays open. */
  bind: [path: string | NoPath, fd?: Fd]
  listen: [fd: Fd]
  connect: [path: string]
  chdir: [path: string | NoPath]
  fchdir: [fd: Fd]
  /** Starts a program, gives its process id. */
  spawn: [path: string, parameters: readonly string[]]
  /** Kills it and waits. */
  kill: [pid: number]
  /** Runs a program to its end and gives its exit status. */
  run: [path: string, parameters: readonly string[]]
  /** From here on the agent's mounts are its own, and end with it. */
  privateMounts: []
  mount: [source: string, target: string, type: string, flags: number]
  umount: [target: string]
  sleep: [ms: number]
  /** Answers with a line for each file below, that says all there is to it but the access time. */
  describeTree: [path: string]
  /** Removes what is below, whoever owns it. */
  removeTree: [path: string]
}

export type CallName = keyof Calls

export type Call = { readonly [Name in CallName]: readonly [Name, ...Calls[Name]] }[CallName]

/** Who asks. Without groups: none but `gid`. Without a mask: 0. */
export interface Credential {
  readonly uid: number
  readonly gid: number
  readonly groups?: readonly number[]
  readonly umask?: number
}

export interface Step {
  readonly call: Call
  /** Without: root, mask 0. */
  readonly as?: Credential
}

export type FileKind = 'regular' | 'directory' | 'fifo' | 'block' | 'char' | 'socket' | 'symlink'

export interface Stat {
  readonly kind: FileKind
  /** Permission bits. */
  readonly mode: number
  readonly nlink: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly blocks: number
  readonly blockBytes: number
  readonly ino: bigint
  readonly device: string
  readonly major: number
  readonly minor: number
  /** Nanoseconds since 1970. */
  readonly atime: bigint
  readonly mtime: bigint
  readonly ctime: bigint
}

export interface Outcome {
  /** What the call returned; -1 when it failed. */
  readonly value: number
  /** The errno's name. */
  readonly error?: string
  readonly data?: string
  readonly names?: readonly string[]
  readonly stat?: Stat
}

export const O = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  EXCL: 0o200,
  NOCTTY: 0o400,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  NONBLOCK: 0o4000,
  DSYNC: 0o10000,
  DIRECT: process.arch === 'arm64' ? 0o200000 : 0o40000,
  DIRECTORY: process.arch === 'arm64' ? 0o40000 : 0o200000,
  NOFOLLOW: process.arch === 'arm64' ? 0o100000 : 0o400000,
  NOATIME: 0o1000000,
  SYNC: 0o4010000,
  PATH: 0o10000000,
  TMPFILE: process.arch === 'arm64' ? 0o20040000 : 0o20200000,
} as const

export const AT = { SYMLINK_NOFOLLOW: 0x100, EACCESS: 0x200, SYMLINK_FOLLOW: 0x400, EMPTY_PATH: 0x1000 } as const
export const SEEK = { SET: 0, CUR: 1, END: 2, DATA: 3, HOLE: 4 } as const
export const RENAME = { NOREPLACE: 1, EXCHANGE: 2, WHITEOUT: 4 } as const
export const FALLOC = { KEEP_SIZE: 1, PUNCH_HOLE: 2, COLLAPSE_RANGE: 8, ZERO_RANGE: 16, INSERT_RANGE: 32 } as const
export const PROT = { READ: 1, WRITE: 2 } as const
export const MAP = { SHARED: 1, PRIVATE: 2 } as const
export const MS = { ASYNC: 1, SYNC: 4, RDONLY: 1, REMOUNT: 32, BIND: 4096 } as const
export const LOCK = { SH: 1, EX: 2, NB: 4, UN: 8 } as const
export const XATTR = { CREATE: 1, REPLACE: 2 } as const
export const ACCESS = { R: 4, W: 2, X: 1, F: 0 } as const
