/**
 * Serves one mount on the thread that calls `Loop.run`, until the mount ends. That thread's event loop never turns meanwhile.
 *
 * Every request is answered once, but for those that want no answer. A handler that throws spoils its request only (EIO). The loop never
 * sends notifications: the kernel may make the sender wait for a request that only the loop can answer.
 */
import { EdgemountError, errno } from '../../shared/error.ts'
import type { Logger } from '../../shared/log.ts'
import { connectionErrno } from '../sys/constants.ts'
import { allocateMemory } from '../sys/memory.ts'
import type { Device } from './device.ts'
import { Deferred } from './handler.ts'
import type { Caller, Connection, Handler } from './handler.ts'
import { operations } from './operations.ts'
import type { Call, Desk, Operation } from './operations.ts'
import { PendingRequests } from './pending.ts'
import { writeHeader } from './protocol/answer.ts'
import { DirectoryPacker } from './protocol/directory.ts'
import { planInit, readInitOffer, transferBytesMax, writeInitAnswer } from './protocol/init.ts'
import type { InitPlan, InitWish } from './protocol/init.ts'
import { answerHeader, batchForgetRequest, forgetRequest, header, interruptRequest, readWide } from './protocol/layout.ts'
import { changingOpcodes, opcode, opcodeCount, opcodeName } from './protocol/opcode.ts'
import { SpinPolicy } from './spin.ts'

/** The largest request is a WRITE: data, and room for its header, as fuse(4) demands. */
export const messageBytesMax = transferBytesMax + 8192

/** A sleeping thread cannot be ended by `process.exit`, so it wakes now and then. */
const sleepMs = 250
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
  /** Called at least every 250 ms while the mount is idle, and now and then while it is busy. */
  onTick?(): void
  /** The least busy wait before sleeping; 0 for none. */
  readonly spinUs: number
  readonly log: Logger
  /** Requests seen, by opcode; may be shared memory. */
  readonly counts?: Uint32Array
}

export interface LoopConnection extends Connection {
  readonly mayKeepCache: boolean
  /** Hands on what did not fit in the queue before. */
  retry(): void
}

export class Loop {
  readonly #parts: LoopParts
  readonly #device: Device
  readonly #handler: Handler
  readonly #log: Logger
  readonly #pending = new PendingRequests()
  readonly #packer: DirectoryPacker
  readonly #desk: Desk
  /** Deferred answers have a buffer of their own: they may come while another answer is being built. */
  readonly #lateDesk: Desk
  readonly #counts: Uint32Array
  readonly #call: Call = {
    opcode: 0,
    uniqueLow: 0,
    uniqueHigh: 0,
    nodeId: 0,
    caller: { uid: 0, gid: 0, pid: 0 },
    handle: -1,
    offset: 0,
    size: 0,
    flags: 0,
    name: '',
  }
  /** Done between two requests, because it calls the handler. */
  readonly #afterwards: (() => void)[] = []
  #connection: LoopConnection | undefined
  #isOver = false
  #nextTickMs = 0

  constructor(parts: LoopParts) {
    this.#parts = parts
    this.#device = parts.device
    this.#handler = parts.handler
    this.#log = parts.log
    this.#counts = parts.counts ?? new Uint32Array(opcodeCount)
    this.#packer = new DirectoryPacker(parts.device.reply)
    this.#desk = this.#deskOver(parts.device.reply)
    this.#lateDesk = this.#deskOver(allocateMemory(messageBytesMax))
  }

  /** Serves until the file system is unmounted or its connection is aborted. Throws when the device fails in any other way. */
  run(): void {
    const spin = new SpinPolicy(this.#parts.spinUs)
    try {
      for (;;) {
        const code = this.#drain()
        if (code === -errno.ENODEV || code === -connectionErrno.ECONNABORTED) return
        if (code < 0) throw new EdgemountError('internal', `Cannot read requests of the mount: errno ${-code}`)
        this.#idle(spin)
      }
    } finally {
      this.#isOver = true
      this.#pending.clear()
      if (this.#connection !== undefined) this.#handler.stop()
    }
  }

  /** Serves what is there; 0 when there is no more, or what went wrong. */
  #drain(): number {
    let count = 0
    for (;;) {
      const length = this.#device.receive()
      if (length > 0) {
        this.#serve(length)
        count += 1
        if (count % requestsPerControlLook === 0) {
          this.#lookAround(0)
          this.#tick()
        }
      } else if (length === -errno.EAGAIN) {
        return 0
      } else if (length !== -errno.EINTR && length !== -errno.ENOENT) {
        return length === 0 ? -errno.ENODEV : length
      }
    }
  }

  /** Waits for the next request: awake for a short while when it is worth it, then asleep. */
  #idle(spin: SpinPolicy): void {
    const startMs = performance.now()
    const awakeUntilMs = startMs + spin.windowUs / 1000
    let hasRequest = false
    while (!hasRequest && performance.now() < awakeUntilMs) hasRequest = this.#lookAround(0)
    hasRequest ||= this.#lookAround(sleepMs)
    spin.observe(hasRequest ? (performance.now() - startMs) * 1000 : Infinity)
  }

  #lookAround(timeoutMs: number): boolean {
    const ready = this.#device.wait(timeoutMs)
    if (ready.hasControl) this.#guard('the control pipe', () => this.#parts.onControl())
    if (this.#afterwards.length > 0) this.#runAfterwards()
    if (timeoutMs > 0) this.#tick()
    return ready.hasRequest
  }

  #tick(): void {
    this.#connection?.retry()
    const nowMs = performance.now()
    if (nowMs < this.#nextTickMs) return
    this.#nextTickMs = nowMs + sleepMs
    this.#guard('a tick', () => this.#parts.onTick?.())
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
    const operation = operations[number]
    if (operation === undefined) this.#serveOther(call, length)
    else this.#serveOperation(call, operation, length)
    if (this.#afterwards.length > 0) this.#runAfterwards()
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

  #serveOperation(call: Call, operation: Operation<unknown>, length: number): void {
    let answer: unknown
    try {
      if (this.#connection === undefined) answer = -errno.EIO
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
    this.#pending.add({ call, deferred })
    deferred.listen((answer) => {
      if (this.#isOver || !this.#pending.remove(call)) return
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
    if (!isTaken) this.#undo(call, operation, answer, desk)
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
        this.#sendError(call, 0)
        return
      default:
        this.#sendError(call, changingOpcodes.has(call.opcode) ? -errno.EROFS : -errno.ENOSYS)
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
      isKnown = this.#pending.interrupt(words[interruptRequest.unique]!, words[interruptRequest.unique + 1]!)
    })
    if (!isKnown) this.#sendError(call, -errno.EAGAIN)
  }

  #init(call: Call, length: number): void {
    const plan = planInit(readInitOffer(this.#device.request.words, length), this.#parts.wish)
    if (plan.kind === 'refused') {
      this.#sendError(call, -plan.errno)
      throw new EdgemountError('unsupported', `Cannot serve the mount: ${plan.reason}`)
    }
    const { memory } = this.#desk
    const byteCount = answerHeader.bytes + writeInitAnswer(memory.words, answerHeader.words, plan)
    writeHeader(memory.words, byteCount, 0, call.uniqueLow, call.uniqueHigh)
    const code = this.#device.send(memory, byteCount)
    if (code < 0) throw new EdgemountError('internal', `Cannot agree with the kernel on the mount: errno ${-code}`)
    if (plan.kind === 'again') return
    this.#connection = this.#parts.connect(plan)
    this.#handler.start(this.#connection)
  }

  #sendError(call: Call, error: number): void {
    const { memory } = this.#desk
    writeHeader(memory.words, answerHeader.bytes, error, call.uniqueLow, call.uniqueHigh)
    const code = this.#device.send(memory, answerHeader.bytes)
    if (code < 0) this.#notSent(call, code)
  }

  /** ENOENT is normal: nobody waits for the answer any more. Anything else (EINVAL: a wrong length or errno) is a bug here. */
  #notSent(call: Call, code: number): void {
    if (code === -errno.ENOENT || code === -errno.ENODEV) return
    this.#log.error(`Cannot send the answer to ${opcodeName(call.opcode)}: errno ${-code}`, { node: call.nodeId })
  }

  #thrown(call: Call, error: unknown): number {
    this.#log.error(`Cannot answer ${opcodeName(call.opcode)}: the handler failed`, { node: call.nodeId, error })
    return -errno.EIO
  }

  #guard(what: string, work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#log.error(`Cannot finish ${what}: the handler failed`, { error })
    }
  }

  #runAfterwards(): void {
    for (let work = this.#afterwards.shift(); work !== undefined; work = this.#afterwards.shift()) work()
  }

  #deskOver(memory: Device['reply']): Desk {
    const mayKeepCache = (): boolean => this.#connection?.mayKeepCache ?? true
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

function callerOf(words: Uint32Array): Caller {
  return { uid: words[header.uid]!, gid: words[header.gid]!, pid: words[header.pid]! }
}

function isListing(call: Call): boolean {
  return call.opcode === opcode.READDIR || call.opcode === opcode.READDIRPLUS
}
