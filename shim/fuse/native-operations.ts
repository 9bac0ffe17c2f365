/**
 * The operations of libfuse 2 that change nothing, over a `Handler`. Those that do are in `native-changes.ts`, on top of these.
 */
import { readSync } from 'node:fs'
import { errno } from '../../shared/errno.ts'
import type { Answer, Attributes, Caller, DirectorySink, Handler, NodeId, ReadReply } from './handler.ts'
import type { Callback, NativeOperations, NativeStat, NativeStatfs } from './native-binding.ts'
import { type Held, PathWalker, settle } from './native-paths.ts'

export interface OpenFile {
  readonly held: Held
  readonly handle: number
}

export class HandlerOperations implements NativeOperations {
  protected readonly handler: Handler
  /** The binding does not tell who asks. */
  protected readonly caller: Caller
  protected readonly walker: PathWalker
  readonly #files = new Map<number, OpenFile>()
  /** The binding keeps 32 bits of a handle, so it gets a number of ours. */
  #nextFd = 1

  constructor(handler: Handler) {
    this.handler = handler
    this.caller = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, pid: 0 }
    this.walker = new PathWalker(handler, this.caller)
  }

  /** Files that are open. */
  get openCount(): number {
    return this.#files.size
  }

  getattr(path: string, done: Callback<NativeStat>): void {
    const ask = (nodeId: NodeId): ReturnType<Handler['getattr']> => this.handler.getattr(nodeId, undefined)
    this.walker.ask(path, ask, (answer) => tell(done, typeof answer === 'number' ? answer : statOf(answer.attributes)))
  }

  readlink(path: string, done: Callback<string>): void {
    this.walker.ask(
      path,
      (nodeId) => this.handler.readlink(nodeId),
      (answer) => tell(done, answer),
    )
  }

  readdir(path: string, done: Callback<readonly string[]>): void {
    const openDirectory = (nodeId: NodeId): ReturnType<Handler['opendir']> => this.handler.opendir(nodeId, this.caller)
    this.walker.askAndKeep(path, openDirectory, (opened, held) => {
      if (typeof opened === 'number') {
        done(opened)
        return
      }
      const { handle } = opened
      this.#list(held.nodeId, handle, 0, [], (answer) => {
        this.handler.releasedir(held.nodeId, handle)
        this.walker.forget(held)
        tell(done, answer)
      })
    })
  }

  open(path: string, flags: number, done: Callback<number>): void {
    const openFile = (nodeId: NodeId): ReturnType<Handler['open']> => this.handler.open(nodeId, flags, this.caller)
    this.walker.askAndKeep(path, openFile, (answer, held) => {
      if (typeof answer === 'number') {
        done(answer)
        return
      }
      done(0, this.keep({ held, handle: answer.handle }))
    })
  }

  read(_path: string, fd: number, into: Uint8Array, length: number, offset: number, done: (count: number) => void): void {
    this.withFile(
      fd,
      (file) => this.handler.read(file.held.nodeId, file.handle, offset, length),
      (answer) => done(copyOut(answer, into, length)),
    )
  }

  flush(_path: string, fd: number, done: Callback<undefined>): void {
    this.withFile(
      fd,
      (file) => this.handler.flush(file.held.nodeId, file.handle),
      (answer) => done(answer ?? 0),
    )
  }

  release(_path: string, fd: number, done: Callback<undefined>): void {
    const file = this.#files.get(fd)
    if (file !== undefined) {
      this.#files.delete(fd)
      this.handler.release(file.held.nodeId, file.handle)
      this.walker.forget(file.held)
    }
    done(0)
  }

  statfs(path: string, done: Callback<NativeStatfs>): void {
    this.walker.ask(
      path,
      (nodeId) => this.handler.statfs(nodeId),
      (answer) => {
        if (typeof answer === 'number') {
          done(answer)
          return
        }
        const { blockBytes, nameBytesMax } = answer
        const [blocks, blocksFree, files, filesFree] = [answer.blocks, answer.blocksFree, answer.files, answer.filesFree].map(clampToWord)
        const space = { bsize: blockBytes, frsize: blockBytes, blocks: blocks!, bfree: blocksFree!, bavail: blocksFree! }
        done(0, { ...space, files: files!, ffree: filesFree!, favail: filesFree!, namemax: nameBytesMax })
      },
    )
  }

  getxattr(path: string, name: string, _position: number, done: Callback<Buffer>): void {
    this.walker.ask(
      path,
      (nodeId) => this.handler.getxattr(nodeId, name),
      (answer) => tell(done, typeof answer === 'number' ? answer : Buffer.from(answer)),
    )
  }

  listxattr(path: string, done: Callback<readonly string[]>): void {
    this.walker.ask(
      path,
      (nodeId) => this.handler.listxattr(nodeId),
      (answer) => tell(done, answer),
    )
  }

  /** The number under which the binding asks for an open file. */
  protected keep(file: OpenFile): number {
    while (this.#files.has(this.#nextFd)) this.#nextFd = (this.#nextFd % 0x7fffffff) + 1
    this.#files.set(this.#nextFd, file)
    return this.#nextFd
  }

  protected withFile<T>(fd: number, ask: (file: OpenFile) => Answer<T>, done: (answer: T | number) => void): void {
    const file = this.#files.get(fd)
    if (file === undefined) done(-errno.EIO)
    else settle(() => ask(file), done)
  }

  /** Reads a whole directory: libfuse 2 wants it at once. An answer that comes late says only that it is time to ask again. */
  #list(nodeId: NodeId, handle: number, from: number, names: string[], done: (answer: string[] | number) => void): void {
    const added: string[] = []
    let offset = from
    const sink: DirectorySink = {
      isPlus: false,
      add: (name, _ino, nextOffset) => {
        added.push(name)
        offset = nextOffset
        return true
      },
    }
    settle(
      () => this.handler.readdir(nodeId, handle, from, sink),
      (answer, isLate) => {
        if (typeof answer === 'number' && answer < 0) done(answer)
        else if (isLate) this.#list(nodeId, handle, from, names, done)
        else if (offset === from) done(names)
        else {
          // A name that is not UTF-8 is listed with U+FFFD in it and cannot be looked up: whoever copies the directory is told.
          for (const name of added) names.push(name.toWellFormed())
          this.#list(nodeId, handle, offset, names, done)
        }
      },
    )
  }
}

function copyOut(answer: ReadReply | number, into: Uint8Array, length: number): number {
  if (typeof answer === 'number') return answer
  if (answer.kind === 'bytes') {
    const bytes = answer.bytes.length > length ? answer.bytes.subarray(0, length) : answer.bytes
    into.set(bytes)
    return bytes.length
  }
  try {
    return readSync(answer.fd, into, 0, Math.min(length, answer.length), answer.offset)
  } catch {
    return -errno.EIO
  }
}

function tell<T>(done: Callback<T>, answer: T | number): void {
  if (typeof answer === 'number') done(answer)
  else done(0, answer)
}

function statOf(from: Attributes): NativeStat {
  return {
    mode: from.mode,
    uid: from.uid,
    gid: from.gid,
    size: from.size,
    nlink: from.linkCount,
    ino: from.ino,
    rdev: from.rdev,
    blksize: from.blockBytes,
    blocks: from.blocks,
    atime: milliseconds(from.atimeSeconds, from.atimeNanoseconds),
    mtime: milliseconds(from.mtimeSeconds, from.mtimeNanoseconds),
    ctime: milliseconds(from.ctimeSeconds, from.ctimeNanoseconds),
  }
}

function milliseconds(seconds: number, nanoseconds: number): number {
  return Math.max(0, seconds * 1000 + Math.floor(nanoseconds / 1_000_000))
}

/** The binding keeps 32 bits. */
function clampToWord(count: number): number {
  return Math.min(count, 0xffffffff)
}
