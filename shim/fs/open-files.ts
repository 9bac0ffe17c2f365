/**
 * Open files: one record per node that is open, and the handles on it. Decides, when a file goes from closed to open, how the kernel will read it.
 *
 * Called by the handler. The kernel wants one way for all handles of a node (fs/fuse/iomode.c; a wrong answer is EIO to the program), so the
 * first open decides and every later one repeats it until the last is closed:
 * - `passthrough`: every byte is in the cache, the kernel reads the backing file itself;
 * - `pages`: the kernel keeps pages and asks us for those it lacks. Such a file stays so when it becomes complete meanwhile.
 */
import { errno } from '../../shared/error.ts'
import type { Entry } from '../../shared/format/entry.ts'
import type { Answer, Connection, OpenReply, ReadReply } from '../fuse/handler.ts'
import { type InodeTable, type Row, rowFlag } from './inode-table.ts'

/** A body that does not stand in its entry: read through the cache. */
export interface FileBody {
  /** Never more than `length` bytes, fewer only at the end of the file. */
  read(offset: number, length: number): Answer<ReadReply>
  /** A descriptor of the backing file if every byte is in it, else -1. The caller does not close it. */
  completeFd(): number
  close(): void
}

export interface BodySource {
  /** `path` is for messages. A negative errno when the cache cannot serve it at all. */
  open(entry: Entry, path: string): FileBody | number
}

interface OpenFile {
  readonly row: Row
  /** The version that every handle on it reads. */
  readonly entry: Entry
  readonly inline: Uint8Array | undefined
  readonly body: FileBody | undefined
  /** 0: by pages. */
  readonly backingId: number
  openCount: number
}

const noBytes = new Uint8Array(0)

export interface OpenFilesStatus {
  readonly openCount: number
  readonly passthroughOpenCount: number
  readonly passthroughCount: number
  /** Why the kernel last refused a backing file, for example 40 (ELOOP) for a cache on overlayfs; 0 if it never did. */
  readonly passthroughErrno: number
}

export class OpenFiles {
  readonly #table: InodeTable
  readonly #bodies: BodySource
  readonly #files = new Map<Row, OpenFile>()
  readonly #handles = new Map<number, OpenFile>()
  #connection: Connection | undefined
  #lastHandle = 0
  #passthroughOpenCount = 0
  #passthroughErrno = 0
  readonly #reply: OpenReply = { handle: 0, keepCache: true, directIo: false, cacheDirectory: false, noFlush: true, backingId: 0 }
  readonly #bytes: { kind: 'bytes'; bytes: Uint8Array } = { kind: 'bytes', bytes: noBytes }

  constructor(table: InodeTable, bodies: BodySource) {
    this.#table = table
    this.#bodies = bodies
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

  /** One more handle on a file that is open already; undefined when it is not. It reads the version that the others read. */
  reopen(row: Row): OpenReply | undefined {
    const file = this.#files.get(row)
    return file === undefined ? undefined : this.#addHandle(file)
  }

  open(row: Row, entry: Entry, path: string): OpenReply | number {
    const { content } = entry
    if (content.kind === 'inline') return this.#addHandle(this.#start({ row, entry, inline: content.bytes, body: undefined, backingId: 0, openCount: 0 }))
    const body = this.#bodies.open(entry, path)
    if (typeof body === 'number') return body
    const backingId = this.#backingFor(body)
    return this.#addHandle(this.#start({ row, entry, inline: undefined, body, backingId, openCount: 0 }))
  }

  entryOf(handle: number): Entry | undefined {
    return this.#handles.get(handle)?.entry
  }

  read(handle: number, offset: number, length: number): Answer<ReadReply> {
    const file = this.#handles.get(handle)
    if (file === undefined) return -errno.EIO
    const end = Math.min(file.entry.size, offset + length)
    if (offset >= end) {
      this.#bytes.bytes = noBytes
      return this.#bytes
    }
    if (file.body !== undefined) return file.body.read(offset, end - offset)
    this.#bytes.bytes = file.inline!.subarray(offset, end)
    return this.#bytes
  }

  release(handle: number): void {
    const file = this.#handles.get(handle)
    if (file === undefined) return
    this.#handles.delete(handle)
    file.openCount -= 1
    if (file.openCount > 0) return
    this.#files.delete(file.row)
    if (file.backingId > 0) this.#connection?.closeBacking(file.backingId)
    file.body?.close()
  }

  closeAll(): void {
    for (const handle of this.#handles.keys()) this.release(handle)
  }

  #start(file: OpenFile): OpenFile {
    this.#files.set(file.row, file)
    return file
  }

  #backingFor(body: FileBody): number {
    if (this.#connection?.canPassthrough !== true) return 0
    const fd = body.completeFd()
    if (fd < 0) return 0
    const backingId = this.#connection.openBacking(fd)
    if (backingId < 0) this.#passthroughErrno = -backingId
    return Math.max(0, backingId)
  }

  #addHandle(file: OpenFile): OpenReply {
    this.#lastHandle += 1
    file.openCount += 1
    this.#handles.set(this.#lastHandle, file)
    if (file.backingId > 0) this.#passthroughOpenCount += 1
    const { flags } = this.#table
    this.#reply.handle = this.#lastHandle
    this.#reply.backingId = file.backingId
    // Pages and passthrough together would be EIO; the kernel drops its pages at a passthrough open.
    this.#reply.keepCache = file.backingId === 0 && (flags[file.row]! & rowFlag.hasStalePages) === 0
    flags[file.row]! &= ~rowFlag.hasStalePages
    return this.#reply
  }
}
