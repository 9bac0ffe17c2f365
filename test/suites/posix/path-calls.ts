/** Every call that takes a path, as a table: what has to be there, what it leaves behind. Cases about paths go through all of them. */
import { type Call, type FileKind, type NoPath, O } from '../../support/posix-calls.ts'
import type { Script } from '../../support/posix-script.ts'

export interface PathCall {
  readonly what: string
  /** What the call needs at the path, if anything. */
  readonly needs: FileKind | undefined
  readonly call: (path: string | NoPath) => Call
  /** What is at the path afterwards. */
  readonly leaves: FileKind | undefined
  /** It follows a symbolic link at the end of the path. */
  readonly follows: boolean
  /** It changes the file system. */
  readonly changes: boolean
  /** It makes or removes a name in the directory. */
  readonly changesNames: boolean
  /** It makes something new at the path. */
  readonly makes: boolean
  readonly isForRoot: boolean
  /** The path may be as long as any; a socket's may not. */
  readonly isLong: boolean
}

/** Of the calls with two paths, the other one: a file that is there before, and a name that is not. */
const present = 'the-present'
const absent = 'the-absent'

type Traits = Partial<Omit<PathCall, 'what' | 'call'>>

function entry(what: string, call: (path: string | NoPath) => Call, traits: Traits): PathCall {
  const { needs, follows = false, changes = false, changesNames = false, makes = false, isForRoot = false, isLong = true } = traits
  const leaves = 'leaves' in traits ? traits.leaves : needs
  return { what, call, needs, leaves, follows, changes: changes || changesNames || makes, changesNames: changesNames || makes, makes, isForRoot, isLong }
}

const attribute = { needs: 'regular', follows: true, changes: true } as const
const question = { needs: 'regular', follows: true } as const
const time = [1_900_000_000, 5] as const

export const pathCalls: readonly PathCall[] = [
  entry('chmod', (path) => ['chmod', path, 0o644], attribute),
  entry('chown', (path) => ['chown', path, -1, -1], attribute),
  entry('lchown', (path) => ['lchown', path, -1, -1], { needs: 'regular', changes: true }),
  entry('utimensat', (path) => ['utimensat', path, time, time], attribute),
  entry('truncate', (path) => ['truncate', path, 10], attribute),
  entry('setxattr', (path) => ['setxattr', path, 'user.a', 'b'], attribute),
  entry('open for writing', (path) => ['open', path, O.WRONLY], attribute),
  entry('open with O_TRUNC', (path) => ['open', path, O.RDWR | O.TRUNC], attribute),
  entry('open', (path) => ['open', path, O.RDONLY], question),
  entry('open a directory', (path) => ['open', path, O.RDONLY | O.DIRECTORY], { needs: 'directory', follows: true }),
  entry('open with O_PATH', (path) => ['open', path, O.PATH], question),
  entry('stat', (path) => ['stat', path], question),
  entry('lstat', (path) => ['lstat', path], { needs: 'regular' }),
  entry('access', (path) => ['access', path, 0], question),
  entry('statfs', (path) => ['statfs', path], question),
  entry('readlink', (path) => ['readlink', path], { needs: 'symlink' }),
  entry('listxattr', (path) => ['listxattr', path], question),
  entry('chdir and back', (path) => ['list', path], { needs: 'directory', follows: true }),
  entry('mkdir', (path) => ['mkdir', path, 0o755], { makes: true, leaves: 'directory' }),
  entry('mkfifo', (path) => ['mkfifo', path, 0o644], { makes: true, leaves: 'fifo' }),
  entry('mknod of a file', (path) => ['mknod', path, 'regular', 0o644], { makes: true, leaves: 'regular' }),
  entry('mknod of a fifo', (path) => ['mknod', path, 'fifo', 0o644], { makes: true, leaves: 'fifo' }),
  entry('mknod of a block device', (path) => ['mknod', path, 'block', 0o644, 1, 2], { makes: true, leaves: 'block', isForRoot: true }),
  entry('mknod of a character device', (path) => ['mknod', path, 'char', 0o644, 1, 2], { makes: true, leaves: 'char', isForRoot: true }),
  entry('mknod of a socket', (path) => ['mknod', path, 'socket', 0o644], { makes: true, leaves: 'socket' }),
  entry('open with O_CREAT', (path) => ['open', path, O.CREAT | O.RDONLY, 0o644], { changesNames: true, leaves: 'regular', follows: true }),
  entry('open with O_EXCL', (path) => ['open', path, O.CREAT | O.EXCL | O.RDWR, 0o644], { makes: true, leaves: 'regular' }),
  entry('symlink', (path) => ['symlink', 'target', path], { makes: true, leaves: 'symlink' }),
  entry('link, the new name', (path) => ['link', present, path], { makes: true, leaves: 'regular' }),
  entry('link, the old name', (path) => ['link', path, absent], { needs: 'regular', changes: true }),
  entry('rename, the new name', (path) => ['rename', present, path], { changesNames: true, leaves: 'regular' }),
  entry('rename, the old name', (path) => ['rename', path, absent], { needs: 'regular', leaves: undefined, changesNames: true }),
  entry('rmdir', (path) => ['rmdir', path], { needs: 'directory', leaves: undefined, changesNames: true }),
  entry('unlink', (path) => ['unlink', path], { needs: 'regular', leaves: undefined, changesNames: true }),
  entry('bind', (path) => ['bind', path], { makes: true, leaves: 'socket', isLong: false }),
]

/** Makes what the calls with two paths need; each call takes it anew. */
export function prepareOther(script: Script): void {
  script.try('unlink', absent)
  script.try('open', present, O.CREAT | O.WRONLY, 0o666)
}

/** Has the call done at a path where it can be done, and takes away what it left. */
export function succeed(script: Script, { needs, call, leaves }: PathCall, path: string, as: Script = script): void {
  prepareOther(script)
  if (needs !== undefined) as.make(needs, path)
  as.expect(call(path))
  if (leaves !== undefined) script.remove(leaves, path)
}
