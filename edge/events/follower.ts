/**
 * One watch over a volume's log for everybody who listens to it: it runs while there is a listener, and looks for new commits once for all of them.
 *
 * A listener asks for what comes after its position; recent records are kept, older ones are read again, so nobody's slowness costs memory.
 */
import { abortError, throwIfAborted } from '../../shared/abort.ts'
import type { Clock } from '../../shared/clock.ts'
import { codeOf, messageOf } from '../../shared/error.ts'
import type { CommitRecord } from '../../shared/format/commit.ts'
import { Lifetime, deadline } from '../../shared/lifetime.ts'
import type { Logger } from '../../shared/log.ts'
import type { Volume } from '../../shared/volume/volume.ts'

const recentRecordsMax = 64
/** What one answer holds: a listener that is far behind reads on with the next. */
const recordsPerReadMax = 100
/** About bytes. */
const weightPerReadMax = 1024 * 1024
/** Of a listener who is far behind. */
const readsAtOnce = 8
const retryMs = 500

export interface FollowerParts {
  readonly volume: Pick<Volume, 'head' | 'at' | 'follow'>
  readonly clock: Clock
  readonly log: Logger
  readonly pollMs: number
}

export class Follower {
  readonly #parts: FollowerParts
  readonly #lifetime = new Lifetime('an event follower')
  /** INVARIANT: contiguous, ascending, ending at `#latestSeq` unless empty. */
  #recent: CommitRecord[] = []
  #latestSeq = 0
  readonly #waiters = new Set<() => void>()
  #listenerCount = 0
  #watch: { readonly stop: AbortController; readonly done: Promise<void> } | undefined

  constructor(parts: FollowerParts) {
    this.#parts = parts
  }

  get listenerCount(): number {
    return this.#listenerCount
  }

  /** Counts somebody in; the watch ends when the last one calls the returned function. */
  async join(signal?: AbortSignal): Promise<() => Promise<void>> {
    this.#lifetime.throwIfDisposed()
    this.#listenerCount += 1
    let isIn = true
    const leave = async (): Promise<void> => {
      if (!isIn) return
      isIn = false
      this.#listenerCount -= 1
      if (this.#listenerCount === 0) await this.#end()
    }
    try {
      if (this.#watch === undefined) await this.#begin(signal)
    } catch (error) {
      await leave()
      throw error
    }
    return leave
  }

  /** The newest seq known. Only while joined. */
  get latestSeq(): number {
    return this.#latestSeq
  }

  /**
   * Records after `after`, oldest first; waits at most `waitMs` for one, then gives none. Of somebody who is far behind only as many as fit into memory well: he asks
   * again. Throws `closed` when the edge shuts down.
   */
  async next(after: number, waitMs: number, signal?: AbortSignal): Promise<readonly CommitRecord[]> {
    if (after >= this.#latestSeq) await this.#wait(after, waitMs, signal)
    const records: CommitRecord[] = []
    let weight = 0
    for (let seq = after + 1; seq <= this.#latestSeq && records.length < recordsPerReadMax && weight < weightPerReadMax; ) {
      throwIfAborted(signal)
      const count = Math.min(readsAtOnce, this.#latestSeq - seq + 1, recordsPerReadMax - records.length)
      const some = await Promise.all(Array.from({ length: count }, (_, index) => this.record(seq + index, signal)))
      records.push(...some)
      weight += some.reduce((sum, record) => sum + weightOf(record), 0)
      seq += count
    }
    return records
  }

  async dispose(): Promise<void> {
    await this.#end()
    await this.#lifetime.dispose()
  }

  /** Any record of the log: a recent one is at hand, others are read. */
  async record(seq: number, signal: AbortSignal | undefined): Promise<CommitRecord> {
    const index = seq - (this.#recent[0]?.seq ?? Infinity)
    const held = index >= 0 ? this.#recent[index] : undefined
    return held ?? (await this.#parts.volume.at(seq, { signal })).record
  }

  /** Ends without an error when the time is over. */
  async #wait(after: number, waitMs: number, signal: AbortSignal | undefined): Promise<void> {
    this.#lifetime.throwIfDisposed()
    const limit = deadline(this.#parts.clock, waitMs, 'wait for events', signal)
    try {
      await new Promise<void>((resolve, reject) => {
        const check = (): void => {
          if (this.#latestSeq <= after) return
          end()
          resolve()
        }
        const onLimit = (): void => {
          end()
          if (signal?.aborted === true) reject(abortError(signal))
          else resolve()
        }
        const onClosed = (): void => {
          end()
          reject(abortError(this.#lifetime.signal))
        }
        const end = (): void => {
          this.#waiters.delete(check)
          limit.signal.removeEventListener('abort', onLimit)
          this.#lifetime.signal.removeEventListener('abort', onClosed)
        }
        this.#waiters.add(check)
        limit.signal.addEventListener('abort', onLimit, { once: true })
        this.#lifetime.signal.addEventListener('abort', onClosed, { once: true })
        if (limit.signal.aborted) onLimit()
        else check()
      })
    } finally {
      limit.dispose()
    }
  }

  async #begin(signal: AbortSignal | undefined): Promise<void> {
    const { seq } = await this.#parts.volume.head({ signal })
    if (this.#watch !== undefined) return
    this.#recent = []
    this.#latestSeq = seq
    const stop = new AbortController()
    this.#watch = { stop, done: this.#run(seq, stop.signal) }
  }

  /** INVARIANT: never rejects; a store that is away is asked again. */
  async #run(from: number, signal: AbortSignal): Promise<void> {
    const { volume, clock, log, pollMs } = this.#parts
    let after = from
    while (!signal.aborted) {
      try {
        for await (const record of volume.follow({ after, signal, pollMs })) {
          // Another watch may have begun behind the newest record by now.
          if (signal.aborted) return
          after = record.seq
          this.#publish(record)
        }
      } catch (error) {
        if (signal.aborted || codeOf(error) === 'closed') return
        log.warn('events are late: the log cannot be read', { why: messageOf(error) })
        await clock.sleep(retryMs, signal).catch(() => undefined)
      }
    }
  }

  #publish(record: CommitRecord): void {
    this.#recent.push(record)
    if (this.#recent.length > recentRecordsMax) this.#recent.shift()
    this.#latestSeq = record.seq
    for (const wake of this.#waiters) wake()
  }

  async #end(): Promise<void> {
    const watch = this.#watch
    this.#watch = undefined
    watch?.stop.abort()
    await watch?.done
  }
}

/** About the bytes of a record's text: its root and its operations. */
function weightOf({ operations }: CommitRecord): number {
  return operations.reduce((sum, { path, to = '' }) => sum + 50 + path.length + to.length, 1000)
}
