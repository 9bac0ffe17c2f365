/**
 * Open files: one record per node that is open, and the handles on it. Decides, when a file goes from closed to open, how the kernel will read and write it.
 *
 * Called by the handler. The kernel wants one way for all handles of a node (fs/fuse/iomode.c; a wrong answer is EIO to the program), so the
 * first open decides and every later one repeats it until the last is closed:
 * - `passthrough`: every byte is in one backing file, local or cached, and the kernel reads and writes that itself;
 * - `pages`: the kernel keeps pages, asks us for those it lacks and gives us what is written. Such a file stays so when it becomes whole meanwhile.
 *
 * A file that is opened for writing gets a local body first (`writable-bodies.ts`), and every handle on it, older ones too, reads from that.
 */
import { errno } from '../../shared/errno.ts'
import type { Entry } from '../../shared/format/entry.ts'
import type { LocalBody } from '../bodies/local-body.ts'
import type { Answer, Connection, OpenReply, ReadReply } from '../fuse/handler.ts'
import { openFlag } from '../sys/constants.ts'
import { type BodySource, type FileBody, toAnswer } from './cached-bodies.ts'
import { type InodeTable, type Row, rowFlag } from './inode-table.ts'
import type { Taking, WritableBodies } from './writable-bodies.ts'

interface OpenFile {
  readonly row: Row
  /** The version that handles read while there is no local body. */
  readonly entry: Entry
  readonly inline: Uint8Array | undefined
  readonly clean: FileBody | undefined
  local: LocalBody | undefined
  /** 0: by pages. */
  readonly backingId: number
  openCount: number
  writerCount: number
}

interface OpenHandle {
  readonly file: OpenFile
  readonly isWriting: boolean
}

export interface Opening extends Taking {
  /** As in open(2). */
  readonly flags: number
}

const noBytes = new Uint8Array(0)

export interface OpenFilesStatus {
  readonly openCount: number
  readonly passthroughOpenCount: number
  readonly passthroughCount: number
  /** Why the kernel last refused a backing file, for example 40 (ELOOP) for a cache on overlayfs; 0 if it never did. */
  readonly passthroughErrno: number
}

export interface OpenFilesParts {
  readonly table: InodeTable
  readonly bodies: BodySource
  /** Absent: read-only. */
  readonly writable?: WritableBodies | undefined
  /** A close waits until what was written is in the volume, so it has to be seen. */
  readonly isFlushed?: boolean | undefined
  /** The last handle of a node is closed; `local` is what its handles read and wrote at the end. */
  readonly closed?: ((row: Row, local: LocalBody | undefined) => void) | undefined
}

export class OpenFiles {
  readonly #parts: OpenFilesParts
  readonly #files = new Map<Row, OpenFile>()
  readonly #handles = new Map<number, OpenHandle>()
  readonly #inUse = new Set<LocalBody>()
  #connection: Connection | undefined
  #lastHandle = 0
  #passthroughOpenCount = 0
  #passthroughErrno = 0
  readonly #reply: OpenReply = { handle: 0, keepCache: true, directIo: false, cacheDirectory: false, noFlush: true, backingId: 0 }
  readonly #bytes: { kind: 'bytes'; bytes: Uint8Array } = { kind: 'bytes', bytes: noBytes }

  constructor(parts: OpenFilesParts) {
    this.#parts = parts
  }

  set connection(connection: Connection | undefined) {
    this.#connection = connection
  }

  get status(): OpenFilesStatus {
    let passthroughCount = 0
    for (const file of this.#files.values()) if (file.backingId > 0) passthroughCount += 1
    return { openCount: this.#handles.size, passthroughOpenCount: this.#passthroughOpenCount, passthroughCount, passthroughErrno: this.#passthroughErrno }
  }

  isOpen(row: Row): boolean {
    return this.#files.has(row)
  }

  isOpenForWriting(row: Row): boolean {
    return (this.#files.get(row)?.writerCount ?? 0) > 0
  }

  /** A handle reads from the body. */
  isReading(body: LocalBody): boolean {
    return this.#inUse.has(body)
  }

  /** One more handle for reading on a file that is open already; undefined when it is not. It reads what the others read. */
  reopen(row: Row): OpenReply | undefined {
    const file = this.#files.get(row)
    return file === undefined ? undefined : this.#addHandle(file, false)
  }

  /** `opening.entry` is the file's entry, with O_TRUNC as it is to be. INVARIANT: whoever may write has a journaled body before the answer. */
  open(opening: Opening): OpenReply | number {
    const { row, flags } = opening
    const isWriting = (flags & openFlag.O_ACCMODE) !== openFlag.O_RDONLY
    const truncates = (flags & openFlag.O_TRUNC) !== 0
    if (isWriting || truncates) {
      const body = this.take(opening, truncates)
      if (typeof body === 'number') return body
      return this.#addHandle(this.#files.get(row) ?? this.#startLocal(row, opening.entry, body), isWriting)
    }
    const open = this.#files.get(row)
    if (open !== undefined) return this.#addHandle(open, false)
    const file = this.#start(opening)
    return typeof file === 'number' ? file : this.#addHandle(file, false)
  }

  /** The open half of CREATE: `body` is fresh, and journaled with the entry. */
  openCreated(row: Row, entry: Entry, body: LocalBody, flags: number): OpenReply {
    return this.#addHandle(this.#startLocal(row, entry, body), (flags & openFlag.O_ACCMODE) !== openFlag.O_RDONLY)
  }

  /** The body in which a file's bytes may be changed from now on, journaled as such; open handles read from it. `isEmptied`: nothing is left in it. */
  take(taking: Taking, isEmptied: boolean): LocalBody | number {
    const { writable } = this.#parts
    if (writable === undefined) return -errno.EROFS
    const file = this.#files.get(taking.row)
    const body = writable.take(taking, isEmptied, file === undefined ? undefined : { ...file, isPassthrough: file.backingId > 0 })
    if (typeof body !== 'number' && file !== undefined) this.#useLocal(file, body)
    return body
  }

  entryOf(handle: number): Entry | undefined {
    return this.#handles.get(handle)?.file.entry
  }

  /** What the handle reads and writes, when that is local. */
  bodyOf(handle: number): LocalBody | undefined {
    return this.#handles.get(handle)?.file.local
  }

  /** The kernel has the backing file of the handle's file itself. */
  isPassthrough(handle: number): boolean {
    return (this.#handles.get(handle)?.file.backingId ?? 0) > 0
  }

  /** Bytes in the handle's file now; a negative errno. */
  sizeOf(handle: number): number {
    const file = this.#handles.get(handle)?.file
    if (file === undefined) return -errno.EBADF
    if (file.local === undefined) return file.entry.size
    const stat = file.local.fstat()
    return typeof stat === 'number' ? stat : stat.size
  }

  /** A descriptor of a backing file that has all bytes of the range, or -1. Valid until control returns to the thread's loop. */
  fdOf(handle: number, start: number, end: number): number {
    const file = this.#handles.get(handle)?.file
    if (file?.local !== undefined) return file.local.lacks({ start, end }).length === 0 ? file.local.fd : -1
    return file?.clean?.completeFd() ?? -1
  }

  isWriting(handle: number): boolean {
    return this.#handles.get(handle)?.isWriting === true
  }

  read(handle: number, offset: number, length: number): Answer<ReadReply> {
    const file = this.#handles.get(handle)?.file
    if (file === undefined) return -errno.EIO
    if (file.local !== undefined) return toAnswer(file.local.read(offset, length))
    const end = Math.min(file.entry.size, offset + length)
    if (offset >= end) {
      this.#bytes.bytes = noBytes
      return this.#bytes
    }
    if (file.clean !== undefined) return file.clean.read(offset, end - offset)
    this.#bytes.bytes = file.inline!.subarray(offset, end)
    return this.#bytes
  }

  release(handle: number): void {
    const open = this.#handles.get(handle)
    if (open === undefined) return
    this.#handles.delete(handle)
    const { file, isWriting } = open
    file.openCount -= 1
    if (isWriting) file.writerCount -= 1
    if (file.openCount > 0) return
    this.#files.delete(file.row)
    if (file.backingId > 0) this.#connection?.closeBacking(file.backingId)
    file.clean?.close()
    file.local?.endSharing()
    if (file.local !== undefined) this.#inUse.delete(file.local)
    this.#parts.closed?.(file.row, file.local)
  }

  closeAll(): void {
    for (const handle of this.#handles.keys()) this.release(handle)
  }

  #start({ row, entry, path }: Opening): OpenFile | number {
    const local = this.#parts.writable?.bodyOf(entry.id)
    if (local !== undefined) return this.#startLocal(row, entry, local)
    const { content } = entry
    const blank = { row, entry, local: undefined, openCount: 0, writerCount: 0 }
    if (content.kind === 'inline') return this.#add({ ...blank, inline: content.bytes, clean: undefined, backingId: 0 })
    const clean = this.#parts.bodies.open(entry, path)
    if (typeof clean === 'number') return clean
    return this.#add({ ...blank, inline: undefined, clean, backingId: this.#backingFor(() => clean.completeFd()) })
  }

  #startLocal(row: Row, entry: Entry, local: LocalBody): OpenFile {
    const backingId = local.isWhole ? this.#backingFor(() => this.#sharedFd(local)) : 0
    this.#inUse.add(local)
    return this.#add({ row, entry, inline: undefined, clean: undefined, local, backingId, openCount: 0, writerCount: 0 })
  }

  #sharedFd(local: LocalBody): number {
    local.share()
    return local.fd
  }

  #useLocal(file: OpenFile, body: LocalBody): void {
    if (file.local !== undefined) this.#inUse.delete(file.local)
    this.#inUse.add(body)
    file.local = body
  }

  #add(file: OpenFile): OpenFile {
    this.#files.set(file.row, file)
    return file
  }

  #backingFor(fdOf: () => number): number {
    if (this.#connection?.canPassthrough !== true) return 0
    const fd = fdOf()
    if (fd < 0) return 0
    const backingId = this.#connection.openBacking(fd)
    if (backingId < 0) this.#passthroughErrno = -backingId
    return Math.max(0, backingId)
  }

  #addHandle(file: OpenFile, isWriting: boolean): OpenReply {
    this.#lastHandle += 1
    file.openCount += 1
    if (isWriting) file.writerCount += 1
    this.#handles.set(this.#lastHandle, { file, isWriting })
    if (file.backingId > 0) this.#passthroughOpenCount += 1
    const { flags } = this.#parts.table
    this.#reply.handle = this.#lastHandle
    this.#reply.backingId = file.backingId
    // Pages and passthrough together would be EIO; the kernel drops its pages at a passthrough open.
    this.#reply.keepCache = file.backingId === 0 && (flags[file.row]! & rowFlag.hasStalePages) === 0
    this.#reply.noFlush = !isWriting || this.#parts.isFlushed !== true
    flags[file.row]! &= ~rowFlag.hasStalePages
    return this.#reply
  }
}
