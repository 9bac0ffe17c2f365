/**
 * The main thread's handle on the file-system thread: starts it, carries messages both ways, and sees to it that a mount never outlives it.
 */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { EdgemountError, messageOf } from '../../shared/error.ts'
import type { FuseMount } from '../fuse/mount.ts'
import { opcodeCount, opcodeName } from '../fuse/protocol/opcode.ts'
import { endMountNow } from '../fuse/unmount.ts'
import { type Pipe, closeFd, createPipe, wake } from '../sys/pipe.ts'
import { BackendServer } from './backend-server.ts'
import type { FileSystemStatus } from './file-system.ts'
import type { FsThreadData } from './fs-thread-data.ts'
import type { ToFileSystem, ToNetwork } from './messages.ts'
import type { FileSystemEnd, ServeParts } from './served.ts'

export type FsWorkerParts = Pick<ServeParts, 'settings' | 'backend' | 'spinUs' | 'wantsPassthrough' | 'clock' | 'log'> & {
  readonly mount: FuseMount
  /** `fs-thread.ts`, unless given. */
  readonly threadModule?: URL | undefined
}

/** In a bundle the thread's module stands beside it. */
const defaultThreadModule = new URL(import.meta.url.endsWith('.ts') ? './fs-thread.ts' : './fs-thread.mjs', import.meta.url)

const statusDeadlineMs = 2000

export class FsWorker {
  readonly ready: Promise<void>
  readonly ended: Promise<FileSystemEnd>
  /** Requests by opcode since the start, written by the thread. */
  readonly #counts = new Uint32Array(new SharedArrayBuffer(opcodeCount * 4))
  readonly #parts: FsWorkerParts
  readonly #control: Pipe
  readonly #port: MessagePort
  readonly #worker: Worker
  readonly #server: BackendServer
  readonly #questions = new Map<number, (status: FileSystemStatus | undefined) => void>()
  #lastQuestion = 0
  #isOver = false
  #failure: Error | undefined

  constructor(parts: FsWorkerParts) {
    this.#parts = parts
    this.#control = createPipe({ isNonBlocking: true })
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    this.#server = new BackendServer(parts.backend, (message, transfer) => this.send(message, transfer))
    const { mount, settings, spinUs, wantsPassthrough } = parts
    const workerData: FsThreadData = { mount, settings, spinUs, wantsPassthrough, controlFd: this.#control.readFd, port: port2, counts: this.#counts }
    this.#worker = new Worker(parts.threadModule ?? defaultThreadModule, { workerData, transferList: [port2] })
    const start = Promise.withResolvers<undefined>()
    this.ready = start.promise
    // Who starts the mount waits for it; later nobody does.
    this.ready.catch(() => undefined)
    port1.on('message', (message: ToNetwork) => this.#receive(message, () => start.resolve(undefined)))
    this.ended = new Promise((resolve) => {
      this.#worker.on('error', (error) => {
        this.#failure ??= toError(error)
        endMountNow(mount.mountPoint, mount.deviceMinor)
      })
      this.#worker.on('exit', (code) => {
        const end = this.#end(code)
        start.reject(end ?? new EdgemountError('closed', `Cannot use the mount "${mount.mountPoint}": it was unmounted at once`))
        resolve(end)
      })
    })
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

  /** Ends serving; open files of the mount fail from then on. */
  async terminate(): Promise<void> {
    this.send({ kind: 'stop' })
    await this.ended
    endMountNow(this.#parts.mount.mountPoint, this.#parts.mount.deviceMinor)
  }

  #receive(message: ToNetwork, onReady: () => void): void {
    if (this.#server.receive(message)) return
    if (message.kind === 'log') this.#parts.log[message.level](message.message, message.fields)
    else if (message.kind === 'ready') onReady()
    else if (message.kind === 'status') this.#questions.get(message.question)?.(message.status)
    else if (message.kind === 'ended' && message.failure !== undefined) {
      this.#failure ??= new EdgemountError(message.failure.code, message.failure.message)
    }
  }

  /** INVARIANT: once the thread is gone nobody answers the kernel, so the mount must be gone too. */
  #end(code: number): FileSystemEnd {
    this.#isOver = true
    this.#server.close()
    this.#port.close()
    closeFd(this.#control.readFd)
    closeFd(this.#control.writeFd)
    const { mount, log } = this.#parts
    if (code !== 0) {
      const wasMounted = endMountNow(mount.mountPoint, mount.deviceMinor)
      this.#failure ??= new EdgemountError('internal', `Cannot go on serving "${mount.mountPoint}": its thread ended with code ${code}`)
      if (wasMounted) log.error(`The mount "${mount.mountPoint}" is gone: ${messageOf(this.#failure)}`)
    }
    return this.#failure
  }
}

function toError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value))
}
