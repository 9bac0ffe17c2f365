/**
 * The entry for the thread that serves a mount: the real device, the queue of the notifying thread, and the end of the mount when serving it
 * fails.
 */
import { messageOf } from '../../shared/error.ts'
import type { Logger } from '../../shared/log.ts'
import { FuseDevice } from '../sys/fuse-device.ts'
import { messageBytesMax } from './answerer.ts'
import type { Handler } from './handler.ts'
import { Loop } from './loop.ts'
import type { FuseMount } from './mount.ts'
import { Notifier, offerToPipe } from './notifier.ts'
import { type NotifyLink, awaitNotifying, endNotifying, hasEndedNotifying } from './notify-thread.ts'
import { notifyState } from './notify-worker.ts'
import { endMountNow } from './unmount.ts'

export interface RunLoopOptions {
  readonly mount: FuseMount
  /** Of the `NotifyThread`, which another thread has started and closes. */
  readonly notifying: NotifyLink
  /** Read end of a pipe; a byte on it (see `wake`) makes the loop call `onControl`. -1 for none. */
  readonly controlFd: number
  readonly handler: Handler
  /** The least busy wait in µs before sleeping, grown 2.5 times when it is too short; 0 for none. 20 is right with two CPUs or more. */
  readonly spinUs: number
  readonly log: Logger
  readonly onControl: () => void
  /** True ends serving although the mount still stands; whoever waits or comes is told EIO. Looked at after `onControl`. */
  readonly shouldStop?: () => boolean
  /** Called at least every 250 ms, sooner when it says so (in milliseconds). */
  readonly onTick?: () => number | undefined
  /** By default as root. */
  readonly wantsPassthrough?: boolean
  /** By default yes; it takes effect on a writable mount without passthrough. */
  readonly wantsWritebackCache?: boolean
  /** Requests by opcode, for metrics; over a SharedArrayBuffer another thread can read it. */
  readonly counts?: Uint32Array
}

/** A thread starts in some 50 ms. */
const notifyStartMsMax = 10_000
/** Nothing is left for it to wait for once the requests are answered or the connection is aborted. */
const notifyEndMsMax = 2000
/**
 * Serves until the mount ends; call it on a thread with nothing else to do. The mount's descriptor stays open. Throws what made serving
 * impossible; the mount is gone by then.
 */
export function runLoop(options: RunLoopOptions): void {
  const { mount, log, notifying } = options
  const device = new FuseDevice(mount.fd, options.controlFd, messageBytesMax)
  const warnWhenAbsent = absenceWarning(notifying, log)
  const loop = new Loop({
    device,
    handler: options.handler,
    wish: {
      wantsPassthrough: options.wantsPassthrough ?? mount.isPrivileged,
      invalidatesExplicitly: true,
      wantsWritebackCache: options.wantsWritebackCache ?? true,
    },
    connect: (plan) => {
      const { canPassthrough, canIncrementEpoch, hasWritebackCache } = plan
      return new Notifier({ device, canPassthrough, canIncrementEpoch, hasWritebackCache, offer: offerToPipe(notifying.queueFd), log })
    },
    onControl: options.onControl,
    ...(options.shouldStop === undefined ? {} : { shouldStop: options.shouldStop }),
    leave: () => {
      endNotifying(notifying)
      return hasEndedNotifying(notifying)
    },
    nowMs,
    spinUs: options.spinUs,
    log,
    onTick: () => {
      warnWhenAbsent()
      return options.onTick?.()
    },
    ...(options.counts === undefined ? {} : { counts: options.counts }),
  })
  try {
    loop.run()
  } catch (error) {
    log.error(`Cannot go on serving "${mount.mountPoint}"; it is unmounted: ${messageOf(error)}`)
    endMountNow(mount)
    throw error
  } finally {
    awaitNotifying(notifying, nowMs, notifyEndMsMax)
  }
}

const nowMs = (): number => performance.now()

/** This thread gets no events, so it looks whether the other one came up, and says so once when it did not. */
function absenceWarning({ state }: NotifyLink, log: Logger): () => void {
  let lookAtMs = nowMs() + notifyStartMsMax
  return () => {
    if (nowMs() < lookAtMs) return
    lookAtMs = Infinity
    if (Atomics.load(state, 0) === notifyState.starting) log.error('Cannot tell the kernel what has changed: the notifying thread did not start')
  }
}
