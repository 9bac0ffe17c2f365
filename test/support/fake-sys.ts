/**
 * A disk in memory behind `Sys`, which fails where a test says so, fills up, and loses power.
 *
 * Losing power is as harsh as a journaling file system allows: names, sizes and punched holes come back as they were at some moment, in order, not before
 * what a sync was for (fsync: anything of its file or directory; fdatasync: that the file was made, its size, its holes); of data written since
 * a file's own last sync each sector is there or not, at random.
 */
import { errno } from '../../shared/errno.ts'
import { allocateMode, openFlag } from '../../shim/sys/constants.ts'
import type { DiskSpace, FileStat, Sys } from '../../shim/sys/sys.ts'
import type { SeededRandom } from './seeded-random.ts'

const pageBytes = 4096
const sectorBytes = 512

interface Inode {
  size: number
  mtime: { readonly seconds: number; readonly nanoseconds: number }
  ctimeMs: number
  readonly pages: Map<number, Uint8Array>
}

interface Image {
  /** Inode numbers; 0 is a directory. */
  readonly names: Map<string, number>
  readonly inodes: Map<number, Inode>
}

interface Change {
  readonly apply: (image: Image) => void
  /** Inode numbers of files and paths of directories whose fsync makes it durable, and whose fdatasync does. */
  readonly fsyncs: readonly (number | string)[]
  readonly fdatasyncs: readonly number[]
}

export class FakeSys implements Sys {
  #live: Image = { names: new Map([['', 0]]), inodes: new Map() }
  #durable: Image = { names: new Map([['', 0]]), inodes: new Map() }
  #journal: Change[] = []
  #dirty = new Map<number, Set<number>>()
  #lastInode = 0
  #lastFd = 2
  #clockUs = 0
  readonly #fds = new Map<number, number>()
  /** Paths of directories that are open. */
  readonly #directoryFds = new Map<number, string>()
  readonly #locks = new Map<number, number>()
  readonly #failures: { call: keyof Sys; code: number; skip: number; count: number }[] = []
  /** Inodes that somebody else holds or maps. */
  readonly heldPaths = new Set<string>()
  readonly calls: string[] = []
  capacityBytes = Infinity
  /** After so many calls more the power is off: every call throws, until `losePower` or `crash`. */
  callsLeft = Infinity

  /** Makes calls of a kind fail: after `skip` good ones, `count` times. */
  fail(call: keyof Sys, code: number, { skip = 0, count = 1 } = {}): void {
    this.#failures.push({ call, code, skip, count })
  }

  /** The process ends; what it wrote is with the kernel. */
  crash(): void {
    this.#fds.clear()
    this.#directoryFds.clear()
    this.#locks.clear()
    this.#failures.length = 0
    this.callsLeft = Infinity
  }

  losePower(random: SeededRandom): void {
    const kept = this.#journal.slice(0, random.next() % (this.#journal.length + 1))
    for (const { apply } of kept) apply(this.#durable)
    for (const [ino, pages] of this.#dirty) {
      for (const page of pages) tearPage(this.#live.inodes.get(ino), this.#durable.inodes.get(ino), page, random)
    }
    this.#live = cloneImage(this.#durable)
    this.#journal = []
    this.#dirty = new Map()
    this.crash()
  }

  get openCount(): number {
    return this.#fds.size
  }

  paths(): string[] {
    return [...this.#live.names].filter(([, ino]) => ino !== 0).map(([path]) => path)
  }

  /** Content of a file, for changing it behind everybody's back. */
  readFile(path: string): Uint8Array {
    const inode = this.#live.inodes.get(this.#live.names.get(path) ?? -1)!
    const bytes = new Uint8Array(inode.size)
    this.#copyOut(inode, bytes, 0)
    return bytes
  }

  writeFile(path: string, bytes: Uint8Array): void {
    const failures = this.#failures.splice(0)
    const fd = this.open(path, openFlag.O_RDWR | openFlag.O_CREAT, 0o600)
    this.ftruncate(fd, bytes.length)
    this.pwrite(fd, bytes, 0)
    this.close(fd)
    this.#failures.push(...failures)
  }

  get usedBytes(): number {
    const inodes = new Set([...this.#live.names.values(), ...this.#fds.values()])
    let pages = 0
    for (const ino of inodes) pages += this.#live.inodes.get(ino)?.pages.size ?? 0
    return pages * pageBytes
  }

  open(path: string, flags: number, _mode: number): number {
    const failure = this.#enter('open', path)
    if (failure !== 0) return failure
    let ino = this.#live.names.get(path)
    if (ino === 0 && flags !== openFlag.O_RDONLY) return -errno.EISDIR
    if (ino !== undefined && (flags & openFlag.O_EXCL) !== 0) return -errno.EEXIST
    if (ino === undefined) {
      if ((flags & openFlag.O_CREAT) === 0 || this.#live.names.get(parentOf(path)) !== 0) return -errno.ENOENT
      this.#lastInode += 1
      const made = this.#lastInode
      ino = made
      this.#change([made, parentOf(path)], [made], (image) => {
        image.names.set(path, made)
        image.inodes.set(made, { size: 0, mtime: { seconds: 0, nanoseconds: 0 }, ctimeMs: 0, pages: new Map() })
      })
    }
    if ((flags & openFlag.O_TRUNC) !== 0) this.#setSize(ino, 0)
    this.#lastFd += 1
    this.#fds.set(this.#lastFd, ino)
    if (ino === 0) this.#directoryFds.set(this.#lastFd, path)
    return this.#lastFd
  }

  close(fd: number): number {
    if (!this.#fds.has(fd)) throw new Error(`close of descriptor ${fd}, which is not open`)
    if (this.#locks.get(this.#fds.get(fd)!) === fd) this.#locks.delete(this.#fds.get(fd)!)
    this.#fds.delete(fd)
    this.#directoryFds.delete(fd)
    return 0
  }

  pread(fd: number, into: Uint8Array, offset: number): number {
    const failure = this.#enter('pread', String(fd))
    return failure === 0 ? this.#copyOut(this.#inode(fd), into, offset) : failure
  }

  pwrite(fd: number, from: Uint8Array, offset: number): number {
    const failure = this.#enter('pwrite', String(fd))
    if (failure !== 0) return failure
    const inode = this.#inode(fd)
    const length = this.#fitting(inode, offset, from.length)
    if (length === 0 && from.length > 0) return -errno.ENOSPC
    const first = Math.floor(offset / pageBytes)
    const end = Math.ceil((offset + length) / pageBytes)
    const dirty = this.#dirty.get(this.#fds.get(fd)!) ?? new Set()
    this.#dirty.set(this.#fds.get(fd)!, dirty)
    for (let page = first; page < end; page += 1) {
      const target = inode.pages.get(page) ?? new Uint8Array(pageBytes)
      inode.pages.set(page, target)
      const start = Math.max(offset, page * pageBytes)
      const stop = Math.min(offset + length, (page + 1) * pageBytes)
      target.set(from.subarray(start - offset, stop - offset), start - page * pageBytes)
      dirty.add(page)
    }
    this.#touch(this.#fds.get(fd)!)
    if (offset + length > inode.size) this.#setSize(this.#fds.get(fd)!, offset + length)
    return length
  }

  /** How many of the bytes the disk has room for. */
  #fitting(inode: Inode, offset: number, length: number): number {
    if (this.capacityBytes === Infinity) return length
    let room = Math.floor((this.capacityBytes - this.usedBytes) / pageBytes)
    for (let page = Math.floor(offset / pageBytes); page * pageBytes < offset + length; page += 1) {
      if (inode.pages.has(page)) continue
      if (room <= 0) return Math.max(0, page * pageBytes - offset)
      room -= 1
    }
    return length
  }

  ftruncate(fd: number, size: number): number {
    const failure = this.#enter('ftruncate', String(fd))
    if (failure !== 0) return failure
    this.#inode(fd)
    this.#setSize(this.#fds.get(fd)!, size)
    return 0
  }

  fdatasync(fd: number): number {
    const failure = this.#enter('fdatasync', String(fd))
    return failure === 0 ? this.#sync(fd, 'fdatasyncs') : failure
  }

  fsync(fd: number): number {
    const failure = this.#enter('fsync', String(fd))
    return failure === 0 ? this.#sync(fd, 'fsyncs') : failure
  }

  /** The file system writes its own journal up to the last change that this is for, and all before it. */
  #sync(fd: number, kind: 'fsyncs' | 'fdatasyncs'): number {
    const ino = this.#fds.get(fd)!
    const what = this.#directoryFds.get(fd) ?? ino
    const last = this.#journal.findLastIndex((change) => change[kind].some((each) => each === what))
    for (const { apply } of this.#journal.splice(0, last + 1)) apply(this.#durable)
    for (const page of this.#dirty.get(ino) ?? []) copyPage(this.#live.inodes.get(ino), this.#durable.inodes.get(ino), page)
    this.#dirty.delete(ino)
    return 0
  }

  unlink(path: string): number {
    const failure = this.#enter('unlink', path)
    if (failure !== 0) return failure
    if (!this.#live.names.has(path)) return -errno.ENOENT
    this.#change([parentOf(path)], [], (image) => image.names.delete(path))
    return 0
  }

  rename(from: string, to: string): number {
    const failure = this.#enter('rename', from)
    if (failure !== 0) return failure
    const ino = this.#live.names.get(from)
    if (ino === undefined) return -errno.ENOENT
    this.#change([ino, parentOf(from), parentOf(to)], [], (image) => {
      image.names.delete(from)
      image.names.set(to, ino)
    })
    return 0
  }

  mkdir(path: string, _mode: number): number {
    const failure = this.#enter('mkdir', path)
    if (failure !== 0) return failure
    if (this.#live.names.has(path)) return -errno.EEXIST
    if (!this.#live.names.has(parentOf(path))) return -errno.ENOENT
    this.#change([path, parentOf(path)], [], (image) => image.names.set(path, 0))
    return 0
  }

  rmdir(path: string): number {
    return this.unlink(path)
  }

  fstat(fd: number): FileStat | number {
    return statOf(this.#fds.get(fd)!, this.#inode(fd))
  }

  stat(path: string): FileStat | number {
    const ino = this.#live.names.get(path)
    if (ino === undefined) return -errno.ENOENT
    return statOf(ino, this.#live.inodes.get(ino) ?? { size: 0, mtime: { seconds: 0, nanoseconds: 0 }, ctimeMs: 0, pages: new Map() })
  }

  list(path: string): string[] | number {
    if (this.#live.names.get(path) !== 0) return -errno.ENOENT
    const prefix = `${path}/`
    return [...this.#live.names.keys()].filter((name) => parentOf(name) === path && name.startsWith(prefix)).map((name) => name.slice(prefix.length))
  }

  statvfs(_path: string): DiskSpace | number {
    const blocks = this.capacityBytes === Infinity ? 2 ** 40 : Math.floor(this.capacityBytes / pageBytes)
    const free = blocks - this.usedBytes / pageBytes
    return { blockBytes: pageBytes, blocks, blocksFree: free, blocksAvailable: free, files: 2 ** 20, filesFree: 2 ** 20 }
  }

  seekData(fd: number, offset: number): number {
    const { size, pages } = this.#inode(fd)
    for (let page = Math.floor(offset / pageBytes); page * pageBytes < size; page += 1) if (pages.has(page)) return Math.max(offset, page * pageBytes)
    return -errno.ENXIO
  }

  seekHole(fd: number, offset: number): number {
    const { size, pages } = this.#inode(fd)
    if (offset >= size) return -errno.ENXIO
    for (let page = Math.floor(offset / pageBytes); page * pageBytes < size; page += 1) if (!pages.has(page)) return Math.max(offset, page * pageBytes)
    return size
  }

  punch(fd: number, offset: number, length: number): number {
    const failure = this.#enter('punch', String(fd))
    if (failure !== 0) return failure
    this.#zero(fd, offset, offset + length)
    return 0
  }

  allocate(): number {
    return 0
  }

  /** Blocks are given when they are written: allocating is only a matter of size, and of zeros. */
  fallocate(fd: number, mode: number, offset: number, length: number): number {
    const failure = this.#enter('fallocate', String(fd))
    if (failure !== 0) return failure
    if ((mode & (allocateMode.FALLOC_FL_PUNCH_HOLE | allocateMode.FALLOC_FL_ZERO_RANGE)) !== 0) this.#zero(fd, offset, offset + length)
    const keepsSize = (mode & allocateMode.FALLOC_FL_KEEP_SIZE) !== 0
    if (!keepsSize && offset + length > this.#inode(fd).size) this.#setSize(this.#fds.get(fd)!, offset + length)
    return 0
  }

  copyRange(from: number, fromOffset: number, to: number, toOffset: number, length: number): number {
    const failure = this.#enter('copyRange', String(from))
    if (failure !== 0) return failure
    const source = this.#inode(from)
    const bytes = new Uint8Array(Math.max(0, Math.min(length, source.size - fromOffset)))
    this.#copyOut(source, bytes, fromOffset)
    return bytes.length === 0 ? 0 : this.pwrite(to, bytes, toOffset)
  }

  setMtime(fd: number, mtime: { readonly seconds: number; readonly nanoseconds: number } | undefined): number {
    const failure = this.#enter('setMtime', String(fd))
    if (failure !== 0) return failure
    this.#touch(this.#fds.get(fd)!, mtime)
    return 0
  }

  takeLease(fd: number): number {
    const failure = this.#enter('takeLease', String(fd))
    if (failure !== 0) return failure
    const ino = this.#fds.get(fd)!
    const isHeld = [...this.heldPaths].some((path) => this.#live.names.get(path) === ino)
    const openCount = [...this.#fds.values()].filter((other) => other === ino).length
    return isHeld || openCount > 1 ? -errno.EAGAIN : 0
  }

  dropLease(): number {
    return 0
  }

  lock(fd: number): number {
    const ino = this.#fds.get(fd)!
    if (this.#locks.has(ino)) return -errno.EAGAIN
    this.#locks.set(ino, fd)
    return 0
  }

  #enter(call: keyof Sys, what: string): number {
    if (this.callsLeft <= 0) throw new Error('the power is off')
    this.callsLeft -= 1
    this.calls.push(`${call} ${what}`)
    const failure = this.#failures.find((candidate) => candidate.call === call)
    if (failure === undefined) return 0
    if (failure.skip > 0) {
      failure.skip -= 1
      return 0
    }
    failure.count -= 1
    if (failure.count === 0) this.#failures.splice(this.#failures.indexOf(failure), 1)
    return -failure.code
  }

  #inode(fd: number): Inode {
    const inode = this.#live.inodes.get(this.#fds.get(fd) ?? -1)
    if (inode === undefined) throw new Error(`use of descriptor ${fd}, which is not open`)
    return inode
  }

  #zero(fd: number, start: number, end: number): void {
    this.#inode(fd)
    const ino = this.#fds.get(fd)!
    this.#change([ino], [ino], (image) => {
      const inode = image.inodes.get(ino)
      if (inode !== undefined) for (const page of inode.pages.keys()) zeroWithin(inode, page, start, end)
    })
    this.#touch(ino)
  }

  /** The disk's own clock counts changes: each is a microsecond after the one before. */
  #touch(ino: number, mtime?: { readonly seconds: number; readonly nanoseconds: number }): void {
    this.#clockUs += 1
    const time = mtime ?? { seconds: Math.floor(this.#clockUs / 1e6), nanoseconds: (this.#clockUs % 1e6) * 1000 }
    const ctimeMs = this.#clockUs / 1000
    this.#change([ino], [], (image) => {
      const inode = image.inodes.get(ino)
      if (inode !== undefined) Object.assign(inode, { mtime: time, ctimeMs })
    })
  }

  #setSize(ino: number, size: number): void {
    this.#touch(ino)
    const isSame = this.#live.inodes.get(ino)?.size === size
    this.#change([ino], isSame ? [] : [ino], (image) => {
      const inode = image.inodes.get(ino)
      if (inode === undefined) return
      for (const page of inode.pages.keys()) zeroWithin(inode, page, size, Infinity)
      inode.size = size
    })
  }

  #copyOut(inode: Inode, into: Uint8Array, offset: number): number {
    const end = Math.min(inode.size, offset + into.length)
    into.fill(0, 0, Math.max(0, end - offset))
    for (let page = Math.floor(offset / pageBytes); page * pageBytes < end; page += 1) {
      const start = Math.max(offset, page * pageBytes)
      const stop = Math.min(end, (page + 1) * pageBytes)
      const bytes = inode.pages.get(page)
      if (bytes !== undefined) into.set(bytes.subarray(start - page * pageBytes, stop - page * pageBytes), start - offset)
    }
    return Math.max(0, end - offset)
  }

  #change(fsyncs: Change['fsyncs'], fdatasyncs: Change['fdatasyncs'], apply: Change['apply']): void {
    apply(this.#live)
    this.#journal.push({ apply, fsyncs, fdatasyncs })
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}

function copyPage(from: Inode | undefined, to: Inode | undefined, page: number): void {
  const bytes = from?.pages.get(page)
  if (to === undefined) return
  if (bytes === undefined) to.pages.delete(page)
  else to.pages.set(page, bytes.slice())
}

/** All of a page reached the disk, or nothing, or any of its sectors. */
function tearPage(from: Inode | undefined, to: Inode | undefined, page: number, random: SeededRandom): void {
  const fate = random.next() % 3
  if (fate === 0) return
  const before = to?.pages.get(page)?.slice() ?? new Uint8Array(pageBytes)
  copyPage(from, to, page)
  const after = to?.pages.get(page)
  if (fate === 1 || after === undefined) return
  for (let start = 0; start < pageBytes; start += sectorBytes) {
    if (random.next() % 2 === 0) after.set(before.subarray(start, start + sectorBytes), start)
  }
}

function zeroWithin(inode: Inode, page: number, start: number, end: number): void {
  const from = Math.max(0, start - page * pageBytes)
  const to = Math.min(pageBytes, end - page * pageBytes)
  if (from >= to) return
  if (from === 0 && to === pageBytes) inode.pages.delete(page)
  else inode.pages.get(page)?.fill(0, from, to)
}

function cloneImage(image: Image): Image {
  const inodes = new Map([...image.inodes].map(([ino, { size, mtime, ctimeMs, pages }]) => [ino, { size, mtime, ctimeMs, pages: new Map([...pages].map(([page, bytes]) => [page, bytes.slice()])) }]))
  return { names: new Map(image.names), inodes }
}

function statOf(ino: number, inode: Inode): FileStat {
  return { ino, size: inode.size, blocks: (inode.pages.size * pageBytes) / 512, mode: 0o100600, linkCount: 1, mtimeSeconds: inode.mtime.seconds, mtimeNanoseconds: inode.mtime.nanoseconds, ctimeMs: inode.ctimeMs }
}
