/**
 * The operations of libfuse 2 that change something, over the changing half of a `Handler`, or refusing where it has none.
 *
 * libfuse 2 knows names by their whole path, a CREATE without its flags, no RENAME2, no O_TMPFILE, and renames what is unlinked while it is
 * open. The kernel applies the umask and takes set-user-id bits away itself, because this driver promises neither.
 */
import { errno } from '../../shared/errno.ts'
import { fileType, openFlag } from '../sys/constants.ts'
import type { Answer, AttributesChange, EntryReply, Handler, NewNode, NodeId, TimeChange, WritableHandler, WriteContext } from './handler.ts'
import type { Callback } from './native-binding.ts'
import { HandlerOperations } from './native-operations.ts'
import { settle } from './native-paths.ts'

type Done = Callback<undefined>

/** What `native-driver.ts` mounts. */
export function nativeOperations(handler: Handler): HandlerOperations {
  return handler.writable === undefined ? new ReadingOperations(handler) : new ChangingOperations(handler, handler.writable)
}

class ReadingOperations extends HandlerOperations {
  // The binding looks these up by name.
  readonly mkdir = refuse
  readonly rmdir = refuse
  readonly unlink = refuse
  readonly rename = refuse
  readonly link = refuse
  readonly symlink = refuse
  readonly chmod = refuse
  readonly chown = refuse
  readonly truncate = refuse
  readonly ftruncate = refuse
  readonly utimens = refuse
  readonly mknod = refuse
  readonly create = refuse
  readonly write = refuse
  readonly setxattr = refuse
  readonly removexattr = refuse
}

/** As the binding gives an owner that stays. */
const sameOwner = 0xffffffff
const noChange: AttributesChange = {
  mode: undefined,
  uid: undefined,
  gid: undefined,
  size: undefined,
  atime: undefined,
  mtime: undefined,
  ctime: undefined,
  killsPrivileges: false,
  handle: undefined,
}

export class ChangingOperations extends HandlerOperations {
  readonly #writable: WritableHandler
  readonly #context: WriteContext

  constructor(handler: Handler, writable: WritableHandler) {
    super(handler)
    this.#writable = writable
    this.#context = { isFromCache: false, killsPrivileges: false, caller: this.caller }
  }

  mkdir(path: string, mode: number, done: Done): void {
    this.#make(path, (parent, name) => this.#writable.mkdir(parent, name, nodeOf(mode | fileType.S_IFDIR), this.caller), done)
  }

  mknod(path: string, mode: number, rdev: number, done: Done): void {
    this.#make(path, (parent, name) => this.#writable.mknod(parent, name, { ...nodeOf(mode), rdev }, this.caller), done)
  }

  symlink(target: string, path: string, done: Done): void {
    this.#make(path, (parent, name) => this.#writable.symlink(parent, name, target, this.caller), done)
  }

  /** The flags are not told: the kernel creates when it knows of no such name, so it is made and opened for everything. */
  create(path: string, mode: number, done: Callback<number>): void {
    const { directory, name } = split(path)
    const flags = openFlag.O_CREAT | openFlag.O_RDWR
    const ask = (parent: NodeId): ReturnType<WritableHandler['create']> =>
      this.#writable.create(parent, name, nodeOf((mode & 0o7777) | fileType.S_IFREG), flags, this.caller)
    this.walker.askAndKeep(directory, ask, (answer, held) => {
      if (typeof answer === 'number') {
        done(answer)
        return
      }
      const { nodeId } = answer.entry
      done(0, this.keep({ held: { nodeId, lookups: [...held.lookups, nodeId] }, handle: answer.open.handle }))
    })
  }

  unlink(path: string, done: Done): void {
    const { directory, name } = split(path)
    this.walker.ask(directory, (parent) => this.#writable.unlink(parent, name), finish(done))
  }

  rmdir(path: string, done: Done): void {
    const { directory, name } = split(path)
    this.walker.ask(directory, (parent) => this.#writable.rmdir(parent, name), finish(done))
  }

  rename(path: string, newPath: string, done: Done): void {
    const [from, to] = [split(path), split(newPath)]
    this.walker.askTwo(from.directory, to.directory, (parent, newParent) => this.#writable.rename(parent, from.name, newParent, to.name, 0), finish(done))
  }

  link(path: string, newPath: string, done: Done): void {
    const to = split(newPath)
    this.walker.askTwo(path, to.directory, (nodeId, newParent) => this.#writable.link(nodeId, newParent, to.name), this.#forgetting(done))
  }

  chmod(path: string, mode: number, done: Done): void {
    this.#change(path, { ...noChange, mode: mode & 0o7777 }, done)
  }

  chown(path: string, uid: number, gid: number, done: Done): void {
    const given = (id: number): number | undefined => (id === sameOwner ? undefined : id)
    this.#change(path, { ...noChange, uid: given(uid), gid: given(gid) }, done)
  }

  /** Milliseconds since 1970, also before it. */
  utimens(path: string, atimeMs: number, mtimeMs: number, done: Done): void {
    this.#change(path, { ...noChange, atime: timeOf(atimeMs), mtime: timeOf(mtimeMs) }, done)
  }

  truncate(path: string, size: number, done: Done): void {
    this.#change(path, { ...noChange, size }, done)
  }

  ftruncate(_path: string, fd: number, size: number, done: Done): void {
    this.withFile(fd, ({ held, handle }) => this.#writable.setattr(held.nodeId, { ...noChange, size, handle }, this.caller), finish(done))
  }

  /** `done` gets the count of bytes taken, or a negative errno; until then the bytes stay. */
  write(_path: string, fd: number, from: Uint8Array, length: number, offset: number, done: (count: number) => void): void {
    this.withFile(
      fd,
      ({ held, handle }) => this.#writable.write(held.nodeId, handle, offset, from.subarray(0, length), this.#context),
      (answer) => done(typeof answer === 'number' ? answer : answer.written),
    )
  }

  fsync(_path: string, isDataOnly: number, fd: number, done: Done): void {
    this.withFile(fd, ({ held, handle }) => this.#writable.fsync(held.nodeId, handle, isDataOnly !== 0), finish(done))
  }

  /** Directories are opened for each listing only; here for this. */
  fsyncdir(path: string, isDataOnly: number, _fd: number, done: Done): void {
    this.walker.askAndKeep(
      path,
      (nodeId) => this.handler.opendir(nodeId, this.caller),
      (opened, held) => {
        if (typeof opened === 'number') {
          done(opened)
          return
        }
        const sync = (): Answer<undefined> => this.#writable.fsyncdir(held.nodeId, opened.handle, isDataOnly !== 0)
        settle(sync, (answer) => {
          this.handler.releasedir(held.nodeId, opened.handle)
          this.walker.forget(held)
          done(answer ?? 0)
        })
      },
    )
  }

  setxattr(path: string, name: string, value: Uint8Array, _position: number, flags: number, done: Done): void {
    const bytes = Uint8Array.from(value) // the binding's memory goes, and the handler may keep it
    this.walker.ask(path, (nodeId) => this.#writable.setxattr(nodeId, name, bytes, flags, false), finish(done))
  }

  removexattr(path: string, name: string, done: Done): void {
    this.walker.ask(path, (nodeId) => this.#writable.removexattr(nodeId, name), finish(done))
  }

  #change(path: string, change: AttributesChange, done: Done): void {
    this.walker.ask(path, (nodeId) => this.#writable.setattr(nodeId, change, this.caller), finish(done))
  }

  #make(path: string, make: (parent: NodeId, name: string) => Answer<EntryReply>, done: Done): void {
    const { directory, name } = split(path)
    this.walker.ask(directory, (parent) => make(parent, name), this.#forgetting(done))
  }

  /** A new name was looked up once by being made; the kernel looks it up again. */
  #forgetting(done: Done): (answer: EntryReply | number) => void {
    return (answer) => {
      if (typeof answer !== 'number') this.handler.forget(answer.nodeId, 1)
      finish(done)(answer)
    }
  }
}

/** What is not answered by a value is answered by 0. */
function finish(done: Done): (answer: unknown) => void {
  return (answer) => done(typeof answer === 'number' ? answer : 0)
}

function split(path: string): { readonly directory: string; readonly name: string } {
  const at = path.lastIndexOf('/')
  return { directory: path.slice(0, at), name: path.slice(at + 1) }
}

/** The kernel has applied the umask. */
function nodeOf(mode: number): NewNode {
  return { mode, umask: 0, rdev: 0 }
}

function timeOf(ms: number): TimeChange {
  const seconds = Math.floor(ms / 1000)
  return { seconds, nanoseconds: (ms - seconds * 1000) * 1_000_000 }
}

function refuse(...parameters: unknown[]): void {
  const done = parameters.at(-1)
  if (typeof done === 'function') done(-errno.EROFS)
}
