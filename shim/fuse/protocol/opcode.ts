/**
 * Opcodes of the FUSE kernel protocol 7.45 (enum fuse_opcode in include/uapi/linux/fuse.h).
 */

export const opcode = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  READLINK: 5,
  SYMLINK: 6,
  MKNOD: 8,
  MKDIR: 9,
  UNLINK: 10,
  RMDIR: 11,
  RENAME: 12,
  LINK: 13,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  SETXATTR: 21,
  GETXATTR: 22,
  LISTXATTR: 23,
  REMOVEXATTR: 24,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  FSYNCDIR: 30,
  GETLK: 31,
  SETLK: 32,
  SETLKW: 33,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  BMAP: 37,
  DESTROY: 38,
  IOCTL: 39,
  POLL: 40,
  NOTIFY_REPLY: 41,
  BATCH_FORGET: 42,
  FALLOCATE: 43,
  READDIRPLUS: 44,
  RENAME2: 45,
  LSEEK: 46,
  COPY_FILE_RANGE: 47,
  SYNCFS: 50,
  TMPFILE: 51,
  STATX: 52,
  COPY_FILE_RANGE_64: 53,
} as const

/** One more than the highest opcode: the length of tables by opcode. */
export const opcodeCount = 54

const names = new Map<number, string>(Object.entries(opcode).map(([name, number]) => [number, name]))

export function opcodeName(number: number): string {
  return names.get(number) ?? `opcode ${number}`
}

/** Requests that would change something: EROFS is their honest refusal, where ENOSYS makes the kernel pretend or remember. */
export const changingOpcodes: ReadonlySet<number> = new Set([
  opcode.SETATTR,
  opcode.SYMLINK,
  opcode.MKNOD,
  opcode.MKDIR,
  opcode.UNLINK,
  opcode.RMDIR,
  opcode.RENAME,
  opcode.LINK,
  opcode.WRITE,
  opcode.SETXATTR,
  opcode.REMOVEXATTR,
  opcode.CREATE,
  opcode.FALLOCATE,
  opcode.RENAME2,
  opcode.COPY_FILE_RANGE,
  opcode.TMPFILE,
  opcode.COPY_FILE_RANGE_64,
])

/** The kernel waits for no answer to these; one would be an error. */
export const unansweredOpcodes: ReadonlySet<number> = new Set([opcode.FORGET, opcode.BATCH_FORGET, opcode.INTERRUPT])
