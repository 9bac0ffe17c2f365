/**
 * Serves one mount on the thread that calls `Loop.run`, until the mount ends. That thread's event loop never turns meanwhile.
 *
 * Every request is answered once, but for those that want no answer. A handler that throws spoils its request only (EIO). The loop never
 * sends notifications: the kernel may make the sender wait for a request that only the loop can answer.
 */
import { getSystemErrorName } from 'node:util'
import { errno } from '../../shared/errno.ts'
import { EdgemountError } from '../../shared/error.ts'
import type { Logger } from '../../shared/log.ts'
import { connectionErrno } from '../sys/constants.ts'
import { Answerer } from './answerer.ts'
import type { CachePromise } from './answerer.ts'
import type { Device } from './device.ts'
import type { Caller, Connection, Handler } from './handler.ts'
import { emptyCall } from './operation.ts'
import type { Call, Operation } from './operation.ts'
import { operationTable } from './operations.ts'
import { writeHeader } from './protocol/answer.ts'
import { planInit, readInitOffer, writeInitAnswer } from './protocol/init.ts'
import type { InitPlan, InitWish } from './protocol/init.ts'
import { answerHeader, batchForgetRequest, forgetRequest, header, interruptRequest, readWide } from './protocol/layout.ts'
import { changingOpcodes, opcode, opcodeCount, opcodeName } from './protocol/opcode.ts'
import { SpinPolicy } from './spin.ts'

/** A sleeping thread cannot be ended by `process.exit`, so it wakes now and then. */
const sleepMs = 250
/** Time for another thread to come out of the kernel, once its requests are answered; and how often it is looked for. */
const refuseMsMax = 10_000
const leaveLookMs = 5
/** Busy clients must not keep the control pipe waiting. */
const requestsPerControlLook = 64

export interface LoopParts {
  readonly device: Device
  readonly handler: Handler
  readonly wish: InitWish
  /** Makes the handler's connection once INIT is agreed on. */
  connect(plan: Extract<InitPlan, { kind: 'accepted' }>): LoopConnection
  /** Called after a byte came on the control pipe. */
  onControl(): void
  /** True ends serving although the mount still stands. Looked at at least every 250 ms, and after `onControl`. */
  shouldStop?(): boolean
  /**
   * Called again and again once serving is to end; true when no other thread of ours waits for an answer any more. Until then, and for some
   * seconds at most, every request is answered EIO: the kernel lets nobody go who waits for another's request.
   */
  leave?(): boolean
  /** Called at least every 250 ms while the mount is idle, sooner when it says so (in milliseconds), and now and then while it is busy. */
  onTick?(): number | undefined
  /** A clock that never jumps, in milliseconds and fractions. */
  nowMs(): number
  /** The least busy wait before sleeping; 0 for none. */
  readonly spinUs: number
  readonly log: Logger
  /** Requests seen, by opcode; may be shared memory. */
  readonly counts?: Uint32Array
}

export interface LoopConnection extends Connection, CachePromise {
  /** Hands on what did not fit in the queue before. */
  retry(): void
}

export class Loop {
  readonly #parts: LoopParts
  readonly #device: Device
  readonly #handler: Handler
  readonly #log: Logger
  readonly #answerer: Answerer
  readonly #counts: Uint32Array
  readonly #call: Call = emptyCall()
  #operations: readonly (Operation<unknown> | undefined)[]
  #connection: LoopConnection | undefined
  #nextTickMs = 0
  #isRefusing = false
  /** Since the last request was answered; undefined: there was none to wait for. */
  #idleSinceMs: number | undefined

  constructor(parts: LoopParts) {
    this.#parts = parts
    this.#device = parts.device
    this.#handler = parts.handler
    this.#log = parts.log
    this.#counts = parts.counts ?? new Uint32Array(opcodeCount)
    this.#answerer = new Answerer(parts.device, parts.handler, parts.log)
    this.#operations = operationTable({ handler: parts.handler, hasLongSetxattr: true })
  }

  /** Serves until the file system is unmounted or its connection is aborted. Throws when the device fails in any other way. */
  run(): void {
    const spin = new SpinPolicy(this.#parts.spinUs)
    try {
      for (;;) {
        const code = this.#drain(spin)
        if (code === -errno.ENODEV || code === -connectionErrno.ECONNABORTED) return
        if (code < 0) throw new EdgemountError('internal', `Cannot read requests of the mount: ${getSystemErrorName(code)}`)
        if (this.#parts.shouldStop?.() === true) {
          this.#refuse()
          return
        }
        if (code === 0) this.#sleep(spin)
      }
    } finally {
      this.#answerer.close()
      this.#stopHandler()
    }
  }

  /** The kernel still listens: whoever waits is told before nobody answers any more, and so is who comes. */
  #refuse(): void {
    this.#isRefusing = true
    this.#stopHandler()
    this.#answerer.refuse()
    const untilMs = this.#parts.nowMs() + refuseMsMax
    while (this.#parts.leave?.() === false && this.#parts.nowMs() < untilMs) {
      if (this.#drain() < 0) return
      this.#device.wait(leaveLookMs)
    }
  }

  #stopHandler(): void {
    if (this.#connection === undefined) return
    this.#connection = undefined
    this.#guard('the end', () => this.#handler.stop())
  }

  /**
   * Serves what is there, and what comes soon after while requests keep coming: asking for the next one costs less than asking whether there is one.
   * 0 when there is no more, 1 when there may be more, or what went wrong.
   */
  #drain(spin?: SpinPolicy): number {
    let count = 0
    this.#idleSinceMs = undefined
    for (;;) {
      const length = this.#device.receive()
      if (length > 0) {
        if (spin !== undefined) this.#noteRequest(spin)
        this.#serve(length)
        count += 1
        if (count < requestsPerControlLook) continue
        if (!this.#isRefusing) {
          this.#lookAround(0)
          this.#tick()
        }
        return 1
      } else if (length === -errno.EAGAIN) {
        if (spin === undefined || !this.#staysAwake(spin)) return 0
      } else if (length !== -errno.EINTR && length !== -errno.ENOENT) {
        return length === 0 ? -errno.ENODEV : length
      }
    }
  }

  /** There is no request: whether to ask again at once. */
  #staysAwake(spin: SpinPolicy): boolean {
    const nowMs = this.#parts.nowMs()
    this.#idleSinceMs ??= nowMs
    return nowMs - this.#idleSinceMs < spin.windowUs / 1000
  }

  /** Tells how long it took to come. */
  #noteRequest(spin: SpinPolicy): void {
    if (this.#idleSinceMs === undefined) return
    spin.observe((this.#parts.nowMs() - this.#idleSinceMs) * 1000)
    this.#idleSinceMs = undefined
  }

  #sleep(spin: SpinPolicy): void {
    const hasRequest = this.#lookAround(Math.ceil(Math.min(sleepMs, Math.max(1, this.#nextTickMs - this.#parts.nowMs()))))
    if (hasRequest) this.#noteRequest(spin)
    else spin.observe(Infinity)
  }

  #lookAround(timeoutMs: number): boolean {
    const ready = this.#device.wait(timeoutMs)
    if (ready.hasControl) this.#guard('the control pipe', () => this.#parts.onControl())
    this.#answerer.runAfterwards()
    if (timeoutMs > 0) this.#tick()
    return ready.hasRequest
  }

  #tick(): void {
    this.#connection?.retry()
    const nowMs = this.#parts.nowMs()
    if (nowMs < this.#nextTickMs) return
    let nextMs: number | undefined
    this.#guard('a tick', () => {
      nextMs = this.#parts.onTick?.()
    })
    this.#nextTickMs = nowMs + Math.min(sleepMs, nextMs ?? sleepMs)
    this.#answerer.runAfterwards()
  }

  #serve(length: number): void {
    const { words } = this.#device.request
    const number = words[header.opcode]!
    if (number < opcodeCount) this.#counts[number] = this.#counts[number]! + 1
    if (length < header.bytes || words[header.length] !== length) {
      this.#log.error('Cannot read a request: its length is wrong', { length, opcode: opcodeName(number) })
      return
    }
    const call = this.#begin(words, number)
    const operation = this.#operations[number]
    if (operation === undefined) this.#serveOther(call, length)
    else this.#answerer.serve(call, operation, length)
    this.#answerer.runAfterwards()
  }

  #begin(words: Uint32Array, number: number): Call {
    const call = this.#call
    call.opcode = number
    call.uniqueLow = words[header.unique]!
    call.uniqueHigh = words[header.unique + 1]!
    call.nodeId = readWide(words, header.nodeId)
    const { uid, gid, pid } = call.caller
    // Handlers may keep the caller, so it is a new object whenever it is another one.
    if (words[header.uid] !== uid || words[header.gid] !== gid || words[header.pid] !== pid) call.caller = callerOf(words)
    return call
  }

  #serveOther(call: Call, length: number): void {
    const { words } = this.#device.request
    switch (call.opcode) {
      case opcode.FORGET:
        this.#forget(call.nodeId, readWide(words, forgetRequest.lookupCount))
        return
      case opcode.BATCH_FORGET:
        this.#forgetBatch(words)
        return
      case opcode.INTERRUPT:
        this.#interrupt(call, words)
        return
      case opcode.INIT:
        this.#init(call, length)
        return
      case opcode.DESTROY:
        this.#answerer.sendError(call, 0)
        return
      default:
        this.#answerer.sendError(call, changingOpcodes.has(call.opcode) ? -errno.EROFS : -errno.ENOSYS)
    }
  }

  #forget(nodeId: number, lookupCount: number): void {
    if (this.#connection !== undefined) this.#guard('FORGET', () => this.#handler.forget(nodeId, lookupCount))
  }

  #forgetBatch(words: Uint32Array): void {
    const { first, recordWords, recordLookupCount } = batchForgetRequest
    const end = first + words[batchForgetRequest.count]! * recordWords
    for (let at = first; at < end; at += recordWords) this.#forget(readWide(words, at), readWide(words, at + recordLookupCount))
  }

  /** No answer, but EAGAIN when the request is unknown: should it come later, the kernel then interrupts it again. */
  #interrupt(call: Call, words: Uint32Array): void {
    let isKnown = false
    this.#guard('INTERRUPT', () => {
      isKnown = this.#answerer.pending.interrupt(words[interruptRequest.unique]!, words[interruptRequest.unique + 1]!)
    })
    if (!isKnown) this.#answerer.sendError(call, -errno.EAGAIN)
  }

  #init(call: Call, length: number): void {
    const plan = planInit(readInitOffer(this.#device.request.words, length), this.#parts.wish, this.#handler.writable !== undefined)
    if (plan.kind === 'refused') {
      this.#answerer.sendError(call, -plan.errno)
      throw new EdgemountError('unsupported', `Cannot serve the mount: ${plan.reason}`)
    }
    const memory = this.#device.reply
    const byteCount = answerHeader.bytes + writeInitAnswer(memory.words, answerHeader.words, plan)
    writeHeader(memory.words, byteCount, 0, call.uniqueLow, call.uniqueHigh)
    const code = this.#device.send(memory, byteCount)
    if (code < 0) throw new EdgemountError('internal', `Cannot agree with the kernel on the mount: ${getSystemErrorName(code)}`)
    if (plan.kind === 'again') return
    this.#operations = operationTable({ handler: this.#handler, hasLongSetxattr: plan.hasLongSetxattr })
    this.#connection = this.#parts.connect(plan)
    this.#answerer.open(this.#connection)
    this.#handler.start(this.#connection)
  }

  #guard(what: string, work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#log.error(`Cannot finish ${what}: the handler failed`, { error })
    }
  }
}

function callerOf(words: Uint32Array): Caller {
  return { uid: words[header.uid]!, gid: words[header.gid]!, pid: words[header.pid]! }
}
