/**
 * The thread that sends notifications to the kernel, and does nothing else: it may be made to wait for as long as some request is
 * unanswered.
 *
 * Its `workerData` is a `NotifyThreadData`. It ends when it is told to, and throws away what is queued then; or when every writer of the pipe
 * is gone. It owns the pipe's read end and its own descriptor of the device.
 */
import { isMainThread, workerData } from 'node:worker_threads'
import { closeFd, readBytes, waitForBytes, writeBytes } from '../sys/pipe.ts'
import { answerHeader } from './protocol/layout.ts'
import { notificationBytesMax } from './protocol/notification.ts'

export interface NotifyThreadData {
  readonly edgemountNotifications: {
    readonly deviceFd: number
    readonly pipeFd: number
    /** Shared; element 0 is a `notifyState`. */
    readonly state: Int32Array
  }
}

export const notifyState = { starting: 0, running: 1, ending: 2, ended: 3 } as const

/** Passes messages on until the pipe is closed, or a message without a length comes, or `isEnding`. ENOENT (the kernel knows no such node or name) is normal, so results are not looked at. */
export function passNotificationsOn(deviceFd: number, pipeFd: number, isEnding: () => boolean): void {
  const message = new Uint8Array(notificationBytesMax)
  const length = new DataView(message.buffer)
  while (!isEnding()) {
    if (!readWhole(pipeFd, message, 0, answerHeader.bytes)) break
    const byteCount = length.getUint32(0, true)
    if (byteCount < answerHeader.bytes || byteCount > message.length) break
    if (!readWhole(pipeFd, message, answerHeader.bytes, byteCount) || isEnding()) break
    writeBytes(deviceFd, message, byteCount)
  }
  closeFd(pipeFd)
  closeFd(deviceFd)
}

const sleepMs = 250

function readWhole(fd: number, into: Uint8Array, start: number, end: number): boolean {
  let at = start
  while (at < end) {
    // A thread that sleeps for ever cannot be ended, nor can the one that started it.
    while (!waitForBytes(fd, sleepMs));
    const count = readBytes(fd, into.subarray(at), end - at)
    if (count === -4) continue // EINTR
    if (count <= 0) return false
    at += count
  }
  return true
}

function isOurs(data: unknown): data is NotifyThreadData {
  return typeof data === 'object' && data !== null && 'edgemountNotifications' in data
}

if (!isMainThread && isOurs(workerData)) {
  const { deviceFd, pipeFd, state } = workerData.edgemountNotifications
  Atomics.compareExchange(state, 0, notifyState.starting, notifyState.running)
  passNotificationsOn(deviceFd, pipeFd, () => Atomics.load(state, 0) === notifyState.ending)
  Atomics.store(state, 0, notifyState.ended)
  Atomics.notify(state, 0)
}
