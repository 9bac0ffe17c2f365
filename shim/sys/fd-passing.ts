/**
 * Receives a descriptor from another process (SCM_RIGHTS over a Unix socket, unix(7)).
 */
import { EdgemountError } from '../../shared/error.ts'
import { fcntlCommand } from './constants.ts'
import { addressOf, libc, result } from './libc.ts'

const unixStream = { domain: 1, type: 1 } as const // AF_UNIX, SOCK_STREAM
const receiveFlags = 0x40000000 | 0x40 // MSG_CMSG_CLOEXEC, MSG_DONTWAIT
const closeOnExec = 1 // FD_CLOEXEC
const socketLevel = 1 // SOL_SOCKET
const rights = 1 // SCM_RIGHTS

export interface SocketPair {
  /** Stays in this process: O_CLOEXEC. */
  readonly ours: number
  /** For the child, which inherits it. */
  readonly theirs: number
}

export function createSocketPair(): SocketPair {
  const fds = new Int32Array(2)
  const code = result(libc.socketpair(unixStream.domain, unixStream.type, 0, new Uint8Array(fds.buffer)))
  if (code < 0) throw new EdgemountError('exhausted', `Cannot create a socket pair: errno ${-code}`)
  for (const fd of fds) libc.fcntl(fd, fcntlCommand.F_SETFD, closeOnExec) // `spawn` takes the flag off the end it hands to a child
  return { ours: fds[0]!, theirs: fds[1]! }
}

/** The descriptor that was sent on `socket`, O_CLOEXEC; undefined when there is none. Does not wait. */
export function receiveFd(socket: number): number | undefined {
  const data = new Uint8Array(1)
  const vector = new BigUint64Array([BigInt(addressOf(data)), 1n]) // struct iovec
  const control = new Int32Array(16) // struct cmsghdr: length (8 bytes), level, type; then the descriptor
  const message = new BigUint64Array(7) // struct msghdr: name, its length, vectors, their count, control, its length, flags
  message[2] = BigInt(addressOf(new Uint8Array(vector.buffer)))
  message[3] = 1n
  message[4] = BigInt(addressOf(new Uint8Array(control.buffer)))
  message[5] = BigInt(control.byteLength)
  const count = result(libc.recvmsg(socket, new Uint8Array(message.buffer), receiveFlags))
  if (count <= 0 || message[5] < 20n || control[2] !== socketLevel || control[3] !== rights) return undefined
  return control[4]
}
