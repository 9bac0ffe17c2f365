/**
 * The file calls of the cache and the journal, as an interface so that tests can make one step fail.
 *
 * Every call gives its result, or a negative errno: nothing throws, so that "not there" and "no space" are ordinary answers on the hot
 * path. Paths are the program's own (plain UTF-8); names out of a volume never come here.
 */

export interface FileStat {
  readonly size: number
  /** 512-byte units really allocated. */
  readonly blocks: number
  readonly mode: number
  readonly ino: number
  readonly linkCount: number
  /** Nanoseconds are apart: a double does not hold both. */
  readonly mtimeSeconds: number
  readonly mtimeNanoseconds: number
  /** Of the last change of the inode, by the file system's clock, in milliseconds and fractions. */
  readonly ctimeMs: number
}

export interface DiskSpace {
  /** What the next three count in. */
  readonly blockBytes: number
  readonly blocks: number
  readonly blocksFree: number
  /** What somebody who is not root may still take. */
  readonly blocksAvailable: number
  readonly files: number
  readonly filesFree: number
}

export interface Sys {
  /** Opens with O_CLOEXEC added. Gives a descriptor. */
  open(path: string, flags: number, mode: number): number
  close(fd: number): number
  /** Bytes read into the start of `into`; fewer than asked at the end of the file. */
  pread(fd: number, into: Uint8Array, offset: number): number
  pwrite(fd: number, from: Uint8Array, offset: number): number
  ftruncate(fd: number, size: number): number
  fdatasync(fd: number): number
  /** Also for a directory that was opened for reading, to make a rename durable. */
  fsync(fd: number): number
  unlink(path: string): number
  rename(from: string, to: string): number
  mkdir(path: string, mode: number): number
  rmdir(path: string): number
  fstat(fd: number): FileStat | number
  /** Does not follow a symbolic link at the end. */
  stat(path: string): FileStat | number
  /** Names in a directory, without `.` and `..`, in no order. */
  list(path: string): string[] | number
  statvfs(path: string): DiskSpace | number
  /** Start of the first data at or after `offset`; -ENXIO when there is none before the end. Moves the file's position. */
  seekData(fd: number, offset: number): number
  /** Start of the first hole at or after `offset`; the size when there is none. Moves the file's position. */
  seekHole(fd: number, offset: number): number
  /** Frees the blocks of a range; reads give zeros after. The size stays. */
  punch(fd: number, offset: number, length: number): number
  /** Reserves blocks for a range; the size stays. */
  allocate(fd: number, offset: number, length: number): number
  /** fallocate(2) with any mode. */
  fallocate(fd: number, mode: number, offset: number, length: number): number
  /** copy_file_range(2): bytes copied, possibly fewer than asked; 0 at the end of the source. */
  copyRange(from: number, fromOffset: number, to: number, toOffset: number, length: number): number
  /** Sets the modification time; undefined: to the file system's own clock. The access time stays. */
  setMtime(fd: number, mtime: { readonly seconds: number; readonly nanoseconds: number } | undefined): number
  /**
   * 0 when this descriptor's file is open and mapped nowhere else (F_SETLEASE with F_WRLCK); -EAGAIN when it is. The lease breaks by
   * itself, so it proves the moment, not the future. It is dropped by `dropLease` or `close`.
   */
  takeLease(fd: number): number
  dropLease(fd: number): number
  /**
   * 0 when this descriptor now holds its file's lock (flock), -EAGAIN when another descriptor does, in any process. It ends with the
   * descriptor.
   */
  lock(fd: number): number
}
