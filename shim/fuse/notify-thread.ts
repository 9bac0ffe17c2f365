/**
 * The thread that notifies the kernel, seen from the others: the process's first thread starts it, the serving thread fills its queue and ends it.
 *
 * INVARIANT: it is not a child of the serving thread. It may wait in the kernel for as long as some request is unanswered, and a thread that
 * dies is not seen dead before its children are.
 */
import { Worker } from 'node:worker_threads'
import { messageOf } from '../../shared/error.ts'
import type { Logger } from '../../shared/log.ts'
import { closeFd, createPipe, duplicate, offerMessage, setNonBlocking } from '../sys/pipe.ts'
import type { FuseMount } from './mount.ts'
import { type NotifyThreadData, notifyState } from './notify-worker.ts'
import { answerHeader } from './protocol/layout.ts'

/** What the serving thread needs of it. Plain data. */
export interface NotifyLink {
  /** Write end of the queue; it never blocks. */
  readonly queueFd: number
  /** Shared; element 0 is a `notifyState`. */
  readonly state: Int32Array
}

/** It keeps one message at a time. */
const threadLimits = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 }

/** In a bundle the thread's module stands beside it. */
const defaultModule = new URL(import.meta.url.endsWith('.ts') ? './notify-worker.ts' : './notify-worker.mjs', import.meta.url)

const endMessage = new Uint8Array(answerHeader.bytes)

export class NotifyThread {
  readonly link: NotifyLink

  /** `module` must end in the code of `notify-worker.ts`. */
  constructor(mount: FuseMount, log: Logger, module: URL = defaultModule) {
    const { readFd, writeFd } = createPipe({ isNonBlocking: false })
    setNonBlocking(writeFd, true) // the reader sleeps, the serving thread never does
    const state = new Int32Array(new SharedArrayBuffer(4))
    this.link = { queueFd: writeFd, state }
    const workerData: NotifyThreadData = { edgemountNotifications: { deviceFd: duplicate(mount.fd), pipeFd: readFd, state } }
    const worker = new Worker(module, { workerData, resourceLimits: threadLimits })
    worker.unref()
    worker.on('error', (error) => log.error(`Cannot tell the kernel any more what has changed: ${messageOf(error)}`))
    worker.on('exit', () => setState(state, notifyState.ended))
  }

  /** For when nobody serves the mount any more; it ends when the message it is at has been taken. */
  close(): void {
    endNotifying(this.link)
    closeFd(this.link.queueFd)
  }
}

/** What is queued is thrown away. May be called again. */
export function endNotifying({ queueFd, state }: NotifyLink): void {
  for (;;) {
    const seen = Atomics.load(state, 0)
    if (seen === notifyState.ending || seen === notifyState.ended) return
    if (Atomics.compareExchange(state, 0, seen, notifyState.ending) === seen) break
  }
  // It may be asleep. If there is no room it is not.
  offerMessage(queueFd, endMessage, endMessage.length)
}

/** True when it holds its descriptor of the device no more. */
export function hasEndedNotifying({ state }: NotifyLink): boolean {
  return Atomics.load(state, 0) === notifyState.ended
}

/** Ends it and waits: while its descriptor is open the kernel goes on waiting for answers. */
export function awaitNotifying(link: NotifyLink, nowMs: () => number, timeoutMs: number): void {
  endNotifying(link)
  const untilMs = nowMs() + timeoutMs
  while (!hasEndedNotifying(link) && nowMs() < untilMs) Atomics.wait(link.state, 0, notifyState.ending, untilMs - nowMs())
}

function setState(state: Int32Array, value: number): void {
  Atomics.store(state, 0, value)
  Atomics.notify(state, 0)
}
