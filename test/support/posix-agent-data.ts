/** The agent's calls on open files: bytes, sizes, mappings, locks. */
import { type AgentState, type CallTable, bytesOf, long, outcome, outcomeWithData, pathMemory, textOf } from './posix-agent-state.ts'
import { type Data, type LockKind, O, type Offset, type Outcome } from './posix-calls.ts'
import { addressOf, errnoName, libc } from './posix-libc.ts'

type DataCalls =
  | 'open' | 'create' | 'close' | 'dup' | 'read' | 'pread' | 'write' | 'pwrite' | 'preadAligned' | 'pwriteAligned' | 'lseek' | 'ftruncate' | 'truncate' | 'fallocate'
  | 'posixFallocate' | 'copyFileRange' | 'sendfile' | 'fsync' | 'fdatasync' | 'syncfs'

export function dataCalls(state: AgentState): CallTable<DataCalls> {
  return {
    open: (place, flags, mode = 0, name) => opened(state, libc.openat(...state.at(place), flags, mode), name),
    create: (place, mode) => opened(state, libc.openat(...state.at(place), O.CREAT | O.EXCL | O.WRONLY, mode), undefined),
    close: (fd) => outcome(state.drop(fd)),
    dup: (fd, copy) => opened(state, libc.dup(state.fd(fd)), copy),
    read: (fd, length) => readBytes(length, (into) => libc.read(state.fd(fd), into, length)),
    pread: (fd, length, offset) => readBytes(length, (into) => libc.pread(state.fd(fd), into, length, long(offset))),
    write: (fd, data) => writeBytes(bytesOf(data), (bytes) => libc.write(state.fd(fd), bytes, bytes.length)),
    pwrite: (fd, data, offset) => writeBytes(bytesOf(data), (bytes) => libc.pwrite(state.fd(fd), bytes, bytes.length, long(offset))),
    preadAligned: (fd, length, offset) => readAligned(state.fd(fd), length, offset),
    pwriteAligned: (fd, data, offset) => writeAligned(state.fd(fd), data, offset),
    lseek: (fd, offset, whence) => outcome(libc.lseek(state.fd(fd), long(offset), whence)),
    ftruncate: (fd, length) => outcome(libc.ftruncate(state.fd(fd), long(length))),
    truncate: (path, length) => outcome(libc.truncate(pathMemory(path), long(length))),
    fallocate: (fd, mode, offset, length) => outcome(libc.fallocate(state.fd(fd), mode, long(offset), long(length))),
    posixFallocate: (fd, offset, length) => posixFallocate(state.fd(fd), offset, length),
    copyFileRange: (from, fromOffset, to, toOffset, length, flags = 0) =>
      outcome(libc.copy_file_range(state.fd(from), offsetMemory(fromOffset), state.fd(to), offsetMemory(toOffset), length, flags)),
    sendfile: (to, from, offset, length) => outcome(libc.sendfile(state.fd(to), state.fd(from), offsetMemory(offset), length)),
    fsync: (fd) => outcome(libc.fsync(state.fd(fd))),
    fdatasync: (fd) => outcome(libc.fdatasync(state.fd(fd))),
    syncfs: (fd) => outcome(libc.syncfs(state.fd(fd))),
  }
}

function opened(state: AgentState, fd: number, name: string | undefined): Outcome {
  if (fd === -1) return outcome(fd)
  if (name !== undefined) state.hold(name, fd)
  else if (libc.close(fd) === -1) return outcome(-1)
  return { value: 0 }
}

function readBytes(length: number, call: (into: Uint8Array) => number): Outcome {
  const into = new Uint8Array(Math.max(length, 1))
  return outcomeWithData(call(into), into)
}

function writeBytes(bytes: Uint8Array, call: (bytes: Uint8Array) => number): Outcome {
  return outcome(call(bytes))
}

const alignment = 4096

function aligned(length: number): Uint8Array {
  const memory = new Uint8Array(length + alignment)
  const start = (alignment - (addressOf(memory) % alignment)) % alignment
  return memory.subarray(start, start + length)
}

function readAligned(fd: number, length: number, offset: number): Outcome {
  const into = aligned(length)
  return outcomeWithData(libc.pread(fd, addressOf(into), length, offset), into)
}

function writeAligned(fd: number, data: Data, offset: number): Outcome {
  const bytes = bytesOf(data)
  const memory = aligned(bytes.length)
  memory.set(bytes)
  return outcome(libc.pwrite(fd, addressOf(memory), bytes.length, offset))
}

function posixFallocate(fd: number, offset: Offset, length: Offset): Outcome {
  const error = libc.posix_fallocate(fd, long(offset), long(length))
  return error === 0 ? { value: 0 } : { value: -1, error: errnoName(error) }
}

function offsetMemory(offset: number | null): Uint8Array | null {
  return offset === null ? null : new Uint8Array(BigInt64Array.of(BigInt(offset)).buffer)
}

type MapCalls = 'mmap' | 'mapWrite' | 'mapRead' | 'msync' | 'munmap'

export function mapCalls(state: AgentState): CallTable<MapCalls> {
  const mapOf = (name: string): { readonly address: number; readonly length: number } => {
    const map = state.maps.get(name)
    if (map === undefined) throw new Error(`Cannot use the mapping "${name}": there is none`)
    return map
  }
  return {
    mmap: (name, fd, length, protection, flags, offset = 0) => {
      const address = libc.mmap(null, length, protection, flags, state.fd(fd), offset)
      if (address === -1) return outcome(-1)
      state.maps.set(name, { address, length })
      return { value: 0 }
    },
    mapWrite: (name, offset, data) => {
      const bytes = bytesOf(data)
      libc.memcpy(mapOf(name).address + offset, bytes, bytes.length)
      return { value: bytes.length }
    },
    mapRead: (name, offset, length) => {
      const bytes = new Uint8Array(length)
      libc.memcpy(bytes, mapOf(name).address + offset, length)
      return { value: length, data: textOf(bytes) }
    },
    msync: (name, flags) => outcome(libc.msync(mapOf(name).address, mapOf(name).length, flags)),
    munmap: (name) => {
      const { address, length } = mapOf(name)
      state.maps.delete(name)
      return outcome(libc.munmap(address, length))
    },
  }
}

type LockCalls = 'lock' | 'testLock' | 'flock' | 'fcntl'

const lockType: Readonly<Record<LockKind, number>> = { read: 0, write: 1, none: 2 }
const lockKinds: readonly LockKind[] = ['read', 'write', 'none']
const command = { get: 5, set: 6, setWaiting: 7, getOpenFile: 36, setOpenFile: 37, setOpenFileWaiting: 38 } as const

/** struct flock: type, whence, start, length, process. */
function lockMemory(kind: LockKind, start: number, length: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(32))
  view.setInt16(0, lockType[kind], true)
  view.setBigInt64(8, BigInt(start), true)
  view.setBigInt64(16, BigInt(length), true)
  return new Uint8Array(view.buffer)
}

export function lockCalls(state: AgentState): CallTable<LockCalls> {
  return {
    lock: (fd, kind, start, length, { waits = false, isOpenFile = false } = {}) => {
      const number = isOpenFile ? (waits ? command.setOpenFileWaiting : command.setOpenFile) : waits ? command.setWaiting : command.set
      return outcome(libc.fcntl(state.fd(fd), number, lockMemory(kind, start, length)))
    },
    testLock: (fd, kind, start, length) => {
      const memory = lockMemory(kind, start, length)
      const value = libc.fcntl(state.fd(fd), command.get, memory)
      return value === -1 ? outcome(value) : { value, data: lockKinds[memory[0]!]! }
    },
    flock: (fd, operation) => outcome(libc.flock(state.fd(fd), operation)),
    fcntl: (fd, number, argument) => outcome(libc.fcntl(state.fd(fd), number, argument)),
  }
}
