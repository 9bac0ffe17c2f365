/** The agent's calls that are about programs, sockets and mounts. */
import { type AgentState, type CallTable, outcome, pathMemory } from './posix-agent-state.ts'
import type { NoPath, Outcome } from './posix-calls.ts'
import { type Memory, addressOf, errnoName, libc } from './posix-libc.ts'

type ProcessCalls = 'bind' | 'listen' | 'connect' | 'spawn' | 'kill' | 'run' | 'privateMounts' | 'mount' | 'umount' | 'sleep'

const localDomain = 1
const streamSocket = 1
const sigkill = 9
const ownMounts = 0x20000
const privateRecursive = 0x44000

export function processCalls(state: AgentState): CallTable<ProcessCalls> {
  return {
    bind: (path, name) => withSocket((fd) => libc.bind(fd, ...socketAddress(path)), (fd) => (name === undefined ? libc.close(fd) : state.hold(name, fd))),
    listen: (fd) => outcome(libc.listen(state.fd(fd), 1)),
    connect: (path) => withSocket((fd) => libc.connect(fd, ...socketAddress(path)), libc.close),
    spawn: (path, parameters) => spawn(path, parameters),
    kill: (pid) => {
      const value = libc.kill(pid, sigkill)
      libc.waitpid(pid, null, 0)
      return outcome(value)
    },
    run: (path, parameters) => {
      const started = spawn(path, parameters)
      if (started.value === -1) return started
      const status = new Uint32Array(1)
      libc.waitpid(started.value, new Uint8Array(status.buffer), 0)
      return { value: (status[0]! & 0x7f) === 0 ? (status[0]! >> 8) & 0xff : 128 + (status[0]! & 0x7f) }
    },
    privateMounts: () => {
      if (libc.unshare(ownMounts) === -1) return outcome(-1)
      return outcome(libc.mount(null, pathMemory('/'), null, privateRecursive, null))
    },
    mount: (source, target, type, flags) => outcome(libc.mount(pathMemory(source), pathMemory(target), pathMemory(type), flags, null)),
    umount: (target) => outcome(libc.umount2(pathMemory(target), 0)),
    sleep: (ms) => outcome(libc.usleep(ms * 1000)),
  }
}

function withSocket(call: (fd: number) => number, then: (fd: number) => unknown): Outcome {
  const fd = libc.socket(localDomain, streamSocket, 0)
  if (fd === -1) return outcome(-1)
  const result = outcome(call(fd))
  if (result.error === undefined) then(fd)
  else libc.close(fd)
  return result
}

/** struct sockaddr_un. */
function socketAddress(path: string | NoPath): [memory: Memory, length: number] {
  const name = pathMemory(path)
  if (!(name instanceof Uint8Array) || name.length > 108) throw new Error(`Cannot use "${path}" as a socket's address: its path has at most 107 bytes`)
  const memory = new Uint8Array(2 + name.length)
  memory[0] = localDomain
  memory.set(name, 2)
  return [memory, memory.length]
}

function spawn(path: string, parameters: readonly string[]): Outcome {
  const pid = new Int32Array(1)
  const texts = [path, ...parameters].map((text) => pathMemory(text) as Uint8Array)
  const error = libc.posix_spawn(new Uint8Array(pid.buffer), pathMemory(path), null, null, pointers(texts), pointers([pathMemory('LC_ALL=C') as Uint8Array]))
  return error === 0 ? { value: pid[0]! } : { value: -1, error: errnoName(error) }
}

/** An array of pointers that ends with NULL. */
function pointers(texts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from([...texts.map((text) => BigInt(addressOf(text))), 0n]).buffer)
}
