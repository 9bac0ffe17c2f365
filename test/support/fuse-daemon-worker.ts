/**
 * The serving thread of `fuse-daemon.ts`.
 */
import { receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import { systemClock } from '../../shared/clock.ts'
import { errno } from '../../shared/errno.ts'
import { lineLogger } from '../../shared/log.ts'
import type { FuseMount } from '../../shim/fuse/mount.ts'
import type { NotifyLink } from '../../shim/fuse/notify-thread.ts'
import { runLoop } from '../../shim/fuse/run-loop.ts'
import { buildTree } from './fuse-tree.ts'

interface WorkerData {
  readonly mount: FuseMount
  readonly notifying: NotifyLink
  readonly controlFd: number
  readonly port: MessagePort
  readonly backingPath: string
  readonly spinUs: number
}

interface Command {
  readonly do: 'outstanding' | 'release' | 'set' | 'invalidate-node' | 'invalidate-entry' | 'invalidate-all' | 'add' | 'die' | 'fill-queue'
  readonly name?: string
  readonly text?: string
  readonly count?: number
}

const { mount, notifying, controlFd, port, backingPath, spinUs }: WorkerData = workerData
const handler = buildTree(backingPath)
const counts = new Uint32Array(64)

function obey(command: Command): object {
  const { root, connection } = handler
  const name = command.name ?? ''
  const bytes = new TextEncoder().encode(command.text ?? '')
  const tasks: Readonly<Record<Command['do'], () => object | void>> = {
    outstanding: () => ({ ...handler.outstanding, hanging: handler.hanging.length, counts: [...counts] }),
    release: () => handler.releaseHanging(-errno.EIO),
    set: () => handler.setContent(root.children!.get(name)!, bytes),
    add: () => void handler.addFile(root, name, bytes),
    'invalidate-node': () => connection!.invalidateNode(root.children!.get(name)!.id, 0, 0),
    'invalidate-entry': () => connection!.invalidateEntry(1, name),
    'invalidate-all': () => ({ isDone: connection!.invalidateAllEntries() }),
    'fill-queue': () => {
      for (let index = 0; index < command.count!; index += 1) connection!.invalidateEntry(1, `nobody-${index}`)
    },
    die: () => {
      handler.beforeStatfs = () => process.exit(3) // ends this thread only, without a word
    },
  }
  return tasks[command.do]() ?? {}
}

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
      port.postMessage({ answer: command.do, ...obey(command) })
    }
  },
  counts,
})
port.postMessage({ event: 'served', ...handler.outstanding, isStopped: handler.isStopped })
port.close()
