/**
 * The `/dev/fuse` descriptor of one mount, with its two message buffers. Used by one thread, the one that serves the mount.
 *
 * Results are counts or negative errnos. Nothing blocks but `wait`.
 */
import { errno } from '../../shared/errno.ts'
import { EdgemountError } from '../../shared/error.ts'
import { pollEvent } from './constants.ts'
import { libc, result } from './libc.ts'
import { allocateMemory } from './memory.ts'
import type { Memory } from './memory.ts'
import { setNonBlocking } from './pipe.ts'

const backingOpen = ioctlNumber(1, 1, 16) // FUSE_DEV_IOC_BACKING_OPEN, struct fuse_backing_map
const backingClose = ioctlNumber(1, 2, 4) // FUSE_DEV_IOC_BACKING_CLOSE, uint32_t

/** _IOC of asm-generic/ioctl.h for FUSE's type 229; direction 1 is "write". */
function ioctlNumber(direction: number, number: number, size: number): number {
  return ((direction << 30) | (size << 16) | (229 << 8) | number) >>> 0
}

export class FuseDevice {
  readonly request: Memory
  readonly reply: Memory
  readonly #fd: number
  readonly #controlFd: number
  readonly #pollFds = allocateMemory(16)
  readonly #drain = allocateMemory(4096)
  /** struct fuse_backing_map, and the id of a backing file. */
  readonly #argument = allocateMemory(16)

  /** `controlFd` -1: none. `messageBytes` must hold the largest request and the largest reply. */
  constructor(fd: number, controlFd: number, messageBytes: number) {
    this.#fd = fd
    this.#controlFd = controlFd
    this.request = allocateMemory(messageBytes)
    this.reply = allocateMemory(messageBytes)
    const code = setNonBlocking(fd, true)
    if (code < 0) throw new EdgemountError('internal', `Cannot serve descriptor ${fd}: errno ${-code}`)
    const words = this.#pollFds.words // struct pollfd: fd, events and revents as two halves of a word
    words[0] = fd
    words[1] = pollEvent.POLLIN
    words[2] = controlFd
    words[3] = pollEvent.POLLIN
  }

  receive(): number {
    return result(libc.read(this.#fd, this.request.address, this.request.bytes.length))
  }

  send(from: Memory, length: number): number {
    return result(libc.write(this.#fd, from.address, length))
  }

  /** Reads a part of a file to byte `at` of `into`, to its length or the end of the file. */
  readFile(fd: number, offset: number, length: number, into: Memory, at: number): number {
    let done = 0
    while (done < length) {
      const count = result(libc.pread(fd, into.address + at + done, length - done, offset + done))
      if (count === -errno.EINTR) continue
      if (count < 0) return done > 0 ? done : count
      if (count === 0) break
      done += count
    }
    return done
  }

  wait(timeoutMs: number): { readonly hasRequest: boolean; readonly hasControl: boolean } {
    const words = this.#pollFds.words
    const count = result(libc.poll(this.#pollFds.address, 2, timeoutMs))
    if (count <= 0) return idle
    const hasRequest = words[1]! >>> 16 !== 0
    const hasControl = words[3]! >>> 16 !== 0
    if (hasControl && !this.#drainControl()) words[2] = -1 // nobody is left to write: stop asking
    if (hasRequest) return hasControl ? both : request
    return hasControl ? control : idle
  }

  openBacking(fd: number): number {
    this.#argument.words[0] = fd // flags and padding stay 0
    return result(libc.ioctl(this.#fd, backingOpen, this.#argument.address))
  }

  closeBacking(backingId: number): number {
    this.#argument.words[0] = backingId
    return result(libc.ioctl(this.#fd, backingClose, this.#argument.address))
  }

  #drainControl(): boolean {
    const count = result(libc.read(this.#controlFd, this.#drain.address, this.#drain.bytes.length))
    return count > 0 || count === -errno.EAGAIN || count === -errno.EINTR
  }
}

const idle = { hasRequest: false, hasControl: false }
const request = { hasRequest: true, hasControl: false }
const control = { hasRequest: false, hasControl: true }
const both = { hasRequest: true, hasControl: true }
