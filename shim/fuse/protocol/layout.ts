/**
 * Where the fields of the kernel's structs are (include/uapi/linux/fuse.h, protocol 7.45), in 32-bit words from the start of the message
 * or, for parts of a message, from the start of the struct. 64-bit fields are given by their low word; everything is little-endian.
 */

/** struct fuse_in_header, and what follows it: every request. */
export const header = { length: 0, opcode: 1, unique: 2, nodeId: 4, uid: 6, gid: 7, pid: 8, words: 10, bytes: 40 } as const

/** struct fuse_out_header: every answer, and (with unique 0 and a code for `error`) every notification. */
export const answerHeader = { length: 0, error: 1, unique: 2, words: 4, bytes: 16 } as const

export const initRequest = { major: 10, minor: 11, maxReadahead: 12, flags: 13, flags2: 14 } as const
export const getattrRequest = { flags: 10, handle: 12 } as const
export const openRequest = { flags: 10, openFlags: 11 } as const
/** READ, READDIR, READDIRPLUS. */
export const readRequest = { handle: 10, offset: 12, size: 14 } as const
/** RELEASE, RELEASEDIR, FLUSH. */
export const releaseRequest = { handle: 10 } as const
export const forgetRequest = { lookupCount: 10 } as const
/** `count` records of a node id and a lookup count begin at `first`. */
export const batchForgetRequest = { count: 10, first: 12, recordWords: 4, recordLookupCount: 2 } as const
/** LISTXATTR has the same struct without a name. */
export const getxattrRequest = { size: 10, nameByte: 48 } as const
export const accessRequest = { mask: 10 } as const
export const interruptRequest = { unique: 10 } as const
export const lseekRequest = { handle: 10, offset: 12, whence: 14 } as const
export const statxRequest = { getattrFlags: 10, handle: 12 } as const

/** struct fuse_setattr_in */
export const setattrRequest = {
  valid: 10,
  handle: 12,
  size: 14,
  atime: 18,
  mtime: 20,
  ctime: 22,
  atimeNanoseconds: 24,
  mtimeNanoseconds: 25,
  ctimeNanoseconds: 26,
  mode: 27,
  uid: 29,
  gid: 30,
} as const

/** FATTR_*: which fields of a SETATTR count. */
export const setattrValid = {
  FATTR_MODE: 1,
  FATTR_UID: 2,
  FATTR_GID: 4,
  FATTR_SIZE: 8,
  FATTR_ATIME: 16,
  FATTR_MTIME: 32,
  FATTR_FH: 64,
  FATTR_ATIME_NOW: 128,
  FATTR_MTIME_NOW: 256,
  FATTR_LOCKOWNER: 512,
  FATTR_CTIME: 1024,
  FATTR_KILL_SUIDGID: 2048,
} as const

/** SYMLINK has two names from here on; UNLINK, RMDIR and REMOVEXATTR have one. */
export const namedRequest = { nameByte: 40 } as const
export const mknodRequest = { mode: 10, rdev: 11, umask: 12, nameByte: 56 } as const
export const mkdirRequest = { mode: 10, umask: 11, nameByte: 48 } as const
/** CREATE and TMPFILE. */
export const createRequest = { flags: 10, mode: 11, umask: 12, openFlags: 13, nameByte: 56 } as const
export const renameRequest = { newParent: 10, nameByte: 48 } as const
export const rename2Request = { newParent: 10, flags: 12, nameByte: 56 } as const
export const linkRequest = { nodeId: 10, nameByte: 48 } as const
export const writeRequest = { handle: 10, offset: 12, size: 14, flags: 15, dataByte: 80 } as const
/** FSYNC and FSYNCDIR. */
export const fsyncRequest = { handle: 10, flags: 12 } as const
export const fallocateRequest = { handle: 10, offset: 12, length: 14, mode: 16 } as const
export const copyFileRangeRequest = { handle: 10, offset: 12, toNodeId: 14, toHandle: 16, toOffset: 18, length: 20, flags: 22 } as const
/** The name begins later when SETXATTR_EXT is agreed on; the value comes after the name's NUL. */
export const setxattrRequest = { size: 10, flags: 11, setxattrFlags: 12, shortNameByte: 48, nameByte: 56 } as const

/** FUSE_OPEN_KILL_SUIDGID of OPEN and CREATE. */
export const openKillsPrivileges = 1
export const writeFlag = { FUSE_WRITE_CACHE: 1, FUSE_WRITE_KILL_SUIDGID: 4 } as const
/** FUSE_FSYNC_FDATASYNC */
export const fsyncIsDataOnly = 1
/** FUSE_SETXATTR_ACL_KILL_SGID */
export const setxattrKillsSetGid = 1

/** FUSE_GETATTR_FH: the handle is valid. */
export const getattrHasHandle = 1

/** struct fuse_attr */
export const attributes = {
  ino: 0,
  size: 2,
  blocks: 4,
  atime: 6,
  mtime: 8,
  ctime: 10,
  atimeNanoseconds: 12,
  mtimeNanoseconds: 13,
  ctimeNanoseconds: 14,
  mode: 15,
  linkCount: 16,
  uid: 17,
  gid: 18,
  rdev: 19,
  blockBytes: 20,
  flags: 21,
  words: 22,
} as const

/** struct fuse_entry_out */
export const entry = {
  nodeId: 0,
  generation: 2,
  entryValid: 4,
  attributesValid: 6,
  entryValidNanoseconds: 8,
  attributesValidNanoseconds: 9,
  attributes: 10,
  words: 32,
  bytes: 128,
} as const

/** struct fuse_attr_out */
export const attributesAnswer = { valid: 0, validNanoseconds: 2, attributes: 4, bytes: 104 } as const

/** struct fuse_open_out */
export const openAnswer = { handle: 0, flags: 2, backingId: 3, bytes: 16 } as const

export const openAnswerFlag = {
  FOPEN_DIRECT_IO: 1,
  FOPEN_KEEP_CACHE: 2,
  FOPEN_CACHE_DIR: 8,
  FOPEN_NOFLUSH: 32,
  FOPEN_PASSTHROUGH: 128,
} as const

/** struct fuse_kstatfs */
export const statfsAnswer = {
  blocks: 0,
  blocksFree: 2,
  blocksAvailable: 4,
  files: 6,
  filesFree: 8,
  blockBytes: 10,
  nameBytesMax: 11,
  fragmentBytes: 12,
  bytes: 80,
} as const

/** struct fuse_dirent; the name begins at `nameByte` and records are padded to 8 bytes. */
export const directoryEntry = { ino: 0, offset: 2, nameLength: 4, type: 5, nameByte: 24 } as const

/** struct fuse_getxattr_out, struct fuse_write_out */
export const sizeAnswer = { size: 0, bytes: 8 } as const
/** struct fuse_lseek_out, struct fuse_copy_file_range_out */
export const lseekAnswer = { offset: 0, bytes: 8 } as const

/** struct fuse_init_out. Two 16-bit fields share a word where the name says so. */
export const initAnswer = {
  major: 0,
  minor: 1,
  maxReadahead: 2,
  flags: 3,
  maxBackgroundAndCongestion: 4,
  maxWrite: 5,
  timeGranularity: 6,
  maxPagesAndMapAlignment: 7,
  flags2: 8,
  maxStackDepth: 9,
  bytes: 64,
} as const

/** struct fuse_statx_out; its struct fuse_statx begins at `stat`. */
export const statxAnswer = { valid: 0, validNanoseconds: 2, stat: 8, bytes: 288 } as const

/** struct fuse_statx. Device numbers are apart here. */
export const stat = {
  mask: 0,
  blockBytes: 1,
  linkCount: 4,
  uid: 5,
  gid: 6,
  mode: 7,
  ino: 8,
  size: 10,
  blocks: 12,
  atime: 16,
  atimeNanoseconds: 18,
  ctime: 24,
  ctimeNanoseconds: 26,
  mtime: 28,
  mtimeNanoseconds: 30,
  rdevMajor: 32,
  rdevMinor: 33,
} as const

/** STATX_BASIC_STATS: what `Attributes` can fill; no birth time. */
export const statBasics = 0x7ff

/** A 64-bit field as a safe integer; values beyond 2^53 lose low bits. */
export function readWide(words: Uint32Array, index: number): number {
  return words[index]! + words[index + 1]! * 4294967296
}

/** A signed 64-bit field: a time. */
export function readSignedWide(words: Uint32Array, index: number): number {
  return words[index]! + (words[index + 1]! | 0) * 4294967296
}

/** Writes a safe integer, negative ones in two's complement. */
export function writeWide(words: Uint32Array, index: number, value: number): void {
  words[index] = value // a typed array keeps the low 32 bits
  words[index + 1] = Math.floor(value / 4294967296)
}
