/**
 * The entry for the thread that serves a mount: the real device, the notifying thread, and the end of the mount when serving it fails.
 */
import { Worker } from 'node:worker_threads'
import { messageOf } from '../../shared/error.ts'
import type { Logger } from '../../shared/log.ts'
import { FuseDevice } from '../sys/fuse-device.ts'
import { closeFd, createPipe, duplicate, setNonBlocking } from '../sys/pipe.ts'
import { messageBytesMax } from './answerer.ts'
import type { Handler } from './handler.ts'
import { Loop } from './loop.ts'
import type { FuseMount } from './mount.ts'
import { Notifier, offerToPipe } from './notifier.ts'
import { type NotifyThreadData, notifyState } from './notify-worker.ts'
import { endMountNow } from './unmount.ts'

export interface RunLoopOptions {
  readonly mount: FuseMount
  /** Read end of a pipe; a byte on it (see `wake`) makes the loop call `onControl`. -1 for none. */
  readonly controlFd: number
  readonly handler: Handler
  /** The least busy wait in µs before sleeping, grown 2.5 times when it is too short; 0 for none. 20 is right with two CPUs or more. */
  readonly spinUs: number
  readonly log: Logger
  readonly onControl: () => void
  /** True ends serving although the mount still stands; what waits is answered by `Handler.stop`. Looked at after `onControl`. */
  readonly shouldStop?: () => boolean
  /** Called at least every 250 ms. */
  readonly onTick?: () => void
  /** By default as root. */
  readonly wantsPassthrough?: boolean
  /** Requests by opcode, for metrics; over a SharedArrayBuffer another thread can read it. */
  readonly counts?: Uint32Array
  /** Module of the notifying thread, where it is not the file beside this one (a bundle). It must end in `notify-worker.ts`'s code. */
  readonly notifyModule?: URL
}

/** A thread starts in some 50 ms. */
const notifyStartMsMax = 10_000
/** Nothing is left for it to wait for once the requests are answered or the connection is aborted. */
const notifyEndMsMax = 2000
/** It keeps one message at a time. */
const notifyThreadLimits = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 }

/**
 * Serves until the mount ends; call it on a thread with nothing else to do. It closes the mount's descriptor. Throws what made serving
 * impossible; the mount is gone by then.
 */
export function runLoop(options: RunLoopOptions): void {
  const { mount, log } = options
  const device = new FuseDevice(mount.fd, options.controlFd, messageBytesMax)
  const notifying = startNotifying(options)
  const loop = new Loop({
    device,
    handler: options.handler,
    wish: { wantsPassthrough: options.wantsPassthrough ?? mount.isPrivileged, invalidatesExplicitly: true },
    connect: (plan) => {
      const { canPassthrough, canIncrementEpoch } = plan
      return new Notifier({ device, canPassthrough, canIncrementEpoch, offer: offerToPipe(notifying.queueFd), log })
    },
    onControl: options.onControl,
    ...(options.shouldStop === undefined ? {} : { shouldStop: options.shouldStop }),
    nowMs,
    spinUs: options.spinUs,
    log,
    onTick: () => {
      notifying.warnWhenAbsent()
      options.onTick?.()
    },
    ...(options.counts === undefined ? {} : { counts: options.counts }),
  })
  try {
    loop.run()
  } catch (error) {
    log.error(`Cannot go on serving "${mount.mountPoint}"; it is unmounted: ${messageOf(error)}`)
    endMountNow(mount.mountPoint, mount.deviceMinor)
    throw error
  } finally {
    closeFd(mount.fd)
    notifying.end()
  }
}

const nowMs = (): number => performance.now()

interface NotifyThread {
  /** Write end of the queue; the thread ends when it is closed. */
  readonly queueFd: number
  /** Waits until the thread has closed its descriptor: while that is open the kernel goes on waiting for answers. */
  end(): void
  /** This thread gets no events, so it looks whether the other one came up, and says so once when it did not. */
  warnWhenAbsent(): void
}

function startNotifying({ mount, log, notifyModule }: RunLoopOptions): NotifyThread {
  const { readFd, writeFd } = createPipe({ isNonBlocking: false })
  setNonBlocking(writeFd, true) // the reader sleeps, the serving thread never does
  const state = new Int32Array(new SharedArrayBuffer(4))
  const workerData: NotifyThreadData = { edgemountNotifications: { deviceFd: duplicate(mount.fd), pipeFd: readFd, state } }
  const module = notifyModule ?? new URL('./notify-worker.ts', import.meta.url)
  new Worker(module, { workerData, resourceLimits: notifyThreadLimits }).unref()
  let lookAtMs = nowMs() + notifyStartMsMax
  const warnWhenAbsent = (): void => {
    if (nowMs() < lookAtMs) return
    lookAtMs = Infinity
    if (Atomics.load(state, 0) === 0) log.error('Cannot tell the kernel what has changed: the notifying thread did not start')
  }
  const end = (): void => {
    closeFd(writeFd)
    const untilMs = nowMs() + notifyEndMsMax
    for (let seen = Atomics.load(state, 0); seen !== notifyState.ended && nowMs() < untilMs; seen = Atomics.load(state, 0)) {
      Atomics.wait(state, 0, seen, untilMs - nowMs())
    }
  }
  return { queueFd: writeFd, warnWhenAbsent, end }
}
