/**
 * The file-system thread: serves one mount until it ends, then gives the publisher what is left. Started by `fs-worker.ts`; its event loop does not turn while
 * the mount stands.
 */
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../shared/clock.ts'
import { EdgemountError, codeOf, messageOf } from '../../shared/error.ts'
import type { Logger } from '../../shared/log.ts'
import { runLoop } from '../fuse/run-loop.ts'
import { readBytes, waitForBytes } from '../sys/pipe.ts'
import { type FileSystem, createFileSystem } from './file-system.ts'
import type { FsThreadData } from './fs-thread-data.ts'
import { type LocalState, closeLocalState, noticesStores, openLocalState } from './local-state.ts'
import type { Base } from './file-system-settings.ts'
import type { ToFileSystem, ToNetwork } from './messages.ts'
import { RemoteBackend } from './remote-backend.ts'
import { remoteLogger } from './remote-log.ts'

/** The thread's side of the messages. */
class Line {
  readonly #port: MessagePort
  readonly #controlFd: number
  readonly #scratch = new Uint8Array(64)

  constructor({ port, controlFd }: FsThreadData) {
    this.#port = port
    this.#controlFd = controlFd
  }

  send(message: ToNetwork): void {
    this.#port.postMessage(message, [])
  }

  next(): ToFileSystem | undefined {
    return receiveMessageOnPort(this.#port)?.message
  }

  /** While nobody else looks at the pipe. */
  wait(): void {
    if (waitForBytes(this.#controlFd, waitMs)) readBytes(this.#controlFd, this.#scratch, this.#scratch.length)
  }
}

/** A sleeping thread cannot be ended, so it wakes now and then. */
const waitMs = 250

function serve(data: FsThreadData): void {
  const line = new Line(data)
  const log = remoteLogger((message) => line.send(message), systemClock)
  const backend = new RemoteBackend((message) => line.send(message))
  const beat = (): void => void Atomics.add(data.beats, 0, 1)
  let local: LocalState | undefined
  let discards = false
  try {
    local = openLocalState(data.settings, backend, log)
    const baseSeq = local.writing?.baseSeq ?? data.settings.seq
    const base = baseSeq === data.settings.seq ? data.settings : askBase(line, baseSeq, beat)
    const onPublishing = (message: Extract<ToNetwork, { kind: 'to-publisher' }>['message']): void => line.send({ kind: 'to-publisher', message })
    const made = createFileSystem(data.settings, { backend, local, base, log, onPublishing, onStart: () => line.send({ kind: 'ready' }) })
    const wantsPassthrough = data.wantsPassthrough && data.mount.isPrivileged
    const isDeaf = wantsPassthrough && isInMemory(local, log)
    let isStopping = false
    runLoop({
      mount: data.mount,
      notifying: data.notifying,
      controlFd: data.controlFd,
      handler: made.handler,
      spinUs: data.spinUs,
      wantsPassthrough: wantsPassthrough && !isDeaf,
      // The kernel then believes no size but its own, whatever others commit; and a program hears late that memory is full.
      wantsWritebackCache: data.settings.writing?.coherence === 'close-to-open' && !isDeaf,
      counts: data.counts,
      log,
      onControl: () => {
        isStopping ||= receiveAll(line, backend, made) === 'stop'
      },
      shouldStop: () => isStopping,
      onTick: () => {
        beat()
        return made.tick()
      },
    })
    if (data.settings.writing !== undefined) discards = untilEnded(line, backend, made, beat)
    line.send({ kind: 'ended', failure: undefined })
  } catch (error) {
    line.send({ kind: 'ended', failure: { code: codeOf(error), message: messageOf(error) } })
    throw error
  } finally {
    if (local !== undefined) closeLocalState(local, discards)
    data.port.close()
  }
}

/** Of a mount that is only read nobody stores anything. */
function isInMemory({ writing, directory }: LocalState, log: Logger): boolean {
  if (writing === undefined || directory === undefined || noticesStores(directory)) return false
  log.info(`"${directory}" is in memory, where nobody notices what is stored into mappings: the kernel gets no files from there, and every byte goes through edgemount`)
  return true
}

/** What was changed here was made from another snapshot than the newest. */
function askBase(line: Line, seq: number, beat: () => void): Base {
  line.send({ kind: 'ask-base', seq })
  for (;;) {
    for (let message = line.next(); message !== undefined; message = line.next()) {
      if (message.kind === 'stop') throw new EdgemountError('aborted', 'Cannot mount: the start was given up')
      if (message.kind !== 'base') continue
      if ('root' in message.base) return message.base
      throw new EdgemountError(message.base.code, message.base.message)
    }
    line.wait()
    beat()
  }
}

/** What a program was told is in the journal whether the publisher still comes for it or not. True: it is to be dropped. */
function untilEnded(line: Line, backend: RemoteBackend, fileSystem: FileSystem, beat: () => void): boolean {
  line.send({ kind: 'unmounted' })
  for (;;) {
    const answer = receiveAll(line, backend, fileSystem)
    if (answer === 'end' || answer === 'discard') return answer === 'discard'
    line.wait()
    fileSystem.tick()
    beat()
  }
}

function receiveAll(line: Line, backend: RemoteBackend, fileSystem: FileSystem): 'stop' | 'end' | 'discard' | undefined {
  for (let message = line.next(); message !== undefined; message = line.next()) {
    if (backend.receive(message)) continue
    if (message.kind === 'change') fileSystem.handler.applyChange(message.change)
    else if (message.kind === 'following') fileSystem.handler.setFollowing(message.isFollowing)
    else if (message.kind === 'to-changes') fileSystem.receive(message.message)
    else if (message.kind === 'status') line.send({ kind: 'status', question: message.question, status: fileSystem.status() })
    else if (message.kind === 'stop') return 'stop'
    else if (message.kind === 'end') return message.discards ? 'discard' : 'end'
  }
  return undefined
}

const data: FsThreadData = workerData
serve(data)
