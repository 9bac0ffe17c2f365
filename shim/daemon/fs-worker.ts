/**
 * The main thread's handle on the file-system thread: starts it and the notifying thread, carries messages both ways, and sees to it that a
 * mount never outlives it, nor it the mount. It owns the mount's descriptor.
 */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { untilAborted } from '../../shared/abort.ts'
import { EdgemountError, codeOf, messageOf } from '../../shared/error.ts'
import { deadline } from '../../shared/lifetime.ts'
import type { Failure } from '../fs/backend.ts'
import type { FuseMount } from '../fuse/mount.ts'
import { NotifyThread } from '../fuse/notify-thread.ts'
import { opcodeCount, opcodeName } from '../fuse/protocol/opcode.ts'
import { endMountNow } from '../fuse/unmount.ts'
import { type Pipe, closeFd, createPipe, wake } from '../sys/pipe.ts'
import { BackendServer } from './backend-server.ts'
import type { FileSystemStatus } from './file-system.ts'
import type { FsThreadData } from './fs-thread-data.ts'
import type { ToFileSystem, ToNetwork } from './messages.ts'
import type { FileSystemEnd, ServeParts } from './served.ts'

export type FsWorkerParts = Pick<ServeParts, 'settings' | 'backend' | 'findBase' | 'onPublishing' | 'drain' | 'spinUs' | 'wantsPassthrough' | 'clock' | 'log'> & {
  readonly mount: FuseMount
  /** `fs-thread.ts`, unless given. */
  readonly threadModule?: URL | undefined
}

/** In a bundle the thread's module stands beside it. */
const defaultThreadModule = new URL(import.meta.url.endsWith('.ts') ? './fs-thread.ts' : './fs-thread.mjs', import.meta.url)

const statusDeadlineMs = 2000
/** The index of a large cache is read first. */
const readyDeadlineMs = 60_000
/** For each of the steps of `terminate`: asked to end, with its mount aborted, ended by force. */
const terminateStepMs = 2000
/** What the thread closes when it serves no more is written to a disk, which may be slow. */
const closeMsMax = 30_000
/** How often the thread is looked at, and how many looks without a sign of life mean that it is none any more. Its disk may be slow. */
const lookMs = 1000
const silentLooksMax = 60

/** Of this process. One listener serves them all: Node takes more than ten for a leak. */
const standing = new Set<FuseMount>()

function endAll(): void {
  for (const mount of standing) endMountNow(mount)
}

export class FsWorker {
  readonly ready: Promise<void>
  readonly ended: Promise<FileSystemEnd>
  /** Requests by opcode since the start, written by the thread. */
  readonly #counts = new Uint32Array(new SharedArrayBuffer(opcodeCount * 4))
  readonly #parts: FsWorkerParts
  readonly #control: Pipe
  readonly #port: MessagePort
  readonly #worker: Worker
  readonly #notify: NotifyThread
  /** Counted up by the thread, at least every 250 ms unless it is stuck. */
  readonly #beats = new Uint32Array(new SharedArrayBuffer(4))
  readonly #served = Promise.withResolvers<undefined>()
  readonly #end = Promise.withResolvers<FileSystemEnd>()
  readonly #watching = new AbortController()
  readonly #server: BackendServer
  readonly #questions = new Map<number, (status: FileSystemStatus | undefined) => void>()
  #lastQuestion = 0
  #isOver = false
  /** It has ended serving, and closes its files. */
  #isClosing = false
  #failure: Error | undefined

  constructor(parts: FsWorkerParts) {
    this.#parts = parts
    this.#control = createPipe({ isNonBlocking: true })
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    this.#server = new BackendServer(parts.backend, (message, transfer) => this.send(message, transfer))
    const { mount, settings, spinUs, wantsPassthrough } = parts
    this.#notify = new NotifyThread(mount, parts.log)
    const { readFd: controlFd } = this.#control
    const notifying = this.#notify.link
    const workerData: FsThreadData = { mount, notifying, settings, spinUs, wantsPassthrough, controlFd, port: port2, counts: this.#counts, beats: this.#beats }
    this.#worker = new Worker(parts.threadModule ?? defaultThreadModule, { workerData, transferList: [port2] })
    this.ended = this.#end.promise
    const start = Promise.withResolvers<undefined>()
    this.ready = this.#inTime(start.promise)
    // Who starts the mount waits for it; later nobody does.
    this.ready.catch(() => undefined)
    port1.on('message', (message: ToNetwork) => this.#receive(message, () => start.resolve(undefined)))
    this.#worker.on('error', (error) => {
      if (this.#isClosing) parts.log.warn(`Cannot close the cache of "${mount.mountPoint}" in good order: ${messageOf(error)}`)
      else this.#failure ??= toError(error)
      endMountNow(mount)
    })
    this.#worker.on('exit', (code) => {
      this.#finish(code)
      start.reject(this.#failure ?? new EdgemountError('closed', `Cannot use the mount "${mount.mountPoint}": it was unmounted at once`))
    })
    // A process ends when its threads have, and one that waits in the kernel ends with the connection.
    standing.add(mount)
    if (standing.size === 1) process.on('exit', endAll)
    void this.#watch()
  }

  requestCounts(): Record<string, number> {
    const named: Record<string, number> = {}
    for (const [number, count] of this.#counts.entries()) if (count > 0) named[opcodeName(number)] = count
    return named
  }

  send(message: ToFileSystem, transfer: readonly ArrayBuffer[] = []): void {
    if (this.#isOver) return
    this.#port.postMessage(message, transfer)
    wake(this.#control.writeFd)
  }

  /** What the file system says of itself; undefined when it is over or does not answer in time. */
  status(): Promise<FileSystemStatus | undefined> {
    if (this.#isOver) return Promise.resolve(undefined)
    this.#lastQuestion += 1
    const question = this.#lastQuestion
    const over = new AbortController()
    const answer = new Promise<FileSystemStatus | undefined>((resolve) => {
      this.#questions.set(question, resolve)
      this.#parts.clock.sleep(statusDeadlineMs, over.signal).then(
        () => resolve(undefined),
        () => undefined,
      )
    })
    this.send({ kind: 'status', question })
    return answer.finally(() => {
      this.#questions.delete(question)
      over.abort()
    })
  }

  /** Ends serving; open files of the mount fail from then on. Resolves in time, whatever the thread and the kernel do. */
  async terminate(): Promise<void> {
    this.send({ kind: 'stop' })
    if (!(await this.#within(terminateStepMs, this.#served.promise))) {
      this.#parts.log.warn(`"${this.#parts.mount.mountPoint}" does not end by itself: its connection is aborted`)
    }
    if (!this.#isOver) endMountNow(this.#parts.mount)
    if (await this.#within(terminateStepMs, this.#served.promise)) {
      await this.ended
      return
    }
    this.#failure ??= new EdgemountError('internal', `Cannot end the mount "${this.#parts.mount.mountPoint}" in good order: its thread does not answer`)
    await this.#kill()
  }

  /** A thread that waits for its disk is not to be had. */
  async #kill(): Promise<void> {
    void this.#worker.terminate()
    if (!(await this.#within(terminateStepMs, this.ended))) this.#end.resolve(this.#failure)
  }

  /** The cache is no part of the mount's good order: what it loses by being ended is only fetched again. */
  async #awaitClose(): Promise<void> {
    if (await this.#within(closeMsMax, this.ended)) return
    this.#parts.log.warn(`The cache of "${this.#parts.mount.mountPoint}" is not closed after ${closeMsMax / 1000} s: it is left as it is`)
    await this.#kill()
  }

  async #within(ms: number, what: Promise<unknown>): Promise<boolean> {
    const over = new AbortController()
    const isInTime = await Promise.race([
      what.then(() => true),
      this.#parts.clock.sleep(ms, over.signal).then(
        () => false,
        () => false,
      ),
    ])
    over.abort()
    return isInTime
  }

  async #inTime(ready: Promise<undefined>): Promise<void> {
    const { clock, mount } = this.#parts
    const limit = deadline(clock, readyDeadlineMs, `start serving "${mount.mountPoint}"`)
    try {
      await untilAborted(ready, limit.signal)
    } finally {
      limit.dispose()
    }
  }

  /** A thread that is stuck keeps everybody waiting who looks into the mount. */
  async #watch(): Promise<void> {
    const { clock, mount, log } = this.#parts
    const { signal } = this.#watching
    let seen = 0
    let silentLooks = 0
    while (await clock.sleep(lookMs, signal).then(
      () => true,
      () => false,
    )) {
      const beats = Atomics.load(this.#beats, 0)
      silentLooks = beats === seen ? silentLooks + 1 : 0
      seen = beats
      if (silentLooks < silentLooksMax) continue
      this.#failure ??= new EdgemountError('internal', `Cannot go on serving "${mount.mountPoint}": its thread has been stuck for a minute`)
      log.error(messageOf(this.#failure))
      await this.terminate()
      return
    }
  }

  #receive(message: ToNetwork, onReady: () => void): void {
    if (this.#server.receive(message)) return
    if (message.kind === 'log') this.#parts.log[message.level](message.message, message.fields)
    else if (message.kind === 'ready') onReady()
    else if (message.kind === 'status') this.#questions.get(message.question)?.(message.status)
    else if (message.kind === 'to-publisher') this.#parts.onPublishing(message.message)
    else if (message.kind === 'ask-base') void this.#answerBase(message.seq)
    else if (message.kind === 'unmounted') void this.#drain()
    else if (message.kind === 'ended') this.#noteServed(message.failure)
  }

  /** Nobody waits for the file system any more, but what was changed there. */
  async #drain(): Promise<void> {
    this.#served.resolve(undefined)
    this.send({ kind: 'end', discards: await this.#parts.drain() })
  }

  /** Never rejects. */
  async #answerBase(seq: number): Promise<void> {
    try {
      this.send({ kind: 'base', base: await this.#parts.findBase(seq) })
    } catch (error) {
      this.send({ kind: 'base', base: { code: codeOf(error), message: messageOf(error) } })
    }
  }

  #noteServed(failure: Failure | undefined): void {
    if (failure !== undefined) this.#failure ??= new EdgemountError(failure.code, failure.message)
    this.#isClosing = failure === undefined
    this.#watching.abort()
    this.#served.resolve(undefined)
    void this.#awaitClose()
  }

  /** INVARIANT: once the thread is gone nobody answers the kernel, so the mount must be gone too. */
  #finish(code: number): void {
    this.#isOver = true
    this.#watching.abort()
    this.#served.resolve(undefined)
    const { mount, log } = this.#parts
    standing.delete(mount)
    if (standing.size === 0) process.off('exit', endAll)
    const wasMounted = endMountNow(mount)
    this.#notify.close()
    closeFd(mount.fd)
    this.#server.close()
    this.#port.close()
    closeFd(this.#control.readFd)
    closeFd(this.#control.writeFd)
    if (code !== 0 && !this.#isClosing) {
      this.#failure ??= new EdgemountError('internal', `Cannot go on serving "${mount.mountPoint}": its thread ended with code ${code}`)
      if (wasMounted) log.error(`The mount "${mount.mountPoint}" is gone: ${messageOf(this.#failure)}`)
    }
    this.#end.resolve(this.#failure)
  }
}

function toError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value))
}
