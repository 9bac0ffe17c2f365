/**
 * Back-pressure: while more waits to be published than there is to be, whoever makes, opens or writes a file through us is held up a little, so that the
 * publisher can keep pace. Nobody is held for longer than a second a time, and nobody gets an error: that comes from the disk alone.
 *
 * Called by the handler's writer before it begins, and ticked by the handler. Files that the kernel writes by itself are not held up.
 */
import { errno } from '../../shared/errno.ts'
import type { Answer } from '../fuse/handler.ts'
import { afterwards } from './waiting.ts'

const waitMs = 1000
/** Counting what waits looks at all of it. */
const lookMs = 250
/** Each is a system call that waits; the kernel lets fewer wait at a time. */
const waitingMax = 16_384

export interface WriteGateParts {
  /** Bytes on disk that are not published or may not be; cheap to ask. */
  readonly localBytes: () => number
  /** Bytes that wait to be published. */
  readonly dirtyBytes: () => number
  readonly bytesMax: number
  /** Milliseconds that only grow. */
  readonly nowMs: () => number
}

interface Held {
  readonly untilMs: number
  readonly go: (result: number) => void
}

export class WriteGate {
  readonly #parts: WriteGateParts
  #held: Held[] = []
  #lookedMs = -Infinity
  #isShut = false

  constructor(parts: WriteGateParts) {
    this.#parts = parts
  }

  /** Does it now, or in a second at the latest. */
  pass<T>(operation: () => Answer<T>): Answer<T> {
    if (!this.isShut || this.#held.length >= waitingMax) return operation()
    return afterwards((go) => this.#held.push({ untilMs: this.#parts.nowMs() + waitMs, go }), operation)
  }

  /** The caller has to copy what is not valid any more later. */
  get isShut(): boolean {
    const { localBytes, dirtyBytes, bytesMax, nowMs } = this.#parts
    if (localBytes() <= bytesMax) return false
    const now = nowMs()
    if (now - this.#lookedMs >= lookMs) {
      this.#lookedMs = now
      this.#isShut = dirtyBytes() > bytesMax
    }
    return this.#isShut
  }

  tick(): void {
    if (this.#held.length === 0) return
    const isOpen = !this.isShut
    const now = this.#parts.nowMs()
    const ready = this.#held.filter(({ untilMs }) => isOpen || untilMs <= now)
    if (ready.length === 0) return
    this.#held = this.#held.filter((held) => !ready.includes(held))
    for (const { go } of ready) go(0)
  }

  /** The mount is over. */
  stop(): void {
    for (const { go } of this.#held.splice(0)) go(-errno.EIO)
  }
}
