/**
 * A kernel for the loop, played from a list: messages to hand out, and things to do when the loop has served them all.
 */
import { errno } from '../../shared/errno.ts'
import type { Device } from '../../shim/fuse/device.ts'
import { messageBytesMax } from '../../shim/fuse/answerer.ts'
import { header } from '../../shim/fuse/protocol/layout.ts'
import { opcode } from '../../shim/fuse/protocol/opcode.ts'
import { allocateMemory } from '../../shim/sys/memory.ts'
import type { Memory } from '../../shim/sys/memory.ts'

export interface Answered {
  readonly unique: number
  readonly error: number
  readonly body: Uint8Array
}

/** A message, or something to do; `control` is a byte on the control pipe. */
export type Step = Uint8Array | (() => void) | 'control'

export class FakeDevice implements Device {
  readonly request = allocateMemory(messageBytesMax)
  readonly reply = allocateMemory(messageBytesMax)
  readonly answers: Answered[] = []
  /** What `send` gives for an answer to this request. */
  readonly sendErrors = new Map<number, number>()
  /** What `receive` gives after the last step. */
  lastCode = -errno.ENODEV
  readonly #steps: Step[]

  constructor(steps: readonly Step[]) {
    this.#steps = [initRequest(), ...steps]
  }

  receive(): number {
    const step = this.#steps[0]
    if (step === undefined) return this.lastCode
    if (!(step instanceof Uint8Array)) return -errno.EAGAIN
    this.#steps.shift()
    this.request.bytes.set(step)
    return step.length
  }

  send(from: Memory, length: number): number {
    const words = from.words.slice(0, 4)
    const answered = { unique: words[2]! + words[3]! * 2 ** 32, error: words[1]! | 0, body: from.bytes.slice(16, length) }
    if (words[0] !== length) throw new Error(`The header says ${words[0]}, the length is ${length}`)
    this.answers.push(answered)
    return this.sendErrors.get(answered.unique) ?? length
  }

  /** Files are numbers: the byte at each offset is the descriptor plus the offset. */
  readFile(fd: number, offset: number, length: number, into: Memory, at: number): number {
    if (fd < 0) return -errno.EIO
    for (let index = 0; index < length; index += 1) into.bytes[at + index] = fd + offset + index
    return length
  }

  wait(): { readonly hasRequest: boolean; readonly hasControl: boolean } {
    const step = this.#steps[0]
    if (step === undefined || step instanceof Uint8Array) return { hasRequest: true, hasControl: false }
    this.#steps.shift()
    if (step !== 'control') step()
    return { hasRequest: false, hasControl: step === 'control' }
  }

  openBacking(fd: number): number {
    return fd + 100
  }

  closeBacking(): number {
    return 0
  }

  answer(unique: number): Answered {
    const found = this.answers.filter((one) => one.unique === unique)
    if (found.length !== 1) throw new Error(`Request ${unique} has ${found.length} answers`)
    return found[0]!
  }
}

export interface RequestParts {
  readonly opcode: number
  readonly unique: number
  readonly nodeId?: number
  /** 32-bit words after the header. */
  readonly words?: readonly number[]
  /** Bytes after the words. */
  readonly tail?: string
}

export function request(parts: RequestParts): Uint8Array {
  const tail = new TextEncoder().encode(parts.tail ?? '')
  const words = parts.words ?? []
  const bytes = new Uint8Array(header.bytes + words.length * 4 + tail.length)
  const view = new DataView(bytes.buffer)
  const put = (word: number, value: number): void => view.setUint32(word * 4, value, true)
  put(header.length, bytes.length)
  put(header.opcode, parts.opcode)
  put(header.unique, parts.unique)
  put(header.unique + 1, Math.floor(parts.unique / 2 ** 32))
  put(header.nodeId, parts.nodeId ?? 1)
  put(header.uid, 1000)
  put(header.gid, 1001)
  put(header.pid, 4321)
  words.forEach((value, index) => put(header.words + index, value))
  bytes.set(tail, header.bytes + words.length * 4)
  return bytes
}

/** As kernel 6.18 sends it. */
export function initRequest(): Uint8Array {
  const words = [7, 45, 131072, 0x73fffffb, 0x5fd, ...Array.from({ length: 11 }, () => 0)]
  return request({ opcode: opcode.INIT, unique: 2, nodeId: 0, words })
}
