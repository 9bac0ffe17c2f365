/**
 * The `Connection` of a mount: what a handler may ask of the kernel.
 *
 * INVARIANT: the serving thread never writes a notification to the device. The kernel makes its sender wait for requests that only that
 * thread answers, and not even SIGKILL ends that. Messages go into a pipe, and the thread of `notify-worker.ts` passes them on.
 *
 * The pipe is the bounded queue. When it is full, invalidations wait here, each node and name once; when there are too many of them, the
 * names are given up for one "forget every name", and from then on no open file keeps its cached data.
 */
import { getSystemErrorName } from 'node:util'
import type { Logger } from '../../shared/log.ts'
import { offerMessage } from '../sys/pipe.ts'
import type { Device } from './device.ts'
import type { Connection, NodeId } from './handler.ts'
import { entryNotification, epochNotification, nodeNotification } from './protocol/notification.ts'

/** About 10 MiB of memory at most. */
const waitingCountMax = 65_536

export interface NotifierParts {
  readonly device: Pick<Device, 'openBacking' | 'closeBacking'>
  readonly canPassthrough: boolean
  readonly canIncrementEpoch: boolean
  readonly hasWritebackCache: boolean
  /** Takes one message whole: 0, or a negative errno when it has no room. */
  offer(message: Uint8Array): number
  readonly log: Logger
}

export class Notifier implements Connection {
  readonly #parts: NotifierParts
  readonly #nodes = new Set<NodeId>()
  readonly #entries = new Map<string, { parent: NodeId; name: string }>()
  #isEpochDue = false
  #mayKeepCache = true

  constructor(parts: NotifierParts) {
    this.#parts = parts
  }

  get canPassthrough(): boolean {
    return this.#parts.canPassthrough
  }

  get hasWritebackCache(): boolean {
    return this.#parts.hasWritebackCache
  }

  get mayKeepCache(): boolean {
    return this.#mayKeepCache
  }

  /** Invalidations that wait for room in the queue. */
  get waitingCount(): number {
    return this.#nodes.size + this.#entries.size + (this.#isEpochDue ? 1 : 0)
  }

  openBacking(fd: number): number {
    return this.#parts.device.openBacking(fd)
  }

  closeBacking(backingId: number): void {
    const code = this.#parts.device.closeBacking(backingId)
    if (code < 0) this.#parts.log.warn(`Cannot close backing file ${backingId}: ${getSystemErrorName(code)}`)
  }

  invalidateNode(nodeId: NodeId, offset: number, length: number): void {
    if (this.waitingCount === 0 && this.#offer(nodeNotification(nodeId, offset, length))) return
    if (this.#nodes.size < waitingCountMax) this.#nodes.add(nodeId)
    else if (this.#mayKeepCache) {
      this.#mayKeepCache = false
      this.#parts.log.error('Cannot invalidate every changed file: too many at once; files keep no cached data from now on')
    }
  }

  invalidateEntry(parent: NodeId, name: string): void {
    if (this.#isEpochDue) return
    if (this.waitingCount === 0 && this.#offer(entryNotification(parent, name))) return
    if (this.#entries.size >= waitingCountMax && this.invalidateAllEntries()) return
    if (this.#entries.size < waitingCountMax) this.#entries.set(`${parent}/${name}`, { parent, name })
    else this.#parts.log.error(`Cannot invalidate the name "${name}": too many at once`)
  }

  invalidateAllEntries(): boolean {
    if (!this.#parts.canIncrementEpoch) return false
    this.#entries.clear()
    this.#isEpochDue = !this.#offer(epochNotification())
    return true
  }

  retry(): void {
    if (this.#isEpochDue) {
      if (!this.#offer(epochNotification())) return
      this.#isEpochDue = false
    }
    for (const [key, { parent, name }] of this.#entries) {
      if (!this.#offer(entryNotification(parent, name))) return
      this.#entries.delete(key)
    }
    for (const nodeId of this.#nodes) {
      if (!this.#offer(nodeNotification(nodeId, 0, 0))) return
      this.#nodes.delete(nodeId)
    }
  }

  #offer(message: Uint8Array): boolean {
    return this.#parts.offer(message) === 0
  }
}

/** Offers to the pipe that the notifying thread reads. */
export function offerToPipe(writeFd: number): (message: Uint8Array) => number {
  return (message) => offerMessage(writeFd, message, message.length)
}
