/** The agent's calls on names and attributes. */
import { decodeName } from '../../shared/name.ts'
import { type AgentState, type CallTable, atCwd, bytesOf, outcome, outcomeWithData, pathMemory, stat, timesMemory } from './posix-agent-state.ts'
import { describeTree } from './posix-agent-tree.ts'
import { AT, type Data, O, type Outcome, type Place } from './posix-calls.ts'
import { type Memory, errnoName, libc } from './posix-libc.ts'

type NameCalls =
  | 'mkdir' | 'rmdir' | 'unlink' | 'rename' | 'link' | 'symlink' | 'readlink' | 'mkfifo' | 'mknod' | 'stat' | 'lstat' | 'fstat' | 'statfs' | 'access'
  | 'list' | 'getdents' | 'describeTree' | 'removeTree' | 'chdir' | 'fchdir'

const removeDirectory = 0x200
const noAutomount = 0x800

const typeBits = { fifo: 0o010000, char: 0o020000, block: 0o060000, regular: 0o100000, socket: 0o140000 } as const

export function nameCalls(state: AgentState): CallTable<NameCalls> {
  return {
    mkdir: (place, mode) => outcome(libc.mkdirat(...state.at(place), mode)),
    rmdir: (place) => outcome(libc.unlinkat(...state.at(place), removeDirectory)),
    unlink: (place) => outcome(libc.unlinkat(...state.at(place), 0)),
    rename: (from, to, flags = 0) => outcome(libc.renameat2(...state.at(from), ...state.at(to), flags)),
    link: (from, to, flags = 0) => outcome(libc.linkat(...state.at(from), ...state.at(to), flags)),
    symlink: (target, place) => outcome(libc.symlinkat(pathMemory(target), ...state.at(place))),
    readlink: (place, length = 8192) => readInto(length, (into) => libc.readlinkat(...state.at(place), into, length)),
    mkfifo: (place, mode) => outcome(libc.mknodat(...state.at(place), typeBits.fifo | mode, 0)),
    mknod: (place, kind, mode, major = 0, minor = 0) => outcome(libc.mknodat(...state.at(place), typeBits[kind] | mode, makeDevice(major, minor))),
    stat: (place) => stat(...state.at(place), noAutomount),
    lstat: (place) => stat(...state.at(place), noAutomount | AT.SYMLINK_NOFOLLOW),
    fstat: (fd) => stat(state.fd(fd), pathMemory(''), AT.EMPTY_PATH),
    statfs: (path) => statfs(pathMemory(path)),
    access: (place, mode, flags = 0) => outcome(libc.faccessat(...state.at(place), mode, flags)),
    list: (place) => list(state, place),
    getdents: (fd, bytes = 32_768) => getdents(state.fd(fd), bytes),
    describeTree: (path) => describeTree(path, namesIn),
    removeTree: (path) => removeTree(path),
    chdir: (path) => outcome(libc.chdir(pathMemory(path))),
    fchdir: (fd) => outcome(libc.fchdir(state.fd(fd))),
  }
}

type AttributeCalls =
  | 'chmod' | 'lchmod' | 'fchmod' | 'chown' | 'lchown' | 'fchown' | 'utimensat' | 'futimens' | 'setxattr' | 'lsetxattr' | 'fsetxattr' | 'getxattr' | 'lgetxattr'
  | 'fgetxattr' | 'listxattr' | 'llistxattr' | 'removexattr' | 'lremovexattr'

export function attributeCalls(state: AgentState): CallTable<AttributeCalls> {
  const set = (value: Data, call: (bytes: Uint8Array, length: number) => number): Outcome => {
    const bytes = bytesOf(value)
    return outcome(call(bytes, bytes.length))
  }
  const valueBytesMax = 65_536
  return {
    chmod: (place, mode) => outcome(libc.fchmodat(...state.at(place), mode, 0)),
    lchmod: (place, mode) => outcome(libc.fchmodat(...state.at(place), mode, AT.SYMLINK_NOFOLLOW)),
    fchmod: (fd, mode) => outcome(libc.fchmod(state.fd(fd), mode)),
    chown: (place, uid, gid) => outcome(libc.fchownat(...state.at(place), uid >>> 0, gid >>> 0, 0)),
    lchown: (place, uid, gid) => outcome(libc.fchownat(...state.at(place), uid >>> 0, gid >>> 0, AT.SYMLINK_NOFOLLOW)),
    fchown: (fd, uid, gid) => outcome(libc.fchown(state.fd(fd), uid >>> 0, gid >>> 0)),
    utimensat: (place, atime, mtime, flags = 0) => outcome(libc.utimensat(...state.at(place), timesMemory(atime, mtime), flags)),
    futimens: (fd, atime, mtime) => outcome(libc.futimens(state.fd(fd), timesMemory(atime, mtime))),
    setxattr: (path, name, value, flags = 0) => set(value, (bytes, length) => libc.setxattr(pathMemory(path), pathMemory(name), bytes, length, flags)),
    lsetxattr: (path, name, value, flags = 0) => set(value, (bytes, length) => libc.lsetxattr(pathMemory(path), pathMemory(name), bytes, length, flags)),
    fsetxattr: (fd, name, value, flags = 0) => set(value, (bytes, length) => libc.fsetxattr(state.fd(fd), pathMemory(name), bytes, length, flags)),
    getxattr: (path, name, length = valueBytesMax) => readInto(length, (into) => libc.getxattr(pathMemory(path), pathMemory(name), into, length)),
    lgetxattr: (path, name, length = valueBytesMax) => readInto(length, (into) => libc.lgetxattr(pathMemory(path), pathMemory(name), into, length)),
    fgetxattr: (fd, name, length = valueBytesMax) => readInto(length, (into) => libc.fgetxattr(state.fd(fd), pathMemory(name), into, length)),
    listxattr: (path, length = valueBytesMax) => namesInto(length, (into) => libc.listxattr(pathMemory(path), into, length)),
    llistxattr: (path, length = valueBytesMax) => namesInto(length, (into) => libc.llistxattr(pathMemory(path), into, length)),
    removexattr: (path, name) => outcome(libc.removexattr(pathMemory(path), pathMemory(name))),
    lremovexattr: (path, name) => outcome(libc.lremovexattr(pathMemory(path), pathMemory(name))),
  }
}

/** With length 0 the call only tells how long the answer would be. */
function readInto(length: number, call: (into: Uint8Array) => number): Outcome {
  const into = new Uint8Array(Math.max(length, 1))
  const value = call(into)
  return length === 0 ? outcome(value) : outcomeWithData(value, into)
}

function namesInto(length: number, call: (into: Uint8Array) => number): Outcome {
  const answer = readInto(length, call)
  if (answer.data === undefined) return answer
  return { value: answer.value, names: answer.data.split('\0').slice(0, -1).toSorted() }
}

/** As the C library's makedev. */
function makeDevice(major: number, minor: number): number {
  return Number((BigInt(major & 0xfff) << 8n) | BigInt(minor & 0xff) | (BigInt(minor & ~0xff) << 12n) | (BigInt(major & ~0xfff) << 32n))
}

/** struct statvfs: bsize, frsize, blocks, bfree, bavail, files, ffree, favail, fsid, flag, namemax, each a long. */
function statfs(path: Memory): Outcome {
  const memory = new BigUint64Array(16)
  const value = libc.statvfs(path, new Uint8Array(memory.buffer))
  if (value === -1) return outcome(value)
  const [blockBytes, fragmentBytes, blocks, blocksFree, blocksAvailable, files, filesFree] = Array.from(memory, Number)
  const numbers = { blockBytes, fragmentBytes, blocks, blocksFree, blocksAvailable, files, filesFree, flags: Number(memory[9]), nameBytesMax: Number(memory[10]) }
  return { value, data: JSON.stringify(numbers) }
}

interface DirectoryEntry {
  readonly name: string
  readonly kind: number
  readonly offset: number
}

/** struct linux_dirent64: ino, off, reclen, type, name. */
function readDirectory(fd: number, byteCount: number): DirectoryEntry[] | undefined {
  const bytes = new Uint8Array(byteCount)
  const value = libc.getdents64(fd, bytes, byteCount)
  if (value === -1) return undefined
  const view = new DataView(bytes.buffer)
  const entries: DirectoryEntry[] = []
  for (let start = 0; start < value; start += view.getUint16(start + 16, true)) {
    const nameStart = start + 19
    const name = decodeName(bytes.subarray(nameStart, bytes.indexOf(0, nameStart)))
    entries.push({ name, kind: bytes[start + 18]!, offset: Number(view.getBigInt64(start + 8, true)) })
  }
  return entries
}

function getdents(fd: number, byteCount: number): Outcome {
  const entries = readDirectory(fd, byteCount)
  if (entries === undefined) return outcome(-1)
  return { value: entries.length, names: entries.map(({ name }) => name), data: JSON.stringify(entries.map(({ name, kind, offset }) => [name, kind, offset])) }
}

function list(state: AgentState, place: Place): Outcome {
  const names = namesIn(...state.at(place))
  return typeof names === 'string' ? { value: -1, error: names } : { value: names.length, names: names.toSorted() }
}

/** Or why not. */
function namesIn(at: number, path: Memory): string[] | string {
  const fd = libc.openat(at, path, O.RDONLY | O.DIRECTORY, 0)
  if (fd === -1) return errnoName()
  const names: string[] = []
  for (;;) {
    const entries = readDirectory(fd, 65_536)
    if (entries === undefined || entries.length === 0) {
      const failure = entries === undefined ? errnoName() : undefined
      libc.close(fd)
      return failure ?? names
    }
    names.push(...entries.map(({ name }) => name).filter((name) => name !== '.' && name !== '..'))
  }
}

/** Goes down by descriptors, since paths may be longer than a path may be. */
function removeTree(path: string): Outcome {
  const remove = (at: number, name: Memory): string | undefined => {
    if (libc.unlinkat(at, name, 0) === 0) return undefined
    const why = errnoName()
    if (why !== 'EISDIR' && why !== 'EPERM') return why === 'ENOENT' ? undefined : why
    const fd = libc.openat(at, name, O.RDONLY | O.DIRECTORY | O.NOFOLLOW, 0)
    if (fd === -1) return errnoName()
    const names = namesIn(fd, pathMemory('.'))
    const failure = typeof names === 'string' ? names : names.map((child) => remove(fd, pathMemory(child))).find((why) => why !== undefined)
    libc.close(fd)
    return failure ?? (libc.unlinkat(at, name, removeDirectory) === 0 ? undefined : errnoName())
  }
  const error = remove(atCwd, pathMemory(path))
  return error === undefined ? { value: 0 } : { value: -1, error }
}

