/** What is in a tree, told by the agent: everything that must survive that a mount ends and begins again. */
import { createHash } from 'node:crypto'
import { decodeName } from '../../shared/name.ts'
import { stat, pathMemory } from './posix-agent-state.ts'
import { AT, O, type Outcome, type Stat } from './posix-calls.ts'
import { type Memory, errnoName, libc } from './posix-libc.ts'

/** A line for each file below, with its path: kind, numbers, times, and digests of its content and attributes. */
export function describeTree(path: string, namesIn: (at: number, path: Memory) => string[] | string): Outcome {
  const lines: string[] = []
  const describe = (own: string): void => {
    const { stat: found, error } = stat(atWorkingDirectory, pathMemory(own), AT.SYMLINK_NOFOLLOW)
    if (found === undefined) {
      lines.push(`${own} ${error}`)
      return
    }
    lines.push(`${own} ${describeFile(own, found)}`)
    if (found.kind !== 'directory') return
    const names = namesIn(atWorkingDirectory, pathMemory(own))
    if (typeof names === 'string') lines.push(`${own}/ ${names}`)
    else for (const name of names.toSorted()) describe(`${own}/${name}`)
  }
  describe(path)
  return { value: lines.length, names: lines }
}

const atWorkingDirectory = -100

function describeFile(path: string, found: Stat): string {
  const { kind, mode, nlink, uid, gid, size, ino, major, minor, mtime, ctime } = found
  const numbers = `${kind} ino ${ino} mode ${mode.toString(8)} nlink ${nlink} owner ${uid}:${gid} mtime ${mtime} ctime ${ctime}`
  const content = kind === 'regular' ? `size ${size} content ${digestOf(path)}` : kind === 'symlink' ? `leads to ${linkOf(path)}` : `device ${major}:${minor}`
  return `${numbers} ${content} xattrs ${xattrsOf(path)}`
}

function digestOf(path: string): string {
  const fd = libc.openat(atWorkingDirectory, pathMemory(path), O.RDONLY | O.NOFOLLOW, 0)
  if (fd === -1) return errnoName()
  const hash = createHash('sha256')
  const bytes = new Uint8Array(1 << 20)
  let length = libc.read(fd, bytes, bytes.length)
  for (; length > 0; length = libc.read(fd, bytes, bytes.length)) hash.update(bytes.subarray(0, length))
  const failure = length < 0 ? errnoName() : undefined
  libc.close(fd)
  return failure ?? hash.digest('hex').slice(0, 16)
}

function linkOf(path: string): string {
  const bytes = new Uint8Array(4096)
  const length = libc.readlinkat(atWorkingDirectory, pathMemory(path), bytes, bytes.length)
  return length < 0 ? errnoName() : JSON.stringify(decodeName(bytes.subarray(0, length)))
}

function xattrsOf(path: string): string {
  const bytes = new Uint8Array(65_536)
  const length = libc.llistxattr(pathMemory(path), bytes, bytes.length)
  if (length < 0) return errnoName()
  const names = decodeName(bytes.subarray(0, length)).split('\0').slice(0, -1).toSorted()
  const value = new Uint8Array(65_536)
  return JSON.stringify(
    names.map((name) => {
      const valueLength = libc.lgetxattr(pathMemory(path), pathMemory(name), value, value.length)
      return [name, valueLength < 0 ? errnoName() : Buffer.from(value.subarray(0, valueLength)).toString('base64')]
    }),
  )
}
