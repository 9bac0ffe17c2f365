/**
 * The serving thread of `fuse-daemon.ts` for a writable file system.
 */
import { receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { systemClock } from '../../shared/clock.ts'
import { lineLogger } from '../../shared/log.ts'
import type { FuseMount } from '../../shim/fuse/mount.ts'
import type { NotifyLink } from '../../shim/fuse/notify-thread.ts'
import { runLoop } from '../../shim/fuse/run-loop.ts'
import type { WritableMemoryOptions } from './writable-memory-handler.ts'
import { WritableMemoryHandler } from './writable-memory-handler.ts'

/** The file system, and what its mount is to have. */
export interface WritableDaemonOptions extends WritableMemoryOptions {
  readonly wantsPassthrough?: boolean
}

interface WorkerData {
  readonly mount: FuseMount
  readonly notifying: NotifyLink
  readonly controlFd: number
  readonly port: MessagePort
  readonly spinUs: number
  readonly writable: WritableDaemonOptions
}

type Command = { readonly do: 'outstanding' } | { readonly do: 'replace'; readonly name: string; readonly text: string; readonly isNewGeneration: boolean }

const { mount, notifying, controlFd, port, spinUs, writable }: WorkerData = workerData
const handler = new WritableMemoryHandler(writable)
const counts = new Uint32Array(64)

runLoop({
  mount,
  notifying,
  controlFd,
  handler,
  spinUs,
  log: lineLogger({ write: (line) => port.postMessage({ log: line }), clock: systemClock, level: 'info', format: 'text' }),
  onControl: () => {
    for (let received = receiveMessageOnPort(port); received !== undefined; received = receiveMessageOnPort(port)) {
      const command: Command = received.message
      if (command.do === 'replace') handler.replace(command.name, new TextEncoder().encode(command.text), command.isNewGeneration)
      const { canPassthrough, hasWritebackCache } = handler.connection!
      const state = { ...handler.outstanding, counts: [...counts], changes: handler.changes.splice(0), canPassthrough, hasWritebackCache }
      port.postMessage({ answer: command.do, ...state })
    }
  },
  counts,
  ...(writable.wantsPassthrough === undefined ? {} : { wantsPassthrough: writable.wantsPassthrough }),
})
port.postMessage({ event: 'served', ...handler.outstanding, isStopped: handler.isStopped })
port.close()
