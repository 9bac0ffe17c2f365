/**
 * Gets requests answered: asks the handler, waits for what it defers, encodes, sends, and takes back what the kernel did not take.
 *
 * INVARIANT: a request is answered once. It is either answered while it is served, or in `pending` until it is.
 */
import { getSystemErrorName } from 'node:util'
import { errno } from '../../shared/errno.ts'
import { EdgemountError } from '../../shared/error.ts'
import type { Logger } from '../../shared/log.ts'
import { allocateMemory } from '../sys/memory.ts'
import type { Device } from './device.ts'
import { Deferred } from './handler.ts'
import type { Handler } from './handler.ts'
import type { Call, Desk, Operation } from './operation.ts'
import { PendingRequests } from './pending.ts'
import { writeHeader } from './protocol/answer.ts'
import { DirectoryPacker } from './protocol/directory.ts'
import { transferBytesMax } from './protocol/init.ts'
import { answerHeader } from './protocol/layout.ts'
import { opcode, opcodeName } from './protocol/opcode.ts'

/** The largest request is a WRITE: data, and room for its header, as fuse(4) demands. */
export const messageBytesMax = transferBytesMax + 8192

export interface CachePromise {
  /** False once invalidations were lost. */
  readonly mayKeepCache: boolean
}

export class Answerer {
  readonly pending = new PendingRequests()
  readonly #device: Device
  readonly #handler: Handler
  readonly #log: Logger
  readonly #packer: DirectoryPacker
  readonly #desk: Desk
  /** Deferred answers have a buffer of their own: they may come while another answer is being built. */
  readonly #lateDesk: Desk
  /** Done between two requests, because it calls the handler. */
  readonly #afterwards: (() => void)[] = []
  #promise: CachePromise | undefined
  #isOver = false

  constructor(device: Device, handler: Handler, log: Logger) {
    this.#device = device
    this.#handler = handler
    this.#log = log
    this.#packer = new DirectoryPacker(device.reply)
    this.#desk = this.#deskOver(device.reply)
    this.#lateDesk = this.#deskOver(allocateMemory(messageBytesMax))
  }

  /** Until it is opened, everything is answered EIO. */
  open(promise: CachePromise): void {
    this.#promise = promise
  }

  /** Everything is answered EIO from now on, what waits included. */
  refuse(): void {
    this.#promise = undefined
    for (const { call } of this.pending.takeAll()) this.sendError(call, -errno.EIO)
  }

  /** Nothing is sent any more. */
  close(): void {
    this.#isOver = true
    this.pending.clear()
    this.#afterwards.length = 0
  }

  /** Does what had to wait until no request is being served. */
  runAfterwards(): void {
    while (this.#afterwards.length > 0) this.#afterwards.shift()!()
  }

  /** Asks the handler, and answers now or when it settles. */
  serve(call: Call, operation: Operation<unknown>, length: number): void {
    let answer: unknown
    try {
      if (this.#promise === undefined) answer = -errno.EIO
      else {
        operation.decode?.(call, this.#device.request, length)
        answer = operation.ask(this.#handler, call, this.#packer)
      }
    } catch (error) {
      answer = this.#thrown(call, error)
    }
    if (answer instanceof Deferred) this.#defer({ ...call }, operation, answer)
    else this.#answer(call, operation, answer, this.#desk)
  }

  #defer(call: Call, operation: Operation<unknown>, deferred: Deferred<unknown>): void {
    if (isListing(call)) {
      // What was packed before it deferred is not sent.
      this.#undo(call, operation, undefined, this.#desk)
      this.#packer.clear()
    }
    this.pending.add({ call, deferred })
    deferred.listen((answer) => {
      if (this.#isOver || !this.pending.remove(call)) return
      const isError = typeof answer === 'number' && answer < 0
      if (isListing(call) && !isError) this.#afterwards.push(() => this.#askAgain(call, operation))
      else this.#answer(call, operation, answer, this.#lateDesk)
    })
  }

  #askAgain(call: Call, operation: Operation<unknown>): void {
    let answer: unknown
    try {
      answer = operation.ask(this.#handler, call, this.#packer)
    } catch (error) {
      answer = this.#thrown(call, error)
    }
    if (answer instanceof Deferred) this.#defer(call, operation, answer)
    else this.#answer(call, operation, answer, this.#desk)
  }

  /** Encodes and sends; the only place where operations are answered. */
  #answer(call: Call, operation: Operation<unknown>, answer: unknown, desk: Desk): void {
    const { memory } = desk
    let length = answerHeader.bytes
    let error = typeof answer === 'number' ? answer : 0
    if (error > 0) error = this.#thrown(call, new EdgemountError('internal', `Cannot answer with ${error}: errnos are negative`))
    if (error === 0 && operation.encode !== undefined) {
      try {
        if (typeof answer === 'number' && !isListing(call)) throw new EdgemountError('internal', 'Cannot answer with 0: a value is needed')
        const bodyBytes = operation.encode(desk, answer, call)
        if (bodyBytes < 0) error = bodyBytes
        else length += bodyBytes
      } catch (thrown) {
        error = this.#thrown(call, thrown)
      }
    }
    writeHeader(memory.words, error < 0 ? answerHeader.bytes : length, error, call.uniqueLow, call.uniqueHigh)
    const code = this.#device.send(memory, error < 0 ? answerHeader.bytes : length)
    if (code < 0) this.#notSent(call, code)
    const isTaken = code >= 0 && error === 0
    // A late answer comes out of the handler's own call, which must not call it again.
    if (!isTaken && desk === this.#lateDesk) this.#afterwards.push(() => this.#undo(call, operation, answer, desk))
    else if (!isTaken) this.#undo(call, operation, answer, desk)
    if (isListing(call) && desk === this.#desk) this.#packer.clear()
  }

  /** Takes back what the answer would have given: lookup counts, an open file. */
  #undo(call: Call, operation: Operation<unknown>, answer: unknown, desk: Desk): void {
    const hasGiven = isListing(call) ? desk === this.#desk : typeof answer !== 'number'
    if (operation.undo === undefined || !hasGiven) return
    try {
      operation.undo(this.#handler, answer, call, this.#packer)
    } catch (error) {
      this.#thrown(call, error)
    }
  }

  /** An answer without a body; 0 is success. */
  sendError(call: Call, error: number): void {
    const { memory } = this.#desk
    writeHeader(memory.words, answerHeader.bytes, error, call.uniqueLow, call.uniqueHigh)
    const code = this.#device.send(memory, answerHeader.bytes)
    if (code < 0) this.#notSent(call, code)
  }

  /** ENOENT is normal: nobody waits for the answer any more. Anything else (EINVAL: a wrong length or errno) is a bug here. */
  #notSent(call: Call, code: number): void {
    if (code === -errno.ENOENT || code === -errno.ENODEV) return
    this.#log.error(`Cannot send the answer to ${opcodeName(call.opcode)}: ${getSystemErrorName(code)}`, { node: call.nodeId })
  }

  #thrown(call: Call, error: unknown): number {
    this.#log.error(`Cannot answer ${opcodeName(call.opcode)}: the handler failed`, { node: call.nodeId, error })
    return -errno.EIO
  }

  #deskOver(memory: Device['reply']): Desk {
    const mayKeepCache = (): boolean => this.#promise?.mayKeepCache ?? true
    return {
      memory,
      device: this.#device,
      packer: this.#packer,
      get mayKeepCache() {
        return mayKeepCache()
      },
    }
  }
}

function isListing(call: Call): boolean {
  return call.opcode === opcode.READDIR || call.opcode === opcode.READDIRPLUS
}
