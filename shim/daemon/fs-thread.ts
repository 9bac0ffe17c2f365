/**
 * The file-system thread: serves one mount until it ends. Started by `mount-daemon.ts`; its event loop does not turn while the mount stands.
 */
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../shared/clock.ts'
import { codeOf, messageOf } from '../../shared/error.ts'
import { runLoop } from '../fuse/run-loop.ts'
import { type FileSystem, createFileSystem } from './file-system.ts'
import type { FsThreadData } from './fs-thread-data.ts'
import type { ToFileSystem, ToNetwork } from './messages.ts'
import { RemoteBackend } from './remote-backend.ts'
import { remoteLogger } from './remote-log.ts'

function serve(data: FsThreadData): void {
  const send = (message: ToNetwork): void => data.port.postMessage(message, [])
  const log = remoteLogger(send, systemClock)
  const backend = new RemoteBackend(send)
  let fileSystem: FileSystem | undefined
  let isStopping = false
  try {
    const made = createFileSystem(data.settings, { backend, log, onStart: () => send({ kind: 'ready' }) })
    fileSystem = made
    runLoop({
      mount: data.mount,
      notifying: data.notifying,
      controlFd: data.controlFd,
      handler: made.handler,
      spinUs: data.spinUs,
      wantsPassthrough: data.wantsPassthrough && data.mount.isPrivileged,
      counts: data.counts,
      log,
      onControl: () => {
        isStopping ||= receiveAll(data.port, backend, made, send)
      },
      shouldStop: () => isStopping,
      onTick: () => {
        Atomics.add(data.beats, 0, 1)
        made.tick()
      },
    })
    send({ kind: 'ended', failure: undefined })
  } catch (error) {
    send({ kind: 'ended', failure: { code: codeOf(error), message: messageOf(error) } })
    throw error
  } finally {
    fileSystem?.close()
    data.port.close()
  }
}

/** True when the file system is to end. */
function receiveAll(port: MessagePort, backend: RemoteBackend, fileSystem: FileSystem, send: (message: ToNetwork) => void): boolean {
  for (let received = receiveMessageOnPort(port); received !== undefined; received = receiveMessageOnPort(port)) {
    const message: ToFileSystem = received.message
    if (backend.receive(message)) continue
    if (message.kind === 'change') fileSystem.handler.applyChange(message.change)
    else if (message.kind === 'following') fileSystem.handler.setFollowing(message.isFollowing)
    else if (message.kind === 'status') send({ kind: 'status', question: message.question, status: fileSystem.status() })
    else if (message.kind === 'stop') return true
  }
  return false
}

const data: FsThreadData = workerData
serve(data)
