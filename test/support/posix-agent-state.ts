/** What an agent holds between calls (open descriptors, mappings), and how parameters become memory. */
import { encodeName } from '../../shared/name.ts'
import type { CallName, Calls, Data, Fd, FileKind, NoPath, Offset, Outcome, Place, Stat, Time } from './posix-calls.ts'
import { errnoName, libc, type Long, type Memory } from './posix-libc.ts'

/** What a file of calls gives: for some of the names, a function with the parameters of that name. */
export type CallTable<Names extends CallName> = { readonly [Name in Names]: (...parameters: Calls[Name]) => Outcome }

export const atCwd = -100

export class AgentState {
  readonly #fds = new Map<Fd, number>()
  readonly maps = new Map<string, { readonly address: number; readonly length: number }>()

  fd(name: Fd): number {
    const fd = this.#fds.get(name)
    if (fd === undefined) throw new Error(`Cannot use the descriptor "${name}": it is not open`)
    return fd
  }

  hold(name: Fd, fd: number): void {
    const before = this.#fds.get(name)
    if (before !== undefined) libc.close(before)
    this.#fds.set(name, fd)
  }

  drop(name: Fd): number {
    const fd = this.fd(name)
    this.#fds.delete(name)
    return libc.close(fd)
  }

  /** Closes and unmaps everything: what a case left behind is nothing to the next one. */
  clear(): void {
    for (const fd of this.#fds.values()) libc.close(fd)
    for (const { address, length } of this.maps.values()) libc.munmap(address, length)
    this.#fds.clear()
    this.maps.clear()
  }

  at(place: Place): [at: number, path: Memory] {
    if (typeof place === 'object' && place !== null) return [this.fd(place.at), pathMemory(place.path)]
    return [atCwd, pathMemory(place)]
  }
}

export function pathMemory(path: string | NoPath): Memory {
  if (typeof path !== 'string') return path
  const bytes = encodeName(path)
  const memory = new Uint8Array(bytes.length + 1)
  memory.set(bytes)
  return memory
}

export function long(value: Offset): Long {
  return typeof value === 'string' ? BigInt(value) : value
}

export function bytesOf(data: Data): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data, 'latin1')
  return new Uint8Array(data.length).fill(data.fill.charCodeAt(0))
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

/** The outcome of a call that gives -1 and leaves an errno. */
export function outcome(value: number): Outcome {
  return value === -1 ? { value, error: errnoName() } : { value }
}

export function outcomeWithData(value: number, bytes: Uint8Array): Outcome {
  return value === -1 ? outcome(value) : { value, data: textOf(bytes.subarray(0, value)) }
}

/** struct timespec[2]. */
export function timesMemory(...times: readonly Time[]): Uint8Array {
  const memory = new BigInt64Array(4)
  times.forEach((time, index) => {
    const [seconds, nanoseconds] = time === 'now' ? [0, 0x3fffffff] : time === 'omit' ? [0, 0x3ffffffe] : time
    memory[2 * index] = BigInt(seconds)
    memory[2 * index + 1] = BigInt(nanoseconds)
  })
  return new Uint8Array(memory.buffer)
}

const kinds: Readonly<Record<number, FileKind>> = { 1: 'fifo', 2: 'char', 4: 'directory', 6: 'block', 8: 'regular', 10: 'symlink', 12: 'socket' }

export function kindOfMode(mode: number): FileKind {
  return kinds[mode >> 12]!
}

const basicStats = 0x7ff

/** statx(2) with the fields that stat(2) has. */
export function stat(at: number, path: Memory, flags: number): Outcome {
  const bytes = new Uint8Array(256)
  const value = libc.statx(at, path, flags, basicStats, bytes)
  return value === -1 ? outcome(value) : { value, stat: decodeStat(new DataView(bytes.buffer)) }
}

function decodeStat(view: DataView): Stat {
  const time = (offset: number): bigint => view.getBigInt64(offset, true) * 1_000_000_000n + BigInt(view.getUint32(offset + 8, true))
  const mode = view.getUint16(28, true)
  return {
    kind: kindOfMode(mode),
    mode: mode & 0o7777,
    blockBytes: view.getUint32(4, true),
    nlink: view.getUint32(16, true),
    uid: view.getUint32(20, true),
    gid: view.getUint32(24, true),
    ino: view.getBigUint64(32, true),
    size: Number(view.getBigUint64(40, true)),
    blocks: Number(view.getBigUint64(48, true)),
    atime: time(64),
    ctime: time(96),
    mtime: time(112),
    major: view.getUint32(128, true),
    minor: view.getUint32(132, true),
    device: `${view.getUint32(136, true)}:${view.getUint32(140, true)}`,
  }
}
