/**
 * Pipes between threads: the way to wake a thread that sits in `poll`, and a bounded queue of small messages.
 */
import { errno } from '../../shared/errno.ts'
import { EdgemountError } from '../../shared/error.ts'
import { fcntlCommand, openFlag, pollEvent } from './constants.ts'
import { libc, result } from './libc.ts'

export interface Pipe {
  readonly readFd: number
  readonly writeFd: number
}

export interface PipeOptions {
  /** Neither end blocks. */
  readonly isNonBlocking: boolean
}

/** Both ends are O_CLOEXEC. The caller closes both. */
export function createPipe(options: PipeOptions): Pipe {
  const fds = new Int32Array(2)
  const flags = openFlag.O_CLOEXEC | (options.isNonBlocking ? openFlag.O_NONBLOCK : 0)
  const code = result(libc.pipe2(new Uint8Array(fds.buffer), flags))
  if (code < 0) throw new EdgemountError('exhausted', `Cannot create a pipe: errno ${-code}`)
  return { readFd: fds[0]!, writeFd: fds[1]! }
}

const wakeByte = Uint8Array.of(1)

/** Makes the other end readable. A full pipe is readable already, so that is no failure. */
export function wake(writeFd: number): void {
  const code = result(libc.write(writeFd, wakeByte, 1))
  if (code < 0 && code !== -errno.EAGAIN) throw new EdgemountError('closed', `Cannot wake descriptor ${writeFd}: errno ${-code}`)
}

/** Writes a whole message or nothing (up to 4096 bytes, PIPE_BUF). 0, or a negative errno: -EAGAIN when the pipe is full. */
export function offerMessage(writeFd: number, message: Uint8Array, length: number): number {
  return Math.min(0, result(libc.write(writeFd, message, length)))
}

/** Waits for bytes and reads them. 0 when every writer is gone, or a negative errno. */
export function readBytes(readFd: number, into: Uint8Array, length: number): number {
  return result(libc.read(readFd, into, length))
}

const pollFd = new Int32Array(2)
const pollFdBytes = new Uint8Array(pollFd.buffer)

/** Sleeps until there is something to read (or every writer is gone), or until the time is over. */
export function waitForBytes(readFd: number, timeoutMs: number): boolean {
  pollFd[0] = readFd
  pollFd[1] = pollEvent.POLLIN
  return result(libc.poll(pollFdBytes, 1, timeoutMs)) > 0
}

/** True when nothing will come any more: the file system of a FUSE device is unmounted or aborted, or every writer of a pipe is gone. */
export function isOver(fd: number): boolean {
  pollFd[0] = fd
  pollFd[1] = 0
  return result(libc.poll(pollFdBytes, 1, 0)) !== 0
}

export function writeBytes(fd: number, from: Uint8Array, length: number): number {
  return result(libc.write(fd, from, length))
}

export function setNonBlocking(fd: number, isNonBlocking: boolean): number {
  const flags = result(libc.fcntl(fd, fcntlCommand.F_GETFL, 0))
  if (flags < 0) return flags
  const wanted = isNonBlocking ? flags | openFlag.O_NONBLOCK : flags & ~openFlag.O_NONBLOCK
  return result(libc.fcntl(fd, fcntlCommand.F_SETFL, wanted))
}

/** A second descriptor of the same open file; the caller closes it. Negative errno on failure. */
export function duplicate(fd: number): number {
  return result(libc.fcntl(fd, fcntlCommand.F_DUPFD_CLOEXEC, 3))
}

export function closeFd(fd: number): number {
  return result(libc.close(fd))
}
